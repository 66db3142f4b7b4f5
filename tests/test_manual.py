"""The manual's pages on the workflows and on their care say what the rendered workflows do; names in it are real ones."""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cost
import pytest
import yaml
from harness import Project, Renderer
from test_documents import ANSWERS, documents, each_project, rows, texts, tokens

FOLDER = ".github/workflows"
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


# ---- Job by job ------------------------------------------------------------------------------------------------------


def section(page: str, heading: str) -> str:
    """Give what stands under a heading of the second level; empty where there is none."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    return found[1] if found else ""


def title(job: Mapping[str, Any]) -> str:
    """Give the name that GitHub shows, with … for what differs from cell to cell."""
    return EXPRESSION.sub("…", job["name"])


def place(job: Mapping[str, Any]) -> str:
    """Say where a job runs, as the manual does."""
    if "uses" in job:
        return f"calls `{Path(job['uses']).name}`"
    if EXPRESSION.search(job["runs-on"]):
        return "the matrix"
    return f"`{job['runs-on']}`"


def jobs_of(workflow: Mapping[str, Any], answers: Mapping[str, Any]) -> list[list[str]]:
    """Give name, needs and place of each job that the answers want described."""
    jobs = workflow["jobs"]
    return [
        [
            title(job),
            ", ".join(title(jobs[needed]) for needed in cost.needs(job)),
            place(job),
        ]
        for name, job in jobs.items()
        if name != "codecov" or answers["codecov"]
    ]


def wrong_jobs(page: str, project: Path, answers: Mapping[str, Any]) -> list[str]:
    """Give the workflows whose table says something else than the file, and tables of no workflow."""
    workflows = cost.read(project)
    headings = re.findall(r"^## (\S+\.yml)$", page, re.M)
    return sorted(
        name
        for name in {*headings, *workflows}
        if name not in headings
        or name not in workflows
        or [row[:3] for row in rows(section(page, name), "job")]
        != jobs_of(workflows[name], answers)
    )


@pytest.mark.quick
@each_project
def test_each_job_is_described(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    page = project.text("docs/workflows.md")
    assert wrong_jobs(page, project.path, project.answers) == []


@pytest.mark.quick
@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("| Lint |", "| Linting |", ["tests.yml"]),
        ("| Lint | Plan | `ubuntu-slim`", "| Lint | Plan | `ubuntu-latest`", ["tests.yml"]),
        ("| Package | Plan |", "| Package | |", ["build.yml"]),
        ("calls `build.yml`", "calls `tests.yml`", ["release.yml"]),
        ("## trivy.yml", "## grype.yml", ["grype.yml", "trivy.yml"]),
    ],
)  # fmt: skip
def test_a_job_that_is_not_as_described_is_found(
    old: str, new: str, wrong: list[str], render: Renderer
) -> None:
    project = render(kind="library")
    page = project.text("docs/workflows.md")
    assert page.count(old) == 1
    assert wrong_jobs(page.replace(old, new), project.path, project.answers) == wrong


# ---- What is kept -----------------------------------------------------------------------------------------------------


def kept(workflow: Mapping[str, Any]) -> dict[str, int]:
    """Give for how many days a workflow keeps each artifact, by a pattern of its name."""
    inputs = [
        step["with"]
        for job in workflow["jobs"].values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/upload-artifact@")
    ]
    return {
        re.sub(r"\$\{\{.*?\}\}", r"\\w+", each["name"]): int(each["retention-days"])
        for each in inputs
    }


def told_to_be_kept(cell: str) -> dict[str, int]:
    """Give the artifacts of a cell like "`a`: what it is, `b`, 7 days; `c`, 1 day" with their days."""
    found: dict[str, int] = {}
    for part in cell.split(";"):
        if days := re.search(r"(\d+) days?", part):
            found |= {name: int(days[1]) for name in re.findall(r"`([\w-]+)`", part)}
    return found


def wrong_keeping(project: Project, page: str) -> list[str]:
    """Give the workflows that keep something else than the page says, or for another time."""
    wrong = []
    workflows = cost.read(project.path)
    for row in rows(page, "workflow"):
        file, told = row[0].strip("`"), told_to_be_kept(row[4])
        real = kept(workflows[file])
        fits = {
            p
            for p in real
            for n, days in told.items()
            if re.fullmatch(p, n) and days == real[p]
        }
        known = all(any(re.fullmatch(p, name) for p in real) for name in told)
        if fits != set(real) or not known:
            wrong.append(file)
    return wrong


@pytest.mark.quick
@each_project
def test_what_is_kept_is_told_with_its_days(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    assert wrong_keeping(project, project.text("docs/pipeline.md")) == []


@pytest.mark.quick
@pytest.mark.parametrize(
    ("old", "new", "file"),
    [
        ("`gitleaks-report`: what was found, without the secrets, 30 days", "nothing", "gitleaks.yml"),
        ("`scorecard-results`, 5 days", "`scorecard-results`, 6 days", "ossf-scorecard.yml"),
        ("`provenance`, 7 days", "`provenance`, `more`, 7 days", "release.yml"),
        ("`digest-amd64`, `digest-arm64`, 1 day", "`digests`, 1 day", "docker.yml"),
    ],
)  # fmt: skip
def test_what_is_kept_otherwise_is_found(
    old: str, new: str, file: str, render: Renderer
) -> None:
    project = render(github_user="octo")
    page = project.text("docs/pipeline.md")
    assert page.count(old) == 1
    assert wrong_keeping(project, page.replace(old, new)) == [file]


# ---- How long, and what starts what ----------------------------------------------------------------------------------


def seconds(name: str) -> int:
    """Give the estimate for a job, on its slowest runner; 0 for what is started by hand alone."""
    estimate = cost.SECONDS.get(name, 0)
    return max(estimate.values()) if isinstance(estimate, dict) else estimate


def duration(workflows: Mapping[str, Any], file: str, without: str = "") -> int:
    """Give the seconds from a workflow's start to its end: its longest way along `needs`, without one of its jobs."""
    jobs = {k: v for k, v in workflows[file]["jobs"].items() if k != without}

    def end(job: str) -> int:
        data = jobs[job]
        before = max((end(needed) for needed in cost.needs(data)), default=0)
        if "uses" in data:
            return before + duration(workflows, Path(data["uses"]).name)
        return before + seconds(f"{file} / {job}")

    return max(end(job) for job in jobs)


