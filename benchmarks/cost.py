"""What a project's pipeline costs: the minutes that GitHub bills for each event, and their price.

uv run python benchmarks/cost.py --data kind=mcp --data docker=false

It renders a project for these answers, reads its workflows, lets its own scripts/plan.py say what would run, and adds up
the jobs. For each job

    billed minutes   = seconds / 60, rounded up: each started minute is billed whole
    weighted minutes = billed minutes x the weight of its runner; this is what uses up an account's free minutes
    dollars          = billed minutes x the price of its runner; due in private repositories beyond the free minutes

The durations are estimates, no measurements: see SECONDS.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = ".github/workflows"


# ---- Prices and durations --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Runner:
    """What a minute on a kind of runner costs.

    Attributes:
        weight: Free minutes that it uses up.
        price: Its price in thousandths of a dollar.
    """

    weight: Fraction
    price: int


# GitHub's prices of November 2026 for standard runners.
RUNNERS = {
    "ubuntu-latest": Runner(Fraction(1), 6),
    "ubuntu-slim": Runner(Fraction(1, 3), 2),
    "ubuntu-24.04-arm": Runner(Fraction(1), 5),
    "windows-latest": Runner(Fraction(2), 10),
    "macos-latest": Runner(Fraction(10), 62),
}

# How long a job takes, in seconds, on Linux unless a runner is named. Estimates for the seed code and full caches, from
# what the commands take on two cores (a test job's 10, the lint job's 15, the package job's 20), doubled on Windows and
# half as much again on macOS, and the time that a job needs before its first command: about 10 on the slim runner, 20 to
# 30 elsewhere; what no machine here can run, Docker's builds on two architectures above all, is guessed from its parts.
# Whoever has the true figures of a repository on GitHub puts them here, and the tests say what follows.
SECONDS: dict[str, int | dict[str, int]] = {
    "tests.yml / plan": 15,
    "tests.yml / test": {
        "ubuntu-latest": 35,
        "macos-latest": 50,
        "windows-latest": 55,
    },
    "tests.yml / lint": 40,
    "tests.yml / passed": 10,
    "build.yml / plan": 15,
    "build.yml / package": 50,
    "build.yml / install": {
        "ubuntu-latest": 30,
        "macos-latest": 45,
        "windows-latest": 50,
    },
    "build.yml / passed": 10,
    "pre-commit.yml / pre-commit": 55,
    "coverage.yml / coverage": 40,
    "coverage.yml / report": 15,
    "coverage.yml / codecov": 30,
    "gitleaks.yml / gitleaks": 45,
    "semgrep.yml / semgrep": 55,
    "trivy.yml / trivy": 55,
    "ossf-scorecard.yml / plan": 15,
    "ossf-scorecard.yml / scorecard": 50,
    "docker.yml / plan": 30,
    "docker.yml / build": 100,
    "docker.yml / merge": 40,
    "docker.yml / passed": 10,
    "release.yml / check": 30,
    "release.yml / assets": 45,
    "release.yml / provenance": 25,
    "release.yml / release": 40,
    "publish.yml / package": 50,
    "publish.yml / pypi": 40,
    "publish.yml / notes": 30,
    "template-update.yml / template-update": 30,
}


# ---- What happens ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """Something that starts workflows.

    Attributes:
        title: How people call it.
        name: GitHub's name for it.
        starts: Whether it starts a workflow with these triggers, by the workflow's file and its `on`.
        a_month: How often it happens in the month that is priced: a small team's.
        documentation: Whether the change touches documentation alone.
        reference: What it runs on: branch or tag.
    """

    title: str
    name: str
    starts: Callable[[str, Mapping[str, Any]], bool]
    a_month: int
    documentation: bool = False
    reference: str = "branch"


def pull_request(_: str, triggers: Mapping[str, Any]) -> bool:
    """Tell whether a pull request starts a workflow."""
    return "pull_request" in triggers


def pushed(kind: str) -> Callable[[str, Mapping[str, Any]], bool]:
    """Give whether a push of "branches" or "tags" starts a workflow."""
    return lambda _, triggers: kind in (triggers.get("push") or {})


def scheduled(day: bool) -> Callable[[str, Mapping[str, Any]], bool]:
    """Give whether a workflow is scheduled daily, or weekly."""

    def starts(_: str, triggers: Mapping[str, Any]) -> bool:
        crons = [entry["cron"] for entry in triggers.get("schedule", [])]
        return any(cron.endswith("*") == day for cron in crons)

    return starts


# Dependabot's pull requests are among them; the merge queue, where there is one, counts as a pull request once more.
EVENTS = (
    Event("a run of a pull request", "pull_request", pull_request, 40),
    Event(
        "the same, documentation alone",
        "pull_request",
        pull_request,
        4,
        documentation=True,
    ),
    Event("a push to `main`", "push", pushed("branches"), 20),
    Event("a release", "push", pushed("tags"), 1, reference="tag"),
    Event("a day's schedule", "schedule", scheduled(day=True), 30),
    Event("a week's schedule", "schedule", scheduled(day=False), 4),
)
MODES = ("full", "lean")


@dataclass(frozen=True)
class Run:
    """An event in a repository.

    Attributes:
        event: What happens.
        project: The folder of the rendered project.
        private: Whether it is private.
        mode: The project's pull-request-matrix: full, lean or auto.
    """

    event: Event
    project: Path
    private: bool
    mode: str

    @property
    def outputs(self) -> Mapping[str, str]:
        """What the project's own plan answers."""
        return plan(
            self.project,
            self.event.name,
            documentation=self.event.documentation,
            private=self.private,
            mode=self.mode,
        )


