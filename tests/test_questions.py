"""The questions: their defaults, what they refuse and with which words, and that rendering needs no trust."""

import json
import keyword
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy
from harness import (
    CONFIG,
    PYTHONS,
    QUESTIONS,
    ROOT,
    Renderer,
    copier,
    copy_template,
    interpreter,
    macros,
    run,
    unproven,
)
from packaging.metadata import Metadata
from packaging.utils import canonicalize_name
from validate_pyproject.api import Validator

ASKED = [
    "project_name",
    "project_description",
    "package_name",
    "github_user",
    "user_name",
    "user_email",
    "license",
    "kind",
    "python_versions",
    "pypi",
    "docker",
    "coverage_threshold",
    "codecov",
    "pull_request_matrix",
    "template_updates",
]


# ---- The questions themselves ----------------------------------------------------------------------------------------


@pytest.mark.quick
def test_the_questions_are_these() -> None:
    """No more questions than those that the README explains, and none is missing."""
    assert sorted(QUESTIONS) == sorted(ASKED)


@pytest.mark.quick
@pytest.mark.parametrize("name", ASKED)
def test_every_question_has_help_a_default_and_a_check(name: str) -> None:
    """Nobody is left alone with a question, and nothing wrong is taken."""
    question = QUESTIONS[name]
    assert question["help"].strip()
    assert "default" in question
    # Where anything can be typed or given by --data, a validator of ours says what is allowed.
    checked_by_copier = "choices" in question and not question.get("multiselect")
    assert checked_by_copier or "extensions/validation.jinja" in question["validator"]


@pytest.mark.quick
def test_the_defaults_are_these(render: Renderer) -> None:
    """Changing a default is a decision, not an accident."""
    answers = render().answers
    assert {name: answers[name] for name in ASKED[2:]} == {
        "package_name": "sample_project",
        "github_user": "",
        "user_name": "",
        "user_email": "",
        "license": "MIT",
        "kind": "service",
        "python_versions": ["3.10", "3.11", "3.12"],
        "pypi": True,
        "docker": True,
        "coverage_threshold": 90,
        "codecov": False,
        "pull_request_matrix": "auto",
        "template_updates": True,
    }
    assert render(kind="mcp").answers["docker"] is True
    assert render(kind="library").answers["docker"] is False


@pytest.mark.quick
def test_only_the_questions_are_recorded(render: Renderer) -> None:
    """Computed values would grow stale in the answers file."""
    recorded = yaml.safe_load(render().text(".copier-answers.yml"))
    assert sorted(k for k in recorded if not k.startswith("_")) == sorted(ASKED)


# ---- The folder's name names the project -----------------------------------------------------------------------------

NAMES = [
    "demo",
    "123-api",
    "my.svc",
    "class",
    "Ünïcode",
    "json",
]
MORE_NAMES = [
    "...",
    "-x",
    "😀",
    "日" * 85,
    "con",
    "tests",
    "pytest",
    "fastapi",
    "my great service",
    " spaces ",
    "---",
    "--help",
    "_",
    "__init__",
    "日本語",
    "مشروع",
    "x" * 255,
    "42",
    "1e3",
    "null",
    "no",
    "a&b",
    "{{ x }}",
    "{% raw %}",
    "$(id)",
    "`id`",
    "quote\"s'",
    "back\\slash",
    "tab\there",
    "line\nbreak",
    "Straße",
    "İstanbul",
    "e\u0301te\u0301",
    "~",
    "a:b",
    "#1",
]


VALIDATE = Validator()


def assert_valid_project(folder: Path) -> dict[str, Any]:
    """Check what every rendered project must be able to say of itself; give its [project] table."""
    with (folder / "pyproject.toml").open("rb") as file:
        pyproject = tomllib.load(file)
    VALIDATE(pyproject)
    project: dict[str, Any] = pyproject["project"]
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text("utf-8"))
    package = answers["package_name"]
    assert package.isidentifier() and package.isascii() and package == package.lower()
    assert not keyword.iskeyword(package) and package not in sys.stdlib_module_names
    assert (folder / "src" / package / "__init__.py").is_file()
    assert project["name"] == canonicalize_name(package)
    Metadata.from_raw(
        {
            "metadata_version": "2.4",
            "name": project["name"],
            "version": "1",
            "summary": project["description"],
            "requires_python": project["requires-python"],
            "license_expression": project["license"],
        }
    )
    return project


