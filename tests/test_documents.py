"""What the documents say: links lead somewhere, names exist, commands and numbers are those of the pipeline."""

import itertools
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import QUESTIONS, ROOT, Project, Renderer, npm_packages, run, tool
from markdown_it import MarkdownIt
from markdown_it.token import Token

MARKDOWN = MarkdownIt("commonmark").enable("table")

# Each kind, and each answer that the documents depend on, on and off.
ANSWERS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "service": {"kind": "service", "github_user": "Octo", "codecov": True},
    "service, nothing on": {
        "kind": "service",
        "pypi": False,
        "docker": False,
        "template_updates": False,
    },
    "mcp": {"kind": "mcp", "github_user": "Octo", "pypi": False},
    "mcp, nothing on": {
        "kind": "mcp",
        "github_user": "Octo",
        "pypi": False,
        "docker": False,
    },
    "library": {"kind": "library", "user_email": "a_b@example.org"},
    "library, all on": {
        "kind": "library",
        "docker": True,
        "github_user": "Octo",
        "codecov": True,
        "user_email": "a_b@example.org",
        "license": "proprietary",
    },
    "library, nothing on": {
        "kind": "library",
        "github_user": "Octo",
        "pypi": False,
        "template_updates": False,
        "pull_request_matrix": "lean",
    },
}
each_project = pytest.mark.parametrize("name", ANSWERS)


def documents(root: Path) -> list[Path]:
    """Give a project's documents."""
    return [*sorted(root.glob("*.md")), *sorted(root.glob("docs/**/*.md"))]


def texts(project: Project) -> dict[str, str]:
    """Give the text of each document by its path."""
    return {
        path.relative_to(project.path).as_posix(): path.read_text("utf-8")
        for path in documents(project.path)
    }


@pytest.mark.quick
@each_project
def test_each_project_has_its_documents(name: str, render: Renderer) -> None:
    assert list(texts(render(**ANSWERS[name]))) == [
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
        "docs/care.md",
        "docs/costs.md",
        "docs/pipeline.md",
        "docs/releasing.md",
        "docs/setup.md",
        "docs/troubleshooting.md",
        "docs/workflows.md",
    ]


# ---- Links -----------------------------------------------------------------------------------------------------------


def tokens(text: str) -> Iterator[Token]:
    """Give the blocks of a document and what is inside their lines."""
    for token in MARKDOWN.parse(text):
        yield token
        yield from token.children or []


def anchors(text: str) -> set[str]:
    """Give the anchors that GitHub makes of a document's headings."""
    found: Counter[str] = Counter()
    names = set()
    blocks = MARKDOWN.parse(text)
    for before, block in itertools.pairwise(blocks):
        if before.type == "heading_open":
            shown = "".join(child.content for child in block.children or [])
            name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            names.add(f"{name}-{found[name]}" if found[name] else name)
            found[name] += 1
    return names


def broken_links(root: Path, repository: str = "") -> list[str]:
    """Give the links of a project's documents that lead nowhere inside it.

    Args:
        root: The project's folder.
        repository: Its address; links to its files and workflows there are looked up here.
    """
    broken = []
    for document in documents(root):
        for token in tokens(document.read_text("utf-8")):
            link = str(token.attrs.get("href") or token.attrs.get("src") or "")
            if not link or leads_somewhere(root, document, link, repository):
                continue
            broken.append(f"{document.relative_to(root).as_posix()}: {link}")
    return broken


def leads_somewhere(root: Path, document: Path, link: str, repository: str) -> bool:
    """Tell whether a link leads to a file, with that anchor, or out of the project."""
    base = document.parent
    if repository and link.startswith(f"{repository}/actions/workflows/"):
        workflow = link.removeprefix(f"{repository}/actions/").partition("?")[0]
        return (root / ".github" / workflow.removesuffix("/badge.svg")).is_file()
    if repository and link.startswith(f"{repository}/blob/main/"):
        base, link = root, link.removeprefix(f"{repository}/blob/main/")
    if re.match(r"https?://|mailto:", link):
        return True
    path, _, anchor = link.partition("#")
    target = (base / path).resolve() if path else document
    if not target.is_relative_to(root.resolve()) or not target.exists():
        return False
    return not anchor or anchor in anchors(target.read_text("utf-8"))


