"""This repository's own .github: the very files that projects get, its settings for Dependabot, and its releases."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import PYTHONS, QUESTIONS, ROOT, Renderer, load_script, run, tool, which
from test_tools import actionlint, schema, zizmor

pytestmark = pytest.mark.quick

OWN = ROOT / ".github"
WORKFLOWS = ".github/workflows"

# ---- The files that projects get ---------------------------------------------------------------------------------------

SAME = [
    f"{WORKFLOWS}/semgrep.yml",
    f"{WORKFLOWS}/ossf-scorecard.yml",
    # What these two run, and what the others read.
    "scripts/plan.py",
    ".gitleaks.toml",
    "trivy.yaml",
]
# What a project runs from its committed lock, and this repository from one that it makes.
WITH_LOCK = [
    f"{WORKFLOWS}/gitleaks.yml",
    f"{WORKFLOWS}/pre-commit.yml",
    f"{WORKFLOWS}/trivy.yml",
]
LOCK_STEP = """\
      - name: Make the lock that this repository does not commit
        run: uv lock

"""


def without_lock_step(text: str) -> str:
    """Give a workflow without the one step by which it may differ; as it is where that is not there just once."""
    return text.replace(LOCK_STEP, "") if text.count(LOCK_STEP) == 1 else text


@pytest.mark.parametrize("name", SAME)
def test_a_file_is_the_rendered_one(name: str, render: Renderer) -> None:
    assert (ROOT / name).read_bytes() == render().files[name].read_bytes()


def test_setup_requires_the_checks_of_this_repository(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Run here, the script that sets up projects does the same for this repository (docs/maintaining.md)."""
    scripts = ROOT / "template/scripts"
    # It imports another script.
    monkeypatch.syspath_prepend(scripts)
    setup = load_script(scripts / "setup_github.py")
    monkeypatch.chdir(ROOT)
    assert sorted(setup.required_checks(setup.read_workflows())) == [
        (name, "")
        for name in ("Gitleaks", "Pre-commit", "Semgrep", "Tests passed", "Trivy")
    ]


@pytest.mark.parametrize("name", WITH_LOCK)
def test_a_workflow_differs_by_the_lock_alone(name: str, render: Renderer) -> None:
    """Byte for byte, once that step is taken out."""
    own = (ROOT / name).read_bytes().decode()
    rendered = render().files[name].read_bytes().decode()
    assert own != rendered
    assert without_lock_step(own) == rendered


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace("run: uv lock\n", "run: uv lock --upgrade\n"),
        lambda text: text.replace(LOCK_STEP, LOCK_STEP * 2),
        lambda text: text.replace("timeout-minutes: 15", "timeout-minutes: 16"),
        lambda text: text + "\n",
    ],
)
def test_another_difference_is_found(spoil: Any, render: Renderer) -> None:
    name = WITH_LOCK[0]
    own = (ROOT / name).read_text("utf-8")
    assert spoil(own) != own
    assert without_lock_step(spoil(own)) != render().text(name)


def hooks(text: str) -> dict[str, dict[str, Any]]:
    """Give the hooks of a configuration by their ids."""
    return {h["id"]: h for repo in yaml.safe_load(text)["repos"] for h in repo["hooks"]}


