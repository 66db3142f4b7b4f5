"""What the benchmarks of speed share: a command's time, and how two ways compare.

Plain clocks and medians: pyperf repeats one command that leaves nothing behind, while each of these needs a fresh folder,
and takes turns with what it is compared with, so that whatever else the machine does slows both.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Failed(Exception):
    """Something that was to be timed did not do its work: it must never count as fast."""


def surroundings() -> dict[str, str]:
    """Give this process's variables without what speaks of this repository's environment or of a workflow's run."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ("VIRTUAL_ENV", "UV_PYTHON", "UV_NO_SYNC")
        and not name.startswith("GITHUB_")
    }


def seconds(
    name: str,
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
) -> float:
    """Run a command and give the seconds that it took.

    Args:
        name: What a failure is called.
        command: The command and its arguments.
        folder: Where it runs.
        env: Variables beside those of this process.

    Raises:
        Failed: If it ended with another exit status than 0; says which, and the end of what it printed.
    """
    variables = surroundings() | dict(env or {})
    start = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    took = time.perf_counter() - start
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-30:])
        raise Failed(f"{name} ended with {done.returncode}:\n{end}")
    return took


def git(folder: Path, *arguments: str) -> None:
    """Run git in a folder, as somebody whose settings do not matter."""
    me = ["-c", "user.name=Benchmark", "-c", "user.email=benchmark@example.org"]
    seconds(f"git {arguments[0]}", ["git", *me, *arguments], folder)


def make_repository(project: Path) -> None:
    """Make a rendered project what its user has: a repository with its lock."""
    git(project, "init", "--quiet", "--initial-branch=main")
    seconds("uv lock", ["uv", "lock", "--quiet"], project)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message=Render")


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Give the median of some values with the least and the greatest, for example "2.0 (1.5 to 3.1)"."""
    middle, *ends = (
        f"{value:.{digits}f}"
        for value in (statistics.median(values), min(values), max(values))
    )
    return f"{middle} ({' to '.join(ends)})"


def ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    """Give what part of the others the ones are, round by round: a round's two were measured next to each other."""
    return [one / other for one, other in zip(ones, others, strict=True)]
