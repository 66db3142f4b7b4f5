"""What happens to a project, and what its workflows must make of it: each value of each dimension once per workflow."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from engine.repository import DEPENDABOT, FORK, App, Event, Repository
from engine.result import SKIPPED, SUCCESS
from harness import run, tool
from meddling import both, empty_tokens, give_token, published, started, trial
from planting import (
    LOW,
    MEDIUM,
    OWN_RULE,
    PACKAGE,
    UNFIXED,
    Plant,
    all_of,
    append,
    dependency,
    excuse,
    write,
)

Happening = Callable[[Repository], Event]

SYSTEMS = ["ubuntu-latest", "macos-latest", "windows-latest"]
# Where the matrix is not what a scenario is about.
SMALL = {"kind": "library", "python_versions": ["3.12"]}
SMALL_SERVICE = {"kind": "service", "python_versions": ["3.12"]}
SMALL_MCP = {"kind": "mcp", "python_versions": ["3.12"]}
# Where what is shipped is.
NOTHING = SMALL_SERVICE | {"docker": False, "pypi": False, "template_updates": False}
IMAGE = SMALL | {"docker": True, "codecov": True}
# Where releasing is.
SHIPPED = SMALL | {"docker": True}
# Where its size is; the defaults are three, which costs more and shows no more.
PYTHONS = ["3.11", "3.12"]
SIZED = {"kind": "library", "python_versions": PYTHONS}

# The values of a matrix by the names of its dimensions in order: systems and Pythons.
Cells = set[tuple[str, str]]
# With the default answers.
ALL_NINE: Cells = {
    (system, python) for system in SYSTEMS for python in ("3.10", "3.11", "3.12")
}
FULL: Cells = {(system, python) for system in SYSTEMS for python in PYTHONS}
LEAN: Cells = {("ubuntu-latest", python) for python in PYTHONS} | {
    ("macos-latest", "3.12"),
    ("windows-latest", "3.12"),
}
LEAN_INSTALLS: Cells = {("ubuntu-latest", python) for python in PYTHONS}
SMALL_CELLS: Cells = {(system, "3.12") for system in SYSTEMS}
# Where the systems are not what a scenario is about.
LINUX = "ubuntu-latest"
ONE_CELL: Cells = {(LINUX, "3.12")}


@dataclass(frozen=True)
class Scenario:
    """An event, and how a workflow must end after it.

    Attributes:
        name: What it is about.
        workflow: The workflow's file name.
        happens: What happens.
        answers: The project's answers beside the defaults.
        private: Whether the repository is private.
        released: Whether the repository is one that has a release, whatever the answers.
        prepare: What is so beforehand.
        skipped_jobs: The jobs that are skipped; all others end well.
        skipped_steps: "job / step" of what is skipped in jobs that run; nothing else is.
        cells: Of a job with a matrix, its cells, exactly.
        artifacts: What is kept, by its name, and for how many days.
        uploads: The categories of what code scanning takes.
        on_index: The files that the indexes have in the end, with what proves where they are from.
        image_tags: The tags that the registry has in the end; COMMIT stands for the commit.
        summary: What stands in the run's summary.
        variables: The runner's variables: a server that is out of reach.
        system: The only system whose cells of a matrix are run; None runs all.
    """

    name: str
    workflow: str
    happens: Happening
    answers: Mapping[str, Any] = field(default_factory=dict)
    private: bool = False
    released: bool = False
    prepare: Callable[[Repository], None] = lambda repository: None
    skipped_jobs: frozenset[str] = frozenset()
    skipped_steps: frozenset[str] = frozenset()
    cells: Mapping[str, Cells] = field(default_factory=dict)
    artifacts: Mapping[str, int] = field(default_factory=dict)
    uploads: frozenset[str] = frozenset()
    on_index: frozenset[str] = frozenset()
    image_tags: frozenset[str] = frozenset()
    summary: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    system: str | None = None

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return f"{self.workflow}: {self.name}"

    def result_of(self, job: str) -> str:
        """Give how a job must end."""
        return SKIPPED if job in self.skipped_jobs else SUCCESS


# ---- What happens ----------------------------------------------------------------------------------------------------


# Harmless changes, of code and of documentation alone.
code = append(f"{PACKAGE}/__init__.py", "\n# Said once more.\n")
documentation = append("docs/pipeline.md", "\nOne more sentence.\n")


def push(repository: Repository) -> Event:
    """Push to main."""
    return repository.push()


def pull_request(repository: Repository) -> Event:
    """Open a pull request from the repository itself."""
    return repository.pull_request(code)


def from_fork(repository: Repository) -> Event:
    """Open a pull request from a fork."""
    return repository.pull_request(code, FORK)


def by_dependabot(repository: Repository) -> Event:
    """Let Dependabot open a pull request."""
    return repository.pull_request(code, DEPENDABOT)


def of_documentation(repository: Repository) -> Event:
    """Open a pull request that touches documentation alone."""
    return repository.pull_request(documentation)


def queued(repository: Repository) -> Event:
    """Put a change into the merge queue."""
    return repository.merge_group(code)


def by_hand(repository: Repository) -> Event:
    """Start the workflow by hand."""
    return repository.dispatched()


def at(cron: str) -> Happening:
    """Give what lets the time of a schedule come."""
    return lambda repository: repository.scheduled(cron)


def protected(repository: Repository) -> Event:
    """Change the protection of main."""
    return repository.protection_changed()


# ---- tests.yml and build.yml -----------------------------------------------------------------------------------------

NO_START = "test / Start and stop the server"
NO_START_INSTALLED = "install / Start and stop the installed server"


def matrices(
    name: str,
    happens: Happening,
    answers: Mapping[str, Any],
    tests: Cells,
    installs: Cells,
    *,
    private: bool = False,
    system: str | None = None,
) -> list[Scenario]:
    """Give the same scenario for tests.yml and build.yml; without cells there is nothing to test."""
    has_server = answers.get("kind", "service") != "library"
    nothing = not tests
    return [
        Scenario(
            name,
            "tests.yml",
            happens,
            answers,
            private,
            skipped_jobs=frozenset({"test", "lint"} if nothing else ()),
            skipped_steps=frozenset(() if has_server or nothing else {NO_START}),
            cells={} if nothing else {"test": tests},
            system=system,
        ),
        Scenario(
            name,
            "build.yml",
            happens,
            answers,
            private,
            skipped_jobs=frozenset({"package", "install"} if nothing else ()),
            skipped_steps=frozenset(
                () if has_server or nothing else {NO_START_INSTALLED}
            ),
            cells={} if nothing else {"install": installs},
            artifacts={} if nothing else {"dist": 7},
            system=system,
        ),
    ]


MATRICES = [
    *matrices("push, service", push, {}, ALL_NINE, ALL_NINE),
    # The size of the matrix has nothing to do with the kind.
    *matrices("push, mcp", push, SMALL_MCP, ONE_CELL, ONE_CELL, system=LINUX),
    *matrices("push, library", push, SMALL, ONE_CELL, ONE_CELL, system=LINUX),
    *[
        scenario
        for python in ("3.13", "3.14", "3.15")
        for kind in ("service", "mcp", "library")
        for scenario in matrices(
            f"push, {kind}, Python {python}",
            push,
            {"kind": kind, "python_versions": [python], "docker": False},
            {("ubuntu-latest", python)},
            {("ubuntu-latest", python)},
            system="ubuntu-latest",
        )
    ],
    *matrices("pull request, auto, public", pull_request, SIZED, FULL, FULL),
    *matrices(
        "pull request, auto, private",
        pull_request,
        SIZED,
        LEAN,
        LEAN_INSTALLS,
        private=True,
    ),
    *matrices(
        "pull request, full, private",
        pull_request,
        SIZED | {"pull_request_matrix": "full"},
        FULL,
        FULL,
        private=True,
    ),
    *matrices(
        "pull request, lean, public",
        pull_request,
        SIZED | {"pull_request_matrix": "lean"},
        LEAN,
        LEAN_INSTALLS,
    ),
    *matrices(
        "merge queue, auto, private", queued, SIZED, LEAN, LEAN_INSTALLS, private=True
    ),
    *matrices(
        "merge queue, full",
        queued,
        SMALL | {"pull_request_matrix": "full"},
        SMALL_CELLS,
        SMALL_CELLS,
    ),
    *[
        scenario
        for name, happens, answers in (
            ("pull request from a fork", from_fork, SMALL_SERVICE),
            ("pull request by Dependabot", by_dependabot, SMALL),
            ("by hand", by_hand, SMALL),
            ("push, service that ships nothing", push, NOTHING),
            ("push, library with an image", push, IMAGE),
        )
        for scenario in matrices(
            name, happens, answers, ONE_CELL, ONE_CELL, system=LINUX
        )
    ],
    *matrices("pull request of documentation", of_documentation, SMALL, set(), set()),
]

# ---- The others ------------------------------------------------------------------------------------------------------

# The seed code is covered to the last line and branch.
WHOLE = "| **total** | 🟢 100.0 % |"
COVERED = {"coverage-html": 30, "coverage-figures": 1}
SAY_CODECOV = "coverage / Say that Codecov wants the figures"


def coverage(name: str, happens: Happening, **more: Any) -> Scenario:
    """Give a scenario of coverage.yml; it reports to a member's pull request alone."""
    codecov = more.get("answers", SMALL).get("codecov", False)
    reports = happens in (pull_request, of_documentation)
    skipped = ({"codecov"} if not codecov else set()) | (
        {"report"} if not reports else set()
    )
    settings: dict[str, Any] = {
        "answers": SMALL,
        "skipped_jobs": frozenset(skipped),
        "skipped_steps": frozenset(() if codecov else {SAY_CODECOV}),
        "artifacts": COVERED,
    }
    return Scenario(name, "coverage.yml", happens, **settings | more)


