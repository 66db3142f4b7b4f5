"""How fast the gates are: the commands of tests.yml, build.yml and coverage.yml, against pip, venv and build isolation.

uv run python benchmarks/steps.py --data kind=library

It renders a project for these answers, locks it, and takes the `run:` steps of one cell from the project's own workflows.
Each job runs in a fresh clone, as on a runner, and right after or before it, in another clone, the same work as most
projects do it: `python -m venv`, `pip install`, the same tools. Warm, the caches of uv and pip hold what one run before
left there; cold, each job begins with an empty one. What actions do, checking out above all, is not timed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cost
from timing import (
    Failed,
    git,
    make_repository,
    ratios,
    seconds,
    spread,
    surroundings,
)

FILES = ("tests.yml", "build.yml", "coverage.yml")
PYTHON = "3.12"
# The wall time here as a part of the ordinary way's, with full caches.
GOAL = 1 / 3

# Steps that only GitHub can run, or that have nothing to do away from it, and why.
LEFT_OUT = {
    "tests.yml / passed / Require that every job succeeded or was rightly skipped": "reads what GitHub says of the jobs",
    "build.yml / passed / Require that every job succeeded or was rightly skipped": "reads what GitHub says of the jobs",
    "coverage.yml / report / Write or edit the comment on the pull request": "speaks to GitHub",
}

VENV = "Make an environment, and renew its pip"
# pip knows dependency groups since 25.1; most Pythons bring an older one.
MAKE_VENV = (
    "python -m venv .venv && .venv/bin/python -m pip install --quiet --upgrade pip"
)
# What is installed into an environment of its own.
ALONE = "python -m venv alone && alone/bin/pip install --quiet"
SMOKE = 'scripts/verify_production_ready.py --installed-only --version "$VERSION"'

# The ordinary way of what is more than a tool in an environment, by the workflow's command; empty where there is none.
ORDINARY = {
    "python3 scripts/plan.py jobs": "",
    "uv lock --check": "",
    "uv sync --locked --no-default-groups --group test": "pip install --quiet --group test --editable .",
    "uv sync --locked --only-group build": "pip install --quiet --group build",
    # The first command of a job that installs as it goes.
    "uv run --locked ruff check .": "pip install --quiet --group dev --editable . && ruff check .",
    "uv run check-manifest --no-build-isolation": "check-manifest",
    'SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" uv run python -m build --no-isolation': (
        'SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" python -m build'
    ),
    f"uv run --no-project --isolated --with dist/*.tar.gz {SMOKE}": f"{ALONE} dist/*.tar.gz && alone/bin/python {SMOKE}",
    f"uv run --no-project --isolated --with dist/*.whl {SMOKE}": f"{ALONE} dist/*.whl && alone/bin/python {SMOKE}",
    # The environment that the step before has made.
    "uv run --no-project --isolated --with dist/*.whl scripts/test_server.py --timeout 5": (
        "alone/bin/python scripts/test_server.py --timeout 5"
    ),
}


# ---- From the workflows to what is timed -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A step that is timed.

    Attributes:
        name: Workflow, job and step, for example "tests.yml / lint / Check the types".
        here: The workflow's command.
        ordinary: What does the same the ordinary way; empty where nothing does.
        env: The variables of workflow, job and step, with expressions in them.
        id: What later steps call it; empty if they do not.
    """

    name: str
    here: str
    ordinary: str
    env: Mapping[str, str] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class Job:
    """A job that is timed.

    Attributes:
        name: Workflow and job, for example "tests.yml / lint".
        steps: What is timed, in order.
        values: What expressions may ask for from the start.
        outputs: What later jobs of the workflow may ask for, with expressions.
        takes: The artifacts that it fetches: their names, and into which folder.
        leaves: The artifacts that it keeps: their names, and which folder.
    """

    name: str
    steps: list[Step]
    values: Mapping[str, str]
    outputs: Mapping[str, str]
    takes: Mapping[str, str]
    leaves: Mapping[str, str]


