"""A pytest plugin: ends a run with the table of executed steps, and fails it where a step was never executed."""

from __future__ import annotations

import pytest
from engine import step_coverage, under_test
from engine.fixtures import missing_pythons
from flows import FLOWS
from harness import ROOT
from scenarios import SCENARIOS

FILE = ROOT / "report" / "steps.md"


def steps(*, actions: bool = False) -> list[str]:
    """Give every step with a command of the template's workflows, as "workflow / job / step"; those of actions, too."""
    return [
        f"{job.workflow} / {job.id} / {step.name}"
        for workflow in under_test.load(ROOT / "template").values()
        for job in under_test.plan(workflow)
        for step in job.steps
        if step.command or actions
    ]


def possible() -> set[str]:
    """Name what a whole run completes; a scenario whose Python is not here is listed as unproven."""
    scenarios = {s.id for s in SCENARIOS if not missing_pythons(s.answers)}
    return scenarios | {id_ for flow in FLOWS for id_ in flow.ids}


def verdict(completed: set[str], uncovered: list[str]) -> tuple[bool, str]:
    """Judge the run: whether it fails, and why or why not.

    Args:
        completed: The scenarios that were completed.
        uncovered: The steps that never ran.
    """
    everything = possible()
    if missing := everything - completed:
        done = f"{len(everything) - len(missing)} of {len(everything)}"
        return False, f"not judged: {done} scenarios were completed"
    if uncovered:
        return True, "never executed: " + "; ".join(uncovered)
    return False, f"all {len(steps())} steps with a command were executed"


def flow_times() -> list[str]:
    """Give a line for each flow that was run whole: how many seconds each of its workflows took."""
    took = step_coverage.seconds()
    lines = []
    for flow in FLOWS:
        if took.keys() >= flow.ids:
            parts = [
                f"{id_.split(':')[0]} {took[id_]:.0f} s" for id_ in sorted(flow.ids)
            ]
            lines.append(f"{flow.name}: {', '.join(parts)}")
    return lines


def judge() -> tuple[bool, str] | None:
    """Judge this run, and write the table of a whole one; None where no workflow ran."""
    executed, scenarios = step_coverage.add_up()
    if not executed:
        return None
    found = verdict(set(scenarios), step_coverage.uncovered(executed, steps()))
    if "not judged" not in found[1]:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(step_coverage.table(executed, steps()), "utf-8")
    return found


# Whether this process began the run; one that a test starts inside of it did not.
BEGAN = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose where the processes of this run write down what they ran."""
    config.stash[BEGAN] = step_coverage.begin()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run where all scenarios ran and a step did not."""
    if session.config.stash[BEGAN] and (found := judge()) and found[0]:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table and the verdict."""
    if config.stash[BEGAN] and (found := judge()):
        executed, _ = step_coverage.add_up()
        terminalreporter.section("Steps of the workflows")
        terminalreporter.write(step_coverage.table(executed, steps()))
        for line in flow_times():
            terminalreporter.line(line)
        for edit in step_coverage.edits():
            terminalreporter.line(f"Edited for the run: {edit}")
        terminalreporter.line(f"Step coverage: {found[1]}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the notes away."""
    if config.stash[BEGAN]:
        step_coverage.end()
