"""Fixtures for tests that execute workflows."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from harness import QUESTIONS, Renderer, interpreter, keep, run, tool, unproven

from engine import containers, step_coverage
from engine.actions.catalogue import REAL_ACTIONS
from engine.repository import Event, Repository
from engine.result import Result
from engine.run import run_workflow

Execute = Callable[..., Result]
MakeRepository = Callable[..., Repository]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch for real actions."""
    parser.addoption(
        "--real-actions",
        metavar="FOLDER|network",
        help="take real actions where they can be: from a folder with OWNER/REPOSITORY for each, or from GitHub",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Hand the switch to every process of the run."""
    if real := config.getoption("--real-actions"):
        os.environ[REAL_ACTIONS] = real


def pythons(answers: Mapping[str, Any]) -> list[str]:
    """Give the Pythons that a project with these answers is tested on, oldest first."""
    found: list[str] = answers.get(
        "python_versions", QUESTIONS["python_versions"]["default"]
    )
    return found


def missing_pythons(answers: Mapping[str, Any]) -> list[str]:
    """Give those Pythons that this machine has not."""
    return [version for version in pythons(answers) if interpreter(version) is None]


def require_pythons(answers: Mapping[str, Any]) -> None:
    """Skip, as unproven, what asks for a Python that this machine has not."""
    if absent := missing_pythons(answers):
        unproven(f"no interpreter for Python {', '.join(absent)}: the matrix cells")


@pytest.fixture(scope="session")
def runner_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the folder of the runner's tools; ends what they started."""
    if sys.platform != "linux":
        unproven("workflows are run on Linux alone")
    yield tmp_path_factory.mktemp("runner")
    containers.stop()


@pytest.fixture(scope="session")
def locked(render: Renderer, shared: Path) -> Callable[..., Path]:
    """Give what makes a committed project with its lock, once for each set of answers."""

    def make(**answers: Any) -> Path:
        rendered = render(github_user="octo", **answers)
        place = shared / "locked" / rendered.path.name
        with FileLock(f"{place.parent}-{place.name}.lock"):
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                partial = place.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                made = rendered.workable(partial)
                # A lock is the same whichever Python makes it; the project's newest may not be here.
                here = [v for v in pythons(answers) if interpreter(v)]
                run([tool("uv"), "lock", "-q", f"--python={here[-1]}"], cwd=made)
                run([tool("git"), "add", "--all"], cwd=made)
                run([tool("git"), "commit", "-q", "--message=Lock"], cwd=made)
                keep(made, place)
        return place

    return make


@pytest.fixture
def repository(locked: Callable[..., Path], tmp_path: Path) -> MakeRepository:
    """Give what makes a repository of a project for some answers."""

    def make(*, private: bool = False, **answers: Any) -> Repository:
        return Repository(tmp_path / "github", locked(**answers), private=private)

    return make


@pytest.fixture
def execute(runner_folder: Path) -> Execute:
    """Give what runs a workflow of a repository for an event; which steps ran is noted."""

    def run_it(
        repository: Repository,
        workflow: str,
        event: Event,
        *,
        scenario: str | None = None,
        system: str | None = None,
        **variables: str,
    ) -> Result:
        result = run_workflow(
            repository,
            workflow,
            event,
            runner_folder,
            variables=variables,
            system=system,
        )
        step_coverage.note(result, scenario)
        return result

    return run_it
