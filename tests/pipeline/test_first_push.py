"""From an empty folder to a protected repository: what is printed after a copy, typed word for word."""

from __future__ import annotations

from pathlib import Path

from engine import network, under_test
from engine.fixtures import Execute
from engine.github import git
from engine.github.server import HOSTS, GitHub
from engine.result import SUCCESS
from harness import copier
from native import Checkout, printed
from owner import LOGIN, SECRET, new_repository


def test_the_first_push_is_green_and_its_checks_are_required(
    template: Path, execute: Execute, tmp_path: Path
) -> None:
    answers = ["github_user=octo", "python_versions=['3.12']"]
    options = [f"--data={answer}" for answer in answers]
    done = copier(
        *("copy", "--defaults", *options, str(template), "sample-project"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    commands = printed(done.stderr)
    assert len(commands) == 5
    empty = new_repository(tmp_path / "github", created=False)
    github = GitHub(empty, {}, SECRET)
    server = git.Git(empty, {}, SECRET)
    with network.serving(
        dict.fromkeys(HOSTS, github) | {git.HOST: server}, tmp_path
    ) as leading:
        said = Checkout(tmp_path, {**leading, **LOGIN}).run("\n".join(commands)).stdout
    assert github.contradictions == []
    assert "cannot be" not in said
    project = tmp_path / "sample-project"
    reported = set()
    event = empty.push()
    workflows = under_test.load(project)
    for file in under_test.started_by(workflows, event):
        # An image is made for every platform or for none.
        system = None if file == "docker.yml" else "ubuntu-latest"
        result = execute(empty, file, event, system=system)
        assert result.red == set(), result.failures
        reported |= {
            workflows[file].jobs[job]["name"]
            for job, ended in result.results.items()
            if ended == SUCCESS
        }
    (ruleset,) = (r for r in empty.settings.rulesets if r["target"] == "branch")
    (rule,) = (r for r in ruleset["rules"] if r["type"] == "required_status_checks")
    required = {
        check["context"] for check in rule["parameters"]["required_status_checks"]
    }
    assert len(required) == 8
    assert required <= reported
    assert ruleset["enforcement"] == "active"
