"""What the manual says that the pipeline costs is what its workflows cost."""

import dataclasses
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import cost
import pytest
from harness import ROOT, Project, Renderer, run
from test_documents import rows

# Each answer on and off, and from one Python to all.
ANSWERS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "service, nothing on": {"pypi": False, "docker": False, "template_updates": False},
    "mcp, Codecov": {"kind": "mcp", "codecov": True, "python_versions": ["3.12"]},
    "library": {"kind": "library", "pull_request_matrix": "lean"},
    "library, all on": {
        "kind": "library",
        "docker": True,
        "codecov": True,
        "python_versions": ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"],
        "pull_request_matrix": "full",
    },
}
each_project = pytest.mark.parametrize("name", ANSWERS)


def said(page: str) -> list[list[str]]:
    """Give the rows of the table of costs."""
    return rows(page, "what happens")


def found(project: Path) -> list[list[str]]:
    """Give the rows as the workflows have them."""
    full, lean = (cost.figures(project, private=True, mode=mode) for mode in cost.MODES)
    often = {event.title: str(event.a_month) for event in cost.EVENTS}
    return [
        [
            title,
            often.get(title, ""),
            full[title].minutes,
            lean[title].minutes,
            full[title].dollars,
            lean[title].dollars,
        ]
        for title in full
    ]


