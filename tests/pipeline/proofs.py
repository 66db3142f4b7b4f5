"""Writes docs/proofs.md from the tables that the tests execute: uv run tests/pipeline/proofs.py."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "pipeline")]

from defects import CODE, DEFECTS, NEVER_RED, Defect  # noqa: E402
from flows import FLOWS, Flow  # noqa: E402
from scenarios import SCENARIOS  # noqa: E402

FILE = ROOT / "docs" / "proofs.md"

HEAD = """\
# What turns which step red

Made by `uv run tests/pipeline/proofs.py` from what the tests execute; do not edit. Each defect is planted in a freshly
rendered project, whose workflows then run for a push, of each matrix the cells for Linux; those of `publish.yml` in a
project that has a release, those of `release.yml` before a tag or a click. In the workflows that are run
exactly these steps are red, each says what is wrong, and where a merge waits for the workflow its check is red. Those
that are run are the ones named here; with *(code)* also `tests.yml`, `build.yml`, `coverage.yml` and `pre-commit.yml`;
with *(all)* every workflow that a push starts, and the red ones once more as a pull request from a fork. *(no gate)*
marks what is told and stops no merge. Where `release.yml`, `publish.yml` or `docker.yml` is red nothing comes out: no
tag, no release, no file on an index, no image; *(out)* marks where something is out already.

"""
NEVER = """\

## Steps that no defect reddens

| step | reason |
| --- | --- |
"""
FLOWS_HEAD = """\

## From a tag to what people install

Every workflow that is started runs, and every one that those start, until nothing follows; no other is started, and
nothing else is out in the end. Of each release the notes, the files and their digests are compared: what PyPI has is
what is attached and what `build.yml` tested, byte for byte. Each run of `release.yml`, `publish.yml` and `docker.yml` was
also ended behind each request that changes something, and started again: the end is the same. (The provenance is kept by
a stand-in, without a request.)

| what happens | what runs | releases | on PyPI | tags of the image |
| --- | --- | --- | --- | --- |
"""
GREEN = """\

## What must be green

Every other job of these runs must end well, and what is skipped, kept and uploaded is compared.

| workflow | scenarios |
| --- | --- |
"""


def rows(defect: Defect) -> list[str]:
    """Give the lines of a defect: one for each workflow that it reddens."""
    found: dict[str, list[str]] = {}
    for step in sorted(defect.reddens):
        workflow, job, name = step.split(" / ")
        what = "its check" if job == "passed" else f"{job}: {name}"
        found.setdefault(workflow, []).append(what)
    marks = (
        " *(code)*" * (defect.affects == CODE)
        + " *(all)*" * defect.everywhere
        + " *(no gate)*" * (not defect.gates)
        + " *(out)*" * defect.publishes
    )
    return [
        f"| {defect.name}{marks} | `{workflow}` | {'; '.join(steps)} |"
        for workflow, steps in sorted(found.items())
    ]


def flow_row(flow: Flow) -> str:
    """Give the line of a flow."""
    columns = [
        flow.name,
        "; ".join(flow.told_runs()),
        "; ".join(flow.told_releases()) or "none",
        "; ".join(flow.told_files()) or "nothing",
        ", ".join(f"`{tag}`" for tag in sorted(flow.image)) or "none",
    ]
    return f"| {' | '.join(columns)} |"


def document() -> str:
    """Give the whole page."""
    table = ["| defect | gate | red steps |", "| --- | --- | --- |"]
    for defect in DEFECTS:
        table += rows(defect)
    reasons = [f"| {step} | {reason} |" for step, reason in sorted(NEVER_RED.items())]
    names: dict[str, list[str]] = {}
    for scenario in SCENARIOS:
        names.setdefault(scenario.workflow, []).append(scenario.name)
    green = [f"| `{workflow}` | {'; '.join(n)} |" for workflow, n in names.items()]
    parts = [HEAD, "\n".join(table), "\n", NEVER, "\n".join(reasons), "\n"]
    flows = map(flow_row, FLOWS)
    parts += [FLOWS_HEAD, "\n".join(flows), "\n"]
    return "".join([*parts, GREEN, "\n".join(green), "\n"])


if __name__ == "__main__":
    FILE.write_text(document(), "utf-8")
    print(f"Wrote {FILE.relative_to(ROOT)}")
