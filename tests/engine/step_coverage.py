"""Which steps were executed over a whole test run, how often, and how often they were red.

Every process of the test run writes down what it ran; at the end one of them adds it up.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.result import FAILURE, SKIPPED, Result

# The folder of this test run's notes; processes that it starts inherit it.
VARIABLE = "PIPELINE_STEPS"
# Runners of systems that are not here: their jobs run on this one.
FOREIGN_RUNNERS = {"ubuntu-24.04-arm", "macos-latest", "windows-latest"}
HERE, ELSEWHERE = "Linux", "macOS, Windows or arm, run as Linux"


@dataclass
class Executions:
    """How often a step ran, in scenarios and in all, how often it was red, and for which systems."""

    times: int = 0
    in_scenarios: int = 0
    red: int = 0
    systems: set[str] = field(default_factory=set)

    def count(self, noted: dict[str, Any], outcome: str, system: str) -> None:
        """Add one execution, of the run that was noted."""
        self.times += 1
        self.in_scenarios += noted["scenario"] is not None
        self.red += outcome == FAILURE
        self.systems.add(system)


def begin() -> bool:
    """Choose the folder for the notes of this run; tells whether this process began it, and so has to end it."""
    if VARIABLE in os.environ:
        return False
    os.environ[VARIABLE] = tempfile.mkdtemp(prefix="pipeline-steps-")
    return True


def end() -> None:
    """Remove the notes of this run."""
    shutil.rmtree(folder(), ignore_errors=True)
    del os.environ[VARIABLE]


def folder() -> Path:
    """Give the folder for the notes."""
    return Path(os.environ[VARIABLE])


def note(result: Result, scenario: str | None = None) -> None:
    """Write down which jobs and steps ran, and what for.

    Args:
        result: What ran.
        scenario: The scenario that it completes; None where it is no scenario.
    """
    jobs = [
        {
            "workflow": job.workflow,
            "id": job.id,
            "matrix": job.matrix,
            "result": job.result,
            "steps": [
                (step.name, step.command, step.outcome, step.began, step.seconds)
                for step in job.steps
                if step.outcome != SKIPPED
            ],
        }
        for job in result.jobs
    ]
    noted = {
        "scenario": scenario,
        # pytest's own: the test, and in parentheses whether it is being set up.
        "test": os.environ.get("PYTEST_CURRENT_TEST", ""),
        "workflow": result.workflow,
        "event": result.event,
        "jobs": jobs,
        "actions": Counter(record["action"] for record in result.records),
        "edits": result.edits,
        "seconds": result.seconds,
    }
    text = json.dumps(noted)
    (folder() / f"{uuid.uuid4().hex}.json").write_text(text, "utf-8")


def notes() -> Iterator[dict[str, Any]]:
    """Give what every process has written down."""
    for path in folder().glob("*.json"):
        yield json.loads(path.read_text("utf-8"))


def add_up() -> tuple[dict[str, Executions], Counter[str]]:
    """Give the executions of each step, as "workflow / job / step", and how often each scenario was completed."""
    found: dict[str, Executions] = {}
    scenarios: Counter[str] = Counter()
    for noted in notes():
        scenarios.update(filter(None, [noted["scenario"]]))
        for step, outcome, system in commands(noted):
            found.setdefault(step, Executions()).count(noted, outcome, system)
    return found, scenarios


def commands(
    noted: dict[str, Any], *, actions: bool = False
) -> Iterator[tuple[str, str, str]]:
    """Give each step with a command that ran, as "workflow / job / step", with its outcome and its system.

    Args:
        noted: What was noted of a run.
        actions: Whether the steps that use an action are given, too.
    """
    for job in noted["jobs"]:
        foreign = FOREIGN_RUNNERS & set(map(str, job["matrix"].values()))
        for name, command, outcome, *_ in job["steps"]:
            if command or actions:
                step = f"{job['workflow']} / {job['id']} / {name}"
                yield step, outcome, ELSEWHERE if foreign else HERE


def edits() -> list[str]:
    """Give what was changed in the workflows under test, each once."""
    return sorted({edit for noted in notes() for edit in noted["edits"]})


def seconds() -> Counter[str]:
    """Give how long each scenario took, all its runs together."""
    found: Counter[str] = Counter()
    for noted in notes():
        if noted["scenario"]:
            found[noted["scenario"]] += noted["seconds"]
    return found


def uncovered(executed: dict[str, Executions], steps: Iterable[str]) -> list[str]:
    """Give the steps that no scenario ran; what only a planted defect reaches does not count."""
    return [s for s in steps if not executed.get(s, Executions()).in_scenarios]


def table(executed: dict[str, Executions], steps: Iterable[str]) -> str:
    """Give the executions in Markdown, a line for each step."""
    lines = [
        "| workflow | job | step | times run | times red | as |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for step in steps:
        of = executed.get(step, Executions())
        places = "; ".join(sorted(of.systems)) or "never"
        columns = step.replace(" / ", " | ", 2)
        lines.append(f"| {columns} | {of.times} | {of.red} | {places} |")
    return "\n".join(lines) + "\n"
