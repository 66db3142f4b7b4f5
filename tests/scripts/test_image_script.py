"""scripts/image.py of a rendered project: names and tags, the checks of an image, and what each refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness import load_script

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[2] / "template/scripts/image.py"
COMMIT, OLDER, NEWER = "c" * 40, "a" * 40, "e" * 40
IMAGE = "ghcr.io/o/demo"
with pytest.MonkeyPatch.context() as patch:
    # As Python does when it runs a script: image.py shares code with release.py.
    patch.syspath_prepend(SCRIPT.parent)
    image = load_script(SCRIPT)


def replace_run(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]) -> None:
    """Put a function in the place of the one that runs commands, in both scripts."""
    monkeypatch.setattr(image, "run", run)
    monkeypatch.setattr(sys.modules["release"], "run", run)


# ---- Plan ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "reference", "version", "tag", "push", "is_release"),
    [
        ("push", "refs/heads/main", "1.2.4.dev3+g1", f"main-{COMMIT}", "true", "false"),
        (
            "workflow_dispatch",
            "refs/heads/main",
            "1.2.4.dev3+g1",
            f"main-{COMMIT}",
            "true",
            "false",
        ),
        (
            "workflow_dispatch",
            "refs/heads/topic",
            "1.2.4.dev3+g1",
            f"build-{COMMIT}",
            "false",
            "false",
        ),
        (
            "pull_request",
            "refs/pull/12/merge",
            "1.2.4.dev3+g1",
            "pr-12",
            "false",
            "false",
        ),
        (
            "merge_group",
            "refs/heads/gh-readonly-queue/main/pr-1",
            "1",
            f"build-{COMMIT}",
            "false",
            "false",
        ),
        ("workflow_dispatch", "refs/tags/v1.2.3", "1.2.3", "v1.2.3", "true", "true"),
        ("release", "refs/tags/v1.2.3rc1", "1.2.3rc1", "v1.2.3rc1", "true", "true"),
        ("release", "refs/tags/v1.2.3-rc.1", "1.2.3rc1", "v1.2.3-rc.1", "true", "true"),
        ("release", "refs/tags/v1.2", "1.2", "v1.2.0", "true", "true"),
        ("release", "refs/tags/v2", "2", "v2.0.0", "true", "true"),
    ],
)
def test_the_event_decides_on_tag_and_push(
    event: str,
    reference: str,
    version: str,
    tag: str,
    push: str,
    is_release: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", event)
    monkeypatch.setenv("GITHUB_REF", reference)
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    monkeypatch.setenv("GITHUB_REPOSITORY", "Some-One/Demo")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert image.main(["plan", version]) == 0
    outputs = dict(
        line.split("=", 1)
        for line in (tmp_path / "output").read_text("utf-8").splitlines()
    )
    assert outputs == {
        "image": "ghcr.io/some-one/demo",
        "tag": tag,
        "version": version,
        "push": push,
        "release": is_release,
    }


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("vNext", "'vNext' is not a version"),
        ("v1!2.0", "has an epoch or a local part"),
        ("v1.2.4", "the tag is v1.2.4, but what is built would have version 1.2.3"),
    ],
)
def test_a_tag_that_does_not_match_is_refused(
    tag: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", "release")
    monkeypatch.setenv("GITHUB_REF", f"refs/tags/{tag}")
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    assert image.main(["plan", "1.2.3"]) == 1
    assert said in capsys.readouterr().err


# ---- Check -----------------------------------------------------------------------------------------------------------

HEALTHY = [
    {"Status": "running", "Health": {"Status": "starting"}},
    {"Status": "running", "Health": {"Status": "healthy"}},
]


@dataclass
class Docker:
    """Answers docker commands for one image and its container."""

    user: str = "10001:10001"
    actual_user: str = "10001"
    says: str = "demo 1.2.3"
    status: int = 0
    states: list[dict[str, Any]] = field(default_factory=lambda: list(HEALTHY))
    exit_code: int = 0
    commands: list[list[str]] = field(default_factory=list)

    def run(
        self, command: list[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Stand in for the function of that name."""
        self.commands.append(command)
        output, status = "", 0
        match command[1:]:
            case ["image", "inspect", _]:
                output = json.dumps([{"Config": {"User": self.user}}])
            case ["run", "--detach", *_]:
                output, status = "container\n", self.status
            case ["run", *rest]:
                output = (
                    f"{self.actual_user if '--entrypoint' in rest else self.says}\n"
                )
                status = self.status
            case ["inspect", "container"]:
                state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                output = json.dumps([{"State": state | {"ExitCode": self.exit_code}}])
            case ["logs", "container"]:
                output = "it said this"
        return subprocess.CompletedProcess(command, status, output, "")


