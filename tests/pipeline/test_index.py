"""The package index and the issuer of identities: what they must refuse, each in the words of the real one."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from engine.index import identity
from engine.index.held import Index as Held
from engine.index.held import Publisher, Token
from engine.index.server import Index
from pypi_attestations import AttestationType
from werkzeug.test import Client, TestResponse

WHEEL = "demo_project-1.2.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.4\nName: demo-project\nVersion: 1.2.0\nSummary: Sing\n"
PUBLISHER = Publisher("demo-project", "octo/demo", "publish.yml", "pypi")
REF = "refs/tags/v1.2.0"
KNOWN, OLD, MINTED = "made-up", "made-up-old", "made-up-minted"


class Repository:
    """As much of a repository as an index asks for."""

    def __init__(self) -> None:
        """Let PyPI know a trusted publisher and an API token."""
        tokens = {
            KNOWN: Token("demo-project"),
            OLD: Token("demo-project", expires=1.0),
            MINTED: Token("demo-project", publisher=PUBLISHER),
        }
        self.indexes = {"pypi": Held(publishers=[PUBLISHER], tokens=tokens)}
        self.requests: list[Any] = []

    def is_cut_off(self) -> bool:
        """Let every request through."""
        return False

    def count_change(self, _: int) -> bool:
        """Count nothing."""
        return False


@pytest.fixture
def repository() -> Repository:
    """Give a repository."""
    return Repository()


@pytest.fixture
def client(repository: Repository) -> Client:
    """Give what asks its PyPI."""
    return Client(Index(repository, "pypi"))  # type: ignore[arg-type]


# ---- Uploads ---------------------------------------------------------------------------------------------------------


def wheel(metadata: str = METADATA, folder: str = "demo_project-1.2.0") -> bytes:
    """Give a wheel with this metadata: the same bytes whenever it is called."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in [
            ("METADATA", metadata),
            ("WHEEL", "Wheel-Version: 1.0\n"),
        ]:
            # An entry made from a name alone holds the time of writing.
            entry = zipfile.ZipInfo(f"{folder}.dist-info/{name}")
            archive.writestr(entry, content)
    return made.getvalue()


