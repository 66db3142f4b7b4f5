"""GitHub's REST API, as far as workflows ask for it, held to GitHub's own description of it.

A request that GitHub does not describe, or one that its job has no permission for, fails as it would there; an answer
that is not as described ends the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from policy import LEVELS
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from engine import openapi
from engine.repository import OWNER, Repository
from engine.under_test import Grants

HOSTS = ["api.github.com"]
NOW = "2026-11-24T00:00:00Z"


class Refusal(Exception):
    """GitHub says no, with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        """Take both."""
        super().__init__(message)
        self.status = status


class GitHub:
    """A WSGI application for one repository.

    Attributes:
        repository: What it serves and changes.
        grants: What each job's token may do.
        token: The secret part of the tokens of this run.
        contradictions: Where a request or an answer was not as GitHub describes it. Any is a failed test.
    """

    def __init__(self, repository: Repository, grants: Grants, token: str) -> None:
        """Take them."""
        self.repository = repository
        self.grants = grants
        self.token = token
        self.contradictions: list[str] = []
        base = f"/repos/{repository.full_name}"
        self._rules = Map(
            [
                Rule(base + path, methods=[method], endpoint=answer)
                for method, path, answer in self._routes()
            ]
        )

    def _routes(self) -> Iterable[tuple[str, str, Callable[..., Any]]]:
        """Give method, path and what answers."""
        comments = "/issues/<int:number>/comments"
        return [
            ("GET", "", self.get_repository),
            ("GET", "/code-scanning/alerts", self.list_alerts),
            ("GET", comments, self.list_comments),
            ("POST", comments, self.add_comment),
            ("PATCH", "/issues/comments/<int:comment>", self.edit_comment),
            ("GET", "/issues", self.list_issues),
            ("POST", "/issues", self.add_issue),
            ("PATCH", "/issues/<int:number>", self.edit_issue),
        ]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            asked = openapi.operation(request.method, request.path)
            body = request.get_json() if request.data else None
            openapi.check_request(asked, body)
            status, answer = self._answer(request, body)
            openapi.check_answer(asked, status, answer)
        except openapi.Contradiction as contradiction:
            self.contradictions.append(str(contradiction))
            status, answer = 500, {"message": str(contradiction)}
        self.repository.requests.append((request.method, request.path, status))
        response = Response(
            json.dumps(answer), status, content_type="application/json; charset=utf-8"
        )
        return response(environ, start_response)

    def _answer(self, request: Request, body: Any) -> tuple[int, Any]:
        """Give status and body."""
        try:
            below = request.path.removeprefix(f"/repos/{self.repository.full_name}")
            if below in self.repository.broken:
                raise Refusal(500, "Server Error")
            self._held = self._permissions(request)
            route = self._rules.bind_to_environ(request.environ)
            answer, found = route.match()
            arguments = dict(found) if body is None else {**found, "body": body}
            done = answer(**arguments)
        except Refusal as refusal:
            return refusal.status, problem(str(refusal), refusal.status)
        except NotFound:
            message = f"this fake does not know {request.method} {request.path} yet"
            raise openapi.Contradiction(message) from None
        except HTTPException as error:
            return error.code or 500, problem(error.name, error.code or 500)
        return 201 if request.method == "POST" else 200, done

    def _permissions(self, request: Request) -> dict[str, str]:
        """Give what the token may do that a request was made with; it tells workflow and job (see step.sh)."""
        given = request.headers.get("Authorization", "").rpartition(" ")[2]
        secret, _, rest = given.partition("@")
        workflow, _, job = rest.partition("@")
        for (name, known), permissions in self.grants.items():
            is_it = (name.replace(" ", "_"), known) == (workflow, job)
            if is_it and secret == self.token:
                return permissions
        raise Refusal(401, "Bad credentials")

    def _require(self, *permissions: str, level: str) -> None:
        """Refuse where none of the permissions is held."""
        held = [self._held.get(name, "none") for name in permissions]
        if all(LEVELS[has] < LEVELS[level] for has in held):
            raise Refusal(403, "Resource not accessible by integration")

    # ---- What it answers ---------------------------------------------------------------------------------------------

    def get_repository(self) -> Any:
        """Tell about the repository."""
        here = self.repository
        return full_repository(here.full_name, private=here.private, fork=here.fork)

    def list_alerts(self) -> Any:
        """Tell which alerts code scanning has; before the first upload there is no analysis to ask about."""
        self._require("security-events", level="read")
        if not self.repository.code_scanning:
            raise Refusal(
                403,
                "Code scanning is not enabled for this repository. Please enable code scanning in the repository settings.",
            )
        raise Refusal(404, "no analysis found")

    def list_comments(self, number: int) -> Any:
        """Give the comments of an issue or a pull request."""
        if self.repository.private:
            self._require("issues", "pull-requests", level="read")
        return self.repository.comments.get(number, [])

    def add_comment(self, number: int, body: Any) -> Any:
        """Write a comment."""
        self._require("issues", "pull-requests", level="write")
        comments = self.repository.comments.setdefault(number, [])
        everything = [c for found in self.repository.comments.values() for c in found]
        comment = {
            "id": 1000 + len(everything),
            "node_id": "IC",
            "url": f"https://api.github.com/comments/{number}",
            "html_url": f"https://github.com/{self.repository.full_name}/pull/{number}",
            "issue_url": f"https://api.github.com/issues/{number}",
            "body": body["body"],
            "user": BOT,
            "created_at": NOW,
            "updated_at": NOW,
            "author_association": "NONE",
        }
        comments.append(comment)
        return comment

    def edit_comment(self, comment: int, body: Any) -> Any:
        """Replace the text of a comment."""
        self._require("issues", "pull-requests", level="write")
        for comments in self.repository.comments.values():
            for known in comments:
                if known["id"] == comment:
                    known["body"] = body["body"]
                    return known
        raise Refusal(404, "Not Found")

    def list_issues(self) -> Any:
        """Give the open issues."""
        if self.repository.private:
            self._require("issues", level="read")
        return [i for i in self.repository.issues if i["state"] == "open"]

    def add_issue(self, body: Any) -> Any:
        """Open an issue."""
        self._require("issues", level="write")
        number = len(self.repository.issues) + 100
        address = f"https://api.github.com/repos/{self.repository.full_name}"
        issue = {
            "id": number,
            "node_id": "I",
            "number": number,
            "url": f"{address}/issues/{number}",
            "repository_url": address,
            "labels_url": f"{address}/issues/{number}/labels",
            "comments_url": f"{address}/issues/{number}/comments",
            "events_url": f"{address}/issues/{number}/events",
            "html_url": f"https://github.com/{self.repository.full_name}/issues/{number}",
            "state": "open",
            "title": body["title"],
            "body": body.get("body"),
            "user": BOT,
            "labels": [],
            "assignee": None,
            "milestone": None,
            "locked": False,
            "comments": 0,
            "closed_at": None,
            "created_at": NOW,
            "updated_at": NOW,
        }
        self.repository.issues.append(issue)
        return issue

    def edit_issue(self, number: int, body: Any) -> Any:
        """Change an issue."""
        self._require("issues", level="write")
        for issue in self.repository.issues:
            if issue["number"] == number:
                issue.update(body)
                return issue
        raise Refusal(404, "Not Found")