# The conditions of jobs, as they stand in the workflows. What a workflow starts with another has no event of its own here:
# it runs on the tag, and publishes.
CONDITIONS: dict[str, Callable[[Run], bool]] = {
    "always()": lambda run: True,
    "needs.plan.outputs.code == 'true'": lambda run: run.outputs["code"] == "true",
    # A push to main and a release push an image.
    "needs.plan.outputs.push == 'true'": lambda run: run.event.name == "push",
    "!cancelled() && needs.coverage.outputs.figures != '' && github.event_name == 'pull_request' && "
    "github.event.pull_request.head.repo.full_name == github.repository && github.actor != 'dependabot[bot]'": (
        lambda run: run.event.name == "pull_request"
    ),
    "!cancelled() && needs.coverage.outputs.figures != '' && needs.coverage.outputs.codecov == 'true'": (
        lambda run: (run.project / "codecov.yml").exists()
    ),
    "needs.plan.outputs.fork == 'false'": lambda run: True,
    "github.ref_type == 'branch'": lambda run: run.event.reference == "branch",
    "github.ref_type == 'tag'": lambda run: run.event.reference == "tag",
    # GitHub keeps attestations of public repositories on every plan.
    "needs.check.outputs.attestations == 'true'": lambda run: not run.private,
    "!failure() && !cancelled() && needs.assets.result == 'success'": lambda run: True,
    "github.event_name == 'release' || inputs.index == 'pypi'": lambda run: True,
    "github.event_name == 'workflow_dispatch' && inputs.index == 'testpypi'": lambda run: (
        False
    ),
    # Most weeks bring no newer template.
    "needs.template-update.outputs.available == 'true' && vars.TEMPLATE_UPDATE_CLIENT_ID != ''": lambda run: (
        False
    ),
    "needs.template-update.outputs.available == 'true' && vars.TEMPLATE_UPDATE_CLIENT_ID == ''": lambda run: (
        False
    ),
}


# ---- From an event to its jobs ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A job that runs: the workflow's file with its id, for example "tests.yml / lint", and its runner's label."""

    name: str
    runner: str

    @property
    def minutes(self) -> int:
        """What is billed; raises KeyError for a job without an estimate."""
        seconds = SECONDS[self.name]
        if isinstance(seconds, dict):
            seconds = seconds[self.runner]
        return math.ceil(seconds / 60)


@functools.cache
def read(project: Path) -> Mapping[str, dict[str, Any]]:
    """Read a project's workflows, by the names of their files; once."""
    # Here `on` is a word, and no truth. The one in C is not there everywhere, and faster.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    return {
        path.name: yaml.load(path.read_text("utf-8"), loader)  # noqa: S506
        for path in sorted((project / WORKFLOWS).glob("*.yml"))
    }