def test_the_hooks_are_a_project_s(render: Renderer) -> None:
    """With the same pins: Ruff formats in Black's place, and there is no lock to compare or to be large."""
    own = hooks((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    theirs = hooks(render().text(".pre-commit-config.yaml"))
    assert theirs.keys() - own.keys() == {"black", "lock"}
    assert own.keys() - theirs.keys() == {"ruff-format"}
    del theirs["large-file"]["exclude"]
    assert [id_ for id_ in own.keys() & theirs.keys() if own[id_] != theirs[id_]] == []


# ---- Ready-made checkers -----------------------------------------------------------------------------------------------


@pytest.fixture
def github(tmp_path: Path) -> Path:
    """Give a repository with a copy of this one's .github and nothing else."""
    shutil.copytree(OWN, tmp_path / ".github")
    run([tool("git"), "init", "--quiet", str(tmp_path)])
    return tmp_path


# Each gives what it has to say about a repository's .github; nothing where that is as it should be.
CHECKERS: dict[str, Callable[[Path], Any]] = {
    "schema": lambda folder: schema(
        "vendor.github-workflows", *(folder / WORKFLOWS).glob("*.yml")
    ),
    "dependabot": lambda folder: schema(
        "vendor.dependabot", folder / ".github/dependabot.yml"
    ),
    "actionlint": actionlint,
    "zizmor": zizmor,
}


@pytest.mark.parametrize("checker", CHECKERS)
def test_no_checker_has_anything_to_say(checker: str, github: Path) -> None:
    """GitHub's schemas, actionlint and zizmor; tests/test_policy.py has the rules that are the template's own."""
    assert not CHECKERS[checker](github)


@pytest.mark.parametrize(
    ("file", "old", "new", "checker"),
    [
        ("workflows/tests.yml", "fail-fast:", "fail-fats:", "schema"),
        ("workflows/tests.yml", "matrix.without }}", "matrix.with }}", "actionlint"),
        ("workflows/release.yml", "persist-credentials: false", "", "zizmor"),
        ("dependabot.yml", "interval: weekly", "interval: often", "dependabot"),
    ],
)
def test_a_checker_would_say_something(
    file: str, old: str, new: str, checker: str, github: Path
) -> None:
    path = github / ".github" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    assert CHECKERS[checker](github)


# ---- Dependabot --------------------------------------------------------------------------------------------------------

# What Dependabot reads in a folder, for each ecosystem. Of actions it reads .github/workflows where the folder is the
# root, and any YAML file elsewhere; it reads neither files that end in .jinja nor hooks of `repo: local`.
READS = {
    "github-actions": ["*.yml"],
    "uv": ["pyproject.toml"],
    "docker": ["Dockerfile"],
}


def files_read(update: dict[str, Any], root: Path) -> dict[str, list[Path]]:
    """Give the files that an entry has Dependabot read, by the folders that it names."""
    ecosystem = update["package-ecosystem"]
    found = {}
    for directory in update.get("directories") or [update["directory"]]:
        below = directory.strip("/")
        if ecosystem == "github-actions" and not below:
            below = WORKFLOWS
        patterns = READS.get(ecosystem, [])
        found[directory] = [
            file
            for pattern in patterns
            for file in sorted(root.glob(f"{below}/{pattern}".lstrip("/")))
        ]
    return found


def unread(settings: dict[str, Any], root: Path) -> list[str]:
    """Give what is wrong with Dependabot's settings: folders without a file to read, and files with pins left out."""
    wrong, read = [], set()
    for update in settings["updates"]:
        for directory, files in files_read(update, root).items():
            read.update(files)
            if not files:
                wrong.append(f"{update['package-ecosystem']}: nothing in {directory}")
    sources = {
        *root.glob(f"{WORKFLOWS}/*.yml"),
        *root.glob(f"template/{WORKFLOWS}/*.yml"),
        *root.glob("extensions/images/*/Dockerfile"),
        root / "pyproject.toml",
    }
    left = sorted(file.relative_to(root).as_posix() for file in sources - read)
    return wrong + [f"no entry reads {name}" for name in left]


SETTINGS: dict[str, Any] = yaml.safe_load((OWN / "dependabot.yml").read_text("utf-8"))


def test_dependabot_reads_every_plain_source() -> None:
    """The root's own pins, and those of the template that stand in files that Dependabot can read."""
    assert unread(SETTINGS, ROOT) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/template/.github/workflows", "/extensions", "nothing in /extensions"),
        ("/extensions/images/*", "/extensions/pictures/*", "extensions/images/uv/Dockerfile"),
        ('"uv"', '"pre-commit"', "pre-commit: nothing in /"),
    ],
)  # fmt: skip
def test_what_dependabot_cannot_read_is_found(old: str, new: str, said: str) -> None:
    text = json.dumps(SETTINGS)
    assert old in text
    assert said in str(unread(json.loads(text.replace(old, new)), ROOT))


# ---- The tests' own workflow -------------------------------------------------------------------------------------------

JOBS: dict[str, Any] = yaml.safe_load((OWN / "workflows/tests.yml").read_text("utf-8"))[
    "jobs"
]


