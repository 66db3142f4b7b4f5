"""The pipeline as a graph for each event: workflows, jobs, what waits for what, and the cells that ran."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import cost
from engine import under_test
from engine.result import FAILURE, SKIPPED
from harness import ROOT
from policy import Workflow

from run_report.records import Run, cell_of

# Graphviz wants colours; `drawing` puts the page's own in their place, which follow the reader's scheme.
INK, LINE, OK, BAD, IDLE = "#010101", "#020202", "#030303", "#040404", "#050505"


@dataclass(frozen=True)
class Happening:
    """Something that starts workflows.

    Attributes:
        title: What it is.
        name: GitHub's name for it.
        ref: What the ref begins with.
        also: A name and the beginning of a ref of what follows from it.
    """

    title: str
    name: str
    ref: str = "refs/"
    also: tuple[str, str] | None = None

    def starts(self, workflow: Workflow) -> bool:
        """Tell whether it starts a workflow."""
        if self.name not in workflow.events:
            return False
        filters = workflow.events[self.name] or {}
        if self.name != "push":
            return True
        return ("tags" if self.ref == "refs/tags/" else "branches") in filters

    def fits(self, event: str) -> bool:
        """Tell whether a run's event is one of these."""
        pairs = [(self.name, self.ref), *([self.also] if self.also else [])]
        return any(event.startswith(f"{name} {ref}") for name, ref in pairs)


HAPPENINGS = [
    Happening("A pull request", "pull_request"),
    Happening("A change in the merge queue", "merge_group"),
    Happening("A push to main", "push", "refs/heads/"),
    Happening(
        "A version tag, and what release.yml starts on it",
        "push",
        "refs/tags/",
        ("workflow_dispatch", "refs/tags/"),
    ),
    Happening("A draft that a person publishes", "release"),
    Happening("A schedule", "schedule"),
    Happening("A change of branch protection", "branch_protection_rule"),
    Happening("By hand, on a branch", "workflow_dispatch", "refs/heads/"),
]


@dataclass
class Cell:
    """A cell of a job, or a job without cells: how often it ran in scenarios and flows, and how often it was red."""

    times: int = 0
    red: int = 0


@dataclass
class JobRow:
    """A job of an event: what it waits for, what it calls and starts, and its cells by their names."""

    workflow: str
    id: str
    needs: list[str]
    calls: str
    starts: list[str]
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What tells it from all others."""
        return f"{self.workflow} / {self.id}"

    @property
    def times(self) -> int:
        """How often it ran, all cells together."""
        return sum(cell.times for cell in self.cells.values())

    @property
    def red(self) -> int:
        """How often it was red."""
        return sum(cell.red for cell in self.cells.values())


def cells(run: Run, happening: Happening) -> dict[str, dict[str, Cell]]:
    """Give the cells that ran for an event, by their job; those of planted defects are left out."""
    found: dict[str, dict[str, Cell]] = defaultdict(dict)
    for record in run.records:
        if not record["scenario"] or not happening.fits(record["event"]):
            continue
        for job in record["jobs"]:
            if job["result"] != SKIPPED:
                key = f"{job['workflow']} / {job['id']}"
                cell = found[key].setdefault(cell_of(job), Cell())
                cell.times += 1
                cell.red += job["result"] == FAILURE
    return found


def reached(workflows: Mapping[str, Workflow], files: list[str]) -> list[str]:
    """Give workflows with those that they call and start, each once."""
    found = list(files)
    for file in found:
        for row in rows_of(workflows[file]):
            for other in [row.calls, *row.starts]:
                if other in workflows and other not in found:
                    found.append(other)
    return found


def rows_of(workflow: Workflow) -> Iterator[JobRow]:
    """Give a workflow's jobs, without what ran."""
    for name, job in workflow.data["jobs"].items():
        yield JobRow(
            workflow.file,
            str(name),
            [str(needed) for needed in cost.needs(job)],
            Path(job["uses"]).name if "uses" in job else "",
            cost.started(workflow.data, [name]),
        )


@dataclass
class EventGraph:
    """An event with its jobs, and one graph for each group of workflows that hang together."""

    happening: Happening
    jobs: list[JobRow]
    groups: list[list[JobRow]]

    @property
    def times(self) -> int:
        """How often a job ran."""
        return sum(job.times for job in self.jobs)


