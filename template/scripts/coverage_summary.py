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
    return int(element.attrib[f"{kind}-covered"]), int(element.attrib[f"{kind}-valid"])


def row(name: str, percentage: float) -> str:
    """Give one line of the table."""
    # Rounded down: 89.99 must not be shown as the 90.0 that it is not, but 57.99999999999999
    # is what binary fractions make of 58.
    shown = int(round(percentage * 10, 6)) / 10
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


def summarise_file(path: Path) -> str:
    """Give the Markdown for Cobertura XML as coverage.py writes it; raises Problem for anything else."""
    try:
        # coverage.py wrote this file in the same job.
        return summarise(ElementTree.parse(path).getroot())  # noqa: S314
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise Problem(f"{path} is no coverage report: {error}") from error


def write(path: Path, text: str, mode: str) -> None:
    """Write or, in mode "a", append to a file; raises Problem when that cannot be."""
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Problem(f"{path} cannot be written: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives 0, or 2 when there is no report or no place for the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="coverage.xml")
    parser.add_argument("--output", type=Path, help="write the Markdown there as well")
    parsed = parser.parse_args(arguments)
    try:
        summary = summarise_file(parsed.report)
        print(summary, end="")
        if parsed.output:
            write(parsed.output, summary, "w")
        if step_summary := os.environ.get("GITHUB_STEP_SUMMARY"):
            write(Path(step_summary), summary, "a")
    except Problem as problem:
        print(f"coverage_summary.py: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
