"""What the benchmarks of speed time is what the workflows run, and what fails is never fast. No time is asserted."""

from __future__ import annotations

import os
import re
from pathlib import Path

import cost
import pytest
import render as render_benchmark
import steps
import timing
from harness import Project, Renderer

pytestmark = pytest.mark.quick
each_kind = pytest.mark.parametrize("kind", ["service", "mcp", "library"])


def one_cell(render: Renderer, **answers: object) -> Project:
    return render(python_versions=[steps.PYTHON], **answers)


def changed(render: Renderer, folder: Path, old: str, new: str) -> Path:
    """Give a project in whose tests.yml something else stands."""
    project = one_cell(render, kind="library").workable(folder)
    file = project / ".github/workflows/tests.yml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")
    return project


# ---- What is timed ---------------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("codecov", [True, False])
def test_each_command_is_timed_or_left_out(
    kind: str, codecov: bool, render: Renderer
) -> None:
    """No `run:` step of the three workflows is lost, and none counts twice."""
    project = one_cell(render, kind=kind, codecov=codecov).path
    jobs, left = steps.taken(project)
    timed = [step.name for job in jobs for step in job.steps]
    workflows = cost.read(project)
    assert sorted([*timed, *left]) == sorted(
        f"{file} / {job} / {step['name']}"
        for file in steps.FILES
        for job, content in workflows[file]["jobs"].items()
        for step in content.get("steps", [])
        if "run" in step
    )
    assert all(left.values())
    server = "tests.yml / test / Start and stop the server"
    assert (server in timed) == (kind != "library")
    assert ("coverage.yml / coverage / Say that Codecov wants the figures" in timed) == codecov  # fmt: skip


def test_each_exception_is_of_a_step_that_there_is(render: Renderer) -> None:
    project = one_cell(render)
    jobs, left = steps.taken(project.path)
    assert steps.LEFT_OUT.keys() <= left.keys()
    commands = {step.here for job in jobs for step in job.steps}
    assert steps.ORDINARY.keys() <= commands


@each_kind
def test_the_ordinary_way_does_the_same_work(kind: str, render: Renderer) -> None:
    """The same tools and scripts with the same arguments, without uv; and only locks and the plan have no counterpart."""
    jobs, _ = steps.taken(one_cell(render, kind=kind).path)
    all_steps = [step for job in jobs for step in job.steps]
    assert {step.here for step in all_steps if not step.ordinary} == {
        "python3 scripts/plan.py jobs",
        "uv lock --check",
    }
    tools = r"pytest|ruff check|black|mypy|python -m build|check-manifest|twine check|check-wheel-contents|coverage report|scripts/\w+\.py"
    for step in all_steps:
        assert "uv" not in step.ordinary.split()
        if step.ordinary:
            assert re.findall(tools, step.ordinary) == re.findall(tools, step.here)
    said = " ".join(step.ordinary for step in all_steps)
    assert "--no-isolation" not in said
    assert "--no-build-isolation" not in said
    for group in ("test", "build", "dev"):
        assert f"--group {group} " in f"{said} "


def test_a_job_of_the_ordinary_way_begins_with_an_environment(render: Renderer) -> None:
    jobs, _ = steps.taken(one_cell(render).path)
    assert [
        job.name for job in jobs if any(map(steps.needs_environment, job.steps))
    ] == [
        "tests.yml / test",
        "tests.yml / lint",
        "build.yml / package",
        "coverage.yml / coverage",
    ]


# ---- What nobody has foreseen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("run: uv run --locked mypy", "run: uvx mypy"),
        ("run: uv run --locked mypy", "run: uv run --isolated mypy"),
        (
            "name: Check the types\n",
            "name: Check the types\n        if: github.actor == 'octo'\n",
        ),
        (
            "name: Check the types\n",
            "name: Check the types\n        if: success()\n",
        ),
    ],
)
def test_an_unknown_step_is_named(
    old: str, new: str, render: Renderer, tmp_path: Path
) -> None:
    project = changed(render, tmp_path / "project", old, new)
    with pytest.raises(timing.Failed, match=r"tests\.yml / lint / Check the types"):
        steps.taken(project)


def way(tmp_path: Path, *, is_ordinary: bool = False) -> steps.Way:
    """Give a way through jobs in an empty repository."""
    project, folder = tmp_path / "project", tmp_path / "way"
    for one in (project, folder):
        one.mkdir()
    timing.git(project, "init", "--quiet", "--initial-branch=main")
    timing.git(project, "commit", "--quiet", "--allow-empty", "--message=Start")
    return steps.Way(project, folder, Path("/bin/python3"), None, is_ordinary)


def job(*some: steps.Step, name: str = "a.yml / b", **outputs: str) -> steps.Job:
    return steps.Job(name, list(some), {"matrix.os": "here"}, outputs, {}, {})


@pytest.mark.parametrize("is_ordinary", [True, False])
def test_a_step_that_fails_fails_the_benchmark(
    is_ordinary: bool, tmp_path: Path
) -> None:
    commands = ("true", "echo told; exit 3")
    here, ordinary = commands if is_ordinary else commands[::-1]
    step = steps.Step("a.yml / b / Break", here, ordinary)
    with pytest.raises(timing.Failed, match=r"(?s)a\.yml / b / Break .* 3.*told"):
        way(tmp_path, is_ordinary=is_ordinary).run(job(step))


def test_a_pipe_fails_with_any_of_its_commands(tmp_path: Path) -> None:
    with pytest.raises(timing.Failed):
        way(tmp_path).run(job(steps.Step("a.yml / b / Pipe", "false | cat", "")))


