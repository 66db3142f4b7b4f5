"""github.com as git speaks to it: git's own server, behind GitHub's rules about who may push what."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from typing import Any

from harness import tool
from werkzeug.wrappers import Request, Response

from engine.github.server import cut_off
from engine.repository import Repository
from engine.under_test import Grants, permissions_of

HOST = "github.com"
# Reads what is to be pushed, as git gives it to a hook: old commit, new commit, ref. Without the right to do so nobody
# brings workflow files that are not in the repository yet.
HOOK = """\
#!/bin/sh
while read -r _ new ref; do
  files=$(git diff-tree -r --name-only --no-commit-id main "$new" -- .github/workflows)
  [ -z "$files" ] && continue
  echo "refusing to allow a GitHub App to create or update workflow \\`$(echo "$files" | head -n 1)\\` without \\`workflows\\` permission" >&2
  exit 1
done
"""


class Git:
    """A WSGI application for one repository."""

    def __init__(self, repository: Repository, grants: Grants, token: str) -> None:
        """Take the repository, what each job's token may do, and the secret part of the tokens of this run."""
        self.repository = repository
        self.grants = grants
        self.token = token

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        here = self.repository
        if here.is_cut_off():
            return cut_off(environ)
        response = self._answer(request)
        pushes = request.path.endswith("/git-receive-pack")
        if request.method == "POST":
            asked = (request.method, f"{HOST}{request.path}", response.status_code)
            here.requests.append(asked)
        if pushes and here.count_change(response.status_code):
            return cut_off(environ)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        """Give git's answer, where the token may ask."""
        prefix = f"/{self.repository.full_name}"
        path = request.path.removeprefix(prefix).removeprefix(".git")
        ours = request.path.startswith(prefix) and path.startswith("/")
        if not ours or not self.repository.created:
            return Response("Not Found", 404)
        pushes = "git-receive-pack" in (path[1:], request.args.get("service"))
        given = request.authorization
        held = permissions_of(
            (given.password if given else "") or "", self.token, self.grants
        )
        level = (held or {}).get("contents", "none")
        public = not self.repository.private
        if not (level == "write" or (not pushes and (public or level == "read"))):
            if held:
                return Response("Permission to the repository denied.", 403)
            wants = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return Response("Authentication required", 401, wants)
        return self._serve(request, path, held or {})

    def _serve(self, request: Request, path: str, held: dict[str, str]) -> Response:
        """Let git's own server answer."""
        hooks = self.repository.folder / "hooks"
        hooks.mkdir(exist_ok=True)
        hook = hooks / "pre-receive"
        hook.unlink(missing_ok=True)
        if held.get("workflows") != "write":
            hook.write_text(HOOK, "utf-8")
            hook.chmod(0o755)
        done = subprocess.run(
            [tool("git"), "-c", f"core.hooksPath={hooks}", "http-backend"],
            input=request.get_data(),
            capture_output=True,
            check=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.repository.git),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "update-app",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": path,
                "QUERY_STRING": request.query_string.decode(),
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(request.get_data())),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            },
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(
            line.split(": ", 1) for line in head.decode().splitlines() if line
        )
        status = int(headers.pop("Status", "200").split()[0])
        return Response(body, status, headers)