def simple(workflow: str, name: str, happens: Happening, **more: Any) -> Scenario:
    """Give a scenario of a workflow that does the same for every event."""
    return Scenario(name, workflow, happens, **{"answers": SMALL} | more)


REPORT = "gitleaks / Keep the report of what was found"
GITLEAKS: dict[str, Any] = {"skipped_steps": frozenset({REPORT})}

NO_OWN_RULES = "semgrep / Scan with the repository's own rules"
UPLOAD_PUBLIC = "semgrep / Upload the results of the public rules"
UPLOAD_OWN = "semgrep / Upload the results of the repository's own rules"
TAKEN: dict[str, Any] = {
    "skipped_steps": frozenset({NO_OWN_RULES, UPLOAD_OWN}),
    "uploads": frozenset({"semgrep-public"}),
}
NOT_TAKEN: dict[str, Any] = {
    "skipped_steps": frozenset({NO_OWN_RULES, UPLOAD_OWN, UPLOAD_PUBLIC})
}

# All of trivy.yaml's but the last.
FIRST_MIRRORS = "mirror.gcr.io/aquasec/trivy-db:2 ghcr.io/aquasecurity/trivy-db:2"
SAVE = "trivy / Save the databases once a day"
UPLOAD_TRIVY = "trivy / Upload the results to code scanning"
SCANNED: dict[str, Any] = {
    "skipped_steps": frozenset({SAVE}),
    "uploads": frozenset({"trivy"}),
}
UNSEEN: dict[str, Any] = {"skipped_steps": frozenset({SAVE, UPLOAD_TRIVY})}