def test_an_expression_without_a_value_is_named(tmp_path: Path) -> None:
    step = steps.Step("a.yml / b / Ask", "true", "", {"X": "${{ github.token }}"})
    with pytest.raises(timing.Failed, match=r"a\.yml / b / Ask.*github\.token"):
        way(tmp_path).run(job(step))


def test_a_job_runs_as_on_a_runner(tmp_path: Path) -> None:
    """With its variables, in a clone of its own, and with what steps and jobs before it have told."""
    tell = steps.Step(
        "a.yml / b / Tell",
        'echo "said=$WHERE" >> "$GITHUB_OUTPUT"; touch here',
        "",
        {"WHERE": "${{ matrix.os }}"},
        "tell",
    )
    hear = steps.Step(
        "a.yml / c / Hear",
        'test "$SAID" = here && test ! -e here',
        "",
        {"SAID": "${{ needs.b.outputs.told }}"},
    )
    one = way(tmp_path)
    one.run(job(tell, told="${{ steps.tell.outputs.said }}"))
    one.run(job(hear, name="a.yml / c"))
    assert one.took.keys() == {tell.name, hear.name}


# ---- Arithmetic and tables -------------------------------------------------------------------------------------------


def test_ratios_are_those_of_each_round() -> None:
    assert timing.ratios([1, 2, 3], [2, 4, 12]) == [0.5, 0.5, 0.25]
    assert timing.spread([3, 1, 2]) == "2.0 (1.0 to 3.0)"
    assert timing.spread([1.234], 2) == "1.23 (1.23 to 1.23)"
    with pytest.raises(ValueError, match="zip"):
        timing.ratios([1], [1, 2])


def rounds(here: float, *others: float) -> list[steps.Round]:
    step = "a.yml / b / Do"
    made = {f"a.yml / b / {steps.VENV}": 1.0}
    return [steps.Round({step: here}, made | {step: other}) for other in others]


def test_the_report_of_the_steps() -> None:
    text = steps.report(rounds(1, 4, 1, 3), rounds(3, 3))
    assert text.splitlines() == [
        "| step | here, warm | ordinary, warm | here, cold | ordinary, cold |",
        "| --- | --- | --- | --- | --- |",
        f"| a.yml / b / {steps.VENV} | - | 1.0 | - | 1.0 |",
        "| a.yml / b / Do | 1.0 | 3.0 | 3.0 | 3.0 |",
        "| **all** | 1.0 (1.0 to 1.0) | 4.0 (2.0 to 5.0) | 3.0 (3.0 to 3.0) | 4.0 (4.0 to 4.0) |",
        "",
        "Warm: 0.25 (0.20 to 0.50) of the ordinary way's time.",
        "Were environments and a new pip there at once: 0.33 (0.25 to 1.00).",
        "",
        "Cold: 0.75 (0.75 to 0.75) of the ordinary way's time.",
        "Were environments and a new pip there at once: 1.00 (1.00 to 1.00).",
        "",
        "The goal, at most 0.33 warm, is met.",
    ]
    assert "is NOT met" in steps.report(rounds(2, 4), [])


def test_the_report_of_rendering() -> None:
    text = render_benchmark.report(([0.5], [0.25]), ([3.0], [2.0]))
    assert text.splitlines()[2:] == [
        "| `copier copy` | 0.50 (0.50 to 0.50) | `copier --version` | 0.25 (0.25 to 0.25) | 2.00 (2.00 to 2.00) |",
        "| the update script, hooks aside | 3.00 (3.00 to 3.00) | `copier update` | 2.00 (2.00 to 2.00) | 1.50 (1.50 to 1.50) |",
        "",
        "The goal, `copier copy` in at most 1 s, is met.",
    ]
    assert "NOT met" in render_benchmark.report(([1.5], [1.0]), ([1.0], [1.0]))


# ---- Rendering -------------------------------------------------------------------------------------------------------


def test_two_things_take_turns() -> None:
    turns: list[str] = []

    def measure(name: str, number: int) -> float:
        turns.append(name)
        return float(number)

    found = render_benchmark.in_turns(
        2, lambda number: measure("a", number), lambda number: measure("b", number)
    )
    assert "".join(turns) == "abbaab"
    assert found == ([1.0, 2.0], [1.0, 2.0])


def test_a_rendering_that_fails_fails_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(timing.Failed, match="copier copy ended with"):
        render_benchmark.render(tmp_path, 1, ["--data=kind=nothing"])


def test_work_that_was_not_done_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(timing.Failed, match="script did not write"):
        render_benchmark.require(file, "script")
    file.write_text("old", "utf-8")
    with pytest.raises(timing.Failed, match="script did not write 'new'"):
        render_benchmark.require(file, "script", "new")


def test_the_newer_version_changes_what_projects_get(tmp_path: Path) -> None:
    template = render_benchmark.make_template(tmp_path)
    text = (template / render_benchmark.CHANGED).read_text("utf-8")
    assert render_benchmark.NEW in text
    assert render_benchmark.OLD not in text


def test_what_surrounds_the_benchmark_does_not_reach_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("VIRTUAL_ENV", "UV_PYTHON", "GITHUB_OUTPUT"):
        monkeypatch.setenv(name, "x")
    assert os.environ.items() >= timing.surroundings().items()
    assert not {"VIRTUAL_ENV", "UV_PYTHON", "GITHUB_OUTPUT"} & timing.surroundings().keys()  # fmt: skip