def ordinary(name: str, command: str) -> str:
    """Give what does the same as a workflow's command the ordinary way, in an environment that is on PATH.

    Raises:
        Failed: If nobody has said what that is; names the step.
    """
    if command in ORDINARY:
        return ORDINARY[command]
    plain = re.sub(r"^uv run (--locked )?(?!-)", "", command)
    if plain.startswith("scripts/"):
        plain = f"python {plain}"
    if re.search(r"\buvx?\b", plain):
        raise Failed(
            f"{name}: enter into ORDINARY what does the same as {command!r} without uv"
        )
    return plain


def holds(name: str, condition: str, values: Mapping[str, str], project: Path) -> bool:
    """Tell whether a step's `if` holds; raises Failed, which names the step, for one of a kind that is not known."""
    if match := re.fullmatch(r"([\w.]+) == '(\w*)'", condition):
        return resolve(name, f"${{{{ {match[1]} }}}}", values) == match[2]
    if match := re.fullmatch(r"hashFiles\('([\w.]+)'\) != ''", condition):
        return (project / match[1]).exists()
    raise Failed(f"{name}: nobody has said when {condition!r} holds")


def resolve(name: str, text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of expressions; raises Failed, which names the step, where there is none."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise Failed(f"{name}: nobody has said what {match[1]!r} is")
        return values[match[1]]

    return re.sub(r"\$\{\{\s*(.*?)\s*\}\}", value, text)


def artifacts(steps: list[dict[str, Any]], action: str) -> dict[str, str]:
    """Give the folders of the artifacts that a job's steps fetch or keep, by the artifacts' names."""
    return {
        step["with"]["name"]: step["with"].get("path", ".")
        for step in steps
        if step.get("uses", "").startswith(f"actions/{action}@")
    }


def taken(project: Path) -> tuple[list[Job], dict[str, str]]:
    """Give what is timed of a project's workflows, and each other `run:` step with the reason why it is not.

    Raises:
        Failed: If a step is of a kind that nobody has foreseen; names it.
    """
    run = cost.Run(cost.EVENTS[2], project, private=False, mode="full")
    plan = run.outputs
    jobs: list[Job] = []
    left: dict[str, str] = {}
    for file in FILES:
        workflow = cost.read(project)[file]
        for id_, job in workflow["jobs"].items():
            # One cell: Linux with the newest Python.
            cells = cost.cells(workflow, id_, run) or [{}]
            cell = [c for c in cells if c.get("os", "ubuntu-latest") == "ubuntu-latest"]
            values = {f"matrix.{key}": value for key, value in cell[-1].items()}
            values["github.event.repository.private"] = "false"
            known = values | {f"needs.plan.outputs.{k}": v for k, v in plan.items()}
            timed: list[Step] = []
            for step in job["steps"]:
                name = f"{file} / {id_} / {step['name']}"
                if "run" not in step:
                    continue
                condition = step.get("if", "")
                if name in LEFT_OUT:
                    left[name] = LEFT_OUT[name]
                elif condition and not holds(name, condition, known, project):
                    left[name] = f"with these answers not: {condition}"
                else:
                    here = step["run"].strip()
                    env = {
                        **workflow.get("env", {}),
                        **job.get("env", {}),
                        **step.get("env", {}),
                    }
                    timed.append(
                        Step(name, here, ordinary(name, here), env, step.get("id", ""))
                    )
            if timed:
                takes = artifacts(job["steps"], "download-artifact")
                leaves = artifacts(job["steps"], "upload-artifact")
                outputs = job.get("outputs", {})
                jobs.append(
                    Job(f"{file} / {id_}", timed, values, outputs, takes, leaves)
                )
    return jobs, left


# ---- Running ---------------------------------------------------------------------------------------------------------


@dataclass
class Way:
    """One of the two ways to do the work, through all jobs of one round.

    Attributes:
        project: The repository that is cloned.
        folder: Where its clones lie.
        python: The interpreter, of which environments are made.
        caches: The folder of the caches; None gives each job an empty one.
        is_ordinary: Whether this is pip, venv and build isolation.
        took: Seconds by step.
        values: What jobs have told later ones, by their workflow.
        kept: Where the artifacts lie.
    """

    project: Path
    folder: Path
    python: Path
    caches: Path | None
    is_ordinary: bool
    took: dict[str, float] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)

    def run(self, job: Job) -> None:
        """Run a job in a fresh clone; raises Failed, which names the step, where one fails."""
        clone = self.folder / job.name.replace(" / ", "-")
        git(self.folder, "clone", "--quiet", "--no-hardlinks", self.project.as_uri(), clone.name)  # fmt: skip
        for artifact, place in job.takes.items():
            shutil.copytree(self.kept[artifact], clone / place, dirs_exist_ok=True)
        values = {**job.values, **self.values}
        env = self.environment(clone)
        way = "ordinary" if self.is_ordinary else "here"
        if self.is_ordinary and any(needs_environment(step) for step in job.steps):
            name = f"{job.name} / {VENV}"
            self.took[name] = seconds(name, shell(MAKE_VENV), clone, env)
            print(f"{way}: {name}: {self.took[name]:.2f}", file=sys.stderr, flush=True)
        for step in job.steps:
            command = step.ordinary if self.is_ordinary else step.here
            if not command:
                continue
            own = {k: resolve(step.name, v, values) for k, v in step.env.items()}
            output = self.folder / "output"
            output.write_text("", "utf-8")
            own["GITHUB_OUTPUT"] = str(output)
            self.took[step.name] = seconds(step.name, shell(command), clone, env | own)
            took = self.took[step.name]
            # A round takes minutes.
            print(f"{way}: {step.name}: {took:.2f}", file=sys.stderr, flush=True)
            for line in output.read_text("utf-8").splitlines():
                key, _, value = line.partition("=")
                values[f"steps.{step.id}.outputs.{key}"] = value
        id_ = job.name.rpartition(" / ")[2]
        for key, text in job.outputs.items():
            found = re.fullmatch(r"\$\{\{ ([\w.]+) \}\}", text)
            if found and found[1] in values:
                self.values[f"needs.{id_}.outputs.{key}"] = values[found[1]]
        self.kept |= {name: clone / place for name, place in job.leaves.items()}

    def environment(self, clone: Path) -> dict[str, str]:
        """Give what a job finds: its Python first on PATH, and its caches."""
        caches = self.caches or clone.with_name(f"{clone.name}-caches")
        folders = [self.python.parent]
        if self.is_ordinary:
            folders.insert(0, clone / ".venv/bin")
        return {
            "CI": "true",
            "GITHUB_EVENT_NAME": "push",
            "PATH": ":".join([*map(str, folders), path()]),
            "PIP_CACHE_DIR": str(caches / "pip"),
            "UV_CACHE_DIR": str(caches / "uv"),
            # Both ways run on one Python, also in jobs that take what there is.
            "UV_PYTHON": str(self.python),
        }