@pytest.mark.quick
@each_project
def test_the_manual_says_how_long_a_workflow_takes(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    page, workflows = project.text("docs/workflows.md"), cost.read(project.path)
    said = {
        file: int(re.findall(r"Ends after about (\d+) minute", section(page, file))[0])
        for file in workflows
    }
    without = "" if project.answers["codecov"] else "codecov"
    assert said == {
        file: math.ceil(duration(workflows, file, without) / 60) for file in workflows
    }


@pytest.mark.quick
def test_the_longest_way_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    inner: dict[str, Any] = {"jobs": {"x": {}}}
    outer = {
        "jobs": {
            "a": {},
            "b": {"needs": "a", "uses": "./.github/workflows/i.yml"},
            "c": {"needs": ["a"]},
            "d": {"needs": ["b", "c"]},
        }
    }
    for name, time in {"i.yml / x": 30, "o.yml / a": 10, "o.yml / c": {"m": 5, "w": 20}, "o.yml / d": 1}.items():  # fmt: skip
        monkeypatch.setitem(cost.SECONDS, name, time)
    assert duration({"i.yml": inner, "o.yml": outer}, "o.yml") == 41


def starts(project: Path) -> set[tuple[str, str]]:
    """Give which workflow calls or starts which."""
    found = set()
    for file, workflow in cost.read(project).items():
        jobs = workflow["jobs"]
        called = [Path(job["uses"]).name for job in jobs.values() if "uses" in job]
        found |= {
            (file, other)
            for other in [*called, *cost.started(workflow, list(jobs))]
            if (project / FOLDER / other).exists()
        }
    return found


@pytest.mark.quick
@each_project
def test_the_manual_says_what_starts_what(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    table = rows(section(project.text("docs/workflows.md"), "How they depend on one another"), "workflow")  # fmt: skip
    said = [(row[0].strip("`"), row[1].strip("`")) for row in table]
    assert len(said) == 3 + project.answers["pypi"] + project.answers["docker"]
    assert set(said) == starts(project.path)


# ---- Care ------------------------------------------------------------------------------------------------------------

DAYS = {"*": "daily", "1": "Monday"}


def schedules(project: Path) -> set[tuple[str, str]]:
    """Give when what runs by itself, as the manual says it."""
    found = set()
    for file, workflow in cost.read(project).items():
        for entry in workflow["on"].get("schedule", []):
            minute, hour, _, _, day = entry["cron"].split()
            found.add((f"{DAYS[day]}, {hour:0>2}:{minute:0>2}", f"`{file}`"))
    settings = yaml.safe_load((project / ".github/dependabot.yml").read_text("utf-8"))
    for update in settings["updates"]:
        plan = update["schedule"]
        assert plan["timezone"] == "Etc/UTC"
        found.add((f"{plan['day'].capitalize()}, {plan['time']}", "Dependabot"))
    return found


@pytest.mark.quick
@each_project
def test_the_manual_says_what_runs_by_itself(name: str, render: Renderer) -> None:
    project = render(**ANSWERS[name])
    table = rows(project.text("docs/care.md"), "when, in UTC")
    assert {(when, what) for when, what in table} == schedules(project.path)
    assert len(table) == 3 + project.answers["template_updates"]


@pytest.mark.quick
def test_another_schedule_is_found(render: Renderer, tmp_path: Path) -> None:
    project = render(kind="library")
    before = schedules(project.path)
    for number, (file, old, new) in enumerate(
        (
            (f"{FOLDER}/trivy.yml", '"0 3 * * *"', '"30 3 * * *"'),
            (".github/dependabot.yml", '"06:00"', '"07:00"'),
        )
    ):
        copy = project.workable(tmp_path / str(number))
        text = (copy / file).read_text("utf-8")
        (copy / file).write_text(text.replace(old, new, 1), "utf-8")
        assert schedules(copy) != before


# Scorecard's own list, without what it calls experimental.
SCORECARD = """
Binary-Artifacts Branch-Protection CI-Tests CII-Best-Practices Code-Review Contributors Dangerous-Workflow
Dependency-Update-Tool Fuzzing License Maintained Packaging Pinned-Dependencies SAST Security-Policy Signed-Releases
Token-Permissions Vulnerabilities
""".split()  # noqa: SIM905 (a table is read at one look)


@pytest.mark.quick
@each_project
def test_the_manual_has_each_check_of_scorecard_and_each_practice(
    name: str, render: Renderer
) -> None:
    page = render(**ANSWERS[name]).text("docs/care.md")
    checks = [row[0] for row in rows(page, "check")]
    assert checks == SCORECARD
    assert len(checks) == 18
    assert [row[0] for row in rows(page, "practice")] == [
        "fast feedback",
        "security first",
        "quality gates",
        "automation",
        "transparency",
    ]


# ---- Names of jobs, steps, messages, secrets and variables -----------------------------------------------------------

# What other programs say, or call something.
ELSEWHERE = {
    "Add a new pending publisher": "PyPI",
    "Only notify for failed workflows": "GitHub",
    "Report a vulnerability": "GitHub",
    "needs to be updated": "uv",
    "find lockfile": "uv",
    "Found 1 error": "Ruff and mypy",
    "would reformat": "Black",
    "denied": "the registry",
    "FAILED tests/": "pytest",
    "is less than fail-under": "coverage",
    "Missing required key": "pre-commit",
    "Expected": "pre-commit",
    "files were modified by this hook": "pre-commit",
    "Failed": "pre-commit",
    "leaks found": "Gitleaks",
    "missing from sdist": "check-manifest",
    "Backend subprocess exited": "build",
    "no answer to initialize in time": "scripts/test_server.py, which fills in what was asked",
    "Code Finding": "Semgrep",
    "Can't parse version from tag": "setuptools-scm",
    "without `workflows` permission": "git push to GitHub",
    "not granted to this installation": "GitHub",
    "permission to create labels": "GitHub",
    "A JSON web token could not be decoded": "GitHub",
    "Permission denied": "git push to GitHub",
    "stale info": "git push",
    "403": "git push to GitHub",
    "Every change": "a term of the page",
    "passed": "the end of a name",
    "The matrix": "a term of the page",
    "You": "a term of the page",
}
# What a person puts something of their own for.
STANDS_FOR = {"NAME", "NUMBER", "OWNER", "REPOSITORY", "TAG", "VALUE", "VERSION", "YOU", "FILE"}  # fmt: skip
# Signs of formats and programs that look like the name of a variable.
NO_VARIABLES = {"GET", "LICENSE", "MIT", "BSD", "CVE", "SECURITY", "CONTRIBUTING", "README", "MANIFEST", "BREAKING", "CHANGE", "CRITICAL", "HIGH", "MEDIUM", "CODEOWNERS", "SHA256SUMS", "JSON"}  # fmt: skip
UNUSED = {"GITLEAKS_LICENSE": "the manual says that it is not needed"}


def prose(text: str) -> Iterator[str]:
    """Give the lines of a document, with their inline code, and without its blocks of code."""
    for token in tokens(text):
        if token.type == "inline":
            yield token.content.replace("\n", " ")


def quoted(text: str) -> set[str]:
    """Give what a document quotes."""
    found = set()
    for line in prose(text):
        # Code may have quotes of its own.
        without_code = re.sub(r"`[^`]*\"[^`]*`", "", line)
        found |= set(re.findall(r'"([^"]+)"', without_code))
    return {phrase.rstrip(".,") for phrase in found}


def variables(text: str) -> set[str]:
    """Give what a document's inline code names in the way of secrets and variables."""
    code = [t.content for t in tokens(text) if t.type == "code_inline"]
    return {word for part in code for word in re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", part)}  # fmt: skip


def sources(project: Path) -> str:
    """Give the text of all that a project runs."""
    folders = (FOLDER, "scripts", "src")
    files = [f for folder in folders for f in sorted((project / folder).rglob("*"))]
    texts = [f.read_text("utf-8") for f in files if f.suffix in (".yml", ".py")]
    # A message may be broken in the source.
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts))


def called(project: Path) -> set[str]:
    """Give the names of a project's workflows, jobs and steps."""
    found = set()
    for workflow in cost.read(project).values():
        found.add(workflow["name"])
        for job in workflow["jobs"].values():
            found.add(title(job))
            found |= {step["name"] for step in job.get("steps", [])}
    return found


def as_in_a_source(phrase: str) -> str:
    """Give the pattern of a message in a source, where a number or a name may be a value that is filled in."""
    words = [
        re.escape(word)
        if re.fullmatch(r"[a-z]\W*|[a-z][a-z'-]+\W*", word)
        else rf"(?:{re.escape(word)}|\{{[^}}]+\}})"
        for word in phrase.split(" ")
    ]
    return " ".join(words)


def unknown_names(project: Path, text: str) -> set[str]:
    """Give the quoted phrases and the variables of a document that nothing in the project says.

    A word alone must be the name of a job, a step or a workflow; several may be part of a message.
    """
    known, names = sources(project), called(project)
    phrases = {
        phrase
        for phrase in quoted(text) - ELSEWHERE.keys() - names
        if " " not in phrase or not re.search(as_in_a_source(phrase), known)
    }
    named = variables(text) - STANDS_FOR - NO_VARIABLES - UNUSED.keys()
    return phrases | {name for name in named if not re.search(rf"\b{name}\b", known)}


def unknown_in(project: Project) -> dict[str, set[str]]:
    """Give the unknown names of each document that has some."""
    found = {
        name: unknown_names(project.path, text)
        for name, text in texts(project).items()
        if name.startswith("docs/")
    }
    return {name: names for name, names in found.items() if names}


@pytest.mark.quick
@each_project
def test_every_step_message_secret_and_variable_that_is_named_is_there(
    name: str, render: Renderer
) -> None:
    unknown = unknown_in(render(**ANSWERS[name]))
    assert unknown == {}, (
        "said by nothing in the project: correct it, or add what another program says to ELSEWHERE"
    )


@pytest.mark.quick
def test_each_exception_is_still_said(render: Renderer) -> None:
    said: set[str] = set()
    for answers in ANSWERS.values():
        for page in documents(render(**answers).path):
            text = page.read_text("utf-8")
            said |= quoted(text) | variables(text)
    assert (ELSEWHERE.keys() | UNUSED.keys()) - said == set()


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        '### "Check that nobody is left"\n',
        'Several jobs "Tags" wait.\n',
        "Set `NO_SUCH_TOKEN` in `pypi`.\n",
        '| a |\n| --- |\n| "gone" |\n',
        'It says `x` and "has 2 children".\n',
    ],
)
def test_a_name_that_nothing_has_is_found(text: str, render: Renderer) -> None:
    project = render(**ANSWERS["service"])
    assert len(unknown_names(project.path, text)) == 1
    known = '"Require the threshold", "Tag", `PYPI_API_TOKEN`, "was published by hand", "has 2 drafts"'
    assert unknown_names(project.path, known) == set()
