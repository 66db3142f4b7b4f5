"""The engine: act, in host mode."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness import go_tool, tool
from policy import RUNNERS

PACKAGE, VERSION = "github.com/nektos/act", "v0.2.87"
# Seconds. The longest scenario takes a few minutes.
LIMIT = 900


def on_one_core() -> list[str]:
    """Give the start of a command line that keeps to one core, where pytest-xdist runs several processes.

    What one of them starts must not slow down a server that another waits for.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker:
        return []
    cores = sorted(os.sched_getaffinity(0))
    return [tool("taskset"), "--cpu-list", str(cores[int(worker[2:]) % len(cores)])]


def execute(
    folder: Path,
    arguments: list[str],
    environment: Mapping[str, str],
    workspaces: Path,
) -> subprocess.CompletedProcess[str]:
    """Run act to its end; ends it, and what it started, when it takes too long.

    Args:
        folder: The checkout that holds the workflow under test.
        arguments: The event, the workflow and its inputs, as act's command line has them.
        environment: All variables that act and the steps see.
        workspaces: Where jobs get their folders; removed afterwards.
    """
    command = [
        *on_one_core(),
        go_tool(PACKAGE, VERSION),
        *arguments,
        "--json",
        # Jobs start empty, as on GitHub; the stand-in for checkout fills them.
        "--no-skip-checkout",
        "--pull=false",
        "--no-cache-server",
        "--concurrent-jobs=1",
        f"--action-cache-path={workspaces}",
        # act skips a job whose runner it does not know, and calls that a success.
        *(f"--platform={runner}=-self-hosted" for runner in sorted(RUNNERS)),
    ]
    try:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(timeout=LIMIT)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    finally:
        shutil.rmtree(workspaces, ignore_errors=True)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)
