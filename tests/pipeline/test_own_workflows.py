"""This repository's own workflows, run by act: on its working tree, and where that would take long on a stand-in.

They are run without being noted, since what is counted are the steps of the workflows that projects get.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.repository import Event, Repository
from engine.result import SKIPPED, SUCCESS, Result
from engine.run import run_workflow, runner
from harness import ROOT, interpreter, run, tool
from planting import FAST_TESTS, Plant, all_of, replace, write

Execute = Callable[..., Result]


@pytest.fixture
def own(tmp_path: Path) -> Repository:
    """Give this repository with its history, and what the working tree holds as the newest commit on main."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is an export without git")
    project = tmp_path / "project"
    git = tool("git")
    run([git, "clone", "-q", "--no-checkout", str(ROOT), str(project)])
    run([git, "checkout", "-q", "-B", "main"], cwd=project)
    tree = [git, f"--git-dir={project / '.git'}", f"--work-tree={ROOT}"]
    run([*tree, "add", "--all"], cwd=ROOT)
    run([git, "commit", "-q", "--allow-empty", "--message=Now"], cwd=project)
    return Repository(tmp_path / "github", project, name="copier-python-pipeline")


@pytest.fixture
def execute(runner_folder: Path) -> Execute:
    """Give what runs a workflow for an event, on Linux alone."""

    def run_it(here: Repository, file: str, event: Event, **variables: str) -> Result:
        return run_workflow(
            here,
            file,
            event,
            runner_folder,
            variables=variables,
            system="ubuntu-latest",
        )

    return run_it


def ran(result: Result) -> set[str]:
    """Give the steps that ran, of all jobs."""
    return {s.name for job in result.jobs for s in job.steps if s.outcome != SKIPPED}


# ---- What projects run, too ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "step", "uploads"),
    [
        ("pre-commit.yml", "Run every hook on every file", set()),
        ("gitleaks.yml", "Look for secrets in the whole history", set()),
        ("semgrep.yml", "Scan with the public rules", {"semgrep-public"}),
        ("trivy.yml", "Require that nothing was found", {"trivy"}),
        ("ossf-scorecard.yml", "Score the repository", {"scorecard"}),
    ],
)
def test_a_workflow_that_projects_have_is_green_here(
    file: str, step: str, uploads: set[str], own: Repository, execute: Execute
) -> None:
    """On this very repository: with the real hooks and Gitleaks, and with what stands in for the rest in projects."""
    result = execute(own, file, own.push())
    assert result.red == set(), result.failures
    assert set(result.results.values()) == {SUCCESS}
    assert step in ran(result)
    assert {upload.category for upload in result.uploads} == uploads


# ---- Tests and releases ----------------------------------------------------------------------------------------------

SECTION = """\
# Changelog

## 1.2.3 - 2026-12-01

### What changes in projects

A step.

### Questions

None.

### How to update

As ever.
"""
# In the place of the tests: one that ends at once, and says with which Python.
ONE_TEST = """\
import sys

import pytest


@pytest.mark.quick
def test_nothing() -> None:
    print("ran on", sys.version)
"""
PYPROJECT = """\
[project]
name = "stand-in"
version = "0"
requires-python = ">=3.11"

[dependency-groups]
dev = ["pytest==9.1.1", "pytest-xdist==3.8.0"]

[tool.uv]
package = false
exclude-newer = "2026-11-22T00:00:00Z"

[tool.pytest.ini_options]
addopts = ["-rP"]
markers = ["quick: all"]
"""
CI = """\
#!/usr/bin/env bash
echo "everything, with $(type -P uv)"
"""
# Who runs the tests may do what is to be done, and installs no Python.
SUDO = """\
#!/bin/sh
case "$*" in
  *" uv python install "*) echo "left out: $*" ;;
  *) exec "$@" ;;
esac
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Repository:
    """Give a repository with this one's workflows and release script, and with next to no tests."""
    project = tmp_path / "project"
    for name in (
        ".github/workflows/tests.yml",
        ".github/workflows/release.yml",
        ".ci/notes.py",
        "copier.yml",
    ):
        write(name, (ROOT / name).read_text("utf-8"))(project)
    all_of(
        write("CHANGELOG.md", SECTION),
        write("tests/test_nothing.py", ONE_TEST),
        write("pyproject.toml", PYPROJECT),
        write(".ci/run", CI),
        write(".gitignore", "/uv.lock\n.venv/\n"),
        one_python,
    )(project)
    (project / ".ci/run").chmod(0o755)
    git = tool("git")
    run([git, "init", "-q", "-b", "main"], cwd=project)
    run([git, "add", "--all"], cwd=project)
    run([git, "commit", "-q", "--message=Stand-in"], cwd=project)
    return Repository(tmp_path / "github", project, name="copier-python-pipeline")


def one_python(work: Path) -> None:
    """Leave of the matrix the newest Python that this machine has; the cell with little installed stays beside it."""
    pythons = ["3.11", "3.12", "3.13", "3.14"]
    newest = [version for version in pythons if interpreter(version)][-1]
    old = f"python: {pythons}".replace("'", '"')
    replace(".github/workflows/tests.yml", old, f'python: ["{newest}"]')(work)


@pytest.fixture
def machine(runner_folder: Path, tmp_path: Path) -> dict[str, str]:
    """Give the variables of a runner that has a stand-in for sudo."""
    write("bin/sudo", SUDO)(tmp_path)
    (tmp_path / "bin/sudo").chmod(0o755)
    path = runner(runner_folder)["PATH"]
    return {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{path}", "CI": "true"}


def test_a_tag_makes_a_release_when_the_tests_are_green(
    stand_in: Repository, execute: Execute, machine: dict[str, str]
) -> None:
    """The quick layer in each cell, everything, what sums up; then the release with the changelog's section."""
    result = execute(stand_in, "release.yml", stand_in.tag("v1.2.3"), **machine)
    assert result.red == set(), result.failures
    assert {job.result for job in result.jobs} == {SUCCESS}
    cells = result.cells("quick", "tests.yml")
    assert [job.matrix["without"] for job in cells].count("go gh docker") == 1
    assert len(cells) == 2
    for job in cells:
        assert f"ran on {job.matrix['python']}." in job.step("Run the quick layer").log
    everything = result.job("everything", "tests.yml")
    assert (
        "everything, with /"
        in everything.step("Run every test, with nothing left out").log
    )
    (release,) = stand_in.releases
    assert (release["tag_name"], release["draft"]) == ("v1.2.3", False)
    assert "### How to update\n\nAs ever." in release["body"]


BROKEN: list[Any] = [
    pytest.param(
        replace("CHANGELOG.md", "None.", ""),
        {"release.yml / check / Require that the changelog says what the tag brings"},
        id="the changelog leaves out a part",
    ),
    pytest.param(
        all_of(FAST_TESTS, replace(".github/workflows/tests.yml", '"true"', '"false"')),
        {"tests.yml / passed / Pass"},
        id="the tests are red",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("plant", "red"), BROKEN)
def test_nothing_is_released_that_is_red(
    plant: Plant, red: set[str], stand_in: Repository, execute: Execute
) -> None:
    """What makes the tests red is shown by tests/test_policy.py: their job `passed` tries all that its jobs can end with."""
    stand_in.push(plant)
    result = execute(stand_in, "release.yml", stand_in.tag("v1.2.3"))
    assert result.red == red, result.failures
    assert result.results["release"] == SKIPPED
    assert stand_in.releases == []