@pytest.mark.quick
def test_the_links_of_this_repository_lead_somewhere() -> None:
    assert broken_links(ROOT) == []


@pytest.mark.quick
@each_project
def test_the_links_of_a_project_lead_somewhere(name: str, render: Renderer) -> None:
    repository = "https://github.com/Octo/sample-project"
    assert broken_links(render(**ANSWERS[name]).path, repository) == []


@pytest.mark.quick
def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/a.yml").touch()
    here = "https://github.com/o/p"
    good = [
        "docs/a.md#two-words",
        "#top",
        "docs/a.md#top-1",
        f"{here}/blob/main/docs/a.md#top",
        f"{here}/actions/workflows/a.yml/badge.svg?branch=main",
        "https://example.org/x#y",
    ]
    bad = [
        "docs/b.md",
        "docs/a.md#two",
        "#no",
        "../outside.md",
        f"{here}/blob/main/b.md",
        f"{here}/actions/workflows/b.yml",
    ]
    links = "\n".join(f"[x]({link})" for link in good + bad)
    (tmp_path / "README.md").write_text(f"# Top\n\n{links}\n\n![x](i.png)\n", "utf-8")
    text = "# Two, `words`!\n\n# Top\n\n# Top\n\n[up](../README.md) [gone](../x.md)\n"
    (tmp_path / "docs/a.md").write_text(text, "utf-8")
    assert broken_links(tmp_path, here) == [
        *(f"README.md: {link}" for link in bad),
        "README.md: i.png",
        "docs/a.md: ../x.md",
    ]


# ---- Names of files --------------------------------------------------------------------------------------------------

SUFFIX = r"\.(?:in|ini|jinja|json|jsonl|lock|md|py|sarif|toml|txt|ya?ml)"
# A word with a known ending, a folder or file with / in it, or a hidden file.
PATH = re.compile(rf"[\w.*-]+{SUFFIX}|\.?[\w*-]+/[\w./*-]*|\.[a-z][\w.-]+")
# What is no file of the project as it is rendered, and why.
ELSEWHERE = {
    "uv.lock": "made by uv sync",
    "dist/": "made by the build",
    "dist/*": "made by the build",
    "dist/*.whl": "made by the build",
    "trivy/requirements.txt": "made by the command that names it",
    "htmlcov/summary.md": "made by the command that names it",
    "report/index.html": "written by a test run with workflows",
    "report/run.json": "written beside it",
    "report/steps.md": "written by a whole test run",
    "report/updates.md": "written by a test run with updates",
    "CODE_OF_CONDUCT.md": "the example of docs/adding.md",
    "sbom.cdx.json": "a release's file",
    "provenance.intoto.jsonl": "a release's file",
    "renovate.json": "written by a team that uses Renovate",
    ".semgrep": "a folder that a team may add",
    ".git": "not in an export",
    "answers.yml": "written by a person who renders many projects",
    "repositories.txt": "written by a person who renders many projects",
    "octo/first-service": "a repository's name in an example",
    "octo/second-library": "a repository's name in an example",
    ".html_url": "part of what GitHub answers",
    ".title": "part of what GitHub answers",
    ".rej": "an ending",
    ".jinja": "an ending",
}
# Where a name that stands alone may be.
FOLDERS = (".", ".github", ".github/workflows", "scripts")


def named_paths(text: str) -> set[str]:
    """Give what looks like a path in a document's code, and every word that ends like a file."""
    found = set()
    for token in tokens(text):
        if token.type in ("code_inline", "fence"):
            # A repository of GitHub's is no path.
            code = re.sub(r"(--repo|repo create) \S+", "", token.content)
            words = re.split(r"[\s\"'`;,:()<>\[\]]+", code)
            found |= {word for word in words if PATH.fullmatch(word)}
        elif token.type == "text":
            found |= set(re.findall(rf"[\w./-]*\w{SUFFIX}\b", token.content))
    # Semgrep's rule packs.
    return {path for path in found if not re.fullmatch(r"p/[a-z-]+", path)}


