"""What the manual says to type when a release was a mistake does what it says."""

import textwrap

from engine import registry
from engine.fixtures import Execute, MakeRepository
from engine.repository import Repository
from markdown_it import MarkdownIt
from planting import append, write
from policy import ACTIONS

# A person's rights, and the two commands that a person has logged in with.
BY_HAND = """\
# Stands in for a person.
# Locally: true
name: By hand
on:
  workflow_dispatch:
permissions: {}
jobs:
  by-hand:
    name: By hand
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      contents: write # edit releases
      packages: write # move tags
    steps:
      - name: Check out
        uses: actions/checkout@CHECKOUT
        with:
          persist-credentials: false
      - name: Log in to the registry
        uses: docker/login-action@LOGIN
        with:
          registry: ghcr.io
          username: ${{ github.actor }}
          password: ${{ github.token }}
      - name: Type
        env:
          GH_TOKEN: ${{ github.token }}
        run: |
"""


def commands(here: Repository, heading: str) -> str:
    """Give what the release guide says to type under a heading."""
    guide = here.ask("show", "main:docs/releasing.md")
    blocks = iter(MarkdownIt("commonmark").parse(guide))
    for block in blocks:
        if block.type == "heading_open" and next(blocks).content == heading:
            break
    found = ""
    for block in blocks:
        if block.type == "heading_open":
            break
        if block.type == "fence":
            assert block.info == "sh"
            found += block.content
    return found


def test_a_bad_release_is_undone_by_what_the_manual_says(
    released: MakeRepository, execute: Execute
) -> None:
    here = released()
    here.dispatches.clear()
    runs = [execute(here, "docker.yml", here.dispatched("refs/tags/v1.2.0"))]
    here.commit(append("README.md", "\nBad.\n"), "main")
    runs.append(
        execute(here, "release.yml", here.tag("v1.2.1"), system="ubuntu-latest")
    )
    runs.append(execute(here, "docker.yml", here.dispatched("refs/tags/v1.2.1")))
    assert [run.red for run in runs] == [set()] * 3
    here.dispatches.clear()
    before = registry.tags(here)
    assert before["v1"] == before["v1.2"] == before["v1.2.1"]
    assert here.latest == "v1.2.1"
    bodies = [(made["body"], made["assets"]) for made in here.releases]

    typed = commands(here, "When a release was a mistake")
    assert typed.count("\n") == 4
    typed = typed.replace("v1.2.3", "v1.2.1").replace("v1.2.2", "v1.2.0")
    workflow = BY_HAND.replace("CHECKOUT", ACTIONS["actions/checkout"]["sha"])
    workflow = workflow.replace("LOGIN", ACTIONS["docker/login-action"]["sha"])
    text = workflow + textwrap.indent(typed, " " * 10)
    here.commit(write(".github/workflows/by-hand.yml", text), "main")
    result = execute(here, "by-hand.yml", here.dispatched())

    assert result.red == set(), result.failures
    good = before["v1.2.0"]
    assert registry.tags(here) == before | {"v1.2": good, "v1": good}
    assert here.latest == "v1.2.0"
    assert [(made["tag_name"], made["name"]) for made in here.releases] == [
        ("v1.2.0", "v1.2.0"),
        ("v1.2.1", "v1.2.1 (withdrawn)"),
    ]
    assert [(made["body"], made["assets"]) for made in here.releases] == bodies
    assert here.dispatches == []
