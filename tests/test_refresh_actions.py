"""tests/data/refresh_actions.py, with repositories on this machine in place of GitHub's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import load_script, run, tool

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parent / "data" / "refresh_actions.py"
refresh_actions = load_script(SCRIPT)

ACTION = """\
name: Tool
inputs:
  path: {description: What, required: true}
  depth: {description: How far, default: 1}
  plain:
outputs:
  result: {description: What came out}
runs: {using: node24, main: index.js}
"""
COMPOSITE = """\
runs:
  using: composite
  steps:
    - run: echo
      shell: bash
    - uses: USES
"""


class Desk:
    """A folder with an action's repository, a workflow that uses it, and a record."""

    def __init__(self, folder: Path) -> None:
        """Start with an action v1.0.0 whose tag is annotated, and an empty record."""
        self.source = folder / "source"
        self.action = self.source / "acme" / "tool"
        (self.action / "sub").mkdir(parents=True)
        self.git("init", "--quiet")
        self.workflows = folder / "workflows"
        self.workflows.mkdir()
        self.record = folder / "actions.json"
        self.record.write_text(
            json.dumps({"note": "kept", "actions": {"old/one": {}}}), "utf-8"
        )
        self.release("v1.0.0", ACTION)

    def git(self, *arguments: str) -> str:
        """Run git in the action's repository."""
        done = run([tool("git"), "-C", str(self.action), *arguments])
        return done.stdout.strip()

    def release(self, tag: str, text: str) -> None:
        """Commit and tag the action with this action.yml."""
        (self.action / "action.yml").write_text(text, "utf-8")
        (self.action / "sub" / "action.yaml").write_text(
            "runs: {using: docker}\n", "utf-8"
        )
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={tag}")
        self.git("tag", "--annotate", f"--message={tag}", tag)

    def sha(self, revision: str) -> str:
        """Give the SHA of a commit or of a tag itself."""
        return self.git("rev-parse", revision)

    def use(self, tag: str, sha: str = "", path: str = "", file: str = "a.yml") -> None:
        """Write a workflow that uses the action."""
        sha = sha or self.sha(f"{tag}^{{commit}}")
        (self.workflows / file).write_text(
            f"      - uses: acme/tool{path}@{sha} # {tag}\n", "utf-8"
        )

    def actions(self) -> Any:
        """Give what is recorded."""
        return json.loads(self.record.read_text("utf-8"))["actions"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Give such a folder, with the script pointed to it."""
    desk = Desk(tmp_path)
    monkeypatch.setattr(refresh_actions, "RECORD", desk.record)
    monkeypatch.setattr(refresh_actions, "WORKFLOWS", (desk.workflows,))
    return desk


@pytest.fixture
def refresh(desk: Desk) -> Callable[[], int]:
    """Give the function that runs the script."""
    return lambda: int(refresh_actions.main([f"--source={desk.source}"]))


def test_a_new_pin_is_recorded(desk: Desk, refresh: Callable[[], int]) -> None:
    """With its interface; what is no longer used goes."""
    desk.use("v1.0.0")
    assert refresh() == 0
    assert desk.actions() == {
        "acme/tool": {
            "tag": "v1.0.0",
            "sha": desk.sha("v1.0.0^{commit}"),
            "interface_read_at": "v1.0.0",
            "paths": {
                "": {
                    "using": "node24",
                    "inputs": {
                        "path": {"required": True, "default": None},
                        "depth": {"required": False, "default": 1},
                        "plain": {"required": False, "default": None},
                    },
                    "outputs": ["result"],
                }
            },
        }
    }
    assert json.loads(desk.record.read_text("utf-8"))["note"] == "kept"


def test_a_newer_pin_and_another_path_replace_the_record(
    desk: Desk, refresh: Callable[[], int]
) -> None:
    """After Dependabot's pull request, one command brings the record up."""
    desk.use("v1.0.0")
    assert refresh() == 0
    desk.release("v2.0.0", ACTION.replace("node24", "node26"))
    desk.use("v2.0.0")
    desk.use("v2.0.0", path="/sub", file="b.yml")
    assert refresh() == 0
    recorded = desk.actions()["acme/tool"]
    assert recorded["tag"] == "v2.0.0"
    assert {p: i["using"] for p, i in recorded["paths"].items()} == {
        "": "node26",
        "sub": "docker",
    }


def test_what_is_recorded_is_not_fetched_again(
    desk: Desk, refresh: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run changes nothing and needs no network."""
    desk.use("v1.0.0")
    assert refresh() == 0
    before = desk.record.read_bytes()
    monkeypatch.setattr(desk, "source", Path("gone"))
    assert refresh() == 0
    assert desk.record.read_bytes() == before


def test_a_tag_s_own_sha_is_refused(
    desk: Desk, refresh: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The message gives the commit to pin, and the record stays."""
    desk.use("v1.0.0", sha=desk.sha("v1.0.0"))
    before = desk.record.read_bytes()
    assert refresh() == 2
    assert f"is commit {desk.sha('v1.0.0^{commit}')}" in capsys.readouterr().err
    assert desk.record.read_bytes() == before


def test_an_action_that_is_not_there_is_a_problem(
    desk: Desk, refresh: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """A tag, or a path, that does not exist."""
    desk.use("v9.9.9", sha="a" * 40)
    assert refresh() == 2
    assert "v9.9.9" in capsys.readouterr().err
    desk.use("v1.0.0", path="/gone")
    assert refresh() == 2
    assert "has no gone/action.yml" in capsys.readouterr().err


def test_two_pins_of_one_action_are_a_problem(
    desk: Desk, refresh: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    """The record has one."""
    desk.release("v2.0.0", ACTION.replace("node24", "node26"))
    desk.use("v1.0.0")
    desk.use("v2.0.0", file="b.yml")
    assert refresh() == 2
    assert "take the newer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("uses", "status"),
    [
        (f"other/one@{'a' * 40}", 0),
        ("./inner", 0),
        ("other/one@v1", 2),
        ("docker://debian:13", 2),
    ],
)
def test_what_a_composite_action_uses_must_be_pinned(
    uses: str, status: int, desk: Desk, refresh: Callable[[], int]
) -> None:
    """A pin on the outside is not enough."""
    desk.release("v2.0.0", COMPOSITE.replace("USES", uses))
    desk.use("v2.0.0")
    assert refresh() == status


def test_the_record_of_this_repository_is_up_to_date(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Run on it, the script has nothing to fetch and changes no byte."""
    copy = tmp_path / "actions.json"
    copy.write_bytes(refresh_actions.RECORD.read_bytes())
    monkeypatch.setattr(refresh_actions, "RECORD", copy)
    assert refresh_actions.main([f"--source={tmp_path / 'gone'}"]) == 0
    original = SCRIPT.with_name("actions.json")
    assert copy.read_bytes() == original.read_bytes()
