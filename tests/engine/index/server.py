"""The server: tokens for trusted publishers, and uploads."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY
from werkzeug.exceptions import NotFound
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from engine.github.server import cut_off
from engine.index import identity, uploads
from engine.index.held import NAMES, Publisher, Token
from engine.index.uploads import Refusal, Upload
from engine.repository import Repository

# Where twine takes each to be.
ADDRESSES = dict(zip(NAMES, (DEFAULT_REPOSITORY, TEST_REPOSITORY), strict=True))
HOSTS = {name: str(urlsplit(address).hostname) for name, address in ADDRESSES.items()}
# Seconds that a token for a trusted publisher is good for.
LIFETIME = 900
# Without these, the identity says nothing.
REQUIRED = ["exp", "iat", "iss", "sub", "aud", "jti"]

RULES = Map(
    [
        Rule("/_/oidc/audience", methods=["GET"], endpoint="tell_audience"),
        Rule("/_/oidc/mint-token", methods=["POST"], endpoint="mint"),
        Rule("/legacy/", methods=["POST"], endpoint="upload"),
    ]
)


class Index:
    """A WSGI application for one of a repository's indexes.

    What it does not know is asked of the real host: a machine may get its packages there.
    """

    def __init__(self, repository: Repository, name: str) -> None:
        """Take the repository, which holds what the index holds, and the index's name."""
        self.repository = repository
        self.name = name
        self.held = repository.indexes[name]
        target = {"target": f"https://{HOSTS[name]}/", "host": HOSTS[name]}
        self._behind = ProxyMiddleware(Response("", 404), {"/": target})

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            endpoint, _ = RULES.bind_to_environ(environ).match()
        except NotFound:
            return self._behind(environ, start_response)
        if self.repository.is_cut_off():
            return cut_off(environ)
        try:
            with request:
                answer: Response = getattr(self, f"_{endpoint}")(request)
        except Refusal as refusal:
            # twine shows what stands in the status line.
            text = str(refusal).splitlines()[0]
            answer = Response(f"{text}\n", f"{refusal.status} {text}")
        status = answer.status_code
        asked = (request.method, f"{self.name}{request.path}", status)
        self.repository.requests.append(asked)
        if request.method == "POST" and self.repository.count_change(status):
            return cut_off(environ)
        return answer(environ, start_response)

    # ---- Trusted publishing ------------------------------------------------------------------------------------------

    def _tell_audience(self, _: Request) -> Response:
        """Say whom an identity must be meant for."""
        return as_json({"audience": self.name})

    def _mint(self, request: Request) -> Response:
        """Give a token for the project of the trusted publisher that an identity belongs to."""
        try:
            given = request.get_json(force=True)["token"]
            issuer = jwt.decode(given, options={"verify_signature": False})["iss"]
        except (KeyError, TypeError, ValueError, jwt.PyJWTError):
            return no_token("invalid-payload", "malformed JWT")
        if issuer != identity.ISSUER:
            return no_token("invalid-payload", "unknown trusted publishing issuer")
        try:
            claims = jwt.decode(
                given,
                identity.key().public_key(),
                [identity.ALGORITHM],
                audience=self.name,
                leeway=30,
                options={"require": REQUIRED},
            )
        except jwt.PyJWTError:
            return no_token("invalid-token", "malformed or invalid token")
        if claims["jti"] in self.held.identities:
            return no_token("invalid-reuse-token", "invalid token: already used")
        publisher = next((p for p in self.held.publishers if is_by(p, claims)), None)
        if publisher is None:
            return no_token(
                "invalid-publisher",
                "valid token, but no corresponding publisher (Publisher with matching claims was not found)",
            )
        self.held.identities.add(claims["jti"])
        token, expires = f"{self.name}-{uuid.uuid4().hex}", time.time() + LIFETIME
        self.held.tokens[token] = Token(publisher.project, expires, publisher)
        return as_json({"success": True, "token": token, "expires": int(expires)})

    # ---- Uploads -----------------------------------------------------------------------------------------------------

    def _upload(self, request: Request) -> Response:
        """Take a file."""
        # All of it is read, or the client would not hear the answer.
        file = request.files.get("content")
        token = self._token(request)
        if file is None or not file.filename:
            raise Refusal("Upload payload does not have a file.")
        fields = {name: request.form.getlist(name) for name in request.form}
        uploads.take(self.held, Upload(file.filename, file.read(), fields), token)
        return Response("")

    def _token(self, request: Request) -> Token:
        """Give the token that an upload comes with."""
        given = request.authorization
        token = self.held.tokens.get(str(given.password)) if given else None
        if given is None or given.username != "__token__" or token is None:
            raise Refusal("Invalid or non-existent authentication information.", 403)
        if token.expires is not None and token.expires <= time.time():
            raise Refusal("Invalid API Token: Expired token", 403)
        return token


def is_by(publisher: Publisher, claims: Mapping[str, Any]) -> bool:
    """Tell whether an identity is the publisher's.

    Its workflow is the one that was started: of one that another calls, the real index makes nothing reliable.
    """
    workflow = f"{publisher.repository}/.github/workflows/{publisher.workflow}"
    expected = {f"{workflow}@{claims.get(what)}" for what in ("ref", "sha")}
    return (
        str(claims.get("repository", "")).lower() == publisher.repository.lower()
        and claims.get("workflow_ref") in expected
        and claims.get("job_workflow_ref") in expected
        and str(claims.get("environment", "")).lower() == publisher.environment.lower()
    )


def as_json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Give an answer in JSON."""
    return Response(json.dumps(body), status, content_type="application/json")


def no_token(code: str, description: str) -> Response:
    """Give the refusal of a token."""
    errors = [{"code": code, "description": description}]
    return as_json({"message": "Token request failed", "errors": errors}, 422)
