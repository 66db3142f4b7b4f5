"""The rules that every workflow of the template keeps; docs/ and GitHub's own documentation say why.

A rule is a function that takes one workflow and all of them, and gives a Finding for each place that breaks it. The
decorator `rule` enters it into RULES. What actionlint and zizmor find by themselves is left to them.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data"
REFRESH = "uv run tests/data/refresh_actions.py"

RECORD: dict[str, Any] = json.loads((DATA / "actions.json").read_text("utf-8"))
ACTIONS: dict[str, dict[str, Any]] = RECORD["actions"]
VERSIONS: dict[str, dict[str, str]] = tomllib.loads(
    (DATA / "versions.toml").read_text("utf-8")
)

# ---- What is allowed -------------------------------------------------------------------------------------------------

RUNNERS = {
    "ubuntu-latest",
    "ubuntu-slim",
    "ubuntu-24.04-arm",
    "macos-latest",
    "windows-latest",
}
# GitHub ends a job on the slim runner after this many minutes.
SLIM_MINUTES = 15
# What an action may run on; Node 20 is gone from the runners.
USING = {"node24", "composite"}
DOCKER_ACTIONS = {"ossf/scorecard-action"}

# Scorecard publishes only for a job that uses nothing else.
SCORECARD = "ossf/scorecard-action"
SCORECARD_ACTIONS = {
    SCORECARD,
    "actions/checkout",
    "actions/upload-artifact",
    "github/codeql-action/upload-sarif",
    "step-security/harden-runner",
}

GROUP = "{file}-${{{{ github.event.pull_request.number || github.run_id }}}}"
CANCEL = "${{ github.event_name == 'pull_request' }}"
# A release or an upload that is cut short leaves half of it behind.
OWN_GROUPS = {"release.yml", "publish.yml", "template-update.yml"}

GATING_EVENTS = {"push", "pull_request", "merge_group", "workflow_dispatch"}
# Jobs that tell about a gate and are none.
REPORTERS = {"coverage.yml": {"report", "codecov"}}

CRONS = {
    "trivy.yml": ["0 3 * * *"],
    "ossf-scorecard.yml": ["0 2 * * 1"],
    "template-update.yml": ["0 5 * * 1"],
}
RETENTION_DAYS = {
    "dist": 7,
    "coverage-html": 30,
    "gitleaks-report": 30,
    "scorecard-results": 5,
}
# What only passes from job to job need not stay.
OTHER_RETENTION_DAYS = 7

LEVELS = {"none": 0, "read": 1, "write": 2}
NO_CACHE = (None, "", False, "false")
CACHE_INPUTS = {"enable-cache", "cache", "cache-binary", "cache-from", "cache-to"}


# ---- Workflows, read with their lines --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """A place that breaks a rule, and what to do there."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """Give it as compilers do, so that terminals and editors link to the place."""
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Step:
    """A step of a job; its place in the job's list starts at 0."""

    job: str
    number: int
    data: Any

    @property
    def action(self) -> str:
        """The action with its path, without its pin; empty for a command."""
        return str(self.data.get("uses", "")).partition("@")[0]

    @property
    def what(self) -> str:
        """How to call it in a message."""
        name = self.data.get("name") or self.action or f"number {self.number + 1}"
        return f"job {self.job}, step {name!r}"


# Parsing with line numbers is slow, and the same few files are read again for each run of the engine.
@lru_cache(maxsize=128)
def parse(text: str) -> Any:
    """Give what a workflow's text says, whose mappings and lists know their lines; nobody may change it."""
    return YAML(typ="rt").load(text)