UPLOAD_SCORE = "scorecard / Upload the results to code scanning"
SCORED: dict[str, Any] = {
    "artifacts": {"scorecard-results": 5},
    "uploads": frozenset({"scorecard"}),
}


def licensed(repository: Repository) -> None:
    """Switch code scanning on in a private repository."""
    repository.code_scanning = True


def fork_itself(repository: Repository) -> None:
    """Make the repository a fork of another."""
    repository.fork = True


def with_change(plant: Plant) -> Callable[[Repository], None]:
    """Push something to main beforehand."""

    def prepare(repository: Repository) -> None:
        repository.commit(plant, "main")

    return prepare


EXCUSED = '''"""Planted."""

import hashlib

# Names a cache entry; nothing is protected by it.
hashlib.md5(b"planted")  # noqa: S324  # nosemgrep: weak-digest
'''


ANSWERS = "{{ _copier_answers|to_nice_yaml -}}\n"
# What a GitHub App needs to propose an update.
APP_PERMISSIONS = dict.fromkeys(
    ("contents", "issues", "pull-requests", "workflows"), "write"
)


@functools.cache
def private_key() -> str:
    """Give the private key of the GitHub App, in PEM."""
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def pem(key: rsa.RSAPrivateKey) -> str:
    """Write a private key as GitHub gives it out."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def with_app(repository: Repository) -> None:
    """Install a GitHub App, and let the project know of it."""
    key = private_key()
    repository.app = App("Iv1.sample", key, APP_PERMISSIONS)
    repository.variables["TEMPLATE_UPDATE_CLIENT_ID"] = "Iv1.sample"
    repository.secrets["TEMPLATE_UPDATE_PRIVATE_KEY"] = key


def with_template(*versions: str) -> Callable[[Repository], None]:
    """Let the project come from version 1.0.0 of a small template that has these versions, too.

    Done once more, it gives the same template more versions.
    """

    def prepare(repository: Repository) -> None:
        template = repository.folder / "template"
        git = tool("git")
        if not template.exists():
            write("copier.yml", "_subdirectory: template\n")(template)
            write("template/.copier-answers.yml.jinja", ANSWERS)(template)
            run([git, "init", "-q", str(template)])
        known = run([git, "tag"], cwd=template).stdout.split()
        for version in ("v1.0.0", *versions):
            if version in known:
                continue
            write("template/version.txt", f"{version}\n")(template)
            write(f"template/new-in-{version}.txt", "New.\n")(template)
            run([git, "add", "--all"], cwd=template)
            run([git, "commit", "-q", "-m", version], cwd=template)
            run([git, "tag", version], cwd=template)
        if not known:
            source = f"git+{template.as_uri()}"
            copy = [sys.executable, "-m", "copier", "copy", "--quiet", "--overwrite"]
            copy += ["--vcs-ref=v1.0.0", source, "."]

            def edit(work: Path) -> None:
                run(copy, cwd=work)

            repository.commit(edit, "main")

    return prepare


EVERYTHING = {"kind": "service", "codecov": True}

OTHERS = [
    coverage("push, service", push, answers=SMALL_SERVICE, summary=WHOLE),
    coverage(
        "push, mcp",
        push,
        answers=SMALL_MCP,
        summary=WHOLE,
    ),
    coverage("push, library", push, summary=WHOLE),
    coverage("pull request", pull_request),
    coverage("pull request, private", pull_request, private=True),
    coverage("pull request from a fork", from_fork),
    coverage("pull request by Dependabot", by_dependabot),
    coverage("pull request of documentation", of_documentation),
    coverage("merge queue", queued),
    coverage("by hand", by_hand),
    coverage("push, with Codecov", push, answers=SMALL | {"codecov": True}),
    coverage(
        "Dependabot, with Codecov", by_dependabot, answers=SMALL | {"codecov": True}
    ),
    coverage("fork, with Codecov", from_fork, answers=SMALL | {"codecov": True}),
    simple("pre-commit.yml", "push, everything", push, answers=EVERYTHING),
    simple("pre-commit.yml", "push, mcp", push, answers={"kind": "mcp"}),
    simple("pre-commit.yml", "push, nothing shipped", push, answers=NOTHING),
    simple("pre-commit.yml", "push, library with an image", push, answers=IMAGE),
    simple("pre-commit.yml", "pull request of documentation", of_documentation),
    simple("pre-commit.yml", "pull request from a fork", from_fork),
    simple("pre-commit.yml", "merge queue", queued),
    simple("pre-commit.yml", "by hand", by_hand),
    simple("gitleaks.yml", "push", push, **GITLEAKS),
    simple(
        "gitleaks.yml", "push, service", push, **GITLEAKS | {"answers": SMALL_SERVICE}
    ),
    simple("gitleaks.yml", "push, mcp", push, **GITLEAKS | {"answers": SMALL_MCP}),
    simple("gitleaks.yml", "pull request", pull_request, **GITLEAKS),
    simple(
        "gitleaks.yml", "pull request of documentation", of_documentation, **GITLEAKS
    ),
    simple("gitleaks.yml", "pull request by Dependabot", by_dependabot, **GITLEAKS),
    simple("gitleaks.yml", "pull request from a fork", from_fork, **GITLEAKS),
    simple("gitleaks.yml", "merge queue", queued, **GITLEAKS),
    simple("gitleaks.yml", "by hand", by_hand, **GITLEAKS),
    simple("semgrep.yml", "push", push, **TAKEN),
    simple("semgrep.yml", "push, service", push, **TAKEN | {"answers": SMALL_SERVICE}),
    simple("semgrep.yml", "push, mcp", push, **TAKEN | {"answers": SMALL_MCP}),
    simple(
        "semgrep.yml",
        "pull request from a fork, private",
        from_fork,
        private=True,
        **NOT_TAKEN,
    ),
    simple("semgrep.yml", "pull request of documentation", of_documentation, **TAKEN),
    simple("semgrep.yml", "push, private", push, private=True, **NOT_TAKEN),
    simple(
        "semgrep.yml",
        "push, private, licensed",
        push,
        private=True,
        prepare=licensed,
        **TAKEN,
    ),
    simple("semgrep.yml", "pull request", pull_request, **TAKEN),
    simple("semgrep.yml", "pull request from a fork", from_fork, **NOT_TAKEN),
    simple("semgrep.yml", "pull request by Dependabot", by_dependabot, **NOT_TAKEN),
    simple("semgrep.yml", "merge queue", queued, **TAKEN),
    simple("semgrep.yml", "by hand", by_hand, **TAKEN),
    simple(
        "semgrep.yml",
        "push, with rules of its own",
        push,
        prepare=with_change(OWN_RULE),
        uploads=frozenset({"semgrep-public", "semgrep-own"}),
    ),
    simple(
        "semgrep.yml",
        "push, with an exception beside the code",
        push,
        prepare=with_change(write("scripts/planted.py", EXCUSED)),
        **TAKEN,
    ),
    simple("trivy.yml", "push", push, **SCANNED),
    simple("trivy.yml", "push, service", push, **SCANNED | {"answers": SMALL_SERVICE}),
    simple("trivy.yml", "push, mcp", push, **SCANNED | {"answers": SMALL_MCP}),
    simple(
        "trivy.yml",
        "pull request from a fork, private",
        from_fork,
        private=True,
        **UNSEEN,
    ),
    simple("trivy.yml", "pull request of documentation", of_documentation, **SCANNED),
    simple(
        "trivy.yml",
        "push, with one database mirror left",
        push,
        variables={"ENGINE_TRIVY_UNREACHABLE": FIRST_MIRRORS},
        **SCANNED,
    ),
    simple(
        "trivy.yml",
        "push, with a LOW vulnerability",
        push,
        prepare=with_change(dependency(LOW)),
        **SCANNED,
    ),
    simple(
        "trivy.yml",
        "push, with an exception that holds",
        push,
        prepare=with_change(all_of(dependency(MEDIUM), excuse(1))),
        **SCANNED,
    ),
    simple("trivy.yml", "push, private", push, private=True, **UNSEEN),
    simple(
        "trivy.yml",
        "push, private, licensed",
        push,
        private=True,
        prepare=licensed,
        **SCANNED,
    ),
    simple("trivy.yml", "pull request", pull_request, **SCANNED),
    simple("trivy.yml", "pull request from a fork", from_fork, **UNSEEN),
    simple("trivy.yml", "pull request by Dependabot", by_dependabot, **UNSEEN),
    simple("trivy.yml", "merge queue", queued, **SCANNED),
    simple("trivy.yml", "by hand", by_hand, **SCANNED),
    simple("trivy.yml", "at night", at("0 3 * * *"), uploads=frozenset({"trivy"})),
    simple("ossf-scorecard.yml", "push", push, **SCORED),
    simple(
        "ossf-scorecard.yml",
        "push, private",
        push,
        private=True,
        artifacts={"scorecard-results": 5},
        skipped_steps=frozenset({UPLOAD_SCORE}),
    ),
    simple(
        "ossf-scorecard.yml",
        "push, private, licensed",
        push,
        private=True,
        prepare=licensed,
        **SCORED,
    ),
    simple("ossf-scorecard.yml", "weekly", at("0 2 * * 1"), **SCORED),
    simple("ossf-scorecard.yml", "branch protection changed", protected, **SCORED),
    simple("ossf-scorecard.yml", "by hand", by_hand, **SCORED),
    simple(
        "ossf-scorecard.yml",
        "push to a fork",
        push,
        prepare=fork_itself,
        skipped_jobs=frozenset({"scorecard"}),
    ),
]

PROPOSED: dict[str, Any] = {"artifacts": {"template-update": 7}}
UPDATES = [
    simple(
        "template-update.yml",
        "a newer version, without a GitHub App",
        at("0 5 * * 1"),
        prepare=with_template("v1.1.0"),
        skipped_jobs=frozenset({"pull-request"}),
        **PROPOSED,
    ),
    simple(
        "template-update.yml",
        "a newer version, with a GitHub App",
        at("0 5 * * 1"),
        prepare=both(with_template("v1.1.0"), with_app),
        skipped_jobs=frozenset({"issue"}),
        **PROPOSED,
    ),
    simple(
        "template-update.yml",
        "no newer version",
        by_hand,
        prepare=both(with_template(), with_app),
        skipped_jobs=frozenset({"pull-request", "issue"}),
        skipped_steps=frozenset(
            {
                "template-update / Keep the update",
            }
        ),
    ),
]

# ---- docker.yml ------------------------------------------------------------------------------------------------------

BOTH: Cells = {("amd64", "ubuntu-latest"), ("arm64", "ubuntu-24.04-arm")}
ASK_RELEASE = "plan / Require a published release with all its files"
UPLOAD_IMAGE = "build / Upload the results to code scanning"
FOUND_IN_IMAGE = frozenset({"trivy-image-amd64", "trivy-image-arm64"})
DIGESTS = {"digest-amd64": 1, "digest-arm64": 1}
ON_MAIN = frozenset({"latest", "main-COMMIT"})
PUSHES = {
    f"build / {name}"
    for name in (
        "Log in to the registry",
        "Push the image by its digest",
        "Write down the digest",
        "Keep the digest",
    )
}


def image(
    name: str,
    happens: Happening,
    answers: Mapping[str, Any] = IMAGE,
    *,
    skipped: frozenset[str] = frozenset(),
    uploads: frozenset[str] = FOUND_IN_IMAGE,
    **more: Any,
) -> Scenario:
    """Give a scenario of docker.yml; main's pushes and starts by hand publish, all else does not."""
    publishes = happens in (push, by_hand)
    steps = {ASK_RELEASE, *skipped} | (set() if publishes else PUSHES)
    settings: dict[str, Any] = {
        "answers": answers,
        "skipped_jobs": frozenset(() if publishes else {"merge"}),
        "skipped_steps": frozenset(steps),
        "cells": {"build": BOTH},
        "artifacts": DIGESTS if publishes else {},
        "uploads": uploads,
        "image_tags": ON_MAIN if publishes else frozenset(),
    }
    return Scenario(name, "docker.yml", happens, **settings | more)