def attested(name: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """Give an attestation of a file, as it goes to the index."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
        ],
        "predicateType": AttestationType.PYPI_PUBLISH_V1.value,
        "predicate": None,
        **changes,
    }
    return {
        "version": 1,
        "verification_material": {
            "certificate": "bm90ZQ==",
            "transparency_entries": [{"note": "none"}],
        },
        "envelope": {
            "statement": base64.b64encode(json.dumps(statement).encode()).decode(),
            "signature": "bm90ZQ==",
        },
    }


def form(content: bytes, name: str = WHEEL) -> dict[str, Any]:
    """Give what an uploader sends with a file."""
    return {
        ":action": "file_upload",
        "protocol_version": "1",
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "metadata_version": "2.4",
        "name": "demo-project",
        "version": "1.2.0",
        "summary": "Sing",
        "sha256_digest": hashlib.sha256(content).hexdigest(),
        "content": (io.BytesIO(content), name),
    }


def upload(client: Client, data: dict[str, Any], token: str = KNOWN) -> TestResponse:
    """Upload a file with a token."""
    return client.post("/legacy/", data=data, auth=("__token__", token))


def test_a_file_is_kept_and_the_same_again_changes_nothing(
    client: Client, repository: Repository
) -> None:
    content = wheel()
    for _ in range(2):
        assert upload(client, form(content)).status_code == 200
    assert repository.indexes["pypi"].contents == {WHEEL: content}
    assert repository.requests == [("POST", "pypi/legacy/", 200)] * 2


Change = Callable[[dict[str, Any]], None]


def set_to(**fields: Any) -> Change:
    """Say something else; None says nothing."""

    def change(data: dict[str, Any]) -> None:
        data.update(fields)
        for name in [n for n, value in fields.items() if value is None]:
            del data[name]

    return change


def other_content(content: bytes, name: str = WHEEL) -> Change:
    """Send another file, with its digest."""
    return lambda data: data.update(
        {
            "content": (io.BytesIO(content), name),
            "sha256_digest": hashlib.sha256(content).hexdigest(),
        }
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_to(protocol_version="2"), "Unknown protocol version"),
        (set_to(sha256_digest=None), "Include at least one message digest"),
        (set_to(sha256_digest="0" * 64), "does not match a digest calculated"),
        (set_to(content=None), "does not have a file"),
        (set_to(version="next"), "'next' is invalid"),
        (set_to(version="1.2.0+local"), "local versions in '1.2.0+local'"),
        (set_to(version="1.3.0"), "should be '1.3.0' not '1.2.0'"),
        (set_to(name="other"), "not valid for project: 'other'"),
        (set_to(filetype="sdist"), "is no sdist"),
        (set_to(summary="Dance"), "the form differs in summary"),
        (other_content(wheel(), "demo.whl"), "Invalid wheel filename"),
        (
            other_content(wheel(), "other-1.2.0-py3-none-any.whl"),
            "Start filename for 'demo-project' with 'demo_project'",
        ),
        (other_content(b"no archive"), "Invalid distribution file"),
        (other_content(wheel(folder="other-1.2.0")), "Invalid distribution file"),
        (
            other_content(wheel(METADATA.replace("1.2.0", "1.3.0"))),
            "it is demo-project 1.3.0, the form says demo-project 1.2.0",
        ),
        (other_content(wheel("Name: demo-project\n")), "Invalid distribution file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_does_not_fit_is_refused(
    client: Client, repository: Repository, change: Change, says: str
) -> None:
    data = form(wheel())
    change(data)
    answer = upload(client, data)
    assert answer.status_code in (400, 403)
    # twine shows the status line alone.
    assert says in answer.status
    assert repository.indexes["pypi"].files == {}


def test_another_file_of_a_name_is_refused(
    client: Client, repository: Repository
) -> None:
    content = wheel()
    upload(client, form(content))
    other = form(wheel(METADATA + "\nSung.\n"))
    assert "400 File already exists" in upload(client, other).status
    assert repository.indexes["pypi"].contents == {WHEEL: content}


@pytest.mark.parametrize("token", ["unknown", OLD])
def test_a_token_must_be_known_and_fresh(client: Client, token: str) -> None:
    assert upload(client, form(wheel()), token).status_code == 403
    assert client.post("/legacy/", data=form(wheel())).status_code == 403


@pytest.mark.parametrize(
    ("token", "attestations", "says"),
    [
        (MINTED, [attested(WHEEL, wheel())], ""),
        (
            KNOWN,
            [attested(WHEEL, wheel())],
            "only supported when using Trusted Publishing",
        ),
        (MINTED, [], "an empty attestation set"),
        (MINTED, [{"version": 1}], "Malformed attestations"),
        (
            MINTED,
            [attested(WHEEL, b"")],
            "does not match distribution digest",
        ),
        (
            MINTED,
            [attested("other.whl", wheel())],
            "does not match distribution name",
        ),
        (
            MINTED,
            [attested(WHEEL, wheel(), predicateType="https://example.org")],
            "Could not verify",
        ),
        (
            MINTED,
            [attested(WHEEL, wheel())] * 2,
            "with the same predicate",
        ),
    ],
    ids=["right", "API token", "none", "shape", "digest", "name", "kind", "twice"],
)
def test_attestations_must_be_about_the_file(
    client: Client,
    repository: Repository,
    token: str,
    attestations: list[dict[str, Any]],
    says: str,
) -> None:
    data = form(wheel()) | {"attestations": json.dumps(attestations)}
    answer = upload(client, data, token)
    assert answer.status_code == (400 if says else 200)
    assert says in answer.status
    kept = repository.indexes["pypi"].files
    assert [file.attestations for file in kept.values()] == (
        [] if says else [attestations]
    )


# ---- Trusted publishing ----------------------------------------------------------------------------------------------


def claims(**changes: Any) -> dict[str, Any]:
    """Give what the token of the right job says."""
    workflow = f"octo/demo/.github/workflows/publish.yml@{REF}"
    return {
        "aud": "pypi",
        "sub": "repo:octo/demo:environment:pypi",
        "repository": "octo/demo",
        "ref": REF,
        "workflow_ref": workflow,
        "job_workflow_ref": workflow,
        "environment": "pypi",
        **changes,
    }


def mint(client: Client, token: str) -> TestResponse:
    """Exchange an identity for a token."""
    return client.post("/_/oidc/mint-token", json={"token": token})


def test_the_right_job_gets_a_token_that_uploads_to_its_project_once(
    client: Client,
) -> None:
    assert client.get("/_/oidc/audience").json == {"audience": "pypi"}
    proof = identity.sign(claims())
    answer = mint(client, proof)
    assert answer.status_code == 200
    assert answer.json
    assert upload(client, form(wheel()), answer.json["token"]).status_code == 200
    again = mint(client, proof)
    assert (again.status_code, "already used" in again.text) == (422, True)


def by_other_key(said: dict[str, Any]) -> str:
    """Sign with a key that is not the issuer's."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ours = jwt.decode(identity.sign(said), options={"verify_signature": False})
    return jwt.encode(ours, key, identity.ALGORITHM)


OTHER_FILE = f"octo/demo/.github/workflows/release.yml@{REF}"


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda: "no token", "invalid-payload"),
        (lambda: identity.sign(claims(iss="https://example.org")), "invalid-payload"),
        (lambda: by_other_key(claims()), "invalid-token"),
        (lambda: identity.sign(claims(aud="testpypi")), "invalid-token"),
        (lambda: identity.sign(claims(exp=1)), "invalid-token"),
        (lambda: identity.sign(claims(repository="octo/other")), "invalid-publisher"),
        (lambda: identity.sign(claims(environment="testpypi")), "invalid-publisher"),
        (lambda: identity.sign(claims(workflow_ref=OTHER_FILE)), "invalid-publisher"),
        # publish.yml, called by another workflow.
        (
            lambda: identity.sign(claims(job_workflow_ref=OTHER_FILE)),
            "invalid-publisher",
        ),
    ],
    ids=[
        "shape",
        "issuer",
        "key",
        "audience",
        "expired",
        "repository",
        "environment",
        "workflow",
        "called",
    ],
)
def test_others_get_no_token(
    client: Client, repository: Repository, token: Callable[[], str], code: str
) -> None:
    known = dict(repository.indexes["pypi"].tokens)
    # Made here, not in the parameters: a token ends minutes after, while other tests still run.
    answer = mint(client, token())
    assert answer.status_code == 422
    assert answer.json
    assert answer.json["errors"][0]["code"] == code
    assert repository.indexes["pypi"].tokens == known
