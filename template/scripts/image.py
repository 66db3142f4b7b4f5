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
import os
import queue
import re
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from packaging.version import InvalidVersion, Version

REGISTRY = "ghcr.io"
MAIN_REFERENCE = "refs/heads/main"
ARCHITECTURES = ("amd64", "arm64")
# Written on what a tag names, so that the next run knows whether the tag may move.
VERSION_KEY = "org.opencontainers.image.version"
REVISION_KEY = "org.opencontainers.image.revision"
# Seconds.
HEALTH_TIMEOUT = 60.0
ANSWER_TIMEOUT = 30.0
STOP_TIMEOUT = 10

Check = Callable[[], str]


class Problem(Exception):
    """A condition that the person who reads the log can mend."""

    def __init__(self, message: str, status: int = 1) -> None:
        """Take the message and the exit status: 1 refused, 2 could not be decided."""
        super().__init__(message)
        self.status = status


# ---- Running things -------------------------------------------------------------


def run(command: list[str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command, at most so many seconds, and give what it printed."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise Problem(f"{command[0]} is not installed", status=2) from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"`{' '.join(command)}` took over {timeout:g} s") from error


def docker(*arguments: str) -> str:
    """Run a docker command that must succeed and give its standard output."""
    done = run(["docker", *arguments])
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise Problem(f"`docker {' '.join(arguments)}` failed: {reason}", status=2)
    return done.stdout


def environment(name: str) -> str:
    """Give an environment variable that must be set."""
    if not (value := os.environ.get(name)):
        raise Problem(f"the environment variable {name} is not set", status=2)
    return value


def set_outputs(**outputs: str) -> None:
    """Print the outputs and, on a runner, set them for later steps and jobs."""
    lines = "".join(f"{name}={value}\n" for name, value in outputs.items())
    print(lines, end="")
    append_to("GITHUB_OUTPUT", lines)


def say(message: str) -> None:
    """Print a message and, on a runner, add it to the job's summary."""
    print(message)
    append_to("GITHUB_STEP_SUMMARY", f"{message}\n\n")


def append_to(variable: str, text: str) -> None:
    """Append text to the file that an environment variable names, if it does."""
    if file := os.environ.get(variable):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text)


# ---- Plan -----------------------------------------------------------------------------


def version_of_tag(tag: str) -> Version:
    """Read the version of a git tag, for example "v1.2.3"."""
    try:
        version = Version(tag.removeprefix("v"))
    except InvalidVersion as error:
        raise Problem(f"the tag {tag!r} is not a version like v1.2.3.") from error
    if not tag.startswith("v") or version.epoch or version.local:
        raise Problem(f"the tag {tag!r} is not a version that can be released.")
    return version


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
        version = version_of_tag(git_tag)
        if version != Version(arguments.version):
            raise Problem(f"the tag is {git_tag}, the version {arguments.version}.")
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
    config = json.loads(docker("image", "inspect", image.name))[0]["Config"]
    user = str(config.get("User") or "").partition(":")[0]
    if not user.isdigit() or int(user) == 0:
        raise Problem(
            f"the image's user is {user or 'root'!r}. End the Dockerfile with a USER "
            "that is a number other than 0."
        )
    program = "import os; print(os.geteuid())"
    actual = image.run("--entrypoint", "python", command=("-c", program))
    if actual == "0":
        raise Problem("a process in it runs as root.")
    return f"user {actual}"


def check_version(image: Image) -> str:
    """Check that the command says its version, with a read-only root file system."""
    said = image.run(command=("--version",))
    if image.version and image.version not in said.split():
        raise Problem(f"it says {said!r}, which is not version {image.version}.")
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
        docker("rm", "--force", container)


def state_of(container: str) -> dict[str, Any]:
    """Give the state of a container as docker knows it."""
    state: dict[str, Any] = json.loads(docker("inspect", container))[0]["State"]
    return state


def logs_of(container: str) -> str:
    """Give what a container printed."""
    done = run(["docker", "logs", container])
    return f"Its output:\n{(done.stdout + done.stderr).strip()}"


def check_service(image: Image) -> str:
    """Check that the service turns healthy and that it ends with 0 when told to stop."""
    with started(image) as container:
        seconds = wait_until_healthy(container)
        docker("stop", "--time", str(STOP_TIMEOUT), container)
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
            raise Problem("the image has no HEALTHCHECK.")
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


def forward_lines(stream: IO[str], lines: queue.Queue[str]) -> None:
    """Put the lines of a stream into a queue; an empty text marks its end."""
    for line in stream:
        lines.put(line)
    lines.put("")


def ask(server: subprocess.Popen[str], lines: queue.Queue[str], number: int) -> Any:
    """Wait for the answer to a request; raises Problem when there is none."""
    while True:
        try:
            line = lines.get(timeout=ANSWER_TIMEOUT)
        except queue.Empty:
            raise Problem(f"no answer within {ANSWER_TIMEOUT:g} s.") from None
        if not line:
            raise Problem(f"it ended with {server.wait()} before it answered.")
        try:
            message = json.loads(line)
        except json.JSONDecodeError:
            raise Problem(f"it printed {line!r}, which is not JSON.") from None
        if message.get("id") == number:
            if "result" not in message:
                raise Problem(f"it answered {line.strip()}.")
            return message["result"]


def check_mcp(image: Image) -> str:
    """Check the handshake and the list of tools over standard input and output."""
    client = {"name": "image.py", "version": "1"}
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": client,
    }
    command = ["docker", "run", "--rm", "--interactive", "--read-only", image.name]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as server:
        try:
            tools = converse(server, hello)
            status = server.wait(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Problem("it did not end when its input was closed.") from None
        finally:
            server.kill()
    if status:
        raise Problem(f"its input closed, it ended with {status}, not 0.")
    return f"tools: {', '.join(tools)}; ended with exit status 0"


def converse(server: subprocess.Popen[str], hello: dict[str, Any]) -> list[str]:
    """Do the handshake, list the tools and close the server's input; gives their names."""
    if server.stdin is None or server.stdout is None:
        raise Problem("the server has no pipes.", status=2)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(
        target=forward_lines, args=(server.stdout, lines), daemon=True
    ).start()

    def send(method: str, **rest: Any) -> None:
        message = {"jsonrpc": "2.0", "method": method, **rest}
        try:
            print(json.dumps(message), file=server.stdin, flush=True)
        except BrokenPipeError:
            raise Problem(f"it ended with {server.wait()} at once.") from None

    send("initialize", id=1, params=hello)
    ask(server, lines, 1)
    send("notifications/initialized")
    send("tools/list", id=2, params={})
    tools = [str(tool["name"]) for tool in ask(server, lines, 2)["tools"]]
    server.stdin.close()
    if not tools:
        raise Problem("it offers no tool.")
    return tools


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
        annotations: dict[str, str] = json.loads(done.stdout).get("annotations") or {}
        return annotations
    reason = (done.stderr or done.stdout).strip()
    if "not found" in reason.lower() or "manifest unknown" in reason.lower():
        return None
    raise Problem(f"the registry did not say what {reference} is: {reason}", status=2)


def create(tags: list[str], sources: list[str], annotations: dict[str, str]) -> None:
    """Let tags name an index of the sources; one source alone is copied as it is."""
    options = [f"--tag={tag}" for tag in tags]
    options += [f"--annotation=index:{key}={text}" for key, text in annotations.items()]
    docker("buildx", "imagetools", "create", *options, *sources)
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


def head_commit() -> str:
    """Give the commit that is checked out."""
    done = run(["git", "rev-parse", "HEAD"])
    if done.returncode:
        raise Problem(f"git does not know the commit: {done.stderr.strip()}", status=2)
    return done.stdout.strip()


def is_ancestor(older: str, newer: str) -> bool:
    """Say whether a commit's history holds another; unknown commits have no history."""
    done = run(["git", "merge-base", "--is-ancestor", older, newer])
    return done.returncode == 0


def tag_release(image: str, tag: str, sources: list[str], commit: str) -> None:
    """Tag a release: its own tag once and for ever, then those that move."""
    own, version = f"{image}:{tag}", version_of_tag(tag)
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
    commit = head_commit()
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
    """Run one step; gives 0 when done, 1 when refused, 2 when it could not be run."""
    parsed = parse_arguments(arguments)
    try:
        parsed.step(parsed)
    except Problem as problem:
        print(f"image.py: {problem}", file=sys.stderr)
        append_to("GITHUB_STEP_SUMMARY", f"❌ {problem}\n")
        return problem.status
    except OSError as error:
        print(f"image.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
