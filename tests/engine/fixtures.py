"""Fixtures for tests that execute workflows."""

import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from harness import QUESTIONS, Renderer, interpreter, keep, run, tool, unproven
from planting import FAST_TESTS
from scenarios import RELEASED

from engine import containers, step_coverage
from engine.actions.catalogue import REAL_ACTIONS
from engine.repository import Event, Repository
from engine.result import Result
from engine.run import run_workflow

Execute = Callable[..., Result]
MakeRepository = Callable[..., Repository]

# Where a repository's state is kept beside its files.
STATE = "state.pickle"


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


@pytest.fixture(scope="session")
def release_once(
    locked: Callable[..., Path], runner_folder: Path, shared: Path
) -> Callable[..., Repository]:
    """Give what makes a repository and its release, by running release.yml, once for each kind of release."""

    def make(*, tag: str, private: bool, draft: bool) -> Repository:
        name = f"{tag}{'-private' * private}{'-draft' * draft}"
        place = shared / "released" / name
        with FileLock(f"{shared / 'released'}-{name}.lock"):
            if not (place / STATE).exists():
                here = Repository(place, locked(**RELEASED), private=private)
                release_for_real(here, tag, draft, runner_folder)
                (place / STATE).write_bytes(pickle.dumps(here))
        # Written a few lines above.
        found: Repository = pickle.loads((place / STATE).read_bytes())  # noqa: S301
        return found

    return make


def release_for_real(
    here: Repository, tag: str, draft: bool, runner_folder: Path
) -> None:
    """Run release.yml on a tag, without the project's tests; what it starts is left to be run."""
    here.commit(FAST_TESTS, "main", "Rest")
    event = here.tag(tag)
    if draft:
        event = here.dispatched(event.ref, draft=True)
    result = run_workflow(
        here, "release.yml", event, runner_folder, system="ubuntu-latest"
    )
    assert result.red == set(), result.failures
    step_coverage.note(result)


@pytest.fixture
def released(release_once: Callable[..., Repository], tmp_path: Path) -> MakeRepository:
    """Give what gives a repository that has a release; each is a new copy.

    It is a small library with an image, and publishes to PyPI. What release.yml started waits to be run.
    """

    def make(
        *, tag: str = "v1.2.0", private: bool = False, draft: bool = False
    ) -> Repository:
        number = sum(1 for _ in tmp_path.glob("released-*"))
        made = release_once(tag=tag, private=private, draft=draft)
        return made.copy(tmp_path / f"released-{number}")

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
