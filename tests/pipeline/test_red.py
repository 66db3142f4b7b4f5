"""Every planted defect reddens exactly the steps that it names, says what is wrong, and stops the merge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import policy
import proofs
import pytest
from defects import DEFECTS, NEVER_RED, PUSH_IMAGE, SUM_UP, TAG_IMAGE, Defect
from engine import registry, under_test
from engine.fixtures import Execute, MakeRepository, require_pythons
from engine.repository import FORK, MEMBER, Event, Repository
from engine.result import FAILURE, SUCCESS
from meddling import changes
from step_report import steps

# The workflows that the table is about.
WORKFLOWS = (
    "tests.yml",
    "build.yml",
    "coverage.yml",
    "pre-commit.yml",
    "gitleaks.yml",
    "semgrep.yml",
    "trivy.yml",
    "docker.yml",
    "ossf-scorecard.yml",
    "template-update.yml",
    "publish.yml",
    "release.yml",
)
# These are about the template and about releases, and nothing else can redden them.
APART = {"template-update.yml", "publish.yml", "release.yml"}


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
    def kept(self) -> set[str]:
        """The artifacts that this workflow must keep all the same."""
        stem = Path(self.workflow).stem
        return {name for name in self.defect.keeps if name.startswith(stem)}

    @property
    def uploads(self) -> set[str]:
        """The findings that this workflow must tell code scanning all the same."""
        of_image = self.workflow == "docker.yml"
        return {
            category
            for category in self.defect.uploads
            if category.startswith("trivy-image") == of_image
        }

    @property
    def system(self) -> str | None:
        """The only system whose cells are run; what ends well with an image needs that of each system."""
        whole = self.workflow == "docker.yml" and not self.expected
        return None if whole else self.defect.system

    @property
    def expected(self) -> set[str]:
        """The steps that must be red, and no others."""
        if self.defect.runs:
            return set(self.defect.reddens)
        return {s for s in self.defect.reddens if s.startswith(f"{self.workflow} / ")}


def trials(defect: Defect) -> Iterator[Trial]:
    """Give the workflows in which a defect is tried, and from where."""
    if defect.runs:
        yield Trial(defect, defect.runs)
        return
    for workflow in WORKFLOWS:
        trial = Trial(defect, workflow)
        others = defect.everywhere and workflow not in APART
        if trial.expected or others or workflow in defect.affects:
            yield trial
        # What runs without secrets and may not write is no less strict.
        if trial.expected and defect.everywhere:
            yield Trial(defect, workflow, fork=True)


TRIALS = [trial for defect in DEFECTS for trial in trials(defect)]


def happen(trial: Trial, repository: Repository) -> Event:
    """Let the defect come about."""
    defect = trial.defect
    defect.prepare(repository)
    if defect.pull_request or trial.fork:
        assert defect.plant
        return repository.pull_request(defect.plant, FORK if trial.fork else MEMBER)
    if defect.happens:
        return defect.happens(repository)
    pushed = repository.push(defect.plant)
    # It listens to no push.
    return repository.dispatched() if trial.workflow in APART else pushed


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.id)
def test_defect(
    trial: Trial,
    repository: MakeRepository,
    released: MakeRepository,
    execute: Execute,
) -> None:
    defect = trial.defect
    require_pythons(defect.answers)
    here = released() if defect.released else repository(**defect.answers)
    event = happen(trial, here)
    before = out(here, trial)
    result = execute(
        here, trial.workflow, event, system=trial.system, **defect.variables
    )
    assert sorted(result.red) == sorted(trial.expected), result.failures
    for job in result.jobs:
        for step in job.steps:
            if step.outcome == FAILURE and step.name != SUM_UP:
                assert re.search(defect.says, step.log), result.failures
    if trial.expected:
        assert trial.kept <= result.artifacts.keys()
        told = {upload.category for upload in result.uploads if upload.findings}
        assert told == (set() if trial.fork else trial.uploads)
    if trial.expected:
        assert registry.tags(here) == {}
        assert (out(here, trial) == before) != defect.publishes
    check = required_check(here.folder / "runs/1/checkout", trial.workflow)
    if check:
        stopped = result.results[check] == FAILURE
        assert stopped == (bool(trial.expected) and defect.gates)


def out(here: Repository, trial: Trial) -> object:
    """Give what there is for others: tags, releases, what the indexes have, started workflows, provenance, images.

    Provenance is there before the release is, and images before they have a tag.
    """
    jobs = {step.split(" / ")[1] for step in trial.expected}
    return (
        here.ask("tag", "--list"),
        [
            (r["draft"], r["body"], [a["name"] for a in r["assets"]])
            for r in here.releases
        ],
        [dict(index.files) for index in here.indexes.values()],
        list(here.dispatches),
        "release" in jobs or sorted(here.attestations.glob("*")),
        {PUSH_IMAGE, TAG_IMAGE} & trial.expected or registry_changes(here),
    )


def registry_changes(here: Repository) -> list[tuple[str, str, int]]:
    """Give what was pushed to the registry."""
    return [asked for asked in changes(here) if asked[1].startswith(registry.HOST)]


def required_check(project: Path, file: str) -> str | None:
    """Give the job whose check a merge requires; None for a workflow that no merge waits for."""
    workflow = under_test.load(project)[file]
    return policy.required_check(workflow) if workflow.gates else None


def test_a_test_for_the_newest_python_is_red_on_the_others(
    repository: MakeRepository, execute: Execute
) -> None:
    """Each cell ends by itself: the old Pythons red, the newest green, on each system."""
    (defect,) = (d for d in DEFECTS if "newest Python alone" in d.name)
    require_pythons(defect.answers)
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
    assert set(steps()) - reddened == set(NEVER_RED), (
        "add a defect, or a reason in NEVER_RED: see docs/adding.md"
    )
    assert reddened <= set(steps(actions=True))


@pytest.mark.quick
def test_the_page_of_proofs_is_what_is_executed() -> None:
    """docs/proofs.md is made from the tables above."""
    page = proofs.FILE.read_text("utf-8")
    assert page == proofs.document(), "run: uv run tests/pipeline/proofs.py"


def test_figures_are_told_also_below_the_threshold(
    repository: MakeRepository, execute: Execute
) -> None:
    """Reports come first: a red run of a pull request writes its comment, too."""
    (defect,) = (d for d in DEFECTS if "too few" in d.name)
    here = repository(**defect.answers)
    assert defect.plant
    result = execute(here, "coverage.yml", here.pull_request(defect.plant))
    ended = {"coverage": FAILURE, "report": SUCCESS, "codecov": SUCCESS}
    assert result.results == ended
    (comment,) = here.comments[1]
    assert "planted.py" in comment["body"]
    assert "planted.py" in result.summary