@pytest.mark.quick
@each_project
def test_the_manual_says_what_the_workflows_cost(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    assert said(project.text("docs/costs.md")) == found(project.path)


@pytest.mark.quick
@each_project
def test_the_manual_says_what_each_saving_saves(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    savings = {
        row[0]: int(row[1].partition(" ")[0])
        for row in rows(project.text("docs/costs.md"), "what")
    }
    full, lean = (
        cost.figures(project.path, private=True, mode=mode) for mode in cost.MODES
    )
    title = cost.EVENTS[0].title
    saved = {"`lean` in place of `full`": full[title].weighted - lean[title].weighted}
    pythons = project.answers["python_versions"]
    if len(pythons) > 1:
        fewer = render(**ANSWERS[name] | {"python_versions": pythons[1:]})
        title = cost.EVENTS[2].title
        less = cost.figures(fewer.path, private=True, mode="full")[title]
        saved["one Python fewer"] = full[title].weighted - less.weighted
    assert savings == saved


@pytest.mark.quick
def test_the_manual_says_weights_and_prices(render: Renderer) -> None:
    table = rows(render().text("docs/costs.md"), "runner")
    assert {
        row[0].strip("`"): (row[1].replace("⅓", "1/3"), row[2]) for row in table
    } == {
        label: (str(runner.weight), f"{runner.price / 1000:.3f}")
        for label, runner in cost.RUNNERS.items()
    }


@pytest.mark.quick
def test_a_runner_is_named_where_it_is_used(render: Renderer) -> None:
    project = render(docker=False)
    table = rows(project.text("docs/costs.md"), "runner")
    used = {
        job.runner
        for event in cost.EVENTS
        for job in cost.jobs(project.path, event, private=True, mode="full")
    }
    assert {row[0].strip("`") for row in table} == used


@pytest.mark.quick
def test_the_manual_says_which_jobs_take_two_minutes(render: Renderer) -> None:
    """One for each job, two for each that builds the image: what the page says of the estimates."""
    text = render().text("docs/costs.md")
    assert "one minute for each job, two for each that builds the image" in text
    project = render(codecov=True).path
    found = [
        cost.jobs(project, event, private=False, mode="full") for event in cost.EVENTS
    ]
    minutes = {job.name: job.minutes for jobs in found for job in jobs}
    assert {job for job, number in minutes.items() if number != 1} == {
        "docker.yml / build"
    }
    assert minutes["docker.yml / build"] == 2


@pytest.mark.quick
def test_a_public_repository_pays_nothing(render: Renderer) -> None:
    for mode in ("auto", "full"):
        costs = cost.figures(render().path, private=False, mode=mode)
        assert {one.price for one in costs.values()} == {0}
        assert all(one.weighted > 0 for one in costs.values())


# ---- The computation itself ------------------------------------------------------------------------------------------


def events(
    project: Path, *, private: bool = True, mode: str = "lean"
) -> dict[str, list[str]]:
    """Give the jobs of each event, each as often as it runs."""
    return {
        event.title: sorted(
            job.name for job in cost.jobs(project, event, private=private, mode=mode)
        )
        for event in cost.EVENTS
    }


@pytest.mark.quick
def test_each_event_starts_its_jobs(render: Renderer) -> None:
    found = events(render(python_versions=["3.11", "3.12"]).path)
    pull = found["a run of a pull request"]
    assert pull.count("tests.yml / test") == 4
    assert pull.count("build.yml / install") == 2
    assert pull.count("docker.yml / build") == 2
    assert "coverage.yml / report" in pull
    assert not {"docker.yml / merge", "coverage.yml / codecov"} & set(pull)
    documentation = found["the same, documentation alone"]
    assert documentation.count("tests.yml / passed") == 1
    assert not {"tests.yml / test", "docker.yml / build"} & set(documentation)
    main = found["a push to `main`"]
    assert main.count("tests.yml / test") == main.count("build.yml / install") == 6
    assert {"docker.yml / merge", "ossf-scorecard.yml / scorecard"} <= set(main)
    release = found["a release"]
    assert release.count("tests.yml / test") == 6
    assert {"release.yml / assets", "publish.yml / pypi"} <= set(release)
    assert {"docker.yml / merge", "publish.yml / notes"} <= set(release)
    assert not {"release.yml / tag", "release.yml / provenance"} & set(release)
    assert found["a day's schedule"] == ["trivy.yml / trivy"]
    assert found["a week's schedule"] == [
        "ossf-scorecard.yml / plan",
        "ossf-scorecard.yml / scorecard",
        "template-update.yml / template-update",
    ]


@pytest.mark.quick
def test_a_public_release_has_its_provenance(render: Renderer) -> None:
    found = events(render().path, private=False, mode="auto")
    assert "release.yml / provenance" in found["a release"]
    assert found["a run of a pull request"].count("tests.yml / test") == 9


@pytest.mark.quick
def test_each_job_has_an_estimate_and_each_estimate_a_job(render: Renderer) -> None:
    """With all that answers can bring; a job for which nobody has an estimate stops the computation."""
    project = render(codecov=True)
    ran = {
        job.name
        for private in (True, False)
        for event in cost.EVENTS
        for job in cost.jobs(project.path, event, private=private, mode="full")
    }
    assert ran == cost.SECONDS.keys()


@pytest.mark.quick
def test_a_started_minute_is_billed_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, minutes in ((1, 1), (60, 1), (61, 2)):
        monkeypatch.setitem(cost.SECONDS, "tests.yml / test", {"macos-latest": seconds})
        job = cost.Job("tests.yml / test", "macos-latest")
        assert job.minutes == minutes
        assert cost.cost([job] * 3, private=True) == cost.Cost(
            cost.RUNNERS["macos-latest"].weight * 3 * minutes, 3 * minutes * 62
        )
    assert cost.Cost(price=1234).dollars == "1.23"
    assert cost.Cost(price=1235).dollars == "1.24"
    assert cost.Cost(Fraction(7, 3)).minutes == "3"


# ---- That a figure which is no longer right is found -------------------------------------------------------------------


def changed(project: Project, folder: Path, name: str, old: str, new: str) -> Path:
    """Give a copy of a project in which a file says something else."""
    copy = project.workable(folder)
    text = (copy / name).read_text("utf-8")
    assert old in text
    (copy / name).write_text(text.replace(old, new), "utf-8")
    return copy


WORKFLOWS = ".github/workflows"
CHANGES = {
    "another runner": (
        f"{WORKFLOWS}/semgrep.yml",
        "runs-on: ubuntu-latest",
        "runs-on: macos-latest",
    ),
    "another schedule": (f"{WORKFLOWS}/trivy.yml", '"0 3 * * *"', '"0 3 * * 1"'),
    "an event fewer": (f"{WORKFLOWS}/gitleaks.yml", "  pull_request:\n", ""),
    "a job more": (
        f"{WORKFLOWS}/tests.yml",
        "  lint:\n",
        "  passed-too: {runs-on: macos-latest, needs: plan}\n  lint:\n",
    ),
    "a Python more": (
        "pyproject.toml",
        '  "Programming Language :: Python :: 3.12",\n',
        '  "Programming Language :: Python :: 3.12",\n  "Programming Language :: Python :: 3.13",\n',
    ),
    "another plan": (
        "scripts/plan.py",
        "others = pythons[-1:] if lean else pythons",
        "others = pythons",
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_figure_that_no_longer_fits_is_found(
    what: str,
    render: Renderer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = render(kind="library")
    monkeypatch.setitem(cost.SECONDS, "tests.yml / passed-too", 30)
    copy = changed(project, tmp_path / "project", *CHANGES[what])
    assert found(copy) != said(project.text("docs/costs.md"))


def test_another_estimate_or_price_is_found(
    render: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render(kind="library")
    page = said(project.text("docs/costs.md"))
    with monkeypatch.context() as other:
        other.setitem(cost.SECONDS, "tests.yml / lint", 61)
        assert found(project.path) != page
    with monkeypatch.context() as other:
        dearer = dataclasses.replace(cost.RUNNERS["ubuntu-slim"], price=3)
        other.setitem(cost.RUNNERS, "ubuntu-slim", dearer)
        assert found(project.path) != page
    assert found(project.path) == page


@pytest.mark.quick
def test_a_condition_that_nobody_knows_stops_the_computation(
    render: Renderer, tmp_path: Path
) -> None:
    name = f"{WORKFLOWS}/tests.yml"
    old, new = "if: needs.plan.outputs.code == 'true'", "if: github.actor == 'octo'"
    copy = changed(render(kind="library"), tmp_path / "project", name, old, new)
    with pytest.raises(KeyError, match="octo"):
        found(copy)


# ---- The command -----------------------------------------------------------------------------------------------------


def test_the_command_prints_the_figures_of_the_readme(render: Renderer) -> None:
    """The command that the README names gives the README's table."""
    readme = (ROOT / "README.md").read_text("utf-8")
    (command,) = re.findall(r"`(uv run python benchmarks/cost\.py)`", readme)
    printed = run(["bash", "-c", command], cwd=ROOT).stdout
    table = {
        (row[0], row[2]): row[4:]
        for row in rows(printed.partition("\n\n")[0], "what happens")
    }
    for title, *figures in rows(readme, "what happens"):
        for where, cell in zip(
            ("private, full", "private, lean", "public, auto"), figures, strict=True
        ):
            minutes, dollars = table[title, where]
            assert cell == f"{minutes}; ${dollars}"
