"""release.yml, beyond what flows and defects show of it: the order of the notes, and being ended at any point."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.fixtures import Execute, MakeRepository
from engine.repository import Event, Repository
from engine.result import FAILURE, Result
from planting import FAST_TESTS, append
from scenarios import RELEASED as SHIPPED


@pytest.fixture
def release(execute: Execute) -> Callable[[Repository, Event], Result]:
    """Give what runs release.yml, the matrices for one system."""
    return lambda here, event: execute(
        here, "release.yml", event, system="ubuntu-latest"
    )


Release = Callable[[Repository, Event], Result]


def test_notes_have_headings_in_a_fixed_order(
    repository: MakeRepository, release: Release
) -> None:
    here = repository(**SHIPPED)
    here.commit(FAST_TESTS, "main")
    here.ask("tag", "v1.1.0", "main")
    for message in ("Rest", "Bump the drum", "fix: keep the tune", "feat(api)!: sing"):
        here.commit(append("docs/pipeline.md", f"\n{message}\n"), "main", message)
    release(here, here.tag("v1.2.0"))
    notes = here.releases[0]["body"]
    headings = [line for line in notes.splitlines() if line.startswith("#")]
    assert headings == [
        "## Changes",
        "### Breaking changes",
        "### Fixes",
        "### Dependencies",
        "### Other changes",
    ]
    assert "Lock" not in notes


def state(here: Repository) -> Any:
    """Give what a release leaves behind, without what may differ from build to build."""
    return (
        here.latest,
        sorted({(d.workflow, d.ref) for d in here.dispatches}),
        [
            {
                key: made[key]
                for key in ("tag_name", "body", "draft", "prerelease", "immutable")
            }
            | {"assets": sorted(asset["name"] for asset in made["assets"])}
            for made in here.releases
        ],
    )


def test_a_release_survives_being_cut_off(
    repository: MakeRepository, release: Release, tmp_path: Path
) -> None:
    """The first run is cut off behind its first change, the next behind its second, and so on: the end is the same."""
    undisturbed = repository(**SHIPPED)
    undisturbed.commit(FAST_TESTS, "main")
    release(undisturbed, undisturbed.tag("v1.2.0"))
    here = Repository(tmp_path / "cut", undisturbed.git)
    event = here.tag("v1.2.0")
    for allowed in range(1, undisturbed.changes + 1):
        here.cut_off_after = here.changes + allowed
        assert release(here, event).results["release"] == FAILURE
        here.cut_off_after = None
    again = release(here, event)
    assert again.red == set(), again.failures
    assert state(here) == state(undisturbed)