@pytest.mark.skipif(sys.platform == "win32", reason="not legal names on Windows")
@pytest.mark.parametrize(
    "name",
    [*(pytest.param(name, marks=pytest.mark.quick) for name in NAMES), *MORE_NAMES],
)
def test_every_legal_folder_name_gives_a_valid_project(
    name: str, template: Path, tmp_path: Path
) -> None:
    """Without any answer, the folder's name is all there is."""
    run_copy(str(template), tmp_path / name, defaults=True, quiet=True)
    assert_valid_project(tmp_path / name)


@pytest.mark.parametrize("folder", ["work", "日本語"])
def test_into_the_current_folder(folder: str, template: Path, tmp_path: Path) -> None:
    """The destination may be a dot."""
    (tmp_path / folder).mkdir()
    done = copier("copy", "--defaults", str(template), ".", cwd=tmp_path / folder)
    assert done.returncode == 0, done.stderr
    assert_valid_project(tmp_path / folder)


# ---- Invalid answers -------------------------------------------------------------------------------------------------

# The answer, and what the message says is wrong or allowed.
INVALID: dict[str, list[tuple[str, str]]] = {
    "project_name": [
        ("", "type one like Weather Service"),
        ("   ", "no space"),
        ("x" * 101, "at most 100"),
        ("two\nlines", "one line"),
        ("carriage\rreturn", "one line"),
        ("bell\x07", "cannot be printed"),
        ("escape\x1b[31m", "cannot be printed"),
        ("turned\u202earound", "cannot be printed"),
        (" leading", "no space"),
        ("trailing\t", "no space"),
    ],
    "project_description": [
        ("", "type one sentence"),
        ("first\nsecond", "one line"),
        ("next\u0085line", "one line"),
        ("separated\u2028line", "one line"),
        ("x" * 501, "at most 500"),
        ("mark\ufeff", "cannot be printed"),
    ],
    "package_name": [
        ("", "a-z, 0-9 and _, a letter first"),
        ("Weather", "a-z, 0-9 and _, a letter first"),
        ("weather-service", "a-z, 0-9 and _, a letter first"),
        ("weather service", "a-z, 0-9 and _, a letter first"),
        ("weather.service", "a-z, 0-9 and _, a letter first"),
        ("1weather", "a letter first"),
        ("_weather", "a letter first"),
        ("weather_", "no _ last"),
        ("wetter_für_alle", "a-z, 0-9 and _, a letter first"),
        ("天気", "a-z, 0-9 and _, a letter first"),
        ("x" * 41, "at most 40"),
        ("class", "Python keyword"),
        ("match", "Python keyword"),
        ("json", "standard library"),
        ("tomllib", "standard library"),
        ("distutils", "standard library"),
        ("tests", "the project itself needs"),
        ("fastapi", "the project itself needs"),
        ("nul", "device on Windows"),
        ("good\n", "a-z, 0-9 and _, a letter first"),
    ],
    "github_user": [
        ("@acme", "no @"),
        ("https://github.com/acme", "no address"),
        ("acme/weather", "letters, digits, single hyphens"),
        ("-acme", "letters, digits, single hyphens"),
        ("acme-", "letters, digits, single hyphens"),
        ("ac--me", "single hyphens"),
        ("ac me", "letters, digits, single hyphens"),
        ("acmé", "letters, digits, single hyphens"),
        ("a" * 40, "at most 39"),
    ],
    "user_name": [
        ("x" * 101, "at most 100"),
        ("Ada\nLovelace", "one line"),
        (" Ada", "no space"),
    ],
    "user_email": [
        ("ada", "name@example.org"),
        ("ada@", "name@example.org"),
        ("@example.org", "name@example.org"),
        ("ada@example", "name@example.org"),
        ("ada lovelace@example.org", "name@example.org"),
        ("Ada <ada@example.org>", "name@example.org"),
        ("ada@example.org, b@example.org", "name@example.org"),
        ("a..b@example.org", "name@example.org"),
        ("ada@example..org", "name@example.org"),
    ],
    "license": [("GPL", "'MIT'"), ("mit", "'Apache-2.0'"), ("", "'MIT'")],
    "kind": [("cli", "'library'"), ("Service", "'service'"), ("", "'mcp'")],
    "python_versions": [
        ("3.12", 'python_versions, not this one: type a list like ["3.11", "3.12"]'),
        ("", 'python_versions, not this one: type a list like ["3.11", "3.12"]'),
        ("[]", "choose at least one Python"),
        ("[3.9]", "'3.10'"),
        ("[3.12, 3.99]", "'3.10'"),
        ("[2.7, 3.12]", "'3.10'"),
    ],
    "pypi": [
        ("maybe", "type yes or no"),
        ("nope", "type yes or no"),
        ("2", "type yes or no"),
    ],
    "docker": [("maybe", "type yes or no")],
    "coverage_threshold": [
        ("-1", "0 to 100"),
        ("101", "0 to 100"),
        ("90%", "0 to 100"),
        ("89.5", "0 to 100"),
        ("all", "0 to 100"),
        ("", "0 to 100"),
    ],
    "codecov": [("later", "type yes or no")],
    "pull_request_matrix": [("none", "'lean'"), ("", "'auto'")],
    "template_updates": [("weekly", "type yes or no")],
}


