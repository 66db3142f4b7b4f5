"""Each gate's entry in the troubleshooting is found by what the gate prints, and leads to a green gate.

Locally, without the engine: the gate is the workflow's own step, the defect one of those that are planted anyway, and
what is typed is what the entry says.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cost
import defects
import pytest
from engine.fixtures import require_pythons
from harness import ROOT, Renderer, tool_from_wheel
from native import Checkout, hooks
from planting import PACKAGE, Plant, all_of, lock, replace, write
from policy import VERSIONS
from scenarios import SMALL, SMALL_MCP, SMALL_SERVICE
from test_documents import tokens

PAGE = "docs/troubleshooting.md"
TOOLS = ROOT / "tests/engine/tools"
Mend = Callable[[Checkout, str], None]


def entries(text: str) -> dict[str, tuple[str, str]]:
    """Give text and commands of each entry of the page, by its heading."""
    found = {}
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        body = re.split(r"^## ", body, flags=re.M)[0]
        blocks = [t.content for t in tokens(body) if t.type == "fence"]
        found[heading] = (body, "".join(blocks))
    return found


# ---- What a person does after the commands ---------------------------------------------------------------------------


def nothing_more(here: Checkout, printed: str) -> None:
    """Leave it at what the commands did."""


def take_back(here: Checkout, printed: str) -> None:
    """Mend the code: take the mistake out that the commands have named."""
    here.run("git revert --no-edit HEAD")


def silence(here: Checkout, printed: str) -> None:
    """Copy the fingerprints that the command has printed into the list, each with a reason above it."""
    fingerprints = re.findall(r"^Fingerprint:\s+(\S+)", printed, re.M)
    assert fingerprints
    with (here.path / ".gitleaksignore").open("a", encoding="utf-8") as file:
        for fingerprint in fingerprints:
            file.write(f"# Revoked on 2026-11-24.\n{fingerprint}\n")


# ---- The entries -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A gate that is red, and the entry that helps.

    Attributes:
        heading: How the entry's heading begins.
        says: What the gate prints and the entry repeats, so that one finds the other.
        step: The gate: workflow, job and step.
        defect: What is wrong: one of the planted defects, or something of its own.
        mend: What a person does after the entry's commands.
        before: Steps of the same job that the gate needs; they are green.
        answers: The project's answers.
        words: What stands for the words in capitals in the commands.
    """

    heading: str
    says: str
    step: str
    defect: str | Plant
    mend: Mend = take_back
    before: tuple[str, ...] = ()
    answers: Mapping[str, Any] | None = None
    words: tuple[tuple[str, str], ...] = ()

    @property
    def plant(self) -> Plant:
        """What puts the defect into a working tree."""
        if not isinstance(self.defect, str):
            return self.defect
        (found,) = [each for each in defects.DEFECTS if each.name == self.defect]
        assert self.step in found.reddens
        assert found.plant
        return found.plant


START = '"Start and stop the server"'
PACKED = '"Build the sdist and the wheel", "Check the metadata"'
UNUSED_IMPORT = write(f"{PACKAGE}/planted.py", f"{defects.HEAD}import os\n")
# Allowed by pyproject.toml, and locked at a version that has a vulnerability.
OLD_LOCK = all_of(
    replace(
        "pyproject.toml", "dependencies = []", 'dependencies = ["requests<=2.31.0"]'
    ),
    lock,
    replace("pyproject.toml", "requests<=2.31.0", "requests>=2.31.0"),
    lock,
)

