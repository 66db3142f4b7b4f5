"""Docker on this machine: an engine, a builder and registries, started for the tests and ended with them.

All of it is real: Docker's engine and the registry from Debian's packages, BuildKit and Buildx from their Go modules. What
is not: the pinned base images cannot be fetched, so BuildKit takes local ones in their place (see `source_policy`); the
Dockerfile stays as it is. The Python one is a minimal Debian with this machine's own CPython under /usr/local, where the
official image has it; it says of itself that it is there for arm64, too, and is the same there.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from harness import cache_folder, go_tool, missing, run, tool, tool_from_wheel
from policy import VERSIONS

from engine.network import LOOPBACK

BUILDX = "github.com/docker/buildx/cmd/buildx", "v0.38.2"
BUILDKIT = "github.com/moby/buildkit/cmd/buildkitd", "v0.34.2"
# Seconds. A server that is not up by then has failed.
START_LIMIT = 60
PLATFORMS = "linux/amd64,linux/arm64"
# Debian's own Python brings the libraries that CPython's extension modules are linked against, under whatever names
# the release gives them.
PACKAGES = "ca-certificates,python3"
# What BuildKit would fetch, and the local image that it takes.
STAND_INS = {
    "docker.io/library/python:*": "python",
    "ghcr.io/astral-sh/uv:*": "uv",
    "docker.io/docker/buildkit-syft-scanner:*": "scanner",
}
DOCKERFILES = {
    "python": """\
        FROM scratch
        ADD root.tar /
        ENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \\
            SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
        """,
    "uv": """\
        FROM scratch
        COPY uv /uv
        """,
    "scanner": """\
        FROM {python}
        COPY scanner.py /scanner.py
        ENTRYPOINT ["python3", "/scanner.py"]
        """,
}
# Part of their names: change it with what makes them.
BASES_EDITION = 2
# What debootstrap leaves and no image needs: each image that is built, loaded or pushed would carry it along.
LEFT_BY_DEBOOTSTRAP = (
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
)


@contextmanager
def server(
    command: list[str],
    is_up: Callable[[], bool],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server as long as the context lasts.

    Args:
        command: What starts it.
        is_up: Tells whether it answers.
        log: Where its output goes.
        environment: All its variables; by default those of this process.

    Raises:
        RuntimeError: If it ends, or does not answer in time; with what it printed.
    """
    # It ends with this process, however that ends.
    bound = [tool("setpriv"), "--pdeathsig=TERM", *command]
    with log.open("ab") as output:
        process = subprocess.Popen(
            bound,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_LIMIT
        while not is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} is not up:\n{log.read_text('utf-8')}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def listens(address: str | tuple[str, int]) -> bool:
    """Tell whether something listens on a socket's path or on a port."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as attempt:
        return attempt.connect_ex(address) == 0


def free_port() -> int:
    """Give a port of this machine that nothing listens on."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


@contextmanager
def registry(storage: Path) -> Iterator[int]:
    """Run a registry that keeps its images in a folder; gives its port."""
    port = free_port()
    storage.mkdir(parents=True, exist_ok=True)
    settings = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        # Whoever stands before it has another name.
        "http": {"addr": f"{LOOPBACK}:{port}", "relativeurls": True},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "registry.json"
        file.write_text(json.dumps(settings), "utf-8")
        command = [tool("docker-registry"), "serve", str(file)]
        log = Path(folder) / "log"
        with server(command, lambda: listens((LOOPBACK, port)), log):
            yield port


# ---- Base images -----------------------------------------------------------------------------------------------------


def python_root() -> Path:
    """Give the folder of the CPython that runs the tests, not of its virtual environment."""
    return Path(sysconfig.get_config_var("prefix"))


def make_root(root: Path) -> None:
    """Fill a folder with a minimal Debian that has CPython under /usr/local."""
    release = platform.freedesktop_os_release()["VERSION_CODENAME"]
    options = ["--variant=minbase", f"--include={PACKAGES}"]
    run([tool("debootstrap"), *options, release, str(root)])
    for name in LEFT_BY_DEBOOTSTRAP:
        shutil.rmtree(root / name)
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


@functools.cache
def bases() -> Path:
    """Give the storage of a registry with the local base images; made once, kept in the cache folder."""
    python = f"{sysconfig.get_python_version()}-{python_root().parent.name}"
    uv = VERSIONS["tools"]["uv"]
    place = cache_folder() / f"bases-{BASES_EDITION}-python-{python}-uv-{uv}"
    with FileLock(f"{place}.lock"):
        if not place.exists():
            partial = place.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            with tempfile.TemporaryDirectory() as folder:
                make_bases(Path(folder), partial, uv)
            partial.rename(place)
    return place