def needs_environment(step: Step) -> bool:
    """Tell whether a step's ordinary way uses an environment that its job has made, with a pip that knows groups."""
    return step.ordinary.startswith("pip install")


def shell(command: str) -> list[str]:
    """Give the command that runs a step: GitHub's for `shell: bash`."""
    return ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command]


def path() -> str:
    """Give PATH without this repository's environment."""
    own = str(Path(sys.prefix) / "bin")
    return ":".join(p for p in surroundings()["PATH"].split(":") if p != own)


@dataclass(frozen=True)
class Round:
    """Seconds by step: here, and the ordinary way."""

    here: Mapping[str, float]
    ordinary: Mapping[str, float]


def measure(jobs: list[Job], project: Path, python: Path, caches: Path | None, first: bool) -> Round:  # fmt: skip
    """Run all jobs both ways, taking turns job by job.

    Args:
        jobs: What runs.
        project: The repository.
        python: The interpreter.
        caches: The folder of the caches; None gives each job an empty one.
        first: Whether the ordinary way has the first turn.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        ways = []
        for is_ordinary in (False, True):
            folder = Path(name) / ("ordinary" if is_ordinary else "here")
            folder.mkdir()
            ways.append(Way(project, folder, python, caches, is_ordinary))
        for job in jobs:
            for way in reversed(ways) if first else ways:
                way.run(job)
    return Round(ways[0].took, ways[1].took)


# ---- The report ------------------------------------------------------------------------------------------------------


def middle(rounds: list[Mapping[str, float]], step: str) -> str:
    """Give the median of a step's seconds, or "-" where it has none."""
    values = [one[step] for one in rounds if step in one]
    return f"{statistics.median(values):.1f}" if values else "-"


