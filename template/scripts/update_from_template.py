# /// script
# requires-python = ">=3.11"
# dependencies = ["copier==9.19.1", "packaging==26.3", "pyyaml==6.0.3"]
# ///
"""Bring the template's newest version into this project, and lose nothing of it.

Locally: uv run scripts/update_from_template.py

It runs `copier update`, takes the newer of two versions of an action that both sides
have moved, keeps a file that you have changed and the template no longer has, locks
the dependencies, runs the hooks, and says what is left for you.

Exit status: 0 done; 1 done, but a conflict or a hook is left for you; 2 could not run.
With --check: 0 nothing is new; 2 something is; 1 could not find out.

template-update.yml saves an update with --save, and proposes it with --propose as a
pull request or with --tell as an issue: both speak to GitHub through `gh api`, for the
repository that GITHUB_REPOSITORY names, and need nothing but Python itself.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.version import Version

ANSWERS = ".copier-answers.yml"
# Two commands: what would join them is not the same in every shell.
RESTORE = "    git reset --hard --quiet\n    git clean -d --force --quiet"
# What copier writes at a conflict, and git at one that is merged again here.
OURS, BASE, THEIRS = "before updating", "last update", "after updating"
# All of the file: with fewer lines around a change git takes the nearest place that looks alike, which may be in another
# job. What does not fit whole is merged from both versions, and that knows the place.
CONTEXT_LINES = 100_000
# What a user may have set otherwise, and would hide files or change text.
GIT_SETTINGS = {"status.showUntrackedFiles": "normal", "apply.whitespace": "nowarn"}
UV = os.environ.get("UV") or "uv"
PIN = re.compile(
    r"(?P<use>\buses:\s*(?P<action>[\w.-]+/[\w./-]+)@)"
    r"(?P<pin>[0-9a-f]{40}(?:[ \t]+#[ \t]*v?\d\S*)?)"
)
BEGIN, ORIGIN, MIDDLE, END = (
    f"<<<<<<< {OURS}",
    f"||||||| {BASE}",
    "=======",
    f">>>>>>> {THEIRS}",
)


IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")
# How Copier refuses an answer.
WRONG_ANSWER = re.compile(
    "Validation error|Could not convert|Invalid choice|invalid literal"
)


class Problem(Exception):
    """A condition that the person who reads the message can mend."""


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


# ---- Running things -------------------------------------------------------------


def run(command: Sequence[str], stdin: str = "") -> Done:
    """Run a command and give what it printed, line ends as they are, whatever its status."""
    try:
        done = subprocess.run(
            command, input=stdin.encode(), capture_output=True, check=False
        )
    except FileNotFoundError as error:
        raise Problem(f"{command[0]} is not installed") from error
    return Done(done.returncode, text_of(done.stdout), text_of(done.stderr))


def text_of(content: bytes) -> str:
    """Give a file's or a program's bytes as text; `bytes_of` gives the very same bytes back."""
    return content.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Give a text's bytes."""
    return text.encode("utf-8", "surrogateescape")


def output_of(command: Sequence[str], stdin: str = "") -> str:
    """Run a command that must succeed and give its standard output."""
    done = run(command, stdin)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise Problem(f"`{' '.join(command)}` failed: {reason}")
    return done.stdout


def git(*arguments: str) -> str:
    """Run git, which must succeed; gives what it prints."""
    return output_of(["git", *arguments])


def settle_git() -> None:
    """Let none of the user's own settings change what git sees or applies, here and in Copier."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(GIT_SETTINGS.items(), count):
        os.environ[f"GIT_CONFIG_KEY_{number}"] = key
        os.environ[f"GIT_CONFIG_VALUE_{number}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(GIT_SETTINGS))


def copier(*arguments: str) -> list[str]:
    """Give a command line of the Copier that came with this script."""
    return [sys.executable, "-m", "copier", *arguments]


def append_to(variable: str, text: str) -> None:
    """Append text to the file that an environment variable names, if it does."""
    if file := os.environ.get(variable):
        with Path(file).open("a", encoding="utf-8", errors="replace") as stream:
            stream.write(text)


def say(text: str) -> None:
    """Print a text and, on a runner, add it to the job's summary."""
    print(text)
    append_to("GITHUB_STEP_SUMMARY", f"{text}\n\n")


# ---- Before anything is changed ---------------------------------------------------


