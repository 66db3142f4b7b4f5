"""Runs a stand-in: python engine/actions OWNER/REPOSITORY[/PATH] main|post."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from engine.actions.catalogue import work
from engine.actions.stand_in import Failure, here


def main(action: str, phase: str) -> int:
    """Run one phase of a stand-in; gives 1 where it failed, with the reason as GitHub shows it."""
    try:
        work(action, phase)(here(action))
    except Failure as failure:
        print(f"::error::{failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