def unknown_paths(root: Path, text: str) -> set[str]:
    """Give the paths in a document that the project does not have."""
    return {
        path
        for path in named_paths(text) - ELSEWHERE.keys()
        if not any(any((root / folder).glob(path.rstrip("/"))) for folder in FOLDERS)
    }


@pytest.mark.quick
@each_project
def test_every_file_that_is_named_is_there(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    unknown = {
        n: unknown_paths(project.path, text) for n, text in texts(project).items()
    }
    assert {n: paths for n, paths in unknown.items() if paths} == {}


@pytest.mark.quick
def test_every_file_that_is_named_in_this_repository_is_there(render: Renderer) -> None:
    rendered = render(**ANSWERS["service"]).path
    for path in documents(ROOT):
        text = path.read_text("utf-8")
        # Its documents speak of its own files and of those that projects get.
        unknown = unknown_paths(ROOT, text) & unknown_paths(rendered, text)
        assert unknown == set(), path


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "`gone.yml`",
        "Plain gone.py here.",
        "```sh\nuv run scripts/gone.py --help\n```",
        "`gone/`",
        "`.gone`",
        "| a |\n| --- |\n| `.github/workflows/gone.yml` |",
        '```mermaid\nflowchart LR\n  a["gone.yml"]\n```',
    ],
)
def test_a_file_that_is_named_and_missing_is_found(text: str, render: Renderer) -> None:
    (found,) = unknown_paths(render().path, text)
    assert "gone" in found


@pytest.mark.quick
def test_files_that_are_there_are_found_where_they_are(render: Renderer) -> None:
    text = "`tests.yml`, scripts/plan.py, `src/`, `GET /health`, `v1.2.3`, `.gitleaks.toml`, `tests/`"
    assert len(named_paths(text)) == 5
    assert unknown_paths(render().path, text) == set()


# ---- What is switched off --------------------------------------------------------------------------------------------

# Words that a document may say only if the answer is on.
WORDS = {
    "service": r"/health|uvicorn|fastapi|log_level|turn healthy",
    "mcp": r"\bmcp|model context protocol|handshake",
    "server": r"\bserver\b",
    "pypi": r"pypi|publish\.yml|trusted publish|yank|the index",
    "docker": r"docker|\bimages?\b|ghcr\.io|\bcontainer",
    "codecov": r"codecov",
    "template_updates": r"template-update",
    "github_user": r"https://github\.com/|octo",
}


def is_on(word: str, answers: Mapping[str, Any]) -> bool:
    """Tell whether the answers bring what a group of words is about."""
    if word in ("service", "mcp"):
        return bool(answers["kind"] == word)
    if word == "server":
        return bool(answers["kind"] != "library")
    return bool(answers[word])


def said(project: Project) -> set[str]:
    """Give the groups of words that the project's documents use."""
    text = "\n".join(texts(project).values())
    return {word for word, pattern in WORDS.items() if re.search(pattern, text, re.I)}


@pytest.mark.quick
@each_project
def test_nothing_is_described_that_is_off_and_all_that_is_on(
    name: str, render: Renderer
) -> None:
    project = render(**ANSWERS[name])
    assert said(project) == {word for word in WORDS if is_on(word, project.answers)}


@pytest.mark.quick
@pytest.mark.parametrize("word", WORDS)
def test_each_answer_is_tried_on_and_off(word: str, render: Renderer) -> None:
    # Else the test above would not show that the words are found, or that they can be absent.
    tried = [render(**answers).answers for answers in ANSWERS.values()]
    assert {is_on(word, answers) for answers in tried} == {True, False}


# ---- Tables, commands and numbers ------------------------------------------------------------------------------------


