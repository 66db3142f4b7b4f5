"""What the manual says of Renovate: its configuration is taken, it can read the answers file, and its command does so."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import PROJECT_NAME, Renderer, copier, copy_template, run, tool
from histories import make_template
from improvement import RETIRED, improve
from lives import UP, in_conflict, path_of, with_pin
from markdown_it import MarkdownIt
from packaging.version import InvalidVersion, Version
from planting import append
from test_tools import schema

# As the documentation of its manager for Copier has them.
FILES = re.compile(r"(^|/)\.copier-answers(\..+)?\.ya?ml")
UPDATE = ("update", "--skip-answered", "--defaults")
URL = "https://github.com/octo/template.git"


# ---- The configuration -----------------------------------------------------------------------------------------------


def configurations(text: str) -> list[str]:
    """Give the JSON blocks of a document."""
    blocks = MarkdownIt("commonmark").parse(text)
    return [b.content for b in blocks if b.type == "fence" and b.info == "json"]


def refused(configuration: str, folder: Path) -> str:
    """Give what Renovate's schema says against a configuration; empty when nothing."""
    (folder / "renovate.json").write_text(configuration, "utf-8")
    return schema("vendor.renovate", folder / "renovate.json")


@pytest.mark.quick
@pytest.mark.parametrize("updates", [True, False])
def test_the_configuration_proposes_updates_of_the_template_and_no_more(
    render: Renderer, tmp_path: Path, updates: bool
) -> None:
    """Dependabot is there for all else; where the project proposes updates itself, it says how to stop that."""
    text = render(template_updates=updates).text("docs/pipeline.md")
    (configuration,) = configurations(text)
    assert refused(configuration, tmp_path) == ""
    assert json.loads(configuration) == {"enabledManagers": ["copier"]}
    section = text[text.index("\n### Renovate\n") :]
    assert ("Switch `template-update.yml` off before" in section) is updates
    off = "--data template_updates=false"
    assert (off in text[: text.index("\n### Renovate\n")]) is updates


@pytest.mark.quick
@pytest.mark.parametrize(
    "broken",
    [
        '{"enabledManagers": "copier"}',
        '{"enabledManagers": ["copir"]}',
        '{"enabledManagers": ["copier"]',
    ],
)
def test_a_broken_configuration_is_refused(broken: str, tmp_path: Path) -> None:
    assert refused(broken, tmp_path)


# ---- The answers file ------------------------------------------------------------------------------------------------


def hindrances(file: str, answers: dict[str, Any]) -> list[str]:
    """Say why Renovate would propose nothing: it looks at another file, cannot ask git, or cannot compare."""
    found = []
    if not FILES.search(file):
        found.append("another name")
    if not re.fullmatch(r"(https|ssh)://\S+|git@[^:\s]+:\S+", answers["_src_path"]):
        found.append("no git URL")
    try:
        Version(answers["_commit"])
    except InvalidVersion:
        found.append("no version")
    return found


@pytest.mark.quick
@pytest.mark.parametrize(
    ("file", "source", "commit", "why"),
    [
        ("copier-answers.yml", URL, "v1.0.0", "another name"),
        (".copier-answers.json", URL, "v1.0.0", "another name"),
        (".copier-answers.yml", "/home/ada/template", "v1.0.0", "no git URL"),
        (".copier-answers.yml", "../template", "v1.0.0", "no git URL"),
        (".copier-answers.yml", "gh:octo/template", "v1.0.0", "no git URL"),
        (".copier-answers.yml", URL, "v1.0.0-3-gabcdef0", "no version"),
        (".copier-answers.yml", URL, "abcdef0", "no version"),
    ],
)
def test_what_renovate_cannot_read_is_noticed(
    file: str, source: str, commit: str, why: str
) -> None:
    assert hindrances(file, {"_src_path": source, "_commit": commit}) == [why]


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a committed project of a template's first version, rendered from a git URL that leads to a folder here."""
    folder = tmp_path_factory.mktemp("renovate")
    improved = copy_template(folder / "improved")
    improve(improved)
    source = make_template(folder / "git", {"v1.0.0": template, "v2.0.0": improved})
    made = folder / "project"
    done = copier(
        *("copy", "--quiet", "--defaults", "--vcs-ref=v1.0.0"),
        *(f"--data=project_name={PROJECT_NAME}", "--data=kind=library"),
        *(URL, str(made)),
        env=leads_to(source),
    )
    assert done.returncode == 0, done.stderr
    git = tool("git")
    for command in (
        ["init", "-q", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "-q", "--message=Render"],
    ):
        run([git, *command], cwd=made)
    return made


def leads_to(source: Path) -> dict[str, str]:
    """Give the variables that let the template's URL lead to a folder, for git alone."""
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{source.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": URL,
    }


def test_a_project_can_be_read(project: Path) -> None:
    """Rendered from a git URL that has versions, as README.md has it."""
    (file,) = project.glob(".copier-answers*")
    answers = yaml.safe_load(file.read_text("utf-8"))
    assert answers["_src_path"] == URL
    assert answers["_commit"] == "v1.0.0"
    assert hindrances(file.name, answers) == []


def test_its_command_does_what_the_manual_says(project: Path, tmp_path: Path) -> None:
    """Without trust: a moved pin is a marked conflict, a changed file that is retired is gone, nothing is locked."""
    lived = tmp_path / "project"
    run([tool("git"), "clone", "-q", str(project), str(lived)])
    pin = f"actions/checkout@{UP} # v9.0.0"
    kept = with_pin("up", pin, pin).live(lived)
    append(RETIRED, "# Ours.\n")(lived)
    run([tool("git"), "commit", "-q", "--all", "--message=Live"], cwd=lived)
    done = copier(
        *(*UPDATE, "--answers-file", ".copier-answers.yml", "--vcs-ref", "v2.0.0"),
        cwd=lived,
        env=leads_to(project.parent / "git"),
    )
    assert done.returncode == 0, done.stderr
    answers = yaml.safe_load((lived / ".copier-answers.yml").read_text("utf-8"))
    assert hindrances(".copier-answers.yml", answers) == []
    assert answers["_commit"] == "v2.0.0"
    assert in_conflict(lived, path_of("tests"))
    assert kept(lived) == []
    assert not (lived / RETIRED).exists()
    assert not (lived / "uv.lock").exists()