def check(
    kind: str, docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Run the checks on a fake image."""
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.pipeline]\nkind = "{kind}"\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    replace_run(monkeypatch, docker.run)
    monkeypatch.setattr(image.time, "sleep", lambda seconds: None)
    return int(image.main(["check", "local", "--version", "1.2.3"]))


def test_a_good_service_passes_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = Docker()
    assert check("service", docker, tmp_path, monkeypatch) == 0
    started = [command for command in docker.commands if command[1] == "run"]
    assert all("--read-only" in command for command in started)
    assert docker.commands[-1] == ["docker", "rm", "--force", "container"]


@pytest.mark.parametrize(
    ("kind", "docker", "said"),
    [
        ("library", Docker(user=""), "the image's user is 'root'"),
        ("library", Docker(user="0:0"), "the image's user is '0'"),
        ("library", Docker(user="app"), "USER that is a number"),
        ("library", Docker(actual_user="0"), "runs as root"),
        (
            "library",
            Docker(says="demo 1.2.30"),
            "it says 'demo 1.2.30', which is not version 1.2.3",
        ),
        (
            "library",
            Docker(status=1, says="Read-only file system"),
            "ended with 1: Read-only file system",
        ),
        ("service", Docker(states=[{"Status": "running"}]), "no HEALTHCHECK"),
        (
            "service",
            Docker(states=[{"Status": "exited", "Health": {"Status": "starting"}}]),
            "it said this",
        ),
        (
            "service",
            Docker(states=[{"Status": "running", "Health": {"Status": "unhealthy"}}]),
            "it said this",
        ),
        ("service", Docker(exit_code=137), "ended with 137, not 0"),
        ("service", Docker(status=126), "it does not start"),
    ],
)
def test_each_check_can_fail(
    kind: str,
    docker: Docker,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert check(kind, docker, tmp_path, monkeypatch) == 1
    assert said in capsys.readouterr().out


def test_a_service_that_never_turns_healthy_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(image, "HEALTH_TIMEOUT", 0.05)
    docker = Docker(states=HEALTHY[:1])
    assert check("service", docker, tmp_path, monkeypatch) == 1
    assert "not healthy within 0.05 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ended_with", "status", "said"),
    [
        (0, 0, "✅ answers the handshake: test_server.py passed"),
        (1, 1, "❌ answers the handshake: see what test_server.py said"),
        (2, 2, ""),
        (-9, 2, ""),
    ],
)
def test_an_mcp_server_is_checked_by_the_script_for_servers(
    ended_with: int,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, ended_with)

    monkeypatch.setattr(image.subprocess, "run", run)
    assert check("mcp", Docker(), tmp_path, monkeypatch) == status
    assert said in capsys.readouterr().out
    start = "docker run --rm --interactive --read-only local"
    script = str(SCRIPT.with_name("test_server.py"))
    options = ["--command", start, "--timeout", "30"]
    assert commands == [[sys.executable, script, *options]]


@pytest.mark.parametrize("text", ["", "[tool.pipeline]\nkind = 'boat'\n", "not TOML"])
def test_without_a_kind_nothing_is_checked(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    assert image.main(["check", "local"]) == 2


def test_without_docker_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pipeline]\nkind = 'library'\n", "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert image.main(["check", "local"]) == 2
    assert "docker is not installed" in capsys.readouterr().err


# ---- Tag -------------------------------------------------------------------------------------------------------------


@dataclass
class Registry:
    """Keeps what each tag names: a new index of digests, or a copy of another tag's."""

    tags: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    down: bool = False
    # What `inspect` prints where it is no index.
    says: str | None = None
    # The tags that can still be made before the registry is gone.
    breaks_after: int | None = None

    def run(
        self, command: list[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Stand in for the function of that name."""
        if command[:2] == ["git", "rev-parse"]:
            return subprocess.CompletedProcess(command, 0, f"{COMMIT}\n", "")
        if command[:2] == ["git", "merge-base"]:
            return subprocess.CompletedProcess(
                command, 0 if command[-2] < command[-1] else 1, "", ""
            )
        if self.down:
            return subprocess.CompletedProcess(
                command, 1, "", "ERROR: 503 Service Unavailable"
            )
        *_, action, reference = command if "inspect" in command else [*command, "", ""]
        if action == "--raw" and self.says is not None:
            return subprocess.CompletedProcess(command, 0, self.says, "")
        if action == "--raw":
            if (found := self.tags.get(reference)) is None:
                return subprocess.CompletedProcess(
                    command, 1, "", f"ERROR: {reference}: not found"
                )
            return subprocess.CompletedProcess(command, 0, json.dumps(found), "")
        return self.create(command)

    def create(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Make tags as `docker buildx imagetools create` does."""
        if self.breaks_after is not None and len(self.created) >= self.breaks_after:
            return subprocess.CompletedProcess(
                command, 1, "", "ERROR: connection refused"
            )
        prefix = "--annotation=index:"
        annotations = dict(
            part.removeprefix(prefix).split("=", 1)
            for part in command
            if part.startswith(prefix)
        )
        sources = [part for part in command if part.startswith(IMAGE)]
        copied = (
            self.tags[sources[0]]
            if len(sources) == 1
            else {"from": sources, "annotations": annotations}
        )
        for tag in (
            part.removeprefix("--tag=") for part in command if part.startswith("--tag=")
        ):
            self.tags[tag] = copied
            self.created.append(tag.removeprefix(f"{IMAGE}:"))
        return subprocess.CompletedProcess(command, 0, "", "")

    def put(self, tag: str, version: str = "", revision: str = "") -> None:
        """Let a tag name something of that version and revision."""
        texts = {image.VERSION_KEY: version, image.REVISION_KEY: revision}
        self.tags[f"{IMAGE}:{tag}"] = {
            "annotations": {key: text for key, text in texts.items() if text}
        }

    def version(self, tag: str) -> str:
        """Give the version of what a tag names."""
        return str(self.tags[f"{IMAGE}:{tag}"]["annotations"][image.VERSION_KEY])


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Give an empty registry, and the digests of both platforms."""
    fake = Registry()
    replace_run(monkeypatch, fake.run)
    monkeypatch.setenv("VERSION", "1.2.4.dev3+g1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digests").mkdir()
    for architecture, digit in {"amd64": "1", "arm64": "2"}.items():
        (tmp_path / "digests" / architecture).write_text(
            f"sha256:{digit * 64}\n", "utf-8"
        )
    return fake


def tag(name: str) -> int:
    """Run the step that tags."""
    return int(image.main(["tag", IMAGE, name, "--digests", "digests"]))


def test_a_release_joins_both_platforms_under_its_tags(registry: Registry) -> None:
    assert tag("v1.2.3") == 0
    assert registry.created == ["v1.2.3", "v1.2", "v1"]
    assert registry.tags[f"{IMAGE}:v1"]["from"] == [
        f"{IMAGE}@sha256:{'1' * 64}",
        f"{IMAGE}@sha256:{'2' * 64}",
    ]


@pytest.mark.parametrize(
    ("name", "created"),
    [
        ("v1.2.3rc1", ["v1.2.3rc1"]),
        ("v1.2.3-rc.1", ["v1.2.3-rc.1"]),
        ("v1.2.3.dev0", ["v1.2.3.dev0"]),
        ("v0.3.0", ["v0.3.0", "v0.3"]),
        ("v1.2.3.post1", ["v1.2.3.post1", "v1.2", "v1"]),
    ],
)
def test_which_tags_a_version_earns(
    registry: Registry, name: str, created: list[str]
) -> None:
    assert tag(name) == 0
    assert registry.created == created


def test_moving_tags_only_move_up(registry: Registry) -> None:
    registry.put("v1", "1.10.0")
    registry.put("v1.2", "1.2.2")
    assert tag("v1.2.3") == 0
    assert (registry.version("v1"), registry.version("v1.2")) == ("1.10.0", "1.2.3")


def test_a_moving_tag_of_unknown_version_stays(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.put("v1.2")
    assert tag("v1.2.3") == 1
    assert registry.created == ["v1.2.3"]
    assert f"--tag={IMAGE}:v1.2 {IMAGE}:v1.2.3" in capsys.readouterr().err


def test_a_version_is_never_built_over(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.put("v1.2.3", "1.2.3", OLDER)
    assert tag("v1.2.3") == 1
    assert not registry.created
    said = capsys.readouterr().err
    assert OLDER in said
    assert COMMIT in said


@pytest.mark.parametrize("point", range(3))
def test_ended_behind_any_tag_it_can_run_again(registry: Registry, point: int) -> None:
    registry.breaks_after = point
    assert tag("v1.2.3") == 2
    registry.breaks_after = None
    assert tag("v1.2.3") == 0
    assert registry.created == ["v1.2.3", "v1.2", "v1"]


def test_main_gets_its_commit_and_latest(registry: Registry) -> None:
    registry.put("latest", "1.2.4.dev2", OLDER)
    assert tag(f"main-{COMMIT}") == 0
    assert registry.created == [f"main-{COMMIT}", "latest"]
    assert registry.version("latest") == "1.2.4.dev3+g1"


def test_latest_does_not_go_back(registry: Registry) -> None:
    registry.put("latest", "1.2.4.dev9", NEWER)
    assert tag(f"main-{COMMIT}") == 0
    assert registry.created == [f"main-{COMMIT}"]


@pytest.mark.parametrize("digest", [None, "", "sha256:12"])
def test_without_every_platform_nothing_is_tagged(
    registry: Registry, digest: str | None
) -> None:
    file = Path("digests/arm64")
    file.unlink()
    if digest is not None:
        file.write_text(digest, "utf-8")
    assert tag("v1.2.3") == 2
    assert not registry.created


def test_an_unreachable_registry_is_no_missing_tag(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.down = True
    assert tag("v1.2.3") == 2
    assert "503" in capsys.readouterr().err
    assert not registry.created


@pytest.mark.parametrize("says", ["", "<html>", "[]"])
def test_an_answer_that_is_no_index_is_named(
    registry: Registry, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.says = says
    assert tag("v1.2.3") == 2
    assert f"does not say what {IMAGE}:v1.2.3 is" in capsys.readouterr().err
    assert not registry.created


def test_a_tag_that_is_none_of_ours_is_refused(registry: Registry) -> None:
    assert tag("pr-12") == 1
    assert not registry.created
