"""Planted defects: what is wrong, which steps it reddens, and what they say.

Each is planted by a few lines in a fresh project. `reddens` names every step that it reddens over the workflows that it
can affect; docs/proofs.md is made from it (tests/pipeline/test_red.py says how).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from engine.repository import Repository
from made_up import SECRETS
from meddling import (
    LIST,
    Meddle,
    attest,
    both,
    change_release,
    delete_release,
    draft_by_hand,
    exchange_wheel,
    give_token,
    in_tag,
    list_anew,
    make_by_hand,
    no_start_of,
    one_click,
    published,
    register,
    release_of,
    rename_files,
    spoil_metadata,
    started,
    started_on_main,
    tagged,
    take_name,
    trial,
    trouble,
    unlist_sdist,
)
from planting import (
    CRITICAL,
    FAST_GATES,
    FAST_TESTS,
    HIGH,
    MEDIUM,
    MEDIUM_ID,
    ONE_HOOK,
    OWN_RULE,
    PACKAGE,
    Plant,
    all_of,
    append,
    command,
    cut,
    dependency,
    excuse,
    lock,
    remove,
    replace,
    secret_file,
    secrets,
    write,
)
from scenarios import (
    APP_PERMISSIONS,
    IMAGE,
    SHIPPED,
    SMALL,
    SMALL_MCP,
    SMALL_SERVICE,
    Happening,
    pem,
    with_app,
    with_change,
    with_template,
)

# ---- Steps -----------------------------------------------------------------------------------------------------------

SUM_UP = "Require that every job succeeded or was rightly skipped"
TESTS_PASSED = f"tests.yml / passed / {SUM_UP}"
BUILD_PASSED = f"build.yml / passed / {SUM_UP}"
PLAN_TESTS = "tests.yml / plan / Plan the jobs"
PLAN_BUILD = "build.yml / plan / Plan the jobs"
SYNC_TESTS = "tests.yml / test / Install the locked environment"
UNIT_TESTS = "tests.yml / test / Run the unit tests"
SMOKE = "tests.yml / test / Run the smoke test"
START = "tests.yml / test / Start and stop the server"
LOCK = "tests.yml / lint / Check that the lock file is up to date"
MISTAKES = "tests.yml / lint / Look for mistakes"
FORMAT = "tests.yml / lint / Check the format"
TYPES = "tests.yml / lint / Check the types"
SYNC_BUILD = "build.yml / package / Install the locked build tools"
MANIFEST = "build.yml / package / Check that the sdist will hold what git holds"
BUILD = "build.yml / package / Build the sdist and the wheel"
METADATA = "build.yml / package / Check the metadata"
CONTENTS = "build.yml / package / Check the contents of the wheel"
SDIST = "build.yml / package / Install the sdist into an empty environment and run its smoke test"
WHEEL = "build.yml / install / Install the wheel into an empty environment and run its smoke test"
START_INSTALLED = "build.yml / install / Start and stop the installed server"
SYNC_COVERAGE = "coverage.yml / coverage / Install the locked environment"
COVER = "coverage.yml / coverage / Run the tests under coverage"
SUMMARISE = "coverage.yml / coverage / Summarise the coverage"
THRESHOLD = "coverage.yml / coverage / Require the threshold"
COMMENT = "coverage.yml / report / Write or edit the comment on the pull request"
SYNC_HOOKS = "pre-commit.yml / pre-commit / Install the locked tools"
CONFIGURATION = "pre-commit.yml / pre-commit / Validate the hook configuration"
HOOKS = "pre-commit.yml / pre-commit / Run every hook on every file"
SYNC_GITLEAKS = "gitleaks.yml / gitleaks / Install the locked tools"
HISTORY = "gitleaks.yml / gitleaks / Look for secrets in the whole history"
PUBLIC_RULES = "semgrep.yml / semgrep / Scan with the public rules"
OWN_RULES = "semgrep.yml / semgrep / Scan with the repository's own rules"
ASK_SEMGREP = "semgrep.yml / semgrep / Ask whether code scanning takes the results"
EXPORT = "trivy.yml / trivy / Export every group of the lock"
SCAN = "trivy.yml / trivy / Scan every locked dependency"
SEEN = "trivy.yml / trivy / Require that the scan saw the dependencies"
ASK_TRIVY = "trivy.yml / trivy / Ask whether code scanning takes the results"
NOTHING_FOUND = "trivy.yml / trivy / Require that nothing was found"
ASK_PUBLIC = "ossf-scorecard.yml / plan / Ask whether the repository is public"
ASK_SCORECARD = (
    "ossf-scorecard.yml / plan / Ask whether code scanning takes the results"
)

ASK_RELEASE = "docker.yml / plan / Require a published release with all its files"
PLAN_DOCKER = "docker.yml / plan / Plan the jobs"
PLAN_IMAGE = "docker.yml / plan / Plan the image"
BUILD_IMAGE = "docker.yml / build / Build the image"
CHECK_IMAGE = "docker.yml / build / Start the image and check it"
SCAN_IMAGE = "docker.yml / build / Scan the image"
ASK_DOCKER = "docker.yml / build / Ask whether code scanning takes the results"
IMAGE_CLEAN = "docker.yml / build / Require that nothing was found"
PUSH_IMAGE = "docker.yml / build / Push the image by its digest"
TAG_IMAGE = "docker.yml / merge / Tag the image"
DOCKER_PASSED = f"docker.yml / passed / {SUM_UP}"
UPDATE = "template-update.yml / template-update / Ask for a newer version and update the project to it"
ASK_APP = "template-update.yml / pull-request / Get a token of the GitHub App"
PROPOSE = "template-update.yml / pull-request / Push the branch and open or edit the pull request"
WRITE_ISSUE = "template-update.yml / issue / Open or edit the issue"

MAKE_TAG = "release.yml / tag / Make the tag"
START_RELEASE = "release.yml / tag / Start the release of the tag"
CHECK_TAG = "release.yml / check / Check that the tag is a version, alone on its commit"
ASK_RELEASED = "release.yml / check / Ask whether GitHub keeps attestations here"
BUILT_VERSION = "release.yml / assets / Check that what was built has the tag's version"
MAKE_RELEASE = (
    "release.yml / release / Draft the release, attach the assets, publish it"
)
START_PUBLISH = "release.yml / release / Start publishing to PyPI"
START_IMAGE = "release.yml / release / Start publishing the image"

PUBLISHED = "publish.yml / package / Require a published release with all its files"
DOWNLOAD = "publish.yml / package / Download the release's files"
DIGESTS = "publish.yml / package / Check the files' digests"
ASK_ATTESTATIONS = "publish.yml / package / Ask whether GitHub keeps attestations here"
PROVENANCE = (
    "publish.yml / package / Verify that release.yml built the files from this tag"
)
RELEASE_VERSIONS = "publish.yml / package / Check the files' versions against the tag"
TRIAL_BUILD = "publish.yml / package / Build for the trial"
TRIAL_TIMES = "publish.yml / package / Give the sdist the time of the commit"
TRIAL_VERSION = "publish.yml / package / Check the trial's version"
RELEASE_METADATA = "publish.yml / package / Check the metadata"
SIGN, SIGN_TRIAL = (
    f"publish.yml / {index} / Sign the attestations" for index in ("pypi", "testpypi")
)
UPLOAD, UPLOAD_TRIAL = (
    f"publish.yml / {index} / Upload as a trusted publisher"
    for index in ("pypi", "testpypi")
)
UPLOAD_BY_TOKEN, UPLOAD_TRIAL_BY_TOKEN = (
    f"publish.yml / {index} / Upload with the token" for index in ("pypi", "testpypi")
)
NOTES = "publish.yml / notes / Add to the notes how to install it"

# The steps that no defect reddens, each with the reason.
NEVER_RED = {
    "release.yml / assets / Write the changelog": "reads the history of the tag that a job before has checked",
    "release.yml / assets / Export the dependencies that are locked": "reads the lock that the gates have found up to date",
    "release.yml / assets / List them in an SBOM": "lists what the step before has written",
    "release.yml / assets / Write the version into the SBOM": "completes what the step before has written",
    "release.yml / assets / Write the digests": "reads the files that the steps before have written",
    "release.yml / provenance / Name the provenance as an asset": "copies the file that the step before has written",
    "publish.yml / pypi / See whether the environment has a token": "writes one line",
    "publish.yml / testpypi / See whether the environment has a token": "writes one line",
    "build.yml / package / Print the version": "reads the name of the file that the step before has checked",
    "coverage.yml / coverage / Say that Codecov wants the figures": "writes one line, and only if a file is there",
    "docker.yml / build / Write the results for code scanning": "writes in another form what the step before has read",
    "docker.yml / build / Write the results as a table": "writes in another form what a step before has read",
    "docker.yml / build / Write down the digest": "writes the digest that the step before has pushed",
    "trivy.yml / trivy / Write the results for code scanning": "writes in another form what the step before has read",
    "trivy.yml / trivy / Write the results as a table": "writes in another form what a step before has read",
}


@dataclass(frozen=True)
class Defect:
    """Something wrong.

    Attributes:
        name: What is wrong, in words.
        reddens: Every step that it reddens.
        says: A pattern that stands in what each of those steps prints, but for the check that sums up.
        plant: What puts it into a working tree.
        prepare: What puts it into the repository otherwise: settings, branches, GitHub's own trouble.
        answers: The project's answers.
        variables: The runner's variables: a server that is out of reach.
        everywhere: Whether all workflows are run, to show that no other step is red.
        affects: The workflows that are run else, beside those that it reddens.
        keeps: The artifacts that are kept all the same, in the workflows that it reddens.
        uploads: The categories of the findings that code scanning is told all the same.
        gates: Whether it must stop a merge: the required check is red.
        pull_request: Whether it is about a pull request; else it is pushed to main.
        happens: What happens in place of a push.
        released: Whether it is about a repository that has a release.
        runs: The workflow that is run, with those that it calls; None runs each that has one of the red steps.
        publishes: Whether something comes out nevertheless: a tag, a release, files or a started workflow.
        system: The only system whose cells of a matrix are run; None runs all.
    """

    name: str
    reddens: frozenset[str]
    says: str
    plant: Plant | None = None
    prepare: Meddle = lambda here: None
    answers: Mapping[str, Any] = field(default_factory=lambda: SMALL)
    variables: Mapping[str, str] = field(default_factory=dict)
    everywhere: bool = False
    affects: frozenset[str] = frozenset()
    keeps: frozenset[str] = frozenset()
    uploads: frozenset[str] = frozenset()
    gates: bool = True
    pull_request: bool = False
    happens: Happening | None = None
    released: bool = False
    runs: str | None = None
    publishes: bool = False
    # One system will do, but for what needs the whole matrix.
    system: str | None = "ubuntu-latest"


# ---- What is planted -------------------------------------------------------------------------------------------------

HEAD = '"""Planted."""\n\n'
SLEEPS = f'''{HEAD}import sys
import time


def main() -> None:
    """Answer nobody."""
    print("planted output", file=sys.stderr, flush=True)
    time.sleep(60)
'''
STAYS = f'''{HEAD}import os
import signal

import uvicorn

from .app import create_app


def main() -> None:
    """Answer, and stay whatever one says."""
    print("planted output", flush=True)
    config = uvicorn.Config(create_app(), port=int(os.environ["PORT"]))
    server = uvicorn.Server(config)
    server.capture_signals = __import__("contextlib").nullcontext  # type: ignore
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server.run()
'''
SILENT = f'''{HEAD}import sys
import time

from .mcp_server import main as start


def main() -> None:
    """Say the version and nothing else."""
    if "--version" in sys.argv:
        start()
    print("planted output", file=sys.stderr, flush=True)
    time.sleep(60)
'''
WRITES = f'''{HEAD}from pathlib import Path

from .cli import main as start


def main() -> None:
    """Write where nobody may."""
    Path("/planted").touch()
    start()
'''
OLD_ONLY = f'''{HEAD}import sys
import time

from .server import main as start


def main() -> None:
    """Answer on new Pythons alone."""
    print("planted output", flush=True)
    if sys.version_info < (3, 12):
        time.sleep(60)
    start()
'''


def api_trouble(*paths: str) -> Callable[[Repository], None]:
    """Let GitHub's API fail below some paths."""
    return lambda repository: repository.broken.update(paths)


