"""Rendered projects of each kind, as a developer has them on this machine: what no workflow shows."""

import hashlib
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import PYTHONS, copier, interpreter, unproven
from native import Checkout, printed
from test_commands import lines

KINDS = ["service", "mcp", "library"]
NEWEST = ["3.14", "3.15"]

Make = Callable[[str], Checkout]


@pytest.fixture
def project(locked: Callable[..., Path], tmp_path: Path) -> Make:
    """Give the function that makes a kind's project: committed, locked, tagged, for every Python there is."""

    def make(kind: str) -> Checkout:
        # The tools' Python: what .python-version names may not be had here.
        checkout = Checkout(tmp_path / "project", {"UV_PYTHON": "3.12"})
        source = locked(kind=kind, python_versions=PYTHONS)
        Checkout(tmp_path).run(f"git clone -q '{source}' project")
        checkout.run("git tag v1.2.3")
        return checkout

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_lowest_versions_that_it_allows(
    project: Make, kind: str, tmp_path: Path
) -> None:
    """The lower bounds of the dependencies are true: the tests pass on them."""
    lowest = Checkout(tmp_path / "lowest", {"UV_PYTHON": "3.12"})
    project(kind).run(f"git clone -q . '{lowest.path}' && rm '{lowest.path}/uv.lock'")
    lowest.run(
        "uv run -q --isolated --resolution lowest-direct --no-default-groups --group test pytest"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_newest_pythons_statically(project: Make, kind: str) -> None:
    """For Pythons that cannot be had everywhere: the types agree, and every package has a wheel for them."""
    checkout = project(kind)
    for version in NEWEST:
        checkout.run(f"uv run --locked mypy --python-version {version}")
        checkout.run(
            f"uv pip compile --quiet --python-version {version} --only-binary :all: --group test pyproject.toml"
        )
    if absent := [version for version in NEWEST if interpreter(version) is None]:
        unproven(f"no interpreter for Python {', '.join(absent)}: the matrix cells")


def digests(folder: Path) -> dict[str, str]:
    """Give the SHA-256 of each file in a folder."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.iterdir()
    }


def members(sdist: Path) -> dict[str, bytes]:
    """Give what an sdist's files hold."""
    with tarfile.open(sdist) as archive:
        return {
            member.name: file.read()
            for member in archive
            if (file := archive.extractfile(member))
        }


BUILD = (
    "uv sync -q --locked --only-group build"
    ' && SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" uv run --no-sync python -m build --no-isolation'
)


@pytest.mark.parametrize("kind", KINDS)
def test_wheel_is_reproducible(project: Make, kind: str, tmp_path: Path) -> None:
    """Built again from another folder, the wheel is the same bytes and the sdist holds the same files."""
    checkout = project(kind)
    again = Checkout(tmp_path / "elsewhere", checkout.environment.copy())
    checkout.run(f"git clone -q . '{again.path}'")
    checkout.run(BUILD)
    again.run(BUILD)
    first, second = checkout.path / "dist", again.path / "dist"
    assert digests(first).keys() == digests(second).keys()
    (wheel,) = (name for name in digests(first) if name.endswith(".whl"))
    assert digests(first)[wheel] == digests(second)[wheel]
    (sdist,) = (name for name in digests(first) if name.endswith(".tar.gz"))
    one, other = members(first / sdist), members(second / sdist)
    assert one.keys() == other.keys()
    # setuptools-scm writes down which branch and clone it was; all else is the same.
    assert {n for n in one if one[n] != other[n]} <= {
        n for n in one if n.endswith("/scm_version.json")
    }


# ---- What is printed after a copy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers",
    [
        {},
        {"kind": "mcp", "github_user": "octo"},
        {"kind": "library", "pypi": "false"},
        {"docker": "false", "template_updates": "false", "codecov": "true"},
    ],
    ids=lambda answers: "-".join(answers.values()) or "defaults",
)
def test_printed_next_steps_work(
    template: Path, answers: dict[str, str], tmp_path: Path
) -> None:
    """The lines, word for word, end in green tests, green hooks and a clean checkout."""
    data = [f"--data={name}={value}" for name, value in answers.items()]
    folder = "a project"
    done = copier("copy", "--defaults", *data, str(template), folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    commands = printed(done.stderr)
    go = f"cd '{folder}' && "
    assert commands[0] == f"{go}git init --initial-branch=main"
    from_folder = "It comes from a folder" in done.stderr
    assert from_folder == (answers.get("template_updates") != "false")
    # The manual has them, too.
    page = (tmp_path / folder / "docs/setup.md").read_text("utf-8")
    assert [commands[0].removeprefix(go), *commands[1:]] == lines(page)[:5]
    # The last two need GitHub: test_first_push.py types them.
    output = Checkout(tmp_path).run("\n".join(commands[:-2])).stdout
    assert re.search(r"\d+ passed", output)
    assert "Secret" not in output
    checkout = Checkout(tmp_path / folder)
    assert checkout.changes() == ""
    assert checkout.run("git log --oneline").stdout.count("\n") == 1
