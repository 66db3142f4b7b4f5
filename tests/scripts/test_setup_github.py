"""scripts/setup_github.py of a rendered project: the real gh sets a GitHub that is held to GitHub's own description."""

import copy
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import policy
import pytest
import scenarios
import test_documents
from engine import network, under_test
from engine.fixtures import require_pythons
from engine.github import bodies, settings
from engine.github.server import HOSTS, GitHub
from engine.repository import Repository
from engine.result import SUCCESS
from engine.settings import Settings
from harness import Renderer, load_script, run, tool
from werkzeug.test import Client

SCRIPT = Path(__file__).parents[2] / "template/scripts/setup_github.py"
with pytest.MonkeyPatch.context() as patch:
    # As Python does when it runs a script: it shares code with release.py.
    patch.syspath_prepend(SCRIPT.parent)
    setup = load_script(SCRIPT)

ADDRESS = "https://github.com/octo/sample-project.git"
# What an administrator may do, and someone who may only push.
ADMINISTRATOR = {"administration": "write", "contents": "write", "actions": "write"}
MEMBER = {"contents": "write", "actions": "write"}

CHECKS = ["Build passed", "Coverage", "Docker passed", "Gitleaks", "Pre-commit"]
CHECKS += ["Semgrep", "Tests passed", "Trivy"]
BRANCH, TAGS = "pipeline-default-branch", "pipeline-version-tags"
NOTHING_ON = {"kind": "library", "pypi": False, "template_updates": False}
VERSIONS, MAIN = ("v*", "tag"), ("main", "branch")
PATTERNS = {
    "pypi": {VERSIONS},
    "template-update": {MAIN},
    "testpypi": {VERSIONS, MAIN},
}
# The requests that change something, of a new repository for the default answers.
CHANGES = 17


# ---- A project and its repository ------------------------------------------------------------------------------------


@dataclass
class Place:
    """A project with a repository on GitHub, and what the script has said last."""

    project: Path
    github: GitHub
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    error: str = ""

    @property
    def here(self) -> Repository:
        """The repository."""
        return self.github.repository

    @property
    def now(self) -> Settings:
        """How it is set."""
        return self.here.settings

    def start(self, *arguments: str) -> int:
        """Run the script; gives its exit status."""
        status = int(setup.main([*arguments]))
        self.out, self.error = self.capsys.readouterr()
        assert self.github.contradictions == []
        return status

    def changes(self, *arguments: str) -> tuple[int, int]:
        """Run the script; gives its exit status and how many requests have changed something."""
        before = self.here.changes
        return self.start(*arguments), self.here.changes - before

    def states(self) -> dict[str, str]:
        """Give the state that was said of each setting; where it was said twice, the last."""
        said = re.findall(
            r"^(already so|to change|changed|cannot be) +([^:\n]+)", self.out, re.M
        )
        return {name: state for state, name in said}

    def ruleset(self, name: str) -> dict[str, Any]:
        """Give the repository's own ruleset of a name."""
        (found,) = [
            r
            for r in self.now.rulesets
            if r["name"] == name and r["source_type"] == "Repository"
        ]
        return found

    def rule(self, kind: str) -> dict[str, Any]:
        """Give the parameters of a rule for the default branch."""
        (found,) = [r for r in self.ruleset(BRANCH)["rules"] if r["type"] == kind]
        parameters: dict[str, Any] = found["parameters"]
        return parameters

    def checks(self) -> dict[str, int | None]:
        """Give the required checks, and which app each must be from."""
        checks = self.rule("required_status_checks")["required_status_checks"]
        return {check["context"]: check.get("integration_id") for check in checks}

    def patterns(self) -> dict[str, set[tuple[str, str]]]:
        """Give the branches and tags that may use each environment."""
        return {
            name: {(p["name"], p["type"]) for p in self.now.patterns[name]}
            for name, environment in self.now.environments.items()
            if environment["deployment_branch_policy"] == settings.CUSTOM
        }

    def all(self) -> tuple[Settings, bool]:
        """Give all that is set."""
        return copy.deepcopy(self.now), self.here.immutable_releases