CASES = [
    Case(
        '"Plan the jobs"',
        "it must be one of",
        defects.PLAN_TESTS,
        "the project does not say what it is",
    ),
    Case(
        '"Check that the lock file is up to date"',
        "needs to be updated",
        defects.LOCK,
        "the lock file is out of date",
        nothing_more,
    ),
    Case(
        '"Check that the lock file is up to date"',
        "find lockfile",
        defects.LOCK,
        "there is no lock file",
        nothing_more,
    ),
    Case(
        '"Look for mistakes"',
        "Found 1 error",
        defects.MISTAKES,
        UNUSED_IMPORT,
        nothing_more,
    ),
    Case(
        '"Check the format"',
        "would reformat",
        defects.FORMAT,
        "code that is not formatted",
        nothing_more,
    ),
    Case(
        '"Check the types"',
        "Found 1 error",
        defects.TYPES,
        "types that do not agree",
    ),
    Case(
        '"Run the unit tests"',
        "FAILED tests/",
        defects.UNIT_TESTS,
        "a unit test fails",
        before=(defects.SYNC_TESTS,),
    ),
    Case(
        '"Run the smoke test"',
        "FAILED",
        defects.SMOKE,
        "the console command leads nowhere",
        before=(defects.SYNC_TESTS,),
    ),
    Case(
        START,
        "nothing listens on",
        defects.START,
        "the server never answers",
        before=(defects.SYNC_TESTS,),
        answers=SMALL_SERVICE,
    ),
    Case(
        START,
        "did not stop within",
        defects.START,
        "the server answers but does not stop",
        before=(defects.SYNC_TESTS,),
        answers=SMALL_SERVICE,
    ),
    Case(
        START,
        "no answer to initialize in time",
        defects.START,
        "the MCP server never shakes hands",
        before=(defects.SYNC_TESTS,),
        answers=SMALL_MCP,
    ),
    Case(
        '"Check that the sdist will hold what git holds"',
        "missing from sdist",
        defects.MANIFEST,
        "the sdist lacks a file",
        before=(defects.SYNC_BUILD,),
    ),
    Case(
        PACKED,
        "Backend subprocess exited",
        defects.BUILD,
        "the wheel cannot be built",
        before=(defects.SYNC_BUILD,),
    ),
    Case(
        PACKED,
        "long_description",
        defects.METADATA,
        "the metadata lacks a description",
        before=(defects.SYNC_BUILD, defects.BUILD),
    ),
    Case(
        PACKED,
        "W002",
        defects.CONTENTS,
        "the wheel holds a file twice",
        before=(defects.SYNC_BUILD, defects.BUILD),
    ),
    Case(
        '"Summarise the coverage"',
        "is no coverage report",
        defects.SUMMARISE,
        "the coverage report is written elsewhere",
        before=(defects.SYNC_COVERAGE, defects.COVER),
    ),
    Case(
        '"Require the threshold"',
        "is less than fail-under",
        defects.THRESHOLD,
        "one line too few is covered",
        before=(defects.SYNC_COVERAGE, defects.COVER),
    ),
    Case(
        '"Validate the hook configuration"',
        "Missing required key",
        defects.CONFIGURATION,
        "the hook configuration is invalid",
    ),
    Case(
        '"Run every hook on every file"',
        "files were modified by this hook",
        defects.HOOKS,
        "a file does not end with a line break",
        nothing_more,
    ),
    Case(
        "Gitleaks says",
        "leaks found",
        defects.HISTORY,
        "secrets of each kind in the newest commit",
        silence,
    ),
    Case(
        "Semgrep says",
        "Code Finding",
        defects.PUBLIC_RULES,
        "code that runs a text as a shell command",
    ),
    Case(
        '"Require that nothing was found"',
        "MEDIUM",
        defects.NOTHING_FOUND,
        OLD_LOCK,
        nothing_more,
        before=(defects.EXPORT, defects.SCAN, defects.SEEN),
        words=(("NAME", "requests"),),
    ),
]