@pytest.mark.quick
def test_enough_invalid_answers_are_tried() -> None:
    """Each question has some, and there are forty at least."""
    assert set(INVALID) == set(QUESTIONS)
    assert sum(map(len, INVALID.values())) >= 40


CASES = [
    (name, answer, allowed) for name in INVALID for answer, allowed in INVALID[name]
]


@pytest.mark.quick
@pytest.mark.parametrize(("name", "answer", "allowed"), CASES)
def test_an_invalid_answer_is_refused(
    name: str, answer: str, allowed: str, template: Path, tmp_path: Path
) -> None:
    """The message names the question and what is allowed, and nothing is rendered."""
    folder = tmp_path / "project"
    with pytest.raises(ValueError, match=re.escape(allowed)) as refusal:
        run_copy(str(template), folder, data={name: answer}, defaults=True, quiet=True)
    assert name in str(refusal.value)
    assert not folder.exists()


@pytest.mark.quick
@pytest.mark.parametrize("name", ["knd", "distribution_name", "entry_module"])
def test_an_answer_to_no_question_is_refused(
    name: str, template: Path, tmp_path: Path
) -> None:
    """A misspelt name would change nothing, that of a computed value would get past its rule."""
    with pytest.raises(ValueError, match=f"no question is called {name}") as refusal:
        run_copy(
            str(template), tmp_path / "x", data={name: "x"}, defaults=True, quiet=True
        )
    assert all(question in str(refusal.value) for question in QUESTIONS)
    assert not (tmp_path / "x").exists()


def refusal(name: str, answer: str, template: Path, destination: Path) -> str:
    """Give what the command line prints, behind Copier's traceback, about an answer which it must refuse."""
    done = copier(
        "copy",
        "--defaults",
        f"--data={name}={answer}",
        str(template),
        str(destination),
        env={"NO_COLOR": "1"},
    )
    assert done.returncode != 0, f"{name}={answer!r} is taken"
    return done.stderr.rpartition("Error: ")[2]


@pytest.mark.parametrize(("name", "answer", "allowed"), CASES)
def test_an_invalid_answer_is_refused_on_the_command_line(
    name: str, answer: str, allowed: str, template: Path, tmp_path: Path
) -> None:
    """So it is with --data, and the exit status says so."""
    message = refusal(name, answer, template, tmp_path / "project")
    assert name in message and allowed in message
    assert not (tmp_path / "project").exists()


def test_a_refusal_that_never_comes_is_noticed(template: Path, tmp_path: Path) -> None:
    """A valid answer fails the check above."""
    with pytest.raises(AssertionError, match="is taken"):
        refusal("user_name", "Ada", template, tmp_path / "project")


VALID = {
    "project_name": ["x", "x" * 100, "{{ project_name }}", "a & b: #1"],
    "package_name": ["a", "x" * 40, "a1", "a_b_c"],
    "github_user": ["a", "a" * 39, "Acme-Corp", "octo_corp", "0x"],
    "user_email": ["a+b@example.org", "1@xn--bcher-kva.example", "a.b@sub.example.org"],
    "pypi": ["yes", "no", "true", "false", "y", "N", "1", "0", "on", "off"],
    "coverage_threshold": ["0", "100"],
    "python_versions": ["[3.10]", '["3.15", "3.10"]', "[3.10, 3.11, 3.12, 3.13, 3.14]"],
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        # A render each takes time: one of each question belongs to the quick layer.
        pytest.param(name, answer, marks=[pytest.mark.quick] * (i == 0))
        for name, valid in VALID.items()
        for i, answer in enumerate(valid)
    ],
)
def test_a_valid_answer_is_taken(
    name: str, answer: str, template: Path, tmp_path: Path
) -> None:
    """The checks refuse nothing that works."""
    # As --data gives it: text, whatever the question's type.
    folder = tmp_path / "project"
    run_copy(str(template), folder, data={name: answer}, defaults=True, quiet=True)
    assert_valid_project(folder)