def test_the_quick_layer_runs_everywhere() -> None:
    """On each system with each Python, and once on each with little installed."""
    matrix = JOBS["quick"]["strategy"]["matrix"]
    floor = re.search(
        r'requires-python = ">=(.*)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert floor
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    oldest = PYTHONS.index(floor[1])
    assert matrix["python"] == PYTHONS[oldest : PYTHONS.index("3.14") + 1]
    assert [cell["os"] for cell in matrix["include"]] == matrix["os"]
    assert {cell["without"] for cell in matrix["include"]} == {"go gh docker"}


def test_everything_runs_with_every_python() -> None:
    """Those that a project can choose."""
    commands = [step.get("run", "") for step in JOBS["everything"]["steps"]]
    (install,) = (c for c in commands if "uv python install" in c)
    assert install.partition("python install ")[2].split() == PYTHONS


def test_a_tool_can_be_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert which("git")
    monkeypatch.setenv("WITHOUT_TOOLS", "go git")
    assert which("git") is None
    assert which("uv")
    monkeypatch.setenv("REQUIRE_ALL", "0")
    with pytest.raises(pytest.skip.Exception, match="git is missing: apt install git"):
        tool("git")


# ---- Releases ----------------------------------------------------------------------------------------------------------

notes = load_script(ROOT / ".ci" / "notes.py")
TOLD = """\
### What changes in projects

A step.

### Questions

`new` comes in the place of `old`.

### How to update

As ever.
"""
CHANGELOG = f"# Changelog\n\n## 1.10.0 - 2026-12-02\n\n{TOLD}\n## 1.1.0\n\nShort.\n"


def test_the_section_of_a_tag_is_found() -> None:
    """That one alone, without its heading."""
    assert notes.section(CHANGELOG, "v1.10.0") == TOLD


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("main", "no vX.Y.Z"),
        ("v1.10", "no vX.Y.Z"),
        ("v1.10.0rc1", "no vX.Y.Z"),
        ("v1.2.0", "has no section"),
        ("v1.1.0", "must tell"),
    ],
)
def test_a_tag_without_its_section_is_refused(tag: str, said: str) -> None:
    with pytest.raises(notes.Problem, match=said):
        notes.section(CHANGELOG, tag)


@pytest.mark.parametrize("part", notes.PARTS)
def test_an_empty_part_is_refused(part: str) -> None:
    spoilt = re.sub(rf"(### {part}\n)\n.*\n", r"\1", CHANGELOG)
    assert spoilt != CHANGELOG
    with pytest.raises(notes.Problem, match="must tell"):
        notes.section(spoilt, "v1.10.0")


def test_the_next_release_has_its_section() -> None:
    """What is under "Unreleased" will do when it gets a version for its name."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    (heading,) = re.findall(r"(?m)^## Unreleased$", changelog)
    assert notes.section(changelog.replace(heading, "## 99.0.0"), "v99.0.0")


def test_new_and_former_questions_are_named() -> None:
    """Computed values are none."""
    before = "old:\n  type: str\n\nboth:\n  type: str\n"
    now = "both:\n  type: int\nnew:\n  type: str\nseen:\n  type: str\n  when: false\n"
    assert notes.unnamed(before, now, TOLD) == []
    assert notes.unnamed(before, now, "new, old") == ["new", "old"]


def test_the_script_sees_the_questions_that_are_asked() -> None:
    assert notes.questions((ROOT / "copier.yml").read_text("utf-8")) == set(QUESTIONS)


@pytest.mark.skipif(sys.platform == "win32", reason="the job runs on Linux alone")
def test_a_release_names_what_it_asks_anew(tmp_path: Path) -> None:
    """Compared with the newest tag before it, whether its own tag is made yet or not."""
    git = tool("git")

    def commit(tag: str, copier: str, changelog: str) -> None:
        (tmp_path / "copier.yml").write_text(copier, "utf-8")
        (tmp_path / "CHANGELOG.md").write_text(changelog, "utf-8")
        for command in (["add", "."], ["commit", "-qm", tag], ["tag", tag]):
            run([git, *command], cwd=tmp_path)

    def ask(tag: str) -> tuple[int, str]:
        script = [sys.executable, str(ROOT / ".ci" / "notes.py"), tag]
        done = run(script, cwd=tmp_path, check=False)
        return done.returncode, done.stdout + done.stderr

    run([git, "init", "-q"], cwd=tmp_path)
    commit("v1.9.0", "old:\n  type: str\n", CHANGELOG)
    commit("nothing", "new:\n  type: str\n", CHANGELOG)
    assert ask("v1.10.0") == (0, TOLD)
    commit("v1.10.0", "other:\n  type: str\n", CHANGELOG)
    status, said = ask("v1.10.0")
    assert status == 1
    assert "since v1.9.0 these questions are new or gone: ['other']" in said
