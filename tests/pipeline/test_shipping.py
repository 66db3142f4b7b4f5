"""Each flow, from what starts it to what people can install: what came of it, and what did not."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from engine import registry, under_test
from engine.fixtures import Execute, MakeRepository
from engine.index.held import Index, Token
from engine.repository import Event, Repository
from engine.result import SUCCESS, Result
from flows import DOCKER, DRAFT, FLOWS, PRE_RELEASE, RELEASE, RELEASED, Flow, Start
from meddling import assets_of
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from policy import Workflow

MARKER = "## Installation"
WORKFLOWS = ".github/workflows/"
LISTS = {"SHA256SUMS", "provenance.intoto.jsonl", "sbom.cdx.json"}
# In an image's index, what is said of the image beside it.
ATTESTATION = "attestation-manifest"
PREDICATES = {"https://slsa.dev/provenance/v1", "https://spdx.dev/Document"}


# ---- Looking ---------------------------------------------------------------------------------------------------------


def packages(files: dict[str, bytes]) -> dict[str, bytes]:
    """Give the sdist and the wheel among files."""
    return {n: c for n, c in files.items() if n.endswith((".whl", ".tar.gz"))}


def version_of(name: str) -> str:
    """Give the version that a file is of."""
    if name.endswith(".whl"):
        return str(parse_wheel_filename(name)[1])
    return str(parse_sdist_filename(name)[1])


def state_of(release: dict[str, Any]) -> str:
    """Give what people see of a release."""
    if release["draft"]:
        return DRAFT
    return PRE_RELEASE if release["prerelease"] else RELEASED


def shown(ref: str) -> str:
    """Give a ref as people say it."""
    return ref.removeprefix("refs/").split("/", 1)[1]


# ---- Running ---------------------------------------------------------------------------------------------------------


def starts(here: Repository, start: Start) -> list[tuple[str, Event]]:
    """Give the workflows that something starts."""
    if isinstance(start, tuple):
        return [start]
    names = here.ask("ls-tree", "--name-only", start.commit, WORKFLOWS).splitlines()
    found = [
        Workflow(Path(name).name, here.ask("show", f"{start.commit}:{name}"))
        for name in names
    ]
    files = under_test.started_by({w.file: w for w in found}, start)
    return [(file, start) for file in files]


def follow(
    here: Repository, flow: Flow, execute: Execute
) -> list[tuple[str, Event, Result]]:
    """Run what a flow starts, and what that starts, until nothing follows."""
    runs = []
    for start in flow.happens(here):
        waiting = starts(here, start)
        while waiting:
            workflow, event = waiting.pop(0)
            result = execute(
                here,
                workflow,
                event,
                scenario=flow.id_of(workflow),
                system=None if workflow == DOCKER else "ubuntu-latest",
            )
            assert result.red == set(), f"{workflow}\n{result.failures}"
            runs.append((workflow, event, result))
            # What is made with the workflow's own token starts nothing else.
            while here.dispatches:
                waiting.append(here.next_dispatch())
    return runs


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_flow(flow: Flow, repository: MakeRepository, execute: Execute) -> None:
    here = repository(private=flow.private, **flow.answers)
    flow.prepare(here)
    for token in flow.secrets.values():
        here.indexes["pypi"].tokens[token] = Token(here.name)
    runs = follow(here, flow, execute)
    ran = tuple(f"{workflow} on {shown(event.ref)}" for workflow, event, _ in runs)
    assert ran == flow.runs
    assert {r["tag_name"]: state_of(r) for r in here.releases} == flow.releases
    assert here.latest == flow.latest
    for name, versions in (("pypi", flow.pypi), ("testpypi", flow.testpypi)):
        check_index(here.indexes[name], versions, attested=flow.attested)
    check_images(here, flow)
    for release in here.releases:
        built = [
            r
            for w, e, r in runs
            if w == RELEASE
            and r.results["assets"] == SUCCESS
            and shown(e.ref) == release["tag_name"]
        ]
        check_release(here, flow, release, built[0])
    assert any(flow.says in result.summary for _, _, result in runs)


# ---- What must be true of each ---------------------------------------------------------------------------------------


def check_index(index: Index, versions: frozenset[str], *, attested: bool) -> None:
    """Check which versions an index has: of each the wheel and the sdist, with what proves where they are from."""
    assert sorted(map(version_of, index.files)) == sorted([*versions, *versions])
    for file in index.files.values():
        assert bool(file.attestations) == attested


def check_release(
    here: Repository, flow: Flow, release: dict[str, Any], run: Result
) -> None:
    """Check the files of a release and its notes."""
    files = assets_of(here, release)
    lists = LISTS - ({"provenance.intoto.jsonl"} if flow.private else set())
    assert set(files) == lists | set(packages(files))
    assert len(packages(files)) == 2
    sums = dict(
        line.split()[::-1] for line in files["SHA256SUMS"].decode().splitlines()
    )
    for name, digest in sums.items():
        assert hashlib.sha256(files[name]).hexdigest() == digest
    assert set(sums) == set(files) - {"SHA256SUMS", "provenance.intoto.jsonl"}
    # The same bits all the way: what the gates built and tested, what is attached, what installers get.
    dist = Path(run.folder) / "artifacts" / "dist"
    assert {file.name: file.read_bytes() for file in dist.iterdir()} == packages(files)
    version = release["tag_name"].removeprefix("v")
    if version in flow.pypi:
        contents = here.indexes["pypi"].contents
        assert packages(files).items() <= contents.items()
    sbom = json.loads(files["sbom.cdx.json"])
    assert sbom["metadata"]["component"]["version"] == version
    attested = [record["subjects"] for record in run.of("actions/attest")]
    assert all(subjects.items() >= sums.items() for subjects in attested)
    assert len(attested) == (0 if flow.private else 1)
    check_notes(here, flow, release)


def check_notes(here: Repository, flow: Flow, release: dict[str, Any]) -> None:
    """Check that the notes tell each change once, link to all of them, and say once how to install the version."""
    notes, tag = release["body"], release["tag_name"]
    address = f"https://github.com/{here.full_name}"
    since = f"compare/v1.1.0...{tag}" if flow.previous else f"commits/{tag}"
    assert notes.count(f"**Full changelog**: {address}/{since}\n") == 1
    for text in ("**api**: sing", "keep the tune", "Bump the drum", "Rest"):
        assert notes.count(f"- {text} (") == (1 if flow.previous else 0)
    assert notes.count("- Lock (") == (0 if flow.previous else 1)
    version = tag.removeprefix("v")
    published = version in flow.pypi
    assert notes.count(MARKER) == published
    assert notes.count(f"pip install {here.name}=={version}\n") == published
    for name, content in packages(assets_of(here, release)).items():
        row = f"| `{name}` | `{hashlib.sha256(content).hexdigest()}` |"
        assert notes.count(row) == published


def check_images(here: Repository, flow: Flow) -> None:
    """Check the tags, and behind each an image for both architectures with provenance and SBOM."""
    commit = here.ask("rev-parse", "main")
    tags = registry.tags(here)
    assert {tag.replace(commit, "COMMIT") for tag in tags} == flow.image
    versions = set()
    for digest in set(tags.values()):
        index = registry.manifest(here, digest)
        versions.add(check_image(here, index))
    for tag, digest in tags.items():
        # What moves names the highest version of its series.
        named = registry.manifest(here, digest)["annotations"]
        version = named["org.opencontainers.image.version"]
        assert version in versions
        if tag.startswith("v"):
            series = [t for t in tags if t.startswith(f"{tag}.") or t == tag]
            highest = max(
                series, key=lambda t: [part.zfill(9) for part in t.split(".")]
            )
            assert version == highest.removeprefix("v")


def check_image(here: Repository, index: dict[str, Any]) -> str:
    """Check one index of images; gives the version that they are of."""
    images = [m for m in index["manifests"] if not m.get("annotations")]
    beside = [m for m in index["manifests"] if m.get("annotations")]
    platforms = {
        m["platform"]["os"] + "/" + m["platform"]["architecture"] for m in images
    }
    assert platforms == {"linux/amd64", "linux/arm64"}
    assert len(images) == len(beside) == 2
    for entry in beside:
        assert entry["annotations"]["vnd.docker.reference.type"] == ATTESTATION
        said = registry.manifest(here, entry["digest"])["layers"]
        assert {
            layer["annotations"]["in-toto.io/predicate-type"] for layer in said
        } == PREDICATES
    version = index["annotations"]["org.opencontainers.image.version"]
    for entry in images:
        manifest = registry.manifest(here, entry["digest"])
        config = registry.manifest(here, manifest["config"]["digest"])["config"]
        assert config["User"] == "10001:10001"
        assert config["Labels"]["org.opencontainers.image.version"] == version
    return str(version)
