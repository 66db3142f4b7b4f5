#!/usr/bin/env python3
"""Decide what a workflow run does: which jobs, and where its results may go.

Locally: python3 scripts/plan.py jobs --event pull_request

The jobs that run this have Python 3.11 or later and nothing else, hence the
standard library alone. Each answer is printed and, on a runner, set as an output.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import Any

LINUX, MACOS, WINDOWS = "ubuntu-latest", "macos-latest", "windows-latest"
# A merge queue tests what was tested before; the push to main that follows is full.
SCALED_EVENTS = ("pull_request", "merge_group")
PYTHON_CLASSIFIER = re.compile(r"Programming Language :: Python :: (\d+\.\d+)")

Cells = list[dict[str, str]]


class Problem(Exception):
    """A condition that the person who reads the log can mend."""


def read_pyproject(path: Path) -> dict[str, Any]:
    """Read pyproject.toml; raises Problem when it is missing or is no TOML."""
    try:
        pyproject: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{path} cannot be read: {error}") from error
    return pyproject


def supported_pythons(pyproject: dict[str, Any]) -> list[str]:
    """Give the Pythons of the classifiers, oldest first, for example ["3.11", "3.12"]."""
    classifiers = pyproject.get("project", {}).get("classifiers", [])
    pythons = [
        match[1] for text in classifiers if (match := PYTHON_CLASSIFIER.fullmatch(text))
    ]
    if not pythons:
        raise Problem(
            "pyproject.toml names no Python to test: add a classifier like "
            '"Programming Language :: Python :: 3.12" for each.'
        )
    return sorted(pythons, key=lambda version: [int(n) for n in version.split(".")])


def pipeline_setting(pyproject: dict[str, Any], name: str, allowed: list[str]) -> str:
    """Give a setting of [tool.pipeline]; raises Problem when it is none of those allowed."""
    value = pyproject.get("tool", {}).get("pipeline", {}).get(name)
    if value not in allowed:
        raise Problem(
            f"pyproject.toml: [tool.pipeline] {name} is {value!r}; "
            f"it must be one of {', '.join(allowed)}."
        )
    return str(value)


def is_lean(mode: str, event: str, private: str) -> bool:
    """Say whether this run tests fewer combinations.

    Args:
        mode: The project's pull-request-matrix: full, lean or auto.
        event: The event's name.
        private: "true" or "false" as the event says; empty when it does not say,
            which must not be taken for public.
    """
    if event not in SCALED_EVENTS:
        return False
    return mode == "lean" or (mode == "auto" and private != "false")


def test_cells(pythons: list[str], lean: bool) -> Cells:
    """Give the system and Python of each test job."""
    linux = [{"os": LINUX, "python": python} for python in pythons]
    others = pythons[-1:] if lean else pythons
    return linux + [
        {"os": system, "python": python}
        for system in (MACOS, WINDOWS)
        for python in others
    ]


def install_cells(pythons: list[str], lean: bool) -> Cells:
    """Give the system and Python of each job that installs the wheel."""
    return [
        cell for cell in test_cells(pythons, lean) if not lean or cell["os"] == LINUX
    ]


def is_documentation(path: str) -> bool:
    """Say whether a file cannot change what is built or tested.

    README.md is part of the package's metadata, SECURITY.md is a file that the smoke
    test requires, and Markdown beside code may be data.
    """
    parts = PurePosixPath(path).parts
    if parts[0] == "docs":
        return True
    return (
        path.endswith(".md")
        and path not in ("README.md", "SECURITY.md")
        and parts[0] not in ("src", "tests", "scripts")
    )


def changed_files() -> list[str] | None:
    """Give the files that a pull request's merge commit changes; None when git cannot say."""
    command = ["git", "diff", "--name-only", "--no-renames", "-z", "HEAD^1", "HEAD"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None
    return [os.fsdecode(path) for path in done.stdout.split(b"\0") if path]


def touches_code(event: str) -> bool:
    """Say whether the change needs tests; in doubt it does."""
    if event != "pull_request":
        return True
    files = changed_files()
    return not files or not all(is_documentation(path) for path in files)


def plan_jobs(arguments: argparse.Namespace) -> dict[str, str]:
    """Give the outputs code, server, tests and installs."""
    pyproject = read_pyproject(Path("pyproject.toml"))
    pythons = supported_pythons(pyproject)
    kind = pipeline_setting(pyproject, "kind", ["service", "mcp", "library"])
    mode = pipeline_setting(pyproject, "pull-request-matrix", ["auto", "full", "lean"])
    lean = is_lean(mode, arguments.event, arguments.private)
    return {
        "code": json.dumps(touches_code(arguments.event)),
        "server": json.dumps(kind != "library"),
        "tests": json.dumps(test_cells(pythons, lean)),
        "installs": json.dumps(install_cells(pythons, lean)),
    }


def ask_github(path: str) -> tuple[int, Any]:
    """Ask GitHub's REST API.

    Args:
        path: What follows the repository's address, for example "/code-scanning/alerts".

    Returns:
        The HTTP status and the answer; an answer that is an error, too.

    Raises:
        Problem: If GitHub cannot be reached or the environment does not say how.
    """
    try:
        address = (
            f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}"
        )
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {os.environ['GH_TOKEN']}",
        }
    except KeyError as error:
        raise Problem(f"the environment variable {error} is not set") from error
    request = urllib.request.Request(address + path, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {"message": error.read().decode(errors="replace")}
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise Problem(f"GitHub's API gave no answer: {error}") from error


def plan_upload(arguments: argparse.Namespace) -> dict[str, str]:
    """Give the output upload: whether code scanning takes this run's results.

    It does not for pull requests whose token can only read, nor on a private
    repository without a licence for it. Anything unknown is a Problem: results must
    not vanish because of an error.
    """
    if arguments.read_only == "true":
        return {"upload": "false"}
    status, answer = ask_github("/code-scanning/alerts?per_page=1")
    message = answer.get("message", "") if isinstance(answer, dict) else ""
    if status == 200 or (status == 404 and "no analysis" in message.lower()):
        return {"upload": "true"}
    if status == 403 and "enabled" in message.lower():
        print(f"Code scanning is off: {message}")
        return {"upload": "false"}
    raise Problem(f"asked about code scanning, GitHub answered {status}: {message}")


def plan_publication(arguments: argparse.Namespace) -> dict[str, str]:
    """Give the outputs public and fork, which some events do not say."""
    status, answer = ask_github("")
    if status != 200 or not isinstance(answer, dict) or "visibility" not in answer:
        raise Problem(f"asked about the repository, GitHub answered {status}: {answer}")
    return {
        "public": json.dumps(answer["visibility"] == "public"),
        "fork": json.dumps(answer["fork"]),
    }


def set_outputs(outputs: dict[str, str]) -> None:
    """Print the outputs and, on a runner, set them for later steps and jobs."""
    lines = "".join(f"{name}={value}\n" for name, value in outputs.items())
    print(lines, end="")
    if file := os.environ.get("GITHUB_OUTPUT"):
        with Path(file).open("a", encoding="utf-8") as output:
            output.write(lines)


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    plans = parser.add_subparsers(required=True, metavar="PLAN")

    jobs = plans.add_parser("jobs", help="which jobs: code, server, tests, installs")
    jobs.add_argument("--event", default=os.environ.get("GITHUB_EVENT_NAME", "push"))
    jobs.add_argument("--private", default=os.environ.get("PRIVATE_REPOSITORY", ""))
    jobs.set_defaults(plan=plan_jobs)

    upload = plans.add_parser("upload", help="whether code scanning takes results")
    upload.add_argument("--read-only", default=os.environ.get("READ_ONLY_TOKEN", ""))
    upload.set_defaults(plan=plan_upload)

    publication = plans.add_parser("publication", help="public or not, fork or not")
    publication.set_defaults(plan=plan_publication)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives 0, or 2 when it could not decide."""
    parsed = parse_arguments(arguments)
    try:
        set_outputs(parsed.plan(parsed))
    except (Problem, OSError) as problem:
        print(f"plan.py: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