def add_secrets(repository: Repository, branch: str) -> None:
    """Commit every kind of secret on a branch."""
    repository.commit(secrets, branch)


def newer_template(*prepare: Meddle) -> Meddle:
    """Have a newer template, and something else; what the hooks find is shown elsewhere."""
    return both(with_template("v1.1.0"), with_change(ONE_HOOK), *prepare)


def broken_template(repository: Repository) -> None:
    """Have a newer template that cannot be rendered."""
    with_template()(repository)
    write("template/broken.txt.jinja", "{{ ")(repository.folder / "template")
    with_template("v1.1.0")(repository)


def other_key(repository: Repository) -> None:
    """Have a GitHub App whose private key is not the one that the project holds."""
    with_app(repository)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    repository.secrets["TEMPLATE_UPDATE_PRIVATE_KEY"] = pem(key)


def app_without(permission: str) -> Meddle:
    """Have a GitHub App that lacks a permission."""

    def meddle(repository: Repository) -> None:
        with_app(repository)
        assert repository.app
        held = {k: v for k, v in APP_PERMISSIONS.items() if k != permission}
        repository.app = dataclasses.replace(repository.app, permissions=held)

    return meddle


# The log names the file of each kind; the hook for private keys knows one kind alone.
EVERY_SECRET = r"(?s)No private key\.+Failed|" + "".join(
    f"(?=.*{re.escape(secret_file(name))})" for name in SECRETS
)
ALERTS = "/code-scanning/alerts"

