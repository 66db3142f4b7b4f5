"""Projects that people have lived in are updated: nothing of theirs is lost, and all that is new arrives."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest
import yaml
from copier._cli import CopierApp
from engine import under_test
from engine.fixtures import Execute
from engine.repository import Repository
from filelock import FileLock
from harness import copy_template, keep, load_script, run, tool
from histories import make_template, releases, sources_of
from hypothesis import strategies
from improvement import JOB_TEXT, NEW_TEST, RETIRED_TEST, change, improve
from lives import (
    FOLDER,
    LASTING,
    LIVES,
    MARKER,
    PACKAGE,
    WORKFLOWS,
    Kept,
    Life,
    in_conflict,
    in_order,
    path_of,
    pins_alone,
    step,
    steps_of,
)
from update_report import Update, note

ON: dict[str, Any] = {
    "kind": "library",
    "project_name": "Sample Project",
    "python_versions": ["3.10", "3.12"],
    "github_user": "octo",
    "pypi": True,
    "docker": True,
    "codecov": True,
    "template_updates": True,
}
OFF = ON | dict.fromkeys(("pypi", "docker", "codecov", "template_updates"), False)
CONFLICT = re.compile(rf"^{MARKER}\n(.*?)^>>>>>>> after updating$", re.M | re.S)
# Of what counts as a release the first, and the newest three.
RELEASES = [*releases()[:1], *releases()[-3:]]


# ---- Copier in this process ------------------------------------------------------------------------------------------


def copier(*arguments: str) -> tuple[int, str, str]:
    """Run Copier's command line in this process, which saves its start; gives its status and what it printed."""
    said, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
        _, status = CopierApp.run(["copier", *arguments], exit=False)
    return status, said.getvalue(), errors.getvalue()


@pytest.fixture
def script(template: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Give the update script, which runs Copier in this process."""
    module = load_script(template / "template/scripts/update_from_template.py")
    # It adds to this; the test's end takes that away.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    start = module.run

    def run_here(command: list[str], stdin: str = "") -> Any:
        if command[:3] == [sys.executable, "-m", "copier"]:
            return module.Done(*copier(*command[3:]))
        return start(command, stdin)

    monkeypatch.setattr(module, "run", run_here)
    return module


# ---- Templates and projects ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def history(template: Path, shared: Path) -> Callable[[str], Path]:
    """Give what makes a template's repository with an old version, v1, and a new one, v2; each once."""

    def make(old: str) -> Path:
        place = shared / "histories" / (old or "next")
        with FileLock(f"{shared / 'histories'}-{place.name}.lock"):
            if not place.exists():
                place.parent.mkdir(exist_ok=True)
                work = place.with_name(f"{place.name}.work")
                if old:
                    versions = {
                        "v1.0.0": sources_of(old, work / "old"),
                        "v2.0.0": template,
                    }
                else:
                    improved = copy_template(work / "new")
                    improve(improved)
                    versions = {"v1.0.0": template, "v2.0.0": improved}
                keep(make_template(work / "git", versions), place)
                shutil.rmtree(work)
        return place

    return make


@pytest.fixture(scope="session")
def rendered(history: Callable[[str], Path], shared: Path) -> Callable[..., Path]:
    """Give what renders a version of a history for some answers; each once."""

    def make(old: str, version: str, answers: Mapping[str, Any]) -> Path:
        key = "-".join(map(str, (version, *answers.values()))).replace("/", "")
        place = shared / "rendered" / (old or "next") / re.sub(r"[^\w.-]", "", key)
        with FileLock(f"{shared / 'rendered'}-{place.name}.lock"):
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                partial = place.with_suffix(".partial")
                data = place.with_suffix(".yml")
                data.write_text(yaml.safe_dump(dict(answers)), "utf-8")
                status, _, errors = copier(
                    *("copy", "--quiet", "--defaults", f"--vcs-ref={version}"),
                    *(f"--data-file={data}", str(history(old)), str(partial)),
                )
                assert status == 0, errors
                keep(partial, place)
        return place

    return make


@pytest.fixture
def project(
    rendered: Callable[..., Path], tmp_path: Path
) -> Callable[[str, Mapping[str, Any]], Path]:
    """Give what makes a committed project from the old version of a history."""

    def make(old: str, answers: Mapping[str, Any]) -> Path:
        folder = tmp_path / f"project-{sum(1 for _ in tmp_path.iterdir())}"
        shutil.copytree(rendered(old, "v1.0.0", answers), folder)
        git(folder, "init", "-q", "--initial-branch=main")
        commit(folder, "Render")
        return folder

    return make


def git(folder: Path, *arguments: str) -> str:
    """Run git in a project; gives what it prints."""
    return run([tool("git"), *arguments], cwd=folder).stdout


def commit(folder: Path, message: str) -> None:
    """Commit all that is there."""
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "--allow-empty", f"--message={message}")


