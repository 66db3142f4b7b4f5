# /// script
# requires-python = ">=3.11"
# dependencies = ["packaging==26.3"]
# ///
"""Name, check and tag the container image.

Locally: docker build --build-arg VERSION=1.0 --tag local . && uv run scripts/image.py check local

The workflow docker.yml calls this. It starts plain `docker` commands.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from release import (
    Problem,
    environment,
    output_of,
    perform,
    run,
    say,
    set_outputs,
    tag_version,
)

REGISTRY = "ghcr.io"
MAIN_REFERENCE = "refs/heads/main"
ARCHITECTURES = ("amd64", "arm64")
# Written on what a tag names, so that the next run knows whether the tag may move.
VERSION_KEY = "org.opencontainers.image.version"
REVISION_KEY = "org.opencontainers.image.revision"
# Seconds.
HEALTH_TIMEOUT = 60.0
ANSWER_TIMEOUT = 30
STOP_TIMEOUT = 10

Check = Callable[[], str]


# ---- Plan -----------------------------------------------------------------------------


def own_tag(git_tag: str) -> str:
    """Give the image's tag that names one version for ever: the git tag.

    With less than three numbers it gets them: "v1.2" is a tag that moves.
    """
    if re.fullmatch(r"v\d+(\.\d+)?", git_tag):
        return git_tag + ".0" * (2 - git_tag.count("."))
    return git_tag


def moving_tags(version: Version) -> list[str]:
    """Give the tags that follow the highest version of their series; none below 1.0."""
    if version.is_prerelease:
        return []
    series = [f"v{version.major}.{version.minor}"]
    return series + ([f"v{version.major}"] if version.major else [])


def plan_image(arguments: argparse.Namespace) -> None:
    """Set the outputs image, tag, push and release, from the event that started the run."""
    event, reference = environment("GITHUB_EVENT_NAME"), environment("GITHUB_REF")
    commit = environment("GITHUB_SHA")
    tag, push = f"build-{commit}", False
    if pull_request := re.fullmatch(r"refs/pull/(\d+)/merge", reference):
        tag = f"pr-{pull_request[1]}"
    elif reference == MAIN_REFERENCE:
        tag, push = f"main-{commit}", event in ("push", "workflow_dispatch")
    elif reference.startswith("refs/tags/"):
        git_tag = reference.removeprefix("refs/tags/")
        version = tag_version(git_tag)
        if arguments.version != str(version):
            raise Problem(
                f"the tag is {git_tag}, but what is built would have version "
                f"{arguments.version}. Only one version tag can be on a commit: see "
                "git tag --points-at HEAD"
            )
        tag, push = own_tag(git_tag), event in ("release", "workflow_dispatch")
    set_outputs(
        # Registries take lower case only.
        image=f"{REGISTRY}/{environment('GITHUB_REPOSITORY')}".lower(),
        tag=tag,
        version=arguments.version,
        push=json.dumps(push),
        release=json.dumps(reference.startswith("refs/tags/")),
    )


# ---- Check ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """An image on this machine, what kind of project is in it, and its version."""

    name: str
    kind: str
    version: str

    def run(self, *options: str, command: tuple[str, ...] = ()) -> str:
        """Run it once with a read-only root; gives what it printed, if it ended with 0."""
        line = ["docker", "run", "--rm", "--read-only", *options, self.name, *command]
        done = run(line)
        if done.returncode:
            output = (done.stdout + done.stderr).strip()
            raise Problem(f"it ended with {done.returncode}: {output}")
        return done.stdout.strip()


def check_user(image: Image) -> str:
    """Check that the image names a user by number, and that it is not root."""
    config = json.loads(output_of(["docker", "image", "inspect", image.name]))[0][
        "Config"
    ]
    user = str(config.get("User") or "").partition(":")[0]
    if not user.isdigit() or int(user) == 0:
        raise Problem(
            f"the image's user is {user or 'root'!r}. End the Dockerfile with a USER "
            "that is a number other than 0."
        )
    program = "import os; print(os.geteuid())"
    actual = image.run("--entrypoint", "python", command=("-c", program))
    if actual == "0":
        raise Problem(
            "a process in it runs as root. Leave the USER of the Dockerfile as the last "
            "one, and let no entry point change it."
        )
    return f"user {actual}"


def check_version(image: Image) -> str:
    """Check that the command says its version, with a read-only root file system."""
    said = image.run(command=("--version",))
    if image.version and image.version not in said.split():
        raise Problem(
            f"it says {said!r}, which is not version {image.version}. The Dockerfile gets "
            "the version by ARG VERSION."
        )
    return said


@contextmanager
def started(image: Image) -> Iterator[str]:
    """Start a container in the background; gives its id and removes it in the end."""
    done = run(["docker", "run", "--detach", "--read-only", image.name])
    if done.returncode:
        raise Problem(f"it does not start: {done.stderr.strip()}")
    container = done.stdout.strip()
    try:
        yield container
    finally:
        output_of(["docker", "rm", "--force", container])


def state_of(container: str) -> dict[str, Any]:
    """Give the state of a container as docker knows it."""
    state: dict[str, Any] = json.loads(output_of(["docker", "inspect", container]))[0][
        "State"
    ]
    return state


def logs_of(container: str) -> str:
    """Give what a container printed."""
    done = run(["docker", "logs", container])
    return f"Its output:\n{(done.stdout + done.stderr).strip()}"


def check_service(image: Image) -> str:
    """Check that the service turns healthy and that it ends with 0 when told to stop."""
    with started(image) as container:
        seconds = wait_until_healthy(container)
        output_of(["docker", "stop", "--time", str(STOP_TIMEOUT), container])
        if status := state_of(container)["ExitCode"]:
            raise Problem(
                f"stopped, it ended with {status}, not 0. {logs_of(container)}"
            )
    return f"healthy after {seconds:.0f} s, stopped with exit status 0"


def wait_until_healthy(container: str) -> float:
    """Wait until a container is healthy; gives the seconds, raises Problem if it is not."""
    start = time.monotonic()
    while (seconds := time.monotonic() - start) < HEALTH_TIMEOUT:
        state = state_of(container)
        health = state.get("Health") or {}
        if not health.get("Status") or health["Status"] == "none":
            raise Problem(
                "the image has no HEALTHCHECK. Give it one in the Dockerfile; the "
                "service answers at /health."
            )
        if health["Status"] == "healthy":
            return seconds
        if health["Status"] == "unhealthy" or state["Status"] in ("exited", "dead"):
            raise Problem(
                f"it is {state['Status']} and {health['Status']}. {logs_of(container)}"
            )
        time.sleep(0.5)
    raise Problem(
        f"it was not healthy within {HEALTH_TIMEOUT:g} s. {logs_of(container)}"
    )


def check_mcp(image: Image) -> str:
    """Check the server in the image as the tests check the installed one."""
    start = ["docker", "run", "--rm", "--interactive", "--read-only", image.name]
    script = str(Path(__file__).with_name("test_server.py"))
    command = [sys.executable, script, "--command", shlex.join(start)]
    # What it prints comes between our own lines: ours must not wait in a buffer.
    sys.stdout.flush()
    done = subprocess.run([*command, "--timeout", str(ANSWER_TIMEOUT)], check=False)
    if done.returncode:
        # 1 is a finding; with all else nothing was found out.
        status = 1 if done.returncode == 1 else 2
        raise Problem("see what test_server.py said.", status)
    return "test_server.py passed"


def project_kind(path: Path) -> str:
    """Read the project's kind from pyproject.toml."""
    try:
        pyproject = tomllib.loads(path.read_text(encoding="utf-8"))
        kind = str(pyproject["tool"]["pipeline"]["kind"])
    except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
        raise Problem(f"{path} does not say [tool.pipeline] kind", 2) from error
    if kind not in ("service", "mcp", "library"):
        raise Problem(f"{path}: [tool.pipeline] kind {kind!r} is unknown", 2)
    return kind


