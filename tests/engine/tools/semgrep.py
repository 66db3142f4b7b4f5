"""Starts the real Semgrep, with a few rules of the tests in the place of its public ones, which need the network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKS = Path(__file__).parent / "packs"
# Set to anything, it makes the public rules unreachable.
UNREACHABLE = "ENGINE_SEMGREP_UNREACHABLE"
# The real Semgrep's path.
REAL = "ENGINE_SEMGREP"
# What Semgrep ends with when a configuration cannot be had.
NO_CONFIGURATION = 7


def main() -> int:
    """Replace each p/NAME by a file, and pass on everything else as it is."""
    arguments = []
    for argument in sys.argv[1:]:
        if argument.startswith("p/"):
            pack = PACKS / f"{argument.removeprefix('p/')}.yml"
            if os.environ.get(UNREACHABLE) or not pack.is_file():
                print(f"Failed to download configuration {argument}", file=sys.stderr)
                return NO_CONFIGURATION
            arguments.append(str(pack))
        else:
            arguments.append(argument)
    real = os.environ[REAL]
    # Semgrep starts programs that lie beside it.
    os.environ["PATH"] = f"{Path(real).resolve().parent}:{os.environ['PATH']}"
    os.execv(real, [real, *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    sys.exit(main())
