"""A pytest plugin: ends a run with the table of executed steps, and fails it where a step was never executed."""

from __future__ import annotations

import pytest
from engine import step_coverage, under_test
from harness import ROOT
from scenarios import SCENARIOS

FILE = ROOT / "report" / "steps.md"
# What a release starts, and what starts it, is executed by no scenario yet.
NOT_YET = {"docker.yml", "publish.yml", "release.yml"}


def steps() -> list[str]:
    """Give every step with a command of the template's workflows, as "workflow / job / step"."""
    return [
        f"{job.workflow} / {job.id} / {step.name}"
        for workflow in under_test.load(ROOT / "template").values()
        if workflow.file not in NOT_YET
        for job in under_test.plan(workflow)
        for step in job.steps
        if step.command
    ]


def verdict(completed: set[str], uncovered: list[str]) -> tuple[bool, str]:
    """Judge the run: whether it fails, and why or why not.

    Args:
        completed: The scenarios that were completed.
        uncovered: The steps that never ran.
    """
    missing = {scenario.id for scenario in SCENARIOS} - completed
    if missing:
        done = len(SCENARIOS) - len(missing)
        return (
            False,
            f"not judged: {done} of {len(SCENARIOS)} scenarios were completed",
        )
    if uncovered:
        return True, "never executed: " + "; ".join(uncovered)
    return False, f"all {len(steps())} steps with a command were executed"


def pytest_configure() -> None:
    """Choose where the processes of this run write down what they ran."""
    step_coverage.begin()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table; fail the run where all scenarios ran and a step did not."""
    if hasattr(session.config, "workerinput"):
        return
    executed, scenarios = step_coverage.add_up()
    if executed:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(step_coverage.table(executed, steps()), "utf-8")
        failed, _ = verdict(set(scenarios), step_coverage.uncovered(executed, steps()))
        if failed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the table and the verdict."""
    executed, scenarios = step_coverage.add_up()
    if executed:
        terminalreporter.section("Steps of the workflows")
        terminalreporter.write(step_coverage.table(executed, steps()))
        _, why = verdict(set(scenarios), step_coverage.uncovered(executed, steps()))
        terminalreporter.line(f"Step coverage: {why} ({FILE.relative_to(ROOT)})")
