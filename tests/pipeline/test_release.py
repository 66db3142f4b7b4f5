"""release.yml, beyond what flows and defects show of it: the order of the notes, and being ended at any point."""

from collections.abc import Callable
from typing import Any

import pytest
from engine.fixtures import Execute, MakeRepository
from engine.repository import Event, Repository
from engine.result import FAILURE, Result
from meddling import changes, one_click, tagged
from planting import FAST_GATES, append
from scenarios import SHIPPED


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
    here.commit(FAST_GATES, "main")
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
    """Give what a release leaves behind, without what may differ from build to build.

    A workflow may be started twice: flows show that the second run changes nothing.
    """
    return (
        here.ask("tag", "--list"),
        here.latest,
        sorted({(d.workflow, d.ref, str(d.inputs)) for d in here.dispatches}),
        [
            {
                key: made[key]
                for key in ("tag_name", "body", "draft", "prerelease", "immutable")
            }
            | {"assets": sorted(asset["name"] for asset in made["assets"])}
            for made in here.releases
        ],
    )


def draft(here: Repository) -> Event:
    """Start a release that stays a draft."""
    return here.dispatched(here.tag("v1.2.0").ref, draft=True)


# Of a release by a tag: the draft, its five files, the publication, two starts. A draft ends after its files. A click makes
# the tag and starts the release of it.
STARTS: dict[Callable[[Repository], Event], int] = {tagged: 9, draft: 6, one_click: 2}


@pytest.mark.parametrize("start", STARTS, ids=lambda start: start.__name__)
def test_a_release_survives_being_cut_off(
    repository: MakeRepository,
    release: Release,
    start: Callable[[Repository], Event],
) -> None:
    """Ended behind its first change, its second, and so on, each time from the beginning: run again, the end is the same."""
    before = repository(**SHIPPED)
    before.commit(FAST_GATES, "main")
    undisturbed = before.copy(before.folder.with_name("undisturbed"))
    result = release(undisturbed, start(undisturbed))
    assert result.red == set(), result.failures
    assert undisturbed.changes == STARTS[start]
    for point in range(1, STARTS[start] + 1):
        here = before.copy(before.folder.with_name(f"cut-{point}"))
        event = start(here)
        here.cut_off_after = point
        assert FAILURE in release(here, event).results.values(), f"point {point}"
        assert changes(here) == changes(undisturbed)[:point]
        here.cut_off_after = None
        again = release(here, event)
        assert again.red == set(), f"point {point}: {again.failures}"
        assert state(here) == state(undisturbed), f"point {point}"
