"""What a test run has noted, and how much of what there is that was."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from defects import DEFECTS, NEVER_RED
from engine import step_coverage
from engine.fixtures import missing_pythons
from engine.result import FAILURE
from engine.step_coverage import Executions
from flows import FLOWS
from lives import LIVES
from scenarios import SCENARIOS
from step_report import steps

PASSED, FAILED, UNPROVEN, NOT_RUN = "passed", "failed", "unproven here", "not run"
# Of a test with a name in brackets: the function and the name. pytest-xdist adds its group behind.
NAMED = re.compile(r"::(\w+)\[(.*)\](?:@\w+)?(?: \((\w+)\))?$", re.DOTALL)


@dataclass
class Run:
    """A test run, as it is kept.

    Attributes:
        when: When it ended, in UTC.
        commit: The commit of this repository; with "+" behind it where the working tree was another.
        machine: Where it ran, in words.
        records: What `step_coverage.note` has written, in the order of the tests.
        outcomes: Of each test that was run whether it passed, failed, or was skipped, by its id.
        updates: What `update_report.note` has written.
        unproven: What cannot be had on the machine, in words.
    """

    when: str
    commit: str
    machine: str
    records: list[dict[str, Any]] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    def save(self, file: Path) -> None:
        """Write it down."""
        file.write_text(json.dumps(asdict(self)), "utf-8")

    @classmethod
    def load(cls, file: Path) -> Run:
        """Read what was written down."""
        return cls(**json.loads(file.read_text("utf-8")))


def named(test: str) -> tuple[str, str, str]:
    """Give a test's function, its name in brackets, and the phase where there is one; empty ones where it has none."""
    found = NAMED.search(test)
    return (found[1], found[2], found[3] or "") if found else ("", "", "")


def ended(run: Run, function: str, names: Iterable[str]) -> dict[str, str]:
    """Give how each of a test function's named tests ended; those that were not run, too."""
    outcomes = {
        named(test)[1]: outcome
        for test, outcome in run.outcomes.items()
        if named(test)[0] == function
    }
    return {name: outcomes.get(name, NOT_RUN) for name in names}


def scenarios(run: Run) -> dict[str, str]:
    """Give how each scenario ended; one whose Python is not on the machine is no part that is missing."""
    found = ended(run, "test_scenario", [s.id for s in SCENARIOS])
    for scenario in SCENARIOS:
        if found[scenario.id] == "skipped" and missing_pythons(scenario.answers):
            found[scenario.id] = UNPROVEN
    return found


def flows(run: Run) -> dict[str, str]:
    """Give how each flow ended."""
    return ended(run, "test_flow", [flow.name for flow in FLOWS])


@cache
def trials() -> dict[str, str]:
    """Give the name of the defect of each trial, by the trial's."""
    # A module of tests: pytest must have been the first to import it.
    from test_red import TRIALS

    return {trial.id: trial.defect.name for trial in TRIALS}


def tried(run: Run) -> dict[str, str]:
    """Give how each trial of a defect ended."""
    return ended(run, "test_defect", trials())


def kinds(run: Run) -> dict[str, str]:
    """Give for each kind of life whether a project that had it was updated."""
    there = {update["kind"] for update in run.updates}
    names = dict.fromkeys(life.kind for life in LIVES)
    return {kind: PASSED if kind in there else NOT_RUN for kind in names}


def shown_steps() -> list[str]:
    """Give every step with a command, and those with an action that some defect reddens."""
    wanted = {*steps(), *(step for defect in DEFECTS for step in defect.reddens)}
    return [step for step in steps(actions=True) if step in wanted]


# ---- How much was run ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A part of the tests: how many there are, how they ended, and the names of those that were not run."""

    title: str
    ended: dict[str, str]

    def count(self, outcome: str) -> int:
        """How many ended so."""
        return sum(how == outcome for how in self.ended.values())

    @property
    def missing(self) -> list[str]:
        """The names of what was not run."""
        return [n for n, how in self.ended.items() if how in (NOT_RUN, "skipped")]


def parts(run: Run) -> list[Part]:
    """Give the parts that the page is about."""
    ran = {step for step, of in executions(run).items() if of.times}
    return [
        Part("scenarios that must be green", scenarios(run)),
        Part("planted defects, each in each workflow that it can affect", tried(run)),
        Part("flows from a tag to what people install", flows(run)),
        Part("kinds of edited projects that are updated", kinds(run)),
        Part(
            "steps with a command",
            {step: PASSED if step in ran else NOT_RUN for step in steps()},
        ),
    ]


def failures(run: Run) -> list[str]:
    """Give the tests that failed."""
    return sorted(test for test, how in run.outcomes.items() if how == FAILED)


def verdict(run: Run) -> tuple[str, str]:
    """Judge the run: "nothing", "red", "partial" or "whole", and a sentence for people."""
    if not run.records and not run.updates:
        return "nothing", "No workflow was run and no project updated: nothing is shown"
    missing = [part for part in parts(run) if part.missing]
    rest = ""
    if missing:
        counts = (
            f"{len(part.missing)} of {len(part.ended)} {part.title}" for part in missing
        )
        rest = f"Not run: {'; '.join(counts)}"
    if failed := failures(run):
        tests = f"{len(failed)} test{'s' * (len(failed) > 1)} failed"
        return "red", f"{tests}. {rest}".rstrip(". ")
    if rest:
        return "partial", rest
    return "whole", "Everything that can be run on this machine was run, and passed"