def template() -> dict[str, Workflow]:
    """Read the template's workflows."""
    return under_test.load(ROOT / "template")


def event_graphs(run: Run) -> list[EventGraph]:
    """Give each event with its jobs."""
    workflows = template()
    found = []
    for happening in HAPPENINGS:
        ran = cells(run, happening)
        # By hand each workflow is started by itself; what it calls and starts is drawn with a tag.
        follows = happening.name != "workflow_dispatch"
        begun = [f for f, workflow in workflows.items() if happening.starts(workflow)]
        groups = []
        for file in begun:
            files = reached(workflows, [file]) if follows else [file]
            rows = [row for f in files for row in rows_of(workflows[f])]
            for row in rows:
                row.cells = ran.get(row.key, {})
            groups.append(rows)
        jobs = [row for group in groups for row in group]
        found.append(EventGraph(happening, jobs, groups))
    return found


# ---- For Graphviz ----------------------------------------------------------------------------------------------------


def colour(cell: Cell | None) -> str:
    """Give the colour of what ran so."""
    if cell is None or not cell.times:
        return IDLE
    return BAD if cell.red else OK


def label(row: JobRow) -> str:
    """Give a job's box: its name, how often it ran, and its cells, a line for each system."""
    whole = Cell(row.times, row.red)
    state = f"&#215;{row.times}" if row.times else "not run"
    if row.red:
        state += f", {row.red} red"
    if row.calls:
        state = f"calls {escape(row.calls)}"
    # A row for each text: the reader's font may be wider than the one that Graphviz reckons with.
    heads = "".join(
        f"<tr><td>{text}</td></tr>" for text in (f"<b>{escape(row.id)}</b>", state)
    )
    fill = IDLE if row.calls else colour(whole)
    frame = f'border="1" cellborder="0" cellspacing="1" color="{LINE}" bgcolor="{fill}"'
    lines: dict[str, list[str]] = defaultdict(list)
    for name in sorted(filter(None, row.cells)):
        first, _, rest = name.partition(" ")
        mark = " &#10007;" if row.cells[name].red else ""
        box = f'border="1" color="{LINE}" bgcolor="{colour(row.cells[name])}"'
        lines[first].append(f"<td {box}>{escape(rest or first)}{mark}</td>")
    inner = "".join(
        f'<tr><td align="left">{escape(first)}</td>{"".join(boxes)}</tr>'
        for first, boxes in lines.items()
    )
    if inner:
        table = f'<table border="0" cellborder="0" cellspacing="2">{inner}</table>'
        heads += f"<tr><td>{table}</td></tr>"
    return f"<table {frame}>{heads}</table>"


def graph(rows: list[JobRow]) -> dict[str, Any]:
    """Give the graph of jobs, as Graphviz reads it in JSON."""
    by_file: dict[str, list[JobRow]] = defaultdict(list)
    for row in rows:
        by_file[row.workflow].append(row)
    edges: list[dict[str, Any]] = []
    for row in rows:
        for needed in row.needs:
            edges.append({"tail": f"{row.workflow} / {needed}", "head": row.key})
        for other, word in ((row.calls, "calls"), *((s, "starts") for s in row.starts)):
            for first in by_file.get(other, []):
                # A job that starts its own workflow starts it elsewhere: on a tag.
                if not first.needs and first.key != row.key:
                    style = {"style": "dashed", "label": word}
                    edges.append(
                        {"tail": row.key, "head": first.key, "attributes": style}
                    )
    text = {"fontname": "Courier", "fontsize": 11, "fontcolor": INK}
    return {
        "graphAttributes": {
            "bgcolor": "transparent",
            "nodesep": 0.3,
            "ranksep": 0.3,
            "margin": 0,
        },
        "nodeAttributes": {"shape": "plain", **text},
        "edgeAttributes": {"color": LINE, "arrowsize": 0.6, **text, "fontsize": 9},
        "edges": edges,
        "subgraphs": [
            {
                "name": f"cluster_{file}",
                "graphAttributes": {
                    "label": file,
                    "color": LINE,
                    "style": "rounded",
                    "margin": 8,
                    **text,
                },
                "nodes": [
                    {"name": row.key, "attributes": {"label": {"html": label(row)}}}
                    for row in of_file
                ],
            }
            for file, of_file in by_file.items()
        ],
    }
