"""What the release guide says to type does what it says; each of its commands is executed."""

import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from engine import registry
from engine.fixtures import Execute, MakeRepository
from engine.repository import MAIN, Dispatch, Repository
from engine.result import Result
from markdown_it import MarkdownIt
from planting import FAST_GATES, append, write
from policy import ACTIONS
from scenarios import SHIPPED, SMALL

UNDO = "When a release was a mistake"
TAG = "refs/tags/v1.2.3"
# A person's clone, rights and log-ins. What a person pushes to GitHub goes to the repository at once.
BY_HAND = """\
# Stands in for a person.
# Locally: true
name: By hand
on:
  workflow_dispatch:
permissions: {{}}
jobs:
  by-hand:
    name: By hand
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      actions: write # start workflows
      contents: write # push tags, edit releases
      packages: write # move tags of the image
    steps:
      - name: Clone
        uses: actions/checkout@{checkout}
        with:
          persist-credentials: false
          fetch-depth: 0
      - name: Have uv
        uses: astral-sh/setup-uv@{uv}
        with:
          version: "0.13.0"
          enable-cache: false
      - name: Reach the repository
        run: git remote set-url --push origin {git}
      - name: Log in to the registry
        uses: docker/login-action@{login}
        with:
          registry: ghcr.io
          username: ${{{{ github.actor }}}}
          password: ${{{{ github.token }}}}
      - name: Type
        env:
          GH_TOKEN: ${{{{ github.token }}}}
        run: |
"""


def blocks(here: Repository) -> Iterator[tuple[str, str]]:
    """Give what the guide says to type, block by block, each with the heading that it stands under."""
    heading = ""
    tokens = iter(
        MarkdownIt("commonmark").parse(here.ask("show", "main:docs/releasing.md"))
    )
    for token in tokens:
        if token.type == "heading_open":
            heading = next(tokens).content
        if token.type == "fence":
            assert token.info == "sh"
            yield heading, token.content


def type_commands(here: Repository, execute: Execute, commands: str) -> Result:
    """Type commands in a clone of the repository."""
    actions = {
        "checkout": "actions/checkout",
        "uv": "astral-sh/setup-uv",
        "login": "docker/login-action",
    }
    pins = {name: ACTIONS[action]["sha"] for name, action in actions.items()}
    text = BY_HAND.format(git=here.git, **pins) + textwrap.indent(commands, " " * 10)
    here.commit(write(".github/workflows/by-hand.yml", text), "main")
    result = execute(here, "by-hand.yml", here.dispatched())
    assert result.red == set(), result.failures
    return result


@pytest.mark.parametrize("pypi", [True, False], ids=["PyPI", "no PyPI"])
@pytest.mark.parametrize("docker", [True, False], ids=["image", "no image"])
def test_what_is_typed_to_release_starts_what_the_guide_says(
    repository: MakeRepository, execute: Execute, pypi: bool, docker: bool
) -> None:
    here = repository(**SMALL | {"pypi": pypi, "docker": docker})
    typed = "".join(text for heading, text in blocks(here) if heading != UNDO)
    result = type_commands(here, execute, typed)
    assert "v1.2.3 is version 1.2.3, a final release." in result.log
    commit = here.ask("rev-parse", MAIN)
    assert here.object_of(TAG) == ("commit", commit)
    trial = [Dispatch("publish.yml", MAIN, {"index": "testpypi"})]
    publish = [Dispatch("publish.yml", TAG, {"index": "pypi"})]
    assert here.dispatches == [
        Dispatch("release.yml", MAIN, {"version": "1.2.3", "draft": "false"}),
        *((trial + publish) if pypi else []),
        Dispatch("release.yml", TAG, {"version": "", "draft": "false"}),
    ]


@pytest.mark.parametrize(
    "answers",
    [SHIPPED, SMALL | {"pypi": False, "docker": False}],
    ids=["with an image", "without"],
)
def test_a_bad_release_is_undone(
    repository: MakeRepository, execute: Execute, answers: dict[str, Any]
) -> None:
    """Version 1.2.3 is bad, 1.2.2 was the one before: the tags that move and "latest" go back, and all else stays."""
    here = repository(**answers)
    image = bool(answers["docker"])
    here.commit(FAST_GATES, "main")
    for version in ("v1.2.2", "v1.2.3"):
        here.commit(append("README.md", f"\n{version}\n"), "main")
        event = here.tag(version)
        runs = [execute(here, "release.yml", event, system="ubuntu-latest")]
        if image:
            runs.append(execute(here, "docker.yml", here.dispatched(event.ref)))
        assert [run.red for run in runs if run.red] == [], runs[-1].failures
    here.dispatches.clear()
    before = registry.tags(here)
    assert len(set(map(before.get, ("v1", "v1.2", "v1.2.3")))) == 1
    assert here.latest == "v1.2.3"
    stays = [(made["body"], made["assets"]) for made in here.releases]

    typed = "".join(text for heading, text in blocks(here) if heading == UNDO)
    assert typed.count("\n") == (4 if image else 2)
    type_commands(here, execute, typed)

    good = before.get("v1.2.2")
    moved = {"v1.2": good, "v1": good} if image else {}
    assert registry.tags(here) == before | moved
    assert here.latest == "v1.2.2"
    assert [(made["tag_name"], made["name"]) for made in here.releases] == [
        ("v1.2.2", "v1.2.2"),
        ("v1.2.3", "v1.2.3 (withdrawn)"),
    ]
    assert [(made["body"], made["assets"]) for made in here.releases] == stays
    assert here.dispatches == []
