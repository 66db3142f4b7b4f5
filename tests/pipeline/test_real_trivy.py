"""The real Trivy, where this machine has one, with its real database: what trivy.yml has it do, word for word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from harness import ROOT, unproven, which
from native import Checkout
from planting import MEDIUM, MEDIUM_ID, dependency
from scenarios import SMALL

WORKFLOW = ROOT / "template/.github/workflows/trivy.yml"
COMMANDS: dict[str, str] = {
    step["name"]: step["run"]
    for step in yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["trivy"]["steps"]
    if "run" in step
}


@pytest.fixture
def checkout(locked: Callable[..., Path], tmp_path: Path) -> Checkout:
    """Give a locked project; skips where there is no Trivy."""
    if which("trivy") is None:
        unproven("no Trivy on this machine: what the real one makes of a project")
    shutil.copytree(locked(**SMALL), tmp_path / "project")
    here = Checkout(tmp_path / "project")
    here.environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary.md")
    return here


def scan(here: Checkout) -> None:
    """Run all commands between the set-up and the gate; each has to succeed."""
    for name, command in COMMANDS.items():
        if not name.startswith(("Ask whether", "Require that nothing")):
            here.run(command)


def test_a_new_project_is_scanned(checkout: Checkout) -> None:
    """Its dependencies are seen. Whether one of them is vulnerable changes from day to day, so that is left open."""
    scan(checkout)
    sarif = json.loads((checkout.path / "trivy/results.sarif").read_text("utf-8"))
    assert [part["tool"]["driver"]["name"] for part in sarif["runs"]] == ["Trivy"]


def test_a_vulnerable_dependency_is_red(checkout: Checkout) -> None:
    """It is named in the gate's own output, in the table and in what code scanning gets."""
    dependency(MEDIUM)(checkout.path)
    scan(checkout)
    gate = checkout.run(COMMANDS["Require that nothing was found"], check=False)
    assert gate.returncode == 1
    assert MEDIUM_ID in gate.stdout
    summary = Path(checkout.environment["GITHUB_STEP_SUMMARY"]).read_text("utf-8")
    assert MEDIUM_ID in summary
    assert MEDIUM_ID in (checkout.path / "trivy/results.sarif").read_text("utf-8")
