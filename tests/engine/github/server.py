"""The server: what is asked, by whom, and whether request and answer are as GitHub describes them."""

from __future__ import annotations

import functools
import json
import socket
from collections.abc import Iterable
from typing import Any

from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from engine import openapi
from engine.github import (
    actions,
    attestations,
    graphql,
    issues,
    pulls,
    releases,
    settings,
)
from engine.github.call import JSON, Answered, Call, Refusal, body_of
from engine.repository import Repository
from engine.under_test import Grants, permissions_of

HOSTS = ["api.github.com", "uploads.github.com"]


MODULES = (actions, attestations, issues, pulls, releases, settings)


@functools.cache
def rules(full_name: str) -> Map:
    """Give which function answers which request about a repository."""
    user = Rule("/users/<login>", methods=["GET"], endpoint=settings.user)
    of_repository = [
        Rule(f"/repos/{full_name}{path}", methods=[method], endpoint=answer)
        for module in MODULES
        for method, path, answer in module.ROUTES
    ]
    return Map([user, *of_repository])


class GitHub:
    """A WSGI application for one repository.

    Attributes:
        repository: What it serves and changes.
        contradictions: Where a request or an answer was not as GitHub describes it. Any is a failed test.
    """

    def __init__(self, repository: Repository, grants: Grants, token: str) -> None:
        """Take the repository, what each job's token may do, and the secret part of the tokens of this run."""
        self.repository = repository
        self.grants = grants
        self.token = token
        self.contradictions: list[str] = []
        self._rules = rules(repository.full_name)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        here = self.repository
        if here.is_cut_off():
            return cut_off(environ)
        try:
            if request.path == graphql.PATH:
                return self._query(request)(environ, start_response)
            asked = openapi.operation(request.method, request.path)
            body = body_of(request)
            if not isinstance(body, bytes):
                openapi.check_request(asked, body)
            status, answer = self._answer(request)
            if status == 201 and "201" not in asked.description["responses"]:
                status = 200
            if not isinstance(answer, bytes):
                openapi.check_answer(asked, status, answer)
        except openapi.Contradiction as contradiction:
            self.contradictions.append(str(contradiction))
            status, answer = 500, problem(str(contradiction), 500)
        here.requests.append((request.method, request.path, status))
        if request.method not in ("GET", "HEAD") and here.count_change(status):
            return cut_off(environ)
        if isinstance(answer, bytes):
            response = Response(answer, status, content_type="application/octet-stream")
        else:
            text = "" if answer is None else json.dumps(answer)
            response = Response(text, status, content_type=f"{JSON}; charset=utf-8")
        return response(environ, start_response)

    def _query(self, request: Request) -> Response:
        """Give the answer to a query or a mutation."""
        try:
            call = Call(request, self._permissions(request))
            status, answer = 200, graphql.answer(self.repository, call)
        except Refusal as refusal:
            status, answer = refusal.status, problem(str(refusal), refusal.status)
        self.repository.requests.append((request.method, request.path, status))
        return Response(json.dumps(answer), status, content_type=JSON)

    def _answer(self, request: Request) -> tuple[int, Any]:
        """Give status and body."""
        try:
            below = request.path.removeprefix(f"/repos/{self.repository.full_name}")
            if below in self.repository.broken:
                raise Refusal(500, "Server Error")
            call = Call(request, self._permissions(request))
            if not self.repository.created and below != request.path:
                raise Refusal(404, "Not Found")
            answer, found = self._rules.bind_to_environ(request.environ).match()
            done = answer(self.repository, call, **found)
        except Refusal as refusal:
            return refusal.status, problem(str(refusal), refusal.status)
        except NotFound:
            if request.path.startswith("/repos/") and below == request.path:
                # Another repository than the one that there is.
                return 404, problem("Not Found", 404)
            message = f"this fake does not know {request.method} {request.path} yet"
            raise openapi.Contradiction(message) from None
        except HTTPException as error:
            return error.code or 500, problem(error.name, error.code or 500)
        if isinstance(done, Answered):
            return done.status, done.body
        if done is None:
            return 204, None
        return 201 if request.method == "POST" else 200, done

    def _permissions(self, request: Request) -> dict[str, str]:
        """Give what the token may do, which names workflow and job (see tools/step.sh)."""
        given = request.headers.get("Authorization", "").rpartition(" ")[2]
        held = permissions_of(given, self.token, self.grants)
        if held is None:
            raise Refusal(401, "Bad credentials")
        return held


def cut_off(environ: dict[str, Any]) -> Iterable[bytes]:
    """End the connection without an answer, as when the network or the runner dies."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return []


def problem(message: str, status: int) -> dict[str, str]:
    """Give the body of a refusal."""
    return {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status),
    }
