"""Runs commands in a rendered project on this machine, as a developer types them."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from harness import cache_folder, go, run

BASH_AS_A_STEP = ("--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
# What a step must not inherit from the run of these tests.
NEUTRAL = {"NO_COLOR": "1", "PYTEST_ADDOPTS": ""}


def printed(message: str) -> list[str]:
    """Give the commands that Copier prints after a copy."""
    return re.findall(r"(?m)^  (\S.*)$", message)


def hooks() -> dict[str, str]:
    """Give the variables that let pre-commit take the hooks that the engine's runner has built, or build them there."""
    folder = Path(go()).parent
    return {
        "PRE_COMMIT_HOME": str(cache_folder() / "home" / ".cache" / "pre-commit"),
        "PATH": f"{os.environ['PATH']}:{folder}",
    }


@dataclass
class Checkout:
    """A committed, locked project, and the environment that its steps share.

    Attributes:
        path: The project's folder.
        environment: Variables beside those of this process.
    """

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, command: str, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line as a step does; a failure shows its output."""
        return run(
            ["bash", *BASH_AS_A_STEP, f"exec 2>&1\n{command}"],
            cwd=self.path,
            env={**NEUTRAL, **hooks(), **self.environment},
            check=check,
        )

    def changes(self) -> str:
        """Say what differs from the last commit; empty when nothing does."""
        return self.run("git status --porcelain").stdout
