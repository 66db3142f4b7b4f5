"""What people do to a release after it was made, and to what the index knows: functions that change a repository."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from engine.index.held import File, Token
from engine.repository import Event, Repository
from planting import Plant

Meddle = Callable[[Repository], object]

TAG = "refs/tags/v1.2.0"
LIST = "SHA256SUMS"
WHEEL, SDIST = "sample_project-1.2.0-py3-none-any.whl", "sample_project-1.2.0.tar.gz"


def both(*meddling: Meddle) -> Meddle:
    """Do one after the other."""

    def meddle(here: Repository) -> None:
        for each in meddling:
            each(here)

    return meddle


# ---- The release -----------------------------------------------------------------------------------------------------


def release_of(here: Repository) -> dict[str, Any]:
    """Give the only release."""
    (release,) = here.releases
    return release


def change_release(**changes: Any) -> Meddle:
    """Change what GitHub says of the release."""
    return lambda here: release_of(here).update(changes)


def delete_release(here: Repository) -> None:
    """Delete the release; the tag stays."""
    here.releases.clear()


def trouble(path: Callable[[Repository], str]) -> Meddle:
    """Let GitHub answer a path below the repository's own with an error."""
    return lambda here: here.broken.add(path(here))


def assets_of(here: Repository, release: dict[str, Any]) -> dict[str, bytes]:
    """Give what is attached to a release."""
    return {
        asset["name"]: (here.assets / str(asset["id"])).read_bytes()
        for asset in release["assets"]
    }


def files_of(here: Repository) -> dict[str, bytes]:
    """Give what is attached to the only release."""
    return assets_of(here, release_of(here))


def exchange(here: Repository, name: str, content: bytes) -> None:
    """Put another file in the place of an attached one."""
    (asset,) = (a for a in release_of(here)["assets"] if a["name"] == name)
    (here.assets / str(asset["id"])).write_bytes(content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    asset.update(size=len(content), digest=digest)


def exchange_wheel(here: Repository) -> None:
    """Put another wheel in the place of the attached one."""
    exchange(here, WHEEL, rewritten(files_of(here)[WHEEL], str.upper))


def spoil_metadata(here: Repository) -> None:
    """Put a wheel without a description in the place of the attached one."""
    exchange(here, WHEEL, rewritten(files_of(here)[WHEEL], without_description))


def without_description(metadata: str) -> str:
    """Take the description out of a wheel's metadata."""
    head = metadata.partition("\n\n")[0]
    return head.replace("Description-Content-Type: text/markdown\n", "") + "\n"


def rewritten(wheel: bytes, rewrite: Callable[[str], str]) -> bytes:
    """Give a wheel with its metadata rewritten."""
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(wheel)) as old,
        zipfile.ZipFile(changed, "w") as new,
    ):
        for member in old.infolist():
            content = old.read(member)
            if member.filename.endswith("/METADATA"):
                content = rewrite(content.decode()).encode()
            new.writestr(member, content)
    return changed.getvalue()


def rename_files(here: Repository) -> None:
    """Let the attached files be of another version."""
    for asset in release_of(here)["assets"]:
        asset["name"] = asset["name"].replace("1.2.0", "1.3.0")


def unlist_sdist(here: Repository) -> None:
    """Take the sdist out of SHA256SUMS."""
    lines = files_of(here)[LIST].decode().splitlines(keepends=True)
    left = [line for line in lines if not line.endswith(".tar.gz\n")]
    exchange(here, LIST, "".join(left).encode())


def list_anew(here: Repository) -> None:
    """Let SHA256SUMS say what the attached files are now."""
    lines = [
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in files_of(here).items()
        if name != LIST
    ]
    exchange(here, LIST, "".join(lines).encode())