def directly(github: GitHub) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Give what stands in the place of gh where the same is asked many times: it asks the fake GitHub itself."""
    client = Client(github)

    def answer(
        command: list[str], stdin: str | None
    ) -> subprocess.CompletedProcess[str]:
        done = client.open(
            f"/{command[-1].format(owner='octo', repo='sample-project')}",
            method=command[command.index("--method") + 1],
            headers={"Authorization": "token secret@Person@here"},
            data=stdin,
        )
        text = f"HTTP/1.1 {done.status}\n\n{done.text}"
        return subprocess.CompletedProcess(command, done.status_code >= 400, text, "")

    return answer


MakePlace = Callable[..., Place]


@pytest.fixture
def place(
    render: Renderer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[MakePlace]:
    """Give what makes a project whose repository is new on GitHub, and starts in it.

    It asks GitHub by the real gh, or, where a test needs many answers, without it.
    """
    with ExitStack() as stack:

        def make(
            *,
            private: bool = False,
            held: dict[str, str] = ADMINISTRATOR,
            remote: str = ADDRESS,
            real: bool = True,
            **answers: Any,
        ) -> Place:
            project = render(**answers).workable(tmp_path / "project")
            if remote:
                run([tool("git"), "remote", "add", "origin", remote], cwd=project)
            here = Repository(
                tmp_path / "github", project, private=private, immutable_releases=False
            )
            github = GitHub(here, {("Person", "here"): held}, "secret")
            hosts = dict.fromkeys(HOSTS, github)
            leading = stack.enter_context(network.serving(hosts, tmp_path))
            token = {"GH_TOKEN": "secret@Person@here"}
            neutral = {"GH_CONFIG_DIR": str(tmp_path / "gh"), "NO_COLOR": "1"}
            for name, value in {**leading, **token, **neutral}.items():
                monkeypatch.setenv(name, value)
            for name in ("GITHUB_TOKEN", "GH_HOST", "GH_REPO", "GITHUB_STEP_SUMMARY"):
                monkeypatch.delenv(name, raising=False)
            monkeypatch.chdir(project)
            if not real:
                monkeypatch.setattr(setup, "run", directly(github))
            capsys.readouterr()
            return Place(project, github, capsys)

        tool("gh")
        yield make


# ---- Which checks are required ---------------------------------------------------------------------------------------


def required(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Give the checks that the script finds in a project, each with why it cannot be required."""
    monkeypatch.chdir(project)
    found: list[tuple[str, str]] = setup.required_checks(setup.read_workflows())
    return found


