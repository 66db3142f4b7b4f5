"""The issuer of identities: a job that may, asks it for a signed token that says which run it is part of."""

from __future__ import annotations

import functools
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from policy import Workflow
from werkzeug.wrappers import Request, Response

from engine.repository import OWNER, Event, Repository
from engine.under_test import Grants, job_of

ISSUER = "https://token.actions.githubusercontent.com"
ALGORITHM = "RS256"
# Seconds.
LIFETIME = 300


@functools.cache
def key() -> rsa.RSAPrivateKey:
    """Give the key that tokens are signed with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sign(claims: Mapping[str, Any]) -> str:
    """Give a token with these claims, which ends soon unless they say otherwise."""
    now = int(time.time())
    times = {"iat": now, "nbf": now, "exp": now + LIFETIME, "jti": str(uuid.uuid4())}
    return jwt.encode({"iss": ISSUER, **times, **claims}, key(), ALGORITHM)


@dataclass(frozen=True)
class Run:
    """What a token says of the run.

    Attributes:
        repository: Whose run it is.
        event: What started it.
        file: The workflow that was started.
        workflows: This one and those that it calls.
    """

    repository: Repository
    event: Event
    file: str
    workflows: list[Workflow]

    def claims(self, name: str, job: str) -> dict[str, Any]:
        """Give what the token of a job says, as GitHub documents it.

        Args:
            name: The name of the workflow that the job is in.
            job: The job.
        """
        here, event = self.repository, self.event
        (workflow,) = (w for w in self.workflows if w.data["name"] == name)
        environment = workflow.jobs[job].get("environment")
        if isinstance(environment, dict):
            environment = environment["name"]
        files = f"{here.full_name}/.github/workflows"
        return {
            "sub": f"repo:{here.full_name}:{self._subject(environment)}",
            "repository": here.full_name,
            "repository_id": "1",
            "repository_owner": OWNER,
            "repository_owner_id": "1",
            "repository_visibility": "private" if here.private else "public",
            "ref": event.ref,
            "ref_type": "tag" if event.ref.startswith("refs/tags/") else "branch",
            "sha": event.commit,
            "actor": event.author.login,
            "event_name": event.name,
            "run_id": str(here.runs),
            "run_number": str(here.runs),
            "run_attempt": "1",
            "runner_environment": "github-hosted",
            "workflow": self.workflows[0].data["name"],
            "workflow_ref": f"{files}/{self.file}@{event.ref}",
            "workflow_sha": event.commit,
            "job_workflow_ref": f"{files}/{workflow.file}@{event.ref}",
            "job_workflow_sha": event.commit,
            **({"environment": environment} if environment else {}),
        }

    def _subject(self, environment: str | None) -> str:
        """Give what the subject says beside the repository."""
        if environment:
            return f"environment:{environment}"
        if self.event.name == "pull_request":
            return "pull_request"
        return f"ref:{self.event.ref}"


class Issuer:
    """A WSGI application for the jobs of one run."""

    def __init__(self, run: Run, grants: Grants, secret: str) -> None:
        """Take the run, what its jobs may do, and what the passwords of its jobs begin with (see tools/step.sh)."""
        self.run = run
        self.grants = grants
        self.secret = secret

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        given = request.headers.get("Authorization", "").rpartition(" ")[2]
        asks = job_of(given, self.secret, self.grants)
        if asks is None or self.grants[asks].get("id-token") != "write":
            return Response("Forbidden", 403)(environ, start_response)
        default = f"https://github.com/{OWNER}"
        audience = request.args.get("audience", default)
        token = sign({"aud": audience, **self.run.claims(*asks)})
        body = json.dumps({"count": len(token), "value": token})
        answer = Response(body, content_type="application/json")
        return answer(environ, start_response)


def jobs_with_identity(grants: Grants) -> str:
    """Name the jobs that may prove which run they are part of, as tools/step.sh looks for them."""
    return " ".join(
        f"{workflow.replace(' ', '_')}@{job}"
        for (workflow, job), permissions in grants.items()
        if permissions.get("id-token") == "write"
    )