def conflicts(folder: Path) -> dict[str, list[str]]:
    """Give the conflicts that a project shows, by file."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts and path.suffix != ".pyc":
            text = path.read_text("utf-8", "replace")
            if shown := CONFLICT.findall(text):
                found[path.relative_to(folder).as_posix()] = shown
    return found


def seed_code(folder: Path) -> dict[str, bytes]:
    """Give the code that a project began with, as it is now."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("src", "tests")
        for path in (folder / part).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def count(found: Mapping[str, list[str]]) -> int:
    """Count conflicts."""
    return sum(map(len, found.values()))


# ---- An update -------------------------------------------------------------------------------------------------------


def new_answers(lives: tuple[Life, ...]) -> dict[str, Any]:
    """Give the answers that lives change with the update."""
    return {name: value for life in lives for name, value in life.answers.items()}


def options(answers: Mapping[str, Any]) -> list[str]:
    """Give the command line's options for changed answers."""
    return [f"--data={name}={json.dumps(value)}" for name, value in answers.items()]


def is_seed(file: str) -> bool:
    """Tell whether a file is of the code that projects begin with, which is rendered once."""
    return file.startswith((f"{PACKAGE}/", "tests/"))


def check_arrival(folder: Path, old: Path, new: Path, lives: tuple[Life, ...]) -> None:
    """Check that what is new is there: whole where nobody touched the file, step by step in workflows that people did."""
    touched = {file for life in lives for file in life.files}
    whole = {file for life in lives if life.kind in WHOLE for file in life.files}
    for path in sorted(new.rglob("*")):
        file = path.relative_to(new).as_posix()
        if not path.is_file() or file == ".copier-answers.yml":
            continue
        mine = any(file == name or file.startswith(f"{name}/") for name in touched)
        if is_seed(file):
            continue
        if not mine:
            assert (folder / file).read_bytes() == path.read_bytes(), file
        elif (
            file not in whole
            and (folder / file).exists()
            and not in_conflict(folder, file)
        ):
            check_new_lines(folder / file, old / file, path)
    for file in {p.relative_to(old).as_posix() for p in old.rglob("*") if p.is_file()}:
        if not (new / file).exists() and file not in touched and not is_seed(file):
            assert not (folder / file).exists(), f"{file} is not retired"


# What these write is theirs alone.
WHOLE = ("a document rewritten", "a pin")


def check_new_lines(file: Path, old: Path, new: Path) -> None:
    """Check that each line that the template has added to a file, which people have changed too, is in it."""
    before, after, mine = (
        Counter(path.read_text("utf-8").splitlines() if path.exists() else ())
        for path in (old, new, file)
    )
    assert after - before - mine == Counter(), file
    if "workflows" in file.parts:
        there = steps_of(file.read_text("utf-8"))
        for job, steps in steps_of(new.read_text("utf-8")).items():
            assert [s for s in there[job] if s in steps] == steps, f"{file}: {job}"