def read_answers() -> dict[str, Any]:
    """Read the answers file; raises Problem where it is not what Copier has written."""
    import yaml

    file = Path(ANSWERS)
    if not file.is_file():
        raise Problem(
            f"{ANSWERS} is missing, and with it where the project comes from. "
            f"Bring it back: git log --diff-filter=D -- {ANSWERS}"
        )
    try:
        answers = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = " ".join(str(error).split())
        raise Problem(f"{ANSWERS} cannot be read: {where}. {mend_answers()}") from error
    lacks = [
        key
        for key in ("_src_path", "_commit")
        if not isinstance(answers, dict) or not isinstance(answers.get(key), str)
    ]
    if lacks:
        raise Problem(f"{ANSWERS} lacks {' and '.join(lacks)}. {mend_answers()}")
    if wrong := [key for key in answers if not isinstance(key, str)]:
        raise Problem(f"{ANSWERS} has {wrong[0]!r} as a name. {mend_answers()}")
    found: dict[str, Any] = answers
    return found


def mend_answers() -> str:
    """Say how to get the answers file back as Copier wrote it."""
    return f"See what was changed: git log -p -- {ANSWERS}"


def require_clean_repository() -> None:
    """Raise Problem unless this is the top of a repository in which all is committed."""
    top = run(["git", "rev-parse", "--show-toplevel"])
    if top.returncode:
        raise Problem(
            "this is no git repository, so nothing here could be brought back: "
            f"{last_line(top.stderr)}"
        )
    if Path(top.stdout.strip()).resolve() != Path.cwd().resolve():
        raise Problem(f"start this in {top.stdout.strip()}, where the project begins")
    if run(["git", "rev-parse", "--verify", "--quiet", "HEAD"]).returncode:
        raise Problem("nothing is committed yet: commit the project first")
    if changed := changed_files():
        files = ", ".join(changed[:5]) + ", …" * (len(changed) > 5)
        raise Problem(f"commit or stash what you have changed first: {files}")


def changed_files() -> list[str]:
    """Give the files that are not as they were committed, new ones and missing ones included."""
    status = git("status", "--porcelain", "--no-renames", "--untracked-files=all", "-z")
    return [entry[3:] for entry in status.split("\0") if entry]


def check_update(answers: dict[str, Any]) -> dict[str, Any]:
    """Ask whether the template has a newer version, as `copier check-update` says it."""
    done = run(copier("check-update", "--output-format", "json"))
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Problem(
            f"the template {answers['_src_path']} does not say its versions: "
            f"{last_line(done.stderr)} Is the address in {ANSWERS} (_src_path) right, and "
            "can you reach it?"
        ) from None
    return found


def last_line(text: str) -> str:
    """Give the last line that says something, which is where programs say why."""
    lines = [line.strip() for line in text.splitlines() if line.strip(" ^~|")]
    return lines[-1] if lines else ""


# ---- The update --------------------------------------------------------------------