def make_bases(folder: Path, storage: Path, uv: str) -> None:
    """Build the local base images and push them.

    Args:
        folder: Where to work.
        storage: Where the registry keeps them.
        uv: The version of uv.
    """
    contexts = {name: folder / name for name in DOCKERFILES}
    for context in contexts.values():
        context.mkdir()
    make_root(folder / "root")
    run(
        [tool("tar"), f"--file={contexts['python']}/root.tar", "-c", "."],
        cwd=folder / "root",
    )
    shutil.copy(tool_from_wheel(f"uv=={uv}", "uv"), contexts["uv"])
    scanner = Path(__file__).parent / "tools" / "scanner.py"
    shutil.copy(scanner, contexts["scanner"])
    with registry(storage) as port, builder(folder, os.environ):
        environment = {"DOCKER_CONFIG": str(folder)}
        buildx = go_tool(*BUILDX)
        create = ["create", "--name=bases", "--driver=remote", address_in(folder)]
        run([buildx, *create], env=environment)
        names = {name: f"{LOOPBACK}:{port}/{name}:latest" for name in contexts}
        for name, context in contexts.items():
            text = textwrap.dedent(DOCKERFILES[name]).format_map(names)
            (context / "Dockerfile").write_text(text, "utf-8")
            options = [f"--platform={PLATFORMS}", "--provenance=false"]
            output = f"--output=type=image,push=true,name={names[name]}"
            line = [buildx, "build", "--builder=bases", *options, output, str(context)]
            run(line, env=environment)


# ---- The engine and its builder --------------------------------------------------------------------------------------


def address_in(folder: Path) -> str:
    """Give the address of the BuildKit that keeps its layers below a folder."""
    return f"unix://{folder / 'buildkit.sock'}"


@contextmanager
def builder(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Run BuildKit, which keeps its layers below a folder.

    Args:
        folder: What was built there before is not built again.
        environment: All its variables: they lead it to registries.
    """
    address = address_in(folder)
    path = address.removeprefix("unix://")
    command = [
        go_tool(*BUILDKIT, with_replacements=True),
        f"--addr={address}",
        f"--root={folder / 'buildkit'}",
        f"--oci-worker-binary={tool('runc')}",
        "--oci-worker-net=host",
        "--containerd-worker=false",
    ]
    with server(command, lambda: listens(path), folder / "buildkit.log", environment):
        yield


@dataclass(frozen=True)
class Docker:
    """Docker as programs find it.

    Attributes:
        folder: Where it keeps everything.
        environment: The variables that lead to it.
    """

    folder: Path
    environment: dict[str, str]

    def command(self, *arguments: str) -> list[str]:
        """Give a command line of docker's."""
        return [str(self.folder / "bin" / "docker"), *arguments]

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run a command of docker's; gives what it prints."""
        line = self.command(*arguments)
        return run(line, env=self.environment, check=check).stdout.strip()


def source_policy(port: int) -> str:
    """Give BuildKit's rules for what it takes in the place of images that it cannot fetch, from a registry's port."""
    rules = [
        {
            "action": "CONVERT",
            "selector": {
                "identifier": f"docker-image://{name}",
                "matchType": "WILDCARD",
            },
            "updates": {
                "identifier": f"docker-image://{LOOPBACK}:{port}/{image}:latest"
            },
        }
        for name, image in STAND_INS.items()
    ]
    return json.dumps({"rules": rules})


@contextmanager
def running() -> Iterator[Docker]:
    """Run a Docker engine of our own, without networks, and the registry of the base images."""
    if os.geteuid() != 0:
        missing("root")
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        port = stack.enter_context(registry(bases()))
        (folder / "policy.json").write_text(source_policy(port), "utf-8")
        path = str(folder / "docker.sock")
        command = [
            tool("dockerd"),
            f"--host=unix://{path}",
            f"--data-root={folder / 'data'}",
            f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'pid'}",
            "--bridge=none",
            *(f"--{rule}=false" for rule in ("iptables", "ip6tables", "ip-masq")),
            "--ip-forward=false",
        ]
        stack.enter_context(server(command, lambda: listens(path), folder / "log"))
        make_command(folder)
        yield Docker(
            folder,
            {
                "DOCKER_HOST": f"unix://{path}",
                "ENGINE_BUILDKIT": address_in(folder),
                "EXPERIMENTAL_BUILDKIT_SOURCE_POLICY": str(folder / "policy.json"),
            },
        )


def make_command(folder: Path) -> None:
    """Make the command docker, which has Buildx, and settings of its own in each job, as on a runner of its own."""
    command = folder / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(
        f"""\
#!/bin/sh
export DOCKER_CONFIG="${{RUNNER_TEMP:-{folder}}}/docker"
mkdir -p "$DOCKER_CONFIG/cli-plugins"
ln -sf "{go_tool(*BUILDX)}" "$DOCKER_CONFIG/cli-plugins/docker-buildx"
exec "{tool("docker")}" "$@"
""",
        "utf-8",
    )
    command.chmod(0o755)


# What runs until `stop`.
_running = ExitStack()


@functools.cache
def docker() -> Docker:
    """Give this process's Docker, which runs until `stop`."""
    return _running.enter_context(running())


def stop() -> None:
    """End this process's Docker, if it runs."""
    _running.close()
    docker.cache_clear()