def by_copier_alone(
    folder: Path, answers: Mapping[str, Any], checks: list[Kept]
) -> tuple[int, int]:
    """Update a copy of a project without the script; gives the conflicts, and what is lost or misplaced."""
    plain = folder.with_name(f"{folder.name}-plain")
    shutil.copytree(folder, plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(plain)
        status, _, errors = copier("update", "--quiet", "--defaults", *options(answers))
    assert status == 0, errors
    found = count(conflicts(plain)), sum(len(check(plain)) for check in checks)
    shutil.rmtree(plain)
    return found


# How many conflicts one of these may leave, where both sides have changed the same lines; all others leave none.
MOST = {"a step": 1, "a job": 1, "a pin": 3, "a file of the same name": 1}


def check_update(
    script: ModuleType,
    project: Callable[[str, Mapping[str, Any]], Path],
    rendered: Callable[..., Path],
    lives: tuple[Life, ...],
    old: str = "",
    *,
    kind: str = "",
) -> Path:
    """Live in a project, update it, and check that nothing is lost; gives its folder.

    Without a kind of its own it is also updated by `copier update` alone, for the report to compare.
    """
    base = ON if all(life.on for life in lives) else OFF
    folder = project(old, base)
    checks = [life.live(folder) for life in lives]
    commit(folder, "Live")
    seed = seed_code(folder)
    changed = new_answers(lives)
    plain: tuple[int | None, int | None] = (None, None)
    if not kind:
        plain = by_copier_alone(folder, changed, checks)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            status = script.main(["--no-hooks", *options(changed)])
        left = conflicts(folder)
        text = said.getvalue()
        assert status == (1 if left else 0), text
        assert script.RESTORE in text
        # What is shown is told, and nothing else.
        unmerged = set(git(folder, "diff", "--name-only", "--diff-filter=U").split())
        assert unmerged == set(left)
        assert all(f"- `{file}`, line" in text for file in left)
        assert count(left) <= sum(MOST.get(life.kind, 0) for life in lives)
        assert not list(folder.rglob("*.rej"))
        assert not any(map(pins_alone, (c for found in left.values() for c in found)))
        losses = [lost for check in checks for lost in check(folder)]
        note(
            Update(
                kind or lives[0].kind,
                *plain,
                count(left),
                text.count(": you had "),
                len(losses),
            )
        )
        assert losses == []
        assert seed_code(folder) == seed
        was, now = (
            rendered(old, version, base | answers)
            for version, answers in (("v1.0.0", {}), ("v2.0.0", changed))
        )
        check_arrival(folder, was, now, lives)
        if not left:
            commit(folder, "Update")
            with contextlib.redirect_stdout(io.StringIO()):
                assert script.main(["--no-hooks"]) == 0
            assert git(folder, "status", "--porcelain") == ""
    return folder


def test_the_improved_release_has_other_seed_code(
    rendered: Callable[..., Path],
) -> None:
    """Every file is another one, one is new and one is gone; so it shows that projects keep theirs."""
    was, now = (
        seed_code(rendered("", version, ON)) for version in ("v1.0.0", "v2.0.0")
    )
    assert set(now) - set(was) == {NEW_TEST}
    assert {f"{name}.jinja" for name in set(was) - set(now)} == {RETIRED_TEST}
    assert not [name for name in set(was) & set(now) if was[name] == now[name]]


# A few of each sort, which the oldest Copier updates as well.
CORE = {
    "a step: tests, between",
    "a pin: up",
    "a pin: to a fork",
    "a setting: threshold",
    "a file deleted: .editorconfig",
    "a file of the same name: docs/improvements.md",
    "a renamed file changed: docs/setup.md",
    "an answer changed: docker on",
    "an answer changed: pypi off",
    "a changed file's answer switched off: codecov, codecov.yml",
}


def test_the_core_is_there() -> None:
    assert {life.id for life in LIVES} >= CORE


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(
            life, id=life.id, marks=[pytest.mark.core] if life.id in CORE else []
        )
        for life in LIVES
    ],
)
def test_a_life_is_kept(
    script: ModuleType,
    project: Callable[[str, Mapping[str, Any]], Path],
    rendered: Callable[..., Path],
    life: Life,
) -> None:
    """Updated to a release that changes whatever a release may change."""
    check_update(script, project, rendered, (life,))


# What these do to a file leaves no room there for another edit; two pins are in the same lines.
SHARED = ("a step", "a job", "a pin", "a setting", "a dependency", "a hook")


def agree(first: Life, second: Life) -> bool:
    """Tell whether two lives can be lived at once: in files of their own, or in one in which both find their place."""
    if not first.files & second.files:
        return True
    kinds = {first.kind, second.kind}
    return kinds <= set(SHARED) and kinds != {"a pin"}


def fits(chosen: list[Life]) -> bool:
    """Tell whether several lives can be lived at once, in a project that has them all."""
    questions = [name for life in chosen for name in life.answers]
    return (
        all(agree(*pair) for pair in itertools.combinations(chosen, 2))
        and len(set(questions)) == len(questions)
        and len({life.on for life in chosen}) == 1
        # What an answer takes away is not lived in here.
        and all(not life.answers for life in chosen if life.on)
    )


