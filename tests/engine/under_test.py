"""The workflows under test: what is changed in them, what is refused, and what their jobs and steps are."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import policy
from policy import LEVELS, Workflow
from ruamel.yaml import YAML

from engine.app_tokens import app_permissions
from engine.repository import Event
from engine.result import Job, Step

# What would quietly do nothing, or something else than on GitHub. The other rules of tests/policy.py are not about
# whether a workflow can be executed.
RULES = (
    policy.inputs_are_the_action_s,
    policy.outputs_are_set_by_their_step,
    policy.outputs_are_declared_by_their_job,
    policy.pins_are_recorded,
    policy.runners_are_known,
)
LOCAL = "./.github/workflows/"

# By the workflow's name and the job's id: what its token may do.
Grants = dict[tuple[str, str], dict[str, str]]


class Refused(Exception):
    """The workflow cannot be executed as GitHub would; says why."""


def load(project: Path) -> dict[str, Workflow]:
    """Give the workflows of a project by their file names."""
    folder = project / ".github" / "workflows"
    return {
        path.name: Workflow(path.name, path.read_text("utf-8"), project / "scripts")
        for path in sorted(folder.glob("*.yml"))
    }


def called(workflow: Workflow, everything: dict[str, Workflow]) -> Iterator[Workflow]:
    """Give a workflow and those that its jobs call."""
    yield workflow
    for job in workflow.data["jobs"].values():
        if job.get("uses", "").startswith(LOCAL):
            yield from called(everything[job["uses"].removeprefix(LOCAL)], everything)


def uses_docker(workflows: Iterable[Workflow]) -> bool:
    """Tell whether a job of these workflows uses an action of Docker's."""
    return any(
        step.get("uses", "").startswith("docker/")
        for workflow in workflows
        for job in workflow.jobs.values()
        for step in job.get("steps", [])
    )


def check(workflow: Workflow, everything: dict[str, Workflow]) -> None:
    """Refuse what act would pass over without a word."""
    findings = [finding for rule in RULES for finding in rule(workflow, everything)]
    if findings:
        raise Refused("\n".join(map(str, findings)))


def check_event(workflow: Workflow, event: Event) -> None:
    """Refuse an event that does not start the workflow."""
    if not starts(workflow, event):
        listens = workflow.events.get(event.name, "not to it")
        raise Refused(
            f"{event.name} on {event.ref} does not start {workflow.file}, which listens {listens}"
        )


# What a workflow that names no types listens to, of the events that have several here.
DEFAULT_TYPES = {"pull_request": ["opened", "synchronize", "reopened"]}


def starts(workflow: Workflow, event: Event) -> bool:
    """Tell whether an event starts a workflow: by its name, and by the filters beside it."""
    if event.name not in workflow.events:
        return False
    filters = workflow.events[event.name] or {}
    if event.name == "schedule":
        return event.payload["schedule"] in [entry["cron"] for entry in filters]
    if unknown := filters.keys() - {"branches", "tags", "types", "inputs"}:
        raise Refused(
            f"{workflow.file}: the filters {sorted(unknown)} are not known here"
        )
    types = filters.get("types", DEFAULT_TYPES.get(event.name))
    if types and "action" in event.payload and event.payload["action"] not in types:
        return False
    if event.name != "push":
        return True
    _, kind, name = event.ref.split("/", 2)
    patterns = filters.get({"heads": "branches", "tags": "tags"}[kind])
    if patterns is None:
        # A filter for the other kind leaves this one out.
        return not filters.keys() & {"branches", "tags"}
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def started_by(workflows: dict[str, Workflow], event: Event) -> list[str]:
    """Give the files of the workflows that an event starts."""
    return sorted(f for f, workflow in workflows.items() if starts(workflow, event))


def plan(workflow: Workflow) -> list[Job]:
    """Give the workflow's jobs with their steps, as if all were skipped; calls are no jobs of their own."""
    return [
        Job(
            workflow.file,
            name,
            {},
            [Step(str(step["name"]), "run" in step) for step in job["steps"]],
        )
        for name, job in workflow.data["jobs"].items()
        if "steps" in job
    ]


def grants(workflow: Workflow, everything: dict[str, Workflow]) -> Grants:
    """Give what each job's token may do, by the workflow's name and the job's id.

    A called workflow's job gets no more than the job that calls it.
    """
    name = workflow.data["name"]
    found: Grants = {}
    for job, data in workflow.jobs.items():
        found[name, job] = policy.grants(data)
        if data.get("uses", "").startswith(LOCAL):
            callee = everything[data["uses"].removeprefix(LOCAL)]
            for key, asked in grants(callee, everything).items():
                found[key] = {
                    permission: min(
                        level,
                        found[name, job].get(permission, "none"),
                        key=LEVELS.__getitem__,
                    )
                    for permission, level in asked.items()
                }
    return found


def job_of(token: str, secret: str, grants: Grants) -> tuple[str, str] | None:
    """Give the workflow's name and the job that a token is for; None where it is none of this run's.

    Args:
        token: What was shown. It names workflow and job, see tools/step.sh.
        secret: The part that all tokens of the run begin with.
        grants: What each job may do.
    """
    begins, _, rest = token.partition("@")
    for workflow, job in grants:
        if begins == secret and rest == f"{workflow.replace(' ', '_')}@{job}":
            return workflow, job
    return None


def permissions_of(token: str, secret: str, grants: Grants) -> dict[str, str] | None:
    """Give what a job's token may do, see `job_of`, or the token of a GitHub App, see `app_token`."""
    if (held := app_permissions(token, secret)) is not None:
        return held
    found = job_of(token, secret, grants)
    return grants[found] if found else None


def read_only(permissions: dict[str, str]) -> dict[str, str]:
    """Give what is left of a job's permissions where the token can only read; an identity it cannot prove then."""
    return {
        name: "read"
        for name, level in permissions.items()
        if level != "none" and name != "id-token"
    }


def stand_ins(workflows: list[Workflow]) -> list[str]:
    """Say which commands of workflows are other programs here than on GitHub."""
    replaced = {
        "pypi-attestations sign": "Sigstore has a stand-in",
        "gh attestation verify": "it is a stand-in, which verifies no signature",
        "trivy filesystem": "it is a stand-in with a database of its own",
        "trivy image": "it is a stand-in with a database of its own",
        "semgrep scan --config p/": "the public rules have stand-ins",
    }
    return sorted(
        {
            f"{workflow.file}: {command}: {how}"
            for workflow in workflows
            for job in workflow.jobs.values()
            for step in job.get("steps", [])
            for command, how in replaced.items()
            if command in step.get("run", "")
        }
        | {
            f"{workflow.file}: FROM takes local base images"
            for workflow in workflows
            if "docker/build-push-action@" in workflow.text
        }
    )


def drop_containers(path: Path) -> list[str]:
    """Take `container:` out of a workflow file: act's host mode cannot start one, and its tool is on PATH instead.

    This is the only change that the engine makes to a workflow's file; `stand_ins` names what runs in another's place.
    Gives what it changed, in words.
    """
    text = path.read_text("utf-8")
    if "container:" not in text:
        return []
    yaml = YAML()
    yaml.width = 10_000
    data: Any = yaml.load(text)
    edits = [
        f"{path.name}: container of job {name} taken out"
        for name, job in data["jobs"].items()
        if job.pop("container", None) is not None
    ]
    if edits:
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(data, file)
    return edits