@functools.cache
def plan(
    project: Path, event: str, *, documentation: bool, private: bool, mode: str
) -> Mapping[str, str]:
    """Ask the project's own plan what an event runs; once, since a project does not change meanwhile.

    Args:
        project: The project's folder.
        event: GitHub's name for what happens.
        documentation: Whether the change touches documentation alone.
        private: Whether the repository is private.
        mode: The pull-request-matrix: full, lean or auto.
    """
    setting = r'^pull-request-matrix = ".*"$'
    settings = (project / "pyproject.toml").read_text("utf-8")
    one(f"(?m){setting}", settings)
    script = (project / "scripts/plan.py").resolve()
    # The plan reads one file and what git says of the change; where git says nothing, everything is tested.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        chosen = re.sub(f"(?m){setting}", f'pull-request-matrix = "{mode}"', settings)
        (folder / "pyproject.toml").write_text(chosen, "utf-8")
        if documentation:
            change_documentation(folder)
        command = [sys.executable, str(script), "jobs", f"--event={event}"]
        command.append(f"--private={json.dumps(private)}")
        printed = subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True
        )
    return dict(line.split("=", 1) for line in printed.stdout.splitlines())


def change_documentation(folder: Path) -> None:
    """Make a folder a repository whose last commit changes a document and nothing else."""
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    me = ["-c", "user.name=Cost", "-c", "user.email=cost@example.org"]
    for text in ("before", "after"):
        (folder / "CONTRIBUTING.md").write_text(text, "utf-8")
        for command in (["add", "--all"], [*me, "commit", "--quiet", "-m", text]):
            subprocess.run(["git", *command], cwd=folder, check=True)


def condition(job: Mapping[str, Any]) -> str:
    """Give a job's `if` without its braces and line breaks; empty without one."""
    text = " ".join(str(job.get("if", "")).split())
    return text.removeprefix("${{").removesuffix("}}").strip()


def needs(job: Mapping[str, Any]) -> list[str]:
    """Give the jobs that a job waits for."""
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else list(found)


def running(workflow: Mapping[str, Any], run: Run) -> list[str]:
    """Give the ids of the jobs that are not skipped when all goes well.

    Raises:
        KeyError: If a condition is none of those that are known: enter it.
    """
    jobs = workflow["jobs"]
    found: list[str] = []
    waiting = list(jobs)
    while waiting:
        job = next(j for j in waiting if not set(needs(jobs[j])) & set(waiting))
        waiting.remove(job)
        text = condition(jobs[job])
        # Without such a function, a job is skipped with what it waits for.
        sees_all = re.search(r"\b(always|failure|cancelled)\(\)", text)
        ready = sees_all or set(needs(jobs[job])) <= set(found)
        if ready and (not text or CONDITIONS[text](run)):
            found.append(job)
    return [job for job in jobs if job in found]


def cells(
    workflow: Mapping[str, Any], job: str, run: Run
) -> list[Mapping[str, str]] | None:
    """Give the cells of a job's matrix, or None without one."""
    include = workflow["jobs"][job].get("strategy", {}).get("matrix", {}).get("include")
    if not isinstance(include, str):
        return include if include is None else list(include)
    output = one(r"needs\.plan\.outputs\.(\w+)", include)
    answer = workflow["jobs"]["plan"]["outputs"][output]
    return list(json.loads(run.outputs[one(r"steps\.\w+\.outputs\.(\w+)", answer)]))


def one(pattern: str, text: str) -> str:
    """Give what a pattern's group finds, which must be one thing."""
    (found,) = re.findall(pattern, text)
    return str(found)


def started(workflow: Mapping[str, Any], jobs: list[str]) -> list[str]:
    """Give the workflows that jobs start with `gh workflow run`."""
    steps = [step for job in jobs for step in workflow["jobs"][job].get("steps", [])]
    return [
        file
        for step in steps
        for file in re.findall(r"gh workflow run (\S+)", step.get("run", ""))
    ]


def jobs_of(
    workflows: Mapping[str, dict[str, Any]], file: str, run: Run
) -> Iterator[Job]:
    """Give each job of a workflow that runs, cell by cell, with those of what it calls and starts."""
    workflow = workflows[file]
    ids = running(workflow, run)
    for job in ids:
        data = workflow["jobs"][job]
        if "uses" in data:
            yield from jobs_of(workflows, Path(data["uses"]).name, run)
            continue
        for cell in cells(workflow, job, run) or [{}]:
            label = re.sub(
                r"\$\{\{ matrix\.(\w+) \}\}",
                lambda match, cell=cell: cell[match[1]],  # type: ignore[misc]
                data["runs-on"],
            )
            yield Job(f"{file} / {job}", label)
    for other in started(workflow, ids):
        # A step that starts what the answers left out is skipped.
        if other in workflows:
            yield from jobs_of(workflows, other, run)


