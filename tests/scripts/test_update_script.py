"""scripts/update_from_template.py of a rendered project: what it decides, what it refuses, and that all can be brought back."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from harness import load_script, run, tool
from jinja2.sandbox import SandboxedEnvironment
from pathspec import GitIgnoreSpec

SCRIPT = Path(__file__).parents[2] / "template/scripts/update_from_template.py"
OLD, MINE, ITS = "a" * 40, "b" * 40, "c" * 40
WORKFLOW = f"""\
jobs:
  job:
    steps:
      - name: First
        run: echo first

      - name: Check out
        uses: actions/checkout@{OLD} # v7.0.1
        with:
          fetch-depth: 0

      - name: Second
        run: echo second
"""
FILES = {
    "copier.yml": "_subdirectory: template\nextra:\n  type: bool\n  default: true\n"
    'size:\n  type: int\n  default: 1\n  validator: "{% if size > 9 %}Take less{% endif %}"\n'
    '_exclude:\n  - "{% if not extra %}/extra.txt{% endif %}"\n',
    "template/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
    "template/ci.yml": WORKFLOW,
    "template/docs/page.txt": "Page one.\n",
    "template/extra.txt": f"Extra.\nuses: actions/checkout@{OLD} # v7.0.1\nFROM python:3.12@sha256:{64 * '1'}\n",
    "template/old.txt": "Old.\n",
    "template/pyproject.toml": "[project]\nname = 'sample'\nversion = '1'\n",
}
# What the next version changes, by file: a text and what stands in its place; None takes the file away.
NEXT: dict[str, tuple[str, str] | None] = {
    "template/ci.yml": (f"{OLD} # v7.0.1", f"{ITS} # v7.2.0"),
    "template/docs/page.txt": ("one", "two"),
    "template/old.txt": None,
}
# What it adds.
ADDED = {"template/new/notes.txt": "Its notes.\n", "template/new/more.txt": "More.\n"}


def git(folder: Path, *arguments: str) -> str:
    """Run git; gives what it prints."""
    return run([tool("git"), *arguments], cwd=folder).stdout


def commit(folder: Path, message: str, tag: str = "") -> None:
    """Commit all that is there."""
    git(folder, "add", "--all")
    git(folder, "commit", "-q", f"--message={message}")
    if tag:
        git(folder, "tag", tag)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a small template with two versions."""
    folder = tmp_path_factory.mktemp("template")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    git(folder, "init", "-q", "--initial-branch=main")
    commit(folder, "One", "v1.0.0")
    for name, change in NEXT.items():
        if change is None:
            (folder / name).unlink()
        else:
            text = (folder / name).read_text("utf-8")
            (folder / name).write_text(text.replace(*change), "utf-8")
    for name, text in ADDED.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    commit(folder, "Two", "v2.0.0")
    # No version: what is rendered last cannot be.
    (folder / "template/zz.txt.jinja").write_text("{{ nothing.there }}\n", "utf-8")
    commit(folder, "Broken")
    git(folder, "tag", "broken")
    git(folder, "reset", "-q", "--hard", "v2.0.0")
    with (folder / "copier.yml").open("a", encoding="utf-8") as file:
        file.write('_min_copier_version: "99.0.0"\n')
    commit(folder, "Later")
    git(folder, "tag", "later")
    git(folder, "reset", "-q", "--hard", "v2.0.0")
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a committed project of the first version, and start in it."""
    folder = tmp_path / "project"
    copier = [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults"]
    run([*copier, "--vcs-ref=v1.0.0", str(template), str(folder)])
    git(folder, "init", "-q", "--initial-branch=main")
    commit(folder, "Render")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the script; what it starts with uv is noted and ends well, unless a test says otherwise."""
    module = load_script(SCRIPT)
    # It adds to this; the test's end takes that away.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    start = module.run

    def run_here(command: list[str], stdin: str = "") -> Any:
        if command[0] == module.UV:
            return module.Done(0, "", "")
        return start(command, stdin)

    monkeypatch.setattr(module, "run", run_here)
    return module


