"""How something is put into a project: functions that give functions that change a working tree."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness import tool
from made_up import SECRETS

Plant = Callable[[Path], None]

PACKAGE = "src/sample_project"

# Versions that the stand-in for Trivy has a vulnerability for, by its severity.
CRITICAL, HIGH, MEDIUM, LOW = (
    "pyyaml==5.3.1",
    "jinja2==2.10",
    "requests==2.31.0",
    "certifi==2023.7.22",
)
# HIGH as well, and never mended.
UNFIXED = "py==1.11.0"
MEDIUM_ID = "CVE-2024-35195"


def write(file: str, text: str) -> Plant:
    """Write a file."""

    def plant(work: Path) -> None:
        (work / file).parent.mkdir(parents=True, exist_ok=True)
        (work / file).write_text(text, "utf-8")

    return plant


def replace(file: str, old: str, new: str) -> Plant:
    """Replace a text that stands in a file once."""

    def plant(work: Path) -> None:
        text = (work / file).read_text("utf-8")
        assert text.count(old) == 1, f"{old!r} stands in {file} {text.count(old)} times"
        (work / file).write_text(text.replace(old, new), "utf-8")

    return plant


def cut(file: str, start: str, end: str) -> Plant:
    """Take out what stands between two texts, the first of them included."""

    def plant(work: Path) -> None:
        text = (work / file).read_text("utf-8")
        before, _, rest = text.partition(start)
        assert end in rest, f"{start!r} … {end!r} does not stand in {file}"
        (work / file).write_text(before + end + rest.partition(end)[2], "utf-8")

    return plant


def remove(*files: str) -> Plant:
    """Remove files."""

    def plant(work: Path) -> None:
        for file in files:
            (work / file).unlink()

    return plant


def all_of(*plants: Plant) -> Plant:
    """Plant one after the other."""

    def plant(work: Path) -> None:
        for each in plants:
            each(work)

    return plant


def lock(work: Path) -> None:
    """Bring the lock file up to date."""
    subprocess.run([tool("uv"), "lock", "--quiet"], cwd=work, check=True)


def dependency(requirement: str) -> Plant:
    """Add a dependency, and lock it."""
    return all_of(
        replace(
            "pyproject.toml", "dependencies = []", f'dependencies = ["{requirement}"]'
        ),
        lock,
    )


def command(code: str, module: str = "server") -> Plant:
    """Let the console command start other code than the project's own module, which its unit tests do not see."""
    return all_of(
        replace(
            "pyproject.toml",
            f"sample_project.{module}:main",
            "sample_project.other:main",
        ),
        write(f"{PACKAGE}/other.py", code),
    )


def excuse(days: int) -> Plant:
    """Excuse the MEDIUM vulnerability until so many days from now."""

    def plant(work: Path) -> None:
        day = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
        entry = f"id: {MEDIUM_ID}\n    statement: Not reached.\n    expired_at: {day:%Y-%m-%d}"
        write(".trivyignore.yaml", f"vulnerabilities:\n  - {entry}\n")(work)

    return plant


def secrets(work: Path) -> None:
    """Write each kind of secret into a file of its own."""
    for name, secret in SECRETS.items():
        write(secret_file(name), f"{secret}\n")(work)


def secret_file(name: str) -> str:
    """Give the file that holds a kind of secret."""
    return f"docs/{name.replace(' ', '-')}.txt"


def append(file: str, text: str) -> Plant:
    """Add a text at the end of a file."""

    def plant(work: Path) -> None:
        with (work / file).open("a", encoding="utf-8") as stream:
            stream.write(text)

    return plant


# Tests that end at once: what they find out is shown elsewhere.
FAST_TESTS: Plant = write(
    ".github/workflows/tests.yml",
    """\
# Stands in for the tests.
# Locally: true
name: Tests
on:
  workflow_call:
permissions: {}
jobs:
  passed:
    name: Tests passed
    runs-on: ubuntu-slim
    timeout-minutes: 5
    steps:
      - name: Pass
        run: "true"
""",
)


def build_alone(work: Path) -> None:
    """Leave of build.yml what builds: what it checks and installs is shown elsewhere."""
    file = ".github/workflows/build.yml"
    for start, end in (
        ("      - name: Check that the sdist will", "      # The commit's own time"),
        ("      - name: Check the metadata", "      - name: Print the version"),
        ("      - name: Install the sdist", "      - name: Keep the sdist"),
    ):
        cut(file, start, end)(work)
    text = (work / file).read_text("utf-8")
    (work / file).write_text(text.partition("\n  install:\n")[0] + "\n", "utf-8")


# Gates that end soon and still give what is released.
FAST_GATES = all_of(FAST_TESTS, build_alone)

# Hooks that find nothing, at once.
ONE_HOOK = write(
    ".pre-commit-config.yaml",
    """\
repos:
  - repo: local
    hooks:
      - id: pass
        name: Pass
        language: system
        entry: "true"
        pass_filenames: false
""",
)

# A rule of the project's own, and code that it forbids.
OWN_RULE = write(
    ".semgrep/own.yml",
    """\
rules:
  - id: no-printing
    languages: [python]
    severity: ERROR
    message: Nobody reads what a server prints
    pattern: pprint(...)
""",
)
