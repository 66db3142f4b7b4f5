"""Every planted defect reddens exactly the steps that it names, says what is wrong, and stops the merge."""

import re
from dataclasses import dataclass
from pathlib import Path

import policy
import proofs
import pytest
from defects import DEFECTS, NEVER_RED, Defect
from engine import under_test
from engine.fixtures import Execute, MakeRepository
from engine.repository import FORK, MEMBER, Event, Repository
from engine.result import FAILURE
from step_report import steps

# The workflows that the table is about.
GATES = (
    "tests.yml",
    "build.yml",
    "coverage.yml",
    "pre-commit.yml",
    "gitleaks.yml",
    "semgrep.yml",
    "trivy.yml",
    "ossf-scorecard.yml",
)


@dataclass(frozen=True)
class Trial:
    """One workflow of a project with a defect; of the project itself, or of a pull request from a fork."""

    defect: Defect
    workflow: str
    fork: bool = False

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return f"{self.workflow}: {self.defect.name}{', from a fork' * self.fork}"

    @property
    def expected(self) -> set[str]:
        """The steps that must be red, and no others."""
        return {s for s in self.defect.reddens if s.startswith(f"{self.workflow} / ")}


TRIALS = [
    Trial(defect, workflow)
    for defect in DEFECTS
    for workflow in GATES
    if defect.everywhere or Trial(defect, workflow).expected
] + [
    # What runs without secrets and may not write is no less strict.
    Trial(defect, workflow, fork=True)
    for defect in DEFECTS
    for workflow in GATES
    if defect.everywhere and Trial(defect, workflow).expected
]


def happen(trial: Trial, repository: Repository) -> Event:
    """Let the defect come about."""
    defect = trial.defect
    defect.prepare(repository)
    if defect.pull_request or trial.fork:
        assert defect.plant
        return repository.pull_request(defect.plant, FORK if trial.fork else MEMBER)
    return repository.push(defect.plant)


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.id)
def test_defect(trial: Trial, repository: MakeRepository, execute: Execute) -> None:
    defect = trial.defect
    here = repository(**defect.answers)
    event = happen(trial, here)
    # One system will do, but for what differs between Pythons.
    result = execute(
        here, trial.workflow, event, system="ubuntu-latest", **defect.variables
    )
    assert sorted(result.red) == sorted(trial.expected), result.failures
    if trial.expected:
        assert re.search(defect.says, result.failures), result.failures
    check = required_check(here.folder / "runs/1/checkout", trial.workflow)
    if check:
        stopped = result.results[check] == FAILURE
        assert stopped == (bool(trial.expected) and defect.gates)


def required_check(project: Path, file: str) -> str | None:
    """Give the job whose check a merge requires; None for a workflow that no merge waits for."""
    workflow = under_test.load(project)[file]
    return policy.required_check(workflow) if workflow.gates else None


def test_a_test_for_the_newest_python_is_red_on_the_others(
    repository: MakeRepository, execute: Execute
) -> None:
    """Each cell ends by itself: the old Pythons red, the newest green, on each system."""
    (defect,) = (d for d in DEFECTS if "newest Python alone" in d.name)
    here = repository(**defect.answers)
    result = execute(here, "tests.yml", here.push(defect.plant))
    ended = {
        (j.matrix["os"], j.matrix["python"]): j.result for j in result.cells("test")
    }
    assert len(ended) == 9
    for (_, python), outcome in ended.items():
        assert (outcome == FAILURE) == (python != "3.12")


@pytest.mark.quick
def test_every_step_is_reddened_or_has_a_reason() -> None:
    """No step is on both lists, and none is on neither."""
    reddened = {step for defect in DEFECTS for step in defect.reddens}
    known = {step for step in steps() if not step.startswith("template-update.yml")}
    assert known - reddened == NEVER_RED.keys()
    assert reddened <= known


@pytest.mark.quick
def test_the_page_of_proofs_is_what_is_executed() -> None:
    """docs/proofs.md is made from the tables above."""
    page = proofs.FILE.read_text("utf-8")
    assert page == proofs.document(), "run: uv run tests/pipeline/proofs.py"