COMBINATIONS = 50
# Files that several lives are in.
CROWDED = sorted(
    file
    for file, count in Counter(file for life in LIVES for file in life.files).items()
    if count > 1
)


def several(
    lives: list[Life], least: int, most: int
) -> strategies.SearchStrategy[list[Life]]:
    """Draw some of several lives, none twice."""
    one = strategies.sampled_from(lives)
    return strategies.lists(one, min_size=least, max_size=most, unique_by=id)


@functools.cache
def combinations() -> list[tuple[Life, ...]]:
    """Give some lives at once, many times: drawn by hypothesis, always the same (see the profile in conftest.py)."""
    found: list[tuple[Life, ...]] = []
    anywhere = several(LIVES, 3, 7)
    # Drawn from all, hardly any two would be in one file.
    in_one_file = strategies.sampled_from(CROWDED).flatmap(
        lambda file: several([life for life in LIVES if file in life.files], 2, 4)
    )

    @hypothesis.settings(max_examples=COMBINATIONS, database=None, derandomize=True)
    @hypothesis.given((anywhere | in_one_file).filter(fits))
    def draw(lives: list[Life]) -> None:
        found.append(tuple(lives))

    draw()
    return found


def test_some_lives_are_in_one_file() -> None:
    """In many of the combinations, and of each kind that shares a file with others."""
    drawn = [
        {first.kind, second.kind}
        for lives in combinations()
        for first, second in itertools.combinations(lives, 2)
        if first.files & second.files
    ]
    assert len(drawn) > COMBINATIONS
    assert set().union(*drawn) == set(SHARED)


@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_lives_are_kept_together(
    script: ModuleType,
    project: Callable[[str, Mapping[str, Any]], Path],
    rendered: Callable[..., Path],
    number: int,
) -> None:
    lives = combinations()[number]
    check_update(script, project, rendered, lives, kind="several at once")


# From each release a part of what people do, so that all of it is done from some.
FROM_RELEASES = [
    (old, life)
    for index, old in enumerate(RELEASES)
    for life in LASTING[index :: len(RELEASES)]
]


@pytest.mark.parametrize(
    ("old", "life"), FROM_RELEASES, ids=lambda value: getattr(value, "id", value)
)
def test_a_life_is_kept_from_a_release(
    script: ModuleType,
    project: Callable[[str, Mapping[str, Any]], Path],
    rendered: Callable[..., Path],
    old: str,
    life: Life,
) -> None:
    """Updated from what the template was at a release to what it is now."""
    check_update(script, project, rendered, (life,), old, kind="from a release")


# All settings, all documents, all deletions; and a step in each workflow, but where the improved release adds one in the
# same place: hooks are not run with a conflict, which the script's own tests show.
HOOKED = {
    kind: [life for life in LIVES if life.kind == kind]
    for kind in ("a setting", "a document rewritten", "a file deleted")
}
CONFLICTING = ("pre-commit", "semgrep")
HOOKED["a step"] = [
    life
    for life in LIVES
    if life.name.endswith(", between") and not life.name.startswith(CONFLICTING)
]


