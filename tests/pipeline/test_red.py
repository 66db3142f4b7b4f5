"""Every planted defect reddens exactly the steps that it names, says what is wrong, and stops the merge."""

import re
from dataclasses import dataclass
from pathlib import Path

import policy
import pytest
from defects import DEFECTS, Defect
from engine import under_test
from engine.fixtures import Execute, MakeRepository
from engine.repository import Event, Repository
from engine.result import FAILURE

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
    """One workflow of a project with a defect."""

    defect: Defect
    workflow: str

    @property
    def expected(self) -> set[str]:
        """The steps that must be red, and no others."""
        return {s for s in self.defect.reddens if s.startswith(f"{self.workflow} / ")}


TRIALS = [
    Trial(defect, workflow)
    for defect in DEFECTS
    for workflow in GATES
    if defect.everywhere or Trial(defect, workflow).expected
]


def happen(defect: Defect, repository: Repository) -> Event:
    """Let the defect come about."""
    defect.prepare(repository)
    if defect.pull_request:
        assert defect.plant
        return repository.pull_request(defect.plant)
    return repository.push(defect.plant)


@pytest.mark.parametrize(
    "trial", TRIALS, ids=lambda t: f"{t.workflow}: {t.defect.name}"
)
def test_defect(trial: Trial, repository: MakeRepository, execute: Execute) -> None:
    defect = trial.defect
    here = repository(**defect.answers)
    event = happen(defect, here)
    result = execute(here, trial.workflow, event, **defect.variables)
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
