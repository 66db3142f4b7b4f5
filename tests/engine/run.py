"""Runs one workflow for one event."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harness import PYTHONS, cache_folder, go, interpreter, run, tool, tool_from_wheel
from policy import DATA, VERSIONS

from engine import act, containers, network, openapi, registry, under_test
from engine.actions.catalogue import NETWORK, REAL_ACTIONS, make_folders
from engine.github import git
from engine.github.server import HOSTS, GitHub
from engine.index.identity import Issuer, Run, jobs_with_identity
from engine.index.server import HOSTS as INDEX_HOSTS
from engine.index.server import Index
from engine.registry import Registry
from engine.repository import Event, Repository
from engine.result import FAILURE, Result, read

TOOLS = Path(__file__).parent / "tools"
INTERFACE = DATA / "actions.json"
# Microsoft publishes the schema of SARIF 2.1.0 with its matchers for tests.
SARIF_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
SARIF_FILE = "package/lib/schemas/sarif-2.1.0-rtm.5.json"
# What Ubuntu's runners have, of what workflows use; uv, Trivy and Semgrep are not there, and are not on PATH here.
RUNNER_TOOLS = ("bash", "flock", "git", "jq", "node")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# What surrounds these tests and must not reach the steps.
SURROUNDINGS = re.compile(
    r"ACTIONS_|COPIER_|GH_|GIT_CONFIG|GITHUB_|PRE_COMMIT|PYTEST|TWINE_|XDG_|UV_(?:NO_|PROJECT|PYTHON|RUN|TOOL)"
    r"|(?:NO_PROXY|SKIP|UV|VIRTUAL_ENV)$",
    re.IGNORECASE,
)


class EngineError(Exception):
    """The workflow was not executed as GitHub would execute it: a mistake in it, or in the engine."""


@functools.cache
def runner(folder: Path) -> dict[str, str]:
    """Make what a runner has on it, once; gives the variables that lead steps there.

    Args:
        folder: Where it is made.
    """
    programs = {name: tool(name) for name in RUNNER_TOOLS} | {"go": go()}
    pythons = {version: path for version in PYTHONS if (path := interpreter(version))}
    programs |= {f"python{version}": path for version, path in pythons.items()}
    newest = pythons[max(pythons, key=lambda version: int(version.split(".")[1]))]
    programs |= {"python": newest, "python3": newest}
    semgrep = tool_from_wheel(f"semgrep=={VERSIONS['tools']['semgrep']}", "semgrep")
    tools = folder / "tools"
    tools.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        (tools / name).symlink_to(path)
    # Trivy is on PATH only after it was set up.
    for name, place in (("semgrep", tools), ("trivy", folder / "trivy")):
        place.mkdir(exist_ok=True)
        start = place / name
        start.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" "{TOOLS / name}.py" "$@"\n'
        )
        start.chmod(0o755)
    (tools / "gh").symlink_to(TOOLS / "gh")
    # Hooks are kept under a path that stays the same: pre-commit writes it down.
    home = cache_folder() / "home"
    home.mkdir(exist_ok=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not SURROUNDINGS.match(name)
    }
    cache = run([tool("uv"), "cache", "dir"]).stdout.strip()
    return {
        **inherited,
        "PATH": f"{tools}:{SYSTEM_PATH}",
        "HOME": str(home),
        "BASH_ENV": str(TOOLS / "step.sh"),
        "UV_CACHE_DIR": cache,
        "UV_PYTHON_DOWNLOADS": "never",
        "ENGINE_GH": tool("gh"),
        "ENGINE_PYTHON": sys.executable,
        "ENGINE_SEMGREP": semgrep,
        "ENGINE_TOOLS": str(TOOLS),
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
        # Steps run on a terminal of act's.
        "GH_PROMPT_DISABLED": "1",
        "GIT_PAGER": "cat",
        "NO_COLOR": "1",
    }


def run_workflow(
    repository: Repository,
    file: str,
    event: Event,
    runner_folder: Path,
    *,
    variables: Mapping[str, str] | None = None,
    system: str | None = None,
) -> Result:
    """Run a workflow of a repository for an event, to its end.

    Args:
        repository: What the event happened to; it keeps what the run leaves behind.
        file: The workflow's file name, for example "tests.yml".
        event: What happened.
        runner_folder: Where the runner is; see `runner`.
        variables: Variables beside the usual ones, for example to make a server unreachable.
        system: The only system whose cells of a matrix are run, for example "ubuntu-latest"; None runs all.

    Raises:
        Refused: If the workflow uses something that is not there.
        EngineError: If it could not be executed, or asked GitHub for what GitHub does not do.
    """
    began = time.monotonic()
    repository.runs += 1
    folder = repository.folder / "runs" / str(repository.runs)
    folder.mkdir(parents=True)
    project = folder / "checkout"
    run([tool("git"), "clone", "-q", "-n", str(repository.git), str(project)])
    run([tool("git"), "fetch", "-q", "origin", event.commit], cwd=project)
    run([tool("git"), "checkout", "-q", event.commit], cwd=project)
    address = f"https://github.com/{repository.full_name}"
    run([tool("git"), "remote", "set-url", "origin", address], cwd=project)
    everything = under_test.load(project)
    involved = list(under_test.called(everything[file], everything))
    for workflow in involved:
        under_test.check(workflow, everything)
    under_test.check_event(everything[file], event)
    edits = [
        edit
        for workflow in involved
        for edit in under_test.drop_containers(
            project / ".github" / "workflows" / workflow.file
        )
    ]
    edits += under_test.stand_ins(involved)
    token = f"ghs_{uuid.uuid4().hex}"
    grants = under_test.grants(everything[file], everything)
    if not event.author.trusted:
        grants = {job: under_test.read_only(held) for job, held in grants.items()}
    names = {workflow.data["name"]: workflow.file for workflow in involved}
    trivy = runner_folder / "trivy"
    context = make_context(repository, event, folder, grants, names, trivy)
    (folder / "event.json").write_text(
        json.dumps({"ref": event.ref, **event.payload}), "utf-8"
    )
    github = GitHub(repository, grants, token)
    real = os.environ.get(REAL_ACTIONS, "")
    arguments = [
        event.name,
        f"--workflows=.github/workflows/{file}",
        f"--eventpath={folder / 'event.json'}",
        f"--actor={event.author.login}",
        f"--secret=GITHUB_TOKEN={token}",
        f"--env=GITHUB_REPOSITORY={repository.full_name}",
        f"--env=GITHUB_RUN_ID={repository.runs}",
        *make_folders(folder / "actions", INTERFACE, real),
        *([] if real == NETWORK else ["--action-offline-mode"]),
        *secrets(repository, event),
        *(f"--var={name}={value}" for name, value in repository.variables.items()),
        # Matrices name the system in one of these.
        *(f"--matrix={key}:{system}" for key in ("os", "runner") if system),
    ]
    with ExitStack() as stack:
        applications: dict[str, Any] = dict.fromkeys(HOSTS, github)
        applications[git.HOST] = git.Git(repository, grants, token)
        if has_images := under_test.uses_docker(involved):
            port = stack.enter_context(containers.registry(repository.images))
            applications[registry.HOST] = Registry(repository, grants, token, port)
        for name, host in INDEX_HOSTS.items():
            applications[host] = Index(repository, name)
        leading = stack.enter_context(network.serving(applications, folder))
        issuer = Issuer(Run(repository, event, file, involved), grants, token)
        address = stack.enter_context(network.listening(issuer))
        environment = {
            **runner(runner_folder),
            **leading,
            **(variables or {}),
            "ENGINE_CONTEXT": str(context),
            "ENGINE_IDENTITIES": jobs_with_identity(grants),
            "ENGINE_ISSUER": address,
            "ENGINE_SECRET": token,
            "ENGINE_TURN": str(folder / "turn"),
        }
        if has_images:
            docker = containers.docker()
            path = f"{docker.folder / 'bin'}:{environment['PATH']}"
            environment |= {**docker.environment, "PATH": path}
            stack.enter_context(containers.builder(docker.folder, environment))
        try:
            done = act.execute(project, arguments, environment, folder / "workspaces")
        except subprocess.TimeoutExpired as late:
            message = f"{file} took longer than {late.timeout:g} s"
            raise EngineError(message) from late
    jobs = read(
        [job for workflow in involved for job in under_test.plan(workflow)],
        done.stdout.splitlines(),
        names,
    )
    records = (folder / "records.jsonl").read_text("utf-8").splitlines()
    result = Result(
        file,
        jobs,
        edits,
        [json.loads(record) for record in records],
        done.stdout + done.stderr,
        folder,
        time.monotonic() - began,
        f"{event.name} {event.ref}",
    )
    repository.analyses |= {upload.category for upload in result.uploads}
    judge(result, done.returncode, github, done.stderr)
    return result


def secrets(repository: Repository, event: Event) -> list[str]:
    """Give act's options for the repository's secrets, which only those get who are trusted."""
    if not event.author.trusted:
        return []
    return [f"--secret={name}={value}" for name, value in repository.secrets.items()]


def judge(result: Result, status: int, github: GitHub, errors: str) -> None:
    """Raise EngineError where what happened cannot have happened on GitHub."""
    if github.contradictions:
        raise EngineError("\n".join(github.contradictions))
    if '"level":"fatal"' in result.log:
        raise EngineError(f"{result.workflow}: act gave up: {errors}")
    red = any(job.result == FAILURE for job in result.jobs)
    if red != bool(status):
        raise EngineError(
            f"{result.workflow}: act ended with {status}, its jobs with {result.results}: {errors}"
        )


def make_context(
    repository: Repository,
    event: Event,
    folder: Path,
    grants: under_test.Grants,
    names: Mapping[str, str],
    trivy: Path,
) -> Path:
    """Write down what the stand-ins for actions must know; gives the file."""
    for name in ("artifacts", "uploads"):
        (folder / name).mkdir()
    repository.caches.mkdir(exist_ok=True)
    (folder / "records.jsonl").touch()
    app = repository.app
    context: dict[str, Any] = {
        "app": app and dataclasses.asdict(app),
        "artifacts": str(folder / "artifacts"),
        "attestations": str(repository.attestations),
        "cache": str(cache_folder()),
        "caches": str(repository.caches),
        "code_scanning": repository.code_scanning,
        "commit": event.commit,
        "fork": event.author.fork,
        "full_name": repository.full_name,
        "git": str(repository.git),
        "grants": {f"{name} / {job}": held for (name, job), held in grants.items()},
        "interface": str(INTERFACE),
        "private": repository.private,
        "records": str(folder / "records.jsonl"),
        "ref": event.ref,
        "sarif_schema": str(openapi.npm_file(SARIF_PACKAGE, SARIF_FILE)),
        "trivy": str(trivy),
        "uploads": str(folder / "uploads"),
        "uv": tool("uv"),
        "workflows": dict(names),
    }
    path = folder / "context.json"
    path.write_text(json.dumps(context), "utf-8")
    return path