FAILING_TEST = write(
    "tests/test_planted.py",
    f'{HEAD}\ndef test_planted() -> None:\n    """Fail."""\n    assert 1 + 1 == 3\n',
)

# ---- The table -------------------------------------------------------------------------------------------------------

ALL_SYNCS = {SYNC_TESTS, SYNC_BUILD, SYNC_COVERAGE, SYNC_HOOKS, SYNC_GITLEAKS}
SUMS = {TESTS_PASSED, BUILD_PASSED, DOCKER_PASSED}


# What runs or reads the package's code.
CODE = frozenset({"tests.yml", "build.yml", "coverage.yml", "pre-commit.yml"})


def defect(
    name: str, reddens: set[str], says: str, plant: Plant | None = None, **more: Any
) -> Defect:
    """Give a defect; the checks that sum up are red wherever something of theirs is."""
    sums = {
        passed
        for passed in SUMS
        if any(step.split(" / ")[0] == passed.split(" / ")[0] for step in reddens)
    }
    return Defect(name, frozenset(reddens | sums), says, plant, **more)


def unpublished(
    name: str,
    reddens: set[str],
    says: str,
    prepare: Meddle,
    **more: Any,
) -> Defect:
    """Give a defect of a release, which is not published then; or, with `publishes`, not told of."""
    settings: dict[str, Any] = {"released": True, "happens": started}
    return defect(name, reddens, says, prepare=prepare, **settings | more)


def unreleased(
    name: str,
    reddens: set[str],
    says: str,
    prepare: Meddle = lambda here: None,
    **more: Any,
) -> Defect:
    """Give a defect that ends a release; with `publishes`, when some of it is out."""
    settings: dict[str, Any] = {"runs": "release.yml", "happens": tagged}
    settings |= {"answers": SHIPPED, "prepare": prepare}
    return defect(name, reddens, says, **settings | more)


def with_fast_gates(*prepare: Meddle) -> Meddle:
    """Prepare what only matters when the gates are green."""
    return both(with_change(FAST_GATES), *prepare)


NO_RELEASE = "v1.2.0 has no published release. If it is a draft, publish it; if there is none, make it: gh workflow run"
# The job may prove nothing then.
NO_IDENTITY = all_of(
    replace(
        ".github/workflows/publish.yml",
        "      id-token: write # prove to PyPI which workflow publishes, and sign the attestations\n",
        "      contents: read # nothing else\n",
    ),
    replace(
        ".github/workflows/publish.yml",
        "      id-token: write # prove to TestPyPI which workflow publishes, and sign the attestations\n",
        "      contents: read # nothing else\n",
    ),
)
NOBODY = "(?s)invalid-publisher.*valid token, but no corresponding publisher"


