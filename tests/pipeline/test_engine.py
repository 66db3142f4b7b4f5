"""The engine itself: it tells what happened, and says so when a workflow is wrong or asks for what is not there."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import policy
import pytest
import yaml
from engine import act, step_coverage, under_test
from engine.actions import catalogue
from engine.fixtures import Execute
from engine.github import bodies
from engine.repository import DEPENDABOT, FORK, MAIN, MEMBER, Author, Event, Repository
from engine.result import FAILURE, SKIPPED, SUCCESS
from engine.run import INTERFACE, EngineError
from engine.under_test import Refused
from flows import FLOWS
from harness import GO_WHEEL, cache_folder, go, run, tool
from planting import append
from policy import Workflow
from scenarios import SCENARIOS
from step_report import possible, verdict

HEAD = """\
name: Sample
on: [push, pull_request]
permissions: {}
defaults: {run: {shell: bash}}
jobs:
"""
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
UPLOAD = "actions/upload-artifact@cf430e030ddbb5b0abf93d22962f4752f3646cd9 # v7.0.2"
SARIF = "github/codeql-action/upload-sarif@24c54180a607b1449ed407dd24f251e4e9147c8d # v4.38.3"
TRIVY = "aquasecurity/setup-trivy@81e514348e19b6112ce2a7e3ecbafe19c1e1f567 # v0.3.1"

MakeTiny = Callable[..., Repository]


@pytest.fixture
def tiny(tmp_path: Path) -> MakeTiny:
    """Give what makes a repository of one workflow, sample.yml, and of those that it calls."""

    def make(jobs: str, *, private: bool = False, **called: str) -> Repository:
        project = tmp_path / "project"
        folder = project / ".github" / "workflows"
        folder.mkdir(parents=True)
        (folder / "sample.yml").write_text(HEAD + jobs, "utf-8")
        for name, text in called.items():
            (folder / f"{name}.yml").write_text(text, "utf-8")
        git = tool("git")
        run([git, "init", "-q", "-b", "main"], cwd=project)
        for number in (1, 2, 3):
            append("log.txt", f"{number}\n")(project)
            run([git, "add", "--all"], cwd=project)
            run([git, "commit", "-q", "-m", f"Commit {number}"], cwd=project)
        return Repository(tmp_path / "github", project, private=private)

    return make


def job(*steps: str, name: str = "job", more: str = "") -> str:
    """Give a job with steps, each a line or two of YAML without its dash."""
    lines = "".join(
        f"      - {step}\n".replace("\n", "\n        ").rstrip() + "\n"
        for step in steps
    )
    return f"  {name}:\n    runs-on: ubuntu-latest\n{more}    steps:\n{lines}"


def say(name: str, command: str, *more: str) -> str:
    """Give a step that runs a command."""
    return "\n".join([f"name: {name}", *more, f"run: {command}"])


# ---- What starts what ------------------------------------------------------------------------------------------------


def listening(events: str) -> Workflow:
    """Give a workflow that listens to events."""
    return Workflow("sample.yml", f"name: Sample\non:\n  {events}\njobs: {{}}\n")


def event(name: str, ref: str = MAIN, **payload: Any) -> Event:
    """Give an event."""
    return Event(name, "0" * 40, ref, payload)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("events", "happens", "starts"),
    [
        ("push:", event("push"), True),
        ("push:", event("push", "refs/tags/v1"), True),
        ("push:", event("merge_group"), False),
        ("push: {branches: [main]}", event("push"), True),
        ("push: {branches: [main]}", event("push", "refs/heads/side"), False),
        ("push: {branches: [main]}", event("push", "refs/tags/v1"), False),
        ("push: {tags: ['v*']}", event("push", "refs/tags/v1.2.0"), True),
        ("push: {tags: ['release-*']}", event("push", "refs/tags/v1.2.0"), False),
        ("push: {tags: ['v*']}", event("push"), False),
        ("release: {types: [published]}", event("release", action="published"), True),
        (
            "release: {types: [prereleased]}",
            event("release", action="published"),
            False,
        ),
        ("pull_request:", event("pull_request", action="synchronize"), True),
        ("pull_request:", event("pull_request", action="closed"), False),
        (
            "schedule: [{cron: '0 3 * * *'}]",
            event("schedule", schedule="0 3 * * *"),
            True,
        ),
        (
            "schedule: [{cron: '0 3 * * *'}]",
            event("schedule", schedule="0 4 * * *"),
            False,
        ),
    ],
)
def test_an_event_starts_what_listens_to_it(
    events: str, happens: Event, starts: bool
) -> None:
    workflow = listening(events)
    started = under_test.started_by({"sample.yml": workflow}, happens)
    assert started == (["sample.yml"] if starts else [])
    with contextlib.nullcontext() if starts else pytest.raises(Refused):
        under_test.check_event(workflow, happens)


@pytest.mark.quick
def test_a_filter_that_the_engine_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="paths-ignore"):
        under_test.starts(listening("push: {paths-ignore: [docs]}"), event("push"))


# ---- What is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        (
            job(
                say("Set", "'true'", "id: set"),
                say("Use", 'echo "$X"', "env: {X: '${{ steps.set.outputs.x }}'}"),
            ),
            "step set sets no output x",
        ),
        (
            job(say("Set", "'true'"))
            + job(
                say("Use", 'echo "$X"', "env: {X: '${{ needs.job.outputs.x }}'}"),
                name="other",
                more="    needs: job\n",
            ),
            "job job has no output x",
        ),
        (
            job(f"name: Fetch\nuses: {CHECKOUT}\nwith: {{fetch_depth: 0}}"),
            "there is no input fetch_depth",
        ),
        (job(f"name: Keep\nuses: {UPLOAD}"), "give it the input path"),
        (
            job(
                "name: Other\nuses: octo/other@3d3c42e5aac5ba805825da76410c181273ba90b1 # v1.0.0"
            ),
            "is not what tests/data/actions.json records",
        ),
        (
            job(
                "name: Moved\nuses: actions/checkout@9000827ccba6bdab643e8b6fd33ac0654aef8333 # v7.0.1"
            ),
            "is not what tests/data/actions.json records",
        ),
        (
            job(say("Run", "'true'")).replace("ubuntu-latest", "ubuntu-newest"),
            "ubuntu-newest is none of",
        ),
    ],
    ids=[
        "output",
        "job's output",
        "input",
        "required input",
        "action",
        "pin",
        "runner",
    ],
)
def test_what_is_not_there_is_refused(
    tiny: MakeTiny, execute: Execute, jobs: str, message: str
) -> None:
    here = tiny(jobs)
    with pytest.raises(Refused, match=message):
        execute(here, "sample.yml", here.push())


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        (
            job(say("Run", "'true'"), more="    needs: nobody\n"),
            "unable to build dependency graph",
        ),
        (
            job(
                say("Run", "'true'"),
                more="    strategy: {matrix: {include: \"${{ fromJSON('') }}\"}}\n",
            ),
            "gave up",
        ),
    ],
    ids=["needs", "matrix"],
)
def test_what_act_cannot_run_is_an_error(
    tiny: MakeTiny, execute: Execute, jobs: str, message: str
) -> None:
    here = tiny(jobs)
    with pytest.raises(EngineError, match=message):
        execute(here, "sample.yml", here.push())


def test_a_job_that_hangs_is_ended(
    tiny: MakeTiny, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tiny(job(say("Wait", "sleep 600")))
    monkeypatch.setattr(act, "LIMIT", 4)
    with pytest.raises(EngineError, match="took longer than 4 s"):
        execute(here, "sample.yml", here.push())


# ---- What happened ---------------------------------------------------------------------------------------------------


def test_jobs_cells_and_steps_are_told(tiny: MakeTiny, execute: Execute) -> None:
    """A failed cell does not make others red; what is skipped is told; outputs and summaries are kept."""
    here = tiny(
        job(
            say("First", 'test "$N" != 2', "env: {N: '${{ matrix.n }}'}"),
            say(
                "Second",
                'echo "said=$N" | tee -a "$GITHUB_OUTPUT" "$GITHUB_STEP_SUMMARY"',
                "id: second",
                "env: {N: '${{ matrix.n }}'}",
            ),
            say("Third", "'true'", "if: failure()"),
            more="    strategy: {fail-fast: false, matrix: {n: [1, 2, 3]}}\n",
        )
        + job(say("Never", "'true'"), name="after", more="    needs: job\n")
        + job(
            say("Tell", 'echo "$R"', "env: {R: '${{ needs.job.result }}'}"),
            name="last",
            more="    needs: job\n    if: always()\n",
        )
    )
    result = execute(here, "sample.yml", here.push())
    cells = {cell.matrix["n"]: cell for cell in result.cells("job")}
    assert {n: cell.result for n, cell in cells.items()} == {
        1: SUCCESS,
        2: FAILURE,
        3: SUCCESS,
    }
    outcomes = {n: [step.outcome for step in cell.steps] for n, cell in cells.items()}
    assert outcomes[1] == outcomes[3] == [SUCCESS, SUCCESS, SKIPPED]
    assert outcomes[2] == [FAILURE, SKIPPED, SUCCESS]
    assert cells[3].step("Second").outputs == {"said": "3"}
    assert cells[3].summary == "said=3\n"
    assert result.red == {"sample.yml / job / First"}
    assert result.results == {"job": FAILURE, "after": SKIPPED, "last": SUCCESS}
    assert result.job("last").step("Tell").log == "failure\n"


def test_called_workflows_are_told_and_get_no_more_than_they_are_granted(
    tiny: MakeTiny, execute: Execute
) -> None:
    called = """\