def check_image(arguments: argparse.Namespace) -> None:
    """Run every check and print the results; raises Problem when one fails."""
    kind = project_kind(Path("pyproject.toml"))
    image = Image(arguments.image, kind, arguments.version)
    checks: dict[str, Check] = {
        "runs as a user who is not root": lambda: check_user(image),
        "says its version, its root read-only": lambda: check_version(image),
    }
    if kind == "service":
        checks["turns healthy, stops when told to"] = lambda: check_service(image)
    if kind == "mcp":
        checks["answers the handshake"] = lambda: check_mcp(image)
    failures = 0
    for title, check in checks.items():
        try:
            say(f"✅ {title}: {check()}")
        except Problem as problem:
            if problem.status == 2:
                raise
            failures += 1
            say(f"❌ {title}: {problem}")
    if failures:
        raise Problem(f"{failures} of {len(checks)} checks of {image.name} failed.")


# ---- Tag ------------------------------------------------------------------------------


def annotations_of(reference: str) -> dict[str, str] | None:
    """Give the annotations of what a tag names; None when the registry has no such tag."""
    command = ["docker", "buildx", "imagetools", "inspect", "--raw", reference]
    done = run(command)
    if done.returncode == 0:
        try:
            index: dict[str, dict[str, str] | None] = json.loads(done.stdout)
            return index.get("annotations") or {}
        except (json.JSONDecodeError, AttributeError) as error:
            raise Problem(
                f"docker does not say what {reference} is: {error}", status=2
            ) from error
    reason = (done.stderr or done.stdout).strip()
    # Of other things than a manifest "not found" says nothing about the tag.
    if re.search(r"manifest unknown|: not found$", reason, re.IGNORECASE):
        return None
    raise Problem(f"the registry did not say what {reference} is: {reason}", status=2)


