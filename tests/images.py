"""Builds and starts a rendered project's image for real, without a Docker engine.

buildah builds (chroot isolation) and podman starts (runc), both from Debian. No container registry is needed: the two
base images are replaced, in the test's copy of the Dockerfile alone, by local ones. The Python one is a minimal Debian
with this machine's own CPython under /usr/local, where the official image has it; the uv one holds this machine's uv.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sysconfig
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness import cache_folder, run, tool

# Debian's own Python brings the libraries that CPython's extension modules are linked against, under whatever names
# the release gives them.
PACKAGES = "ca-certificates,python3"
PYTHON_BASE = "localhost/pipeline-python:test"
UV_BASE = "localhost/pipeline-uv:test"
PATH_SETTING = "--env=PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
# Settings for podman where there is no init system and nobody may raise limits.
CONTAINERS_CONF = """
[containers]
cgroupns = "host"
default_ulimits = []
netns = "host"
seccomp_profile = "unconfined"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        name: How podman knows it.
        config: What its configuration says, in Docker's terms.
        log: What buildah printed while it was built.
    """

    name: str
    config: dict[str, Any]
    log: str

    def run(self, *arguments: str, options: tuple[str, ...] = ()) -> str:
        """Run its entry point to the end, read-only; gives what it prints."""
        return podman("run", "--rm", "--read-only", *options, self.name, *arguments)


def python_root() -> Path:
    """Give the folder of the CPython that runs the tests, not of its virtual environment."""
    return Path(sysconfig.get_config_var("prefix"))


def uv_binary() -> Path:
    """Give uv itself, not a wrapper script of that name; `uv run` names it in UV."""
    return Path(os.environ["UV"])


def buildah(*arguments: str | Path) -> str:
    """Run buildah; gives what it prints."""
    command = [tool("buildah"), *map(str, arguments)]
    return run(command, env={"BUILDAH_ISOLATION": "chroot"}).stdout.strip()


def make_root(root: Path) -> None:
    """Fill a folder with a minimal Debian that has CPython under /usr/local."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    run(
        [
            tool("debootstrap"),
            "--variant=minbase",
            f"--include={PACKAGES}",
            release,
            str(root),
        ]
    )
    python = python_root()
    for name in ("bin", "lib"):
        shutil.copytree(
            python / name,
            root / "usr/local" / name,
            symlinks=True,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "test", "*.a", "idlelib"),
        )
    # The official image has Python and pip, and nothing else.
    for command in (root / "usr/local/bin").iterdir():
        if not command.name.startswith(("python", "pip")):
            command.unlink()
    for package in (root / "usr/local/lib").glob("python3*/site-packages/*"):
        if not package.name.startswith("pip"):
            shutil.rmtree(package) if package.is_dir() else package.unlink()
    for name in ("python", "python3"):
        link = root / "usr/local/bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"python{sysconfig.get_python_version()}")
    # Behind a proxy with an authority of its own, builds in the image need it, too.
    if authority := os.environ.get("SSL_CERT_FILE"):
        shutil.copy(authority, root / "etc/ssl/certs/ca-certificates.crt")
    run([tool("chroot"), str(root), "ldconfig"])


def base_images() -> None:
    """Have the two local base images; made once, kept in the cache folder."""
    python = f"{sysconfig.get_python_version()}-{python_root().parent.name}"
    archive = cache_folder() / f"python-base-2-{python}.tar"
    if not archive.exists():
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            make_root(root)
            import_root(
                root,
                PYTHON_BASE,
                "--env=SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
            )
        partial = archive.with_suffix(".partial")
        buildah("push", PYTHON_BASE, f"docker-archive:{partial}:{PYTHON_BASE}")
        partial.rename(archive)
    buildah("pull", f"docker-archive:{archive}")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(uv_binary(), Path(folder) / "uv")
        import_root(Path(folder), UV_BASE)


def import_root(root: Path, name: str, *settings: str) -> None:
    """Make an image of a folder."""
    container = buildah("from", "scratch")
    try:
        buildah("add", "--quiet", container, root, "/")
        buildah("config", PATH_SETTING, *settings, container)
        buildah("commit", "--quiet", "--format=docker", container, name)
    finally:
        buildah("rm", container)


def with_local_bases(dockerfile: str) -> str:
    """Replace the two pinned base images of a Dockerfile by the local ones."""
    local, uvs = re.subn(r"ghcr\.io/astral-sh/uv:\S+", UV_BASE, dockerfile)
    local, pythons = re.subn(r"(?<=FROM )python:\S+", PYTHON_BASE, local)
    if (uvs, pythons) != (1, 1):
        raise ValueError(
            f"the Dockerfile names uv's image {uvs} times and Python's {pythons} times; each belongs in one FROM line"
        )
    return local


def build(project: Path, version: str, name: str) -> Image:
    """Build a project's image.

    Args:
        project: A rendered project with its lock.
        version: What --build-arg VERSION says.
        name: The image's name, without registry and tag.
    """
    dockerfile = project.parent / f"{name}.Dockerfile"
    source = (project / "Dockerfile").read_text("utf-8")
    dockerfile.write_text(with_local_bases(source), "utf-8")
    log = buildah(
        "bud",
        "--format=docker",
        "--layers",
        f"--build-arg=VERSION={version}",
        f"--file={dockerfile}",
        f"--tag=localhost/{name}",
        project,
    )
    described = buildah("inspect", "--type=image", f"localhost/{name}")
    config = json.loads(described)["Docker"]["config"]
    return Image(f"localhost/{name}", config, log)


class Container:
    """A container that runs in the foreground, read-only, as the image's own user."""

    def __init__(
        self, image: Image, *options: str, arguments: tuple[str, ...] = ()
    ) -> None:
        """Start it.

        Args:
            image: What to start.
            options: Podman's options, for example "--env=PORT=8080".
            arguments: What the entry point gets.
        """
        self.name = f"pipeline-test-{uuid.uuid4().hex[:12]}"
        self.process = subprocess.Popen(
            [
                *podman_command("run", "--interactive", "--read-only"),
                f"--name={self.name}",
                *options,
                image.name,
                *arguments,
            ],
            env={**os.environ, **podman_settings()},
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
        podman("rm", "--force", "--ignore", self.name)
        self.process.wait(timeout=30)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def is_healthy(self) -> bool:
        """Run the image's own health check once."""
        command = podman_command("healthcheck", "run", self.name)
        return run(command, env=podman_settings(), check=False).returncode == 0

    def inside(self, code: str) -> str:
        """Run a line of Python in the container, as the user that the image sets."""
        return podman("exec", self.name, "python", "-c", code)

    def stop(self) -> int:
        """Send the polite signal to the first process; gives the exit status of the container."""
        podman("stop", "--time=10", self.name)
        self.process.wait(timeout=30)
        return int(podman("inspect", "--format={{.State.ExitCode}}", self.name))


def podman_command(*arguments: str) -> list[str]:
    """Give podman's command line."""
    return [tool("podman"), *arguments]


@functools.cache
def podman_settings() -> dict[str, str]:
    """Write our settings, once; gives the variable that points podman to them."""
    settings = cache_folder() / "containers.conf"
    settings.write_text(CONTAINERS_CONF, "utf-8")
    return {"CONTAINERS_CONF": str(settings)}


def podman(*arguments: str) -> str:
    """Run podman; gives what it prints."""
    return run(podman_command(*arguments), env=podman_settings()).stdout.strip()