@pytest.mark.quick
def test_a_data_file_gives_typed_answers(template: Path, tmp_path: Path) -> None:
    """Numbers, switches and lists need not be text."""
    data = {"coverage_threshold": 75, "pypi": False, "python_versions": ["3.13"]}
    worker = run_copy(
        str(template), tmp_path / "project", data=data, defaults=True, quiet=True
    )
    assert {name: worker.answers.combined[name] for name in data} == data


# ---- Names of the standard library -----------------------------------------------------------------------------------


@pytest.mark.quick
@pytest.mark.parametrize("version", PYTHONS)
def test_no_name_of_the_standard_library_is_missing(version: str) -> None:
    """The list in extensions/naming.jinja knows every module of every Python that can be had."""
    if not (python := interpreter(version)):
        unproven(f"Python {version}: no interpreter is found on this machine")
    names = json.loads(
        run(
            [
                python,
                "-c",
                "import sys, json; print(json.dumps([*sys.stdlib_module_names]))",
            ]
        ).stdout
    )
    # Packages begin with a letter, and on Windows and macOS folders differ by more than case.
    public = {name.lower() for name in names if not name.startswith("_")}
    assert public <= set(macros("naming").STANDARD_LIBRARY)


@pytest.mark.quick
@pytest.mark.parametrize("version", PYTHONS)
def test_no_keyword_is_missing(version: str) -> None:
    """And every keyword."""
    if not (python := interpreter(version)):
        unproven(f"Python {version}: no interpreter is found on this machine")
    code = (
        "import json, keyword; print(json.dumps(keyword.kwlist + keyword.softkwlist))"
    )
    names = {name.lower() for name in json.loads(run([python, "-c", code]).stdout)}
    assert names - {"_"} <= set(macros("naming").KEYWORDS)


# ---- Trust -----------------------------------------------------------------------------------------------------------

# What makes Copier ask for --trust: https://copier.readthedocs.io/en/stable/configuring/#unsafe
UNSAFE = {"_tasks", "_migrations", "_jinja_extensions", "_external_data"}
WITHOUT_TRUST = 4  # Copier's exit status for a template that would need it


def copy_without_trust(template: Path, destination: Path) -> int:
    """Give Copier's exit status on the command line, without --trust."""
    return copier("copy", "--defaults", str(template), str(destination)).returncode


@pytest.mark.quick
def test_no_trust_is_asked_for(template: Path, tmp_path: Path) -> None:
    """Copier renders without --trust."""
    assert not UNSAFE & CONFIG.keys()
    assert copy_without_trust(template, tmp_path / "project") == 0


@pytest.mark.parametrize(
    "addition",
    ["_tasks: [echo]", "_jinja_extensions: [jinja2.ext.do]"],
)
def test_a_template_that_needs_trust_is_noticed(addition: str, tmp_path: Path) -> None:
    """Both checks above see a template that would run code."""
    template = copy_template(tmp_path / "template")
    with (template / "copier.yml").open("a", encoding="utf-8") as config:
        config.write(f"\n{addition}\n")
    assert UNSAFE & yaml.safe_load((template / "copier.yml").read_text("utf-8")).keys()
    assert copy_without_trust(template, tmp_path / "project") == WITHOUT_TRUST


