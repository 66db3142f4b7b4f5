"""scripts/coverage_summary.py of a rendered project: the table, its colours, and reports that are none."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import load_script

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[2] / "template/scripts/coverage_summary.py"
coverage_summary = load_script(SCRIPT)

GREEN, YELLOW, ORANGE, RED = "🟢", "🟡", "🟠", "🔴"


def report(
    lines: tuple[int, int], branches: tuple[int, int] = (0, 0), **files: str
) -> str:
    """Give a report as coverage.py writes it, as far as the script reads it.

    Args:
        lines: How many are covered, and how many there are.
        branches: The same.
        files: The share of its lines that each file covers.
    """
    classes = "".join(
        f'<class name="{name}" filename="{name}.py" line-rate="{rate}"><lines/></class>'
        for name, rate in files.items()
    )
    return (
        f'<?xml version="1.0" ?>\n<coverage version="7.1" lines-covered="{lines[0]}"'
        f' lines-valid="{lines[1]}" branches-covered="{branches[0]}"'
        f' branches-valid="{branches[1]}"><packages><package name="."><classes>'
        f"{classes}</classes></package></packages></coverage>"
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty folder, in which the script runs as on a developer's machine."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


Summary = Callable[[str], str]


@pytest.fixture
def summary(project: Path, capsys: pytest.CaptureFixture[str]) -> Summary:
    """Give the function that turns a report into what the script prints."""

    def run(text: str) -> str:
        (project / "coverage.xml").write_text(text, "utf-8")
        assert coverage_summary.main(["coverage.xml"]) == 0
        return capsys.readouterr().out

    return run


def row(text: str, name: str) -> str:
    """Give what the table says about something."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name}")]
    return line.split(" | ")[1].removesuffix(" |")


# ---- Colours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("covered", "valid", "shown"),
    [
        (100, 100, f"{GREEN} 100.0 %"),
        (90, 100, f"{GREEN} 90.0 %"),
        (9, 10, f"{GREEN} 90.0 %"),
        (89_999, 100_000, f"{YELLOW} 89.9 %"),
        (75, 100, f"{YELLOW} 75.0 %"),
        (3, 4, f"{YELLOW} 75.0 %"),
        (74_999, 100_000, f"{ORANGE} 74.9 %"),
        (60, 100, f"{ORANGE} 60.0 %"),
        (3, 5, f"{ORANGE} 60.0 %"),
        (59_999, 100_000, f"{RED} 59.9 %"),
        (1, 100, f"{RED} 1.0 %"),
        (0, 100, f"{RED} 0.0 %"),
        # Of nothing, all is covered.
        (0, 0, f"{GREEN} 100.0 %"),
    ],
)
def test_each_band_begins_exactly_where_it_says(
    covered: int, valid: int, shown: str, summary: Summary
) -> None:
    """At 90, 75 and 60; what is just under a band is shown as less than it."""
    text = summary(report((covered, valid)))
    assert row(text, "**total**") == shown
    assert row(text, f"lines ({covered} of {valid})") == shown


@pytest.mark.parametrize("tenths", range(0, 1001, 7))
def test_a_percentage_is_shown_as_it_is(tenths: int, summary: Summary) -> None:
    """No figure loses a tenth on the way through binary fractions."""
    text = summary(report((tenths, 1000), some=str(tenths / 1000)))
    shown = f" {tenths // 10}.{tenths % 10} %"
    assert row(text, "**total**").endswith(shown)
    if tenths < 1000:
        assert row(text, "`some.py`").endswith(shown)


@pytest.mark.parametrize("rate", ["0.29", "0.57", "0.58"])
def test_a_file_s_percentage_is_shown_as_it_is(rate: str, summary: Summary) -> None:
    """A hundred times these is a little less in binary fractions."""
    assert row(summary(report((1, 2), some=rate)), "`some.py`").endswith(
        f" {rate[2:]}.0 %"
    )


