"""What happened in a workflow run."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

SUCCESS, FAILURE, SKIPPED = "success", "failure", "skipped"
TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


@dataclass
class Step:
    """A step of one job: its outcome is success, failure or skipped; it began at a Unix time and took some seconds."""

    name: str
    command: bool
    outcome: str = SKIPPED
    log: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    began: float = 0
    seconds: float = 0


@dataclass
class Job:
    """One job, or one cell of a job's matrix.

    Attributes:
        workflow: The file of the workflow that the job stands in, for example "tests.yml".
        id: The job's key in that file.
        matrix: The cell; empty without a matrix.
        steps: Its steps in order. Those that did not run are skipped.
        result: success, failure or skipped.
        summary: What its steps wrote to the job summary.
    """

    workflow: str
    id: str
    matrix: dict[str, Any]
    steps: list[Step]
    result: str = SKIPPED
    summary: str = ""

    def step(self, name: str) -> Step:
        """Give the step of a name."""
        (found,) = (step for step in self.steps if step.name == name)
        return found


@dataclass(frozen=True)
class Upload:
    """A SARIF file that code scanning took: its category, the tool's name and the parsed file."""

    category: str
    sarif: dict[str, Any]

    @property
    def findings(self) -> int:
        """How many results it holds that nothing in the code excuses."""
        return sum(
            not result.get("suppressions")
            for part in self.sarif["runs"]
            for result in part.get("results", [])
        )


@dataclass(frozen=True)
class Result:
    """What a workflow run did.

    Attributes:
        workflow: The file of the workflow that was started.
        jobs: Every job of it and of the workflows that it calls; a job that was skipped once, a matrix by its cells.
        edits: What was changed in the workflow under test, in words; nothing else was.
        records: What the stand-ins for actions did, in order, each with its action, job and inputs.
        log: All that the engine printed.
        folder: Where artifacts are kept.
        seconds: How long it took.
        event: What happened: its name and the ref, for example "push refs/heads/main".
    """

    workflow: str
    jobs: list[Job]
    edits: list[str]
    records: list[dict[str, Any]]
    log: str
    folder: Path
    seconds: float
    event: str = ""

    def cells(self, job: str, workflow: str = "") -> list[Job]:
        """Give the cells of a job; one where there is no matrix or where it was skipped."""
        file = workflow or self.workflow
        return [j for j in self.jobs if (j.workflow, j.id) == (file, job)]

    def job(self, job: str, workflow: str = "") -> Job:
        """Give a job that has no matrix."""
        (found,) = self.cells(job, workflow)
        return found

    @property
    def results(self) -> dict[str, str]:
        """The result of each job by its id, over all cells; a called workflow's jobs are not among them."""
        found: dict[str, str] = {}
        for job in self.jobs:
            if job.workflow == self.workflow:
                found[job.id] = worst([found.get(job.id, SKIPPED), job.result])
        return found

    @property
    def red(self) -> set[str]:
        """The steps that failed in any cell, as "workflow / job / step"."""
        return {
            f"{job.workflow} / {job.id} / {step.name}"
            for job in self.jobs
            for step in job.steps
            if step.outcome == FAILURE
        }

    def of(self, action: str) -> list[dict[str, Any]]:
        """Give what the stand-in for an action recorded, one entry for each time that it was used."""
        return [record for record in self.records if record["action"] == action]

    @property
    def failures(self) -> str:
        """What the steps that failed printed, for people."""
        return "\n".join(
            f"---- {job.workflow} / {job.id} {job.matrix or ''} / {step.name}\n{step.log}"
            for job in self.jobs
            for step in job.steps
            if step.outcome == FAILURE
        )

    @functools.cached_property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        """The artifacts by name: their files (relative paths) and how many days they are kept."""
        return {record["name"]: record for record in self.of("actions/upload-artifact")}

    @property
    def uploads(self) -> list[Upload]:
        """What code scanning took."""
        return [
            Upload(record["category"], record["sarif"])
            for record in self.of("github/codeql-action/upload-sarif")
        ]

    @property
    def summary(self) -> str:
        """The summaries of all jobs."""
        return "".join(job.summary for job in self.jobs)


def worst(results: Iterable[str]) -> str:
    """Give failure if there is one, then success; only what is all skipped is skipped."""
    found = set(results)
    return next((r for r in (FAILURE, SUCCESS, SKIPPED) if r in found), SKIPPED)


def read(jobs: list[Job], events: Iterable[str], names: dict[str, str]) -> list[Job]:
    """Fill in the jobs from the events that act prints.

    Args:
        jobs: The jobs of the workflows, each once, without cells, all skipped.
        events: act's lines of JSON.
        names: The file of each workflow by its name: act tells names.

    Returns:
        The jobs, one for each cell that ran. Cells that finish after a failed one are called failures by act, too;
        so a job's result follows from its steps.
    """
    ran: dict[tuple[str, str, str], Job] = {}
    ended: set[tuple[str, str, str]] = set()
    for line in events:
        event = json.loads(line)
        if "jobID" not in event:
            continue
        # "Caller's job/Workflow/Job", or "Workflow/Job" for what was started itself.
        workflow = names[event["job"].split("/")[-2]]
        matrix = event.get("matrix") or {}
        key = (workflow, event["jobID"], json.dumps(matrix, sort_keys=True))
        if key not in ran:
            (plan,) = (j for j in jobs if (j.workflow, j.id) == key[:2])
            steps = [Step(step.name, step.command) for step in plan.steps]
            ran[key] = Job(workflow, plan.id, matrix, steps, SUCCESS)
        if "jobResult" in event:
            ended.add(key)
        note(ran[key], event)
    for key, job in ran.items():
        failed = any(step.outcome == FAILURE for step in job.steps)
        if failed or key not in ended:
            job.result = FAILURE
    skipped = [j for j in jobs if not any(k[:2] == (j.workflow, j.id) for k in ran)]
    return [*ran.values(), *skipped]


def note(job: Job, event: dict[str, Any]) -> None:
    """Enter one event into its job."""
    name = event.get("step")
    step = next((step for step in job.steps if step.name == name), None)
    if event.get("command") == "summary":
        job.summary += event["content"]
    if step is None:
        if event.get("stepResult") == FAILURE:
            # What act does itself before and after the steps.
            job.steps.append(Step(str(name), command=False, outcome=FAILURE))
        return
    if event.get("raw_output") or event.get("command") in ("error", "warning"):
        step.log += TERMINAL_CODES.sub("", event.get("raw") or event["msg"])
    if event.get("command") == "set-output":
        step.outputs[event["name"]] = event["arg"]
    # A step that succeeded may still fail after the job's last step.
    if outcome := event.get("stepResult"):
        step.outcome = worst([outcome, step.outcome])
        if event.get("stage") == "Main":
            step.seconds = event.get("executionTime", 0) / 1e9
            ended = datetime.fromisoformat(event["time"]).timestamp()
            step.began = ended - step.seconds
