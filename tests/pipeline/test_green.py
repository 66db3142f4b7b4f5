"""Every scenario ends as it should: job by job, step by step, with what is kept and uploaded."""

import re

import pytest
from engine import registry
from engine.fixtures import Execute, MakeRepository, require_pythons
from engine.result import SKIPPED, Job, Result
from scenarios import SCENARIOS, Scenario

# What tells which Python really ran, in the steps that a matrix gives Pythons to.
PYTHON = re.compile(r"\b(?:CPython|Python) (\d+\.\d+)\.\d+")


def skipped_steps(result: Result) -> set[str]:
    """Give "job / step" for each step that was skipped in a job that ran."""
    return {
        f"{job.id} / {step.name}"
        for job in result.jobs
        for step in job.steps
        if job.result != SKIPPED and step.outcome == SKIPPED
    }


def pythons(job: Job) -> set[str]:
    """Give the Pythons that a job's steps say they ran on."""
    return {version for step in job.steps for version in PYTHON.findall(step.log)}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.id)
def test_scenario(
    scenario: Scenario,
    repository: MakeRepository,
    released: MakeRepository,
    execute: Execute,
) -> None:
    require_pythons(scenario.answers)
    if scenario.released:
        here = released(private=scenario.private)
    else:
        here = repository(private=scenario.private, **scenario.answers)
    scenario.prepare(here)
    event = scenario.happens(here)
    result = execute(
        here,
        scenario.workflow,
        event,
        scenario=scenario.id,
        system=scenario.system,
        **scenario.variables,
    )
    assert result.red == set(), result.failures
    assert result.results == {job: scenario.result_of(job) for job in result.results}
    assert skipped_steps(result) == scenario.skipped_steps
    for name, cells in scenario.cells.items():
        ran = result.cells(name)
        assert {
            tuple(value for _, value in sorted(j.matrix.items())) for j in ran
        } == cells
        assert len(ran) == len(cells)
        for job in ran:
            if "python" in job.matrix:
                assert pythons(job) == {job.matrix["python"]}
    kept = {name: artifact["days"] for name, artifact in result.artifacts.items()}
    assert kept == scenario.artifacts
    assert scenario.summary in result.summary
    assert {upload.category for upload in result.uploads} == scenario.uploads
    assert all(upload.findings == 0 for upload in result.uploads)
    tags = {tag.replace(event.commit, "COMMIT") for tag in registry.tags(here)}
    assert tags == scenario.image_tags
    on_index = {
        f"{index}/{name}{', attested' * bool(file.attestations)}"
        for index, held in here.indexes.items()
        for name, file in held.files.items()
    }
    assert on_index == scenario.on_index
