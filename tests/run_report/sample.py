"""A made-up run of a few tests, to try the page on: some green, one defect, one failure, two updates."""

from __future__ import annotations

from typing import Any

from run_report.records import Run

GREEN = "tests/pipeline/test_green.py::test_scenario"
RED = "tests/pipeline/test_red.py::test_defect"
FLOW = "tests/pipeline/test_shipping.py::test_flow"
BEGAN = 1_800_000_000
SYSTEMS = ("macos-latest", "ubuntu-latest", "windows-latest")

Step = tuple[str, bool, str, float, float]


def step(
    name: str,
    begin: float,
    seconds: float = 2,
    outcome: str = "success",
    *,
    command: bool = True,
) -> Step:
    """Give a step that began some seconds after the first."""
    return name, command, outcome, BEGAN + begin, seconds


def job(
    id_: str, *steps: Step, workflow: str = "tests.yml", **matrix: str
) -> dict[str, Any]:
    """Give a job, or a cell of one."""
    red = any(step[2] == "failure" for step in steps)
    result = "failure" if red else "success" if steps else "skipped"
    return {
        "workflow": workflow,
        "id": id_,
        "matrix": matrix,
        "result": result,
        "steps": steps,
    }


def record(
    test: str, jobs: list[dict[str, Any]], event: str, *, scenario: str | None = None
) -> dict[str, Any]:
    """Give what a run of a workflow notes."""
    return {
        "scenario": scenario,
        "test": f"{test} (call)",
        "workflow": jobs[0]["workflow"],
        "event": event,
        "jobs": jobs,
        "actions": {"actions/checkout": len(jobs)},
        "edits": ["semgrep.yml: container of job semgrep taken out"],
        "seconds": 30.0,
    }


def tests(outcome: str) -> list[dict[str, Any]]:
    """Give the jobs of tests.yml, the unit tests of the last cell with an outcome."""
    begin = 2.0
    found = [job("plan", step("Plan the jobs", 0))]
    for system in SYSTEMS:
        for python in ("3.11", "3.12"):
            ends = outcome if (system, python) == (SYSTEMS[-1], "3.12") else "success"
            unit = step("Run the unit tests", begin + 1, 3, ends)
            checkout = step("Check out the change", begin, 1, command=False)
            found.append(job("test", checkout, unit, os=system, python=python))
            begin += 4
    found.append(job("lint", step("Check the types", begin)))
    summary = "Require that every job succeeded or was rightly skipped"
    return [*found, job("passed", step(summary, begin + 2, 1, outcome))]


def update(
    kind: str, conflicts: int | None, losses: int | None, decided: int
) -> dict[str, Any]:
    """Give what an update notes, with what `copier update` alone left."""
    left = {"conflicts": 0, "pins": decided, "losses": 0}
    return {"kind": kind, "plain_conflicts": conflicts, "plain_losses": losses, **left}


def run(*, failing: bool = False) -> Run:
    """Give the run; some of it fails if asked for."""
    full = "pull request, full, private"
    defect = "tests.yml: a unit test fails"
    publish = [job("package", step("Check the metadata", 0), workflow="publish.yml")]
    release = [
        job(
            "check",
            step("Check that the tag is a version, alone on its commit", 0),
            workflow="release.yml",
        ),
        job("tag", workflow="release.yml"),
    ]
    flow = "a version, without an image"
    scenario, trial, chain = (
        f"{GREEN}[tests.yml: {full}]",
        f"{RED}[{defect}]",
        f"{FLOW}[{flow}]",
    )
    last = "failure" if failing else "success"
    return Run(
        "2026-01-01 00:00 UTC",
        "0000000",
        "a made-up machine",
        [
            record(
                scenario,
                tests(last),
                "pull_request refs/pull/1/merge",
                scenario=f"tests.yml: {full}",
            ),
            record(trial, tests("failure"), "push refs/heads/main"),
            record(
                chain, release, "push refs/tags/v1.2.0", scenario=f"release.yml: {flow}"
            ),
            record(
                chain,
                publish,
                "workflow_dispatch refs/tags/v1.2.0",
                scenario=f"publish.yml: {flow}",
            ),
        ],
        {scenario: "failed" if failing else "passed", trial: "passed", chain: "passed"},
        [
            update("a step", 1, 0, 0),
            update("a pin", 3, 1, 4),
            update("several at once", None, None, 2),
        ],
        ["no interpreter for Python 3.15: the matrix cells"],
    )
