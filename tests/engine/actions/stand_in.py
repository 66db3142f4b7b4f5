"""What all stand-ins share: inputs, outputs, the record of what they did, and the permissions of their job."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

# The variable that names the file with what the engine tells every stand-in.
CONTEXT = "ENGINE_CONTEXT"
LEVELS = ("none", "read", "write")


class Failure(Exception):
    """The action fails, as the real one would; says why."""


class StandIn:
    """One use of an action in a step.

    Attributes:
        action: The action with its path, for example "actions/cache/save".
        context: What the engine told.
        inputs: Every declared input by name, defaults filled in; an input without either is empty.
    """

    def __init__(self, action: str, environment: Mapping[str, str]) -> None:
        """Read the inputs; raises Failure for an unknown one and for a required one that is missing."""
        self.action = action
        self.environment = environment
        context = Path(environment[CONTEXT]).read_text("utf-8")
        self.context: dict[str, Any] = json.loads(context)
        self.inputs = self._read_inputs()

    def _read_inputs(self) -> dict[str, str]:
        owner, repository, *path = self.action.split("/")
        interface = json.loads(Path(self.context["interface"]).read_text("utf-8"))
        known = interface["actions"][f"{owner}/{repository}"]["paths"]["/".join(path)]
        variables = {input_variable(name): name for name in known["inputs"]}
        given = {
            name: value.strip()
            for name, value in self.environment.items()
            if name.startswith("INPUT_")
        }
        if unknown := sorted(given.keys() - variables.keys()):
            names = ", ".join(name.removeprefix("INPUT_").lower() for name in unknown)
            self.fail(f"Unexpected input(s): {names}")
        inputs = {name: given.get(key, "") for key, name in variables.items()}
        for name, declared in known["inputs"].items():
            if declared["required"] and not inputs[name]:
                self.fail(f"Input required and not supplied: {name}")
        return inputs

    @property
    def workspace(self) -> Path:
        """The job's folder."""
        return Path(self.environment["GITHUB_WORKSPACE"])

    def path(self, text: str) -> Path:
        """Give the place that an input names: ~ is the home folder, all else is relative to the job's folder."""
        home = self.environment["HOME"]
        return self.workspace / re.sub(r"^~(?=/|$)", home, text)

    def boolean(self, name: str) -> bool:
        """Read an input as YAML 1.2 spells true and false, as the real actions do."""
        value = self.inputs[name]
        if value not in ("true", "True", "TRUE", "false", "False", "FALSE", ""):
            self.fail(f"Input does not meet YAML 1.2 Core Schema: {name}: {value!r}")
        return value.lower() == "true"

    def one_of(self, name: str, *known: str) -> str:
        """Read an input that takes only certain values."""
        value = self.inputs[name]
        if value not in known:
            self.fail(f"Unrecognized {name} input: {value!r} is none of {known}")
        return value

    def unsupported(self, *names: str) -> None:
        """Fail where one of these inputs has a value or is on: this stand-in does not do what it asks for."""
        for name in names:
            if self.inputs[name].lower() not in ("", "false"):
                self.fail(f"the stand-in for {self.action} does not know {name}")

    def warn(self, message: str) -> None:
        """Show a warning, as an action does."""
        print(f"::warning::{message}")

    def output(self, name: str, value: str) -> None:
        """Set an output."""
        self._append("GITHUB_OUTPUT", f"{name}<<END-OF-VALUE\n{value}\nEND-OF-VALUE\n")

    def export(self, name: str, value: str) -> None:
        """Set a variable for later steps."""
        self._append("GITHUB_ENV", f"{name}<<END-OF-VALUE\n{value}\nEND-OF-VALUE\n")

    def add_path(self, folder: Path | str) -> None:
        """Put a folder on the PATH of later steps."""
        self._append("GITHUB_PATH", f"{folder}\n")

    def save_state(self, name: str, value: str) -> None:
        """Keep a value for when the job ends."""
        self._append("GITHUB_STATE", f"{name}={value}\n")

    def state(self, name: str) -> str:
        """Give a value that was kept; empty without one."""
        return self.environment.get(f"STATE_{name}", "")

    def _append(self, variable: str, text: str) -> None:
        with Path(self.environment[variable]).open("a", encoding="utf-8") as file:
            file.write(text)

    @property
    def permissions(self) -> dict[str, str]:
        """What the job's token may do."""
        workflow, job = (
            self.environment["GITHUB_WORKFLOW"],
            self.environment["GITHUB_JOB"],
        )
        found: dict[str, str] = self.context["grants"][f"{workflow} / {job}"]
        return found

    def require(self, permission: str, level: str) -> None:
        """Fail as GitHub does where the job's token may not do this."""
        held = self.permissions.get(permission, "none")
        if LEVELS.index(held) < LEVELS.index(level):
            self.fail(
                f"Resource not accessible by integration: {permission} is {held}, not {level}"
            )

    def record(self, **facts: Any) -> None:
        """Write down what was done; tests read it."""
        entry = {
            "action": self.action,
            "workflow": self.environment["GITHUB_WORKFLOW"],
            "job": self.environment["GITHUB_JOB"],
            "inputs": self.inputs,
            **facts,
        }
        # One write at the end of a file is never mixed with another process's.
        with Path(self.context["records"]).open("ab", buffering=0) as file:
            file.write(f"{json.dumps(entry)}\n".encode())

    def fail(self, message: str) -> NoReturn:
        """End the step red."""
        raise Failure(message)


def input_variable(name: str) -> str:
    """Give the variable in which the runner hands over an input."""
    return f"INPUT_{name.replace(' ', '_').upper()}"


def here(action: str) -> StandIn:
    """Give the use of an action that this process stands for."""
    return StandIn(action, os.environ)