def problem(message: str, status: int) -> dict[str, str]:
    """Give the body of a refusal."""
    return {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status),
    }


def account(login: str, kind: str) -> dict[str, Any]:
    """Give an account as GitHub describes one."""
    address = f"https://api.github.com/users/{login}"
    links = (
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    )
    return {
        "login": login,
        "id": 1,
        "node_id": "U",
        "avatar_url": address,
        "gravatar_id": "",
        "url": address,
        "html_url": f"https://github.com/{login}",
        **{link: f"{address}/{link.removesuffix('_url')}" for link in links},
        "type": kind,
        "site_admin": False,
    }


BOT = account("github-actions[bot]", "Bot")


def full_repository(full_name: str, *, private: bool, fork: bool) -> dict[str, Any]:
    """Give a repository as GitHub describes one."""
    address = f"https://api.github.com/repos/{full_name}"
    links = [
        name
        for name in openapi.description()["components"]["schemas"]["full-repository"][
            "required"
        ]
        if name.endswith("_url")
    ]
    return {
        **{link: f"{address}/{link.removesuffix('_url')}" for link in links},
        "id": 1,
        "node_id": "R",
        "name": full_name.rpartition("/")[2],
        "full_name": full_name,
        "owner": account(OWNER, "Organization"),
        "private": private,
        "visibility": "private" if private else "public",
        "html_url": f"https://github.com/{full_name}",
        "url": address,
        "description": None,
        "fork": fork,
        "homepage": None,
        "language": "Python",
        "mirror_url": None,
        "default_branch": "main",
        "license": None,
        "disabled": False,
        "archived": False,
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        **dict.fromkeys(
            (
                "forks_count",
                "forks",
                "stargazers_count",
                "watchers_count",
                "watchers",
                "size",
                "open_issues_count",
                "open_issues",
                "network_count",
                "subscribers_count",
            ),
            0,
        ),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), NOW),
    }
