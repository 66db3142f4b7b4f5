"""What the API answers about tags, releases and their assets."""

from __future__ import annotations

import hashlib
from typing import Any

from engine.github import bodies
from engine.github.call import Call, Refusal
from engine.repository import Repository

TAGS = "refs/tags/"


# ---- Tags ------------------------------------------------------------------------------------------------------------


def require_read(here: Repository, call: Call) -> None:
    """Refuse to tell about a private repository's contents without the right to read them."""
    if here.private:
        call.require("contents", level="read")


def get_reference(here: Repository, call: Call, ref: str) -> Any:
    """Tell what a ref such as tags/v1.2.3 names: a commit, or an annotated tag."""
    require_read(here, call)
    found = here.object_of(f"refs/{ref}")
    if found is None:
        raise Refusal(404, "Not Found")
    return bodies.reference(here.full_name, f"refs/{ref}", *found)


def get_tag(here: Repository, call: Call, sha: str) -> Any:
    """Tell what an annotated tag names."""
    require_read(here, call)
    commit = here.ask("rev-parse", f"{sha}^{{commit}}")
    return bodies.annotated_tag(here.full_name, sha, commit)


def add_reference(here: Repository, call: Call) -> Any:
    """Make a tag or a branch."""
    call.require("contents", level="write")
    body = call.body
    if here.object_of(body["ref"]) is not None:
        raise Refusal(422, "Reference already exists")
    here.ask("update-ref", body["ref"], body["sha"])
    return bodies.reference(here.full_name, body["ref"], "commit", body["sha"])


# ---- Releases --------------------------------------------------------------------------------------------------------


def list_releases(here: Repository, call: Call) -> Any:
    """Give the releases, newest first; drafts only to who may write."""
    require_read(here, call)
    writes = call.may("contents", level="write")
    return [r for r in reversed(here.releases) if writes or not r["draft"]]


def by_id(here: Repository, number: int) -> dict[str, Any]:
    """Give a release."""
    for release in here.releases:
        if release["id"] == number:
            return release
    raise Refusal(404, "Not Found")


def get_by_tag(here: Repository, call: Call, tag: str) -> Any:
    """Give the published release of a tag; drafts are not found."""
    require_read(here, call)
    for release in here.releases:
        if release["tag_name"] == tag and not release["draft"]:
            return release
    raise Refusal(404, "Not Found")


def add_release(here: Repository, call: Call) -> Any:
    """Make a release or a draft."""
    call.require("contents", level="write")
    body = call.body
    release = bodies.release(here.full_name, 1 + len(here.releases), body)
    release["draft"] = True
    here.releases.append(release)
    if not body.get("draft"):
        publish(here, release)
    return release


def edit_release(here: Repository, call: Call, number: int) -> Any:
    """Change a release.

    Of an immutable one neither tag nor files change; github/docs issue 45718 lists what was tried. A draft whose tag is
    not said again loses it, see jdx/communique pull request 241.
    """
    call.require("contents", level="write")
    release, body = by_id(here, number), call.body
    tag = body.get("tag_name", release["tag_name"])
    if release["immutable"] and ("draft" in body or tag != release["tag_name"]):
        raise Refusal(422, "Cannot change an immutable release")
    changes = {key: value for key, value in body.items() if key != "make_latest"}
    if release["draft"] and "tag_name" not in body:
        changes["tag_name"] = f"untagged-{release['id']}"
    publishes = release["draft"] and changes.pop("draft", True) is False
    release.update(changes)
    if publishes:
        publish(here, release)
    if body.get("make_latest") == "true":
        here.latest = release["tag_name"]
    return release


def publish(here: Repository, release: dict[str, Any]) -> None:
    """Publish a draft: once for a tag; the tag is made where there is none."""
    tag = release["tag_name"]
    if any(r["tag_name"] == tag and not r["draft"] for r in here.releases):
        raise Refusal(422, "Validation Failed: tag_name already_exists")
    if here.object_of(TAGS + tag) is None:
        here.ask("update-ref", TAGS + tag, here.ask("rev-parse", "main"))
    release |= {
        "draft": False,
        "published_at": bodies.NOW,
        "immutable": here.immutable_releases,
    }


# ---- Assets ----------------------------------------------------------------------------------------------------------


def add_asset(here: Repository, call: Call, number: int) -> Any:
    """Attach a file; a name is taken once, and an immutable release takes none."""
    call.require("contents", level="write")
    release, name = by_id(here, number), call.request.args["name"]
    body: bytes = call.body
    if release["immutable"]:
        raise Refusal(422, "Cannot upload assets to an immutable release.")
    if any(asset["name"] == name for asset in release["assets"]):
        raise Refusal(422, "Validation Failed: name already_exists")
    here.assets.mkdir(exist_ok=True)
    number = 1 + sum(1 for _ in here.assets.iterdir())
    (here.assets / str(number)).write_bytes(body)
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    asset = bodies.asset(here.full_name, number, name, len(body), digest)
    release["assets"].append(asset)
    return asset


def get_asset(here: Repository, call: Call, number: int) -> Any:
    """Tell about a file, or give it."""
    require_read(here, call)
    for release in here.releases:
        for asset in release["assets"]:
            if asset["id"] == number:
                if "application/octet-stream" in call.request.headers["Accept"]:
                    return (here.assets / str(number)).read_bytes()
                return asset
    raise Refusal(404, "Not Found")


def delete_asset(here: Repository, call: Call, number: int) -> None:
    """Take a file away."""
    call.require("contents", level="write")
    for release in here.releases:
        for asset in release["assets"]:
            if asset["id"] == number:
                if release["immutable"]:
                    raise Refusal(422, "Cannot delete asset from an immutable release")
                release["assets"].remove(asset)
                return
    raise Refusal(404, "Not Found")


ROUTES = [
    ("GET", "/git/ref/<path:ref>", get_reference),
    ("GET", "/git/tags/<sha>", get_tag),
    ("POST", "/git/refs", add_reference),
    ("GET", "/releases", list_releases),
    ("POST", "/releases", add_release),
    ("GET", "/releases/tags/<tag>", get_by_tag),
    ("PATCH", "/releases/<int:number>", edit_release),
    ("POST", "/releases/<int:number>/assets", add_asset),
    ("GET", "/releases/assets/<int:number>", get_asset),
    ("DELETE", "/releases/assets/<int:number>", delete_asset),
]
