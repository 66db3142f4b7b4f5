"""The owner of new repositories: makes them on GitHub, and has gh and git logged in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.app_tokens import app_token
from engine.repository import Repository
from harness import run, tool

SECRET = "made-up"  # noqa: S105
MAY = dict.fromkeys(
    ("administration", "actions", "contents", "pull-requests", "workflows"), "write"
)
# As by `gh auth login` and `gh auth setup-git`.
LOGIN = {
    "GH_TOKEN": app_token(SECRET, MAY),
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "credential.helper",
    "GIT_CONFIG_VALUE_0": "!gh auth git-credential",
}


def new_repository(folder: Path, **more: Any) -> Repository:
    """Give a repository on GitHub that has just been created, and holds nothing.

    Args:
        folder: Where it is kept; not there yet.
        more: What is otherwise than by default.
    """
    nothing = folder.with_name(f"{folder.name}-nothing")
    run([tool("git"), "init", "-q", "--initial-branch=main", str(nothing)])
    return Repository(folder, nothing, immutable_releases=False, **more)
