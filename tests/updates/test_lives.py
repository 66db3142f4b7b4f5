"""The checks of tests/updates/lives.py notice what is lost and what is misplaced, also where a file shows conflicts."""

from pathlib import Path

import pytest
from improvement import NEW_FILE
from lives import UP, Kept, in_order, path_of, same_name, sides, steps_of, with_pin
from planting import Plant, remove, replace, write

pytestmark = pytest.mark.quick
FILE = path_of("tests")
PIN = f"actions/checkout@{UP} # v9.0.0"
OLD = f"actions/checkout@{'a' * 40} # v7.0.1"
ITS = f"actions/checkout@{'c' * 40} # v7.2.0"
WORKFLOW = f"""\
jobs:
  one:
    steps:
      - name: First
        uses: {OLD}
      - name: Ours, between
        run: echo ours
      - name: Last
        uses: {OLD}
  two:
    steps:
      - name: First
        run: echo first
"""
STEP = "      - name: Ours, between\n        run: echo ours\n"
NEW = "      - name: New\n        run: echo new\n"


def shown(mine: str, its: str) -> str:
    """Give a conflict as it stands in a file."""
    return f"<<<<<<< before updating\n{mine}=======\n{its}>>>>>>> after updating\n"


CONFLICT = replace(FILE, STEP, shown(STEP, NEW))


def test_sides_are_told_apart() -> None:
    text = "a\n" + shown("b\n", "c\n") + "d\n" + shown("", "e\n")
    assert sides(text) == ("a\nb\nd\n", "a\nc\nd\ne\n")
    assert sides("Title\n=======\n") == ("Title\n=======\n",) * 2


@pytest.mark.parametrize(
    ("meddle", "says"),
    [
        (replace(FILE, STEP, ""), "left the job one"),
        (write(FILE, WORKFLOW.replace(STEP, "") + STEP), "left the job one"),
        (
            write(
                FILE,
                WORKFLOW.replace(STEP, "").replace("steps:\n", f"steps:\n{STEP}", 1),
            ),
            "the order of one",
        ),
        (replace(FILE, STEP, shown("", STEP)), "left the job one"),
        (
            write(FILE, WORKFLOW.replace(STEP, "") + shown(STEP, NEW)),
            "left the job one",
        ),
        (replace(FILE, STEP, shown("    - name: Ours, between\n", NEW)), "no workflow"),
        (replace(FILE, STEP, shown(STEP, "      - {{\n")), "no workflow"),
        (remove(FILE), "no workflow"),
    ],
)
def test_a_misplaced_step_is_noticed(tmp_path: Path, meddle: Plant, says: str) -> None:
    """Lost, in another job, in another order, on the wrong side, or in a side that is no workflow."""
    kept = lived(tmp_path)
    CONFLICT(tmp_path)
    assert kept(tmp_path) == []
    write(FILE, WORKFLOW)(tmp_path)
    assert kept(tmp_path) == []
    meddle(tmp_path)
    (lost,) = kept(tmp_path)
    assert says in lost


def lived(project: Path) -> Kept:
    """Have a workflow with a step of their own, and give its check."""
    write(FILE, WORKFLOW)(project)
    return in_order(FILE, steps_of(WORKFLOW))


def test_one_pin_of_many_that_is_lost_is_noticed(tmp_path: Path) -> None:
    write(FILE, WORKFLOW)(tmp_path)
    kept = with_pin("up", PIN, PIN).live(tmp_path)
    text = (tmp_path / FILE).read_text("utf-8")
    assert text.count(PIN) == 2
    line = f"        uses: {PIN}\n"
    (tmp_path / FILE).write_text(
        text.replace(line, shown(line, line.replace(PIN, ITS)), 1), "utf-8"
    )
    assert kept(tmp_path) == []
    (tmp_path / FILE).write_text(text.replace(PIN, ITS, 1), "utf-8")
    assert kept(tmp_path) == [f"{FILE} has {PIN!r} 1 times"]


def test_a_file_of_the_same_name_shows_both(tmp_path: Path) -> None:
    kept = same_name(tmp_path)
    mine = (tmp_path / NEW_FILE).read_text("utf-8")
    assert kept(tmp_path) == [f"{NEW_FILE} does not show what the template has"]
    its = "# Improvements\n"
    write(NEW_FILE, shown(mine, its))(tmp_path)
    assert kept(tmp_path) == []
    write(NEW_FILE, its)(tmp_path)
    assert len(kept(tmp_path)) == 2