def change(project: Path, file: str, old: str, new: str) -> None:
    """Change a file of the project, and commit that."""
    text = (project / file).read_text("utf-8")
    assert old in text
    (project / file).write_text(text.replace(old, new), "utf-8")
    commit(project, f"Change {file}")


# ---- What it does ----------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_what_is_new_arrives_and_is_told(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main([]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        f"To bring everything back as it was, at any time:\n\n{script.RESTORE}\n\n"
    )
    assert "Template: v1.0.0 → v2.0.0" in said
    assert "Removed, since you had changed no more than pins:\n\n- `old.txt`" in said
    assert "The hooks are green." in said
    assert ITS in (project / "ci.yml").read_text("utf-8")
    staged = git(project, "diff", "--cached", "--name-only").split()
    new = ["docs/page.txt", "new/more.txt", "new/notes.txt"]
    assert staged == [".copier-answers.yml", "ci.yml", *new, "old.txt"]
    commit(project, "Update")
    assert script.main([]) == 0
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.core
@pytest.mark.parametrize(
    ("mine", "expected"),
    [(f"{MINE} # v7.1.0", f"{ITS} # v7.2.0"), (f"{MINE} # v8.0.0", f"{MINE} # v8.0.0")],
    ids=["older", "newer"],
)
def test_a_pin_that_both_sides_moved_is_the_newer(
    project: Path,
    script: ModuleType,
    capsys: pytest.CaptureFixture[str],
    mine: str,
    expected: str,
) -> None:
    change(project, "ci.yml", f"{OLD} # v7.0.1", mine)
    change(project, "ci.yml", "echo second", "echo ours")
    assert script.main([]) == 0
    text = (project / "ci.yml").read_text("utf-8")
    assert f"actions/checkout@{expected}" in text
    assert "echo ours" in text
    assert "actions/checkout is" in capsys.readouterr().out
    assert git(project, "ls-files", "--unmerged") == ""


