"""docker.yml on a version's tag: what is pushed is what was checked, tags never go back, and it stands being cut off."""

from collections.abc import Callable
from typing import Any

import pytest
from engine import registry
from engine.fixtures import Execute, MakeRepository
from engine.repository import Event, Repository
from engine.result import FAILURE
from planting import append
from scenarios import push

TAG = "refs/tags/v1.2.0"
TAGS = {"v1.2.0", "v1.2", "v1"}
VERSION, REVISION = (
    f"org.opencontainers.image.{name}" for name in ("version", "revision")
)


def annotations(here: Repository, tag: str) -> dict[str, str]:
    """Give what an image's tag says of itself."""
    found: dict[str, str] = registry.manifest(here, registry.tags(here)[tag])[
        "annotations"
    ]
    return found


def state(here: Repository) -> Any:
    """Give what docker.yml leaves behind, without what differs from build to build."""
    names = registry.tags(here)
    indexes = {tag: registry.manifest(here, digest) for tag, digest in names.items()}
    return (
        {tag: index["annotations"] for tag, index in indexes.items()},
        {tag: len(index["manifests"]) for tag, index in indexes.items()},
        # Which tags name the same.
        sorted(sorted(t for t in names if names[t] == d) for d in set(names.values())),
    )


def test_what_is_pushed_is_what_was_checked(
    released: MakeRepository, execute: Execute
) -> None:
    """The image that was started and scanned, and the one behind the tag, have one configuration, layers included."""
    here = released()
    result = execute(here, "docker.yml", here.dispatched(TAG))
    assert result.red == set(), result.failures
    index = registry.manifest(here, registry.tags(here)["v1.2.0"])
    images = [m["digest"] for m in index["manifests"] if not m.get("annotations")]
    behind = {registry.manifest(here, d)["config"]["digest"] for d in images}
    assert len(behind) == 2
    uses = result.of("docker/build-push-action")
    assert {r["config"] for r in uses if r["inputs"]["load"] == "true"} == behind


def test_a_version_is_never_built_over(
    released: MakeRepository, execute: Execute
) -> None:
    """A tag that was moved to another commit gets no image in the place of the one that people have."""
    here = released()
    first = execute(here, "docker.yml", here.dispatched(TAG))
    assert first.red == set(), first.failures
    before = registry.tags(here)
    commit = here.commit(append("README.md", "\nMoved.\n"), "main")
    here.ask("update-ref", TAG, commit)
    result = execute(here, "docker.yml", here.dispatched(TAG))
    assert result.results["merge"] == FAILURE
    was = annotations(here, "v1.2.0")[REVISION]
    assert f"was built from {was}, not from {commit}" in result.failures.replace(
        "\n", " "
    )
    assert "release the next one" in result.failures
    assert registry.tags(here) == before


def test_latest_never_names_an_older_commit(
    released: MakeRepository, execute: Execute
) -> None:
    """A run of main that comes late keeps its own tag and leaves `latest` alone."""
    here = released()
    older = here.push()
    newer = here.push(append("README.md", "\nNewer.\n"))
    for event in (newer, older):
        result = execute(here, "docker.yml", event)
        assert result.red == set(), result.failures
    assert annotations(here, "latest")[REVISION] == newer.commit
    assert f"main-{older.commit}" in registry.tags(here)
    assert f"`latest` is newer already: it names {newer.commit}" in result.summary


@pytest.mark.parametrize("name", ["v1.2", "v1"])
def test_a_moving_tag_without_a_version_stays(
    released: MakeRepository, execute: Execute, name: str
) -> None:
    """Somebody's own image under the name of a moving tag is not lost; the message says how to move the tag."""
    here = released()
    first = execute(here, "docker.yml", here.push())
    assert first.red == set(), first.failures
    # One of the two images, which says nothing about a version.
    index = registry.manifest(here, registry.tags(here)["latest"])
    digest = index["manifests"][0]["digest"]
    folder = here.images / registry.STORED / "repositories" / here.full_name
    link = folder / "_manifests" / "tags" / name / "current" / "link"
    link.parent.mkdir(parents=True)
    link.write_text(digest, "utf-8")
    result = execute(here, "docker.yml", here.dispatched(TAG))
    assert result.results["merge"] == FAILURE
    assert f":{name} exists and does not say its version, so it stays" in " ".join(
        result.failures.split()
    )
    assert registry.tags(here)[name] == digest


def started(here: Repository) -> Event:
    """Start it on a version, as release.yml does."""
    return here.dispatched(TAG)


# Of each architecture the image, what is said of it and the index of both.
PUSHES = 2 * 3


@pytest.mark.parametrize(
    ("start", "tags", "first"),
    # Up to the tags main is no different.
    [(started, TAGS, 1), (push, {"latest", "main"}, PUSHES + 1)],
    ids=["version", "main"],
)
def test_an_image_survives_being_cut_off(
    released: MakeRepository,
    execute: Execute,
    start: Callable[[Repository], Event],
    tags: set[str],
    first: int,
) -> None:
    """Ended behind its first change, its second, and so on, each time from the beginning: run again, the end is the same."""
    undisturbed = released()
    before = undisturbed.changes
    result = execute(undisturbed, "docker.yml", start(undisturbed))
    assert result.red == set(), result.failures
    points = undisturbed.changes - before
    assert points == PUSHES + len(tags)
    for point in range(first, points + 1):
        here = released()
        event = start(here)
        here.cut_off_after = here.changes + point
        cut = execute(here, "docker.yml", event)
        assert cut.results["passed"] == FAILURE, f"point {point}"
        here.cut_off_after = None
        again = execute(here, "docker.yml", event)
        assert again.red == set(), f"point {point}: {again.failures}"
        assert state(here) == state(undisturbed), f"point {point}"


@pytest.mark.parametrize(
    ("immutable", "way_out"),
    [
        (False, "gh workflow run release.yml --ref v1.3.0"),
        (True, "Release the next version: gh workflow run release.yml -f version="),
    ],
)
def test_nothing_is_pushed_for_a_release_without_our_files(
    released: MakeRepository, execute: Execute, immutable: bool, way_out: str
) -> None:
    """A release made by hand in the web page starts docker.yml, which says what to do and pushes nothing."""
    here = released()
    here.immutable_releases = immutable
    here.commit(append("README.md", "\nMore.\n"), "main")
    here.tag("v1.3.0")
    here.publish_by_hand("v1.3.0")
    result = execute(here, "docker.yml", here.released("v1.3.0"))
    assert result.results["plan"] == FAILURE
    said = " ".join(result.failures.split())
    assert "lacks SHA256SUMS: it was made by hand" in said
    assert way_out in said
    assert registry.tags(here) == {}
