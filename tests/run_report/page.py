"""Puts the page together: uv run tests/run_report/page.py RUN.json PAGE.html makes it again from what a run noted."""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
if __name__ == "__main__":
    sys.path[:0] = [
        str(ROOT / folder)
        for folder in ("benchmarks", "tests", "tests/pipeline", "tests/updates")
    ]

import cost  # noqa: E402
import pytest  # noqa: E402
import update_report  # noqa: E402
from flows import FLOWS  # noqa: E402
from harness import copier, copy_template  # noqa: E402
from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: E402
from markdown_it import MarkdownIt  # noqa: E402
from markupsafe import Markup  # noqa: E402
from update_report import Update  # noqa: E402

from run_report import charts, drawing, graphs, records  # noqa: E402
from run_report.graphs import EventGraph  # noqa: E402
from run_report.records import Run, Timeline  # noqa: E402

MAINTAINING = ROOT / "docs" / "maintaining.md"


# ---- Weighted minutes ------------------------------------------------------------------------------------------------

CONFIGURATIONS = {
    "private, full": (True, "full"),
    "private, lean": (True, "lean"),
    "public": (False, "auto"),
}
CONFIGURATION_COLOURS = {
    "private, full": "var(--bar)",
    "private, lean": "var(--bar-2)",
    "public": "var(--bar-3)",
}


@cache
def minutes() -> dict[str, dict[str, cost.Cost]]:
    """Give what each event costs with the default answers, by the repository's configuration."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = copy_template(folder / "template")
        command = ("copy", "--quiet", "--defaults", str(source))
        copier(*command, str(folder / "project")).check_returncode()
        return {
            title: cost.figures(folder / "project", private=private, mode=mode)
            for title, (private, mode) in CONFIGURATIONS.items()
        }


def minutes_chart() -> dict[str, Any]:
    """Give the chart of weighted minutes; a month is of another order and only in the table."""
    values = [
        {"name": event.replace("`", ""), "series": title, "number": float(of.weighted)}
        for title, figures in minutes().items()
        for event, of in figures.items()
        if event != "a month"
    ]
    return charts.grouped(values, "weighted minutes", CONFIGURATION_COLOURS)


# ---- Releases --------------------------------------------------------------------------------------------------------


def cut_off(run: Run) -> Counter[str]:
    """Count the tests that end a run of a release's workflows halfway and start it again, by how they ended."""
    return Counter(
        outcome
        for test, outcome in run.outcomes.items()
        if "_survives_being_cut_off" in test
    )


# ---- Updates ---------------------------------------------------------------------------------------------------------

UPDATE_SERIES = {
    "plain_conflicts": ("copier update: conflicts", "var(--bar-2)"),
    "plain_losses": ("copier update: lost", "var(--bad)"),
    "conflicts": ("the script: conflicts", "var(--bar)"),
    "losses": ("the script: lost", "var(--ink)"),
}


def update_rows(run: Run) -> dict[str, dict[str, int | None]]:
    """Give the number of updates, and their sums, of each kind of edited project."""
    return update_report.sums(Update(**update) for update in run.updates)


def update_chart(run: Run) -> dict[str, Any]:
    """Give the chart of what updates left."""
    values = [
        {"name": kind, "series": series, "number": sums[name]}
        for kind, sums in update_rows(run).items()
        for name, (series, _) in UPDATE_SERIES.items()
        if sums[name] is not None
    ]
    return charts.grouped(values, "how many", dict(UPDATE_SERIES.values()))


# ---- What was real ---------------------------------------------------------------------------------------------------


def real_and_stand_ins() -> Markup:
    """Give the table of what is real, as the page for maintainers has it."""
    text = MAINTAINING.read_text("utf-8")
    section = text.partition("## How workflows are executed\n")[2].partition("\n## ")[0]
    table = "\n".join(line for line in section.splitlines() if line[:1] == "|")
    # Made from a file of this repository.
    return Markup(MarkdownIt("commonmark").enable("table").render(table))  # noqa: S704


def used(run: Run, key: str) -> Counter[str]:
    """Add up what the records have under "actions" or "edits"."""
    total: Counter[str] = Counter()
    for record in run.records:
        total.update(record[key])
    return total


# ---- The page --------------------------------------------------------------------------------------------------------


def wanted_graphs(events: list[EventGraph]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each graph with its name: all of an event of which anything ran, so that what did not is seen, too."""
    for event in events:
        if event.times:
            for number, group in enumerate(event.groups):
                yield f"{event.happening.title} {number}", graphs.graph(group)


def wanted_charts(
    run: Run, timelines: dict[str, list[Timeline]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give each chart with its name."""
    yield "minutes", minutes_chart()
    if run.updates:
        yield "updates", update_chart(run)
    for group, lines in timelines.items():
        for line in lines:
            yield timeline_name(group, line), charts.timeline(line.bars)


def timeline_name(group: str, line: Timeline) -> str:
    """Name the drawing of a timeline."""
    return f"{group} {line.name}"


def drawings(
    run: Run, events: list[EventGraph], timelines: dict[str, list[Timeline]]
) -> tuple[dict[str, Markup], str]:
    """Draw what the page shows; where this machine cannot, say why."""
    try:
        charted = dict(wanted_charts(run, timelines))
        drawn = drawing.draw(dict(wanted_graphs(events)), charted)
    except (pytest.fail.Exception, pytest.skip.Exception) as missing:
        return {}, str(missing)
    # Texts in them are escaped by what drew them.
    return {name: Markup(svg) for name, svg in drawn.items()}, ""  # noqa: S704


def render(run: Run) -> str:
    """Give the page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    events, timelines = graphs.event_graphs(run), records.timelines(run)
    drawn, undrawn = drawings(run, events, timelines)
    ended = records.flows(run)
    return environment.get_template("page.html.jinja").render(
        run=run,
        verdict=records.verdict(run),
        parts=records.parts(run),
        failures=records.failures(run),
        counts=Counter(run.outcomes.values()),
        drawn=drawn,
        undrawn=undrawn,
        events=events,
        steps=records.step_rows(run),
        timelines=timelines,
        timeline_name=timeline_name,
        minutes=minutes(),
        flows=[(flow, ended[flow.name]) for flow in FLOWS],
        cut_off=cut_off(run),
        updates=update_rows(run),
        real=real_and_stand_ins(),
        actions=used(run, "actions"),
        edits=used(run, "edits"),
    )


if __name__ == "__main__":
    data, page = map(Path, sys.argv[1:])
    page.write_text(render(Run.load(data)), "utf-8")
