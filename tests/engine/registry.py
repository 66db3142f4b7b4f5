"""The door of the container registry: who may push or pull, and what was asked. What is behind it is a real registry."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterable
from typing import Any

from policy import LEVELS
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

from engine.github.server import cut_off
from engine.repository import Repository
from engine.under_test import Grants, permissions_of

HOST = "ghcr.io"
READS = ("GET", "HEAD")
# Where the registry keeps all below its folder.
STORED = "docker/registry/v2"
# What changes what others see. A layer that no manifest names is nobody's to pull, and is swept away in the end.
CHANGE = re.compile(r"/v2/[^/]+/[^/]+/manifests/.+")


class Registry:
    """A WSGI application for one repository's images.

    A token is that of a job (see tools/step.sh); it may push where the job has `packages: write`.
    """

    def __init__(
        self, repository: Repository, grants: Grants, token: str, port: int
    ) -> None:
        """Take the repository, what each job's token may do, their secret part, and the real registry's port."""
        self.repository = repository
        self.grants = grants
        self.token = token
        target = {"target": f"http://127.0.0.1:{port}/", "host": HOST}
        self._behind = ProxyMiddleware(
            Response("", 404), {"/v2/": target}, chunk_size=1 << 20
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        if self.repository.is_cut_off():
            return cut_off(environ)
        if request.path == "/token":
            return self._hand_out_token(request)(environ, start_response)
        if refusal := self._refuse(request):
            self._log(request, refusal.status_code)
            return refusal(environ, start_response)
        whole_body(environ)
        answer = Response.from_app(self._behind, environ, buffered=True)
        self._log(request, answer.status_code)
        is_change = request.method == "PUT" and CHANGE.fullmatch(request.path)
        if is_change and self.repository.count_change(answer.status_code):
            return cut_off(environ)
        return answer(environ, start_response)

    def _log(self, request: Request, status: int) -> None:
        """Write down what was asked."""
        asked = (request.method, f"{HOST}{request.path}", status)
        self.repository.requests.append(asked)

    def _hand_out_token(self, request: Request) -> Response:
        """Give the token that requests must carry, for the password of the account."""
        basic = request.authorization and request.authorization.password
        password = basic or request.form.get("password", "")
        token = base64.b64encode(password.encode()).decode()
        body = json.dumps({"token": token, "access_token": token})
        return Response(body, content_type="application/json")

    def _refuse(self, request: Request) -> Response | None:
        """Give the refusal of what the token may not do; None where it may."""
        authorization = request.authorization
        if authorization is None or authorization.token is None:
            realm = f'Bearer realm="https://{HOST}/token",service="{HOST}"'
            name = request.path.removeprefix("/v2/").split("/blobs")[0]
            scope = f'{realm},scope="repository:{name.split("/manifests")[0]}:pull"'
            refusal = problem(401, "UNAUTHORIZED", "authentication required")
            refusal.headers["WWW-Authenticate"] = scope
            return refusal
        if request.path == "/v2/":
            return None
        if request.path in self.repository.broken:
            return problem(500, "UNKNOWN", "Server Error")
        given = base64.b64decode(authorization.token).decode()
        held = permissions_of(given, self.token, self.grants) or {}
        ours = request.path.startswith(f"/v2/{self.repository.full_name.lower()}/")
        level = "read" if request.method in READS else "write"
        if not ours or LEVELS[held.get("packages", "none")] < LEVELS[level]:
            return problem(403, "DENIED", f"permission_denied: {level}_package")
        return None


def tags(repository: Repository) -> dict[str, str]:
    """Give the digest that each tag of the repository's image names."""
    folder = repository.images / STORED / "repositories" / repository.full_name.lower()
    links = folder.glob("_manifests/tags/*/current/link")
    return {link.parents[1].name: link.read_text("utf-8") for link in links}


def manifest(repository: Repository, digest: str) -> dict[str, Any]:
    """Give the manifest or index of a digest, or the configuration of an image."""
    kind, _, name = digest.partition(":")
    blob = repository.images / STORED / "blobs" / kind / name[:2] / name / "data"
    found: dict[str, Any] = json.loads(blob.read_text("utf-8"))
    return found


def problem(status: int, code: str, message: str) -> Response:
    """Give a refusal as registries say it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]})
    return Response(body, status, content_type="application/json")


def whole_body(environ: dict[str, Any]) -> None:
    """Read what is sent in pieces of unknown number, which the proxy does not hand on."""
    if environ.pop("HTTP_TRANSFER_ENCODING", "") == "chunked":
        body = get_input_stream(environ).read()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        environ.pop("wsgi.input_terminated", None)
