"""publish.yml, beyond what scenarios and defects show of it: the same bits, run twice, and ended at any point."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.fixtures import Execute, MakeRepository
from engine.repository import Event, Repository
from engine.result import FAILURE, Result
from meddling import (
    LIST,
    SDIST,
    WHEEL,
    Meddle,
    changes,
    files_of,
    give_token,
    release_of,
    started,
    trial,
)
from planting import append
from scenarios import documentation

SECTION = "## Installation"
MINT, UPLOAD = ("POST", "pypi/_/oidc/mint-token", 200), ("POST", "pypi/legacy/", 200)

Publish = Callable[[Repository, Event], Result]


@pytest.fixture
def publish(execute: Execute) -> Publish:
    """Give what runs publish.yml."""
    return lambda here, event: execute(here, "publish.yml", event)


def state(here: Repository) -> Any:
    """Give what publishing leaves behind."""
    files = {name: dict(index.files) for name, index in here.indexes.items()}
    return files, here.releases, here.latest, here.dispatches


def test_what_is_published_is_what_was_tested(
    released: MakeRepository, publish: Publish
) -> None:
    """What build.yml built and tested, what is attached and what the index has is the same to the byte; notes say so."""
    here = released()
    tested = Path(here.folder) / "runs/1/artifacts/dist"
    before = release_of(here)["body"]
    result = publish(here, started(here))
    assert result.red == set(), result.failures
    contents = here.indexes["pypi"].contents
    assert contents == {f.name: f.read_bytes() for f in tested.iterdir()}
    assert set(contents) == {WHEEL, SDIST}
    assert contents.items() <= files_of(here).items()
    digests = dict(
        line.split()[::-1] for line in files_of(here)[LIST].decode().splitlines()
    )
    notes = release_of(here)["body"]
    assert notes.startswith(before.rstrip())
    assert notes.count(SECTION) == notes.count("pip install sample-project==1.2.0") == 1
    for name in contents:
        assert notes.count(f"| `{name}` | `{digests[name]}` |") == 1
    for file in here.indexes["pypi"].files.values():
        assert len(file.attestations) == 1
        assert file.fields["name"] == ["sample-project"]


def test_publishing_again_changes_nothing(
    released: MakeRepository, publish: Publish
) -> None:
    here = released()
    publish(here, started(here))
    once, asked = state(here.copy(here.folder.with_name("once"))), len(here.requests)
    for event in (started(here), here.released("v1.2.0")):
        result = publish(here, event)
        assert result.red == set(), result.failures
    assert state(here) == once
    # The index was shown the files, and asked for nothing new; GitHub was only asked.
    assert changes(here, asked) == [MINT, UPLOAD, UPLOAD] * 2


def test_a_trial_of_another_commit_with_that_version_is_red(
    released: MakeRepository, publish: Publish
) -> None:
    """Two branches have the same distance from the tag, and so the same version: the second is no trial of anything."""
    here = released()
    here.ask("branch", "other", "main")
    here.commit(documentation, "main")
    here.commit(append("src/sample_project/sizes.py", "\n# Other.\n"), "other")
    assert publish(here, trial(here)).red == set()
    before = dict(here.indexes["testpypi"].files)
    result = publish(here, here.dispatched("refs/heads/other", index="testpypi"))
    assert result.results["testpypi"] == FAILURE
    assert "File already exists" in result.failures
    assert here.indexes["testpypi"].files == before


def no_preparation(here: Repository) -> None:
    """Leave the repository as it is."""


def go_on(here: Repository) -> None:
    """Commit something to main."""
    here.commit(documentation, "main")


@pytest.mark.parametrize(
    ("prepare", "happens", "changing"),
    [
        (no_preparation, started, 4),
        (give_token("pypi"), started, 3),
        (go_on, trial, 3),
    ],
    ids=["release", "with a token", "trial"],
)
def test_publishing_survives_being_cut_off(
    released: MakeRepository,
    publish: Publish,
    prepare: Meddle,
    happens: Callable[[Repository], Event],
    changing: int,
) -> None:
    """Ended behind each request that changes something, and started again: the end is that of an undisturbed run."""
    before = released()
    prepare(before)
    undisturbed = before.copy(before.folder.with_name("undisturbed"))
    asked = len(undisturbed.requests)
    result = publish(undisturbed, happens(undisturbed))
    assert result.red == set(), result.failures
    # Each of these can be the last: the exchange, unless there is a token, two uploads and, of a release, the notes.
    assert len(changes(undisturbed, asked)) == changing
    for allowed in range(1, changing + 1):
        here = before.copy(before.folder.with_name(f"cut-{allowed}"))
        here.cut_off_after = here.changes + allowed
        cut = publish(here, happens(here))
        assert FAILURE in cut.results.values()
        here.cut_off_after = None
        result = publish(here, happens(here))
        assert result.red == set(), result.failures
        assert state(here) == state(undisturbed)