@pytest.mark.core
def test_another_conflict_is_left_and_told(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    change(
        project,
        "ci.yml",
        f"actions/checkout@{OLD} # v7.0.1",
        f"octo/checkout@{MINE} # v7.0.1",
    )
    assert script.main([]) == 1
    said = capsys.readouterr().out
    assert "Conflicts left for you to decide: 1" in said
    assert (
        f"- `ci.yml`, line 8: you have `uses: octo/checkout@{MINE} # v7.0.1`; the template has "
        in said
    )
    assert "Neither the lock nor the hooks were run" in said
    assert "<<<<<<< before updating" in (project / "ci.yml").read_text("utf-8")
    assert git(project, "diff", "--name-only", "--diff-filter=U") == "ci.yml\n"


def test_a_changed_file_that_the_template_no_longer_has_stays(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    change(project, "old.txt", "Old.", "Ours.")
    assert script.main([]) == 0
    assert (project / "old.txt").read_text("utf-8") == "Ours.\n"
    assert (
        "no longer has them (delete what you do not want):\n\n- `old.txt`"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("changed", [True, False])
def test_an_answer_takes_only_what_nobody_has_changed(
    project: Path, script: ModuleType, changed: bool
) -> None:
    if changed:
        change(project, "extra.txt", "Extra.", "Ours.")
    assert script.main(["--data", "extra=false"]) == 0
    assert (project / "extra.txt").exists() == changed
    assert "extra: false" in (project / ".copier-answers.yml").read_text("utf-8")


def test_pins_that_dependabot_moved_do_not_keep_a_file(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """It moves them everywhere, so that nothing could be switched off any more."""
    change(project, "extra.txt", f"{OLD} # v7.0.1", f"{MINE} # v7.1.0")
    change(project, "extra.txt", f"3.12@sha256:{64 * '1'}", f"3.13@sha256:{64 * '2'}")
    assert script.main(["--data", "extra=false"]) == 0
    assert not (project / "extra.txt").exists()
    assert "you had changed no more than pins" in capsys.readouterr().out


@pytest.mark.core
def test_a_file_that_both_sides_added_shows_both(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "new").mkdir()
    (project / "new/notes.txt").write_text("Ours.\n", "utf-8")
    commit(project, "Add")
    assert script.main([]) == 1
    assert (project / "new/notes.txt").read_text("utf-8") == (
        "<<<<<<< before updating\nOurs.\n=======\nIts notes.\n>>>>>>> after updating\n"
    )
    assert git(project, "diff", "--name-only", "--diff-filter=U") == "new/notes.txt\n"
    said = capsys.readouterr().out
    assert (
        "- `new/notes.txt`, line 1: you have `Ours.`; the template has `Its notes.`"
        in said
    )


@pytest.mark.parametrize("content", [b"Caf\xe9.\n", b"Ours.\0\n"])
def test_what_is_no_text_is_left_alone(
    project: Path,
    script: ModuleType,
    content: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (project / "extra.txt").write_bytes(content)
    commit(project, "Change extra.txt")
    assert script.main([]) == 0
    assert (project / "extra.txt").read_bytes() == content
    assert "`extra.txt` is left as you have it" in capsys.readouterr().out


@pytest.mark.parametrize("ignore", ["notes.txt", "new/", "/new/*.txt"])
def test_what_git_ignores_is_left_alone(
    project: Path,
    script: ModuleType,
    ignore: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing could bring it back where the template has a file of that name now, so it is not written over."""
    (project / ".gitignore").write_text(f"{ignore}\n", "utf-8")
    commit(project, "Ignore")
    (project / "new").mkdir()
    (project / "new/notes.txt").write_text("Ours.\n", "utf-8")
    assert script.main([]) == 0
    assert (project / "new/notes.txt").read_text("utf-8") == "Ours.\n"
    assert (project / "new/more.txt").read_text("utf-8") == "More.\n"
    said = capsys.readouterr().out
    assert said.count("git ignores it") == 1
    assert "`new/notes.txt` is left as you have it: git ignores it" in said


def test_a_file_that_git_was_told_to_ignore_later_is_left_alone(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The template has rendered it once, and git no longer knows it."""
    (project / ".gitignore").write_text("ci.yml\n", "utf-8")
    git(project, "rm", "-q", "--cached", "ci.yml")
    commit(project, "Ignore")
    (project / "ci.yml").write_text("Ours.\n", "utf-8")
    assert script.main([]) == 0
    assert (project / "ci.yml").read_text("utf-8") == "Ours.\n"
    assert "`ci.yml` is left as you have it: git ignores it" in capsys.readouterr().out


@pytest.mark.quick
@pytest.mark.parametrize(
    "name",
    ["a.txt", "a b ", "#a", "!a", "a*", "a?", "[a]", "a\\", "{{ a }}", "{% a", "a/"],
)
def test_a_name_is_a_pattern_of_itself_alone(script: ModuleType, name: str) -> None:
    """Also with signs that mean something to git, and to Copier, which renders it."""
    given = script.pattern_of(name)
    assert SandboxedEnvironment().from_string(given).render() == given
    found = GitIgnoreSpec.from_lines([given])
    if name.endswith("/"):
        assert found.match_file(f"{name}b") and not found.match_file(f"b/{name}b")
    else:
        assert found.match_file(name)
        assert not any(found.match_file(f) for f in (f"b/{name}", f"{name}b", "ab"))


def test_settings_of_the_user_change_nothing(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that git is told not to show are still seen, and blanks at the ends of lines stay."""
    change(project, "extra.txt", "Extra.", "Ours.  ")
    git(project, "config", "apply.whitespace", "fix")
    git(project, "config", "status.showUntrackedFiles", "no")
    add_file(project)
    assert script.main([]) == 2
    assert (
        "commit or stash what you have changed first: ours.txt"
        in capsys.readouterr().err
    )
    (project / "ours.txt").unlink()
    assert script.main([]) == 0
    assert (project / "extra.txt").read_text("utf-8").startswith("Ours.  \n")


def test_what_a_link_leads_to_is_left_alone(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(project / "docs", project / "elsewhere")
    (project / "elsewhere/page.txt").write_text("Ours.\n", "utf-8")
    (project / "docs").symlink_to("elsewhere")
    commit(project, "Link")
    assert script.main([]) == 0
    assert "`docs/` is a link: what is in it is left alone." in capsys.readouterr().out
    assert (project / "elsewhere/page.txt").read_text("utf-8") == "Ours.\n"


def test_a_template_that_wants_a_newer_copier_says_where_it_is_named(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main(["--version=later"]) == 2
    said = capsys.readouterr().err
    assert "requires Copier version >= 99.0.0" in said
    assert "Raise the Copier in the head of scripts/" in said
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("place", ["saved", ".", "../elsewhere"])
def test_an_update_is_saved_elsewhere(
    project: Path,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    place: str,
) -> None:
    """Not in the project, where it would be part of itself; its commit is the workflow's, whoever runs it."""
    change(project, "ci.yml", "echo second", "echo ours")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "me@example.org")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    status = script.main(["--save", place])
    if place != "../elsewhere":
        assert status == 2
        assert "save into a folder elsewhere" in capsys.readouterr().err
        assert git(project, "status", "--porcelain") == ""
        return
    assert status == 0
    assert "available=true" in (tmp_path / "output").read_text("utf-8")
    bundle = str(tmp_path / "elsewhere/commit.bundle")
    git(project, "fetch", "-q", bundle, f"+{script.SAVED}:refs/heads/saved")
    told = git(project, "log", "-1", "--format=%an %ae %cn %ce %s", "saved").split()
    bot = [script.BOT, script.BOT_ADDRESS]
    assert told[:4] == bot * 2
    assert git(project, "show", "saved:docs/page.txt") == "Page two.\n"
    # With nothing new nothing is saved.
    git(project, "reset", "-q", "--hard", "saved")
    assert script.main(["--save", str(tmp_path / "again")]) == 0
    assert list((tmp_path / "again").iterdir()) == []
    assert "available=false" in (tmp_path / "output").read_text("utf-8")


@pytest.mark.parametrize(
    "arguments",
    [["--data=extra"], ["--check", "--save=x"], ["--tell=x", "--propose=x"]],
)
def test_a_command_line_without_sense_is_refused(
    script: ModuleType, arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        script.main(arguments)
    assert ended.value.code == 2


def test_without_uv_the_rest_is_told(
    project: Path,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing() -> Any:
        raise script.Problem("uv is not installed")

    answer_uv(script, monkeypatch, missing)
    assert script.main([]) == 1
    said = capsys.readouterr().out
    assert "Template: v1.0.0 → v2.0.0" in said
    assert "Neither the lock nor the hooks are done: uv is not installed." in said


def test_an_interruption_says_how_to_go_back(
    project: Path,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt() -> Any:
        raise KeyboardInterrupt

    answer_uv(script, monkeypatch, interrupt)
    assert script.main([]) == 2
    said = capsys.readouterr().err
    assert f"To bring everything back:\n\n{script.RESTORE}\n" in said


def test_a_given_version_is_taken(project: Path, script: ModuleType) -> None:
    assert script.main(["--version", "v1.0.0"]) == 0
    assert "_commit: v1.0.0" in (project / ".copier-answers.yml").read_text("utf-8")


@pytest.mark.core
def test_an_answer_can_change_without_an_update(
    project: Path, script: ModuleType
) -> None:
    assert script.main(["--version=:current:", "--data", "extra=false"]) == 0
    answers = (project / ".copier-answers.yml").read_text("utf-8")
    assert "_commit: v1.0.0" in answers
    assert not (project / "extra.txt").exists()


def test_questions_are_asked_again_on_request(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copier gets the terminal; here it gets a command that only notes what it is asked to do."""
    asked: list[list[str]] = []

    def note(command: list[str], **_: Any) -> Any:
        asked.append(command)
        return subprocess.CompletedProcess(command, 1)

    answers = script.read_answers()
    monkeypatch.setattr(script.subprocess, "run", note)
    with pytest.raises(script.Problem, match="copier could not update"):
        script.run_copier(answers, script.parse_arguments(["--ask"]))
    (command,) = asked
    assert "--defaults" not in command
    assert "--trust" not in command


# ---- Check -----------------------------------------------------------------------------------------------------------


@pytest.mark.core
def test_check_says_whether_something_is_new(
    project: Path,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert script.main(["--check"]) == 2
    assert "has version 2.0.0; the project has 1.0.0" in capsys.readouterr().out
    assert (tmp_path / "output").read_text("utf-8") == "available=true\n"
    assert git(project, "status", "--porcelain") == ""
    script.main([])
    commit(project, "Update")
    assert script.main(["--check"]) == 0
    assert "Nothing is new" in capsys.readouterr().out


def test_check_says_when_the_template_is_out_of_reach(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    move_template(project)
    assert script.main(["--check"]) == 1
    assert "does not say its versions" in capsys.readouterr().err


# ---- Bad input -------------------------------------------------------------------------------------------------------


def move_template(project: Path) -> None:
    """Let the project come from where no template is."""
    file = project / ".copier-answers.yml"
    lines = file.read_text("utf-8").splitlines()
    kept = [line for line in lines if not line.startswith("_src_path")]
    file.write_text("\n".join([*kept, "_src_path: /nowhere/template.git", ""]), "utf-8")
    commit(project, "Move")


def forget_version(project: Path) -> None:
    """Let the project come from a version that the template does not have."""
    change(project, ".copier-answers.yml", "v1.0.0", "v0.9.0")


def make_dirty(project: Path) -> None:
    """Leave something uncommitted."""
    (project / "ci.yml").write_text("Ours.\n", "utf-8")


def add_file(project: Path) -> None:
    """Leave a file that git does not know."""
    (project / "ours.txt").write_text("Ours.\n", "utf-8")


def no_repository(project: Path) -> None:
    """Take git's folder away."""
    shutil.rmtree(project / ".git")


def no_answers(project: Path) -> None:
    """Delete the answers file."""
    (project / ".copier-answers.yml").unlink()
    commit(project, "Delete")


def write_answers(text: str) -> Callable[[Path], None]:
    """Write something else into the answers file."""

    def meddle(project: Path) -> None:
        (project / ".copier-answers.yml").write_text(text, "utf-8")
        commit(project, "Write")

    return meddle


def change_answer(old: str, new: str) -> Callable[[Path], None]:
    """Change a line of the answers file by hand."""

    def meddle(project: Path) -> None:
        change(project, ".copier-answers.yml", old, new)

    return meddle


def folder_for_file(project: Path) -> None:
    """Put a folder in the place of a file."""
    (project / "extra.txt").unlink()
    (project / "extra.txt").mkdir()
    (project / "extra.txt/ours.txt").write_text("Ours.\n", "utf-8")
    commit(project, "Replace")


def file_for_folder(project: Path) -> None:
    """Put a file in the place of a folder."""
    shutil.rmtree(project / "docs")
    (project / "docs").write_text("Ours.\n", "utf-8")
    commit(project, "Replace")


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (make_dirty, "commit or stash what you have changed first: ci.yml"),
        (add_file, "commit or stash what you have changed first: ours.txt"),
        (no_repository, "this is no git repository"),
        (no_answers, ".copier-answers.yml is missing"),
        (write_answers("_src_path: [\n"), ".copier-answers.yml cannot be read"),
        (write_answers("- a list\n"), "lacks _src_path and _commit"),
        (write_answers("_src_path: x\n"), "lacks _commit"),
        (change_answer("size: 1", "size: 99"), "has an answer that is refused"),
        (change_answer("size: 1", "size: big"), "has an answer that is refused"),
        (change_answer("size: 1", "1: size"), "has 1 as a name"),
        (folder_for_file, "extra.txt is a folder, and a file in the template"),
        (file_for_folder, "docs is a file, and a folder in the template"),
        (move_template, "cannot be had from /nowhere/template.git"),
        (
            forget_version,
            "the template's version v0.9.0, from which this project was rendered",
        ),
    ],
)
def test_what_cannot_be_updated_is_refused_and_left_as_it_is(
    project: Path,
    script: ModuleType,
    meddle: Callable[[Path], None],
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meddle(project)
    before = {
        p: p.read_bytes()
        for p in project.rglob("*")
        if p.is_file() and ".git" not in p.parts
    }
    assert script.main([]) == 2
    assert says in capsys.readouterr().err
    after = {
        p: p.read_bytes()
        for p in project.rglob("*")
        if p.is_file() and ".git" not in p.parts
    }
    assert after == before


def test_a_folder_inside_the_project_is_the_wrong_place(
    project: Path,
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    inside = project / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert script.main([]) == 2
    assert f"start this in {project}" in capsys.readouterr().err


@pytest.mark.core
def test_an_update_that_fails_says_how_to_go_back(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Copier finds no such version."""
    assert script.main(["--version", "v9"]) == 2
    said = capsys.readouterr().err
    assert "copier could not update from" in said
    assert f"If files are changed now:\n\n{script.RESTORE}\n" in said
    assert git(project, "status", "--porcelain") == ""
    bring_back(project, said)


def bring_back(project: Path, said: str) -> None:
    """Run the commands that were printed, each by itself, as any shell does."""
    commands = re.findall(r"^    (git .*)$", said, re.M)
    assert len(commands) == 2
    for command in commands:
        # Nothing in it means something else in some shell.
        assert re.fullmatch(r"[a-z -]+", command)
        run(command.split(), cwd=project)


def test_an_update_that_fails_halfway_can_be_brought_back(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files are changed, added and deleted when the template turns out to be broken."""
    change(project, "ci.yml", "echo second", "echo ours")
    assert script.main(["--version", "broken"]) == 2
    said = capsys.readouterr().err
    assert "copier could not update from" in said
    changed = git(project, "status", "--porcelain").splitlines()
    assert " M ci.yml" in changed
    assert "?? new/" in changed
    bring_back(project, said)
    assert git(project, "status", "--porcelain") == ""
    assert "echo ours" in (project / "ci.yml").read_text("utf-8")
    assert not (project / "new").exists()


def test_conflicts_can_be_brought_back(
    project: Path, script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also those that the index holds, and files that are new."""
    change(project, "ci.yml", f"{OLD} # v7.0.1", f"{MINE} # v7.1.0-rc")
    change(project, "old.txt", "Old.", "Ours.")
    (project / "new").mkdir()
    (project / "new/notes.txt").write_text("Ours.\n", "utf-8")
    commit(project, "Add")
    assert script.main([]) == 1
    assert "?? new/more.txt" in git(project, "status", "--porcelain")
    assert git(project, "ls-files", "--unmerged") != ""
    bring_back(project, capsys.readouterr().out)
    assert git(project, "status", "--porcelain") == ""
    assert MINE in (project / "ci.yml").read_text("utf-8")
    assert (project / "new/notes.txt").read_text("utf-8") == "Ours.\n"
    assert not (project / "new/more.txt").exists()


# ---- Ended at any point ----------------------------------------------------------------------------------------------


def test_what_was_interrupted_can_be_brought_back(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended behind each command that it starts; the two commands that it prints bring all back."""
    change(project, "ci.yml", f"{OLD} # v7.0.1", f"{MINE} # v7.1.0")
    change(project, "old.txt", "Old.", "Ours.")
    head = git(project, "rev-parse", "HEAD")
    start, calls = script.run, 0
    stop = 0

    class Killed(BaseException):
        """The process ends."""

    def run_until(command: list[str], stdin: str = "") -> Any:
        nonlocal calls
        calls += 1
        done = start(command, stdin)
        if calls == stop:
            raise Killed
        return done

    monkeypatch.setattr(script, "run", run_until)
    assert script.main([]) == 0
    points = calls
    assert points > 10
    bring_back(project, script.RESTORE)
    for stop in range(1, points):
        calls = 0
        with pytest.raises(Killed):
            script.main([])
        bring_back(project, script.RESTORE)
        assert git(project, "status", "--porcelain") == "", f"point {stop}"
        assert git(project, "rev-parse", "HEAD") == head
    calls, stop = 0, 0
    assert script.main([]) == 0


# ---- Lock and hooks --------------------------------------------------------------------------------------------------


def answer_uv(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, *answers: Any
) -> list[list[str]]:
    """Let uv answer one after the other; gives what it is asked."""
    asked: list[list[str]] = []
    start, rest = script.run, list(answers)

    def run_here(command: list[str], stdin: str = "") -> Any:
        if command[0] != script.UV:
            return start(command, stdin)
        asked.append(command)
        answer = rest.pop(0)
        return answer() if callable(answer) else answer

    monkeypatch.setattr(script, "run", run_here)
    return asked


def outcome(script: ModuleType) -> Any:
    """Give an outcome in which nothing has happened."""
    return script.Outcome("v1.0.0", "v2.0.0")


def test_changed_dependencies_are_locked(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "uv.lock").touch()
    commit(project, "Lock")
    (project / "pyproject.toml").write_text("[project]\n", "utf-8")
    asked = answer_uv(
        script, monkeypatch, script.Done(0, "", ""), script.Done(0, "", "")
    )
    made = outcome(script)
    script.finish(made, hooks=True)
    assert [command[1] for command in asked] == ["lock", "run"]
    assert made.notes == ["`uv lock` ended well.", "The hooks are green."]


def test_a_lock_that_fails_is_told(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "uv.lock").touch()
    commit(project, "Lock")
    (project / "pyproject.toml").write_text("[project]\n", "utf-8")
    answer_uv(script, monkeypatch, script.Done(1, "", "No solution found\n"))
    made = outcome(script)
    script.finish(made, hooks=True)
    assert made.red
    assert made.notes == ["`uv lock` failed: No solution found."]


def test_hooks_may_change_files_once(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fix() -> Any:
        (project / "ci.yml").write_text("Fixed.\n", "utf-8")
        return script.Done(1, "End of file.....Failed\n", "")

    answer_uv(script, monkeypatch, fix, script.Done(0, "", ""))
    made = outcome(script)
    script.finish(made, hooks=True)
    assert not made.red
    assert made.notes == [
        "The hooks changed files, as they do before a commit.",
        "The hooks are green.",
    ]


def test_red_hooks_are_named(
    project: Path, script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_uv(
        script, monkeypatch, script.Done(1, "Types.....Failed\nFormat....Passed\n", "")
    )
    made = outcome(script)
    script.finish(made, hooks=True)
    assert made.red
    assert made.notes == ["The hooks are red: Types."]


# ---- Pins ------------------------------------------------------------------------------------------------------------


@pytest.mark.quick
@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (f"{MINE} # v7.1.0", f"{ITS} # v7.2.0", f"{ITS} # v7.2.0"),
        (f"{MINE} # v7.10.0", f"{ITS} # v7.9.0", f"{MINE} # v7.10.0"),
        (f"{MINE} # v6.9.0", f"{ITS} # v7.2.0", f"{ITS} # v7.2.0"),
        # One version, two commits: which is right cannot be told.
        (f"{MINE} # v7.2.0", f"{ITS} # v7.2.0", None),
        # What floats may be newer.
        (f"{MINE} # v7", f"{ITS} # v7.2.0", None),
        (MINE, f"{ITS} # v7.2.0", None),
        # A newer comment above the old commit is no newer pin.
        (f"{OLD} # v9.0.0", f"{ITS} # v7.2.0", None),
    ],
)
def test_the_newer_of_two_pins(
    script: ModuleType, ours: str, theirs: str, expected: str | None
) -> None:
    assert script.newer(f"{OLD} # v7.0.1", ours, theirs) == expected


def uses(action: str, pin: str) -> str:
    """Give a line that uses an action."""
    return f"        uses: {action}@{pin}\n"


@pytest.mark.quick
@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        # Another action is another matter.
        (
            uses("a/b", f"{OLD} # v1.0.0"),
            uses("c/b", f"{MINE} # v1.1.0"),
            uses("a/b", f"{ITS} # v1.2.0"),
        ),
        # Only one side moved it.
        (
            uses("a/b", f"{OLD} # v1.0.0"),
            uses("a/b", f"{OLD} # v1.0.0"),
            uses("a/b", f"{ITS} # v1.2.0"),
        ),
        # Two pins of one action on one side.
        (
            uses("a/b", f"{OLD} # v1.0.0"),
            uses("a/b", f"{MINE} # v1.1.0") + uses("a/b", f"{OLD} # v1.0.0"),
            uses("a/b", f"{ITS} # v1.2.0"),
        ),
    ],
)
def test_pins_that_are_not_decided(
    script: ModuleType, base: str, ours: str, theirs: str
) -> None:
    assert script.raise_pins(base, ours, theirs) == ([base, ours, theirs], [])


@pytest.mark.quick
def test_a_pin_is_raised_in_all_three(script: ModuleType) -> None:
    sides = [
        uses("a/b/c", pin)
        for pin in (f"{OLD} # v1.0.0", f"{MINE} # v1.1.0", f"{ITS}  # v1.2.0")
    ]
    raised, decided = script.raise_pins(*sides)
    assert len(set(raised)) == 1
    assert decided == ["a/b/c is 1.2.0: you had 1.1.0, the template 1.2.0"]


# ---- What is said of a conflict --------------------------------------------------------------------------------------

# Base, ours and theirs, and what is said of the conflicts.
CONFLICTS = {
    "two of them": (
        "a\n1\n2\n3\n4\nb\n",
        "ours a\n1\n2\n3\n4\nours b\n",
        "its a\n1\n2\n3\n4\n",
        [
            "you have `ours a`; the template has `its a`",
            "you have `ours b`; the template has nothing",
        ],
    ),
    "lines that end as on Windows": (
        "1\r\n2\r\n3\r\n",
        "1\r\nours\r\n3\r\n",
        "1\r\nits\r\n3\r\n",
        ["you have `ours`; the template has `its`"],
    ),
    "no line break at the end": (
        "1\n2",
        "1\nours",
        "1\nits",
        ["you have `ours`; the template has `its`"],
    ),
    "a heading that is underlined on both sides": (
        "Title\n",
        "Ours\n=======\nOur text.\n",
        "Its\n=======\nIts text.\n",
        [
            "you have `Ours ⏎ =======` and 1 more lines; "
            "the template has `Its ⏎ =======` and 1 more lines"
        ],
    ),
    "a heading that is underlined on one side": (
        "Title\n\nText.\n",
        "Ours\n=======\n\nText.\n",
        "Its\n\nText.\n",
        ["you have `Ours ⏎ =======`; the template has `Its`"],
    ),
    "a heading that is underlined on the other side": (
        "Title\n\nText.\n",
        "Ours\n\nText.\n",
        "Its\n=======\n\nText.\n",
        ["you have `Ours`; the template has `Its ⏎ =======`"],
    ),
    "longer rules and other marks": (
        "Title\n",
        "Ours\n========\n<<<<<<<< no mark\n",
        "Its\n========\n>>>>>>> no mark\n",
        [
            "you have `Ours ⏎ ========` and 1 more lines; "
            "the template has `Its ⏎ ========` and 1 more lines"
        ],
    ),
}


@pytest.mark.quick
@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
@pytest.mark.parametrize("name", CONFLICTS)
def test_conflicts_are_told_as_git_shows_them(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    style: str,
) -> None:
    """By the line of the file, whatever style of marks the user has chosen."""
    *sides, said = CONFLICTS[name]
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[merge]\n\tconflictStyle = {style}\n", "utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    file = tmp_path / "file"
    assert not script.merge(str(file), sides)
    told = script.describe(script.read(str(file)), sides)
    assert [text.partition(": ")[2] for text in told] == said
    lines = file.read_bytes().splitlines()
    for text in told:
        line = int(text.partition(":")[0].removeprefix("line "))
        assert lines[line - 1] == b"<<<<<<< before updating"


@pytest.mark.quick
def test_a_file_without_a_mark_was_changed_whole(script: ModuleType) -> None:
    """For example one that is no text."""
    said = ["both sides added or changed it whole"]
    assert script.describe("", None) == said
    assert script.describe("<<<<<<< before updating\n=======\n", None) == said