def rows(text: str, first: str) -> list[list[str]]:
    """Give the rows of the one table whose first heading is this; each cell as it is written."""
    cells: list[list[list[str]]] = []
    for block in tokens(text):
        if block.type == "table_open":
            cells.append([])
        elif block.type == "tr_open":
            cells[-1].append([])
        elif block.type in ("th_open", "td_open"):
            cells[-1][-1].append("")
        elif block.type == "inline" and block.level > 3 and cells:
            cells[-1][-1][-1] = block.content
    (table,) = [table for table in cells if table[0][0] == first]
    return table[1:]


def local_command(workflow: Path) -> str:
    """Give the command in the head of a workflow."""
    match = re.search(r"^# Locally: (.+)$", workflow.read_text("utf-8"), re.M)
    assert match, f"{workflow} does not say its local command"
    return match[1]


def wrong_commands(table: list[list[str]], workflows: Path, column: int) -> list[str]:
    """Give the workflows that a table lacks, has too many, or has with another command than theirs."""
    said = {row[0].strip("`"): row[column] for row in table}
    there = {path.name: f"`{local_command(path)}`" for path in workflows.glob("*.yml")}
    return sorted(
        name
        for name in said.keys() | there.keys()
        # The manual does not offer a release as something to try.
        if said.get(name) != there.get(name)
        and said.get(name) != "see [releasing](releasing.md)"
    )


@pytest.mark.quick
@each_project
def test_the_manual_names_each_workflow_with_its_own_command(
    name: str, render: Renderer
) -> None:
    project = render(**ANSWERS[name])
    table = rows(project.text("docs/pipeline.md"), "workflow")
    assert wrong_commands(table, project.path / ".github/workflows", 3) == []
    assert project.text("docs/pipeline.md").splitlines()[2].startswith(f"{len(table)} ")


@pytest.mark.quick
def test_the_readme_names_each_workflow_with_its_own_command() -> None:
    table = rows((ROOT / "README.md").read_text("utf-8"), "workflow")
    assert wrong_commands(table, ROOT / "template/.github/workflows", 3) == []


