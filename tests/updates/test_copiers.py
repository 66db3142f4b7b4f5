"""Updates by the oldest Copier that the template takes, and which one is the newest."""

import os
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from harness import CONFIG, ROOT, run, tool
from policy import VERSIONS

OLDEST = str(CONFIG["_min_copier_version"])
NEWEST = VERSIONS["tools"]["copier"]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
# Which version the run is about, where it is not the newest.
VARIABLE = "COPIER_UNDER_TEST"


@pytest.mark.core
def test_this_run_is_about_the_copier_that_it_says() -> None:
    """In the environment of the tests and for each process that they start."""
    wanted = os.environ.get(VARIABLE, NEWEST)
    assert version("copier") == wanted
    said = run([sys.executable, "-m", "copier", "--version"]).stdout
    assert said.split()[-1] == wanted


def test_the_core_passes_with_the_oldest_copier(tmp_path: Path) -> None:
    """The same tests as here: lives that are kept, and what the update script decides and says."""
    done = run(
        [
            *(tool("uv"), "run", "--quiet", "--isolated", f"--python={sys.executable}"),
            *(f"--with=copier=={OLDEST}", "pytest", "-q", "-m", "core"),
            *("-p", "no:cacheprovider", f"--basetemp={tmp_path / 'core'}"),
            *("tests/updates", "tests/scripts/test_update_script.py"),
        ],
        cwd=ROOT,
        # It is no part of this run's processes.
        env={VARIABLE: OLDEST, "PYTEST_XDIST_WORKER": ""},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = re.fullmatch(
        r"(\d+) passed, \d+ deselected in .*", done.stdout.splitlines()[-1]
    )
    assert summary, done.stdout
    assert int(summary[1]) >= 15


def newest(package: str, day: str) -> str:
    """Give the newest version of a package that there was on a day, as uv finds it."""
    done = run(
        [
            *(tool("uv"), "pip", "compile", "--quiet", "--no-deps", "--no-header"),
            *("--no-annotate", f"--exclude-newer={day}", "-"),
        ],
        stdin=f"{package}\n",
    )
    return done.stdout.strip().removeprefix(f"{package}==")


def test_the_pinned_copier_is_the_newest() -> None:
    """Of the day up to which this repository takes packages; so the whole suite runs with it."""
    day = PYPROJECT["tool"]["uv"]["exclude-newer"]
    assert f"copier=={NEWEST}" in PYPROJECT["dependency-groups"]["dev"]
    assert newest("copier", day) == NEWEST


def test_another_day_has_another_newest() -> None:
    """Moved to a later day, the test above asks for a later Copier."""
    assert newest("copier", "2024-01-01") == "9.1.0"
