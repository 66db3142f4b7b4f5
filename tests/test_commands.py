"""Every command block of a project's documents is typed by a test; the few that are not say why.

A block is typed here, line by line, in a clone of a locked project, unless BY_OTHERS names the test that types the whole
page, or NOT_TYPED gives the reason.
"""

import hashlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from engine.fixtures import require_pythons
from harness import Project, Renderer
from native import Checkout, hooks
from scenarios import SMALL, SMALL_MCP, SMALL_SERVICE
from test_documents import ANSWERS, each_project, local_command, texts, tokens
from test_troubleshooting import CASES, NOT_HERE, entries

# Pages whose commands another test reads and types.
BY_OTHERS = {
    "docs/releasing.md": "tests/pipeline/test_release_guide.py",
    "docs/setup.md": "tests/scripts/test_setup_github.py, tests/pipeline/test_first_push.py",
}
TROUBLES = "docs/troubleshooting.md"
# Lines that are typed nowhere word for word, with the reason.
NOT_TYPED = {
    r"pip install sample-project": "takes a release from PyPI; test_shipping.py installs what was published",
    r"docker (pull|run --rm --read-only) .*": "takes the published image; test_shipping.py and test_images.py start it",
    r"gh attestation verify FILE --repo .*": "needs a release with provenance; publish.yml's own step does it",
    r"uv run scripts/setup_github\.py --check": "the same line of docs/setup.md is typed, against the fake GitHub",
    r"uv run scripts/update_from_template\.py.*": "needs a newer template; test_update_script.py gives these arguments",
}
# Entries of the troubleshooting whose commands are not typed, by the beginning of their headings.
UNTRIED = {
    "Tests fail on": "needs a Python that the machine may not have; a row of CONTRIBUTING.md",
    '"Docker passed" is red': "needs a run on GitHub",
    '"Template update" is red': "needs a newer template",
    "The template has a newer version": "needs a server with the branch",
    "A required check waits": "the same lines of docs/setup.md are typed, against the fake GitHub",
    '"has 2 drafts"': "starts a workflow; the same line of docs/releasing.md is typed",
    '"was published by hand and is immutable"': "starts a workflow, as docs/releasing.md does",
    '"has no published release"': "starts a workflow; the same line of docs/releasing.md is typed",
    "GitHub says that the branch or tag": "the same line of docs/setup.md is typed",
}


def lines(text: str) -> list[str]:
    """Give the lines of a document's command blocks."""
    blocks = [t.content for t in tokens(text) if t.type == "fence" and t.info == "sh"]
    return [line for block in blocks for line in block.splitlines()]


def reason(line: str) -> str:
    """Give why a line is not typed; empty where it is."""
    return next(
        (why for what, why in NOT_TYPED.items() if re.fullmatch(what, line)), ""
    )


def typed_here(project: Project) -> dict[str, list[str]]:
    """Give the lines of each document that are to be typed here."""
    return {
        page: [line for line in lines(text) if not reason(line)]
        for page, text in texts(project).items()
        if page not in BY_OTHERS and page != TROUBLES
    }


# ---- Typing ----------------------------------------------------------------------------------------------------------

BUILD = "uv run python -m build --no-isolation"


@dataclass(frozen=True)
class Typist:
    """Someone who types what the documents say into a project."""

    here: Checkout
    kind: str

    def type_line(self, line: str) -> str:
        """Type a line, with what stands around it in the document; gives what is printed."""
        line = re.sub(r"\bNAME\b", "pytest", line)
        starts = re.fullmatch(r"(uv run )?sample-project", line)
        if starts and self.kind == "service":
            # It runs until it is asked to stop, and then ends well.
            line = f"PORT=0 timeout --preserve-status --signal=TERM 10 {line}"
        elif starts:
            # A client that goes away at once.
            line = f"{line} < /dev/null"
        elif line.startswith("uv run twine check"):
            # "The last two look at what the build left."
            line = f"{BUILD}\n{line}"
        return self.here.run(line).stdout


@pytest.fixture
def typist(locked: Callable[..., Path], tmp_path: Path) -> Callable[..., Typist]:
    """Give what makes a typist for some answers: a clone, and folders of their own for what is installed."""

    def make(**answers: Any) -> Typist:
        require_pythons(answers)
        Checkout(tmp_path).run(f"git clone -q '{locked(**answers)}' project")
        programs = tmp_path / "programs"
        environment = {
            "UV_PYTHON": "3.12",
            "UV_TOOL_DIR": str(tmp_path / "tools"),
            "UV_TOOL_BIN_DIR": str(programs),
            "PATH": f"{programs}:{Path(sys.executable).parent}:{hooks()['PATH']}",
        }
        return Typist(Checkout(tmp_path / "project", environment), answers["kind"])

    return make


def downloaded(folder: Path) -> None:
    """Have a file of a release, and the list of digests with one more that was not downloaded."""
    (folder / "a.whl").write_bytes(b"a wheel")
    digest = hashlib.sha256(b"a wheel").hexdigest()
    (folder / "SHA256SUMS").write_text(
        f"{digest}  a.whl\n{'0' * 64}  b.tar.gz\n", "utf-8"
    )


