"""The loops of docs/rolling-out.md, typed for two repositories."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine import network
from engine.github import bodies, git
from engine.github.server import HOSTS, GitHub
from engine.repository import Dispatch, Repository
from harness import ROOT
from native import Checkout
from owner import LOGIN, SECRET, new_repository
from werkzeug.wrappers import Request

PAGE = ROOT / "docs/rolling-out.md"
NAMES = ("first-service", "second-library")


def blocks(kind: str) -> list[str]:
    """Give the page's blocks of a kind."""
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", PAGE.read_text("utf-8"))


class Several:
    """A WSGI application that lets each repository's own one answer."""

    def __init__(self, applications: dict[str, Any]) -> None:
        """Take the application of each repository, by its name."""
        self.applications = applications

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        text = environ["PATH_INFO"]
        if text == "/graphql":
            # A query names it in its body.
            body = Request(environ).get_data()
            text = body.decode()
            environ["wsgi.input"] = io.BytesIO(body)
        (name,) = (n for n in self.applications if n in text)
        found: Iterable[bytes] = self.applications[name](environ, start_response)
        return found


@pytest.fixture
def repositories(tmp_path: Path) -> dict[str, Repository]:
    """Give two repositories that have just been created."""
    return {
        name: new_repository(tmp_path / f"{name}.github", name=name) for name in NAMES
    }


@pytest.fixture
def login(
    repositories: dict[str, Repository], tmp_path: Path
) -> Iterator[dict[str, str]]:
    """Give the variables that lead to them, logged in."""
    several = Several({n: GitHub(r, {}, SECRET) for n, r in repositories.items()})
    server = Several({n: git.Git(r, {}, SECRET) for n, r in repositories.items()})
    applications = dict.fromkeys(HOSTS, several) | {git.HOST: server}
    with network.serving(applications, tmp_path) as leading:
        yield {**leading, **LOGIN}
    for github in several.applications.values():
        assert github.contradictions == []


def test_the_loops_do_what_they_are_for(
    template: Path,
    repositories: dict[str, Repository],
    login: dict[str, str],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    (answers,), (listed,) = blocks("yaml"), blocks("text")
    (folder / "answers.yml").write_text(answers, "utf-8")
    (folder / "repositories.txt").write_text(listed, "utf-8")
    typed = Checkout(folder, {**login, "TEMPLATE": str(template)})
    make, start, show, check = blocks("sh")
    typed.run(make)
    # Again, with work of somebody's in one of them: nothing is touched.
    (folder / NAMES[0] / "README.md").write_text("Ours.\n", "utf-8")
    heads = [here.ask("rev-parse", "main") for here in repositories.values()]
    assert "is there already" in typed.run(make).stdout
    assert [here.ask("rev-parse", "main") for here in repositories.values()] == heads
    mine = Checkout(folder / NAMES[0])
    assert mine.changes() == " M README.md\n"
    mine.run("git checkout -q README.md")
    for name, here in repositories.items():
        kind = name.rpartition("-")[2]
        answered = here.ask("show", "main:.copier-answers.yml")
        assert f"kind: {kind}\n" in answered
        assert "coverage_threshold: 85" in answered
        assert {r["target"] for r in here.settings.rulesets} == {"branch", "tag"}
    typed.run(start)
    update = Dispatch("template-update.yml", "refs/heads/main", {})
    assert [r.dispatches for r in repositories.values()] == [[update]] * 2
    here = repositories[NAMES[0]]
    here.commit(None, "template-update")
    asked = {"title": "Update", "head": "template-update", "base": "main"}
    here.pulls.append(bodies.pull(here, 1, asked, "update-app[bot]"))
    shown = typed.run(show).stdout.splitlines()
    assert shown == [f"https://github.com/octo/{NAMES[0]}/pull/1 Update"]
    said = "is not as its pipeline expects it"
    assert said not in typed.run(check).stdout
    here.settings.reports = False
    assert f"octo/{NAMES[0]} {said}" in typed.run(check).stdout
    assert f"octo/{NAMES[1]} {said}" not in typed.run(check).stdout