@dataclass(frozen=True)
class Gates:
    """The steps of a project's workflows, by workflow, job and name."""

    here: Checkout

    def command(self, step: str) -> str:
        """Give what a step runs, with those of its job's variables that are the same in every cell."""
        file, job, name = step.split(" / ")
        data = cost.read(self.here.path)[file]["jobs"][job]
        (found,) = [each["run"] for each in data["steps"] if each["name"] == name]
        variables = {k: v for k, v in data.get("env", {}).items() if "${{" not in v}
        exports = [f"export {name}='{value}'" for name, value in variables.items()]
        return "\n".join([*exports, found])

    def try_it(self, case: Case) -> tuple[bool, str]:
        """Run a gate, and before it what it needs; gives whether it is green, and what it printed."""
        # What an earlier run has left is not there on a new runner.
        self.here.run("git clean -qfdX dist build trivy semgrep src")
        for step in case.before:
            self.here.run(self.command(step))
        done = self.here.run(self.command(case.step), check=False)
        return done.returncode == 0, done.stdout


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, str]:
    """Give the variables that lead to what the engine has in the place of Trivy and of Semgrep's public rules."""
    folder = tmp_path / "programs"
    folder.mkdir()
    semgrep = VERSIONS["tools"]["semgrep"]
    lines = {
        "trivy": f'exec "{sys.executable}" "{TOOLS}/trivy.py" "$@"',
        "semgrep": f'exec "{sys.executable}" "{TOOLS}/semgrep.py" "$@"',
        "uvx": f'[ "$1" = "semgrep=={semgrep}" ] && shift && exec semgrep "$@"',
    }
    for name, line in lines.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n", "utf-8")
        (folder / name).chmod(0o755)
    return {
        "PATH": f"{folder}:{hooks()['PATH']}",
        "ENGINE_SEMGREP": tool_from_wheel(f"semgrep=={semgrep}", "semgrep"),
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "UV_PYTHON": "3.12",
        "GIT_PAGER": "cat",
    }


@pytest.fixture
def project(
    locked: Callable[..., Path], programs: dict[str, str], tmp_path: Path
) -> Callable[[Case], Checkout]:
    """Give what makes a case's project, with the defect in its last commit."""

    def make(case: Case) -> Checkout:
        answers = case.answers or SMALL
        require_pythons(answers)
        Checkout(tmp_path).run(f"git clone -q '{locked(**answers)}' project")
        here = Checkout(tmp_path / "project", programs)
        case.plant(here.path)
        here.run("git add --all && git commit -q --message Plant")
        return here

    return make


def entry_of(case: Case, page: str) -> tuple[str, str]:
    """Give the one entry that helps, with its heading: what it says, and its commands."""
    ((text, commands),) = [
        (f"{heading}\n{body}", commands)
        for heading, (body, commands) in entries(page).items()
        if heading.startswith(case.heading)
    ]
    for word, value in case.words:
        commands = commands.replace(word, value)
    return text, commands


def do_as_it_says(case: Case, here: Checkout, commands: str) -> None:
    """Type an entry's commands and do what is left for a person; all is committed."""
    # People go on after a command that fails: each line by itself.
    done = [here.run(line, check=False) for line in commands.splitlines()]
    case.mend(here, "".join(each.stdout for each in done))
    here.run("git add --all && (git diff --cached --quiet || git commit -q -m Mend)")


@pytest.mark.parametrize(
    "case", CASES, ids=lambda c: c.defect if isinstance(c.defect, str) else c.heading
)
def test_the_entry_of_a_gate_leads_to_green(
    case: Case, project: Callable[[Case], Checkout]
) -> None:
    here = project(case)
    gates = Gates(here)
    green, printed = gates.try_it(case)
    assert not green
    assert case.says in printed
    text, commands = entry_of(case, (here.path / PAGE).read_text("utf-8"))
    assert case.says in text
    assert commands
    do_as_it_says(case, here, commands)
    green, printed = gates.try_it(case)
    assert green, printed


