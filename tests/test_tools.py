"""Ready-made checkers over what is rendered for all pairs of answers: none has anything to report.

Most files are the same in most renders, so each checker sees each distinct set of files once. For each checker there is
something broken that it reports.
"""

import hashlib
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Project, Renderer, go_tool, run, tool
from test_render import PAIRS

pytestmark = pytest.mark.xdist_group("pairs")

# Which of a project's files follow which of the schemas that check-jsonschema brings.
SCHEMAS = {
    "vendor.github-workflows": r"\.github/workflows/.+\.yml",
    "vendor.dependabot": r"\.github/dependabot\.yml",
    "vendor.github-issue-forms": r"\.github/ISSUE_TEMPLATE/(?!config).+\.yml",
    "vendor.github-issue-config": r"\.github/ISSUE_TEMPLATE/config\.yml",
    "vendor.codecov": r"codecov\.yml",
}


def digest(path: Path) -> str:
    """Give a short name for what a file holds."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


@pytest.fixture(scope="module")
def projects(render: Renderer) -> list[Project]:
    """Give a render of each set of answers."""
    return [render(**answers) for answers in PAIRS]


def distinct_files(projects: list[Project], pattern: str) -> dict[str, Path]:
    """Give every distinct file whose path matches, by its name and content."""
    return {
        f"{name} {digest(path)}": path
        for project in projects
        for name, path in project.files.items()
        if re.fullmatch(pattern, name)
    }


def distinct_sets(projects: list[Project], pattern: str) -> list[dict[str, Path]]:
    """Give every distinct set of files that stand together in one project and whose paths match."""
    found = {}
    for project in projects:
        chosen = {n: p for n, p in project.files.items() if re.fullmatch(pattern, n)}
        found[tuple((name, digest(path)) for name, path in chosen.items())] = chosen
    return list(found.values())


@pytest.fixture(scope="module")
def github_folders(
    projects: list[Project], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Give repositories that hold each distinct set of files under .github, and nothing else."""
    root = tmp_path_factory.mktemp("github")
    folders = []
    for number, files in enumerate(distinct_sets(projects, r"\.github/.+\.yml")):
        folder = root / str(number)
        for name, source in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
        # actionlint looks for called workflows from the repository's root.
        run([tool("git"), "init", "--quiet", str(folder)])
        folders.append(folder)
    return folders


# ---- Workflows -------------------------------------------------------------------------------------------------------


def zizmor(*folders: Path) -> list[dict[str, Any]]:
    """Give zizmor's findings; what a comment in the file exempts is no finding."""
    done = run(
        [
            *(tool("zizmor"), "--offline", "--persona=auditor", "--no-progress"),
            *("--no-exit-codes", "--format=json", *map(str, folders)),
        ]
    )
    return [found for found in json.loads(done.stdout) if not found["ignored"]]


def actionlint(folder: Path) -> str:
    """Give actionlint's report on a repository's workflows, with the version that its hooks name."""
    config = Path(__file__).parents[1] / "template/.pre-commit-config.yaml"
    pin = re.search(
        r'"(github\.com/rhysd/actionlint/cmd/actionlint)@(v[\d.]+)"',
        config.read_text("utf-8"),
    )
    assert pin
    return run([go_tool(*pin.groups()), "-no-color"], cwd=folder, check=False).stdout


def schema(name: str, *files: Path) -> str:
    """Give what a schema says against files; empty when nothing."""
    done = run(
        [tool("check-jsonschema"), f"--builtin-schema={name}", *map(str, files)],
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.quick
def test_zizmor_finds_nothing(github_folders: list[Path]) -> None:
    """No unsafe workflow, by the strictest persona."""
    found = zizmor(*github_folders)
    assert [(f["ident"], f["locations"][0]["symbolic"]) for f in found] == []


@pytest.mark.quick
def test_actionlint_finds_nothing(github_folders: list[Path]) -> None:
    """No workflow that GitHub would refuse or misunderstand."""
    for folder in github_folders:
        assert actionlint(folder) == ""


@pytest.mark.quick
@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_are_followed(name: str, projects: list[Project]) -> None:
    """GitHub's, Dependabot's and Codecov's files are what their readers expect."""
    files = distinct_files(projects, SCHEMAS[name])
    assert files
    assert schema(name, *files.values()) == ""


BROKEN_WORKFLOW = """\
name: Broken
on: [push]
jobs:
  job:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo ${{ github.event.issue.title }}
"""


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Path]:
    """Give a repository with a workflow that no checker likes."""
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "broken.yml").write_text(BROKEN_WORKFLOW, "utf-8")
    run([tool("git"), "init", "--quiet", str(tmp_path)])
    yield tmp_path


