"""How fast rendering and updating are: `copier copy`, and a project's update script, against what they stand on.

uv run python benchmarks/render.py --data kind=library

`copier copy` is compared with `copier --version`, which does nothing but start; the project's own update script, on a
project one version behind, with `copier update` alone. The script also locks the dependencies, and saves what a
conflict would hide; the commit hooks, which it runs at the end, are the project's and are not timed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from cost import ROOT
from timing import Failed, git, make_repository, ratios, seconds, spread

SOURCES = ("copier.yml", "extensions", "template")
COPIER = [sys.executable, "-m", "copier"]
# In seconds.
GOAL = 1.0
UPDATE_SCRIPT = "scripts/update_from_template.py"
# What the newer version says otherwise: a line of a workflow, so that there is something to merge.
CHANGED = "template/.github/workflows/tests.yml"
OLD, NEW = "timeout-minutes: 20", "timeout-minutes: 21"


def make_template(folder: Path) -> Path:
    """Make a repository with two versions of the template: the working tree's, and one that changes a line."""
    template = folder / "template"
    template.mkdir()
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, template / source)
        else:
            shutil.copy2(ROOT / source, template / source)
    git(template, "init", "--quiet", "--initial-branch=main")
    file = template / CHANGED
    text = file.read_text("utf-8")
    if OLD not in text:
        raise Failed(f"{CHANGED} no longer says {OLD!r}: choose another line to change")
    for version, content in (("v1.0.0", text), ("v1.1.0", text.replace(OLD, NEW))):
        file.write_text(content, "utf-8")
        git(template, "add", "--all")
        git(template, "commit", "--quiet", f"--message={version}")
        git(template, "tag", version)
    return template


def copy(template: Path, project: Path, *options: str) -> list[str]:
    """Give the command that renders a project."""
    return [
        *COPIER,
        "copy",
        "--defaults",
        "--quiet",
        *options,
        str(template),
        str(project),
    ]


def make_project(template: Path, project: Path, data: list[str]) -> Path:
    """Make a project one version behind, as its user has it: a repository with its lock."""
    seconds("copier copy", copy(template, project, "--vcs-ref=v1.0.0", *data), template)
    make_repository(project)
    return project


def in_turns(
    rounds: int, one: Callable[[int], float], other: Callable[[int], float]
) -> tuple[list[float], list[float]]:
    """Measure two things, next to each other in each round, in turns one and the other first.

    Args:
        rounds: How many are counted; one before them fills caches.
        one: Gives seconds; takes the round's number.
        other: The same.
    """
    ones: list[float] = []
    others: list[float] = []
    for number in range(rounds + 1):
        turns = [(one, ones), (other, others)]
        for measure, found in reversed(turns) if number % 2 else turns:
            found.append(measure(number))
    return ones[1:], others[1:]


def render(folder: Path, rounds: int, data: list[str]) -> tuple[list[float], list[float]]:  # fmt: skip
    """Give the seconds of `copier copy`, and of Copier's start alone."""
    template = make_template(folder)

    def rendering(number: int) -> float:
        project = folder / f"render-{number}"
        took = seconds("copier copy", copy(template, project, *data), folder)
        require(project / "pyproject.toml", "copier copy")
        return took

    def starting(_: int) -> float:
        return seconds("copier --version", [*COPIER, "--version"], folder)

    return in_turns(rounds, rendering, starting)


def update(folder: Path, rounds: int, data: list[str]) -> tuple[list[float], list[float]]:  # fmt: skip
    """Give the seconds of the update script, and of `copier update` alone."""
    project = make_project(make_template(folder), folder / "project", data)

    def updating(way: str, command: list[str], number: int) -> float:
        again = folder / f"{way}-{number}"
        shutil.copytree(project, again)
        took = seconds(way, command, again)
        require(again / ".github/workflows/tests.yml", way, NEW)
        return took

    script = ["uv", "run", UPDATE_SCRIPT, "--no-hooks"]
    plain = [*COPIER, "update", "--defaults", "--quiet"]
    return in_turns(
        rounds,
        lambda number: updating("script", script, number),
        lambda number: updating("copier-update", plain, number),
    )


def require(file: Path, command: str, text: str = "") -> None:
    """Raise Failed, which names the command, where it did not write a file with this text."""
    if not file.is_file() or text not in file.read_text("utf-8"):
        raise Failed(f"{command} did not write {text!r} into {file.name}")


def report(
    copying: tuple[list[float], list[float]], updating: tuple[list[float], list[float]]
) -> str:
    """Give a table of Markdown with the medians, and whether the goal is met."""
    rows = {
        ("`copier copy`", "`copier --version`"): copying,
        ("the update script, hooks aside", "`copier update`"): updating,
    }
    lines = [
        "| what | seconds | compared with | seconds | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for (what, base), (ones, others) in rows.items():
        cells = [what, spread(ones, 2), base, spread(others, 2)]
        lines.append(f"| {' | '.join(cells)} | {spread(ratios(ones, others), 2)} |")
    verdict = "met" if statistics.median(copying[0]) <= GOAL else "NOT met"
    lines += ["", f"The goal, `copier copy` in at most {GOAL:.0f} s, is {verdict}."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the figures for a project with the answers given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    data = [f"--data={pair}" for pair in options.data]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        try:
            found = []
            for measure in (render, update):
                folder = Path(name) / measure.__name__
                folder.mkdir()
                found.append(measure(folder, options.rounds, data))
        except Failed as problem:
            print(f"render.py: {problem}", file=sys.stderr)
            return 1
    print(report(*found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