@pytest.mark.parametrize("threshold", [0, 60, 95, 100])
def test_colours_do_not_follow_the_threshold(
    threshold: int, project: Path, summary: Summary
) -> None:
    """A project's own threshold is the gate's alone."""
    (project / "pyproject.toml").write_text(
        f"[tool.coverage.report]\nfail_under = {threshold}\n", "utf-8"
    )
    assert row(summary(report((8, 10))), "**total**") == f"{YELLOW} 80.0 %"


# ---- The table -------------------------------------------------------------------------------------------------------


def test_lines_and_branches_make_the_total(summary: Summary) -> None:
    """As coverage.py's own gate counts them."""
    text = summary(report((90, 100), (5, 50)))
    assert row(text, "**total**") == f"{ORANGE} 63.3 %"
    assert row(text, "lines (90 of 100)") == f"{GREEN} 90.0 %"
    assert row(text, "branches (5 of 50)") == f"{RED} 10.0 %"


def test_files_follow_worst_first_and_whole_ones_are_left_out(summary: Summary) -> None:
    """What has to be done stands on top."""
    text = summary(report((1, 2), whole="1", good="0.95", bad="0.1"))
    names = [line.split("`")[1] for line in text.splitlines() if "`" in line]
    assert names == ["bad.py", "good.py"]


def test_it_is_a_comment_that_is_found_again(summary: Summary) -> None:
    """The workflow looks for the first line, which nobody sees."""
    text = summary(report((1, 2)))
    assert text.startswith("<!-- coverage -->\n### Coverage\n\n| what | covered |\n")
    assert text.endswith(" |\n")
    workflow = SCRIPT.parents[1] / ".github/workflows/coverage.yml"
    assert coverage_summary.MARKER in workflow.read_text("utf-8")


# ---- Where it goes ---------------------------------------------------------------------------------------------------


def test_it_is_written_to_the_file_and_the_job_s_summary(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced, the job's summary keeps what earlier steps wrote."""
    (project / "coverage.xml").write_text(report((1, 2)), "utf-8")
    (project / "coverage.md").write_text("old\n", "utf-8")
    (project / "summary.md").write_text("before\n", "utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary.md"))
    arguments = ["coverage.xml", "--output", "coverage.md"]
    assert coverage_summary.main(arguments) == 0
    printed = capsys.readouterr().out
    assert (project / "coverage.md").read_text("utf-8") == printed
    assert (project / "summary.md").read_text("utf-8") == f"before\n{printed}"


def test_on_a_developer_s_machine_it_is_only_printed(
    project: Path, summary: Summary
) -> None:
    """Nothing is left behind."""
    summary(report((1, 2)))
    assert [path.name for path in project.iterdir()] == ["coverage.xml"]


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "no XML",
        "<coverage",
        "<coverage/>",
        "<html><body>oops</body></html>",
        report((1, 2)).replace('lines-valid="2"', 'lines-valid="two"'),
        report((1, 2)).replace(' branches-valid="0"', ""),
        report((1, 2), some="none"),
        report((1, 2), some="1").replace(' filename="some.py"', ""),
    ],
)
def test_a_report_that_is_none_is_a_problem(
    text: str | None, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends with 2, names the file and writes nothing."""
    if text is not None:
        (project / "coverage.xml").write_text(text, "utf-8")
    assert coverage_summary.main(["coverage.xml", "--output", "coverage.md"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(
        "coverage_summary.py: coverage.xml is no coverage report"
    )
    assert not (project / "coverage.md").exists()


def test_a_folder_that_is_not_there_is_a_problem(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output cannot be written, which is said."""
    (project / "coverage.xml").write_text(report((1, 2)), "utf-8")
    arguments = ["coverage.xml", "--output", "gone/coverage.md"]
    assert coverage_summary.main(arguments) == 2
    assert "gone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"), [(["--help"], 0), ([], 2), (["gone.xml"], 2)]
)
def test_it_starts_by_itself(arguments: list[str], status: int, project: Path) -> None:
    """With the standard library alone, and never ends in a traceback."""
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