@dataclass(frozen=True)
class Workflow:
    """A workflow file.

    Attributes:
        file: The file's name, for example "tests.yml".
        text: What it holds.
        scripts: The folder of the scripts that it runs.
    """

    file: str
    text: str
    scripts: Path = ROOT / "template" / "scripts"

    @property
    def data(self) -> Any:
        """The parsed file, see `parse`."""
        return parse(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines; the first has index 0."""
        return self.text.splitlines()

    @property
    def events(self) -> dict[str, Any]:
        """What starts it, each with its filters."""
        events = self.data["on"]
        named = dict.fromkeys(as_list(events))
        return dict(events) if isinstance(events, dict) else named

    @property
    def jobs(self) -> dict[str, Any]:
        """The jobs by their ids."""
        return dict(self.data["jobs"])

    @property
    def gates(self) -> bool:
        """Whether a merge can depend on it."""
        return not {"pull_request", "merge_group"}.isdisjoint(self.events)

    def steps(self, *jobs: str) -> Iterator[Step]:
        """Give the steps of these jobs; by default of all."""
        for job in jobs or self.jobs:
            for number, step in enumerate(self.jobs[job].get("steps", [])):
                yield Step(job, number, step)

    def at(self, parent: Any, key: Any, message: str) -> Finding:
        """Give a finding at a key of a mapping or an item of a list; where there is no such key, at its parent."""
        return Finding(self.file, line_of(parent, key) + 1, message)

    def at_job(self, job: str, message: str) -> Finding:
        """Give a finding about a whole job."""
        return self.at(self.data["jobs"], job, f"job {job}: {message}")

    def at_step(self, step: Step, key: str, message: str) -> Finding:
        """Give a finding at a key of a step; where there is no such key, at its first line."""
        return self.at(step.data, key, f"{step.what}: {message}")

    def comment(self, parent: Any, key: Any) -> str:
        """Give the comment at the end of a key's line, without its sign; empty without one."""
        return self.lines[line_of(parent, key)].partition(" #")[2].strip()


Workflows = Mapping[str, Workflow]
Rule = Callable[[Workflow, Workflows], Iterable[Finding]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Enter a function into RULES."""
    RULES[function.__name__] = function
    return function


def line_of(parent: Any, key: Any) -> int:
    """Give the line, from 0, of a key of a mapping or of an item of a list; of the parent where there is no such key."""
    try:
        line, _ = parent.lc.item(key) if isinstance(key, int) else parent.lc.key(key)
    except (KeyError, TypeError):
        return int(parent.lc.line)
    return int(line)


def texts(parent: Any, without: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Give every text below a mapping or list, with the mapping or list that it stands in and its key or index.

    Args:
        parent: The mapping or list.
        without: A key of it whose value is left out.
    """
    items = parent.items() if isinstance(parent, dict) else enumerate(parent)
    for key, value in items:
        if key == without:
            continue
        if isinstance(value, dict | list):
            yield from texts(value)
        elif isinstance(value, str):
            yield parent, key, value


def as_list(value: Any) -> list[str]:
    """Give what may be one text, several or none as a list."""
    return [value] if isinstance(value, str) else list(value or [])


def interface(action: str) -> dict[str, Any] | None:
    """Give the recorded inputs, outputs and runtime of an action such as actions/cache/save."""
    owner, _, rest = action.partition("/")
    name, _, path = rest.partition("/")
    found: dict[str, Any] | None = (
        ACTIONS.get(f"{owner}/{name}", {}).get("paths", {}).get(path)
    )
    return found


def grants(data: Any) -> dict[str, str]:
    """Give the permissions of a job; empty where it states none, or not one by one."""
    permissions = data.get("permissions")
    return dict(permissions) if isinstance(permissions, dict) else {}


# ---- Head of the file ------------------------------------------------------------------------------------------------


@rule
def two_comment_lines_open_the_file(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """What it is for, and how to do the same locally."""
    patterns = (r"# (?!Locally: )\S.*\.", r"# Locally: \S.*", r"name: \S.*")
    for number, pattern in enumerate(patterns):
        if not re.fullmatch(pattern, workflow.lines[number]):
            yield Finding(
                workflow.file,
                number + 1,
                "open the file with `# What it is for.`, `# Locally: command` and `name:`",
            )
            return


@rule
def permissions_start_from_none(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """What a job does not ask for, it does not get."""
    if workflow.data.get("permissions") != {}:
        yield workflow.at(
            workflow.data, "permissions", "put `permissions: {}` at the top"
        )


@rule
def the_shell_is_bash(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """On Windows as well, and with pipefail, which only a named shell sets."""
    wanted = "put `defaults: {run: {shell: bash}}` at the top"
    default = workflow.data.get("defaults", {}).get("run", {}).get("shell")
    scorecard = scorecard_job(workflow) is not None
    if not scorecard and default != "bash":
        yield workflow.at(workflow.data, "defaults", wanted)
    for job, data in workflow.jobs.items():
        if "defaults" in data:
            yield workflow.at(
                data, "defaults", f"job {job}: take it out; the workflow has defaults"
            )
    # Scorecard allows no defaults, so that each step has to say it.
    shell = "bash" if scorecard else None
    for step in workflow.steps():
        if "run" in step.data and step.data.get("shell") != shell:
            wanted = "put `shell: bash` here" if shell else "take `shell` out"
            yield workflow.at_step(step, "shell", wanted)


@rule
def groups_are_the_file_and_cancel_only_pull_requests(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """In a called workflow `github.workflow` is the caller's name, and equal groups cancel each other."""
    group, cancel = group_of(workflow.data)
    if workflow.file in OWN_GROUPS:
        right = str(group).startswith(f"{workflow.file}-${{{{ ") and cancel is False
        wanted = f"a group `{workflow.file}-…` and `cancel-in-progress: false`"
    else:
        literal = GROUP.format(file=workflow.file)
        right = (group, cancel) == (literal, CANCEL)
        wanted = f"`group: {literal}` and `cancel-in-progress: {CANCEL}`"
    if not right:
        yield workflow.at(workflow.data, "concurrency", f"put here {wanted}")
    for job, data in workflow.jobs.items():
        if "concurrency" in data:
            own, cancel = group_of(data)
            named = str(own).startswith(f"{workflow.file}-")
            if not named or own == group or cancel is not False:
                yield workflow.at(
                    data,
                    "concurrency",
                    f"job {job}: give it a group `{workflow.file}-…` of its own that never cancels",
                )


def group_of(data: Any) -> tuple[Any, Any]:
    """Give the concurrency group of a workflow or job, and whether it cancels; None for what is not said."""
    found = data.get("concurrency")
    found = found if isinstance(found, dict) else {"group": found}
    return found.get("group"), found.get("cancel-in-progress")


@rule
def events_are_safe(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """These two run a stranger's change with the repository's token."""
    for event in ("pull_request_target", "workflow_run"):
        if event in workflow.events:
            yield workflow.at(
                workflow.data["on"], event, f"take {event} out; use pull_request"
            )


@rule
def every_workflow_starts_by_hand(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """A person can always try again."""
    if "workflow_dispatch" not in workflow.events:
        yield workflow.at(workflow.data, "on", "add `workflow_dispatch:`")


@rule
def schedules_are_the_documented_ones(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """The manual and its costs count on them."""
    schedule = workflow.events.get("schedule") or []
    wanted = CRONS.get(workflow.file, [])
    if [entry["cron"] for entry in schedule] != wanted:
        yield workflow.at(
            workflow.data["on"], "schedule", f"the schedule must be {wanted}"
        )


# ---- Required checks -------------------------------------------------------------------------------------------------


@rule
def gates_listen_to_every_way_to_merge(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """A required check that does not run, or that a filter leaves out, is pending for ever."""
    if not workflow.gates:
        return
    events = workflow.events
    if missing := sorted(GATING_EVENTS - events.keys()):
        yield workflow.at(workflow.data, "on", f"add {', '.join(missing)}")
    if events.get("push") != {"branches": ["main"]} and "push" in events:
        yield workflow.at(workflow.data["on"], "push", "put `branches: [main]` here")
    for event in ("pull_request", "merge_group"):
        if events.get(event):
            yield workflow.at(
                workflow.data["on"], event, "take its filters out; a job may decide"
            )


def required_check(workflow: Workflow) -> str:
    """Give the id that the job has whose check a ruleset requires."""
    gating = workflow.jobs.keys() - REPORTERS.get(workflow.file, set())
    return "passed" if len(gating) > 1 else Path(workflow.file).stem


@rule
def one_required_check_sees_every_job(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """It is called `passed`, or by the file's name where one job gates alone."""
    if not workflow.gates:
        return
    check = required_check(workflow)
    reporters = REPORTERS.get(workflow.file, set())
    if check not in workflow.jobs:
        yield workflow.at(
            workflow.data, "jobs", f"add or rename the required check: job {check}"
        )
        return
    job = workflow.jobs[check]
    needs = set(as_list(job.get("needs")))
    others = workflow.jobs.keys() - reporters - {check}
    if needs != others:
        yield workflow.at(job, "needs", f"job {check}: needs {sorted(others)}")
    # A job that is skipped counts as passed: with several jobs it must run always, alone it may not be left out.
    condition = "always()" if others else None
    if job.get("if") != condition:
        wanted = f"put `if: {condition}`" if others else "take `if` out"
        yield workflow.at(job, "if", f"job {check}: {wanted}")
    if others and not sees_results(job, others):
        yield workflow.at_job(check, "look at `needs.*.result` in a step's `env`")
    for name, data in workflow.jobs.items():
        needs = set(as_list(data.get("needs")))
        if name in reporters and check not in needs:
            yield workflow.at_job(name, f"it tells about {check} and needs it")
        if needs & (reporters | ({check} if others else set())):
            yield workflow.at(data, "needs", f"job {name}: nothing waits for that")


def sees_results(job: Any, needs: Iterable[str]) -> bool:
    """Say whether a job's steps look at the result of every job that it needs.

    What they make of the results is for test_policy.py, which runs them.
    """
    values = " ".join(
        str(value)
        for step in job["steps"]
        for value in (step.get("env") or {}).values()
    )
    return "needs.*.result" in values or all(
        f"needs.{need}.result" in values for need in needs
    )


@rule
def required_checks_have_names_of_their_own(
    workflow: Workflow, everything: Workflows
) -> Iterator[Finding]:
    """A ruleset knows a check by its name alone."""
    check = required_check(workflow)
    if not workflow.gates or check not in workflow.jobs:
        return
    name = workflow.jobs[check].get("name", check)
    same = [
        f"{other.file}, job {job}"
        for other in everything.values()
        for job, data in other.jobs.items()
        if data.get("name", job) == name and (other.file, job) != (workflow.file, check)
    ]
    if same or "${{" in name:
        yield workflow.at_job(
            check, f"give it a fixed name that no other job has {same}"
        )


# ---- Jobs ------------------------------------------------------------------------------------------------------------


@rule
def every_grant_has_its_reason(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """Each job says what it may do, each grant on a line of its own with a comment."""
    for job, data in workflow.jobs.items():
        if not isinstance(data.get("permissions"), dict):
            yield workflow.at(
                data, "permissions", f"job {job}: list its permissions, or `{{}}`"
            )
            continue
        permissions = data["permissions"]
        same_line = Counter(line_of(permissions, key) for key in permissions)
        for key in permissions:
            shared = same_line[line_of(permissions, key)] > 1
            if shared or not workflow.comment(permissions, key):
                yield workflow.at(
                    permissions,
                    key,
                    f"job {job}: put the reason for {key} beside it: `# …`",
                )


@rule
def callers_grant_what_callees_ask_for(
    workflow: Workflow, everything: Workflows
) -> Iterator[Finding]:
    """Less, and the run does not even start; more, and the grant has no use."""
    for job, data in workflow.jobs.items():
        if "uses" not in data:
            continue
        file = Path(data["uses"]).name
        if data["uses"] != f"./.github/workflows/{file}" or file not in everything:
            yield workflow.at(data, "uses", f"job {job}: call a workflow that is here")
            continue
        callee = everything[file]
        if "workflow_call" not in callee.events:
            yield workflow.at(data, "uses", f"job {job}: {file} lacks workflow_call")
        wanted = asked_permissions(callee, everything)
        granted = grants(data)
        if granted != wanted:
            yield workflow.at(
                data,
                "permissions",
                f"job {job}: {file} asks for {wanted}, granted are {granted}",
            )


def asked_permissions(workflow: Workflow, everything: Workflows) -> dict[str, str]:
    """Give the union of what a workflow's jobs ask for, those of workflows that it calls included."""
    union: dict[str, str] = {}
    for data in workflow.jobs.values():
        asked = [grants(data)]
        # GitHub refuses a workflow that calls itself, so this ends.
        callee = everything.get(Path(data.get("uses", "")).name)
        if callee and callee is not workflow:
            asked.append(asked_permissions(callee, everything))
        for permissions in asked:
            for name, level in permissions.items():
                union[name] = max(
                    level, union.get(name, "none"), key=LEVELS.__getitem__
                )
    return union


@rule
def every_job_has_a_timeout(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """The default is six hours, all of which are paid."""
    for job, data in workflow.jobs.items():
        if "steps" in data and not isinstance(data.get("timeout-minutes"), int):
            yield workflow.at_job(job, "add `timeout-minutes`")


@rule
def runners_are_known(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """A label that nobody serves waits for a day; a slim runner has one core, few minutes and no containers."""
    for job, data in workflow.jobs.items():
        if "steps" not in data:
            continue
        for label in labels(data):
            if label not in RUNNERS:
                yield workflow.at(
                    data, "runs-on", f"job {job}: {label} is none of {sorted(RUNNERS)}"
                )
            elif label == "ubuntu-slim" and (
                data.keys() & {"container", "services"}
                or data.get("timeout-minutes") not in range(1, SLIM_MINUTES + 1)
            ):
                yield workflow.at(
                    data,
                    "runs-on",
                    f"job {job}: a slim runner has {SLIM_MINUTES} minutes and no containers",
                )


# The plan's own tests show that it gives no other.
PLANNED = re.compile(r"\$\{\{ fromJSON\(needs\.plan\.outputs\.\w+\) \}\}")


def labels(job: Any) -> list[str]:
    """Give the runner labels of a job, a matrix's included; none where scripts/plan.py gives them."""
    label = job.get("runs-on")
    expression = re.fullmatch(r"\$\{\{ matrix\.([\w-]+) \}\}", str(label))
    if not expression:
        return [str(label)]
    matrix = job["strategy"]["matrix"]
    name, included = expression[1], matrix.get("include", [])
    if isinstance(included, str):
        return [] if PLANNED.fullmatch(included) else [included]
    return as_list(matrix.get(name)) + [
        str(cell[name]) for cell in included if name in cell
    ]


@rule
def containers_are_pinned(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """A tag can be moved; the digest's tag stands in a comment above it."""
    for job, data in workflow.jobs.items():
        containers = [data.get("container"), *(data.get("services") or {}).values()]
        for container in containers:
            image = container["image"] if isinstance(container, dict) else container
            if image and not re.search(r"@sha256:[0-9a-f]{64}$", image):
                yield workflow.at(
                    data, "container", f"job {job}: {image} needs an @sha256: digest"
                )


SECRET = re.compile(r"\bsecrets\s*(\.(?!GITHUB_TOKEN\b)|\[|\))")


@rule
def secrets_stay_in_environments(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """An environment decides which branches and tags get at them; the workflow's own token is no such secret."""
    places = [("the top", workflow.data)]
    places += [(f"job {job}", data) for job, data in workflow.jobs.items()]
    for where, data in places:
        if data.get("secrets") == "inherit":
            yield workflow.at(data, "secrets", f"{where}: hand over no secrets")
        if "environment" not in data:
            for parent, key, text in texts(data, without="jobs"):
                if SECRET.search(text):
                    yield workflow.at(
                        parent, key, f"{where}: a secret needs an `environment`"
                    )


@rule
def identities_touch_no_cache(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """What another run left in a cache must not meet the token that signs and publishes."""
    for job, data in workflow.jobs.items():
        if "id-token" not in grants(data):
            continue
        for step in workflow.steps(job):
            if step.action.startswith("actions/cache"):
                yield workflow.at_step(step, "uses", "no cache beside `id-token`")
            found = interface(step.action) or {"inputs": {}}
            for name in CACHE_INPUTS & found["inputs"].keys():
                default = found["inputs"][name]["default"]
                given = (step.data.get("with") or {}).get(name, default)
                if given not in NO_CACHE:
                    yield workflow.at_step(
                        step, "with", f"`{name}` off: no cache beside `id-token`"
                    )


@rule
def file_hashes_are_asked_for_in_steps(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """Before a job's first step there are no files to look at."""
    for job, data in workflow.jobs.items():
        for parent, key, text in texts(data, without="steps"):
            if "hashFiles" in text:
                yield workflow.at(
                    parent, key, f"job {job}: hashFiles only in a step; use an output"
                )
    for step in workflow.steps():
        for key, value in step.data.items():
            if key not in ("if", "with", "env") and "hashFiles" in str(value):
                yield workflow.at_step(step, key, "hashFiles only in if, with and env")


@rule
def scorecard_publishes(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """Scorecard's service takes results only from a workflow like this."""
    job = scorecard_job(workflow)
    if job is None:
        return
    for key in ("env", "defaults"):
        if key in workflow.data:
            yield workflow.at(workflow.data, key, f"no `{key}` at the top")
    data = workflow.jobs[job]
    for key in ("env", "defaults", "container", "services"):
        if key in data:
            yield workflow.at(data, key, f"job {job}: no `{key}`")
    if data.get("runs-on") != "ubuntu-latest":
        yield workflow.at(data, "runs-on", f"job {job}: only on ubuntu-latest")
    for step in workflow.steps(job):
        if step.action not in SCORECARD_ACTIONS:
            key = "uses" if step.action else "run"
            yield workflow.at_step(
                step, key, f"only these may stand here: {sorted(SCORECARD_ACTIONS)}"
            )
    for name, other in workflow.jobs.items():
        if ("id-token" in grants(other)) != (name == job):
            yield workflow.at(
                other, "permissions", f"job {name}: `id-token` belongs to {job} alone"
            )


def scorecard_job(workflow: Workflow) -> str | None:
    """Give the id of the job that runs Scorecard, if there is one."""
    jobs = (step.job for step in workflow.steps() if step.action == SCORECARD)
    return next(jobs, None)


# ---- Steps -----------------------------------------------------------------------------------------------------------


@rule
def steps_have_names_of_their_own(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """Without, an update can move a person's own step into another job."""
    for job in workflow.jobs:
        names = Counter(step.data.get("name") for step in workflow.steps(job))
        for step in workflow.steps(job):
            name = step.data.get("name")
            if not name or names[name] > 1:
                yield workflow.at_step(
                    step, "name", "give it a name that no other step of the job has"
                )


@rule
def steps_stand_apart(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """A blank line keeps what people change in two steps from being one conflict."""
    for before, step in pairwise(workflow.steps()):
        if before.job != step.job:
            continue
        line = line_of(workflow.jobs[step.job]["steps"], step.number) - 1
        while workflow.lines[line].strip().startswith("#"):
            line -= 1
        if workflow.lines[line].strip():
            yield workflow.at_step(step, "name", "put a blank line before it")


@rule
def pins_stand_apart_from_what_people_edit(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """The order is name, id, if, uses, with: after a pin comes the line `with:`, or a blank one, or the end."""
    order = ["name", "id", "if", "uses", "with", "env"]
    for step in workflow.steps():
        if "uses" not in step.data:
            continue
        keys = list(step.data)
        line = line_of(step.data, "uses") + 1
        after = workflow.lines[line].strip() if line < len(workflow.lines) else ""
        known = [key for key in order if key in keys]
        if keys[: len(known)] != known or after not in ("with:", ""):
            yield workflow.at_step(
                step, "uses", f"keys in the order {order}; nothing else after the pin"
            )


@rule
def commands_hold_no_expression(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """GitHub would paste the value into the script: a title could be a command."""
    for step in workflow.steps():
        if "${{" in step.data.get("run", ""):
            yield workflow.at_step(step, "run", "pass the value through `env`")


SWALLOWS = re.compile(
    r"\|\|\s*(true|:|exit 0|echo)(?![\w-])|;\s*true\b|\bset \+(e|o)\b|--exit-zero\b|--exit-code[= ]0\b"
)


@rule
def failures_are_not_swallowed(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """The gate is the command's own exit status."""
    for job, data in workflow.jobs.items():
        if "continue-on-error" in data:
            yield workflow.at(
                data, "continue-on-error", f"job {job}: take continue-on-error out"
            )
    for step in workflow.steps():
        if "continue-on-error" in step.data:
            yield workflow.at_step(
                step, "continue-on-error", "take continue-on-error out"
            )
        if found := SWALLOWS.search(step.data.get("run", "")):
            yield workflow.at_step(step, "run", f"let it fail: take {found[0]!r} out")


@rule
def checkouts_keep_no_token(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """Else every later step can read it from .git."""
    for step in workflow.steps():
        if step.action == "actions/checkout":
            given = step.data.get("with") or {}
            if given.get("persist-credentials") is not False:
                yield workflow.at_step(step, "with", "add `persist-credentials: false`")


@rule
def artifacts_go_when_they_are_told(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """Storage is paid; tests/test_manual.py compares what the manual says."""
    for step in workflow.steps():
        if step.action != "actions/upload-artifact":
            continue
        given = step.data.get("with") or {}
        name, days = given.get("name"), given.get("retention-days")
        wanted = RETENTION_DAYS.get(str(name))
        right = days == wanted if wanted else days in range(1, OTHER_RETENTION_DAYS + 1)
        if not right:
            yield workflow.at_step(
                step,
                "with",
                f"`retention-days: {wanted or f'1 … {OTHER_RETENTION_DAYS}'}`",
            )


@rule
def exceptions_have_their_reason(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """What a checker is told to overlook is explained in the line above."""
    for number, line in enumerate(workflow.lines):
        if re.search(r"#.*\b(zizmor: ignore|shellcheck disable)", line):
            above = workflow.lines[number - 1].strip() if number else ""
            if not above.startswith("# "):
                yield Finding(workflow.file, number + 1, "say why, in the line above")


# ---- Actions ---------------------------------------------------------------------------------------------------------

PIN = re.compile(r"([\w.-]+/[\w.-]+)(?:/[\w./-]+)?@([0-9a-f]{40})")


def pins(workflow: Workflow) -> Iterator[tuple[Step, str, str, str]]:
    """Give the steps that use a well pinned action, with the action's repository, commit and tag."""
    for step in workflow.steps():
        found = PIN.fullmatch(step.data.get("uses", ""))
        tag = workflow.comment(step.data, "uses")
        if found and re.fullmatch(r"v\d+\.\d+\.\d+", tag):
            yield step, found[1], found[2], tag


@rule
def actions_are_pinned(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """A tag can be moved to something else, a commit cannot."""
    pinned = [(step.job, step.number) for step, *_ in pins(workflow)]
    for step in workflow.steps():
        if "uses" in step.data and (step.job, step.number) not in pinned:
            yield workflow.at_step(
                step, "uses", "write `OWNER/ACTION@<40 digits of its commit> # vX.Y.Z`"
            )


def is_tag_object(commit: str) -> bool:
    """Say whether a SHA is known to be an annotated tag's own, not that of the commit it names."""
    return commit.startswith(tuple(RECORD["tag_objects"].values()))


@rule
def pins_are_commits(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """An annotated tag has a SHA as well; Scorecard takes it for an impostor."""
    for step, name, commit, tag in pins(workflow):
        if is_tag_object(commit):
            yield workflow.at_step(
                step, "uses", f"the commit of {name} {tag}, not the tag's own SHA"
            )


@rule
def pins_are_recorded(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """What an action takes and gives is known for this very version."""
    for step, name, commit, tag in pins(workflow):
        if is_tag_object(commit):
            continue
        known = ACTIONS.get(name, {})
        recorded = interface(step.action) is not None
        if not recorded or (known["tag"], known["sha"]) != (tag, commit):
            yield workflow.at_step(
                step,
                "uses",
                f"{step.action} {tag} at {commit[:7]} is not what tests/data/actions.json"
                f" records: run `{REFRESH}` and look at what it changes",
            )


@rule
def an_action_has_one_pin(
    workflow: Workflow, everything: Workflows
) -> Iterator[Finding]:
    """Two versions of one action are two things to know."""
    tags: dict[str, set[str]] = {}
    for other in everything.values():
        for _, name, commit, tag in pins(other):
            tags.setdefault(name, set()).add(f"{tag} at {commit[:7]}")
    for step, name, *_ in pins(workflow):
        if len(tags.get(name, ())) > 1:
            yield workflow.at_step(
                step,
                "uses",
                f"{name} is {sorted(tags[name])}; take the newer everywhere",
            )


@rule
def actions_run_on_what_runners_have(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """Node 20 is no longer there."""
    for step in workflow.steps():
        found = interface(step.action)
        allowed = USING | ({"docker"} if step.action in DOCKER_ACTIONS else set())
        if found and found["using"] not in allowed:
            yield workflow.at_step(
                step, "uses", f"it runs on {found['using']}, not on {sorted(allowed)}"
            )


@rule
def inputs_are_the_action_s(workflow: Workflow, _: Workflows) -> Iterator[Finding]:
    """An input that an action does not know has no effect, without an error."""
    for step in workflow.steps():
        found = interface(step.action)
        if not found:
            continue
        given = step.data.get("with") or {}
        for name in given.keys() - found["inputs"].keys():
            yield workflow.at(given, name, f"{step.what}: there is no input {name}")
        for name, declared in found["inputs"].items():
            required = declared["required"] and declared["default"] is None
            if required and name not in given:
                yield workflow.at_step(step, "with", f"give it the input {name}")


@rule
def outputs_are_set_by_their_step(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """An output that nothing sets is empty, without an error."""
    reference = re.compile(r"\bsteps\.([\w-]+)\.outputs\.([\w-]+)")
    for job, data in workflow.jobs.items():
        by_id = {str(step.data.get("id")): step for step in workflow.steps(job)}
        for parent, key, text in texts(data):
            for step_id, output in reference.findall(text):
                step = by_id.get(step_id)
                if step is None or not sets_output(workflow, step, output):
                    yield workflow.at(
                        parent,
                        key,
                        f"job {job}: step {step_id} sets no output {output}",
                    )


@rule
def outputs_are_declared_by_their_job(
    workflow: Workflow, everything: Workflows
) -> Iterator[Finding]:
    """What a job or a called workflow does not hand out is empty, without an error."""
    reference = re.compile(r"\bneeds\.([\w-]+)\.outputs\.([\w-]+)")
    for job, data in workflow.jobs.items():
        for parent, key, text in texts(data):
            for needed, output in reference.findall(text):
                if output not in job_outputs(workflow, needed, everything):
                    yield workflow.at(
                        parent, key, f"job {job}: job {needed} has no output {output}"
                    )


def job_outputs(workflow: Workflow, job: str, everything: Workflows) -> set[str]:
    """Give the outputs that a job hands out: its own, or those of the workflow that it calls."""
    data = workflow.jobs.get(job, {})
    callee = everything.get(Path(data.get("uses", "")).name)
    if callee is None:
        return set(data.get("outputs", {}))
    return set((callee.events.get("workflow_call") or {}).get("outputs", {}))


def sets_output(workflow: Workflow, step: Step, output: str) -> bool:
    """Say whether a step's action declares an output, or its command or the script that it runs names it."""
    if step.action:
        found = interface(step.action)
        return found is None or output in found["outputs"]
    command = step.data["run"]
    programs = [command] + [
        path.read_text("utf-8")
        for name in re.findall(r"scripts/(\w+\.py)", command)
        for path in workflow.scripts.glob(f"{name}*")
    ]
    named = re.compile(rf"""\b{re.escape(output)}=|["']{re.escape(output)}["']""")
    return any(named.search(program) for program in programs)


# ---- Versions that Dependabot cannot move ----------------------------------------------------------------------------

TOOL_VERSION = re.compile(
    rf"(?i)\b({'|'.join(VERSIONS['tools'])})(?:/v\d+)?(?:[@=:\s]{{1,3}})v?(\d+(?:\.\d+)+)"
)
IMAGE_DIGEST = re.compile(
    rf"\b({'|'.join(map(re.escape, VERSIONS['images']))})(?::[\w.-]+)?@(sha256:[0-9a-f]+)"
)
# Actions that install a tool of the list, and must be told which version.
INSTALLERS = {"astral-sh/setup-uv": "uv", "aquasecurity/setup-trivy": "trivy"}


@dataclass(frozen=True)
class Use:
    """A place that names the version of a tool or the digest of an image.

    Attributes:
        name: The tool or image, as versions.toml spells it.
        found: What the place says.
        wanted: What versions.toml says.
        place: Where it is, and both of these.
    """

    name: str
    found: str
    wanted: str
    place: Finding

    @property
    def right(self) -> bool:
        """Whether the place says what the list says."""
        return self.found == self.wanted


def version_uses(file: str, text: str, *, prose: bool = True) -> Iterator[Use]:
    """Give every listed tool or image that a file names with its version or digest.

    Args:
        file: What findings call it.
        text: What it holds.
        prose: Whether "Tool 1.2.3" counts as well, not only what a command or a file would say.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, kind in ((TOOL_VERSION, "tools"), (IMAGE_DIGEST, "images")):
            for match in pattern.finditer(line):
                if prose or " " not in match[0]:
                    place = Finding(file, number, "")
                    yield use(kind, match[1].lower(), match[2], place)


def installed_versions(workflow: Workflow) -> Iterator[Use]:
    """Give every listed tool whose version stands in an action's input, where its name does not."""
    for step in workflow.steps():
        if tool := INSTALLERS.get(step.action):
            found = str((step.data.get("with") or {}).get("version")).removeprefix("v")
            yield use("tools", tool, found, workflow.at_step(step, "with", ""))


def use(kind: str, name: str, found: str, place: Finding) -> Use:
    """Give a use of what versions.toml lists, the message of its place completed."""
    wanted = VERSIONS[kind][name]
    message = (
        f"{place.message}{name} is {found}; tests/data/versions.toml says {wanted}"
    )
    return Use(name, found, wanted, replace(place, message=message))


@rule
def installed_versions_are_listed(
    workflow: Workflow, _: Workflows
) -> Iterator[Finding]:
    """The same uv and Trivy everywhere."""
    for found in installed_versions(workflow):
        if not found.right:
            yield found.place
