"""Finds files as @actions/glob does, by which upload-artifact and attest understand a path."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from engine.actions.stand_in import StandIn

WILDCARD = re.compile(r"[*?\[]")


def find(
    step: StandIn, lines: Iterable[str], *, hidden: bool
) -> tuple[list[Path], list[Path]]:
    """Give the files that an input names, and the places where the search for them began.

    Args:
        step: Whose input it is.
        lines: Paths and wildcards; a folder means all below it, ! takes away what was found so far, # is a remark.
        hidden: Whether files and folders whose name begins with a dot are found. What is above the place where the
            search began does not count.
    """
    found: set[Path] = set()
    began: list[Path] = []
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        base, pattern = anchored(step, line.removeprefix("!").strip())
        if line.startswith("!"):
            found -= matches(base, pattern)
        else:
            found |= matches(base, pattern)
            began.append(base.joinpath(*literal_parts(pattern)))
    # What lies below another place is found from there.
    roots = [
        place for place in dict.fromkeys(began) if not set(place.parents) & set(began)
    ]
    files = sorted(path for path in found if path.is_file())
    if not hidden:
        files = [file for file in files if not is_hidden(file, roots)]
    return files, roots


def anchored(step: StandIn, pattern: str) -> tuple[Path, str]:
    """Give the folder that a pattern is relative to, and the pattern without it."""
    if pattern.startswith("/"):
        base, rest = Path("/"), pattern[1:]
    elif re.match(r"~(/|$)", pattern):
        base, rest = Path(step.environment["HOME"]), pattern[2:]
    else:
        base, rest = step.workspace, re.sub(r"^\.(/|$)", "", pattern)
    if {".", ".."} & set(rest.split("/")):
        step.fail(
            f"Invalid pattern '{pattern}'. Relative pathing '.' and '..' is not allowed."
        )
    return base, rest


def literal_parts(pattern: str) -> Iterable[str]:
    """Give the parts of a pattern before the first that has a wildcard."""
    return takewhile(lambda part: not WILDCARD.search(part), Path(pattern).parts)


def matches(base: Path, pattern: str) -> set[Path]:
    """Give what fits a pattern, and all that is below it."""
    below = f"{pattern}/**".removeprefix("/")
    return {
        base / name
        for part in (pattern, below)
        # Path.glob keeps out of folders that are links.
        for name in glob.glob(  # noqa: PTH207
            part, root_dir=base, recursive=True, include_hidden=True
        )
        # Before Python 3.13 a file counts as a folder here.
        if not name.endswith("/") or (base / name).is_dir()
    }


def is_hidden(file: Path, roots: Iterable[Path]) -> bool:
    """Tell whether a file, or a folder on the way to it from where the search began, is hidden."""
    root = next(root for root in roots if file.is_relative_to(root))
    return any(
        part.startswith(".") for part in (root.name, *file.relative_to(root).parts)
    )
