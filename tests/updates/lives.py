"""What people do to a project between two updates: small edits, each with what must still be so afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from improvement import NEW_FILE, PIN, RENAMED, RETIRED, new_pin
from planting import Plant, append, remove, replace, write

MARKER, END = "<<<<<<< before updating", ">>>>>>> after updating"
PACKAGE = "src/sample_project"
FOLDER = ".github/workflows"
WORKFLOWS = (
    *("build", "coverage", "docker", "gitleaks", "ossf-scorecard", "pre-commit"),
    *("publish", "release", "semgrep", "template-update", "tests", "trivy"),
)
CHECKOUT = "actions/checkout"

# Gives what is lost or misplaced, in words.
Kept = Callable[[Path], list[str]]


@dataclass(frozen=True)
class Life:
    """An edit of a project.

    Attributes:
        kind: What it is about; the table counts by this.
        name: What tells it from others.
        live: Does it, and gives the check for what must be kept.
        files: The files that it touches.
        answers: Answers that are changed with the update.
        on: Whether the project has all that answers bring, or none of it.
    """

    kind: str
    name: str
    live: Callable[[Path], Kept]
    files: frozenset[str]
    answers: Mapping[str, Any] = field(default_factory=dict)
    on: bool = True

    @property
    def id(self) -> str:
        """What tells it from all others."""
        return f"{self.kind}: {self.name}"


# ---- What must be kept -----------------------------------------------------------------------------------------------


def text_of(project: Path, file: str) -> str:
    """Give a file's text; nothing where it is gone."""
    path = project / file
    return path.read_text("utf-8") if path.exists() else ""


def in_conflict(project: Path, file: str) -> bool:
    """Tell whether a file shows a conflict."""
    return MARKER in text_of(project, file)


BOTH = [0, 1]


def sides(text: str) -> tuple[str, str]:
    """Give a file as it is when every conflict in it is decided for its people, and when for the template."""
    whole: tuple[list[str], list[str]] = ([], [])
    places = BOTH
    for line in text.splitlines(keepends=True):
        mark = line.rstrip("\n")
        if mark == MARKER:
            places = [0]
        elif mark == "=======" and places == [0]:
            places = [1]
        elif mark == END and places == [1]:
            places = BOTH
        else:
            for place in places:
                whole[place].append(line)
    return "".join(whole[0]), "".join(whole[1])


def stands(file: str, *texts: str) -> Kept:
    """Check that texts still stand in a file, also where it shows a conflict."""

    def lost(project: Path) -> list[str]:
        found = text_of(project, file)
        return [f"{file} lost {text!r}" for text in texts if text not in found]

    return lost


def stands_not(file: str, text: str) -> Kept:
    """Check that a text that was taken out of a file is not back."""

    def back(project: Path) -> list[str]:
        again = text in text_of(project, file) and not in_conflict(project, file)
        return [f"{file} has {text!r} back"] if again else []

    return back


def gone(file: str) -> Kept:
    """Check that a file that was deleted is not back."""
    return lambda project: [f"{file} is back"] if (project / file).exists() else []


def both(*checks: Kept) -> Kept:
    """Check several things."""
    return lambda project: [lost for check in checks for lost in check(project)]


def steps_of(text: str) -> dict[str, list[str]]:
    """Give the names of the steps of each job, in order."""
    jobs = yaml.safe_load(text)["jobs"]
    return {
        job: [step["name"] for step in data.get("steps", [])]
        for job, data in jobs.items()
    }


def in_order(file: str, before: dict[str, list[str]]) -> Kept:
    """Check that the steps of each job, those of the project's people among them, are in that job and in that order.

    Where the file shows conflicts, so it is when all of them are decided for its people; either side is a workflow.
    """

    def misplaced(project: Path) -> list[str]:
        found = []
        mine, its = sides(text_of(project, file))
        try:
            after, _ = steps_of(mine), steps_of(its)
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            return [f"{file}: a side of a conflict is no workflow: {error}"]
        for job, steps in before.items():
            there = after.get(job, [])
            if ours := [s for s in steps if s.startswith("Ours") and s not in there]:
                found.append(f"{file}: {ours} left the job {job}")
            if [s for s in there if s in steps] != [s for s in steps if s in there]:
                found.append(f"{file}: the order of {job} is {there}")
        return found

    return misplaced


# ---- Ways to live ----------------------------------------------------------------------------------------------------


def path_of(workflow: str) -> str:
    """Give a workflow's file."""
    return f"{FOLDER}/{workflow}.yml"


def step(name: str) -> str:
    """Give a step of the people's own."""
    return f"      - name: Ours, {name}\n        run: echo ours\n"


