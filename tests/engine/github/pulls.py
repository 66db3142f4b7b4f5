"""What the API answers about pull requests and labels."""

from __future__ import annotations

from typing import Any

from engine.github import bodies
from engine.github.call import Call, Refusal
from engine.github.issues import require_short
from engine.repository import MAIN, OWNER, Repository

HEADS = "refs/heads/"


def list_pulls(here: Repository, call: Call) -> Any:
    """Give the pull requests, newest first; the open ones unless others are asked for."""
    if here.private:
        call.require("pull-requests", level="read")
    asked = call.request.args
    state, base = asked.get("state", "open"), asked.get("base")
    head = asked.get("head", "")
    if head and ":" not in head:
        raise Refusal(422, "head must be in the form of owner:branch")
    return [
        {name: value for name, value in pull.items() if name not in bodies.FULL_PULL}
        for pull in reversed(here.pulls)
        if state in ("all", pull["state"])
        and base in (None, pull["base"]["ref"])
        and head in ("", pull["head"]["label"])
    ]


def add_pull(here: Repository, call: Call) -> Any:
    """Open a pull request between two branches of the repository; there is only one of each."""
    call.require("pull-requests", level="write")
    asked = call.body
    require_short(asked)
    if asked.get("draft") and not here.drafts:
        raise Refusal(422, "Draft pull requests are not supported in this repository.")
    for branch in (asked["head"], asked["base"]):
        if here.object_of(HEADS + branch) is None:
            raise Refusal(422, f"Validation Failed: {branch} is no branch")
    if here.ask("rev-list", f"{MAIN}..{HEADS}{asked['head']}") == "":
        raise Refusal(422, f"No commits between {asked['base']} and {asked['head']}")
    for pull in here.pulls:
        same = (pull["head"]["ref"], pull["base"]["ref"]) == (
            asked["head"],
            asked["base"],
        )
        if same and pull["state"] == "open":
            raise Refusal(
                422, f"A pull request already exists for {OWNER}:{asked['head']}."
            )
    # Issues begin at 100.
    number = 1 + len(here.pulls)
    pull = bodies.pull(here, number, asked, call.author)
    here.pulls.append(pull)
    return pull


def by_number(here: Repository, number: int) -> dict[str, Any]:
    """Give a pull request."""
    for pull in here.pulls:
        if pull["number"] == number:
            return pull
    raise Refusal(404, "Not Found")


def edit_pull(here: Repository, call: Call, number: int) -> Any:
    """Change title, text or state of a pull request."""
    call.require("pull-requests", level="write")
    pull = by_number(here, number)
    require_short(call.body)
    pull.update(call.body)
    return pull


def switch_draft(here: Repository, call: Call, id_: str, *, draft: bool) -> Any:
    """Make a pull request a draft, or ready."""
    call.require("pull-requests", level="write")
    for pull in here.pulls:
        if pull["node_id"] == id_:
            if draft and not here.drafts:
                raise Refusal(
                    422, "Draft pull requests are not supported in this repository."
                )
            pull["draft"] = draft
            return {"clientMutationId": None}
    raise Refusal(404, f"Could not resolve to a node with the global id of '{id_}'")


# ---- Labels ----------------------------------------------------------------------------------------------------------


def labelled(here: Repository, call: Call, number: int) -> dict[str, Any]:
    """Give the issue or pull request whose labels are to be changed."""
    call.require("issues", "pull-requests", level="write")
    for entry in (*here.pulls, *here.issues):
        if entry["number"] == number:
            return entry
    raise Refusal(404, "Not Found")


def add_labels(here: Repository, call: Call, number: int) -> Any:
    """Label an issue or a pull request.

    A label that is not there yet is made (github/docs#35718), which the right to pull requests does not allow
    (actions/labeler#870).
    """
    labels: list[dict[str, Any]] = labelled(here, call, number)["labels"]
    known = {label["name"] for label in labels}
    if set(call.body["labels"]) - here.labels and not call.may("issues", level="write"):
        raise Refusal(
            403, "You do not have permission to create labels on this repository."
        )
    here.labels |= set(call.body["labels"])
    labels += [
        bodies.label(here.full_name, name)
        for name in call.body["labels"]
        if name not in known
    ]
    return labels


def remove_label(here: Repository, call: Call, number: int, name: str) -> Any:
    """Take a label from an issue or a pull request."""
    labels: list[dict[str, Any]] = labelled(here, call, number)["labels"]
    left = [label for label in labels if label["name"] != name]
    if len(left) == len(labels):
        raise Refusal(404, "Label does not exist")
    labels[:] = left
    return left


ROUTES = [
    ("GET", "/pulls", list_pulls),
    ("POST", "/pulls", add_pull),
    ("PATCH", "/pulls/<int:number>", edit_pull),
    ("POST", "/issues/<int:number>/labels", add_labels),
    ("DELETE", "/issues/<int:number>/labels/<name>", remove_label),
]