def jobs(project: Path, event: Event, *, private: bool, mode: str) -> list[Job]:
    """Give every job that an event starts in a project.

    Args:
        project: The rendered project's folder.
        event: What happens.
        private: Whether the repository is private.
        mode: The pull-request-matrix: full, lean or auto.
    """
    run = Run(event, project, private, mode)
    workflows = read(project)
    return [
        job
        for file, workflow in workflows.items()
        if event.starts(file, workflow["on"])
        for job in jobs_of(workflows, file, run)
    ]


# ---- Figures ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What jobs cost.

    Attributes:
        weighted: Weighted minutes, exactly.
        price: Thousandths of a dollar, were none of the minutes free.
    """

    weighted: Fraction = Fraction(0)
    price: int = 0

    def __add__(self, other: Cost) -> Cost:
        """Give the cost of both."""
        return Cost(self.weighted + other.weighted, self.price + other.price)

    def times(self, number: int) -> Cost:
        """Give the cost of several."""
        return Cost(self.weighted * number, self.price * number)

    @property
    def minutes(self) -> str:
        """Weighted minutes, in whole ones, rounded up."""
        return str(math.ceil(self.weighted))

    @property
    def dollars(self) -> str:
        """The price in dollars, to the cent."""
        cents = (self.price + 5) // 10
        return f"{cents // 100}.{cents % 100:02}"


def cost(some: list[Job], *, private: bool) -> Cost:
    """Give what jobs cost; public repositories pay nothing."""
    total = Cost()
    for job in some:
        runner = RUNNERS[job.runner]
        price = runner.price * job.minutes if private else 0
        total += Cost(runner.weight * job.minutes, price)
    return total


def figures(project: Path, *, private: bool, mode: str) -> dict[str, Cost]:
    """Give the cost of each event by its title, and of a month."""
    found = {
        event.title: cost(
            jobs(project, event, private=private, mode=mode), private=private
        )
        for event in EVENTS
    }
    month = Cost()
    for event in EVENTS:
        month += found[event.title].times(event.a_month)
    return found | {"a month": month}


# ---- Command line ----------------------------------------------------------------------------------------------------


def report(project: Path) -> str:
    """Give the figures of a project as a table of Markdown."""
    lines = [
        "| what happens | in a month | repository, matrix | jobs | weighted minutes | dollars |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for private, mode in ((True, "full"), (True, "lean"), (False, "auto")):
        costs = figures(project, private=private, mode=mode)
        where = f"{'private' if private else 'public'}, {mode}"
        for event in EVENTS:
            found = jobs(project, event, private=private, mode=mode)
            one = costs[event.title]
            lines.append(
                f"| {event.title} | {event.a_month} | {where} | {len(found)} | {one.minutes} | {one.dollars} |"
            )
        month = costs["a month"]
        lines.append(f"| a month | | {where} | | {month.minutes} | {month.dollars} |")
    return "\n".join(lines)


def by_job(project: Path, mode: str) -> str:
    """Give what each job adds to a run of a pull request in a private repository."""
    found = jobs(project, EVENTS[0], private=True, mode=mode)
    lines = ["| job | runner | cells | weighted minutes |", "| --- | --- | --- | --- |"]
    for job, count in Counter(found).items():
        weighted = cost([job] * count, private=True).weighted
        lines.append(f"| {job.name} | {job.runner} | {count} | {float(weighted):.1f} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the figures of a project that is rendered for the answers given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", default=[], metavar="NAME=VALUE")
    data = [f"--data={pair}" for pair in parser.parse_args(arguments).data]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        # As the working tree is, of which Copier warns.
        copy = [sys.executable, "-Wignore", "-m", "copier", "copy", "--defaults", *data]
        copy += ["--quiet", "--vcs-ref=HEAD", str(ROOT), str(project)]
        subprocess.run(copy, check=True)
        print(report(project))
        for mode in MODES:
            print(f"\nA run of a pull request, job by job, {mode}:\n")
            print(by_job(project, mode))
    return 0


if __name__ == "__main__":
    sys.exit(main())