DEFECTS = [
    # tests.yml
    defect(
        "a unit test fails",
        {UNIT_TESTS, COVER},
        r"FAILED tests/test_planted\.py::test_planted",
        FAILING_TEST,
        answers=IMAGE,
        everywhere=True,
    ),
    defect(
        "a unit test passes on the newest Python alone",
        {UNIT_TESTS},
        r"FAILED tests/test_planted\.py::test_planted",
        write(
            "tests/test_planted.py",
            f'{HEAD}import sys\n\n\ndef test_planted() -> None:\n    """Fail on old ones."""\n    assert sys.version_info >= (3, 12)\n',
        ),
        answers={"kind": "library"},
    ),
    defect(
        "the console command leads nowhere",
        {SMOKE, SDIST},
        r"cannot load sample-project = sample_project\.cli:nothing",
        replace(
            "pyproject.toml", "sample_project.cli:main", "sample_project.cli:nothing"
        ),
        affects=CODE,
    ),
    defect(
        "the server never answers",
        {START, START_INSTALLED},
        r"(?s)nothing listens on.*planted output",
        command(SLEEPS),
        answers=SMALL_SERVICE,
    ),
    defect(
        "the server answers but does not stop",
        {START, START_INSTALLED},
        r"(?s)did not stop within.*planted output",
        command(STAYS),
        answers=SMALL_SERVICE,
    ),
    defect(
        "the MCP server never shakes hands",
        {START, START_INSTALLED},
        r"(?s)no answer to initialize in time.*planted output",
        command(SLEEPS, "mcp_server"),
        answers=SMALL_MCP,
    ),
    defect(
        "the server does not answer on an old Python",
        {START, START_INSTALLED},
        r"(?s)nothing listens on.*planted output",
        command(OLD_ONLY),
        answers={"kind": "service", "python_versions": ["3.11", "3.12"]},
    ),
    defect(
        "a server has no start test",
        {SMOKE, START_INSTALLED},
        r"test_server\.py",
        remove("scripts/test_server.py"),
        answers=SMALL_SERVICE,
    ),
    defect(
        "a lint error",
        {MISTAKES, HOOKS},
        "E741",
        write(f"{PACKAGE}/planted.py", f"{HEAD}l = 1\n"),
    ),
    defect(
        "code that is not formatted",
        {FORMAT, HOOKS},
        "planted.py",
        write(f"{PACKAGE}/planted.py", f"{HEAD}A = {{ 'b':1 }}\n"),
    ),
    defect(
        "types that do not agree",
        {TYPES, HOOKS},
        "Incompatible types in assignment",
        write(f"{PACKAGE}/planted.py", f'{HEAD}A: int = "text"\n'),
    ),
    defect(
        "the lock file is out of date",
        {*ALL_SYNCS, LOCK, EXPORT, PLAN_IMAGE},
        "(?s)lockfile at .uv.lock. needs to be updated.*run .uv lock.",
        replace(
            "pyproject.toml", "dependencies = []", 'dependencies = ["packaging>=20"]'
        ),
        answers=IMAGE,
        everywhere=True,
    ),
    defect(
        "there is no lock file",
        {*ALL_SYNCS, LOCK, EXPORT, PLAN_IMAGE},
        "(?s)Unable to find lockfile at .uv.lock..*run .uv lock.",
        remove("uv.lock"),
        answers=IMAGE,
    ),
    defect(
        "the project does not say what it is",
        {PLAN_TESTS, PLAN_BUILD, PLAN_DOCKER},
        r"\[tool\.pipeline\] kind is 'robot'; it must be one of service, mcp, library",
        replace("pyproject.toml", 'kind = "library"', 'kind = "robot"'),
        answers=IMAGE,
    ),
    # build.yml
    defect(
        "the sdist lacks a file",
        {MANIFEST},
        r"docs/pipeline\.md",
        replace("MANIFEST.in", "graft docs\n", ""),
        answers=IMAGE,
        everywhere=True,
    ),
    defect(
        "the wheel cannot be built",
        {BUILD, SYNC_TESTS, MISTAKES, SYNC_COVERAGE, SYNC_HOOKS, SYNC_GITLEAKS},
        "planted.c",
        all_of(
            replace(
                "pyproject.toml",
                'packages.find.where = [ "src" ]',
                'packages.find.where = [ "src" ]\next-modules = [ { name = "sample_project.planted", sources = [ "src/planted.c" ] } ]',
            ),
            write("src/planted.c", "no C\n"),
        ),
    ),
    defect(
        "the metadata lacks a description",
        {METADATA},
        "long_description",
        replace("pyproject.toml", 'readme = "README.md"\n', ""),
        affects=CODE,
    ),
    defect(
        "the wheel holds a file twice",
        {CONTENTS},
        "W002",
        all_of(
            write(f"{PACKAGE}/one.py", f"{HEAD}A = 1\n"),
            write(f"{PACKAGE}/two.py", f"{HEAD}A = 1\n"),
        ),
    ),
    defect(
        "the package says another version than its metadata",
        {SMOKE, SDIST},
        r"sample_project says it is 9\.9\.9, its metadata",
        write(f"{PACKAGE}/__init__.py", f'{HEAD}__version__ = "9.9.9"\n'),
        affects=CODE,
    ),
    defect(
        "what is built does not import",
        {SDIST},
        r"cannot import sample_project: FileNotFoundError",
        replace(
            f"{PACKAGE}/__init__.py",
            "from importlib.metadata import version\n",
            'from importlib.metadata import version\nfrom pathlib import Path\n\n(Path(__file__).parents[2] / "pyproject.toml").read_text()\n',
        ),
        affects=CODE,
    ),
    defect(
        "what is built does not import on an old Python",
        {WHEEL, UNIT_TESTS},
        "No module named 'tomllib'",
        replace(
            f"{PACKAGE}/__init__.py",
            "from importlib.metadata import version\n",
            "from importlib.metadata import version\n\nimport tomllib  # noqa: F401\n",
        ),
        answers={"kind": "library", "python_versions": ["3.10", "3.12"]},
    ),
    # coverage.yml
    defect(
        "one line too few is covered",
        {THRESHOLD},
        r"total of \d+\.\d+ is less than fail-under=100",
        all_of(
            replace(
                "pyproject.toml", "report.fail_under = 90", "report.fail_under = 100"
            ),
            write(
                f"{PACKAGE}/planted.py",
                f'{HEAD}\ndef planted() -> int:\n    """Give 1."""\n    return 1\n',
            ),
        ),
        answers=IMAGE,
        everywhere=True,
        keeps=frozenset({"coverage-html", "coverage-figures"}),
    ),
    defect(
        "the coverage report is written elsewhere",
        {SUMMARISE},
        r"coverage\.xml is no coverage report",
        replace(
            "pyproject.toml",
            'html.directory = "htmlcov"',
            'html.directory = "htmlcov"\nxml.output = "other.xml"',
        ),
    ),
    defect(
        "GitHub takes no comment",
        {COMMENT},
        "HTTP 500",
        write("docs/planted.md", "# Planted\n"),
        prepare=api_trouble("/issues/1/comments"),
        gates=False,
        pull_request=True,
    ),
    # pre-commit.yml
    defect(
        "a file does not end with a line break",
        {HOOKS},
        r"Fixing docs/planted\.md",
        write("docs/planted.md", "# Planted"),
        answers=IMAGE,
        everywhere=True,
    ),
    defect(
        "the hook configuration is invalid",
        {CONFIGURATION, HISTORY},
        "Missing required key: id",
        replace(
            ".pre-commit-config.yaml",
            "      - id: end-of-file\n        name:",
            "      - name:",
        ),
        affects=CODE,
    ),
    # gitleaks.yml
    defect(
        "secrets of each kind in the newest commit",
        {HISTORY, HOOKS},
        EVERY_SECRET,
        secrets,
        answers=IMAGE,
        everywhere=True,
        keeps=frozenset({"gitleaks-report"}),
    ),
    defect(
        "secrets of each kind in an old commit, removed by a later one",
        {HISTORY},
        EVERY_SECRET,
        remove(*map(secret_file, SECRETS)),
        prepare=lambda repository: add_secrets(repository, "main"),
        keeps=frozenset({"gitleaks-report"}),
    ),
    defect(
        "secrets of each kind on another branch",
        {HISTORY},
        EVERY_SECRET,
        prepare=lambda repository: add_secrets(repository, "other"),
        keeps=frozenset({"gitleaks-report"}),
    ),
    # semgrep.yml
    defect(
        "code that runs a text as a shell command",
        {PUBLIC_RULES},
        "shell-from-text",
        write(
            "scripts/planted.py",
            f'{HEAD}import subprocess\n\nsubprocess.run("ls", shell=True, check=True)  # noqa: S602\n',
        ),
        answers=IMAGE,
        everywhere=True,
        uploads=frozenset({"semgrep-public"}),
    ),
    defect(
        "code with a password in it",
        {PUBLIC_RULES},
        "secret-in-code",
        write(
            "scripts/planted.py",
            f'{HEAD}client.login(password="planted")  # type: ignore  # noqa\n',
        ),
        uploads=frozenset({"semgrep-public"}),
    ),
    defect(
        "code that trusts a weak digest",
        {PUBLIC_RULES},
        "weak-digest",
        write(
            "scripts/planted.py",
            f"{HEAD}import hashlib\n\nhashlib.md5(b'planted')  # noqa: S324\n",
        ),
        uploads=frozenset({"semgrep-public"}),
    ),
    defect(
        "code that runs a text as code",
        {PUBLIC_RULES},
        "code-from-text",
        write("scripts/planted.py", f'{HEAD}eval("1 + 1")  # noqa: S307\n'),
        uploads=frozenset({"semgrep-public"}),
    ),
    defect(
        "code that a rule of its own forbids",
        {OWN_RULES},
        "no-printing",
        all_of(
            OWN_RULE,
            write(
                "scripts/planted.py", f"{HEAD}from pprint import pprint\n\npprint(1)\n"
            ),
        ),
        uploads=frozenset({"semgrep-own"}),
    ),
    defect(
        "Semgrep's public rules cannot be fetched",
        {PUBLIC_RULES},
        r"(?s)Failed to download configuration p/security-audit.*attempt 3 of 3",
        variables={"ENGINE_SEMGREP_UNREACHABLE": "1"},
    ),
    defect(
        "GitHub does not say whether code scanning takes results",
        {ASK_SEMGREP, ASK_TRIVY, ASK_SCORECARD, ASK_DOCKER},
        "asked about code scanning, GitHub answered 500",
        prepare=api_trouble(ALERTS),
        answers=IMAGE,
    ),
    defect(
        "the job may not ask about code scanning",
        {ASK_TRIVY},
        "asked about code scanning, GitHub answered 403: .*Resource not accessible by integration",
        replace(
            ".github/workflows/trivy.yml",
            "      security-events: write # upload the results to code scanning\n",
            "",
        ),
    ),
    # trivy.yml
    defect(
        "a dependency with a CRITICAL vulnerability",
        {NOTHING_FOUND},
        "pyyaml.*CRITICAL",
        dependency(CRITICAL),
        uploads=frozenset({"trivy"}),
    ),
    defect(
        "a dependency with a HIGH vulnerability",
        {NOTHING_FOUND, IMAGE_CLEAN},
        "jinja2.*HIGH",
        dependency(HIGH),
        answers=IMAGE,
        everywhere=True,
        uploads=frozenset({"trivy", "trivy-image-amd64"}),
    ),
    defect(
        "a dependency with a MEDIUM vulnerability",
        {NOTHING_FOUND},
        "requests.*MEDIUM",
        dependency(MEDIUM),
        uploads=frozenset({"trivy"}),
    ),
    defect(
        "a vulnerable tool",
        {NOTHING_FOUND},
        "requests.*MEDIUM",
        all_of(
            replace("pyproject.toml", "lint = [\n", f'lint = [\n  "{MEDIUM}",\n'), lock
        ),
        uploads=frozenset({"trivy"}),
    ),
    defect(
        "an exception that has expired",
        {NOTHING_FOUND},
        f"{MEDIUM_ID}.*MEDIUM",
        all_of(dependency(MEDIUM), excuse(0)),
        uploads=frozenset({"trivy"}),
    ),
    defect(
        "Trivy's database cannot be fetched",
        {SCAN, SCAN_IMAGE},
        "failed to download vulnerability DB",
        answers=IMAGE,
        variables={"ENGINE_TRIVY_UNREACHABLE": "all"},
    ),
    defect(
        "the export has a name that Trivy does not read",
        {SEEN},
        "Trivy saw no dependency in trivy/requirements.txt",
        replace(
            ".github/workflows/trivy.yml",
            "        run: uv export --quiet --locked --all-groups --no-emit-project --output-file trivy/requirements.txt",
            "        run: uv export --quiet --locked --all-groups --no-emit-project --output-file trivy/locked.txt",
        ),
    ),
    # docker.yml
    defect(
        "the image does not build",
        {BUILD_IMAGE},
        r"RUN echo planted; exit 3",
        append("Dockerfile", "RUN echo planted; exit 3\n"),
        answers=IMAGE,
    ),
    defect(
        "the image says another version than it was given",
        {CHECK_IMAGE},
        r"it says '9\.9\.9', which is not version",
        replace(
            "Dockerfile",
            '"${VERSION:?give it by --build-arg VERSION=1.2.3}"',
            "9.9.9",
        ),
        answers=IMAGE,
    ),
    defect(
        "the image runs as root",
        {CHECK_IMAGE},
        "the image's user is 'root'. End the Dockerfile with a USER",
        replace("Dockerfile", "USER 10001:10001\n", ""),
        answers=IMAGE,
    ),
    defect(
        "the image writes to its root",
        {CHECK_IMAGE},
        "Read-only file system",
        command(WRITES, "cli"),
        answers=IMAGE,
    ),
    defect(
        "the image of a service has no health check",
        {CHECK_IMAGE},
        "the image has no HEALTHCHECK",
        cut("Dockerfile", "HEALTHCHECK", "ARG VERSION\nLABEL"),
        answers=SMALL_SERVICE,
    ),
    defect(
        "the image of a service never turns healthy",
        {CHECK_IMAGE},
        "(?s)it is running and unhealthy. Its output:.*GET /nothing",
        all_of(
            replace("Dockerfile", "'/health'", "'/nothing'"),
            replace("Dockerfile", "--interval=10s", "--interval=1s"),
        ),
        answers=SMALL_SERVICE,
    ),
    defect(
        "the image of an MCP server never shakes hands",
        {CHECK_IMAGE},
        "(?s)no answer to initialize in time.*planted output",
        command(SILENT, "mcp_server"),
        answers=SMALL_MCP,
    ),
    defect(
        "the image brings a vulnerable package of its own",
        {IMAGE_CLEAN},
        "jinja2.*HIGH",
        replace(
            "Dockerfile", "--no-deps /wheel/*.whl", f"--no-deps /wheel/*.whl {HIGH}"
        ),
        answers=IMAGE,
        uploads=frozenset({"trivy-image-amd64"}),
    ),
    defect(
        "the job may not push packages",
        {PUSH_IMAGE},
        "denied: permission_denied",
        replace(
            ".github/workflows/docker.yml",
            "      packages: write # push what passed, without a tag\n",
            "",
        ),
        answers=IMAGE,
    ),
    defect(
        "the registry does not say what a tag names",
        {TAG_IMAGE},
        "the registry did not say what ghcr.io/octo/sample-project:latest is",
        prepare=api_trouble("/v2/octo/sample-project/manifests/latest"),
        answers=IMAGE,
        system=None,
    ),
    defect(
        "a version has no release",
        {ASK_RELEASE},
        "v1.2.0 has no published release. If it is a draft, publish it",
        happens=lambda repository: repository.dispatched(repository.tag("v1.2.0").ref),
        answers=IMAGE,
    ),
    # template-update.yml
    defect(
        "the template cannot be reached",
        {UPDATE},
        "does not say its versions",
        write(
            ".copier-answers.yml", "_commit: v1.0.0\n_src_path: git+file:///nowhere\n"
        ),
        gates=False,
    ),
    defect(
        "the newer version of the template cannot be rendered",
        {UPDATE},
        "copier could not update from",
        prepare=broken_template,
        gates=False,
    ),
    defect(
        "GitHub takes no issue",
        {WRITE_ISSUE},
        "HTTP 500",
        prepare=newer_template(api_trouble("/issues")),
        gates=False,
    ),
    defect(
        "the private key is not the GitHub App's",
        {ASK_APP},
        "JSON web token could not be decoded",
        prepare=newer_template(other_key),
        gates=False,
    ),
    defect(
        "the GitHub App may not change workflows",
        {ASK_APP},
        "not granted to this installation",
        prepare=newer_template(app_without("workflows")),
        gates=False,
    ),
    defect(
        "GitHub takes no pull request",
        {PROPOSE},
        "HTTP 500",
        prepare=newer_template(with_app, api_trouble("/pulls")),
        gates=False,
    ),
    defect(
        "the index is out of reach, and with it what the update script needs",
        {UPDATE},
        "(?i)failed to fetch|error sending request|could not connect|no solution found",
        plant=replace(
            "scripts/update_from_template.py",
            "pyyaml==6.0.3",
            "no-such-package-here==1",
        ),
        prepare=with_template("v1.1.0"),
        gates=False,
    ),
    defect(
        "template-update.yml is started on another branch",
        {PROPOSE},
        "start this on main",
        prepare=newer_template(with_app),
        happens=lambda here: here.dispatched(
            here.commit(None, "change") and "refs/heads/change"
        ),
        gates=False,
    ),
    # ossf-scorecard.yml
    defect(
        "GitHub does not say whether the repository is public",
        {ASK_PUBLIC},
        "asked about the repository, GitHub answered 500",
        prepare=api_trouble(""),
    ),
    # release.yml
    unreleased(
        "the tag is no version",
        {CHECK_TAG},
        "'vanity' is not a version. Use one like v1.2.3, or v1.2.3rc1 for a pre-release",
        happens=lambda here: here.tag("vanity"),
    ),
    unreleased(
        "the tag has a local part",
        {CHECK_TAG},
        r"'v1\.2\.0\+local' has an epoch or a local part, .* Use v1\.2\.0, for example",
        happens=lambda here: here.tag("v1.2.0+local"),
    ),
    unreleased(
        "two version tags are on the commit",
        {CHECK_TAG},
        "v1.2.0 is on the same commit as v1.3.0. .* git push --delete origin TAG",
        lambda here: here.ask("tag", "v1.3.0", "main"),
    ),
    unreleased(
        "the version has a tag already, spelled otherwise",
        {CHECK_TAG},
        "v1.2.0 and v1.2 are the same version. Release the next one, or delete .*: git push --delete origin v1.2",
        lambda here: here.ask("tag", "v1.2", "main~1"),
    ),
    unreleased(
        "one click is made on a commit that has a version",
        {MAKE_TAG},
        "v1.2.0 is on the same commit as v1.2.0rc1. .* --allow-empty",
        lambda here: here.tag("v1.2.0rc1"),
        happens=one_click,
    ),
    unreleased(
        "the version has a dev number that nothing can count on from",
        {CHECK_TAG},
        r"'v1\.2\.0\.dev1' has a dev number other than 0. .* Use v1\.2\.0\.dev0 once",
        happens=lambda here: here.tag("v1.2.0.dev1"),
    ),
    unreleased(
        "another version is asked for than the tag's",
        {CHECK_TAG},
        "asked for version 1.3.0, but the tag is v1.2.0. Start it on the tag without a version",
        happens=lambda here: here.dispatched(here.tag("v1.2.0").ref, version="1.3.0"),
    ),
    unreleased(
        "GitHub does not say whether the repository is private, asked by a release",
        {ASK_RELEASED},
        "HTTP 500",
        trouble(lambda here: ""),
    ),
    unreleased(
        "a unit test fails under a release",
        {UNIT_TESTS, TESTS_PASSED},
        r"FAILED tests/test_planted\.py::test_planted",
        with_change(FAILING_TEST),
    ),
    unreleased(
        "the sdist lacks a file under a release",
        {MANIFEST, BUILD_PASSED},
        r"missing from sdist:\s+notes\.txt",
        with_change(all_of(FAST_TESTS, write("notes.txt", "Not in MANIFEST.in.\n"))),
    ),
    unreleased(
        "what is built has another version than the tag",
        {BUILT_VERSION},
        r"sample_project-9\.9\.tar\.gz has version 9\.9, but the tag is v1\.2\.0\. .* tag that commit, or release the next version",
        with_fast_gates(
            with_change(
                replace(
                    ".github/workflows/build.yml",
                    "run: SOURCE_DATE_EPOCH=",
                    "run: SETUPTOOLS_SCM_PRETEND_VERSION=9.9 SOURCE_DATE_EPOCH=",
                )
            )
        ),
    ),
    unreleased(
        "an immutable release was made by hand",
        {MAKE_RELEASE},
        "was published by hand and is immutable: nothing can be attached to it. Release the next version",
        with_fast_gates(make_by_hand),
    ),
    unreleased(
        "there are two drafts for the tag",
        {MAKE_RELEASE},
        "v1.2.0 has 2 drafts: .* Delete all but one on the releases page, then run this again",
        with_fast_gates(draft_by_hand, draft_by_hand),
    ),
    unreleased(
        "the job that releases may not write",
        {MAKE_RELEASE},
        "Resource not accessible by integration .*HTTP 403",
        with_fast_gates(
            with_change(
                replace(
                    ".github/workflows/release.yml",
                    "contents: write # make the release and attach the assets",
                    "contents: read # make the release and attach the assets",
                )
            )
        ),
    ),
    unreleased(
        "GitHub does not start publishing to PyPI",
        {START_PUBLISH},
        "HTTP 500",
        with_fast_gates(no_start_of("publish.yml")),
        publishes=True,
    ),
    unreleased(
        "GitHub does not start publishing the image",
        {START_IMAGE},
        "HTTP 500",
        with_fast_gates(no_start_of("docker.yml")),
        publishes=True,
    ),
    unreleased(
        "one click gives no version",
        {MAKE_TAG},
        "'next' is not a version. Use one like v1.2.3",
        happens=lambda here: here.dispatched(version="next"),
    ),
    unreleased(
        "one click gives a version whose tag is on another commit",
        {MAKE_TAG},
        "the tag v1.2.0 is on [0-9a-f]{40}, this run on [0-9a-f]{40}. .*choose the next version",
        both(lambda here: here.tag("v1.2.0"), with_change(FAST_TESTS)),
        happens=one_click,
    ),
    unreleased(
        "the job that tags may not write",
        {MAKE_TAG},
        "Resource not accessible by integration .*HTTP 403.* git push origin v1.2.0",
        with_change(
            replace(
                ".github/workflows/release.yml",
                "contents: write # make the tag",
                "contents: read # make the tag",
            )
        ),
        happens=one_click,
    ),
    unreleased(
        "one click is made on another branch",
        {MAKE_TAG},
        "releases start on main; this is side. To release another commit, push a tag: git tag v1.2.0",
        lambda here: here.commit(FAST_TESTS, "side"),
        happens=lambda here: here.dispatched("refs/heads/side", version="1.2.0"),
    ),
    unreleased(
        "GitHub does not start the release of the tag",
        {START_RELEASE},
        "HTTP 500",
        no_start_of("release.yml"),
        happens=one_click,
        publishes=True,
    ),
    # publish.yml
    unpublished("there is no release", {PUBLISHED}, NO_RELEASE, delete_release),
    unpublished(
        "the release is a draft",
        {PUBLISHED},
        NO_RELEASE,
        change_release(draft=True),
    ),
    unpublished(
        "PyPI is chosen on main",
        {PUBLISHED},
        "main is a branch; only a release's tag is published. Start on the tag: gh workflow run publish.yml --ref",
        lambda here: None,
        happens=started_on_main,
    ),
    unpublished(
        "the release was made by hand",
        {PUBLISHED},
        "lacks SHA256SUMS: it was made by hand, .* The release workflow attaches the files .*: gh workflow run",
        change_release(assets=[], immutable=False),
    ),
    unpublished(
        "the release was made by hand, and is immutable",
        {PUBLISHED},
        "lacks SHA256SUMS: it was made by hand, and is immutable, .* Release the next version: gh workflow run",
        change_release(assets=[], immutable=True),
        happens=published,
    ),
    unpublished(
        "a final version is flagged as a pre-release",
        {PUBLISHED},
        "says pre-release: True, but version 1.2.0 says False. Correct it there, then publish it: gh workflow run",
        change_release(prerelease=True),
    ),
    unpublished(
        "GitHub does not hand out the release's list of digests",
        {DOWNLOAD},
        "HTTP 500",
        trouble(
            lambda here: next(
                f"/releases/assets/{asset['id']}"
                for asset in release_of(here)["assets"]
                if asset["name"] == LIST
            )
        ),
    ),
    unpublished(
        "a file of the release was exchanged",
        {DIGESTS},
        r"whl has the SHA-256 [0-9a-f]{64}, but SHA256SUMS lists [0-9a-f]{64}\. .*release the next version",
        exchange_wheel,
    ),
    unpublished(
        "a file of the release is not listed",
        {DIGESTS},
        r"gz has the SHA-256 [0-9a-f]{64}, but SHA256SUMS lists no such file\. .*release the next version",
        unlist_sdist,
    ),
    unpublished(
        "GitHub does not say whether it keeps attestations",
        {ASK_ATTESTATIONS},
        "HTTP 500",
        trouble(lambda here: ""),
    ),
    unpublished(
        "a file of the release was exchanged, and its digest",
        {PROVENANCE},
        "no attestations found for subject sha256:[0-9a-f]{64}",
        both(exchange_wheel, list_anew),
    ),
    unpublished(
        "another workflow attested the release's files",
        {PROVENANCE},
        "expected the signer to be .*/release.yml, got .*/build.yml@refs/tags/v1.2.0",
        attest("build.yml"),
    ),
    unpublished(
        "the release's files were attested for another tag",
        {PROVENANCE},
        "expected sourceRepositoryRef to be refs/tags/v1.2.0, got refs/tags/v1.1.0",
        attest(ref="refs/tags/v1.1.0"),
    ),
    unpublished(
        "the job may not ask for attestations",
        {PROVENANCE},
        r"Resource not accessible by integration \(HTTP 403\)",
        in_tag(
            replace(
                ".github/workflows/publish.yml",
                "      attestations: read # verify their provenance\n",
                "",
            )
        ),
    ),
    unpublished(
        "the release's files are of another version",
        {RELEASE_VERSIONS},
        "has version 1.3.0, but the tag is v1.2.0. .* tag that commit, or release the next version",
        both(rename_files, list_anew, attest()),
    ),
    unpublished(
        "the release's files have no description",
        {RELEASE_METADATA},
        "(?s)FAILED due to warnings.*`long_description` missing",
        both(spoil_metadata, list_anew, attest()),
    ),
    unpublished(
        "a trial does not build",
        {TRIAL_BUILD},
        "planted_backend",
        with_change(
            replace("pyproject.toml", "setuptools.build_meta", "planted_backend")
        ),
        happens=trial,
    ),
    unpublished(
        "the trial builds no sdist",
        {TRIAL_TIMES},
        r"dist: expected one sdist and one wheel, found sample_project-1\.2\.1\.dev1-py3-none-any\.whl",
        with_change(
            replace(
                ".github/workflows/publish.yml",
                "python -m build --no-isolation",
                "python -m build --no-isolation --wheel",
            )
        ),
        happens=trial,
    ),
    unpublished(
        "a trial's version has a local part",
        {TRIAL_VERSION},
        r"has version 1\.2\.1\.dev1\+g[0-9a-f]+; no index takes the part after \+",
        with_change(
            replace(
                ".github/workflows/publish.yml",
                """          SETUPTOOLS_SCM_OVERRIDES: '{local_scheme = "no-local-version"}'\n""",
                "          PLANTED: ''\n",
            )
        ),
        happens=trial,
    ),
    unpublished(
        "the jobs that publish have no identity",
        {SIGN},
        "Failed to detect identity: .*OIDC token permissions",
        in_tag(NO_IDENTITY),
    ),
    unpublished(
        "the jobs that publish a trial have no identity",
        {SIGN_TRIAL},
        "Failed to detect identity: .*OIDC token permissions",
        with_change(NO_IDENTITY),
        happens=trial,
    ),
    unpublished(
        "the index knows the publisher in another environment",
        {UPLOAD},
        NOBODY,
        register(environment="release"),
    ),
    unpublished(
        "the index knows another workflow as the publisher",
        {UPLOAD},
        NOBODY,
        register(workflow="release.yml"),
    ),
    unpublished(
        "TestPyPI knows another repository as the publisher",
        {UPLOAD_TRIAL},
        NOBODY,
        register(repository="octo/other"),
        happens=trial,
    ),
    unpublished(
        "the index has another file of that name",
        {UPLOAD},
        r"(?s)File already exists.*with\s+blake2_256 hash",
        take_name,
    ),
    unpublished(
        "PyPI does not know the token",
        {UPLOAD_BY_TOKEN},
        "Invalid or non-existent authentication",
        give_token("pypi", known=False),
    ),
    unpublished(
        "TestPyPI does not know the token",
        {UPLOAD_TRIAL_BY_TOKEN},
        "Invalid or non-existent authentication",
        give_token("testpypi", known=False),
        happens=trial,
    ),
    unpublished(
        "GitHub does not take the notes",
        {NOTES},
        "HTTP 500",
        trouble(lambda here: f"/releases/{release_of(here)['id']}"),
        publishes=True,
    ),
]