def test_an_entry_whose_commands_do_not_help_is_found(
    project: Callable[[Case], Checkout],
) -> None:
    """The same with a command that only looks: what it was to mend stays red."""
    (case,) = [case for case in CASES if case.step == defects.FORMAT]
    here = project(case)
    _, commands = entry_of(case, (here.path / PAGE).read_text("utf-8"))
    do_as_it_says(case, here, commands.replace("black .", "black --check ."))
    assert not Gates(here).try_it(case)[0]


# ---- That no gate is without one -------------------------------------------------------------------------------------

# Gates that print what another gate prints, whose entry is found by it.
SAME_AS = {
    defects.PLAN_BUILD: defects.PLAN_TESTS,
    defects.PLAN_DOCKER: defects.PLAN_TESTS,
    defects.SYNC_TESTS: defects.LOCK,
    defects.SYNC_BUILD: defects.LOCK,
    defects.SYNC_COVERAGE: defects.LOCK,
    defects.SYNC_HOOKS: defects.LOCK,
    defects.SYNC_GITLEAKS: defects.LOCK,
    defects.EXPORT: defects.LOCK,
    defects.PLAN_IMAGE: defects.LOCK,
    defects.COVER: defects.UNIT_TESTS,
    defects.SDIST: defects.SMOKE,
    defects.START_INSTALLED: defects.START,
    defects.OWN_RULES: defects.PUBLIC_RULES,
}
# Gates whose entry is not tried here: how its heading begins, and why.
NOT_HERE = {
    defects.WHEEL: ('"Install the wheel', "needs a second Python"),
    defects.SCAN: ("Trivy or Semgrep cannot reach", "a server is out of reach"),
    defects.SCAN_IMAGE: ("Trivy or Semgrep cannot reach", "a server is out of reach"),
    defects.SEEN: ('"Require that the scan saw', "the workflow itself is broken"),
    defects.ASK_SEMGREP: ('"Ask whether code scanning', "GitHub's answer"),
    defects.ASK_TRIVY: ('"Ask whether code scanning', "GitHub's answer"),
    defects.ASK_DOCKER: ('"Ask whether code scanning', "GitHub's answer"),
    defects.BUILD_IMAGE: ("The image does not start", "needs Docker"),
    defects.CHECK_IMAGE: ("The image does not start", "needs Docker"),
    defects.IMAGE_CLEAN: ('"Require that nothing was found"', "needs Docker"),
    defects.ASK_RELEASE: ('"has no published release"', "needs a release"),
    defects.PUSH_IMAGE: ('"Push the image by its digest"', "needs a registry"),
    defects.TAG_IMAGE: ('"Push the image by its digest"', "needs a registry"),
}


@pytest.mark.quick
def test_each_gate_has_its_entry(render: Renderer) -> None:
    """Every step that a planted defect reddens in a workflow that guards a merge."""
    project = render(**SMALL | {"docker": True})
    guards = {
        file
        for file, workflow in cost.read(project.path).items()
        if "merge_group" in workflow["on"]
    }
    red = {
        step
        for each in defects.DEFECTS
        if each.gates
        for step in each.reddens
        if step.split(" / ")[0] in guards and not step.endswith(defects.SUM_UP)
    }
    tried = {case.step for case in CASES}
    assert red == tried | SAME_AS.keys() | NOT_HERE.keys()
    assert tried.isdisjoint(SAME_AS.keys() | NOT_HERE.keys())
    assert set(SAME_AS.values()) <= tried
    headings = entries(project.text(PAGE))
    for start, _ in NOT_HERE.values():
        assert [h for h in headings if h.startswith(start)], start


@pytest.mark.quick
def test_entries_are_read_with_their_commands() -> None:
    page = "# T\n\n## A\n\n### One\n\ntext\n\n```sh\na\n```\n\nmore\n\n```sh\nb\n```\n\n## B\n\n```sh\nc\n```\n"
    ((heading, (body, commands)),) = entries(page).items()
    assert (heading, commands) == ("One", "a\nb\n")
    assert "more" in body
    assert "c\n" not in body