UNSEEN_IMAGE: dict[str, Any] = {
    "skipped": frozenset({UPLOAD_IMAGE}),
    "uploads": frozenset(),
}

IMAGES = [
    image("push, service", push, SMALL_SERVICE, summary="healthy after"),
    image("push, mcp", push, SMALL_MCP, summary="test_server.py passed"),
    image("push, library", push),
    image("push, private", push, private=True, **UNSEEN_IMAGE),
    image("push, private, licensed", push, private=True, prepare=licensed),
    image("pull request", pull_request),
    image("pull request from a fork", from_fork, **UNSEEN_IMAGE),
    image("pull request by Dependabot", by_dependabot, **UNSEEN_IMAGE),
    image("merge queue", queued),
    image("by hand", by_hand),
    image(
        "push, with a HIGH vulnerability that has no fix",
        push,
        prepare=with_change(dependency(UNFIXED)),
    ),
    image(
        "pull request of documentation",
        of_documentation,
        skipped_jobs=frozenset({"build", "merge"}),
        skipped_steps=frozenset({ASK_RELEASE}),
        cells={},
        uploads=frozenset(),
    ),
]

# ---- publish.yml -----------------------------------------------------------------------------------------------------

OF_RELEASE = {
    f"package / {name}"
    for name in (
        "Require a published release with all its files",
        "Download the release's files",
        "Check the files' digests",
        "Ask whether GitHub keeps attestations here",
        "Check the files' versions against the tag",
        "Verify that release.yml built the files from this tag",
    )
}
OF_TRIAL = {
    f"package / {name}"
    for name in (
        "Build for the trial",
        "Give the sdist the time of the commit",
        "Check the trial's version",
    )
}