name: Called
on:
  workflow_call:
    outputs:
      word: {value: "${{ jobs.inner.outputs.word }}"}
permissions: {}
jobs:
  inner:
    runs-on: ubuntu-latest
    permissions: {issues: write, contents: read}
    outputs: {word: "${{ steps.say.outputs.word }}"}
    steps:
      - name: Say
        id: say
        run: echo "word=hello" >> "$GITHUB_OUTPUT"
"""
    caller = "  call:\n    permissions: {issues: read}\n    uses: ./.github/workflows/called.yml\n"
    here = tiny(
        caller
        + job(
            say("Tell", 'echo "$W"', "env: {W: '${{ needs.call.outputs.word }}'}"),
            more="    needs: call\n",
        ),
        called=called,
    )
    result = execute(here, "sample.yml", here.push())
    assert result.job("inner", "called.yml").result == SUCCESS
    assert result.job("job").step("Tell").log == "hello\n"
    everything = under_test.load(here.project)
    granted = under_test.grants(everything["sample.yml"], everything)
    assert granted["Called", "inner"] == {"issues": "read", "contents": "none"}


def test_a_container_is_all_that_is_taken_out(tiny: MakeTiny, execute: Execute) -> None:
    digest = "sha256:" + "0" * 64
    here = tiny(
        job(
            say("Run", "'true'"),
            more=f"    container: {{image: octo/image@{digest}}}\n",
        )
    )
    result = execute(here, "sample.yml", here.push())
    assert result.edits == ["sample.yml: container of job job taken out"]
    before, after = (
        yaml.safe_load(path.read_text("utf-8"))
        for path in (
            here.project / ".github/workflows/sample.yml",
            here.folder / "runs/1/checkout/.github/workflows/sample.yml",
        )
    )
    del before["jobs"]["job"]["container"]
    assert after == before


@pytest.mark.parametrize(
    ("given", "commits", "tags"),
    [("", "1", ""), ("fetch-depth: 2", "2", ""), ("fetch-depth: 0", "3", "v1")],
)
def test_a_checkout_has_the_history_that_it_asks_for(
    tiny: MakeTiny, execute: Execute, given: str, commits: str, tags: str
) -> None:
    here = tiny(
        job(
            f"name: Fetch\nuses: {CHECKOUT}\nwith: {{persist-credentials: false, {given}}}",
            say("Count", 'echo "$(git rev-list --count HEAD) $(git tag)"'),
        )
    )
    here.ask("tag", "v1", "main~1")
    result = execute(here, "sample.yml", here.push())
    assert result.job("job").step("Count").log.split() == [commits, *tags.split()]


@pytest.mark.parametrize(
    ("author", "secret", "granted"),
    [(MEMBER, "told", "write"), (FORK, "", "read"), (DEPENDABOT, "", "read")],
    ids=lambda value: value.login if isinstance(value, Author) else None,
)
def test_strangers_get_no_secret_and_may_only_read(
    tiny: MakeTiny, execute: Execute, author: Author, secret: str, granted: str
) -> None:
    here = tiny(
        job(
            say(
                "Tell",
                'echo "<$S> $GITHUB_ACTOR $GITHUB_REF"',
                "env: {S: '${{ secrets.WORD }}'}",
            ),
            say(
                "Comment",
                'gh api --silent --method POST "repos/$GITHUB_REPOSITORY/issues/1/comments" -f body=text',
                "env: {GH_TOKEN: '${{ github.token }}'}",
            ),
            more="    permissions: {issues: write}\n",
        )
    )
    here.secrets = {"WORD": "told"}
    event = here.pull_request(append("log.txt", "more\n"), author)
    result = execute(here, "sample.yml", event)
    shown = "***" if secret else ""
    assert (
        result.job("job").step("Tell").log
        == f"<{shown}> {author.login} refs/pull/1/merge\n"
    )
    comment = result.job("job").step("Comment")
    assert comment.outcome == (SUCCESS if granted == "write" else FAILURE)
    assert ("Resource not accessible by integration" in comment.log) == (
        granted == "read"
    )
    assert len(here.comments.get(1, [])) == (granted == "write")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("-X GET repos/octo/sample-project/no-such-thing", "GitHub's API has no GET"),
        (
            "-X DELETE repos/octo/sample-project/issues/1/comments",
            "GitHub's API has no DELETE",
        ),
        (
            "-X POST repos/octo/sample-project/issues/1/comments -f text=x",
            "'body' is a required property",
        ),
        ("-X GET repos/octo/sample-project/branches", "does not know GET"),
    ],
)
def test_a_request_that_github_does_not_know_fails_the_test(
    tiny: MakeTiny, execute: Execute, request_: str, message: str
) -> None:
    here = tiny(
        job(
            say(
                "Ask",
                f"gh api {request_} || true",
                "env: {GH_TOKEN: '${{ github.token }}'}",
            ),
            more="    permissions: {issues: write}\n",
        )
    )
    with pytest.raises(EngineError, match=message):
        execute(here, "sample.yml", here.push())


def test_an_answer_that_is_not_github_s_fails_the_test(
    tiny: MakeTiny, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "full_repository", lambda *_, **__: {"id": "one"})
    here = tiny(
        job(
            say(
                "Ask",
                "gh api repos/octo/sample-project || true",
                "env: {GH_TOKEN: '${{ github.token }}'}",
            )
        )
    )
    with pytest.raises(EngineError, match="the answer 200 of GET"):
        execute(here, "sample.yml", here.push())


def test_a_stand_in_that_fails_reddens_its_step(
    tiny: MakeTiny, execute: Execute
) -> None:
    """Also with an input that is only wrong when its value is known."""
    here = tiny(
        job(
            say("Write", "echo text > file.txt"),
            f"name: Keep\nuses: {UPLOAD}\nwith: {{path: file.txt, retention-days: 100}}",
        )
        + job(
            say("Write", "echo '{}' > report.sarif"),
            f"name: Upload\nuses: {SARIF}\nwith: {{sarif_file: report.sarif}}",
            name="scan",
        )
    )
    result = execute(here, "sample.yml", here.push())
    assert result.red == {"sample.yml / job / Keep", "sample.yml / scan / Upload"}
    assert "Invalid retention-days: 100" in result.failures
    assert "security-events is none, not write" in result.failures


# ---- What proves nothing ---------------------------------------------------------------------------------------------


def test_a_gate_that_cannot_fail_is_found(tiny: MakeTiny, execute: Execute) -> None:
    """`|| true` hides a failure from the engine, so a planted defect reddens nothing; the policy names it at once."""
    here = tiny(job(say("Look for mistakes", "'false || true'")))
    result = execute(here, "sample.yml", here.push())
    assert result.red == set()
    everything = under_test.load(here.project)
    (finding,) = policy.failures_are_not_swallowed(everything["sample.yml"], everything)
    assert "Look for mistakes" in str(finding)


def test_a_step_that_never_runs_is_found(
    tiny: MakeTiny, execute: Execute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(step_coverage.VARIABLE, str(tmp_path))
    here = tiny(
        job(
            say("Run", "'true'"), say("Never", "'true'", "if: github.actor == 'nobody'")
        )
    )
    execute(here, "sample.yml", here.push(), scenario="some scenario")
    executed, scenarios = step_coverage.add_up()
    steps = ["sample.yml / job / Run", "sample.yml / job / Never"]
    assert scenarios == {"some scenario": 1}
    assert step_coverage.uncovered(executed, steps) == steps[1:]
    assert "| sample.yml | job | Run | 1 | 0 | Linux |" in step_coverage.table(
        executed, steps
    )
    assert "| sample.yml | job | Never | 0 | 0 | never |" in step_coverage.table(
        executed, steps
    )


@pytest.mark.quick
def test_only_a_whole_run_is_judged_by_its_steps() -> None:
    everything = possible()
    assert verdict(everything, []) == (False, verdict(everything, [])[1])
    assert verdict(everything, ["tests.yml / job / Step"])[0]
    assert not verdict(everything - {SCENARIOS[0].id}, ["tests.yml / job / Step"])[0]


@pytest.mark.quick
def test_scenarios_have_names_of_their_own() -> None:
    names = [scenario.id for scenario in SCENARIOS]
    names += [id_ for flow in FLOWS for id_ in flow.ids]
    assert len(set(names)) == len(names)


# ---- Real actions, and a machine without Go --------------------------------------------------------------------------


def test_a_folder_of_checkouts_takes_the_place_of_stand_ins(
    tiny: MakeTiny, execute: Execute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What needs GitHub's services stays a stand-in; the rest is taken from the folder."""
    real = tmp_path / "checkouts/aquasecurity/setup-trivy"
    real.mkdir(parents=True)
    (real / "action.yml").write_text(
        "name: Real\ndescription: Real\ninputs: {version: {description: v}}\n"
        'runs:\n  using: composite\n  steps:\n    - run: echo "the real one, ${{ inputs.version }}"\n      shell: bash\n',
        "utf-8",
    )
    monkeypatch.setenv(catalogue.REAL_ACTIONS, str(tmp_path / "checkouts"))
    here = tiny(
        job(
            f"name: Fetch\nuses: {CHECKOUT}\nwith: {{persist-credentials: false}}",
            f"name: Set up Trivy\nuses: {TRIVY}\nwith: {{version: v0.74.0}}",
        )
    )
    result = execute(here, "sample.yml", here.push())
    assert result.red == set()
    assert "the real one, v0.74.0" in result.log
    assert [record["action"] for record in result.records] == ["actions/checkout"]


def test_without_a_folder_real_actions_are_left_to_act(tmp_path: Path) -> None:
    """Act fetches what it is given no folder for."""
    options = catalogue.make_folders(tmp_path, INTERFACE, "network")
    assert not any("setup-uv" in option for option in options)
    assert any("actions/checkout" in option for option in options)


def test_go_comes_from_a_wheel_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "uv").symlink_to(tool("uv"))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = go()
    assert found == str(cache_folder() / GO_WHEEL / "go")
    assert run([found, "version"]).stdout.startswith("go version go1.")
    assert shutil.which("go") is None
