"""Rendered projects of each kind, used on this machine by the commands of their own workflows."""

import hashlib
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import PYTHONS, Renderer, copier, interpreter, tool, unproven
from native import Checkout

# What was rendered, locked and built for a kind serves all of its tests: one worker each.
KINDS = [
    pytest.param(kind, marks=pytest.mark.xdist_group(kind))
    for kind in ("service", "mcp", "library")
]
VERSION = "1.2.3"
START_SERVER = "Start and stop the server"
START_INSTALLED = "Start and stop the installed server"

Make = Callable[[str], Checkout]


@pytest.fixture(scope="session")
def project(render: Renderer, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Give the function that makes a kind's project: committed, locked, tagged; once a session."""
    made: dict[str, Checkout] = {}

    def make(kind: str) -> Checkout:
        if kind not in made:
            rendered = render(kind=kind, python_versions=PYTHONS, github_user="octo")
            folder = tmp_path_factory.mktemp(kind) / "project"
            checkout = Checkout(rendered.workable(folder))
            # The tools' Python: what .python-version names may not be had here.
            checkout.environment["UV_PYTHON"] = "3.12"
            checkout.run(
                f"uv lock -q && git add -A && git commit -qm Lock && git tag v{VERSION}"
            )
            made[kind] = checkout
        return made[kind]

    return make


def on_python(checkout: Checkout, version: str, folder: Path) -> Checkout:
    """Give the same project with another Python and an environment of its own in a folder."""
    if interpreter(version) is None:
        unproven(f"no interpreter for Python {version}: its matrix cells")
    environment = {
        "UV_PYTHON": version,
        "UV_PROJECT_ENVIRONMENT": str(folder / "venv"),
        "VERSION": VERSION,
    }
    return Checkout(checkout.path, environment)


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("kind", KINDS)
def test_tests_job(project: Make, kind: str, version: str, tmp_path: Path) -> None:
    """Unit tests, smoke test and server start pass on each Python, and that Python ran them."""
    cell = on_python(project(kind), version, tmp_path)
    cell.environment["UV_NO_SYNC"] = "1"
    skip = (START_SERVER,) if kind == "library" else ()
    output = cell.run_job("tests.yml", "test", skip=skip)
    assert re.search(rf"Python {re.escape(version)}\.\d+", output)
    assert cell.changes() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_lint_job(project: Make, kind: str) -> None:
    """Lock, mistakes, format and types: nothing to report."""
    project(kind).run_job("tests.yml", "lint")


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
@pytest.mark.parametrize("version", ["3.14", "3.15"])
def test_newest_pythons_statically(project: Make, kind: str, version: str) -> None:
    """For Pythons that cannot be had everywhere: the types agree, and every package has a wheel for them."""
    checkout = project(kind)
    checkout.run(f"uv run --locked mypy --python-version {version}")
    checkout.run(
        f"uv pip compile --quiet --python-version {version} --only-binary :all: --group test pyproject.toml"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_change_nothing(project: Make, kind: str) -> None:
    """Every hook passes on every file and leaves it as it is, and the history holds no secret."""
    tool("go")
    checkout = project(kind)
    checkout.run_job("pre-commit.yml", "pre-commit")
    checkout.run_job("gitleaks.yml", "gitleaks")
    assert checkout.changes() == ""


@pytest.mark.parametrize("kind", KINDS)
def test_seed_code_is_fully_covered(project: Make, kind: str, tmp_path: Path) -> None:
    """The coverage job passes, and not one line or branch of the seed code is missed."""
    checkout = on_python(project(kind), "3.12", tmp_path)
    checkout.environment |= {
        "UV_NO_SYNC": "1",
        "COVERAGE_FILE": str(tmp_path / ".coverage"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }
    output = checkout.run_job("coverage.yml", "coverage")
    assert "| **total** | 🟢 100.0 % |" in output


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


@pytest.fixture(scope="session")
def built(project: Make, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Give the function that builds a kind's project once, by the steps of the package job."""
    made: dict[str, Checkout] = {}

    def make(kind: str) -> Checkout:
        if kind not in made:
            checkout = project(kind)
            folder = tmp_path_factory.mktemp("build")
            package = on_python(checkout, "3.12", folder)
            package.environment |= {
                "UV_NO_SYNC": "1",
                "GITHUB_OUTPUT": str(folder / "output"),
                "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            }
            package.run_job("build.yml", "package")
            assert (folder / "output").read_text("utf-8") == f"version={VERSION}\n"
            made[kind] = checkout
        return made[kind]

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_wheel_is_reproducible(built: Make, kind: str, tmp_path: Path) -> None:
    """Built again from another folder, the wheel is the same bytes and the sdist holds the same files."""
    checkout = built(kind)
    again = Checkout(tmp_path / "elsewhere", checkout.environment.copy())
    checkout.run(f"git clone -q . '{again.path}'")
    again.run("uv sync -q --locked --only-group build")
    build = 'SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" uv run --no-sync python -m build --no-isolation'
    again.run(build)
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


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("kind", KINDS)
def test_install_job(built: Make, kind: str, version: str, tmp_path: Path) -> None:
    """The wheel installs into an empty environment on each Python, and what it installs works."""
    cell = on_python(built(kind), version, tmp_path)
    skip = (START_INSTALLED,) if kind == "library" else ()
    cell.run_job("build.yml", "install", skip=skip)


# ---- What is printed after a copy ---------------------------------------------------------------------------------------


def printed_commands(message: str) -> list[str]:
    """Give the commands that Copier prints after a copy, up to those that need GitHub."""
    _, steps = re.split(r"Next \(needs uv.*\):", message)
    return [
        line.strip()
        for line in steps.split("Then create")[0].splitlines()
        if line.startswith("  ")
    ]


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
    tool("go")
    data = [f"--data={name}={value}" for name, value in answers.items()]
    folder = "a project"
    done = copier("copy", "--defaults", *data, str(template), folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    commands = printed_commands(done.stderr)
    assert commands[0] == f"cd '{folder}'"
    assert "uv run pytest" in commands
    output = Checkout(tmp_path).run("\n".join(commands)).stdout
    assert re.search(r"\d+ passed", output)
    assert "Secret" not in output
    checkout = Checkout(tmp_path / folder)
    assert checkout.changes() == ""
    assert checkout.run("git log --oneline").stdout.count("\n") == 1