def files(index: str, version: str, note: str = ", attested") -> frozenset[str]:
    """Give the two files of a version on an index."""
    endings = ("-py3-none-any.whl", ".tar.gz")
    return frozenset(f"{index}/sample_project-{version}{e}{note}" for e in endings)


def publishing(
    name: str, happens: Happening, *, token: bool = False, **more: Any
) -> Scenario:
    """Give a scenario of publish.yml; it builds for TestPyPI, and takes the release's files for PyPI."""
    tries = happens is trial
    index, other = ("testpypi", "pypi") if tries else ("pypi", "testpypi")
    by_token, by_trust = (
        {f"{index} / Upload with the token"},
        {
            f"{index} / Sign the attestations",
            f"{index} / Upload as a trusted publisher",
        },
    )
    steps = (OF_RELEASE if tries else OF_TRIAL) | (by_trust if token else by_token)
    if more.get("private"):
        steps |= {"package / Verify that release.yml built the files from this tag"}
    version = "1.2.1.dev1" if tries else "1.2.0"
    settings: dict[str, Any] = {
        "answers": SHIPPED,
        "released": True,
        "prepare": with_change(documentation) if tries else lambda here: None,
        "skipped_jobs": frozenset({other} | ({"notes"} if tries else set())),
        "skipped_steps": frozenset(steps),
        "artifacts": {"publish": 7},
        "on_index": files(index, version, "" if token else ", attested"),
    }
    if token:
        settings["prepare"] = both(settings["prepare"], give_token(index))
    return Scenario(name, "publish.yml", happens, **settings | more)


PUBLISHING = [
    publishing("started by a release", started),
    publishing("a person publishes the release", published),
    publishing("a private repository's release", started, private=True),
    publishing("a release, with an API token", started, token=True),
    publishing("an empty API token", started, prepare=empty_tokens),
    publishing("a trial of main", trial),
    publishing("a trial of main, with an API token", trial, token=True),
]

SCENARIOS = [*MATRICES, *OTHERS, *UPDATES, *IMAGES, *PUBLISHING]