def with_step(workflow: str, where: str) -> Life:
    """Insert a step between two of a job, before its first, or after the last of all."""
    file = path_of(workflow)

    def live(project: Path) -> Kept:
        text = text_of(project, file)
        start = text.index("    steps:\n") + len("    steps:\n")
        if where == "first":
            text = f"{text[:start]}{step(where)}\n{text[start:]}"
        elif where == "last":
            text = f"{text.rstrip()}\n\n{step(where)}"
        else:
            job = next(names for names in steps_of(text).values() if len(names) > 1)
            place = text.index(f"      - name: {job[(len(job) + 1) // 2]}\n", start)
            # A comment above a step belongs to it.
            while (comment := text.rfind("\n", 0, place - 1) + 1) and text[
                comment:place
            ].lstrip().startswith("#"):
                place = comment
            text = f"{text[:place]}{step(where)}\n{text[place:]}"
        (project / file).write_text(text, "utf-8")
        return in_order(file, steps_of(text))

    return Life("a step", f"{workflow}, {where}", live, frozenset({file}))


OWN_JOB = """\
  ours:
    name: Ours
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions: {}
    steps:
      - name: Ours, alone
        run: echo ours

"""
# As a project's own hooks want it.
OWN_WORKFLOW = f"""\
name: Ours
on: push
permissions: {{}}
concurrency:
  group: ours
  cancel-in-progress: false
jobs:
{OWN_JOB.rstrip()}
"""


def with_job(workflow: str) -> Life:
    """Put a job of their own above the first one."""
    file = path_of(workflow)

    def live(project: Path) -> Kept:
        replace(file, "\njobs:\n", f"\njobs:\n{OWN_JOB}")(project)
        return in_order(file, steps_of(text_of(project, file)))

    return Life("a job", workflow, live, frozenset({file}))


def with_pin(name: str, new: str, kept: str) -> Life:
    """Move a pin everywhere in a workflow; everywhere it is what it should be afterwards."""
    file = path_of("tests")

    def live(project: Path) -> Kept:
        text, count = re.subn(
            rf"{CHECKOUT}@[0-9a-f]{{40}} # v\S+", new, text_of(project, file)
        )
        assert count > 1
        (project / file).write_text(text, "utf-8")

        def lost(project: Path) -> list[str]:
            there = sides(text_of(project, file))[0].count(kept)
            return [] if there == count else [f"{file} has {kept!r} {there} times"]

        return lost

    return Life("a pin", name, live, frozenset({file}))


def edit(kind: str, name: str, plant: Plant, file: str, *kept: str) -> Life:
    """Change a file in a way that leaves texts in it."""

    def live(project: Path) -> Kept:
        plant(project)
        return stands(file, *kept)

    return Life(kind, name, live, frozenset({file}))


def changed(kind: str, name: str, file: str, old: str, new: str) -> Life:
    """Replace a text by another."""
    return edit(kind, name, replace(file, old, new), file, new)


def rewritten(file: str) -> Life:
    """Write a file anew."""
    text = "# Ours\n\nAll of it is ours.\n"
    return edit("a document rewritten", file, write(file, text), file, text)


def deleted(file: str) -> Life:
    """Delete a file."""

    def live(project: Path) -> Kept:
        remove(file)(project)
        return gone(file)

    return Life("a file deleted", file, live, frozenset({file}))


def answered(question: str, value: bool, files: frozenset[str]) -> Life:
    """Change an answer: what it brings is there afterwards, or not."""

    def live(_: Path) -> Kept:
        def wrong(project: Path) -> list[str]:
            return [
                f"{file} is {'missing' if value else 'there'}"
                for file in sorted(files)
                if (project / file).exists() != value
            ]

        return wrong

    return Life(
        "an answer changed",
        f"{question} {'on' if value else 'off'}",
        live,
        frozenset(),
        {question: value},
        on=not value,
    )


BROUGHT = {
    "pypi": frozenset({path_of("publish")}),
    "docker": frozenset(
        {path_of("docker"), "Dockerfile", ".dockerignore", "scripts/image.py"}
    ),
    "codecov": frozenset({"codecov.yml"}),
    "template_updates": frozenset({path_of("template-update")}),
}


def switched_off(question: str, file: str, text: str) -> Life:
    """Change a file, then switch off the answer that brings it."""

    def live(project: Path) -> Kept:
        append(file, text)(project)
        return stands(file, text)

    return Life(
        "a changed file's answer switched off",
        f"{question}, {file}",
        live,
        frozenset({file}),
        {question: False},
    )


def seed(project: Path) -> Kept:
    """Replace the seed code entirely."""
    for path in [*(project / PACKAGE).glob("*.py"), *(project / "tests").glob("*.py")]:
        path.unlink()
    write(f"{PACKAGE}/__init__.py", '"""Ours."""\n')(project)
    write("tests/test_ours.py", '"""Ours."""\n')(project)
    return both(
        stands(f"{PACKAGE}/__init__.py", '"""Ours."""'),
        stands("tests/test_ours.py", '"""Ours."""'),
        gone(f"{PACKAGE}/sizes.py"),
        gone("tests/test_sizes.py"),
    )


def without_hook(project: Path) -> Kept:
    """Take a hook out."""
    file = ".pre-commit-config.yaml"
    text = text_of(project, file)
    start = text.index("      - id: large-file\n")
    end = text.index("      - id: private-key\n")
    (project / file).write_text(text[:start] + text[end:], "utf-8")
    return stands_not(file, "large-file")