@pytest.mark.quick
def test_zizmor_would_find_something(broken: Path) -> None:
    """It reports an injection and an action that is not pinned."""
    found = {finding["ident"] for finding in zizmor(broken)}
    assert {"template-injection", "unpinned-uses"} <= found


@pytest.mark.quick
def test_actionlint_would_find_something(broken: Path) -> None:
    """It reports text that a stranger could turn into a command."""
    assert "potentially untrusted" in actionlint(broken)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_would_find_something(name: str, tmp_path: Path) -> None:
    """Each refuses a file that holds something else."""
    (tmp_path / "x.yml").write_text("jobs: 1\nbody: 1\nupdates: 1\ncoverage: 1\n")
    assert schema(name, tmp_path / "x.yml")


# ---- The image -------------------------------------------------------------------------------------------------------


def hadolint(*files: Path) -> str:
    """Give hadolint's report on Dockerfiles; empty when it has none."""
    return run([tool("hadolint"), "--no-color", *map(str, files)], check=False).stdout


@pytest.mark.quick
def test_hadolint_finds_nothing(projects: list[Project]) -> None:
    """No Dockerfile has what hadolint knows to be a mistake."""
    files = distinct_files(projects, "Dockerfile")
    assert files
    assert hadolint(*files.values()) == ""


@pytest.mark.quick
def test_hadolint_would_find_something(tmp_path: Path) -> None:
    """It reports a base image without a tag."""
    (tmp_path / "Dockerfile").write_text("FROM debian\nRUN cd /tmp\n", "utf-8")
    assert "DL3006" in hadolint(tmp_path / "Dockerfile")


# ---- The project's own hooks -----------------------------------------------------------------------------------------

# Hooks that look at one file at a time; the others need a whole project and are run by pre-commit.yml in tests/pipeline.
FILE_HOOKS = [
    "trailing-whitespace",
    "end-of-file",
    "merge-conflict",
    "rejected-hunk",
    "large-file",
    "private-key",
    "yaml",
    "toml",
    "json",
    "ruff",
    "black",
]


def hooks(folder: Path, uv_project: Path, *ids: str) -> tuple[str, str]:
    """Run a repository's hooks on all its files.

    Args:
        folder: The repository.
        uv_project: The project whose locked tools they are.
        ids: Which hooks; by default all.

    Returns:
        What the failed ones print, and what is changed afterwards.
    """
    environment = {"UV_PROJECT": str(uv_project), "NO_COLOR": "1"}
    command = [tool("uv"), "run", "--frozen", "pre-commit", "run", "--all-files"]
    reports = ""
    for one in ids or [""]:
        done = run(
            [*command, *filter(None, [one])], cwd=folder, env=environment, check=False
        )
        reports += "" if done.returncode == 0 else done.stdout + done.stderr
    changes = run([tool("git"), "status", "--porcelain"], cwd=folder).stdout
    return reports, changes