def report(warm: list[Round], cold: list[Round]) -> str:
    """Give a table of Markdown: each step's seconds, median by median, and for the whole the ratio of each round."""
    kinds = {"warm": warm, "cold": cold} if cold else {"warm": warm}
    lines = [
        "| step |" + "".join(f" here, {kind} | ordinary, {kind} |" for kind in kinds),
        "| --- |" + " --- | --- |" * len(kinds),
    ]
    # The ordinary way has steps of its own; they come before the step that they stand in front of.
    order = [step for one in (warm[0].ordinary, warm[0].here) for step in one]
    order = sorted(
        dict.fromkeys(order), key=lambda s: (job_order(warm[0], s), order.index(s))
    )
    for step in order:
        cells = [
            middle([getattr(one, way) for one in rounds], step)
            for rounds in kinds.values()
            for way in ("here", "ordinary")
        ]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    whole = [
        spread(totals(rounds, way))
        for rounds in kinds.values()
        for way in ("here", "ordinary")
    ]
    lines.append(f"| **all** | {' | '.join(whole)} |")
    for kind, rounds in kinds.items():
        here, other = totals(rounds, "here"), totals(rounds, "ordinary")
        found = spread(ratios(here, other), 2)
        lines += ["", f"{kind.capitalize()}: {found} of the ordinary way's time."]
        made = [totals([one], "ordinary", without=VENV)[0] for one in rounds]
        without = spread(ratios(here, made), 2)
        lines.append(f"Were environments and a new pip there at once: {without}.")
    found_warm = statistics.median(
        ratios(totals(warm, "here"), totals(warm, "ordinary"))
    )
    verdict = "met" if found_warm <= GOAL else "NOT met"
    lines += ["", f"The goal, at most {GOAL:.2f} warm, is {verdict}."]
    return "\n".join(lines)


def job_order(one: Round, step: str) -> int:
    """Give at which place a step's job ran."""
    jobs = list(dict.fromkeys(name.rpartition(" / ")[0] for name in one.here))
    return jobs.index(step.rpartition(" / ")[0])


def totals(rounds: list[Round], way: str, without: str = "\n") -> list[float]:
    """Give each round's seconds, those of steps with a certain name not counted."""
    return [
        sum(
            took
            for step, took in getattr(one, way).items()
            if not step.endswith(without)
        )
        for one in rounds
    ]


# ---- Command line ----------------------------------------------------------------------------------------------------


def render(folder: Path, data: list[str]) -> Path:
    """Render a project and make it a repository with its lock and a version; gives its folder."""
    project = folder / "project"
    copy = [sys.executable, "-Wignore", "-m", "copier", "copy", "--defaults", "--quiet"]
    answers = [f"--data={pair}" for pair in (f"python_versions=[{PYTHON}]", *data)]
    seconds("copier copy", [*copy, *answers, "--vcs-ref=HEAD", str(cost.ROOT), str(project)], folder)  # fmt: skip
    make_repository(project)
    git(project, "tag", "v1.0.0")
    return project


def interpreter(jobs: list[Job]) -> Path:
    """Give the interpreter of the cell."""
    (version,) = {
        job.values["matrix.python"] for job in jobs if "matrix.python" in job.values
    }
    find = ["uv", "python", "find", "--no-project", "--system", version]
    found = subprocess.run(find, check=True, capture_output=True, text=True)
    return Path(found.stdout.strip())


def main(arguments: list[str] | None = None) -> int:
    """Print the figures of a project that is rendered for the answers given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rounds", type=int, default=3, help="warm ones, at least 1")
    parser.add_argument("--cold-rounds", type=int, default=2, help="0 for none")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            project = render(folder, options.data)
            jobs, left = taken(project)
            python = interpreter(jobs)
            caches = folder / "caches"
            # The first fills the caches and is not counted.
            warm = [
                measure(jobs, project, python, caches, first=bool(number % 2))
                for number in range(options.rounds + 1)
            ][1:]
            cold = [
                measure(jobs, project, python, None, first=bool(number % 2))
                for number in range(options.cold_rounds)
            ]
        except Failed as problem:
            print(f"steps.py: {problem}", file=sys.stderr)
            return 1
    print(report(warm, cold))
    print("\nLeft out:\n")
    print("\n".join(f"- {step}: {reason}" for step, reason in left.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
