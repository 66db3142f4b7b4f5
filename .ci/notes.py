#!/usr/bin/env python3
"""Print the notes of a release: the section of CHANGELOG.md that its tag names.

Locally: python3 .ci/notes.py v1.2.3

Exits with 1 where the tag is no version, the section is missing or leaves out what
people who update a project need, or a question is new, gone or renamed and not named.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

VERSION = re.compile(r"v\d+\.\d+\.\d+")
# What a section tells, in this order.
PARTS = ["What changes in projects", "Questions", "How to update"]


class Problem(Exception):
    """A condition that the person who made the tag can mend."""


def section(changelog: str, tag: str) -> str:
    """Give what stands under a tag's heading, for example "## 1.2.3 - 2026-12-01"; raises Problem where it lacks a part."""
    if not VERSION.fullmatch(tag):
        raise Problem(f"{tag} is no vX.Y.Z: push such a tag, or start this on one")
    heading = re.escape(tag.removeprefix("v"))
    found = re.search(
        rf"^## {heading}(?: [^\n]*)?\n(.*?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if found is None:
        raise Problem(
            f"CHANGELOG.md has no section `## {tag.removeprefix('v')} - DATE`"
        )
    parts = re.findall(
        r"^### ([^\n]*)\n+(.*?)(?=^### |\Z)", found[1], re.MULTILINE | re.DOTALL
    )
    told = [name for name, text in parts if text.strip()]
    if told != PARTS:
        raise Problem(
            f"the section of {tag} must tell, in this order: {PARTS}; it tells {told}"
        )
    return found[1].strip() + "\n"


def questions(copier: str) -> set[str]:
    """Give the names of the questions in copier.yml, without values that are only computed."""
    blocks = re.findall(r"^([a-z]\w*):\n((?:(?: .*)?\n)*)", copier, re.MULTILINE)
    return {
        name for name, block in blocks if not re.search(r"(?m)^  when: false$", block)
    }


def unnamed(before: str, now: str, text: str) -> list[str]:
    """Give the questions that came or went between two versions of copier.yml and that a text does not name."""
    changed = questions(before) ^ questions(now)
    return sorted(name for name in changed if f"`{name}`" not in text)


def git(*arguments: str) -> str:
    """Run git and give what it prints; raises Problem where it fails."""
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Problem(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def notes(tag: str) -> str:
    """Give the notes of a tag, which may be one that is still to be made; raises Problem where something is missing."""
    text = section(Path("CHANGELOG.md").read_text(encoding="utf-8"), tag)
    tags = git("tag", "--merged=HEAD", "--sort=-version:refname").split()
    earlier = [name for name in tags if VERSION.fullmatch(name) and name != tag]
    # The first release has nothing to be compared with.
    for before in earlier[:1]:
        now = Path("copier.yml").read_text(encoding="utf-8")
        if missing := unnamed(git("show", f"{before}:copier.yml"), now, text):
            raise Problem(
                f"since {before} these questions are new or gone: {missing}; "
                "name each as `name`, with what takes its place"
            )
    return text


def main(arguments: list[str]) -> int:
    """Print the notes; gives 0, or 1 where there are none to print."""
    try:
        print(notes(*arguments), end="")
    except Problem as problem:
        print(f"notes.py: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
