"""A pytest plugin: repositories that have a release, made once by release.yml itself."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from engine import step_coverage
from engine.fixtures import MakeRepository
from engine.repository import Repository
from engine.run import run_workflow
from filelock import FileLock
from planting import FAST_GATES
from scenarios import SHIPPED

# Where a repository's state is kept beside its files.
STATE = "state.pickle"


def release(here: Repository, runner_folder: Path) -> None:
    """Run release.yml on the tag v1.2.0, with gates that end soon; what it starts is left to be run."""
    here.commit(FAST_GATES, "main", "Rest")
    event = here.tag("v1.2.0")
    result = run_workflow(
        here, "release.yml", event, runner_folder, system="ubuntu-latest"
    )
    assert result.red == set(), result.failures
    step_coverage.note(result)


@pytest.fixture(scope="session")
def release_once(
    locked: Callable[..., Path], runner_folder: Path, shared: Path
) -> Callable[[bool], Repository]:
    """Give what makes a repository with a release, public or private, once for all processes."""

    def make(private: bool) -> Repository:
        place = shared / "released" / ("private" if private else "public")
        with FileLock(f"{shared / 'released'}-{place.name}.lock"):
            if not (place / STATE).exists():
                here = Repository(place, locked(**SHIPPED), private=private)
                release(here, runner_folder)
                (place / STATE).write_bytes(pickle.dumps(here))
        # Written a few lines above.
        found: Repository = pickle.loads((place / STATE).read_bytes())  # noqa: S301
        return found

    return make


@pytest.fixture
def released(
    release_once: Callable[[bool], Repository], tmp_path: Path
) -> MakeRepository:
    """Give what gives a repository that has a release; each is a new copy.

    It is a small library with an image, and publishes to PyPI. What release.yml started waits to be run.
    """

    def make(*, private: bool = False) -> Repository:
        number = sum(1 for _ in tmp_path.glob("released-*"))
        return release_once(private).copy(tmp_path / f"released-{number}")

    return make