@dataclass
class Outcome:
    """What an update did.

    Attributes:
        old: The template's version before.
        new: The version after.
        pins: What was decided about actions, in words.
        conflicts: What is left to decide, in words, by file.
        changed: Files that are not as they were.
        kept: Files that you have changed and the template no longer has.
        removed: Files that went with the template or with an answer.
        notes: What was done besides, and what was not, in words.
        red: Whether a hook or the lock is left for a person.
    """

    old: str
    new: str
    pins: list[str] = field(default_factory=list)
    conflicts: dict[str, list[str]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    red: bool = False


def update(options: argparse.Namespace) -> Outcome:
    """Update the project; every conflict that is left is marked in its file."""
    require_clean_repository()
    answers = read_answers()
    back = f"To bring everything back as it was, at any time:\n\n{RESTORE}\n"
    print(back, flush=True)
    old = answers["_commit"]
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        render(answers, before)
        require_same_kinds(before)
        others = changed_and_no_text(before)
        links = linked_folders(before)
        ignored = ignored_files()
        run_copier(answers, options, [*ignored, *links])
        answers = read_answers()
        outcome = Outcome(old, answers["_commit"])
        keep_changed_files(before, outcome)
        if ignored:
            render(answers, Path(folder) / "after")
            tell_ignored(ignored, Path(folder) / "after", outcome)
    outcome.notes += [
        f"`{path}` is a link: what is in it is left alone." for path in links
    ]
    for path, content in others.items():
        Path(path).write_bytes(content)
        outcome.notes.append(f"`{path}` is left as you have it: only text is merged.")
    for path in unmerged():
        resolve_pins(path, outcome)
    if not outcome.conflicts:
        finish(outcome, hooks=options.hooks)
    else:
        outcome.notes.append(
            "Neither the lock nor the hooks were run: decide the conflicts first, then run "
            "`uv lock`, `git add --all` and `uv run pre-commit run --all-files`."
        )
    gone = set(outcome.removed)
    outcome.changed = [path for path in changed_files() if path not in gone]
    return outcome


def render(answers: dict[str, Any], folder: Path) -> None:
    """Render the version that the project has, with the project's answers."""
    import yaml

    given = {key: value for key, value in answers.items() if not key.startswith("_")}
    file = folder.with_suffix(".yml")
    file.write_text(yaml.safe_dump(given), encoding="utf-8")
    done = run(
        copier(
            *("copy", "--quiet", "--defaults", f"--data-file={file}"),
            *(f"--vcs-ref={answers['_commit']}", answers["_src_path"], str(folder)),
        )
    )
    if not done.returncode:
        return
    said = last_line(done.stderr)
    if WRONG_ANSWER.search(said):
        raise Problem(
            f"{ANSWERS} has an answer that is refused: {said} {mend_answers()}"
        )
    raise Problem(
        f"the template's version {answers['_commit']}, from which this project was "
        f"rendered, cannot be had from {answers['_src_path']}: {said} Without it nobody "
        f"can tell what you have changed. Is the address in {ANSWERS} (_src_path) right, "
        "and is the version still there?"
    )


def run_copier(
    answers: dict[str, Any], options: argparse.Namespace, skipped: Sequence[str] = ()
) -> None:
    """Run `copier update`, which leaves some paths alone; by default it asks nothing."""
    command = copier(
        *("update", "--conflict=inline", f"--context-lines={CONTEXT_LINES}"),
        *([] if options.ask else ["--defaults", "--quiet"]),
        *([f"--vcs-ref={options.version}"] if options.version else []),
        *(f"--data={answer}" for answer in options.data),
        *(f"--skip={pattern_of(path)}" for path in skipped),
    )
    if options.ask:
        status, said = subprocess.run(command, check=False).returncode, ""
    else:
        done = run(command)
        status, said = done.returncode, last_line(done.stderr)
    if status:
        if "requires Copier version" in said:
            said += f" Raise the Copier in the head of scripts/{Path(__file__).name}."
        raise Problem(
            f"copier could not update from {answers['_src_path']}: {said}\n"
            f"If files are changed now:\n\n{RESTORE}\n"
        )


def read(path: str) -> str:
    """Read a file of the project."""
    return text_of(Path(path).read_bytes())


def ignored_files() -> list[str]:
    """Give what git ignores here and could not bring back; of a folder that it ignores whole the name with a /."""
    names = git(
        *("ls-files", "--others", "--ignored", "--exclude-standard"),
        *("--directory", "-z"),
    )
    return [name for name in names.split("\0") if name not in ("", ANSWERS)]


def pattern_of(path: str) -> str:
    """Give the pattern that matches a path alone, whatever git's patterns and Copier's templates read in its signs."""
    return "/" + re.sub(r"[*?\[\\ ]", r"\\\g<0>", path).replace("{", "[{]")


def require_same_kinds(before: Path) -> None:
    """Raise Problem where you have a folder in the place of a file, which Copier does not know how to merge, or a file in that of a folder."""
    for rendered in before.rglob("*"):
        path = rendered.relative_to(before)
        if path.exists() and path.is_dir() != rendered.is_dir():
            here, there = ("folder", "file") if path.is_dir() else ("file", "folder")
            raise Problem(
                f"{path.as_posix()} is a {here}, and a {there} in the template: give yours "
                "another name first"
            )


def linked_folders(before: Path) -> list[str]:
    """Give the folders of the template that are links here: Copier would write over what they lead to."""
    folders = (path.relative_to(before) for path in before.rglob("*") if path.is_dir())
    return sorted(f"{path.as_posix()}/" for path in folders if path.is_symlink())


def tell_ignored(ignored: list[str], after: Path, outcome: Outcome) -> None:
    """Say which ignored files are not what the template has under their names."""
    for rendered in sorted(after.rglob("*")):
        path = rendered.relative_to(after).as_posix()
        folders = {f"{parent.as_posix()}/" for parent in Path(path).parents}
        if (
            not {path, *folders}.isdisjoint(ignored)
            and rendered.is_file()
            and Path(path).is_file()
            and rendered.read_bytes() != Path(path).read_bytes()
        ):
            outcome.notes.append(
                f"`{path}` is left as you have it: git ignores it, so nothing could "
                "bring it back. The template has another file of that name."
            )


def changed_and_no_text(before: Path) -> dict[str, bytes]:
    """Give the files that you have changed and that Copier, which merges text alone, would spoil."""
    found = {}
    for rendered in before.rglob("*"):
        path = rendered.relative_to(before)
        if not (rendered.is_file() and path.is_file()):
            continue
        content = path.read_bytes()
        if content != rendered.read_bytes() and not is_text(content):
            found[path.as_posix()] = content
    return found


def is_text(content: bytes) -> bool:
    """Tell whether a file's bytes are text."""
    try:
        return "\0" not in content.decode("utf-8")
    except UnicodeDecodeError:
        return False


def keep_changed_files(before: Path, outcome: Outcome) -> None:
    """Bring back what Copier has deleted although you have changed it."""
    for path in git("ls-files", "--deleted", "-z").split("\0"):
        if not path:
            continue
        rendered = before / path
        committed = git("show", f"HEAD:{path}")
        if rendered.is_file() and without_pins(
            text_of(rendered.read_bytes())
        ) == without_pins(committed):
            outcome.removed.append(path)
        else:
            git("checkout", "--quiet", "HEAD", "--", path)
            outcome.kept.append(path)


def without_pins(text: str) -> str:
    """Give a text without what Dependabot moves in it: the pins of actions and of images."""
    return IMAGE.sub("", PIN.sub(r"\g<use>", text))


# ---- Conflicts ---------------------------------------------------------------------


def unmerged() -> list[str]:
    """Give the files with conflicts that are left."""
    names = git("diff", "--name-only", "--diff-filter=U", "-z").split("\0")
    return sorted({name for name in names if name})


def stages(path: str) -> list[str] | None:
    """Give a file as it was rendered, as you have it, and as the template has it now."""
    texts = []
    for stage in (1, 2, 3):
        done = run(["git", "show", f":{stage}:{path}"])
        if done.returncode:
            return None
        texts.append(done.stdout)
    return texts


def resolve_pins(path: str, outcome: Outcome) -> None:
    """Decide the conflicts of a file that are about a pin alone; list the others."""
    if versions := stages(path):
        versions, decided = raise_pins(*versions)
        if decided:
            clean = merge(path, versions)
            outcome.pins += [f"`{path}`: {text}" for text in decided]
            if clean:
                # It is no longer in conflict.
                git("reset", "--quiet", "--", path)
    if path in unmerged():
        outcome.conflicts[path] = describe(read(path), versions)


def pins_of(text: str) -> dict[str, set[str]]:
    """Give the pins of each action in a workflow: commit, and version as a comment."""
    found: dict[str, set[str]] = {}
    for match in PIN.finditer(text):
        found.setdefault(match["action"], set()).add(match["pin"])
    return found


def version_of(pin: str) -> Version | None:
    """Give the version that a pin's comment says; None where it says none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(pin.partition("#")[2].strip())
    except InvalidVersion:
        return None


def newer(base: str, ours: str, theirs: str) -> str | None:
    """Give the newer of two pins of one action; None where that cannot be told.

    A comment that was changed above the same commit says nothing about the commit, and one like `v7` may be any 7.
    """
    sides = [(version_of(pin), pin) for pin in (ours, theirs)]
    for version, pin in sides:
        same_commit = pin.split()[0] == base.split()[0]
        if version is None or (same_commit and version != version_of(base)):
            return None
    ours_is, theirs_is = (version.release for version, _ in sides if version)
    length = min(len(ours_is), len(theirs_is))
    if ours_is[:length] == theirs_is[:length]:
        return None
    return ours if ours_is > theirs_is else theirs


def raise_pins(base: str, ours: str, theirs: str) -> tuple[list[str], list[str]]:
    """Give the three texts with the newer pins, and what was decided, in words."""
    all_pins = [pins_of(text) for text in (base, ours, theirs)]
    winners: dict[str, str] = {}
    decided = []
    for action in set.intersection(*(set(pins) for pins in all_pins)):
        sides = [pins[action] for pins in all_pins]
        # Where a side has several pins of an action, they are there for a reason.
        if any(len(pins) != 1 for pins in sides):
            continue
        was, mine, its = (next(iter(pins)) for pins in sides)
        moved = was not in (mine, its) and mine != its
        if moved and (winner := newer(was, mine, its)):
            winners[action] = winner
            decided.append(
                f"{action} is {version_of(winner)}: you had {version_of(mine)}, "
                f"the template {version_of(its)}"
            )

    def raised(match: re.Match[str]) -> str:
        return match["use"] + winners.get(match["action"], match["pin"])

    return [PIN.sub(raised, text) for text in (base, ours, theirs)], sorted(decided)


def merge(path: str, versions: list[str]) -> bool:
    """Merge base, ours and theirs into a file; tells whether no conflict is left."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("base", "ours", "theirs")]
        for file, text in zip(files, versions, strict=True):
            file.write_bytes(bytes_of(text))
        base, ours, theirs = map(str, files)
        labels = [f"-L{label}" for label in (OURS, BASE, THEIRS)]
        done = run(["git", "merge-file", "--stdout", *labels, ours, base, theirs])
    # Up to 127 it is the number of conflicts.
    if done.returncode > 127:
        raise Problem(f"git could not merge {path}: {last_line(done.stderr)}")
    Path(path).write_bytes(bytes_of(done.stdout))
    return done.returncode == 0


def describe(text: str, versions: list[str] | None) -> list[str]:
    """Give the conflicts of a file: the line, what you have and what the template has.

    Args:
        text: The file with its marks.
        versions: What was merged, where that is known: base, yours and the template's.
    """
    found, start = [], None
    lines = lines_of(text)
    for number, line in enumerate(lines):
        if line == BEGIN:
            start = number
        elif line == END and start is not None:
            if sides := sides_of(lines[start + 1 : number], versions):
                mine, its = map(shorten, sides)
                found.append(
                    f"line {start + 1}: you have {mine}; the template has {its}"
                )
            start = None
    return found or ["both sides added or changed it whole"]


def lines_of(text: str) -> list[str]:
    """Give a text's lines, whichever their ends are."""
    return [line.removesuffix("\r") for line in text.split("\n")]


def sides_of(
    block: list[str], versions: list[str] | None
) -> tuple[list[str], list[str]] | None:
    """Part what stands in a conflict; None where nothing parts it.

    What parts it may underline a heading as well: the sides are those that the versions have.
    """
    found = []
    for place, line in enumerate(block):
        if line == MIDDLE:
            mine, its = block[:place], block[place + 1 :]
            if ORIGIN in mine:
                mine = mine[: mine.index(ORIGIN)]
            found.append((mine, its))
    if versions:
        wholes = [lines_of(text) for text in versions[1:]]
        for sides in found:
            if all(map(contains, wholes, sides)):
                return sides
    return found[0] if found else None


def contains(whole: list[str], part: list[str]) -> bool:
    """Tell whether lines stand in a text one after the other."""
    places = range(len(whole) - len(part) + 1)
    return any(whole[place : place + len(part)] == part for place in places)


def shorten(lines: list[str]) -> str:
    """Give the beginning of some lines, fit for a list."""
    shown = [" ".join(line.split()) for line in lines if line.strip()]
    if not shown:
        return "nothing"
    more = f" and {len(shown) - 2} more lines" if len(shown) > 2 else ""
    return "`" + " ⏎ ".join(shown[:2]).replace("`", "'")[:160] + f"`{more}"


# ---- Afterwards --------------------------------------------------------------------


def finish(outcome: Outcome, *, hooks: bool) -> None:
    """Lock what changed, and run the hooks on all files."""
    try:
        lock_and_run_hooks(outcome, hooks=hooks)
    except Problem as problem:
        outcome.red = True
        outcome.notes.append(f"Neither the lock nor the hooks are done: {problem}.")


def lock_and_run_hooks(outcome: Outcome, *, hooks: bool) -> None:
    """Do so; raises Problem where a program is missing."""
    git("add", "--all")
    changed = git("diff", "--cached", "--name-only", "HEAD").split()
    if "pyproject.toml" in changed and Path("uv.lock").is_file():
        done = run([UV, "lock"])
        said = f"failed: {last_line(done.stderr)}" if done.returncode else "ended well"
        outcome.notes.append(f"`uv lock` {said}.")
        outcome.red |= bool(done.returncode)
        git("add", "--all")
    if hooks and not outcome.red:
        run_hooks(outcome)


def run_hooks(outcome: Outcome) -> None:
    """Run the hooks; once more where the first run has changed something."""
    command = [UV, "run", "pre-commit", "run", "--all-files"]
    before = git("write-tree")
    done = run(command)
    git("add", "--all")
    if done.returncode and git("write-tree") != before:
        outcome.notes.append("The hooks changed files, as they do before a commit.")
        done = run(command)
    if done.returncode:
        outcome.red = True
        failed = [
            line.partition("...")[0]
            for line in done.stdout.splitlines()
            if line.endswith("Failed")
        ]
        reason = ", ".join(failed) or last_line(done.stderr)
        outcome.notes.append(f"The hooks are red: {reason}.")
    else:
        outcome.notes.append("The hooks are green.")


def summary(outcome: Outcome) -> str:
    """Give what was done, in Markdown, for a terminal and a pull request alike."""
    lines = [f"Template: {outcome.old} → {outcome.new}", ""]
    if outcome.conflicts:
        count = sum(map(len, outcome.conflicts.values()))
        lines += [f"Conflicts left for you to decide: {count}", ""]
        lines += [
            f"- `{path}`, {text}"
            for path, texts in outcome.conflicts.items()
            for text in texts
        ]
        lines.append("")
    sections = {
        "Actions that both sides had moved are at the newer version": outcome.pins,
        "Kept, since you have changed them, though the template no longer has them "
        "(delete what you do not want)": [f"`{path}`" for path in outcome.kept],
        "Removed, since you had changed no more than pins": [
            f"`{path}`" for path in outcome.removed
        ],
        "Changed": [f"`{path}`" for path in outcome.changed],
    }
    for title, entries in sections.items():
        if entries:
            lines += [f"{title}:", "", *(f"- {entry}" for entry in entries), ""]
    return "\n".join([*lines, *outcome.notes]).rstrip() + "\n"


# ---- A proposal ---------------------------------------------------------------------

# The branch of the pull request, and the label of the issue.
PROPOSAL = "template-update"
CONFLICT_LABEL = "template-conflict"
# Who commits, and who writes with a workflow's own token.
BOT = "github-actions[bot]"
BOT_ADDRESS = f"41898282+{BOT}@users.noreply.github.com"
SAVED = "refs/update-from-template/saved"
# Characters. GitHub takes 65,536 in a text.
MAX_SUMMARY = 60_000
NO_DRAFTS, NO_ISSUES = "Draft pull requests are not supported", "Issues are disabled"
# The token stays out of the command line and of git's settings.
CREDENTIALS = ("credential.helper=", "credential.helper=!gh auth git-credential")


@dataclass(frozen=True)
class Proposal:
    """An update that was saved.

    Attributes:
        version: The template's version that it brings.
        conflicts: Whether conflicts are left.
        summary: What it did, in Markdown.
    """

    version: str
    conflicts: bool
    summary: str

    @property
    def title(self) -> str:
        """Give the title of its pull request or issue, which tells it from the last one."""
        return f"Update the pipeline template to {self.version}"


def save(outcome: Outcome, folder: Path) -> None:
    """Save an update in a folder: a commit, and what a proposal says of it."""
    text = summary(outcome)
    if len(text) > MAX_SUMMARY:
        text = f"{text[:MAX_SUMMARY]}\n\n…: the rest is in the summary of the run.\n"
    proposal = Proposal(outcome.new, bool(outcome.conflicts), text)
    git("add", "--all")
    tree = git("write-tree").strip()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ[f"GIT_{role}_NAME"] = BOT
        os.environ[f"GIT_{role}_EMAIL"] = BOT_ADDRESS
    commit = git("commit-tree", tree, "-p", "HEAD", "-m", proposal.title)
    git("update-ref", SAVED, commit.strip())
    git("bundle", "create", "--quiet", str(folder / "commit.bundle"), SAVED, "^HEAD")
    git("update-ref", "-d", SAVED)
    (folder / "proposal.json").write_text(json.dumps(asdict(proposal)), "utf-8")


def saved(folder: Path) -> Proposal:
    """Give what was saved in a folder."""
    try:
        return Proposal(**json.loads((folder / "proposal.json").read_text("utf-8")))
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise Problem(f"{folder} holds no update: make one with --save") from error


def variable(name: str) -> str:
    """Give an environment variable that runners set."""
    if not (value := os.environ.get(name)):
        raise Problem(f"{name} is not set: this is for template-update.yml")
    return value


def api(path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
    """Ask GitHub about the repository, and give its answer; raises Problem when it refuses."""
    command = ["gh", "api", "--method", method]
    command += [f"repos/{variable('GITHUB_REPOSITORY')}/{path}".rstrip("/")]
    command += [] if body is None else ["--input", "-"]
    answer = output_of(command, "" if body is None else json.dumps(body))
    return json.loads(answer) if answer.strip() else None


def newest(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the open pull request or issue, else the last one; None where there is none."""
    still_open = [entry for entry in found if entry["state"] == "open"]
    return next(iter(still_open or found), None)


def is_declined(known: dict[str, Any] | None, proposal: Proposal) -> bool:
    """Tell whether a person has closed this very proposal; says so then."""
    if not known or known["state"] == "open" or known.get("merged_at"):
        return False
    if known["title"] != proposal.title:
        return False
    say(
        f"#{known['number']} is closed: version {proposal.version} is not proposed again. "
        "Reopen it to have it kept up to date."
    )
    return True


def tell(folder: Path) -> None:
    """Keep one issue that says what is new, and how to take it."""
    proposal = saved(folder)
    text = (
        "The template has a newer version. Take it on a branch of its own:\n\n"
        "    uv run scripts/update_from_template.py\n\n"
        f"It will say this, of which you can look at all before you commit:\n\n{proposal.summary}"
    )
    main_branch()
    known = newest(our_issues("all"))
    body = {"title": proposal.title, "body": text}
    if known and known["state"] == "open":
        api(f"issues/{known['number']}", "PATCH", body)
        return
    if is_declined(known, proposal):
        return
    try:
        api("issues", "POST", {**body, "labels": [PROPOSAL]})
    except Problem as problem:
        if NO_ISSUES not in str(problem):
            raise
        say(f"This repository has no issues, so it is told here alone.\n\n{text}")


def our_issues(state: str) -> list[dict[str, Any]]:
    """Give the issues that this workflow has opened, newest first."""
    found = api(f"issues?state={state}&per_page=100&labels={PROPOSAL}")
    return [
        issue
        for issue in found
        if "pull_request" not in issue and issue["user"]["login"] == BOT
    ]


def main_branch() -> str:
    """Give the repository's main branch; raises Problem where the run is of another one."""
    branch: str = api("")["default_branch"]
    if variable("GITHUB_REF_NAME") != branch:
        raise Problem(
            f"start this on {branch}: with another branch, what is on it would be proposed too"
        )
    return branch


def propose(folder: Path) -> None:
    """Keep one branch and one pull request with the update."""
    proposal = saved(folder)
    owner = variable("GITHUB_REPOSITORY").partition("/")[0]
    base = main_branch()
    known = newest(api(f"pulls?state=all&head={owner}:{PROPOSAL}"))
    pull = known if known and known["state"] == "open" else None
    if is_declined(known, proposal):
        return
    there = git(
        *("for-each-ref", "--format=%(objectname)"), f"refs/remotes/origin/{PROPOSAL}"
    ).strip()
    if not is_ours(there, known):
        leave(pull, proposal)
        return
    git("fetch", "--quiet", str(folder / "commit.bundle"), f"+{SAVED}:{SAVED}")
    parent, head = git("rev-parse", f"{SAVED}^", "HEAD").split()
    if parent != head:
        raise Problem(
            f"{folder} holds an update of another commit: run the workflow again"
        )
    if not is_same(there):
        push(there)
    if pull:
        api(f"pulls/{pull['number']}", "PATCH", texts_of(proposal))
    else:
        pull = open_pull(
            {**texts_of(proposal), "head": PROPOSAL, "base": base}, proposal
        )
    mark(pull, conflicts=proposal.conflicts)
    for issue in our_issues("open"):
        api(f"issues/{issue['number']}", "PATCH", {"state": "closed"})


def is_ours(there: str, known: dict[str, Any] | None) -> bool:
    """Tell whether nothing of a person's would be lost with the branch as it is.

    Ours is one commit: a person's own, a change of ours or a merge of main is more. What was merged, by squashing
    too, is in main.
    """
    if known and known["merged_at"] and known["head"]["sha"] == there:
        return True
    committers = git("log", "--format=%ce", f"HEAD..{there or 'HEAD'}").split()
    return committers in ([], [BOT_ADDRESS])


def leave(pull: dict[str, Any] | None, proposal: Proposal) -> None:
    """Say, once, that a branch with a person's commits is not brought to a newer version; raises Problem where nobody would read that."""
    text = (
        f"Version {proposal.version} of the template is out. The branch {PROPOSAL} has commits "
        "that are not template-update.yml's, and is left as it is: merge it, or delete it, "
        "and the next run proposes what is new then."
    )
    if not pull:
        raise Problem(text)
    say(text)
    if pull["title"] != proposal.title:
        comments = f"issues/{pull['number']}/comments"
        if all(comment["body"] != text for comment in api(f"{comments}?per_page=100")):
            api(comments, "POST", {"body": text})


def is_same(there: str) -> bool:
    """Tell whether the branch has the same files on the same commit."""
    if not there:
        return False
    ours, theirs = (
        git("rev-parse", f"{commit}^{{tree}}", f"{commit}^")
        for commit in (SAVED, there)
    )
    return ours == theirs


def push(there: str) -> None:
    """Push the saved commit; refused where the branch is no longer what was looked at."""
    settings = [argument for setting in CREDENTIALS for argument in ("-c", setting)]
    lease = f"--force-with-lease=refs/heads/{PROPOSAL}:{there}"
    git(*settings, "push", "--quiet", lease, "origin", f"{SAVED}:refs/heads/{PROPOSAL}")


def texts_of(proposal: Proposal) -> dict[str, str]:
    """Give title and text of the pull request."""
    note = (
        "`template-update.yml` keeps this up to date as long as nobody else commits to the "
        "branch. Close it to skip this version."
    )
    return {"title": proposal.title, "body": f"{proposal.summary}\n{note}\n"}


def open_pull(body: dict[str, Any], proposal: Proposal) -> dict[str, Any]:
    """Open the pull request; as a draft where conflicts are left, if the repository has drafts."""
    try:
        return api("pulls", "POST", {**body, "draft": proposal.conflicts})  # type: ignore[no-any-return]
    except Problem as problem:
        if NO_DRAFTS not in str(problem):
            raise
    return api("pulls", "POST", body)  # type: ignore[no-any-return]


def mark(pull: dict[str, Any], *, conflicts: bool) -> None:
    """Label a pull request and make it a draft where conflicts are left, and take both back where none is."""
    labels = f"issues/{pull['number']}/labels"
    labelled = CONFLICT_LABEL in [label["name"] for label in pull["labels"]]
    if conflicts and not labelled:
        if not pull["draft"]:
            switch_draft(pull, "convertPullRequestToDraft")
        api(labels, "POST", {"labels": [CONFLICT_LABEL]})
    if labelled and not conflicts:
        if pull["draft"]:
            switch_draft(pull, "markPullRequestReadyForReview")
        api(f"{labels}/{CONFLICT_LABEL}", "DELETE")


def switch_draft(pull: dict[str, Any], mutation: str) -> None:
    """Make a pull request a draft or ready, which REST cannot; where there are no drafts the label must do."""
    query = "mutation($id: ID!) { SWITCH(input: {pullRequestId: $id}) { clientMutationId } }"
    query = query.replace("SWITCH", mutation)
    fields = ["-f", f"query={query}", "-f", f"id={pull['node_id']}"]
    done = run(["gh", "api", "graphql", *fields])
    if done.returncode:
        reason = last_line(done.stderr)
        say(f"#{pull['number']} is a draft or not as it was: {mutation}: {reason}")


# ---- Command line -----------------------------------------------------------------------


def answer(text: str) -> str:
    """Give an answer of the command line; argparse says where it is none."""
    if "=" not in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return text


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--check", action="store_true", help="only say whether something is new"
    )
    mode.add_argument(
        "--save",
        type=Path,
        metavar="FOLDER",
        help="save an update, if there is one, to propose it; 0 then, whatever it leaves",
    )
    mode.add_argument(
        "--propose", type=Path, metavar="FOLDER", help="keep a pull request with it"
    )
    mode.add_argument(
        "--tell", type=Path, metavar="FOLDER", help="keep an issue that tells of it"
    )
    parser.add_argument(
        "--ask", action="store_true", help="go through the questions again"
    )
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=answer,
        help="change an answer",
    )
    parser.add_argument(
        "--version", default="", help="take this version of the template"
    )
    parser.add_argument(
        "--no-hooks", dest="hooks", action="store_false", help="do not run the hooks"
    )
    return parser.parse_args(arguments)


def is_new() -> bool:
    """Say whether the template has a newer version; tells the next steps of a workflow, too."""
    found = check_update(read_answers())
    newest, current = found["latest_version"], found["current_version"]
    available = bool(found["update_available"])
    if available:
        print(f"The template has version {newest}; the project has {current}.")
    else:
        print(f"Nothing is new: the project has {current}.")
    append_to("GITHUB_OUTPUT", f"available={json.dumps(available)}\n")
    return available


def save_if_new(options: argparse.Namespace) -> int:
    """Update and save where there is a newer version; gives the exit status.

    It is 0 also where something is left for a person, since the proposal says so: 1 and 2 are what uv ends with where
    it cannot start this.
    """
    folder = options.save.resolve()
    if folder.is_relative_to(Path.cwd()):
        raise Problem(f"{folder} is in the project: save into a folder elsewhere")
    folder.mkdir(parents=True, exist_ok=True)
    if is_new():
        outcome = update(options)
        save(outcome, folder)
        say(summary(outcome))
    return 0


def start(options: argparse.Namespace) -> int:
    """Do what the command line asks for; gives the exit status."""
    if options.check:
        return 2 if is_new() else 0
    if options.save:
        return save_if_new(options)
    if options.propose:
        propose(options.propose)
        return 0
    if options.tell:
        tell(options.tell)
        return 0
    outcome = update(options)
    say(summary(outcome))
    return 1 if outcome.conflicts or outcome.red else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = parse_arguments(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    settle_git()
    try:
        return start(options)
    except KeyboardInterrupt:
        print(f"\nEnded. To bring everything back:\n\n{RESTORE}\n", file=sys.stderr)
        return 2
    except (Problem, OSError) as problem:
        print(f"update_from_template.py: {problem}", file=sys.stderr)
        append_to("GITHUB_STEP_SUMMARY", f"❌ {problem}\n")
        return 1 if options.check else 2


if __name__ == "__main__":
    sys.exit(main())
