"""A release of the template that changes everything that a release may change; the rules are in docs/maintaining.md."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

PIN = re.compile(r"(uses: ([\w./-]+)@)([0-9a-f]{40}) # v(\d+)\.(\d+)\.\d+")
JOB = re.compile(r"^  [\w-]+:$", re.M)
STEP = re.compile(r"^      - name: .*$", re.M)

TOP, MIDDLE, END = "Improve at the top", "Improve in the middle", "Improve at the end"
NEW_JOB = "improvement"
NEW_HOOK = "improved-hook"
NEW_SETTING = "warn_unreachable = true"
NEW_FILE = "docs/improvements.md"
NEW_SEED = "\n# Improved.\n"
NEW_TEST, RETIRED_TEST = "tests/test_improvement.py", "tests/test_sizes.py.jinja"
RETIRED = "socket.yml"
RENAMED, NEW_NAME = "docs/setup.md", "docs/github-settings.md"
OLD_QUESTION, NEW_QUESTION = "coverage_threshold", "least_coverage"
DROPPED = "3.10"
JOB_TEXT = f"""\
  {NEW_JOB}:
    name: Improvement
    runs-on: ubuntu-slim
    timeout-minutes: 5
    permissions: {{}}
    steps:
      - name: Improve
        run: echo improved

"""


def new_pin(action: str) -> str:
    """Give the commit of an action's new version; it is made up."""
    return hashlib.sha1(action.encode(), usedforsecurity=False).hexdigest()


def step(name: str) -> str:
    """Give a step's text."""
    return f"      - name: {name}\n        run: echo improved\n"


def raise_pins(text: str) -> str:
    """Move every action to the next minor version."""

    def raised(match: re.Match[str]) -> str:
        use, action, _, major, minor = match.groups()
        return f"{use}{new_pin(action)} # v{major}.{int(minor) + 1}.0"

    return PIN.sub(raised, text)


def improve_workflow(text: str) -> str:
    """Raise the pins; add a step at the top, in the middle and at the end, and a job above the last one."""
    text = raise_pins(text).rstrip("\n") + "\n\n" + step(END)
    start = text.index("    steps:\n") + len("    steps:\n")
    text = f"{text[:start]}{step(TOP)}\n{text[start:]}"
    after_jobs = text.index("\njobs:\n")
    jobs = [m.start() for m in JOB.finditer(text, after_jobs)]
    first = [
        m.start()
        for m in STEP.finditer(text, start)
        if len(jobs) == 1 or m.start() < jobs[1]
    ]
    middle = first[len(first) // 2]
    text = f"{text[:middle]}{step(MIDDLE)}\n{text[middle:]}"
    last = [m.start() for m in JOB.finditer(text, after_jobs)][-1]
    # A comment above the job belongs to it.
    return f"{text[:last]}{JOB_TEXT}{text[last:]}"


def change(file: Path, old: str, new: str) -> None:
    """Replace a text that stands in a file."""
    text = file.read_text("utf-8")
    assert old in text, f"{file} has no {old!r}"
    file.write_text(text.replace(old, new, 1), "utf-8")


def files(folder: Path) -> Iterator[Path]:
    """Give the template's files."""
    return (path for path in folder.rglob("*") if path.is_file())


def improve(sources: Path) -> None:
    """Make the improved release of the template's sources, in their folder."""
    template = sources / "template"
    for workflow in (template / ".github/workflows").iterdir():
        workflow.write_text(improve_workflow(workflow.read_text("utf-8")), "utf-8")
    change(
        template / ".pre-commit-config.yaml",
        "      - id: end-of-file\n",
        f"""\
      - id: {NEW_HOOK}
        name: Nothing that cannot be improved
        entry: uv run --frozen python -c ""
        language: system
        types: [text]

      - id: end-of-file
""",
    )
    change(
        template / "pyproject.toml.jinja",
        "[tool.mypy]\n",
        f"[tool.mypy]\n{NEW_SETTING}\n",
    )
    (template / f"{NEW_FILE}.jinja").write_text(
        "# Improvements\n\nThis project says {{ greeting }}.\n", "utf-8"
    )
    change_seed_code(template)
    (template / RETIRED).unlink()
    (template / f"{RENAMED}.jinja").rename(template / f"{NEW_NAME}.jinja")
    for path in [*files(template), *files(sources / "extensions")]:
        text = path.read_bytes()
        renamed = text.replace(OLD_QUESTION.encode(), NEW_QUESTION.encode())
        if renamed != text:
            path.write_bytes(renamed)
    change(
        sources / "extensions/validation.jinja",
        'FORMER_QUESTIONS = "',
        f'FORMER_QUESTIONS = "{OLD_QUESTION}',
    )
    change(
        sources / "extensions/validation.jinja",
        'set QUESTIONS = "',
        'set QUESTIONS = "greeting ',
    )
    change_questions(sources / "copier.yml")


def change_seed_code(template: Path) -> None:
    """Change all of the code that projects begin with, add to it, and take some away: projects have their own by then."""
    for folder in ("src", "tests"):
        for path in files(template / folder):
            path.write_text(path.read_text("utf-8") + NEW_SEED, "utf-8")
    (template / NEW_TEST).write_text(f'"""Improved."""\n{NEW_SEED}', "utf-8")
    (template / RETIRED_TEST).unlink()


def change_questions(file: Path) -> None:
    """Ask a new question, rename one, and offer a Python no longer to new projects."""
    text = file.read_text("utf-8").replace(OLD_QUESTION, NEW_QUESTION)
    file.write_text(text, "utf-8")
    change(
        file,
        f"{NEW_QUESTION}:\n",
        "greeting:\n  type: str\n  help: What does it say?\n  default: hello\n\n"
        f"{NEW_QUESTION}:\n",
    )
    # The old name, as the rule for a renamed question has it.
    change(
        file,
        "  default: 90\n",
        f"  default: '{{{{ {OLD_QUESTION} | default(90) }}}}'\n",
    )
    change(
        file,
        '    "3.10 (its end of life was in October 2026)": "3.10"\n',
        f"""\
    "3.10 (its end of life was in October 2026)":
      value: "{DROPPED}"
      validator: "{{% if '{DROPPED}' not in (python_versions | default([])) %}}{DROPPED} is no longer offered{{% endif %}}"
""",
    )
    change(
        file, '  default: ["3.10", "3.11", "3.12"]\n', '  default: ["3.11", "3.12"]\n'
    )
