"""What the API answers about the repository itself, its issues and comments, and code scanning."""

from __future__ import annotations

from typing import Any

from engine.github import bodies, settings
from engine.github.call import Call, Refusal
from engine.repository import Repository


def get_repository(here: Repository, call: Call) -> Any:
    """Tell about the repository."""
    body = bodies.full_repository(here.full_name, private=here.private, fork=here.fork)
    return body | settings.about(here, call)


def list_alerts(here: Repository, call: Call) -> Any:
    """Tell which alerts code scanning has; before the first upload there is no analysis to ask about."""
    call.require("security-events", level="read")
    if not here.code_scanning:
        raise Refusal(
            403,
            "Code scanning is not enabled for this repository. Please enable code scanning in the repository settings.",
        )
    if not here.analyses:
        raise Refusal(404, "no analysis found")
    return []


def list_comments(here: Repository, call: Call, number: int) -> Any:
    """Give the comments of an issue or a pull request."""
    if here.private:
        call.require("issues", "pull-requests", level="read")
    return here.comments.get(number, [])


def add_comment(here: Repository, call: Call, number: int) -> Any:
    """Write a comment."""
    call.require("issues", "pull-requests", level="write")
    known = sum(len(comments) for comments in here.comments.values())
    comment = bodies.comment(here.full_name, number, 1000 + known, call.body["body"])
    here.comments.setdefault(number, []).append(comment)
    return comment


def edit_comment(here: Repository, call: Call, comment: int) -> Any:
    """Replace the text of a comment."""
    call.require("issues", "pull-requests", level="write")
    for comments in here.comments.values():
        for known in comments:
            if known["id"] == comment:
                known["body"] = call.body["body"]
                return known
    raise Refusal(404, "Not Found")


def list_issues(here: Repository, call: Call) -> Any:
    """Give the issues, newest first; the open ones unless others are asked for."""
    if here.private:
        call.require("issues", level="read")
    asked = call.request.args
    state, labels = (
        asked.get("state", "open"),
        set(filter(None, asked.get("labels", "").split(","))),
    )
    return [
        issue
        for issue in reversed(here.issues)
        if state in ("all", issue["state"])
        and labels <= {label["name"] for label in issue["labels"]}
    ]


# Characters.
MAX_BODY = 65_536


def require_short(asked: dict[str, Any]) -> None:
    """Refuse a text that is too long."""
    if len(asked.get("body") or "") > MAX_BODY:
        raise Refusal(422, f"body is too long (maximum is {MAX_BODY} characters)")


def add_issue(here: Repository, call: Call) -> Any:
    """Open an issue."""
    call.require("issues", level="write")
    if not here.has_issues:
        raise Refusal(410, "Issues are disabled for this repo")
    require_short(call.body)
    here.labels |= set(call.body.get("labels", []))
    number = 100 + len(here.issues)
    issue = bodies.issue(
        here.full_name, number, call.body["title"], call.body.get("body")
    )
    issue["labels"] = [
        bodies.label(here.full_name, name) for name in call.body.get("labels", [])
    ]
    here.issues.append(issue)
    return issue


def edit_issue(here: Repository, call: Call, number: int) -> Any:
    """Change an issue."""
    call.require("issues", level="write")
    for issue in here.issues:
        if issue["number"] == number:
            issue.update(call.body)
            return issue
    raise Refusal(404, "Not Found")


ROUTES = [
    ("GET", "", get_repository),
    ("GET", "/code-scanning/alerts", list_alerts),
    ("GET", "/issues/<int:number>/comments", list_comments),
    ("POST", "/issues/<int:number>/comments", add_comment),
    ("PATCH", "/issues/comments/<int:comment>", edit_comment),
    ("GET", "/issues", list_issues),
    ("POST", "/issues", add_issue),
    ("PATCH", "/issues/<int:number>", edit_issue),
]
