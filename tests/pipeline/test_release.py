"""release.yml, from the tag to what it starts: the release, its notes and files, and what is refused."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine.fixtures import Execute, MakeRepository
from engine.repository import MAIN, Dispatch, Event, Repository
from engine.result import FAILURE, SKIPPED, SUCCESS, Result
from planting import Plant, append, write
from scenarios import SMALL

SHIPPED = SMALL | {"docker": True}
TAG = "refs/tags/v1.2.0"
STARTED = [
    Dispatch("publish.yml", TAG, {"index": "pypi"}),
    Dispatch("docker.yml", TAG, {}),
]
# Tests that end at once: what they find out is shown elsewhere.
FAST_TESTS: Plant = write(
    ".github/workflows/tests.yml",
    """\
# Stands in for the tests.
# Locally: true
name: Tests
on:
  workflow_call:
permissions: {}
jobs:
  passed:
    name: Tests passed
    runs-on: ubuntu-slim
    timeout-minutes: 5
    steps:
      - name: Pass
        run: "true"
""",
)


@pytest.fixture
def shipped(repository: MakeRepository) -> Repository:
    """Give a repository that publishes to PyPI and ships an image, with a release and some commits since."""
    here = repository(**SHIPPED)
    here.ask("tag", "v1.1.0", "main")
    for message in ("feat(api)!: sing", "fix: keep the tune", "Bump the drum"):
        here.commit(append("docs/pipeline.md", f"\n{message}\n"), "main", message)
    return here


@pytest.fixture
def release(execute: Execute) -> Callable[[Repository, Event], Result]:
    """Give what runs release.yml, the matrices for one system."""
    return lambda here, event: execute(
        here, "release.yml", event, system="ubuntu-latest"
    )


Release = Callable[[Repository, Event], Result]


def files_of(here: Repository, release: dict[str, Any]) -> dict[str, bytes]:
    """Give what is attached to a release."""
    return {
        asset["name"]: (here.assets / str(asset["id"])).read_bytes()
        for asset in release["assets"]
    }


def test_a_tag_becomes_a_release(shipped: Repository, release: Release) -> None:
    """Gates, a draft with every file, then the release; then what publishes it is started on the tag."""
    result = release(shipped, shipped.tag("v1.2.0"))
    assert result.red == set(), result.failures
    assert result.results["tag"] == SKIPPED
    assert {r for job, r in result.results.items() if job != "tag"} == {SUCCESS}
    for called in ("tests.yml", "build.yml"):
        assert result.job("passed", called).result == SUCCESS
    (made,) = shipped.releases
    assert (made["tag_name"], made["draft"], made["prerelease"]) == (
        "v1.2.0",
        False,
        False,
    )
    assert made["immutable"]
    assert shipped.latest == "v1.2.0"
    files = files_of(shipped, made)
    assert set(files) == {
        "SHA256SUMS",
        "provenance.intoto.jsonl",
        "sample_project-1.2.0-py3-none-any.whl",
        "sample_project-1.2.0.tar.gz",
        "sbom.cdx.json",
    }
    sums = dict(
        line.split()[::-1] for line in files["SHA256SUMS"].decode().splitlines()
    )
    for name, digest in sums.items():
        assert hashlib.sha256(files[name]).hexdigest() == digest
    assert set(sums) == set(files) - {"SHA256SUMS", "provenance.intoto.jsonl"}
    # The very files that the gates built and tested.
    built = Path(result.folder) / "artifacts" / "dist"
    assert {f.name: f.read_bytes() for f in built.iterdir()}.items() <= files.items()
    sbom = json.loads(files["sbom.cdx.json"])
    assert sbom["metadata"]["component"]["version"] == "1.2.0"
    (attested,) = result.of("actions/attest")
    assert attested["subjects"].items() >= sums.items()
    assert shipped.dispatches == STARTED


def test_notes_tell_what_changed_since_the_release_before(
    shipped: Repository, release: Release
) -> None:
    shipped.commit(FAST_TESTS, "main", "Rest")
    release(shipped, shipped.tag("v1.2.0"))
    notes = shipped.releases[0]["body"]
    headings = [line for line in notes.splitlines() if line.startswith("#")]
    assert headings == [
        "## Changes",
        "### Breaking changes",
        "### Fixes",
        "### Dependencies",
        "### Other changes",
    ]
    for text in ("**api**: sing", "keep the tune", "Bump the drum", "Rest"):
        assert notes.count(f"- {text} (") == 1
    assert "Lock" not in notes
    link = "https://github.com/octo/sample-project/compare/v1.1.0...v1.2.0"
    assert notes.endswith(f"**Full changelog**: {link}\n")


def test_a_pre_release_is_one_on_github(shipped: Repository, release: Release) -> None:
    shipped.commit(FAST_TESTS, "main")
    result = release(shipped, shipped.tag("v1.2.0rc1"))
    assert result.red == set(), result.failures
    (made,) = shipped.releases
    assert (made["draft"], made["prerelease"]) == (False, True)
    assert shipped.latest is None
    assert {dispatch.ref for dispatch in shipped.dispatches} == {"refs/tags/v1.2.0rc1"}


def test_one_click_on_main_tags_and_releases(
    shipped: Repository, release: Release
) -> None:
    """The run on main makes the tag and starts the release of it, which it leaves a draft if asked to."""
    shipped.commit(FAST_TESTS, "main")
    first = release(shipped, shipped.dispatched(version="1.2.0", draft=True))
    assert first.results["tag"] == SUCCESS, first.failures
    assert {r for job, r in first.results.items() if job != "tag"} == {SKIPPED}
    assert shipped.object_of(TAG) == ("commit", shipped.ask("rev-parse", MAIN))
    (started,) = shipped.dispatches
    assert (started.workflow, started.ref) == ("release.yml", TAG)
    workflow, event = shipped.next_dispatch()
    second = release(shipped, event)
    assert (workflow, second.red) == ("release.yml", set())
    (made,) = shipped.releases
    assert made["draft"]
    assert len(made["assets"]) == 5
    assert shipped.dispatches == []


def test_the_first_release_and_one_off_main(
    repository: MakeRepository, release: Release
) -> None:
    """Without a release before, all commits are told; a tag that is not on main is allowed, and said."""
    here = repository(**SHIPPED | {"docker": False, "pypi": False})
    here.commit(FAST_TESTS, "side", "Go aside")
    result = release(here, here.tag("v0.1.0", "side"))
    assert result.red == set(), result.failures
    notes = here.releases[0]["body"]
    assert notes.endswith(
        "**Full changelog**: https://github.com/octo/sample-project/commits/v0.1.0\n"
    )
    assert "- Render (" in notes
    assert "v0.1.0 is not on the branch main" in result.summary
    # Nothing publishes it.
    assert here.dispatches == []


def test_a_private_repository_has_digests_in_place_of_provenance(
    repository: MakeRepository, release: Release
) -> None:
    here = repository(private=True, **SHIPPED)
    here.commit(FAST_TESTS, "main")
    result = release(here, here.tag("v1.2.0"))
    assert result.red == set(), result.failures
    assert result.results["provenance"] == SKIPPED
    assert set(files_of(here, here.releases[0])) == {
        "SHA256SUMS",
        "sample_project-1.2.0-py3-none-any.whl",
        "sample_project-1.2.0.tar.gz",
        "sbom.cdx.json",
    }


# ---- Refusals --------------------------------------------------------------------------------------------------------


def failing_test(work: Path) -> None:
    """Plant a test that fails."""
    text = '"""Planted."""\n\n\ndef test_planted() -> None:\n    """Fail."""\n    assert False\n'
    write("tests/test_planted.py", text)(work)


def another_version(here: Repository) -> None:
    """Put a second version tag on the commit."""
    here.ask("tag", "v1.3.0", "main")


@pytest.mark.parametrize(
    ("tag", "prepare", "says", "red"),
    [
        ("vanity", None, "'vanity' is not a version. Use one like v1.2.3", "check"),
        ("v1.2.0+local", None, "has an epoch or a local part", "check"),
        ("v1.2.0", another_version, "v1.2.0 is on the same commit as v1.3.0", "check"),
        (
            "v1.2.0",
            lambda here: here.commit(failing_test, "main"),
            "FAILED tests/test_planted.py",
            "test",
        ),
    ],
    ids=["no version", "local version", "two versions", "red gate"],
)
def test_nothing_is_released_after_a_refusal(
    shipped: Repository,
    release: Release,
    tag: str,
    prepare: Callable[[Repository], Any] | None,
    says: str,
    red: str,
) -> None:
    if prepare:
        prepare(shipped)
    result = release(shipped, shipped.tag(tag))
    assert any(f" / {red} / " in step for step in result.red)
    assert says in result.failures
    assert result.results["release"] == SKIPPED
    assert (shipped.releases, shipped.dispatches, shipped.changes) == ([], [], 0)


def test_an_immutable_release_by_hand_is_refused(
    shipped: Repository, release: Release
) -> None:
    """GitHub takes no more files there; the message says what to do in place of that."""
    shipped.commit(FAST_TESTS, "main")
    event = shipped.tag("v1.2.0")
    shipped.publish_by_hand("v1.2.0")
    result = release(shipped, event)
    assert result.results["release"] == FAILURE
    assert (
        "is immutable: nothing can be attached to it. Release the next version"
        in result.failures
    )
    assert [made["assets"] for made in shipped.releases] == [[]]
    assert shipped.dispatches == []


# ---- Killed, and run again -------------------------------------------------------------------------------------------


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
