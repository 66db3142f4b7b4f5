"""Stands in for astral-sh/setup-uv."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from filelock import FileLock

from engine.actions.stand_in import StandIn


def set_up(step: StandIn) -> None:
    """Put exactly the uv that is asked for on PATH; it comes from PyPI, once, where the real action asks GitHub."""
    version = step.inputs["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        step.fail(f"this stand-in wants an exact version, not {version!r}")
    step.unsupported(
        "python-version",
        "version-file",
        "activate-environment",
        "checksum",
        "manifest-file",
        "tool-dir",
        "tool-bin-dir",
    )
    folder = Path(step.context["cache"]) / f"uv-{version}"
    with FileLock(f"{folder}.lock"):
        if not (folder / "uv").exists():
            install(step, version, folder)
    step.add_path(folder)
    step.output("uv-version", version)
    step.output("uv-path", str(folder / "uv"))
    step.output("uvx-path", str(folder / "uvx"))
    # Packages stay on this machine, whatever the input says.
    step.output("cache-hit", "false")
    step.record()


def install(step: StandIn, version: str, folder: Path) -> None:
    """Install a version of uv into a folder."""
    environment = {
        **os.environ,
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(folder),
    }
    done = subprocess.run(
        [step.context["uv"], "tool", "install", "--quiet", f"uv=={version}"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        step.fail(f"uv {version} cannot be had: {done.stderr}")
