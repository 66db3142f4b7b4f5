"""A pytest plugin: ends a run with what updates did to the projects that people have lived in."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pytest
from engine import step_coverage
from harness import ROOT
from step_report import BEGAN

FILE = ROOT / "report" / "updates.md"


@dataclass(frozen=True)
class Update:
    """One update of a project.

    Attributes:
        kind: What its people had done.
        plain_conflicts: The conflicts that `copier update` left; None where it was not tried.
        plain_losses: What `copier update` lost or misplaced without a word; None where it was not tried.
        conflicts: The conflicts that the script left.
        pins: The pins that the script decided about.
        losses: What the script lost or misplaced.
    """

    kind: str
    plain_conflicts: int | None
    plain_losses: int | None
    conflicts: int
    pins: int
    losses: int


def note(update: Update) -> None:
    """Write an update down, for the process that ends the run."""
    folder = step_coverage.folder() / "updates"
    folder.mkdir(exist_ok=True)
    text = json.dumps(asdict(update))
    (folder / f"{uuid.uuid4().hex}.json").write_text(text, "utf-8")


def notes() -> list[Update]:
    """Give what every process has written down."""
    paths = sorted((step_coverage.folder() / "updates").glob("*.json"))
    return [Update(**json.loads(path.read_text("utf-8"))) for path in paths]


# What is added up, by the attributes of an update.
FIGURES = [field.name for field in fields(Update) if field.name != "kind"]


def total(figures: list[int | None]) -> int | None:
    """Add up figures; gives None where one of them was not taken."""
    taken = [figure for figure in figures if figure is not None]
    return sum(taken) if len(taken) == len(figures) else None


def sums(updates: Iterable[Update]) -> dict[str, dict[str, int | None]]:
    """Give the number of updates, and the sum of each figure, by what people had done."""
    kinds: dict[str, list[Update]] = defaultdict(list)
    for update in updates:
        kinds[update.kind].append(update)
    return {
        kind: {
            "updates": len(of_kind),
            **{name: total([getattr(u, name) for u in of_kind]) for name in FIGURES},
        }
        for kind, of_kind in kinds.items()
    }


def table() -> str:
    """Give what was noted in Markdown, a line for each kind; nothing where nothing was."""
    kinds = sums(notes())
    if not kinds:
        return ""
    lines = [
        "| what people had done | updates | `copier update`: conflicts | lost or misplaced without a word "
        "| the script: conflicts | pins decided | lost or misplaced |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for kind, row in kinds.items():
        cells = ("-" if figure is None else str(figure) for figure in row.values())
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show the table, and keep it."""
    if config.stash[BEGAN] and (found := table()):
        terminalreporter.section("Updates of projects that people have lived in")
        terminalreporter.write(found)
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(found, "utf-8")
