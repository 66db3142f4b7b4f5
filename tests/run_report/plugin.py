"""A pytest plugin: ends a run in which workflows or updates were run with one page that shows them."""

from __future__ import annotations

import platform
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
import update_report
from engine import step_coverage
from harness import ROOT, reasons_unproven, run, which
from step_report import BEGAN

FILE = ROOT / "report" / "index.html"
# Beside the page: what it was made from.
DATA = "run.json"


class Outcomes:
    """How each test ended, also those of other processes of the run."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a phase of a test: a failure in any of them is the test's."""
        if report.failed:
            self.found[report.nodeid] = "failed"
        elif report.skipped or report.when == "call":
            self.found.setdefault(report.nodeid, report.outcome)


OUTCOMES = pytest.StashKey[Outcomes]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for another place."""
    parser.addoption(
        "--report",
        metavar="FILE",
        type=Path,
        help=f"write the page about the run there, not to {FILE.relative_to(ROOT)}, and also where it has little to show",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note how tests end."""
    config.stash[OUTCOMES] = Outcomes()
    config.pluginmanager.register(config.stash[OUTCOMES])


def commit() -> str:
    """Name the commit of this repository, with + where the working tree is another."""
    # The end of a run is no place to ask for a tool.
    if not (found := which("git")):
        return "unknown"
    git = [found, "-C", str(ROOT)]
    head = run([*git, "rev-parse", "--short", "HEAD"], check=False).stdout.strip()
    changed = run([*git, "status", "--porcelain"], check=False).stdout.strip()
    return (head or "unknown") + "+" * bool(changed)


def machine() -> str:
    """Name the machine: its system, architecture and Python."""
    return f"{platform.system()} on {platform.machine()}, Python {platform.python_version()}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Write the page, and say where it is."""
    # What a run without workflows need not load.
    from run_report.records import Run

    asked: Path | None = config.getoption("--report")
    if not config.stash[BEGAN] or config.option.collectonly:
        return
    seen = Run(
        datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit(),
        machine(),
        sorted(step_coverage.notes(), key=lambda note: str(note["test"])),
        config.stash[OUTCOMES].found,
        [asdict(update) for update in update_report.notes()],
        reasons_unproven(terminalreporter),
    )
    if not asked and not seen.records and not seen.updates:
        return
    file = asked or FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    seen.save(file.with_name(DATA))
    from run_report import page

    file.write_text(page.render(seen), "utf-8")
    terminalreporter.line(f"The page about this run: {file}")