# ---- Steps -----------------------------------------------------------------------------------------------------------


@dataclass
class Executed(Executions):
    """What a run made of one step, and which defects reddened it."""

    by: Counter[str] = field(default_factory=Counter)


def defect_of(record: dict[str, Any]) -> str | None:
    """Give the defect that was planted for a record."""
    function, name, phase = named(record["test"])
    return trials().get(name) if (function, phase) == ("test_defect", "call") else None


def executions(run: Run) -> dict[str, Executed]:
    """Give what ran of each step, as "workflow / job / step"."""
    found: dict[str, Executed] = defaultdict(Executed)
    for record in run.records:
        defect = defect_of(record)
        reddened = set()
        for step, outcome, system in step_coverage.commands(record, actions=True):
            found[step].count(record, outcome, system)
            if outcome == FAILURE:
                reddened.add(step)
        for step in reddened if defect else ():
            found[step].by[str(defect)] += 1
    return found


@dataclass(frozen=True)
class StepRow:
    """A line of the table of steps.

    Attributes:
        job: The job's id.
        name: The step's.
        executed: What the run made of it.
        not_tried: The defects that must redden it and did not in this run.
        reason: Why no defect must.
    """

    job: str
    name: str
    executed: Executed
    not_tried: list[str]
    reason: str


def step_rows(run: Run) -> dict[str, list[StepRow]]:
    """Give a line for each step that is shown, by the workflow's file."""
    found: dict[str, list[StepRow]] = defaultdict(list)
    ran = executions(run)
    for step in shown_steps():
        workflow, job, name = step.split(" / ", 2)
        executed = ran.get(step, Executed())
        must = [defect.name for defect in DEFECTS if step in defect.reddens]
        not_tried = [name for name in must if name not in executed.by]
        reason = NEVER_RED.get(step, "")
        found[workflow].append(StepRow(job, name, executed, not_tried, reason))
    return found


# ---- Jobs and times --------------------------------------------------------------------------------------------------


def cell_of(job: dict[str, Any]) -> str:
    """Name the cell of a job, without the runner's version; empty where there is no matrix."""
    values = [str(job["matrix"][key]) for key in sorted(job["matrix"])]
    return " ".join(value.removesuffix("-latest") for value in values)


@dataclass(frozen=True)
class Bar:
    """A step on a timeline: its row is the job with its cell; times are seconds since the first step began."""

    row: str
    step: str
    begin: float
    end: float
    kind: str


def bars(record: dict[str, Any], before: str = "") -> Iterator[Bar]:
    """Give the steps of a workflow run; cells of a matrix run side by side.

    Args:
        record: The run.
        before: What stands before the name of each row.
    """
    timed = [
        (began, seconds, job, name, command, outcome)
        for job in record["jobs"]
        for name, command, outcome, began, seconds in job["steps"]
        if began
    ]
    zero = min((began for began, *_ in timed), default=0)
    ended: dict[str, float] = {}
    for began, seconds, job, name, command, outcome in sorted(
        timed, key=lambda step: step[0]
    ):
        row = f"{before}{job['id']} {cell_of(job)}".strip()
        # act tells the time in whole seconds, so a step may seem to begin before the one ahead of it has ended.
        begin = max(ended.get(row, 0.0), began - zero)
        ended[row] = begin + seconds
        kind = "red" if outcome == FAILURE else ("command" if command else "action")
        yield Bar(row, name, round(begin, 2), round(ended[row], 2), kind)


def chain(records: list[dict[str, Any]]) -> list[Bar]:
    """Give the steps of several workflow runs, one after the other."""
    found: list[Bar] = []
    for number, record in enumerate(records, 1):
        begin = max((bar.end for bar in found), default=0.0)
        stem = record["workflow"].removesuffix(".yml")
        for bar in bars(record, f"{number} {stem}: "):
            moved = round(begin + bar.begin, 2), round(begin + bar.end, 2)
            found.append(Bar(bar.row, bar.step, *moved, bar.kind))
    return found


@dataclass(frozen=True)
class Timeline:
    """The steps of a scenario or a flow in time, how it ended, and how many seconds it took with all around it."""

    name: str
    outcome: str
    seconds: float
    bars: list[Bar]


def timelines(run: Run) -> dict[str, list[Timeline]]:
    """Give the timelines of what was run: those of scenarios by their workflow, those of flows together."""
    found: dict[str, list[Timeline]] = defaultdict(list)
    by_test: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for record in run.records:
        if record["scenario"]:
            by_test[named(record["test"])[:2]].append(record)
    how = {**scenarios(run), **flows(run)}
    for (function, name), records in by_test.items():
        if function not in ("test_scenario", "test_flow"):
            continue
        seconds = sum(record["seconds"] for record in records)
        if function == "test_flow":
            group, short, drawn = "flows", name, chain(records)
        else:
            group, short, drawn = (
                records[0]["workflow"],
                name.partition(": ")[2],
                list(bars(records[0])),
            )
        found[group].append(Timeline(short, how.get(name, FAILED), seconds, drawn))
    return dict(sorted(found.items(), key=lambda pair: (pair[0] == "flows", pair[0])))