@pytest.mark.quick
def test_wrong_commands_are_found(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yml").write_text(f"# Locally: run {name}\n", "utf-8")
    table = [["`a.yml`", "`run a`"], ["`b.yml`", "`run x`"], ["`d.yml`", "`run d`"]]
    assert wrong_commands(table, tmp_path, 1) == ["b.yml", "c.yml", "d.yml"]


@pytest.mark.quick
def test_the_readme_explains_each_question() -> None:
    table = rows((ROOT / "README.md").read_text("utf-8"), "question")
    assert sorted(row[0] for row in table) == sorted(f"`{name}`" for name in QUESTIONS)


@pytest.mark.quick
def test_rows_are_read_from_the_table_that_is_asked_for() -> None:
    text = "| a | b |\n| --- | --- |\n| `1` | x |\n\ntext\n\n| c | b |\n| --- | --- |\n| 2 | |\n"
    assert rows(text, "a") == [["`1`", "x"]]
    assert rows(text, "c") == [["2", ""]]
    with pytest.raises(ValueError, match="not enough"):
        rows(text, "d")


def workflows(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the workflows of a folder."""
    return {
        path.name: yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506
        for path in sorted(folder.glob("*.yml"))
    }


def required_checks(all_workflows: Mapping[str, dict[str, Any]]) -> set[str]:
    """Give the check that each workflow of a merge queue reports: its job "passed", or the one named like it."""
    return {
        (jobs := workflow["jobs"])["passed" if "passed" in jobs else name.removesuffix(".yml")]["name"]
        for name, workflow in all_workflows.items()
        if "merge_group" in workflow["on"]
    }  # fmt: skip


def checks_said(manual: str) -> set[str]:
    """Give the checks that the manual says to require."""
    section = manual.partition("## Required checks\n")[2].partition("\n## ")[0]
    return set(re.findall(r"`([^`]+)`", section))


@pytest.mark.quick
@each_project
def test_the_manual_names_the_checks_to_require(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    checks = required_checks(workflows(project.path / ".github/workflows"))
    assert len(checks) == (8 if project.answers["docker"] else 7)
    assert checks_said(project.text("docs/pipeline.md")) == checks


@pytest.mark.quick
def test_a_check_that_is_not_said_is_found() -> None:
    job = {"name": "A passed"}
    queued = {"on": {"merge_group": ""}, "jobs": {"x": {"name": "X"}, "passed": job}}
    other = {"on": {"push": ""}, "jobs": {"b": {"name": "B"}}}
    assert required_checks({"a.yml": queued, "b.yml": other}) == {"A passed"}
    assert checks_said("## Required checks\n\n`B`, `C`\n\n## Next\n\n`D`\n") == {
        "B",
        "C",
    }


@pytest.mark.quick
@pytest.mark.parametrize(
    "pythons", [["3.12"], ["3.11", "3.13"], ["3.10", "3.11", "3.12"]]
)
def test_the_manual_counts_jobs_as_the_plan_does(
    pythons: list[str], render: Renderer
) -> None:
    project = render(kind="library", python_versions=pythons)
    table = {
        row[0]: [cell.partition(":")[0] for cell in row[1:]]
        for row in rows(project.text("docs/pipeline.md"), "mode")
    }
    for mode, private in (("`full`", "false"), ("`lean`", "true")):
        plan = [sys.executable, "scripts/plan.py", "jobs", "--event=pull_request"]
        printed = run([*plan, f"--private={private}"], cwd=project.path).stdout
        outputs = dict(line.split("=", 1) for line in printed.splitlines())
        counts = [str(len(json.loads(outputs[kind]))) for kind in ("tests", "installs")]
        assert table[mode] == counts


def counted() -> dict[str, int]:
    """Count what the README's comparison counts."""
    all_workflows = workflows(ROOT / "template/.github/workflows")
    jobs = [
        job for workflow in all_workflows.values() for job in workflow["jobs"].values()
    ]
    steps = [step for job in jobs for step in job.get("steps", [])]
    hooks = yaml.safe_load(
        (ROOT / "template/.pre-commit-config.yaml").read_text("utf-8")
    )
    images = [p.read_text("utf-8") for p in ROOT.glob("extensions/images/*/Dockerfile")]
    images += [job["container"]["image"] for job in jobs if "container" in job]
    return {
        "workflows": len(all_workflows),
        "jobs in them": len(jobs),
        "steps that run a command": sum("run" in step for step in steps),
        "checks that a merge can require": len(required_checks(all_workflows)),
        "commit hooks, the one over all history included": sum(
            len(repository["hooks"]) for repository in hooks["repos"]
        ),
        "uses of third-party actions, each pinned to a full commit": sum(
            re.search("@[0-9a-f]{40}$", step.get("uses", "")) is not None
            for step in steps
        ),
        "container images pinned by digest": sum(
            "@sha256:" in image for image in images
        ),
        "systems and Pythons tested, with the default answers": 3
        * len(QUESTIONS["python_versions"]["default"]),
        "secrets to keep in order to publish": 0,
        "questions to answer": len(QUESTIONS),
    }


@pytest.mark.quick
def test_the_readme_counts_right() -> None:
    table = rows((ROOT / "README.md").read_text("utf-8"), "what")
    assert {row[0]: int(row[2]) for row in table} == counted()
    steps = [
        step
        for workflow in workflows(ROOT / "template/.github/workflows").values()
        for job in workflow["jobs"].values()
        for step in job.get("steps", [])
    ]
    assert counted()[table[5][0]] == sum("uses" in step for step in steps)


# ---- Versions that are moved by hand ---------------------------------------------------------------------------------

LIST = ROOT / "tests/data/versions.toml"


def versions_said(text: str) -> list[tuple[str, str]]:
    """Give each tool and version that the commands of a document name."""
    return re.findall(r"\b(copier|semgrep)(?:==|@)([\d.]+\d)", text)


@pytest.mark.quick
def test_the_documents_name_the_versions_in_use() -> None:
    tools = tomllib.loads(LIST.read_text("utf-8"))["tools"]
    sources = [*documents(ROOT), *ROOT.glob("template/docs/*")]
    said = {
        pair for source in sources for pair in versions_said(source.read_text("utf-8"))
    }
    assert said == {("semgrep", tools["semgrep"])}
    assert versions_said("uvx semgrep==1.2.3 scan, copier@4.5 copy") == [
        ("semgrep", "1.2.3"),
        ("copier", "4.5"),
    ]


@pytest.mark.quick
def test_the_maintainers_page_says_where_each_version_stands() -> None:
    tools = tomllib.loads(LIST.read_text("utf-8"))["tools"]
    table = rows((ROOT / "docs/maintaining.md").read_text("utf-8"), "tool")
    assert {row[0] for row in table} == tools.keys()
    for tool_name, where in table:
        for place in re.findall(r"`([^`]+)`", where):
            assert tools[tool_name] in (ROOT / place).read_text("utf-8"), place


# ---- Form ------------------------------------------------------------------------------------------------------------


def misformed(data: bytes) -> bool:
    """Tell whether a document has a foreign line end, white space at a line's end, or no single last line break."""
    return re.search(rb"\r|[ \t]\n|^\n|\n\n\Z|\n\n\n|[^\n]\Z", data) is not None


@pytest.mark.quick
@each_project
def test_documents_are_well_formed(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    assert [d for d in documents(project.path) if misformed(d.read_bytes())] == []


@pytest.mark.quick
@pytest.mark.parametrize(
    "data", [b"a", b"a\n\n", b"a \n", b"a\r\n", b"\na\n", b"a\n\n\nb\n"]
)
def test_a_misformed_document_is_found(data: bytes) -> None:
    assert misformed(data)
    assert not misformed(b"a\n\nb\n")


# ---- Diagrams --------------------------------------------------------------------------------------------------------

# Mermaid's own parser, and the browser's document that it asks for.
PACKAGES = ["mermaid@12.3.0", "jsdom@26.1.0"]
PARSE = """
import { JSDOM } from "jsdom";
import { readFileSync } from "node:fs";
globalThis.window = new JSDOM("").window;
globalThis.document = window.document;
const { default: mermaid } = await import("mermaid");
for (const diagram of JSON.parse(readFileSync(0, "utf-8"))) await mermaid.parse(diagram);
"""


@pytest.fixture(scope="module")
def mermaid() -> Path:
    """Give a folder, outside this repository, with Mermaid's parser in it."""
    folder = npm_packages(*PACKAGES)
    (folder / "parse.mjs").write_text(PARSE, "utf-8")
    return folder


def diagrams(text: str) -> list[str]:
    """Give the Mermaid blocks of a document."""
    return [
        t.content for t in tokens(text) if t.type == "fence" and t.info == "mermaid"
    ]


def parses(folder: Path, blocks: list[str]) -> bool:
    """Tell whether Mermaid takes each of the blocks."""
    done = subprocess.run(
        [tool("node"), "parse.mjs"],
        cwd=folder,
        input=json.dumps(blocks),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0 or "arse error" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.xdist_group("mermaid")
def test_diagrams_can_be_drawn(mermaid: Path, render: Renderer) -> None:
    sources = [(ROOT / "README.md").read_text("utf-8")]
    sources += [
        render(**answers).text("docs/pipeline.md") for answers in ANSWERS.values()
    ]
    blocks = [diagrams(source) for source in sources]
    assert [len(found) for found in blocks] == [1] * len(sources)
    assert parses(mermaid, [block for found in blocks for block in found])


@pytest.mark.xdist_group("mermaid")
@pytest.mark.parametrize(
    "mistake", ['a["x" --> b', "a --> --> b", 'a["x"] -> b', "end"]
)
def test_a_diagram_that_cannot_be_drawn_is_found(mermaid: Path, mistake: str) -> None:
    assert parses(mermaid, ["flowchart LR\n  a --> b\n"])
    assert not parses(mermaid, [f"flowchart LR\n  {mistake}\n"])
