"""The page about a test run says what was run, what was not, and what turned what red; it never shows more than was."""

import json
import re
from pathlib import Path

import cost
import pytest
from defects import DEFECTS
from harness import tool
from lives import LIVES
from markdown_it import MarkdownIt
from run_report import charts, drawing, graphs, page, plugin, records, sample
from run_report.records import PASSED, UNPROVEN, Part, Run
from scenarios import SCENARIOS
from step_report import steps

pytestmark = pytest.mark.quick

NOTHING = Run("today", "0000000", "a machine")


@pytest.fixture(autouse=True)
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing and reckon no minutes: that takes seconds, and is looked at in tests/test_in_browser.py."""
    free = {title: {"a day": cost.Cost()} for title in page.CONFIGURATIONS}
    monkeypatch.setattr(page, "minutes", lambda: free)

    def draw(*_: object) -> dict[str, str]:
        pytest.skip("npm is missing")

    monkeypatch.setattr(drawing, "draw", draw)


def whole() -> Run:
    """Give a made-up run of everything, in which each step was executed and all passed."""
    done = sample.run()
    done.outcomes.clear()
    by_job: dict[tuple[str, str], list[sample.Step]] = {}
    for step in steps():
        workflow, job, name = step.split(" / ", 2)
        by_job.setdefault((workflow, job), []).append(sample.step(name, 0))
    jobs = [sample.job(job, *of, workflow=file) for (file, job), of in by_job.items()]
    done.records.append(sample.record("", jobs, "push refs/heads/main", scenario="all"))
    for part, function in zip(
        records.parts(done), ("test_scenario", "test_defect", "test_flow"), strict=False
    ):
        done.outcomes |= {f"x.py::{function}[{name}]": PASSED for name in part.ended}
    done.updates += [sample.update(life.kind, 0, 0, 0) for life in LIVES]
    return done


# ---- The verdict -----------------------------------------------------------------------------------------------------


def test_a_run_of_nothing_is_called_so() -> None:
    assert records.verdict(NOTHING)[0] == "nothing"
    shown = page.render(NOTHING)
    assert "<strong>Nothing.</strong>" in shown
    assert "No project was updated in this run." in shown
    assert "No scenario and no flow was run." in shown
    assert 'class="badge passed"' not in shown


def test_a_part_of_the_tests_is_called_so_and_says_what_is_missing() -> None:
    kind, says = records.verdict(sample.run())
    assert kind == "partial"
    assert f"{len(SCENARIOS) - 1} of {len(SCENARIOS)} scenarios" in says
    shown = page.render(sample.run())
    assert "<strong>Partial run.</strong>" in shown
    assert "<li>gitleaks.yml: push</li>" in shown
    assert "<li>tests.yml: pull request, full, private</li>" not in shown


def test_a_failure_is_red_whatever_else_was_run() -> None:
    run = whole()
    assert records.verdict(run) == ("whole", records.verdict(run)[1])
    run.outcomes["x.py::test_of_something_else"] = "failed"
    assert records.verdict(run) == ("red", "1 test failed")
    assert "<code>x.py::test_of_something_else</code>" in page.render(run)


@pytest.mark.parametrize("what", ["scenario", "defect", "flow", "update", "step"])
def test_anything_that_was_not_run_makes_it_partial(what: str) -> None:
    run = whole()
    if what == "update":
        run.updates = [u for u in run.updates if u["kind"] != LIVES[-1].kind]
    elif what == "step":
        run.records[-1]["jobs"].pop()
    else:
        run.outcomes.pop(next(test for test in run.outcomes if f"test_{what}[" in test))
    assert records.verdict(run)[0] == "partial"


def test_a_scenario_that_was_skipped_was_not_run_unless_its_python_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = Run("today", "0", "a machine")
    first = SCENARIOS[0].id
    run.outcomes = {f"{sample.GREEN}[{first}]": "skipped"}
    monkeypatch.setattr(records, "missing_pythons", lambda answers: [])
    assert first in Part("", records.scenarios(run)).missing
    monkeypatch.setattr(records, "missing_pythons", lambda answers: ["3.15"])
    assert records.scenarios(run)[first] == UNPROVEN
    assert first not in Part("", records.scenarios(run)).missing


# ---- Steps, cells and times ------------------------------------------------------------------------------------------


def test_a_step_has_the_defects_that_turned_it_red_in_this_run() -> None:
    (unit,) = (
        row
        for row in records.step_rows(sample.run())["tests.yml"]
        if row.name == "Run the unit tests"
    )
    assert dict(unit.executed.by) == {"a unit test fails": 1}
    assert (unit.executed.times, unit.executed.red) == (12, 1)
    assert "a unit test passes on the newest Python alone" in unit.not_tried
    (types,) = (
        row
        for row in records.step_rows(sample.run())["tests.yml"]
        if row.name == "Check the types"
    )
    assert not types.executed.by
    assert "types that do not agree" in types.not_tried


def test_each_step_that_a_defect_must_redden_has_a_line() -> None:
    """Those that use an action, too."""
    shown = {
        f"{workflow} / {row.job} / {row.name}"
        for workflow, rows in records.step_rows(sample.run()).items()
        for row in rows
    }
    assert shown >= {step for defect in DEFECTS for step in defect.reddens}
    assert "docker.yml / build / Build the image" in shown


def test_a_step_that_is_red_without_a_defect_is_not_put_down_to_one() -> None:
    run = sample.run(failing=True)
    (unit,) = (
        row
        for row in records.step_rows(run)["tests.yml"]
        if row.name == "Run the unit tests"
    )
    assert (unit.executed.red, sum(unit.executed.by.values())) == (2, 1)
    # Nor what a test does before its defect is planted.
    run.records[1]["test"] = run.records[1]["test"].replace("(call)", "(setup)")
    (unit,) = (
        row
        for row in records.step_rows(run)["tests.yml"]
        if row.name == "Run the unit tests"
    )
    assert not unit.executed.by


def test_cells_are_those_of_scenarios_and_a_red_one_is_told() -> None:
    by_title = {
        event.happening.title: event
        for event in graphs.event_graphs(sample.run(failing=True))
    }
    (test,) = (
        job for job in by_title["A pull request"].jobs if job.key == "tests.yml / test"
    )
    assert (test.times, test.red, len(test.cells)) == (6, 1, 6)
    assert graphs.BAD in graphs.label(test)
    (lint,) = (
        job for job in by_title["A pull request"].jobs if job.key == "tests.yml / lint"
    )
    assert graphs.OK in graphs.label(lint)
    # A push was run with a defect alone.
    assert by_title["A push to main"].times == 0
    assert "not run" in graphs.label(by_title["A push to main"].jobs[0])


def test_a_tag_leads_to_all_that_is_called_and_started() -> None:
    (tag,) = (
        e
        for e in graphs.event_graphs(NOTHING)
        if e.happening.title.startswith("A version tag")
    )
    files = ["release.yml", "build.yml", "tests.yml", "publish.yml", "docker.yml"]
    (group,) = tag.groups
    assert list(dict.fromkeys(job.workflow for job in group)) == files
    edges = graphs.graph(group)["edges"]
    words = [
        (e["tail"], e["attributes"]["label"], e["head"])
        for e in edges
        if "attributes" in e
    ]
    assert ("release.yml / release", "starts", "publish.yml / package") in words
    assert ("release.yml / tests", "calls", "tests.yml / plan") in words


def test_each_workflow_is_started_by_some_event() -> None:
    started = {
        job.workflow for event in graphs.event_graphs(NOTHING) for job in event.jobs
    }
    assert started == set(graphs.template())


def test_bars_follow_each_other_and_flows_are_chains() -> None:
    lines = records.timelines(sample.run())
    (alone,) = lines["tests.yml"]
    assert len({bar.row for bar in alone.bars}) == 9
    assert [bar.begin for bar in alone.bars] == sorted(bar.begin for bar in alone.bars)
    assert all(
        a.end <= b.begin for a, b in zip(alone.bars, alone.bars[1:], strict=False)
    )
    assert {bar.kind for bar in alone.bars} == {"action", "command"}
    (flow,) = lines["flows"]
    assert [bar.row for bar in flow.bars] == ["1 release: check", "2 publish: package"]
    assert flow.bars[1].begin == flow.bars[0].end
    values = charts.timeline(flow.bars)["data"]["values"]
    assert [value["end"] for value in values] == [2, 4]


def test_updates_are_added_up() -> None:
    rows = page.update_rows(sample.run())
    assert list(rows) == ["a step", "a pin", "several at once"]
    assert rows["a pin"]["plain_conflicts"] == 3
    # Where one of the figures was not taken, there is no sum.
    assert rows["several at once"]["plain_conflicts"] is None
    assert rows["a pin"]["plain_losses"] == 1


# ---- The page --------------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else_and_no_script() -> None:
    shown = page.render(sample.run())
    assert "<script" not in shown
    # Links to elsewhere are text; nothing is fetched.
    assert not re.search(
        r"""(?:src=|url\(|@import|<link[^>]+href=)(?!["']?data:)""", shown
    )


def test_what_cannot_be_drawn_is_said() -> None:
    shown = page.render(sample.run())
    assert "<strong>No pictures.</strong> npm is missing" in shown
    assert "<svg" not in shown


def test_texts_of_a_run_are_no_markup() -> None:
    run = sample.run()
    run.unproven = ["<b>&"]
    run.outcomes["x.py::test[<i>]"] = "failed"
    shown = page.render(run)
    assert "&lt;b&gt;&amp;" in shown
    assert "test[&lt;i&gt;]" in shown


def test_the_table_of_what_is_real_is_the_maintainers() -> None:
    shown = page.real_and_stand_ins()
    assert shown.count("<table>") == 1
    section = page.MAINTAINING.read_text("utf-8").partition("| part | real | where |")[
        2
    ]
    lines = section.partition("\n\n")[0].strip().splitlines()[1:]
    assert shown.count("<tr>") == len(lines) + 1
    assert (
        MarkdownIt("commonmark").renderInline(lines[0].split("|")[1].strip()) in shown
    )


def test_a_run_is_kept_as_it_was(tmp_path: Path) -> None:
    sample.run().save(tmp_path / "run.json")
    read = Run.load(tmp_path / "run.json")
    assert json.loads(json.dumps(records.verdict(read))) == list(
        records.verdict(sample.run())
    )
    assert page.render(read) == page.render(sample.run())


# ---- The plugin ------------------------------------------------------------------------------------------------------


def test_a_failure_in_any_phase_is_the_test_s() -> None:
    def phase(when: str, outcome: str) -> pytest.TestReport:
        return pytest.TestReport("t", ("f", 1, "t"), {}, outcome, None, when)  # type: ignore[arg-type]

    for phases, how in (
        ([("setup", "passed"), ("call", "passed"), ("teardown", "passed")], "passed"),
        ([("setup", "passed"), ("call", "failed"), ("teardown", "passed")], "failed"),
        ([("setup", "passed"), ("call", "passed"), ("teardown", "failed")], "failed"),
        ([("setup", "failed"), ("teardown", "passed")], "failed"),
        ([("setup", "skipped"), ("teardown", "passed")], "skipped"),
    ):
        outcomes = plugin.Outcomes()
        for when, outcome in phases:
            outcomes.pytest_runtest_logreport(phase(when, outcome))
        assert outcomes.found == {"t": how}


@pytest.mark.parametrize(
    ("test", "parts"),
    [
        ("a/b.py::test_x[tests.yml: a, b]", ("test_x", "tests.yml: a, b", "")),
        ("a/b.py::test_x[a[1]::b] (call)", ("test_x", "a[1]::b", "call")),
        ("a/b.py::test_x[a]@group", ("test_x", "a", "")),
        ("a/b.py::test_x", ("", "", "")),
    ],
)
def test_names_are_read(test: str, parts: tuple[str, str, str]) -> None:
    assert records.named(test) == parts


def test_the_commit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    tool("git")
    assert re.fullmatch(r"(?:[0-9a-f]{7,}|unknown)\+?", plugin.commit())
    monkeypatch.setenv("WITHOUT_TOOLS", "git")
    assert plugin.commit() == "unknown"
