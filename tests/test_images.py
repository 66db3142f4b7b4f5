"""A rendered project's image, built and started: see engine/containers.py for what is real and what stands in."""

import json
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import images
import pytest
from engine.containers import Docker, free_port
from harness import Renderer, run, tool

# Images that are built once: one worker.
pytestmark = pytest.mark.xdist_group("images")

VERSION = "1.2.3"
WRITE_TO_ROOT = "open('/written', 'w')"


@pytest.fixture(scope="module")
def docker(runner_folder: Path) -> Iterator[Docker]:
    """Give a Docker that builds; it ends with the runner's tools."""
    with images.building() as found:
        yield found


@pytest.fixture(scope="module")
def build(
    docker: Docker, render: Renderer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., images.Image]:
    """Give the function that renders a project, locks it and builds its image."""

    def build(
        change: Callable[[Path], object] = lambda project: None, **answers: object
    ) -> images.Image:
        folder = tmp_path_factory.mktemp("image") / "project"
        project = render(**answers).workable(folder)
        run([tool("uv"), "lock", "--quiet"], cwd=project)
        change(project)
        return images.build(docker, project, VERSION, f"pipeline-{answers['kind']}")

    return build


@pytest.fixture(scope="module")
def service(build: Callable[..., images.Image]) -> images.Image:
    """Give the image of a service with a description that a Dockerfile could misread."""
    return build(
        kind="service",
        project_name='Ünï "$HOME" \\ service',
        project_description="It's `x` \\n ${PATH} $(id) # {{ no }} 🚀\ttab",
        github_user="octo",
    )


def become_healthy(container: images.Container, seconds: float = 15) -> bool:
    """Wait until the image's own health check says yes."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if container.process.poll() is not None:
            break
        if container.health in ("healthy", "unhealthy"):
            return container.health == "healthy"
        time.sleep(0.3)
    return False


def test_service_runs_hardened_and_stops_politely(service: images.Image) -> None:
    """It answers, is healthy, has no rights it does not need, and ends with status 0."""
    port = free_port()
    with images.Container(
        service, "--network=host", f"--env=PORT={port}", "--env=HOST=127.0.0.1"
    ) as container:
        assert become_healthy(container)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/version") as answer:
            assert json.load(answer) == {"version": VERSION}
        assert (
            container.inside("import os; print(os.getuid(), os.getgid())")
            == "10001 10001"
        )
        with pytest.raises(pytest.fail.Exception, match="Read-only file system"):
            container.inside(WRITE_TO_ROOT)
        assert container.stop() == 0


def test_service_that_does_not_answer_is_unhealthy(service: images.Image) -> None:
    """The health check can fail: asked on a port where nothing listens, it does."""
    options = ("--health-interval=1s", "--health-retries=1", "--entrypoint=sleep")
    with images.Container(service, *options, arguments=("30",)) as container:
        assert not become_healthy(container)
        assert container.health == "unhealthy"


def test_labels_say_what_was_typed(service: images.Image) -> None:
    """Free text reaches the labels unchanged."""
    labels = service.config["Labels"]
    assert isinstance(labels, dict)
    labels = {k.removeprefix("org.opencontainers.image."): v for k, v in labels.items()}
    assert labels["title"] == 'Ünï "$HOME" \\ service'
    assert labels["description"] == "It's `x` \\n ${PATH} $(id) # {{ no }} 🚀\ttab"
    assert labels["version"] == VERSION
    assert labels["licenses"] == "MIT"
    assert labels["source"].startswith("https://github.com/octo/")


def test_configuration_is_as_designed(service: images.Image) -> None:
    """A numeric user, exec form, one port, a health check without curl."""
    assert service.config["User"] == "10001:10001"
    assert isinstance(service.config["Entrypoint"], list)
    assert service.config["ExposedPorts"] == {"8000/tcp": {}}
    assert "curl" not in json.dumps(service.config["Healthcheck"])


def test_nothing_that_builds_is_left(service: images.Image) -> None:
    """Neither uv nor pip nor setuptools nor a compiler can be found."""
    with images.Container(service, f"--env=PORT={free_port()}") as container:
        assert become_healthy(container)
        found = container.inside(
            "import shutil, importlib.util as u; print([n for n in ('uv', 'pip', 'pip3', 'gcc', 'cc', 'make')"
            " if shutil.which(n)] + [n for n in ('pip', 'setuptools', 'uv') if u.find_spec(n)])"
        )
        assert found == "[]"


def test_source_changes_keep_the_dependency_layers(
    build: Callable[..., images.Image],
) -> None:
    """Only what follows from the source is built again."""

    def change(project: Path) -> None:
        source = next(project.glob("src/*/cli.py"))
        # Not what an earlier run may have changed it to: its layers are kept.
        mark = f"# changed {uuid.uuid4()}\n"
        source.write_text(source.read_text("utf-8") + mark, "utf-8")

    build(kind="library", docker=True)
    image = build(change, kind="library", docker=True)
    assert image.is_cached("uv sync --locked --no-default-groups")
    assert not image.is_cached("uv build --wheel")


def greet(container: images.Container) -> dict[str, Any]:
    """Shake hands with an MCP server; gives its answer."""
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        },
    }
    assert container.process.stdin and container.process.stdout
    container.process.stdin.write(json.dumps(hello) + "\n")
    container.process.stdin.flush()
    answer: dict[str, Any] = json.loads(container.process.stdout.readline())
    return answer


def test_mcp_server_answers_and_ends_with_its_input(
    build: Callable[..., images.Image],
) -> None:
    """The handshake works over `docker run -i`, and closing the input ends it with status 0."""
    with images.Container(build(kind="mcp")) as container:
        assert greet(container)["result"]["serverInfo"]["version"] == VERSION
        assert container.process.stdin
        container.process.stdin.close()
        assert container.process.wait(timeout=15) == 0


def test_mcp_server_stops_politely(build: Callable[..., images.Image]) -> None:
    """The polite signal ends it as well, with status 0 and at once."""
    with images.Container(build(kind="mcp")) as container:
        assert greet(container)
        assert container.stop() == 0


def test_library_prints_its_version_and_has_its_data(
    build: Callable[..., images.Image],
) -> None:
    """A library's image is its console command, and holds the files beside the code."""

    def change(project: Path) -> None:
        package = next(project.glob("src/*/cli.py")).parent
        (package / "data").mkdir()
        (package / "data/words.txt").write_text("words\n", "utf-8")

    image = build(change, kind="library", docker=True)
    assert image.run("--version") == VERSION
    code = "import pathlib, sample_project as p; print((pathlib.Path(p.__file__).parent / 'data/words.txt').read_text())"
    assert image.run("-c", code, options=("--entrypoint=python",)) == "words"