def attest(workflow: str = "release.yml", ref: str = TAG) -> Meddle:
    """Let a workflow's run on a ref have attested the attached files, and no other run."""

    def meddle(here: Repository) -> None:
        (file,) = here.attestations.glob("*.json")
        kept = json.loads(file.read_text("utf-8"))
        certificate = kept["bundle"]["verificationMaterial"]["certificate"]
        repository = certificate["sourceRepositoryURI"]
        signer = f"{repository}/.github/workflows/{workflow}@{ref}"
        certificate |= {"buildSignerURI": signer, "sourceRepositoryRef": ref}
        envelope = kept["bundle"]["dsseEnvelope"]
        statement = json.loads(base64.b64decode(envelope["payload"]))
        digests = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in files_of(here).items()
        }
        statement["subject"] = [
            {"name": name, "digest": {"sha256": digest}}
            for name, digest in digests.items()
        ]
        payload = base64.b64encode(json.dumps(statement).encode())
        envelope["payload"] = payload.decode()
        kept["digests"] = [f"sha256:{digest}" for digest in digests.values()]
        file.write_text(json.dumps(kept), "utf-8")

    return meddle


def make_by_hand(here: Repository) -> None:
    """Make the release of a tag that is to be pushed in the web page, where it is out at once."""
    here.publish_by_hand("v1.2.0")


def draft_by_hand(here: Repository) -> None:
    """Leave a draft for the tag in the web page."""
    here.publish_by_hand("v1.2.0")
    here.releases[-1] |= {"draft": True, "immutable": False}


def no_start_of(workflow: str) -> Meddle:
    """Let GitHub answer with an error where a workflow is to be started: gh asks about it first."""
    return trouble(lambda here: f"/actions/workflows/{workflow}")


# ---- The workflow, the index and its tokens --------------------------------------------------------------------------


def in_tag(plant: Plant) -> Meddle:
    """Plant something in the commit that the tag is on: a workflow that is started on a tag is the tag's own."""

    def meddle(here: Repository) -> None:
        here.ask("update-ref", TAG, here.commit(plant, "main"))

    return meddle


def register(**changes: str) -> Meddle:
    """Register the trusted publisher otherwise, at both indexes."""

    def meddle(here: Repository) -> None:
        for index in here.indexes.values():
            index.publishers = [
                dataclasses.replace(known, **changes) for known in index.publishers
            ]

    return meddle


def take_name(here: Repository) -> None:
    """Let PyPI have another file of the wheel's name."""
    here.indexes["pypi"].files[WHEEL] = File(b"another", {}, [])


def give_token(index: str, *, known: bool = True) -> Meddle:
    """Give the environment of an index an API token; one that the index does not know is of no use."""

    def meddle(here: Repository) -> None:
        secret = {"pypi": "PYPI_API_TOKEN", "testpypi": "TEST_PYPI_API_TOKEN"}[index]
        token = here.secrets[secret] = f"pypi-made-up-for-{index}"
        if known:
            here.indexes[index].tokens[token] = Token(here.name)

    return meddle


def empty_tokens(here: Repository) -> None:
    """Leave the secrets for API tokens there, and empty."""
    here.secrets |= {"PYPI_API_TOKEN": "", "TEST_PYPI_API_TOKEN": ""}


def changes(here: Repository, since: int = 0) -> list[tuple[str, str, int]]:
    """Give the requests that have changed something, oldest first."""
    asked = here.requests[since:]
    return [a for a in asked if a[0] != "GET" and a[1] != "/graphql" and a[2] < 400]


# ---- What happens ----------------------------------------------------------------------------------------------------


def tagged(here: Repository) -> Event:
    """Push the tag."""
    return here.tag("v1.2.0")


def one_click(here: Repository) -> Event:
    """Start a release on main by hand, with nothing but a version."""
    return here.dispatched(version="1.2.0")


def started(here: Repository) -> Event:
    """Start publishing the release to PyPI, as release.yml does."""
    return here.dispatched(TAG, index="pypi")


def started_on_main(here: Repository) -> Event:
    """Start publishing to PyPI on main, which has no release."""
    return here.dispatched(index="pypi")


def trial(here: Repository) -> Event:
    """Start a trial of main."""
    return here.dispatched(index="testpypi")


def published(here: Repository) -> Event:
    """Publish the release in the web page."""
    return here.released("v1.2.0")