def same_name(project: Path) -> Kept:
    """Add a file where the template adds one as well: both are there to be chosen from."""
    text = "# Ours\n\nAll of it is ours.\n"
    write(NEW_FILE, text)(project)

    def lost(project: Path) -> list[str]:
        mine, its = sides(text_of(project, NEW_FILE))
        found = [] if mine == text else [f"{NEW_FILE} is {mine!r}"]
        if its == mine or not its.startswith("# Improvements\n"):
            found.append(f"{NEW_FILE} does not show what the template has")
        return found

    return lost


HOOK = """\

      - id: ours
        name: Ours
        entry: uv run --frozen python -c ""
        language: system
"""
OURS = "# Ours.\n"
UP, DOWN, FORK = "b" * 40, "c" * 40, "d" * 40

# These fit every version of the template that there was.
LASTING = [
    *(
        with_step(name, where)
        for name in WORKFLOWS
        for where in ("first", "between", "last")
    ),
    *(with_job(name) for name in WORKFLOWS),
    edit(
        "a workflow",
        "of their own",
        write(path_of("ours"), OWN_WORKFLOW),
        path_of("ours"),
        OWN_WORKFLOW,
    ),
    *(rewritten(name) for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(
        deleted(name)
        for name in (".editorconfig", "docs/troubleshooting.md", path_of("semgrep"))
    ),
    edit(
        "a file extended",
        "script",
        append("scripts/plan.py", OURS),
        "scripts/plan.py",
        OURS,
    ),
    edit(
        "a file extended", "Dockerfile", append("Dockerfile", OURS), "Dockerfile", OURS
    ),
    edit(
        "a hook",
        "added",
        append(".pre-commit-config.yaml", HOOK),
        ".pre-commit-config.yaml",
        HOOK,
    ),
    Life("seed code", "replaced", seed, frozenset({PACKAGE, "tests"})),
    *(
        answered(question, on, files)
        for question, files in BROUGHT.items()
        for on in (True, False)
    ),
]
LIVES = [
    *LASTING,
    with_pin("up", f"{CHECKOUT}@{UP} # v9.0.0", f"{CHECKOUT}@{UP} # v9.0.0"),
    with_pin("down", f"{CHECKOUT}@{DOWN} # v7.0.0", f"{CHECKOUT}@{new_pin(CHECKOUT)}"),
    with_pin("to a fork", f"octo/checkout@{FORK} # v7.0.1", f"octo/checkout@{FORK}"),
    changed(
        "a setting",
        "timeout",
        path_of("gitleaks"),
        "timeout-minutes: 15",
        "timeout-minutes: 45",
    ),
    changed(
        "a setting",
        "threshold",
        "pyproject.toml",
        "report.fail_under = 90",
        "report.fail_under = 80",
    ),
    changed(
        "a setting",
        "cron time",
        path_of("trivy"),
        'cron: "0 3 * * *"',
        'cron: "0 4 * * *"',
    ),
    changed(
        "a setting",
        "matrix",
        path_of("docker"),
        "runner: ubuntu-24.04-arm",
        "runner: ubuntu-22.04-arm",
    ),
    changed(
        "a setting",
        "Ruff",
        "pyproject.toml",
        "lint.ignore = [\n",
        'lint.ignore = [\n  "D105",\n',
    ),
    changed(
        "a setting",
        "mypy",
        "pyproject.toml",
        'files = [ "src", "tests", "scripts" ]',
        'files = [ "src" ]',
    ),
    changed(
        "a setting",
        "pytest",
        "pyproject.toml",
        'addopts = [ "-ra",',
        'addopts = [ "-rA",',
    ),
    changed(
        "a dependency",
        "of the package",
        "pyproject.toml",
        "\ndependencies = []",
        '\ndependencies = [ "packaging" ]',
    ),
    *(
        changed(
            "a dependency",
            f"of {group}",
            "pyproject.toml",
            f"\n{group} = [\n",
            f'\n{group} = [\n  "attrs",\n',
        )
        for group in ("test", "lint", "build", "release", "dev", "backend")
    ),
    Life("a hook", "removed", without_hook, frozenset({".pre-commit-config.yaml"})),
    Life("a file of the same name", NEW_FILE, same_name, frozenset({NEW_FILE})),
    edit("a retired file changed", RETIRED, append(RETIRED, OURS), RETIRED, OURS),
    edit(
        "a renamed file changed",
        RENAMED,
        append(RENAMED, "\nOurs.\n"),
        RENAMED,
        "\nOurs.\n",
    ),
    switched_off("pypi", path_of("publish"), OURS),
    switched_off("docker", "Dockerfile", OURS),
    switched_off("codecov", "codecov.yml", OURS),
]


def pins_alone(conflict: str) -> bool:
    """Tell whether the two sides of a conflict differ in pins alone."""
    ours, _, theirs = conflict.partition("=======\n")
    same = [PIN.sub(r"\1", side).strip() for side in (ours, theirs)]
    return same[0] == same[1]