@pytest.mark.quick
@pytest.mark.parametrize("docker", [True, False])
@pytest.mark.parametrize("kind", ["service", "mcp", "library"])
def test_each_required_check_always_reports(
    kind: str, docker: bool, render: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render(kind=kind, docker=docker, pypi=docker).path
    wanted = [check for check in CHECKS if docker or check != "Docker passed"]
    assert sorted(required(project, monkeypatch)) == [(name, "") for name in wanted]
    workflows = under_test.load(project)
    gates = {file: w for file, w in workflows.items() if w.gates}
    jobs = {file: policy.required_check(w) for file, w in gates.items()}
    names = {gates[file].jobs[job]["name"] for file, job in jobs.items()}
    assert names == set(wanted)
    # It is there for each way to merge, whatever its workflow's other jobs do, and no other job has its name.
    for rule in (
        policy.gates_listen_to_every_way_to_merge,
        policy.one_required_check_sees_every_job,
        policy.required_checks_have_names_of_their_own,
    ):
        assert [f for w in gates.values() for f in rule(w, workflows)] == []


PULL_REQUESTS = {
    scenarios.pull_request,
    scenarios.from_fork,
    scenarios.by_dependabot,
    scenarios.of_documentation,
}


@pytest.mark.quick
@pytest.mark.parametrize("file", [p.name for p in SCRIPT.parents[1].glob(".github/workflows/*.yml")])  # fmt: skip
def test_each_required_check_is_executed_for_each_way_to_merge(file: str) -> None:
    """The scenarios, which test_green.py executes, have the check end well and never skipped."""
    workflow = under_test.load(SCRIPT.parents[1])[file]
    if not workflow.gates:
        assert setup.required_check(file, workflow.data) is None
        return
    job = policy.required_check(workflow)
    executed = [
        scenario
        for scenario in scenarios.SCENARIOS
        if scenario.workflow == file
        and scenario.happens in {scenarios.queued, *PULL_REQUESTS}
    ]
    happened = {scenario.happens for scenario in executed}
    assert scenarios.queued in happened and len(happened & PULL_REQUESTS) > 1
    assert {scenario.result_of(job) for scenario in executed} == {SUCCESS}
    name, why = setup.required_check(file, workflow.data)
    assert (name, why) == (workflow.jobs[job]["name"], "")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("  pull_request:\n", "  pull_request:\n    paths: [src/**]\n", "take the filters of `pull_request` out"),
        ("  merge_group:\n", "  merge_group:\n    branches: [main]\n", "take the filters of `merge_group` out"),
        ("    if: always()\n", "", "job `passed` may be skipped, which counts as passed: give it `if: always()`"),
        ("    if: always()\n", "    if: ${{ always() && true }}\n", "job `passed` may be skipped"),
        ("    if: always()\n", "    if: ${{ always() }}\n", ""),
        ("    name: Tests passed\n", "    name: Tests ${{ github.sha }}\n", "job `passed` has no fixed name"),
        ("    name: Tests passed\n", "    name: Tests passed\n    strategy: {matrix: {a: [1]}}\n", "job `passed` has no fixed name"),
        ("    needs: [plan, test, lint]\n    if: always()\n", "    if: github.actor == 'x'\n", "take its `if` out"),
        ("    name: Tests passed\n", "", ""),
    ],
)  # fmt: skip
def test_a_check_that_might_not_report_is_not_required(
    old: str,
    new: str,
    says: str,
    render: Renderer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = render().workable(tmp_path / "project")
    workflow = project / ".github/workflows/tests.yml"
    before = workflow.read_text("utf-8")
    workflow.write_text(before.replace(old, new), "utf-8")
    assert before.count(old) == 1
    found = dict(required(project, monkeypatch))
    (why,) = [w for name, w in found.items() if name.startswith(("Tests", "passed"))]
    assert says in why if says else not why
    assert not says or why.startswith("tests.yml: ")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("on: [pull_request, merge_group]\njobs: {own: {}}\n", ("own", "")),
        ("on: [pull_request, merge_group]\njobs: {passed: {name: X}}\n", ("X", "")),
        ("on: [pull_request, merge_group]\njobs: {passed: {uses: ./a.yml}}\n", None),
        ("on: [pull_request, merge_group]\njobs: {other: {}}\n", None),
        ("on: [pull_request]\njobs: {own: {}}\n", None),
        ("on: pull_request\njobs: {own: {}}\n", None),
        ("on: {push: , merge_group: }\njobs: {own: {}}\n", None),
    ],
)
def test_a_workflow_of_ones_own_guards_merges_if_it_is_made_so(
    text: str, check: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(text, "utf-8")
    found = required(tmp_path, monkeypatch)
    assert [pair for pair in found if not pair[1]] == ([check] if check else [])


@pytest.mark.quick
@pytest.mark.parametrize(
    ("check", "is_reported"),
    [
        ("Plain", True),
        ("Plain text", False),
        ("Plain (a, 3.12)", True),
        ("On ubuntu, 3", True),
        ("Called / Inner", True),
        ("Pushed", False),
        ("unnamed", True),
        ("Gone", False),
    ],
)
def test_a_check_of_a_job_is_known(check: str, is_reported: bool) -> None:
    jobs = {"a": {"name": "Plain"}, "b": {"name": "On ${{ matrix.os }}"}}
    changes = {"on": "pull_request", "jobs": jobs | {"unnamed": {}}}
    called = {"on": {"pull_request": ""}, "jobs": {"c": {"name": "Called"}}}
    pushed = {"on": ["push"], "jobs": {"d": {"name": "Pushed"}}}
    every = {"a.yml": changes, "b.yml": called, "c.yml": pushed}
    assert setup.reported(every, check) == is_reported


# ---- A new repository ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("organisation", [True, False])
def test_a_new_repository_is_set(organisation: bool, place: MakePlace) -> None:
    project = place()
    project.now.organisation = organisation
    new = project.all()
    assert project.changes("--dry-run") == (0, 0)
    assert set(project.states().values()) == {"to change"}
    assert project.changes("--check") == (2, 0)
    assert project.all() == new
    assert project.changes() == (0, CHANGES)
    assert set(project.states().values()) == {"changed"}
    assert f"Required checks: {', '.join(CHECKS)}" in project.out
    branch, tags = project.ruleset(BRANCH), project.ruleset(TAGS)
    assert [rule["type"] for rule in branch["rules"]] == [
        "deletion",
        "non_fast_forward",
        "pull_request",
        "required_status_checks",
    ]
    assert project.checks() == dict.fromkeys(CHECKS, 15368)
    assert [rule["type"] for rule in tags["rules"]] == ["deletion", "update"]
    for ruleset, target, ref in (
        (branch, "branch", "~DEFAULT_BRANCH"),
        (tags, "tag", "refs/tags/v*"),
    ):
        assert (ruleset["target"], ruleset["enforcement"]) == (target, "active")
        assert ruleset["conditions"]["ref_name"] == {"include": [ref], "exclude": []}
        assert ruleset["bypass_actors"] == []
    assert project.patterns() == PATTERNS
    assert project.here.immutable_releases
    scanning = {"secret_scanning", "secret_scanning_push_protection"}
    assert project.now.security == scanning
    assert project.now.code_scanning == "configured"
    assert project.now.reports and project.now.alerts and project.now.updates
    assert project.now.actions == {
        "enabled": True,
        "allowed_actions": "all",
        "sha_pinning_required": True,
    }
    assert project.now.token == {
        "default_workflow_permissions": "read",
        "can_approve_pull_request_reviews": False,
    }
    # And again.
    done = project.all()
    for arguments in ([], ["--check"], ["--dry-run"]):
        assert project.changes(*arguments) == (0, 0)
        assert set(project.states().values()) == {"already so"}
    assert project.all() == done
    # What is there is changed by other requests than what is new.
    project.ruleset(BRANCH)["enforcement"] = "disabled"
    extra = {"id": 9, "node_id": "X", "name": "main", "type": "branch"}
    project.now.patterns["pypi"].append(extra)
    assert project.changes() == (0, 2)
    assert project.all() == done


def test_only_what_the_answers_brought_is_set(place: MakePlace) -> None:
    project = place(real=False, **NOTHING_ON)
    assert project.start() == 0
    assert project.checks().keys() == set(CHECKS) - {"Docker passed"}
    assert project.now.environments == {}
    assert project.changes() == (0, 0)


def test_an_environment_is_made_where_a_workflow_names_it(place: MakePlace) -> None:
    project = place(real=False, **NOTHING_ON)
    own = project.project / ".github/workflows/own.yml"
    jobs = "{a: {environment: {name: template-update}}, b: {environment: mine}}"
    own.write_text(f"on: push\njobs: {jobs}\n", "utf-8")
    assert project.start() == 0
    assert project.patterns() == {"template-update": {MAIN}}


def test_an_answer_that_is_turned_off_takes_its_check_along(place: MakePlace) -> None:
    project = place(real=False)
    project.start()
    (project.project / ".github/workflows/docker.yml").unlink()
    assert project.start("--check") == 2
    assert "it requires Docker passed, which no workflow reports" in project.out
    assert project.changes() == (0, 1)
    assert project.checks().keys() == set(CHECKS) - {"Docker passed"}


def test_a_check_that_cannot_be_required_is_said_and_the_rest_is_done(
    place: MakePlace,
) -> None:
    project = place(real=False)
    workflow = project.project / ".github/workflows/trivy.yml"
    text = workflow.read_text("utf-8")
    text = text.replace("  pull_request:\n", "  pull_request:\n    paths: [uv.lock]\n")
    workflow.write_text(text, "utf-8")
    assert project.changes() == (1, CHANGES)
    assert project.states()["Required check Trivy"] == "cannot be"
    assert "Trivy" not in project.checks()
    assert project.start("--check") == 1


def test_another_default_branch_is_the_one_that_may_use_environments(
    place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = place(real=False)
    project.here.ask("branch", "--move", "main", "trunk/x")
    about = bodies.full_repository
    monkeypatch.setattr(
        bodies,
        "full_repository",
        lambda *a, **k: about(*a, **k) | {"default_branch": "trunk/x"},
    )
    assert project.start() == 0
    assert project.patterns()["testpypi"] == {VERSIONS, ("trunk/x", "branch")}


# ---- Private repositories --------------------------------------------------------------------------------------------

PAID = {"Secret scanning with push protection", "CodeQL default setup"}
PUBLIC = {"Private vulnerability reporting"}
RULES = {f"Ruleset {BRANCH}", f"Ruleset {TAGS}"}
RULES |= {f"Environment {name}" for name in PATTERNS}


@pytest.mark.parametrize("organisation", [True, False])
@pytest.mark.parametrize(
    ("paid", "protected", "lacks"),
    [
        (False, False, PAID | PUBLIC | RULES),
        (True, False, PAID | PUBLIC),
        (True, True, PUBLIC),
    ],
)
def test_what_a_private_repository_lacks_is_said_and_the_rest_is_done(
    paid: bool, protected: bool, lacks: set[str], organisation: bool, place: MakePlace
) -> None:
    project = place(real=False, private=True)
    project.now.organisation, project.now.paid = organisation, paid
    if protected:
        project.now.secret_protection = project.here.code_scanning = True
        project.now.security = {"secret_scanning"}
    for first, expected in ((True, "changed"), (False, "already so")):
        assert project.start() == 0
        states = project.states()
        assert {name for name, s in states.items() if s == "cannot be"} == lacks
        assert {states[name] for name in states.keys() - lacks} == {expected}, first
    # Not offered is not drift.
    assert project.changes("--check") == (0, 0)
    assert bool(project.now.rulesets) == bool(project.patterns()) == paid
    assert ("secret_scanning_push_protection" in project.now.security) == protected


# ---- Drift -----------------------------------------------------------------------------------------------------------


def first(project: Place, name: str) -> dict[str, Any]:
    """Give the first pattern of an environment."""
    return project.now.patterns[name][0]


def without_rule(name: str, kind: str) -> Callable[[Place], None]:
    """Give what takes a rule from a ruleset."""

    def drift(project: Place) -> None:
        ruleset = project.ruleset(name)
        ruleset["rules"] = [r for r in ruleset["rules"] if r["type"] != kind]

    return drift


def checks_of(project: Place) -> list[dict[str, Any]]:
    """Give the required checks as they are kept."""
    found: list[dict[str, Any]] = project.rule("required_status_checks")[
        "required_status_checks"
    ]
    return found


DRIFTS: dict[str, tuple[Callable[[Place], Any], str]] = {
    "ruleset gone": (lambda p: p.now.rulesets.pop(0), f"Ruleset {BRANCH}: it is not there"),
    "ruleset off": (lambda p: p.ruleset(TAGS).update(enforcement="disabled"), f"Ruleset {TAGS}: it is not in force"),
    "other branch": (lambda p: p.ruleset(BRANCH)["conditions"]["ref_name"].update(include=[]), "it is not for ~DEFAULT_BRANCH"),
    "tags left out": (lambda p: p.ruleset(TAGS)["conditions"]["ref_name"].update(exclude=["refs/tags/v*"]), "it leaves refs/tags/v* out"),
    "no conditions": (lambda p: p.ruleset(TAGS).update(conditions={}), "it is not for refs/tags/v*"),
    **{
        f"{name} without {kind}": (without_rule(name, kind), f"Ruleset {name}: it lacks the rule {kind}")
        for name, kinds in {BRANCH: ("deletion", "non_fast_forward", "pull_request", "required_status_checks"), TAGS: ("deletion", "update")}.items()
        for kind in kinds
    },
    "check gone": (lambda p: checks_of(p).pop(0), "it does not require Build passed"),
    "check unbound": (lambda p: checks_of(p)[1].pop("integration_id"), "the check Coverage may come from elsewhere than GitHub Actions"),
    "stale check": (lambda p: checks_of(p).append({"context": "Old passed", "integration_id": 15368}), "it requires Old passed, which no workflow reports"),
    "releases": (lambda p: setattr(p.here, "immutable_releases", False), "Immutable releases: it is off"),
    "environment gone": (lambda p: p.now.environments.pop("pypi") and p.now.patterns.pop("pypi"), "Environment pypi: it is not there"),
    "environment open": (lambda p: p.now.environments["pypi"].update(deployment_branch_policy=None) or p.now.patterns.pop("pypi"), "Environment pypi: any branch or tag may use it"),
    "pattern gone": (lambda p: p.now.patterns["testpypi"].pop(0), "Environment testpypi: the tag v* may not use it"),
    "pattern of the other kind": (lambda p: first(p, "pypi").update(type="branch"), "Environment pypi: the tag v* may not use it; the branch v* may use it"),
    "pattern too many": (lambda p: p.now.patterns["pypi"].append({"id": 9, "node_id": "X", "name": "main", "type": "branch"}), "Environment pypi: the branch main may use it"),
    "codeql": (lambda p: setattr(p.now, "code_scanning", "not-configured"), "CodeQL default setup: it is not set up"),
    "push protection": (lambda p: p.now.security.discard("secret_scanning_push_protection"), "secret_scanning_push_protection is off"),
    "secret scanning": (lambda p: p.now.security.clear(), "secret_scanning is off; secret_scanning_push_protection is off"),
    "reports": (lambda p: setattr(p.now, "reports", False), "Private vulnerability reporting: it is off"),
    "alerts": (lambda p: vars(p.now).update(alerts=False, updates=False), "Dependabot alerts: it is off"),
    "updates": (lambda p: setattr(p.now, "updates", False), "Dependabot security updates: it is off"),
    "pins": (lambda p: p.now.actions.update(sha_pinning_required=False), "a workflow may use an action by its tag"),
    "actions": (lambda p: p.now.actions.update(enabled=False), "GitHub Actions is off"),
    "token": (lambda p: p.now.token.update(default_workflow_permissions="write"), "Workflow token that can only read: it may write"),
    "approval": (lambda p: p.now.token.update(can_approve_pull_request_reviews=True), "it may approve pull requests"),
}  # fmt: skip


def ordered(value: tuple[Settings, bool]) -> Any:
    """Give what is set in a form that says nothing of order and numbers."""
    kept, immutable = copy.deepcopy(value)
    for ruleset in kept.rulesets:
        ruleset["id"] = 0
        ruleset["rules"].sort(key=lambda rule: rule["type"])
        for rule in ruleset["rules"]:
            for check in (found := rule.get("parameters", {})).values():
                if isinstance(check, list) and found.keys() & {
                    "required_status_checks"
                }:
                    check.sort(key=lambda c: c["context"])
    kept.rulesets.sort(key=lambda ruleset: ruleset["name"])
    for patterns in kept.patterns.values():
        patterns[:] = [{**p, "id": 0, "node_id": ""} for p in patterns]
        patterns.sort(key=lambda p: (p["name"], p["type"]))
    return kept, immutable


def test_each_drift_is_found_named_and_mended(place: MakePlace) -> None:
    project = place(real=False)
    project.start()
    right = project.all()
    for name, (drift, says) in DRIFTS.items():
        drift(project)
        drifted = project.all()
        assert drifted != right, name
        assert project.changes("--check") == (2, 0), name
        assert says in project.out, name
        assert project.start() == 0, name
        assert ordered(project.all()) == ordered(right), name
        project.here.settings, _ = copy.deepcopy(right)


# ---- What is the user's ----------------------------------------------------------------------------------------------


def test_what_the_user_has_set_stays(place: MakePlace) -> None:
    project = place(real=False)
    project.start()
    branch = project.ruleset(BRANCH)
    actor = {"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}
    own: list[dict[str, Any]] = [
        {"context": "Lint elsewhere"},
        {"context": "Deployed", "integration_id": 7},
    ]
    listed = [{"context": "Lint", "integration_id": 15368}]
    signed = {"type": "required_signatures"}
    project.rule("pull_request")["required_approving_review_count"] = 2
    project.rule("required_status_checks")["strict_required_status_checks_policy"] = (
        True
    )
    checks_of(project).extend([*own, *listed])
    branch["bypass_actors"] = [actor]
    branch["rules"].append(signed)
    branch["conditions"]["ref_name"]["include"].append("refs/heads/release/*")
    branch["conditions"]["ref_name"]["exclude"].append("refs/heads/release/old")
    mine = copy.deepcopy(branch) | {"id": 40, "name": "mine"}
    theirs = copy.deepcopy(branch) | {"id": 41, "source_type": "Organization"}
    project.now.rulesets += [mine, theirs]
    project.now.environments["mine"] = project.now.environments["pypi"] | {
        "name": "mine"
    }
    project.now.actions["allowed_actions"] = "selected"
    right = project.all()
    assert project.changes("--check") == (0, 0)
    # What of it is ours is broken.
    checks_of(project).pop(0)
    branch["enforcement"] = "disabled"
    project.now.actions["sha_pinning_required"] = False
    assert project.changes() == (0, 2)
    assert ordered(project.all()) == ordered(right)


@pytest.mark.parametrize(
    "policy_before",
    [None, {"protected_branches": True, "custom_branch_policies": False}],
)
def test_reviewers_and_waiting_time_of_an_environment_stay(
    policy_before: Any, place: MakePlace
) -> None:
    project = place(real=False)
    account = bodies.account("reviewer", "User") | {"id": 77}
    reviewers = {
        "id": 1,
        "node_id": "GA",
        "type": "required_reviewers",
        "prevent_self_review": True,
        "reviewers": [{"type": "User", "reviewer": account}],
    }
    waits = {"id": 0, "node_id": "GA", "type": "wait_timer", "wait_timer": 30}
    project.now.environments["pypi"] = {
        **dict.fromkeys(("node_id", "name", "url", "html_url"), "pypi"),
        "id": 1,
        **dict.fromkeys(("created_at", "updated_at"), bodies.NOW),
        "protection_rules": [waits, reviewers],
        "deployment_branch_policy": policy_before,
    }
    assert project.start() == 0
    assert project.now.environments["pypi"]["protection_rules"][:2] == [
        waits,
        reviewers,
    ]
    assert project.patterns()["pypi"] == {VERSIONS}


def test_a_codeql_workflow_of_ones_own_takes_the_place_of_the_default_setup(
    place: MakePlace,
) -> None:
    project = place(real=False)
    own = project.project / ".github/workflows/codeql.yml"
    step = f"uses: github/codeql-action/analyze@{'a' * 40}"
    own.write_text(f"on: push\njobs: {{a: {{steps: [{{{step}}}]}}}}\n", "utf-8")
    assert project.changes() == (0, CHANGES - 1)
    assert project.now.code_scanning == "not-configured"
    assert project.states()["CodeQL default setup"] == "already so"


def test_codeql_is_given_time_to_be_set_up(place: MakePlace) -> None:
    project = place(real=False)
    project.now.setups = 1
    assert project.start() == 0
    assert project.states()["CodeQL default setup"] == "changed"
    # It is asked for once more while it is being set up, and then no more.
    assert project.changes() == (0, 1)
    assert project.changes() == (0, 0)


# ---- Ended halfway ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", range(1, CHANGES + 1))
def test_an_ended_run_is_finished_by_the_next(
    after: int, place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = place()
    project.here.cut_off_after = after
    assert project.start() == 2
    assert "GitHub did not answer" in project.error
    assert "Run this again: it goes on from what is done" in project.error
    assert project.here.changes == after
    project.here.cut_off_after = None
    monkeypatch.setattr(setup, "run", directly(project.github))
    assert project.start() == 0
    assert project.here.changes == CHANGES
    assert project.changes("--check") == (0, 0)
    assert project.checks().keys() == set(CHECKS)
    assert project.patterns() == PATTERNS


# ---- What GitHub refuses ---------------------------------------------------------------------------------------------

ORGANISATION = "The organization does not allow this setting to be changed."


@pytest.mark.parametrize(
    ("request_", "refusal", "name", "status"),
    [
        (("PUT", "/actions/permissions/workflow"), (409, ORGANISATION), "Workflow token that can only read", 1),
        (("PUT", "/actions/permissions"), (403, ORGANISATION), "Actions pinned to full commits", 1),
        (("PUT", "/immutable-releases"), (409, ORGANISATION), "Immutable releases", 1),
        (("POST", "/rulesets"), (422, "Name must be unique"), f"Ruleset {BRANCH}", 1),
        (("PUT", "/environments/pypi"), (404, "Not Found"), "Environment pypi", 1),
        (("PUT", "/environments/pypi"), (422, "Failed to create the environment protection rule. Please ensure the billing plan supports it."), "Environment pypi", 0),
        (("PATCH", ""), (422, "Secret scanning is not available for this repository."), "Secret scanning with push protection", 0),
        (("PATCH", "/code-scanning/default-setup"), (409, "A run is in progress"), "CodeQL default setup", 1),
        (("GET", "/code-scanning/default-setup"), (403, "Advanced Security must be enabled for this repository to use code scanning."), "CodeQL default setup", 0),
        (("GET", "/code-scanning/default-setup"), (403, "Forbidden"), "CodeQL default setup", 1),
    ],
)  # fmt: skip
def test_a_refusal_is_said_and_the_rest_is_done(
    request_: tuple[str, str],
    refusal: tuple[int, str],
    name: str,
    status: int,
    place: MakePlace,
) -> None:
    project = place(real=False)
    project.now.refusals[request_] = refusal
    assert project.start() == status
    states = project.states()
    assert states.pop(name) == "cannot be"
    assert f"{name}: GitHub says: {refusal[1].rstrip('.')}" in project.out
    assert "See Settings, " in project.out
    others = set(states.values()) - {"changed"}
    # Both rulesets are made by the same request.
    assert others == ({"cannot be"} if request_[1] == "/rulesets" else set())
    del project.now.refusals[request_]
    assert project.start() == 0
    assert project.start("--check") == 0


def test_what_github_takes_and_does_not_do_is_noticed(place: MakePlace) -> None:
    project = place(real=False)
    project.now.ignored.add(("PUT", "/vulnerability-alerts"))
    assert project.start() == 1
    assert "Dependabot alerts: GitHub took it and did not do it" in project.out


def test_what_cannot_be_read_is_not_called_drift(place: MakePlace) -> None:
    project = place(real=False)
    project.start()
    project.now.refusals["GET", "/immutable-releases"] = (403, "Forbidden")
    assert project.changes("--check") == (1, 0)
    assert "Immutable releases: GitHub says: Forbidden" in project.out


# ---- What keeps it from running --------------------------------------------------------------------------------------


def no_gh(_: Place, patch: pytest.MonkeyPatch) -> None:
    """Take gh away."""
    patch.setenv("PATH", "/nonexistent")


def logged_out(_: Place, patch: pytest.MonkeyPatch) -> None:
    """Log out."""
    patch.delenv("GH_TOKEN")


def bad_token(_: Place, patch: pytest.MonkeyPatch) -> None:
    """Show a token that is none."""
    patch.setenv("GH_TOKEN", "wrong")


def unreachable(_: Place, patch: pytest.MonkeyPatch) -> None:
    """Take the way to GitHub away."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        patch.setenv(name, "http://127.0.0.1:9")


def refused(path: str, status: int, message: str) -> Callable[..., None]:
    """Give what has GitHub refuse to read something."""

    def prepare(project: Place, _: pytest.MonkeyPatch) -> None:
        project.now.refusals["GET", path] = (status, message)

    return prepare


def broken(project: Place, _: pytest.MonkeyPatch) -> None:
    """Let GitHub have trouble."""
    project.here.broken.add("/vulnerability-alerts")


def empty(project: Place, _: pytest.MonkeyPatch) -> None:
    """Have nothing pushed yet."""
    project.here.ask("update-ref", "-d", "refs/heads/main")


def archived(project: Place, _: pytest.MonkeyPatch) -> None:
    """Archive the repository."""
    project.now.archived = True


def elsewhere(project: Place, patch: pytest.MonkeyPatch) -> None:
    """Start it in another folder."""
    patch.chdir(project.project.parent)


def no_git(project: Place, _: pytest.MonkeyPatch) -> None:
    """Have no git repository around the project."""
    (project.project / ".git").rename(project.project.parent / "kept")


def no_workflow(project: Place, _: pytest.MonkeyPatch) -> None:
    """Break a workflow."""
    path = project.project / ".github/workflows/tests.yml"
    path.write_text("on: [push\n", "utf-8")


def no_jobs(project: Place, _: pytest.MonkeyPatch) -> None:
    """Empty a workflow."""
    (project.project / ".github/workflows/tests.yml").write_text("", "utf-8")


LIMIT = "API rate limit exceeded for user ID 1."
KEPT_OUT: dict[str, tuple[Callable[..., None], dict[str, Any], str]] = {
    "no gh": (no_gh, {}, "gh is not installed: see cli.github.com"),
    "logged out": (logged_out, {}, "gh is not logged in: gh auth login"),
    "bad token": (bad_token, {}, "GitHub does not take the token (Bad credentials): gh auth login"),
    "no rights": (lambda *_: None, {"held": MEMBER}, "must be an administrator of the repository"),
    "may only read": (refused("/actions/permissions", 404, "Not Found"), {}, "must be an administrator of the repository"),
    "app without rights": (refused("/rulesets", 403, "Resource not accessible by integration"), {}, "Resource not accessible by integration"),
    "no remote": (lambda *_: None, {"remote": ""}, "Add it: git remote add origin URL, or name it: --repository OWNER/NAME"),
    "remote elsewhere": (lambda *_: None, {"remote": "https://example.org/octo/x.git"}, "gh cannot tell which repository this is"),
    "no git": (no_git, {}, "gh cannot tell which repository this is"),
    "nothing pushed": (empty, {}, "Push it first: git push --set-upstream origin main"),
    "archived": (archived, {}, "octo/sample-project is archived"),
    "rate limit": (refused("/immutable-releases", 403, LIMIT), {}, f"GitHub asks to wait ({LIMIT})"),
    "second limit": (refused("/rulesets", 403, "You have exceeded a secondary rate limit."), {}, "`gh api rate_limit` says until when"),
    "trouble": (broken, {}, "GitHub has trouble (status 500: Server Error)"),
    "unreachable": (unreachable, {}, "GitHub did not answer"),
    "elsewhere": (elsewhere, {}, "there is no .github/workflows: start this where the project begins"),
    "broken workflow": (no_workflow, {}, "tests.yml cannot be read: while parsing"),
    "empty workflow": (no_jobs, {}, "tests.yml is no workflow: `on` and `jobs`"),
}  # fmt: skip


@pytest.mark.parametrize("name", KEPT_OUT)
def test_what_keeps_it_from_running_is_one_message(
    name: str, place: MakePlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    prepare, settings_, says = KEPT_OUT[name]
    project = place(**settings_)
    prepare(project, monkeypatch)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    for arguments, status in (([], 2), (["--dry-run"], 2), (["--check"], 1)):
        assert project.changes(*arguments) == (status, 0)
        assert says in project.error
        assert project.error.startswith("setup_github.py: ")
        assert len(project.error.splitlines()) == 1
        assert project.error.strip() not in project.out
    assert says in (tmp_path / "summary.md").read_text("utf-8")


def test_a_repository_can_be_named(place: MakePlace) -> None:
    project = place(remote="")
    assert project.start("--repository", "octo/other") == 2
    assert "GitHub shows no repository octo/other (Not Found)" in project.error
    assert project.changes("--repository", project.here.full_name) == (0, CHANGES)


def test_rights_that_end_halfway_leave_nothing_that_cannot_be_finished(
    place: MakePlace,
) -> None:
    project = place(real=False)
    refusal = (403, "Resource not accessible by personal access token")
    project.now.refusals["PUT", "/environments/pypi"] = refusal
    assert project.start() == 2
    assert "a fine-grained token or an app needs" in project.error
    assert project.states()["Immutable releases"] == "changed"
    assert project.states()["Environment pypi"] == "to change"
    project.now.refusals.clear()
    assert project.start() == 0
    assert project.start("--check") == 0


# ---- What it leaves behind -------------------------------------------------------------------------------------------


def test_the_summary_says_how_each_setting_is(
    place: MakePlace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = place()
    project.now.refusals["PUT", "/immutable-releases"] = (409, "a | b")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    project.start()
    lines = (tmp_path / "summary.md").read_text("utf-8").splitlines()
    assert lines[:2] == ["| setting | is | why |", "| --- | --- | --- |"]
    assert f"| Ruleset {BRANCH} | changed | it is not there |" in lines
    assert r"| Immutable releases | cannot be | GitHub says: a \| b. See Settings, General, Releases |" in lines  # fmt: skip
    assert len(lines) == 2 + len(project.states()) + 1


# ---- What the manual says --------------------------------------------------------------------------------------------

PAGE = "docs/setup.md"


@pytest.mark.quick
@pytest.mark.parametrize("name", test_documents.ANSWERS)
def test_the_manual_names_each_setting_and_its_page(
    name: str, render: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = render(**test_documents.ANSWERS[name])
    monkeypatch.chdir(project.path)
    here = SimpleNamespace(branch="main")
    looks = setup.looks(here, setup.read_workflows())
    table = test_documents.rows(project.text(PAGE), "setting")
    assert [(row[0], row[2]) for row in table] == [look[:2] for look in looks]


def typed(project: Place, command: str) -> int:
    """Type a command, as it stands in the manual, in the project's folder; gives its exit status."""
    return run(["bash", "-c", command], cwd=project.project, check=False).returncode


def test_the_commands_of_the_manual_do_what_it_says(place: MakePlace) -> None:
    """Each in a process of its own, with what it asks for itself."""
    require_pythons({"python_versions": ["3.12"]})
    project = place()
    text = (project.project / PAGE).read_text("utf-8")
    blocks = [t.content for t in test_documents.tokens(text) if t.type == "fence"]
    # test_first_push.py types the first block.
    plan, change = blocks[1].splitlines()
    (check,) = blocks[2].splitlines()
    shown = {row[3].strip("`") for row in test_documents.rows(text, "setting")}
    assert (len(blocks), typed(project, plan), project.here.changes) == (3, 0, 0)
    assert typed(project, check) == 2
    assert (typed(project, change), project.here.changes) == (0, CHANGES)
    assert typed(project, check) == 0
    assert {command: typed(project, command) for command in shown} == dict.fromkeys(
        shown, 0
    )
    assert project.here.changes == CHANGES
    assert project.github.contradictions == []


def test_the_help_says_what_the_exit_status_means(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        setup.main(["--help"])
    assert ended.value.code == 0
    assert "2 something differs" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        setup.main(["--check", "--dry-run"])
    assert ended.value.code == 2