@pytest.fixture(scope="module")
def tools_project(render: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a project whose locked tools are installed."""
    folder = render().workable(tmp_path_factory.mktemp("tools") / "project")
    run([tool("uv"), "sync", "--quiet"], cwd=folder)
    return folder


def test_hooks_change_nothing_in_any_pair(
    projects: list[Project], tools_project: Path, tmp_path: Path
) -> None:
    """All pairs stand side by side in one repository, and each file hook runs once over all of them."""
    for number, project in enumerate(projects):
        shutil.copytree(project.path, tmp_path / str(number))
    commit_all(tmp_path, projects[0])
    assert hooks(tmp_path, tools_project, *FILE_HOOKS) == ("", "")


@pytest.mark.parametrize(
    "spoilt",
    [
        ("trailing-whitespace", "a.md", "# Title \n"),
        ("end-of-file", "a.txt", "text"),
        ("merge-conflict", "a.txt", "<<<<<<< HEAD\n=======\n>>>>>>> x\n"),
        ("rejected-hunk", "a.rej", "text\n"),
        ("large-file", "a.txt", "x" * 600_000 + "\n"),
        ("private-key", "a.txt", "-----BEGIN RSA PRIVATE " + "KEY-----\n"),
        ("yaml", "a.yml", "a: [\n"),
        ("toml", "a.toml", "a = \n"),
        ("json", "a.json", "{\n"),
        ("ruff", "a.py", "import os\n"),
        ("black", "a.py", '"""A module."""\n\nX = [1,2]\n'),
    ],
    ids=lambda spoilt: spoilt[0],
)
def test_a_hook_would_find_something(
    spoilt: tuple[str, str, str], render: Renderer, tools_project: Path, tmp_path: Path
) -> None:
    """Each file hook reports or changes a file that is not as it should be."""
    hook, name, text = spoilt
    (tmp_path / name).write_text(text, "utf-8")
    commit_all(tmp_path, render())
    report, _ = hooks(tmp_path, tools_project, hook)
    assert "Failed" in report


def commit_all(folder: Path, project: Project) -> None:
    """Make a folder a repository with a project's hooks, everything in it committed."""
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        shutil.copy2(project.path / name, folder / name)
    git = tool("git")
    run([git, "init", "--quiet", "--initial-branch=main"], cwd=folder)
    run([git, "add", "--all", "--force"], cwd=folder)
    run([git, "commit", "--quiet", "--message=All"], cwd=folder)


# Beside the defaults, which tests/pipeline takes: other Pythons, licences and switches.
WHOLE = [
    {"kind": "service", "python_versions": ["3.13"], "docker": False, "pypi": False},
    {"kind": "mcp", "python_versions": ["3.11"], "license": "proprietary", "codecov": True},
    {
        "kind": "library",
        "python_versions": ["3.12", "3.13"],
        "docker": True,
        "github_user": "acme",
        "user_name": 'Ada "O\'Neill"',
        "project_name": "a *b* # `c`",
        "project_description": "${{ x }} {{ y }} <b> \\ 'z' \"",
        "template_updates": False,
        "license": "BSD-3-Clause",
    },
]  # fmt: skip


@pytest.mark.parametrize("answers", WHOLE, ids=lambda answers: str(answers["kind"]))
def test_all_hooks_change_nothing(
    answers: dict[str, Any], render: Renderer, tmp_path: Path
) -> None:
    """In a committed, locked project, every hook of a commit passes as it is."""
    folder = render(**answers).workable(tmp_path / "project")
    run([tool("uv"), "sync", "--quiet"], cwd=folder)
    git = tool("git")
    run([git, "add", "--all"], cwd=folder)
    run([git, "commit", "--quiet", "--message=Lock"], cwd=folder)
    assert hooks(folder, folder) == ("", "")


@pytest.mark.quick
@pytest.mark.skipif(sys.platform == "win32", reason="one system is enough for this")
def test_every_hook_is_tried() -> None:
    """A hook that is added to the configuration is added here, or is one that sees whole projects."""
    config = Path(__file__).parents[1] / "template/.pre-commit-config.yaml"
    ids = re.findall(r"- id: (\S+)", config.read_text("utf-8"))
    whole = {
        *(
            "mypy",
            "lock",
            "workflow-schema",
            "dependabot-schema",
            "zizmor",
            "actionlint",
        ),
        *("gitleaks", "gitleaks-history"),
    }
    assert set(ids) == {*FILE_HOOKS, *whole}