def create(tags: list[str], sources: list[str], annotations: dict[str, str]) -> None:
    """Let tags name an index of the sources; one source alone is copied as it is."""
    options = [f"--tag={tag}" for tag in tags]
    options += [f"--annotation=index:{key}={text}" for key, text in annotations.items()]
    output_of(["docker", "buildx", "imagetools", "create", *options, *sources])
    say(f"Tagged {', '.join(f'`{tag}`' for tag in tags)}.")


def read_digests(folder: Path, image: str) -> list[str]:
    """Give the pushed image of each architecture; raises Problem when one is missing."""
    sources = []
    for architecture in ARCHITECTURES:
        file = folder / architecture
        digest = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise Problem(f"{file} holds no digest: {digest!r}", status=2)
        sources.append(f"{image}@{digest}")
    return sources


def tag_main(image: str, tag: str, sources: list[str], commit: str) -> None:
    """Tag a build of main; `latest` never goes back to an older commit."""
    annotations = {REVISION_KEY: commit, VERSION_KEY: environment("VERSION")}
    current = (annotations_of(f"{image}:latest") or {}).get(REVISION_KEY)
    tags = [f"{image}:{tag}"]
    if current and current != commit and is_ancestor(commit, current):
        say(f"`latest` is newer already: it names {current}.")
    else:
        tags.append(f"{image}:latest")
    create(tags, sources, annotations)


def is_ancestor(older: str, newer: str) -> bool:
    """Say whether a commit's history holds another; unknown commits have no history."""
    done = run(["git", "merge-base", "--is-ancestor", older, newer])
    return done.returncode == 0


def tag_release(image: str, tag: str, sources: list[str], commit: str) -> None:
    """Tag a release: its own tag once and for ever, then those that move."""
    own, version = f"{image}:{tag}", tag_version(tag)
    existing = annotations_of(own)
    if existing is None:
        create([own], sources, {REVISION_KEY: commit, VERSION_KEY: str(version)})
    elif existing.get(REVISION_KEY) != commit:
        raise Problem(
            f"{own} exists and was built from {existing.get(REVISION_KEY)}, not from "
            f"{commit}. A version is never built over: release the next one."
        )
    else:
        say(f"`{own}` exists and stays as it is.")
    for moving in moving_tags(version):
        move(f"{image}:{moving}", own, version)


def move(tag: str, target: str, version: Version) -> None:
    """Let a moving tag name this release, unless it names a higher version."""
    annotations = annotations_of(tag)
    if annotations is not None:
        try:
            current = Version(annotations.get(VERSION_KEY, ""))
        except InvalidVersion:
            raise Problem(
                f"{tag} exists and does not say its version, so it stays. To move it: "
                f"docker buildx imagetools create --tag={tag} {target}"
            ) from None
        if current >= version:
            say(f"`{tag}` stays: it names {current}.")
            return
    create([tag], [target], {})


def tag_image(arguments: argparse.Namespace) -> None:
    """Join what was pushed for each architecture under the tags it earns."""
    image, tag = arguments.image, arguments.tag
    commit = output_of(["git", "rev-parse", "HEAD"]).strip()
    sources = read_digests(arguments.digests, image)
    if tag == f"main-{commit}":
        tag_main(image, tag, sources, commit)
    else:
        tag_release(image, tag, sources, commit)


# ---- Command line -------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(required=True, metavar="STEP")

    step = steps.add_parser("plan", help="decide on the image's name and first tag")
    step.add_argument("version", help="the package's version")
    step.set_defaults(step=plan_image)

    step = steps.add_parser("check", help="start the image and look at it")
    step.add_argument("image", help="its name on this machine")
    step.add_argument("--version", default="", help="what it must say")
    step.set_defaults(step=check_image)

    step = steps.add_parser("tag", help="join and tag what was pushed by digest")
    step.add_argument("image", help="its name in the registry, without a tag")
    step.add_argument("tag", help="the tag that `plan` gave")
    step.add_argument("--digests", type=Path, required=True, help="one file a platform")
    step.set_defaults(step=tag_image)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    return perform("image.py", parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
