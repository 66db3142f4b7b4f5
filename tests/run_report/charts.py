"""The charts of the page, as Vega-Lite reads them. Their texts are in the page's colours, which the style sheet gives."""

from __future__ import annotations

from typing import Any

from run_report.records import Bar

# What fits a telephone, axes included.
WIDTH = 340
COLOURS = {"command": "var(--bar)", "action": "var(--bar-2)", "red": "var(--bad)"}
CONFIG: dict[str, Any] = {
    "background": None,
    "padding": 2,
    "view": {"stroke": None},
    "aria": False,
    "axis": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "titleFontWeight": "normal",
        "labelLimit": 0,
    },
    "legend": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--ink)",
        "orient": "top",
        "columns": 1,
        "labelLimit": 0,
    },
}


def chart(values: list[dict[str, Any]], **parts: Any) -> dict[str, Any]:
    """Give a chart of values that is as wide as a telephone."""
    size = {"width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    return {"config": CONFIG, "data": {"values": values}, **size, **parts}


def palette(colours: dict[str, str], *, legend: bool) -> dict[str, Any]:
    """Give the scale that colours by name."""
    scale = {"domain": list(colours), "range": list(colours.values())}
    return {
        "type": "nominal",
        "scale": scale,
        **({"title": None} if legend else {"legend": None}),
    }


def timeline(bars: list[Bar]) -> dict[str, Any]:
    """Give the chart of steps in time: a row for each job and cell."""
    values = [
        {"row": bar.row, "begin": bar.begin, "end": bar.end, "kind": bar.kind}
        for bar in bars
    ]
    return chart(
        values,
        height={"step": 15},
        mark={"type": "bar", "stroke": "var(--paper)", "strokeWidth": 0.5},
        encoding={
            "y": {"field": "row", "type": "nominal", "sort": None, "title": None},
            "x": {
                "field": "begin",
                "type": "quantitative",
                "title": "seconds",
                "axis": {"tickCount": 5},
            },
            "x2": {"field": "end"},
            "color": {"field": "kind", **palette(COLOURS, legend=False)},
        },
    )


def grouped(
    values: list[dict[str, Any]], title: str, colours: dict[str, str]
) -> dict[str, Any]:
    """Give a chart of horizontal bars, several for each name.

    Args:
        values: Each with its name, its series and its number.
        title: What the numbers are.
        colours: The colour of each series.
    """
    return chart(
        values,
        height={"step": 9},
        mark={"type": "bar"},
        encoding={
            "y": {"field": "name", "type": "nominal", "sort": None, "title": None},
            "yOffset": {"field": "series", "sort": list(colours)},
            "x": {
                "field": "number",
                "type": "quantitative",
                "title": title,
                "axis": {"tickCount": 5},
            },
            "color": {"field": "series", **palette(colours, legend=True)},
        },
    )
