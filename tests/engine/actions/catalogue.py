"""Which stand-in does the work of which action, and the folders that act takes them from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from engine.actions.stand_in import StandIn

Work = Callable[[StandIn], None]


@dataclass(frozen=True)
class Phases:
    """What an action does in its step and, if anything, after the job's last step when all went well.

    Each is a module of this package with a function in it. A run starts dozens of stand-ins, and each start reads only the
    module that it needs.
    """

    main: str
    post: str | None = None


STAND_INS = {
    "actions/attest": Phases("provenance.attest"),
    "actions/cache": Phases("cache.restore", "cache.save_afterwards"),
    "actions/cache/restore": Phases("cache.restore"),
    "actions/cache/save": Phases("cache.save"),
    "actions/create-github-app-token": Phases("app_token.create"),
    "actions/checkout": Phases("checkout.checkout"),
    "actions/download-artifact": Phases("artifacts.download"),
    "actions/upload-artifact": Phases("artifacts.upload"),
    "aquasecurity/setup-trivy": Phases("scanners.set_up_trivy"),
    "astral-sh/setup-uv": Phases("uv.set_up"),
    "codecov/codecov-action": Phases("scanners.send_coverage"),
    "docker/build-push-action": Phases("buildx.build_push"),
    "docker/login-action": Phases("buildx.log_in", "buildx.log_out"),
    "docker/metadata-action": Phases("docker.metadata"),
    "docker/setup-buildx-action": Phases("buildx.set_up"),
    "github/codeql-action/upload-sarif": Phases("scanners.upload_sarif"),
    "ossf/scorecard-action": Phases("scanners.score"),
}


def work(action: str, phase: str) -> Work:
    """Give the function that does one phase of an action, "main" or "post"."""
    module, _, function = getattr(STAND_INS[action], phase).partition(".")
    found: Work = getattr(import_module(f"engine.actions.{module}"), function)
    return found


# Where real actions come from: a folder with OWNER/REPOSITORY for each, or "network". pytest's --real-actions sets it.
REAL_ACTIONS = "REAL_ACTIONS"
NETWORK = "network"
# These can be real. The others speak to services of GitHub's that are not here.
CAN_BE_REAL = {
    "aquasecurity/setup-trivy",
    "astral-sh/setup-uv",
    "docker/metadata-action",
    "docker/setup-buildx-action",
}

# act starts actions with Node, which hands over to Python.
START = """\
const {{ spawnSync }} = require("node:child_process");
const ended = spawnSync({command}, {arguments}, {{ stdio: "inherit" }});
process.exitCode = ended.status ?? 1;
"""


def make_folders(folder: Path, interface: Path, real: str = "") -> list[str]:
    """Make a folder for each action of tests/data/actions.json that has a stand-in.

    Args:
        folder: Where they are made.
        interface: tests/data/actions.json.
        real: Where real actions come from, see REAL_ACTIONS; empty takes none.

    Returns:
        act's options, which put the folders in the place of exactly the pins that are recorded.
    """
    actions = json.loads(interface.read_text("utf-8"))["actions"]
    options = []
    for name, action in actions.items():
        known = {
            path: described
            for path, described in action["paths"].items()
            if f"{name}/{path}".rstrip("/") in STAND_INS
        }
        if real and name in CAN_BE_REAL:
            # What act is told nothing about it fetches.
            if real != NETWORK:
                options.append(local(name, action, Path(real) / name))
            continue
        if not known:
            continue
        root = folder / name.replace("/", "-")
        for path, described in known.items():
            make_action(root / path, f"{name}/{path}".rstrip("/"), described)
        options.append(local(name, action, root))
    return options


def local(name: str, action: dict[str, Any], folder: Path) -> str:
    """Give act's option that puts a folder in the place of an action at its recorded pin."""
    return f"--local-repository={name}@{action['sha']}={folder}"


def make_action(folder: Path, action: str, described: dict[str, Any]) -> None:
    """Make the folder of one action: its declared interface, and what starts the stand-in."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {"using": "node24", "main": "main.js"}
    if STAND_INS[action].post:
        runs |= {"post": "post.js", "post-if": "success()"}
    inputs = {
        # What is missing is the stand-in's to say; act would only leave it out.
        name: {"description": name}
        | ({} if said["default"] is None else {"default": said["default"]})
        for name, said in described["inputs"].items()
    }
    declared = {
        "name": action,
        "description": f"Stand-in for {action}",
        "inputs": inputs,
        "outputs": {name: {"description": name} for name in described["outputs"]},
        "runs": runs,
    }
    # JSON is YAML.
    (folder / "action.yml").write_text(json.dumps(declared), "utf-8")
    for phase in ("main", "post"):
        arguments = [str(Path(__file__).parent), action, phase]
        (folder / f"{phase}.js").write_text(
            START.format(
                command=json.dumps(sys.executable), arguments=json.dumps(arguments)
            ),
            "utf-8",
        )