def test_an_update_needs_no_trust_either(tmp_path: Path) -> None:
    """Copier updates without --trust."""
    template = copy_template(tmp_path / "template")
    project = tmp_path / "project"
    commit = "git init -q . && git add -A && git commit -q -m Commit"
    run(["bash", "-c", f"{commit} && git tag v1"], cwd=template)
    assert copy_without_trust(template, project) == 0
    run(["bash", "-c", commit], cwd=project)
    (template / "template" / "socket.yml").write_text("# Changed\n", "utf-8")
    run(["bash", "-c", "git commit -q -a -m Change && git tag v2"], cwd=template)
    done = copier("update", "--defaults", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (project / "socket.yml").read_text("utf-8") == "# Changed\n"


def test_the_repository_itself_renders(tmp_path: Path) -> None:
    """From git as well, with what is not committed yet."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git repository")
    done = copier(
        "copy", "--defaults", "--vcs-ref=HEAD", str(ROOT), str(tmp_path / "project")
    )
    assert done.returncode == 0, done.stderr
    assert_valid_project(tmp_path / "project")


# ---- Failing loudly --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["README.md.jinja", "pyproject.toml.jinja"])
def test_a_misspelt_variable_fails_the_render(file: str, tmp_path: Path) -> None:
    """A typo never becomes an empty text."""
    template = copy_template(tmp_path / "template")
    with (template / "template" / file).open("a", encoding="utf-8") as source:
        source.write("{{ project_nmae }}\n")
    done = copier("copy", "--defaults", str(template), str(tmp_path / "project"))
    assert done.returncode != 0
    assert "'project_nmae' is undefined" in done.stderr


@pytest.mark.quick
def test_a_misspelt_variable_in_a_condition_fails_the_render(tmp_path: Path) -> None:
    """A typo never becomes a no."""
    template = copy_template(tmp_path / "template")
    with (template / "template" / "README.md.jinja").open(
        "a", encoding="utf-8"
    ) as file:
        file.write("{% if pipy %}published{% endif %}\n")
    done = copier("copy", "--defaults", str(template), str(tmp_path / "project"))
    assert done.returncode != 0
    assert "'pipy' is undefined" in done.stderr


@pytest.mark.quick
@pytest.mark.parametrize("unknown", ["knid", "oldest_python", "_exclude"])
def test_the_harness_refuses_unknown_answers(unknown: str, render: Renderer) -> None:
    """A test with a misspelt answer would test the default."""
    with pytest.raises(ValueError, match=f"no such question.*{unknown}"):
        render(**{unknown: "library"})


@pytest.mark.quick
def test_the_harness_runs_the_validators(render: Renderer) -> None:
    """A test cannot render what a user could not."""
    with pytest.raises(ValueError, match="github_user"):
        render(github_user="@acme")


# ---- The reports of this suite ---------------------------------------------------------------------------------------

NEEDS_A_TOOL = """
from harness import INSTALL, tool, unproven
INSTALL["no-such-tool"] = "apt install no-such-tool"
def test_needs_a_tool(): tool("no-such-tool")
def test_cannot_be_shown(): unproven("Python 9.9: no interpreter")
"""


def report(folder: Path, require_all: str) -> tuple[int, str]:
    """Run a suite of two tests, one without its tool and one that nothing can run, under this suite's conftest."""
    (folder / "test_sample.py").write_text(NEEDS_A_TOOL, "utf-8")
    tests = ROOT / "tests"
    paths = os.pathsep.join(
        str(tests / folder) for folder in (".", "pipeline", "updates")
    )
    done = run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs"),
            *("-c", os.devnull, f"--rootdir={folder}", "-p", "conftest"),
            str(folder / "test_sample.py"),
        ],
        cwd=folder,
        env={"REQUIRE_ALL": require_all, "PYTHONPATH": paths},
        check=False,
    )
    return done.returncode, done.stdout


def test_a_missing_tool_skips_with_the_cure(tmp_path: Path) -> None:
    """A skip says why and what to install."""
    status, output = report(tmp_path, require_all="")
    assert status == 0
    assert "no-such-tool is missing: apt install no-such-tool" in output


def test_a_missing_tool_fails_where_all_are_required_but_not_the_unproven(
    tmp_path: Path,
) -> None:
    """REQUIRE_ALL=1 lets no tool be missing; what cannot be had closes the report."""
    status, output = report(tmp_path, require_all="1")
    assert status == 1
    assert "1 failed, 1 skipped" in output
    assert "no-such-tool is missing: apt install no-such-tool" in output

    # What nothing can show here is no failure, but closes the report.
    assert "= Unproven here =" in output
    assert "\nPython 9.9: no interpreter\n" in output


GROUPED = """
import pytest
@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(8))
def test_together(number, worker_id): print("worker", worker_id)
"""


def test_grouped_tests_share_a_process(tmp_path: Path) -> None:
    """What is costly to prepare is prepared by one process: pytest and pytest-xdist fit together."""
    (tmp_path / "test_sample.py").write_text(GROUPED, "utf-8")
    command = f"-m pytest -c {os.devnull} --rootdir={tmp_path} -p no:cacheprovider"
    command += " -n 2 --dist=loadgroup -rP"
    done = run([sys.executable, *command.split()], cwd=tmp_path)
    assert len(set(re.findall(r"worker (gw\d)", done.stdout))) == 1
