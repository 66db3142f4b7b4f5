"""Builds a rendered project's image and starts it, with the Docker of engine/containers.py, which says what is real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from engine import containers
from engine.containers import Docker
from harness import run


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        docker: Where it is.
        name: Its name there.
        log: What BuildKit printed while it was built.
    """

    docker: Docker
    name: str
    log: str

    @property
    def config(self) -> dict[str, Any]:
        """What its configuration says."""
        described = json.loads(self.docker.run("image", "inspect", self.name))
        found: dict[str, Any] = described[0]["Config"]
        return found

    def run(self, *arguments: str, options: tuple[str, ...] = ()) -> str:
        """Run its entry point to the end, read-only; gives what it prints."""
        line = ["run", "--rm", "--read-only", *options, self.name, *arguments]
        return self.docker.run(*line)

    def is_cached(self, step: str) -> bool:
        """Tell whether a step of the build, told by what stands in its line, was taken from an earlier build."""
        (number,) = set(re.findall(rf"^(#\d+) \[.*{re.escape(step)}", self.log, re.M))
        return f"\n{number} CACHED\n" in self.log


@contextmanager
def building() -> Iterator[Docker]:
    """Give a Docker that builds."""
    docker = containers.docker()
    with containers.builder(docker.folder, os.environ):
        address = docker.environment["ENGINE_BUILDKIT"]
        create = ["create", "--name=tests", "--driver=remote", "--use", address]
        docker.run("buildx", *create)
        yield docker


def build(docker: Docker, project: Path, version: str, name: str) -> Image:
    """Build a project's image.

    Args:
        docker: What builds it.
        project: A rendered project with its lock.
        version: What --build-arg VERSION says.
        name: The image's name.
    """
    options = [f"--build-arg=VERSION={version}", f"--tag={name}", "--load"]
    line = docker.command("buildx", "build", "--progress=plain", *options, ".")
    done = run(line, cwd=project, env=docker.environment)
    return Image(docker, name, done.stderr)


class Container:
    """A container that runs in the foreground, read-only, as the image's own user."""

    def __init__(
        self, image: Image, *options: str, arguments: tuple[str, ...] = ()
    ) -> None:
        """Start it.

        Args:
            image: What to start.
            options: Docker's options, for example "--env=PORT=8080".
            arguments: What the entry point gets.
        """
        self.docker = image.docker
        self.name = f"pipeline-test-{uuid.uuid4().hex[:12]}"
        start = ["run", "--interactive", "--read-only", f"--name={self.name}"]
        self.process = subprocess.Popen(
            self.docker.command(*start, *options, image.name, *arguments),
            env={**os.environ, **self.docker.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Give the container."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Remove the container, running or not, and nothing else."""
        self.docker.run("rm", "--force", self.name)
        self.process.wait(timeout=30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    @property
    def health(self) -> str:
        """What the image's own health check has found out so far; empty while there is no container."""
        template = "--format={{.State.Health.Status}}"
        return self.docker.run("inspect", template, self.name, check=False)

    def inside(self, code: str) -> str:
        """Run a line of Python in the container, as the user that the image sets."""
        return self.docker.run("exec", self.name, "python", "-c", code)

    def stop(self) -> int:
        """Send the polite signal to the first process; gives the exit status of the container."""
        self.docker.run("stop", "--time=10", self.name)
        self.process.wait(timeout=30)
        template = "--format={{.State.ExitCode}}"
        return int(self.docker.run("inspect", template, self.name))
