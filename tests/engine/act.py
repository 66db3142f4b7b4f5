"""The engine: act, in host mode."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness import go_tool
from policy import RUNNERS

PACKAGE, VERSION = "github.com/nektos/act", "v0.2.87"
# Runners of systems that are not here: their jobs run on this one.
FOREIGN_RUNNERS = {"ubuntu-24.04-arm", "macos-latest", "windows-latest"}
# Seconds. The longest scenario takes a few minutes.
LIMIT = 900


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
