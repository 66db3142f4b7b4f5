"""The rendered project's gitleaks rules: what they must find, and what they must leave alone.

The secrets are made up at run time, so that no file of this repository holds one.
"""

import re

import pytest
from harness import Renderer, run
from made_up import SECRETS
from native import Checkout

HOOK = "uv run pre-commit run gitleaks-history --hook-stage manual --all-files"

pytestmark = pytest.mark.xdist_group("library")


LOOK_ALIKES = [
    "postgresql://user:password@localhost/app",
    "postgres://app:${DB_PASSWORD}@db/app",
    "mysql://root:changeme@localhost/app",
    "mongodb://<user>:<password>@host/app",
    "redis://localhost:6379/0",
    'client_secret = os.environ["CLIENT_SECRET"]',
    'api_key = "your-api-key-here"',
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256:" + "9534e5a8e315485d" * 4,
    "uses: actions/checkout@" + "3d3c42e5aa" * 4,
    "token: ${{ secrets.PYPI_API_TOKEN }}",
    "oauth_token: ${OAUTH_TOKEN}",
    "refresh_token = None",
    # Documented examples.
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "amqp://guest:guest@localhost:5672/",
    "postgresql://postgres:postgres@localhost:5432/postgres",
    "sqlite:///app.db",
    "ghp_" + "x" * 36,
    "sk-" + "x" * 40,
    "AIza" + "X" * 35,
    "Authorization: Bearer <token>",
    "Authorization: Bearer ${TOKEN}",
    'SECRET_KEY = os.environ["SECRET_KEY"]',
    "PASSWORD=changeme",
    'password = getpass.getpass("Password: ")',
    "client_secret: <your client secret>",
    "refresh_token_lifetime = 3600",
    "oauth_token_endpoint: https://login.example.org/oauth2/v1/token",
    # Identifiers and digests.
    "00000000-0000-0000-0000-000000000000",
    'request_id = "123e4567-e89b-12d3-a456-426614174000"',
    "commit " + "3d3c42e5aac5ba805825" * 2,
    "md5: d41d8cd98f00b204e9800998ecf8427e",
    "integrity: sha512-" + "q83vEjRWeJCr" * 7 + "==",
    "-----BEGIN PUBLIC " + "KEY-----",
    "-----BEGIN " + "CERTIFICATE-----",
]


@pytest.fixture(scope="module")
def checkout(render: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Give a committed project whose tools are installed."""
    folder = tmp_path_factory.mktemp("secrets") / "project"
    checkout = Checkout(render(kind="library").workable(folder))
    checkout.environment["UV_PYTHON"] = "3.12"
    checkout.run("uv sync -q && git add -A && git commit -qm Lock")
    checkout.environment["UV_NO_SYNC"] = "1"
    return checkout


def findings(checkout: Checkout, text: str) -> tuple[int, str]:
    """Commit a text and scan the history; gives the exit status and the output, and takes the commit back."""
    (checkout.path / "notes.txt").write_text(text + "\n", "utf-8")
    checkout.run("git add notes.txt && git commit -qm notes --no-verify")
    done = checkout.run(HOOK, check=False)
    run(["git", "reset", "--quiet", "--hard", "HEAD~1"], cwd=checkout.path)
    return done.returncode, done.stdout


@pytest.mark.parametrize("kind", SECRETS)
def test_secret_is_found_and_not_repeated(checkout: Checkout, kind: str) -> None:
    """A secret in a commit is red, and the log does not say it again."""
    status, output = findings(checkout, SECRETS[kind])
    assert status == 1
    assert "notes.txt" in output
    report = (checkout.path / "gitleaks.sarif").read_text("utf-8")
    assert "notes.txt" in report
    # The longest run of letters and digits is the part that nobody may read again.
    secret = max(re.findall(r"\w+", SECRETS[kind]), key=len)
    assert secret not in output
    assert secret not in report


def test_look_alikes_are_left_alone(checkout: Checkout) -> None:
    """Placeholders, references, hashes and examples do not fire."""
    assert len(LOOK_ALIKES) >= 30
    status, output = findings(checkout, "\n".join(LOOK_ALIKES))
    assert status == 0, output


def test_a_false_finding_that_stops_a_commit_is_silenced_for_good(
    checkout: Checkout,
) -> None:
    """By the fingerprint that the commit hook prints, as docs/pipeline.md says: in the commit and in the history."""
    hook = "git add --all && uv run pre-commit run gitleaks"
    (checkout.path / "notes.txt").write_text(f"{SECRETS['AWS key']}\n", "utf-8")
    stopped = checkout.run(hook, check=False)
    assert stopped.returncode == 1
    (fingerprint,) = re.findall(r"^Fingerprint: +(\S+)$", stopped.stdout, re.M)
    with (checkout.path / ".gitleaksignore").open("a", encoding="utf-8") as file:
        file.write(f"# Made up.\n{fingerprint}\n")
    checkout.run(hook)
    checkout.run("git commit -qm notes --no-verify")
    checkout.run(HOOK)
    run(["git", "reset", "--quiet", "--hard", "HEAD~1"], cwd=checkout.path)
