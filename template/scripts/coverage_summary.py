#!/usr/bin/env python3
"""Turn a coverage report into a Markdown table for the job summary and the pull request.

Locally: uv run scripts/coverage_summary.py coverage.xml

It reports; the gate is `coverage report`, which fails under the same threshold.
"""

from __future__ import annotations

import argparse
import os
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

# The workflow finds its own comment on a pull request by this.
MARKER = "<!-- coverage -->"
# Lowest percentage of each band; the colours do not follow the threshold.
BANDS = ((90.0, "🟢"), (75.0, "🟡"), (60.0, "🟠"), (0.0, "🔴"))


class Problem(Exception):
    """A condition that the person who reads the log can mend."""


def colour(percentage: float) -> str:
    """Give the band of a percentage between 0 and 100."""
    return next(sign for lowest, sign in BANDS if percentage >= lowest)


def share(covered: int, valid: int) -> float:
    """Give a percentage; of nothing, all is covered."""
    return 100.0 * covered / valid if valid else 100.0


def count(element: ElementTree.Element, kind: str) -> tuple[int, int]:
    """Give how many lines or branches of the report are covered, and how many there are."""
    return tuple(int(element.attrib[f"{kind}-{what}"]) for what in ("covered", "valid"))  # type: ignore[return-value]


def read_report(path: Path) -> ElementTree.Element:
    """Read Cobertura XML as coverage.py writes it; raises Problem when it is not there."""
    try:
        # coverage.py wrote this file in the same job.
        return ElementTree.parse(path).getroot()  # noqa: S314
    except (OSError, ElementTree.ParseError) as error:
        raise Problem(f"{path} is no coverage report: {error}") from error


def row(name: str, percentage: float) -> str:
    """Give one line of the table."""
    # Rounded down: 89.99 must not be shown as the 90.0 that it is not.
    shown = int(percentage * 10) / 10
    return f"| {name} | {colour(percentage)} {shown} % |"


def summarise(report: ElementTree.Element) -> str:
    """Give the Markdown for a report: the total, then the files that are not fully covered."""
    lines, branches = count(report, "lines"), count(report, "branches")
    total = share(lines[0] + branches[0], lines[1] + branches[1])
    files = sorted(
        (100 * float(file.attrib["line-rate"]), file.attrib["filename"])
        for file in report.iter("class")
    )
    table = [
        MARKER,
        "### Coverage",
        "",
        "| what | covered |",
        "| --- | --- |",
        row("**total**", total),
        row(f"lines ({lines[0]} of {lines[1]})", share(*lines)),
        row(f"branches ({branches[0]} of {branches[1]})", share(*branches)),
        *(row(f"`{name}`", percent) for percent, name in files if percent < 100),
    ]
    return "\n".join(table) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives 0, or 2 when there is no report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="coverage.xml")
    parser.add_argument("--output", type=Path, help="write the Markdown there as well")
    parsed = parser.parse_args(arguments)
    try:
        summary = summarise(read_report(parsed.report))
    except Problem as problem:
        print(f"coverage_summary.py: {problem}", file=sys.stderr)
        return 2
    print(summary, end="")
    if parsed.output:
        parsed.output.write_text(summary, encoding="utf-8")
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as step_summary:
            step_summary.write(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
