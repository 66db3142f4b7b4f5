"""Runs the commands of a rendered project's workflows on this machine, without an engine.

A step's `run:` is executed as GitHub executes it (bash -e -o pipefail), word for word from the workflow file. What an
engine adds (conditions, matrices, actions, outputs between jobs) is not shown here.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from harness import run

BASH_AS_A_STEP = ("--noprofile", "--norc", "-e", "-o", "pipefail", "-c")
# What a step must not inherit from the run of these tests.
NEUTRAL = {"NO_COLOR": "1", "PYTEST_ADDOPTS": ""}


@dataclass
class Checkout:
    """A committed, locked project, and the environment that its steps share.

    Attributes:
        path: The project's folder.
        environment: Variables beside those of this process.
    """

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(
        self, command: str, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command line as a step does; a failure shows its output."""
        return run(
            ["bash", *BASH_AS_A_STEP, f"exec 2>&1\n{command}"],
            cwd=self.path,
            env={**NEUTRAL, **self.environment},
            check=check,
        )

    def run_job(self, workflow: str, job: str, *, skip: tuple[str, ...] = ()) -> str:
        """Run every `run:` step of a job in order; gives all that they print.

        Args:
            workflow: The workflow's file name, for example "tests.yml".
            job: The job's id.
            skip: Names of steps whose condition does not hold; each must exist.
        """
        source = self.path / ".github/workflows" / workflow
        steps = yaml.safe_load(source.read_text("utf-8"))["jobs"][job]["steps"]
        commands = {step["name"]: step["run"] for step in steps if "run" in step}
        for name in skip:
            del commands[name]
        return "".join(self.run(command).stdout for command in commands.values())

    def changes(self) -> str:
        """Say what differs from the last commit; empty when nothing does."""
        return self.run("git status --porcelain").stdout
