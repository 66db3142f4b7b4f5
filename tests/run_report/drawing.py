"""Draws graphs by Graphviz and charts by Vega-Lite, both from npm, as SVG that a page can hold."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness import npm_packages, run, tool

from run_report import graphs

PACKAGES = ["@viz-js/viz@3.31.0", "vega@6.4.0", "vega-lite@6.5.0"]
SCRIPT = Path(__file__).with_name("draw.mjs")
# The page's own colours.
COLOURS = {
    graphs.INK: "var(--ink)",
    graphs.LINE: "var(--line)",
    graphs.OK: "var(--ok-fill)",
    graphs.BAD: "var(--bad-fill)",
    graphs.IDLE: "var(--idle-fill)",
}


def draw(
    asked: dict[str, dict[str, Any]], charts: dict[str, dict[str, Any]]
) -> dict[str, str]:
    """Draw everything at once.

    Args:
        asked: Graphs by name, as Graphviz reads them in JSON.
        charts: Charts by name, as Vega-Lite reads them.

    Returns:
        The drawings by name.
    """
    folder = npm_packages(*PACKAGES)
    script = folder / SCRIPT.name
    # Beside the packages, or Node does not find them.
    script.write_text(SCRIPT.read_text("utf-8"), "utf-8")
    done = run(
        [tool("node"), str(script)],
        stdin=json.dumps({"graphs": asked, "charts": charts}),
    )
    return {name: tidy(text) for name, text in json.loads(done.stdout).items()}


def tidy(svg: str) -> str:
    """Fit a drawing into a page: without a head, without ids that others have too, in the page's colours."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<!--.*?-->\s*|<title>.*?</title>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:id|xml:space|xmlns:xlink|xmlns|version)="[^"]*"', "", svg)
    for sentinel, colour in COLOURS.items():
        svg = svg.replace(f'"{sentinel}"', f'"{colour}"')
    # Numbers of the page's order of size need no more digits.
    svg = re.sub(r"(\d\.\d\d)\d+", r"\1", svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)