@pytest.mark.parametrize("kind", HOOKED)
def test_the_hooks_are_green_afterwards(
    project: Callable[[str, Mapping[str, Any]], Path],
    script: ModuleType,
    shared: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    """The script locks what changed and runs the project's own hooks."""
    folder = project("", ON)
    place_lock(folder, shared)
    commit(folder, "Lock")
    for life in HOOKED[kind]:
        life.live(folder)
    commit(folder, "Live")
    monkeypatch.chdir(folder)
    status = script.main([])
    said = capsys.readouterr().out
    assert conflicts(folder) == {}
    assert status == 0, said
    assert "The hooks are green." in said


def place_lock(folder: Path, shared: Path) -> None:
    """Give a project its lock, made once."""
    made = shared / "update.lock"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            run([tool("uv"), "lock", "-q"], cwd=folder)
            shutil.copy(folder / "uv.lock", made)
    shutil.copy(made, folder / "uv.lock")


LONG_JOB = (
    JOB_TEXT.rstrip()
    + "\n"
    + "".join(
        f"\n      - name: Improve {number}\n        run: echo improved\n"
        for number in range(9)
    )
    + "\n"
)


def add_long_jobs(sources: Path) -> None:
    """Put a long job above all others in each workflow, and change nothing else."""
    for workflow in (sources / "template" / FOLDER).iterdir():
        change(workflow, "\njobs:\n", f"\njobs:\n{LONG_JOB}")


def test_a_step_stays_in_its_job_where_jobs_look_alike(
    script: ModuleType,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A step of their own is in each job of each workflow, before its second step; above it a long job arrives."""
    longer = copy_template(tmp_path / "longer")
    add_long_jobs(longer)
    versions = {"v1.0.0": template, "v2.0.0": longer}
    source = make_template(tmp_path / "git", versions)
    data = tmp_path / "answers.yml"
    data.write_text(yaml.safe_dump(ON), "utf-8")
    folder = tmp_path / "project"
    status, _, errors = copier(
        *("copy", "--quiet", "--defaults", "--vcs-ref=v1.0.0", f"--data-file={data}"),
        *(str(source), str(folder)),
    )
    assert status == 0, errors
    checks = []
    for workflow in WORKFLOWS:
        path = folder / path_of(workflow)
        text, count_of = path.read_text("utf-8"), 0
        jobs = re.split(r"(?m)^(?=  [\w-]+:$)", text)
        for number, job in enumerate(jobs):
            starts = [m.start() for m in re.finditer(r"(?m)^      - name: ", job)]
            if len(starts) > 1:
                count_of += 1
                place = starts[1]
                jobs[number] = f"{job[:place]}{step(f'{number}')}\n{job[place:]}"
        assert count_of
        path.write_text("".join(jobs), "utf-8")
        checks.append(in_order(path_of(workflow), steps_of(path.read_text("utf-8"))))
    git(folder, "init", "-q", "--initial-branch=main")
    commit(folder, "Live")
    monkeypatch.chdir(folder)
    assert script.main(["--no-hooks"]) == 0, capsys.readouterr()
    assert [lost for check in checks for lost in check(folder)] == []
    for workflow in WORKFLOWS:
        jobs_there = steps_of((folder / path_of(workflow)).read_text("utf-8"))
        assert jobs_there["improvement"][-1] == "Improve 8"


# A project of each kind, from each release; in them all that people do that runs nothing made up.
PIPELINES = list(zip(RELEASES, itertools.cycle(["library", "service", "mcp"])))


# No push to main starts them.
NOT_STARTED = {path_of(name) for name in ("publish", "release", "template-update")}


def lived_in(number: int) -> list[Life]:
    """Give what is done in a project, each in files of its own: a step in each second workflow, a job in the others."""
    lasting = [life for life in LASTING if not life.files & NOT_STARTED]
    steps = [life for life in lasting if life.name.endswith(", between")]
    jobs = [life for life in lasting if life.kind == "a job"]
    start = number % 2
    rest = ("a workflow", "a hook", "a file extended")
    return [
        *steps[start::2],
        *jobs[1 - start :: 2],
        *(life for life in lasting if life.kind in rest),
        *(life for life in LIVES if life.id == "a dependency: of dev"),
    ]


@pytest.mark.parametrize("number", range(len(PIPELINES)))
def test_the_pipeline_is_green_afterwards(
    project: Callable[[str, Mapping[str, Any]], Path],
    script: ModuleType,
    execute: Execute,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
) -> None:
    """What a push to main starts, with what people have added to it; the update has run the hooks.

    One project runs every second workflow, the next one the others. An image is built for every platform or not at all:
    that takes longer than all else, and is shown elsewhere.
    """
    old, kind = PIPELINES[number]
    folder = project(old, ON | {"kind": kind, "python_versions": ["3.12"]})
    run([tool("uv"), "lock", "-q"], cwd=folder)
    commit(folder, "Lock")
    checks = [life.live(folder) for life in lived_in(number)]
    run([tool("uv"), "lock", "-q"], cwd=folder)
    commit(folder, "Live")
    monkeypatch.chdir(folder)
    assert script.main([]) == 0, capsys.readouterr().out
    commit(folder, "Update")
    assert [lost for check in checks for lost in check(folder)] == []
    here = Repository(tmp_path / "github", folder)
    event = here.push()
    started = under_test.started_by(under_test.load(folder), event)
    assert {"tests.yml", "build.yml", "pre-commit.yml", "ours.yml"} <= set(started)
    for workflow in sorted({*started} - {"docker.yml"})[number % 2 :: 2]:
        result = execute(here, workflow, event, system="ubuntu-latest")
        assert result.red == set(), result.failures
