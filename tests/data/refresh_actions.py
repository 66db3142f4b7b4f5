"""Bring tests/data/actions.json up to the pins in the workflows, by reading each action's own action.yml.

    uv run tests/data/refresh_actions.py

Only pins that differ from the record are fetched, with git and without an account. Each tag must lead to the pinned
commit, and what a composite action uses must be pinned, too. Look at what changed before you commit it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "tests/data/actions.json"
WORKFLOWS = (ROOT / "template/.github/workflows", ROOT / ".github/workflows")

PIN = re.compile(
    r"\buses: ([\w.-]+/[\w.-]+)(?:/([\w./-]+))?@([0-9a-f]{40}) # (v[\d.]+)$", re.M
)
INNER_PIN = re.compile(r"\./.*|docker://.*@sha256:[0-9a-f]{64}|.*@[0-9a-f]{40}")


class Problem(Exception):
    """A condition that the person who runs this can mend."""


def used_pins() -> dict[str, dict[str, Any]]:
    """Give the tag, the commit and the paths inside it of every action that workflows use."""
    used: dict[str, dict[str, Any]] = {}
    for file in sorted(file for folder in WORKFLOWS for file in folder.glob("*.yml")):
        for name, path, commit, tag in PIN.findall(file.read_text("utf-8")):
            pin = used.setdefault(name, {"tag": tag, "sha": commit, "paths": set()})
            if (pin["tag"], pin["sha"]) != (tag, commit):
                raise Problem(
                    f"{file.name} uses {name} {tag}, another place {pin['tag']}: take the newer everywhere"
                )
            pin["paths"].add(path)
    return used


def git(folder: str, *arguments: str) -> str:
    """Run git in a folder and give what it prints."""
    done = subprocess.run(
        ["git", "-C", folder, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Problem(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def read_action(source: str, name: str, pin: dict[str, Any]) -> dict[str, Any]:
    """Give the record of an action.

    Args:
        source: What stands before OWNER/REPOSITORY in an address that git can fetch.
        name: OWNER/REPOSITORY.
        pin: Its tag, commit and paths, as `used_pins` gives them.
    """
    tag, commit = pin["tag"], pin["sha"]
    with tempfile.TemporaryDirectory() as folder:
        git(folder, "init", "--quiet", "--bare")
        wanted = f"refs/tags/{tag}:refs/tags/{tag}"
        git(folder, "fetch", "--quiet", "--depth=1", f"{source}/{name}", wanted)
        tagged = git(folder, "rev-parse", f"{tag}^{{commit}}")
        if tagged != commit:
            raise Problem(
                f"{name} {tag} is commit {tagged}, but pinned is {commit}"
                " (an annotated tag has a SHA of its own: pin the commit)"
            )
        files = git(folder, "ls-tree", "-r", "--name-only", tag).splitlines()
        paths = {}
        for path in sorted(pin["paths"]):
            at = f"{path}/" if path else ""
            found = [f for f in (f"{at}action.yml", f"{at}action.yaml") if f in files]
            if not found:
                raise Problem(f"{name} {tag} has no {at}action.yml")
            paths[path] = interface(name, git(folder, "show", f"{tag}:{found[0]}"))
    return {"tag": tag, "sha": commit, "interface_read_at": tag, "paths": paths}


def interface(name: str, text: str) -> dict[str, Any]:
    """Give what an action.yml says about runtime, inputs and outputs."""
    action = yaml.safe_load(text)
    for step in action["runs"].get("steps", []):
        if "uses" in step and not INNER_PIN.fullmatch(step["uses"]):
            raise Problem(f"{name} uses {step['uses']}, which can be moved: do without")
    inputs = action.get("inputs") or {}
    return {
        "using": action["runs"]["using"],
        "inputs": {
            key: {
                "required": bool((value or {}).get("required", False)),
                "default": (value or {}).get("default"),
            }
            for key, value in inputs.items()
        },
        "outputs": sorted(action.get("outputs") or {}),
    }


def refresh(source: str) -> None:
    """Rewrite the record where it differs from the pins, and print what is new."""
    record = json.loads(RECORD.read_text("utf-8"))
    before, after = record["actions"], {}
    for name, pin in sorted(used_pins().items()):
        known = before.get(name, {"paths": {}})
        same = (known.get("tag"), known.get("sha")) == (pin["tag"], pin["sha"])
        if same and known["paths"].keys() == pin["paths"]:
            after[name] = known
        else:
            after[name] = read_action(source, name, pin)
            print(f"{name}: {known.get('tag', 'new')} -> {pin['tag']}")
    for name in before.keys() - after.keys():
        print(f"{name}: no longer used")
    record["actions"] = after
    RECORD.write_bytes((json.dumps(record, indent=1) + "\n").encode())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives 0, or 2 when a pin cannot be recorded, and then changes nothing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--source",
        default="https://github.com",
        help="another host, or a folder of repositories, by OWNER/REPOSITORY",
    )
    try:
        refresh(parser.parse_args(arguments).source)
    except Problem as problem:
        print(f"refresh_actions.py: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