@pytest.mark.parametrize(
    "answers", [SMALL_SERVICE, SMALL_MCP, SMALL], ids=lambda answers: answers["kind"]
)
def test_each_command_works(
    answers: dict[str, Any], typist: Callable[..., Typist], render: Renderer
) -> None:
    """In the order in which the pages are read: what one needs, those before have made."""
    project = render(github_user="octo", **answers)
    someone = typist(**answers)
    said = typed_here(project)
    assert local_command(project.path / ".github/workflows/build.yml") == BUILD
    order = ["README.md", "CONTRIBUTING.md", "docs/pipeline.md", "docs/care.md"]
    assert {page for page, found in said.items() if found} == {*order, "SECURITY.md"}
    printed = {line: someone.type_line(line) for page in order for line in said[page]}
    assert re.search(r"\d+ passed", printed["uv run pytest"])
    if answers["kind"] == "library":
        assert "1.5 KiB" in printed["sample-project 1536"]
    (check,) = said["SECURITY.md"]
    downloaded(someone.here.path)
    assert someone.type_line(check) == "a.whl: OK\n"
    (someone.here.path / "a.whl").write_bytes(b"another wheel")
    assert someone.here.run(check, check=False).returncode == 1


# ---- Troubles that are no gate's -------------------------------------------------------------------------------------


def as_planted(here: Checkout) -> None:
    """Leave the project as it is."""


def no_repository(here: Checkout) -> None:
    """Have a folder that is no repository, and see that uv refuses it."""
    shutil.rmtree(here.path / ".git")
    assert here.run("uv sync", check=False).returncode != 0


def tag_elsewhere(here: Checkout) -> None:
    """Let the repository that this is a clone of have a version tag that the clone lacks."""
    here.run("git clone -q --bare . ../origin && git remote set-url origin ../origin")
    here.run("git -C ../origin tag v1.2.3")
    assert "\n0.1.dev" in here.run("uv run python -m setuptools_scm").stdout


def one_version(here: Checkout) -> None:
    """Have a version tag on the newest commit."""
    here.run("git tag v1.2.3")


def warning(here: Checkout) -> None:
    """Have a test that warns, and see that it is red."""
    test = '"""Planted."""\n\nimport warnings\n\n\ndef test_planted() -> None:\n    """Warn."""\n    warnings.warn("planted")\n'
    (here.path / "tests/test_planted.py").write_text(test, "utf-8")
    assert here.run("uv run pytest", check=False).returncode == 1


def changed_by_a_hook(here: Checkout) -> None:
    """Have a file that a hook has changed after it was added."""
    with (here.path / "SECURITY.md").open("a", encoding="utf-8") as file:
        file.write("\nPlanted.\n")


# The beginning of an entry's heading, what is so before, and what shows that its commands have helped.
TROUBLE = {
    "`uv sync` or `uv lock` fails": (no_repository, "git status --short --branch", "main"),
    "The version begins with 0.1.dev": (tag_elsewhere, "uv run python -m setuptools_scm", "1.2.3"),
    "A commit hook changed files": (changed_by_a_hook, "git diff --cached", "+Planted."),
    "A hook fails because Go is missing": (as_planted, "uv run pre-commit run actionlint --all-files", "Passed"),
    "Tests fail because of a warning": (warning, "uv run pytest -W default -q", "UserWarning: planted"),
    '"is not a version"': (one_version, "uv run scripts/release.py check v1.2.3", "v1.2.3 is version 1.2.3"),
    '"is on the same commit as"': (one_version, "git log -1 --format=%s", "Release 1.3.0"),
}  # fmt: skip


@pytest.mark.parametrize("start", TROUBLE)
def test_the_commands_of_other_entries_help(
    start: str, typist: Callable[..., Typist]
) -> None:
    someone = typist(**SMALL)
    found = entries((someone.here.path / TROUBLES).read_text("utf-8"))
    ((_, commands),) = [found[h] for h in found if h.startswith(start)]
    prepare, look, shows = TROUBLE[start]
    prepare(someone.here)
    for line in commands.splitlines():
        someone.type_line(line)
    assert shows in someone.here.run(look).stdout


# ---- That none is left out -------------------------------------------------------------------------------------------


@pytest.mark.quick
@each_project
def test_each_command_is_typed_or_says_why_not(name: str, render: Renderer) -> None:
    """What a project of these answers says is said by one of the projects above."""
    project = render(**ANSWERS[name])
    known = {
        line
        for answers in (SMALL_SERVICE, SMALL_MCP, SMALL)
        for found in typed_here(render(github_user="octo", **answers)).values()
        for line in found
    }
    left = {line for found in typed_here(project).values() for line in found} - known
    assert left == set()


@pytest.mark.quick
@each_project
def test_each_entry_with_commands_is_tried_or_says_why_not(
    name: str, render: Renderer
) -> None:
    page = render(**ANSWERS[name]).text(TROUBLES)
    starts = {case.heading for case in CASES} | UNTRIED.keys() | TROUBLE.keys()
    starts |= {start for start, _ in NOT_HERE.values()}
    left = {
        heading
        for heading, (_, commands) in entries(page).items()
        if commands and not any(heading.startswith(start) for start in starts)
    }
    assert left == set()


def headings(render: Renderer) -> Iterator[str]:
    """Give the headings of the troubleshooting, over all answers."""
    for answers in ANSWERS.values():
        yield from entries(render(**answers).text(TROUBLES))


@pytest.mark.quick
def test_each_reason_is_still_one(render: Renderer) -> None:
    said = {
        line
        for answers in ANSWERS.values()
        for text in texts(render(**answers)).values()
        for line in lines(text)
    }
    assert [w for w in NOT_TYPED if not any(re.fullmatch(w, line) for line in said)] == []  # fmt: skip
    found = set(headings(render))
    assert [s for s in UNTRIED if not any(h.startswith(s) for h in found)] == []


@pytest.mark.quick
def test_a_command_that_nobody_types_is_found() -> None:
    assert lines("```sh\na\nb\n```\n\n```text\nc\n```\n") == ["a", "b"]
    assert reason("docker pull ghcr.io/octo/sample-project:latest")
    assert not reason("docker push ghcr.io/octo/sample-project:latest")
    assert not reason("uv run pytest")
