"""What is rendered: for all pairs of answers, every file, and what each answer brings and takes."""

import functools
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import formats
import pytest
from allpairspy import AllPairs  # type: ignore[import-untyped]
from copier import run_copy
from harness import (
    CONFIG,
    PROJECT_NAME,
    PYTHONS,
    QUESTIONS,
    Project,
    Renderer,
    copier,
    run,
    tool,
)
from validate_pyproject.api import Validator

# With pytest-xdist, one process renders the pairs for this module and for test_tools.py.
pytestmark = pytest.mark.xdist_group("pairs")

# ---- All pairs of answers --------------------------------------------------------------------------------------------

ANSWERS: dict[str, list[Any]] = {
    "kind": ["service", "mcp", "library"],
    "python_versions": [
        ["3.10", "3.11", "3.12"],
        ["3.10"],
        ["3.13"],
        ["3.13", "3.14", "3.15"],
        PYTHONS,
    ],
    "license": ["MIT", "Apache-2.0", "BSD-3-Clause", "proprietary"],
    "pull_request_matrix": ["auto", "full", "lean"],
    "coverage_threshold": [90, 0, 100],
    "project_name": [PROJECT_NAME, "Zebra & 馬 #1"],
    "github_user": ["", "acme"],
    "user_name": ["", "Ada O'Neill"],
    "user_email": ["", "ada@example.org"],
    "pypi": [True, False],
    "docker": [True, False],
    "codecov": [True, False],
    "template_updates": [True, False],
}
PAIRS: list[dict[str, Any]] = [
    dict(zip(ANSWERS, values, strict=True)) for values in AllPairs(ANSWERS.values())
]


def name_of(answers: dict[str, Any]) -> str:
    """Give a test's name for a set of answers: its number and kind."""
    return f"{PAIRS.index(answers)}-{answers['kind']}"


each_pair = pytest.mark.parametrize("answers", PAIRS, ids=name_of)


@pytest.mark.quick
def test_the_pairs_are_all_there() -> None:
    """Every two values of different questions meet in some set of answers."""
    names = list(ANSWERS)
    # A short description and a package name of one's own are in test_hostile and test_questions.
    assert {*names, "project_description", "package_name"} == set(QUESTIONS)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            wanted = [(a, b) for a in ANSWERS[first] for b in ANSWERS[second]]
            met = [(answers[first], answers[second]) for answers in PAIRS]
            assert all(pair in met for pair in wanted), (first, second)


# Most files are the same in most renders.
read_once = functools.cache(formats.read)


@pytest.mark.quick
@each_pair
def test_every_file_parses(answers: dict[str, Any], render: Renderer) -> None:
    """Each file is read by a parser of its format, and a format without one is an error."""
    project = render(**answers)
    for name in project.files:
        read_once(name, project.text(name))


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("a.toml", "x = "),
        ("a.yml", "a: [1"),
        ("a.yml", "a: 1\na: 2"),
        ("a.py", "def f(:"),
        ("a.py", "type X = int"),
        ("Dockerfile", "FORM a"),
        ("Dockerfile", 'FROM a\nLABEL x="$HOME"'),
        (".editorconfig", "indent"),
        ("a.unknown", "text"),
    ],
)
def test_a_file_that_does_not_parse_is_noticed(name: str, broken: str) -> None:
    """Each parser refuses what is broken."""
    with pytest.raises((ValueError, SyntaxError, LookupError, *formats.ERRORS)):
        formats.read(name, broken)


@pytest.mark.quick
@each_pair
def test_the_metadata_says_what_was_answered(
    answers: dict[str, Any], render: Renderer
) -> None:
    """pyproject.toml is valid and each answer is found where it belongs."""
    project = render(**answers)
    pyproject = tomllib.loads(project.text("pyproject.toml"))
    Validator()(pyproject)
    about = pyproject["project"]
    pythons: list[str] = answers["python_versions"]
    assert about["requires-python"] == f">={pythons[0]}"
    assert pythons == [
        line.rsplit(" :: ", 1)[1]
        for line in about["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
    ]
    assert ("Private :: Do Not Upload" in about["classifiers"]) is not answers["pypi"]
    assert about["classifiers"] == sorted(about["classifiers"])
    author = {
        key: answers[f"user_{key}"]
        for key in ("name", "email")
        if answers[f"user_{key}"]
    }
    assert about.get("authors", []) == ([author] if author else [])
    proprietary = answers["license"] == "proprietary"
    spdx = "LicenseRef-Proprietary" if proprietary else answers["license"]
    assert about["license"] == spdx
    assert pyproject["tool"]["pipeline"] == {
        "kind": answers["kind"],
        "pull-request-matrix": answers["pull_request_matrix"],
    }
    threshold = pyproject["tool"]["coverage"]["report"]["fail_under"]
    assert threshold == answers["coverage_threshold"]
    assert pyproject["tool"]["mypy"]["python_version"] == pythons[0]
    assert project.text(".python-version").strip() in {pythons[-1], "3.12"}
    home = f"https://github.com/acme/{about['name']}"
    urls = about.get("urls", {})
    if answers["github_user"]:
        assert urls["Homepage"] == home
        assert all(url.startswith(home) for url in urls.values())
    else:
        assert not urls


LICENCES = {
    "MIT": "Permission is hereby granted, free of charge",
    "Apache-2.0": "Version 2.0, January 2004",
    "BSD-3-Clause": "Redistribution and use in source and binary forms",
    "proprietary": "All rights reserved",
}


@pytest.mark.parametrize(
    "user", [pytest.param("", marks=pytest.mark.quick), "Ada O'Neill"]
)
@pytest.mark.parametrize("licence", LICENCES)
def test_the_licence_is_whole_and_names_its_holder(
    licence: str, user: str, render: Renderer
) -> None:
    """The full text, a holder where it names one, and no year."""
    text = render(license=licence, user_name=user).text("LICENSE")
    assert LICENCES[licence].lower() in text.lower()
    if licence != "Apache-2.0":  # whose text names nobody
        assert (user or f"the {PROJECT_NAME} authors") in text
        assert not re.search(r"\b20\d\d\b", text)
    assert text.endswith("\n") and not text.endswith("\n\n")


# ---- Which answer brings which file ----------------------------------------------------------------------------------

ALWAYS = set(
    """
.copier-answers.yml .editorconfig .gitattributes .gitignore .gitleaks.toml .gitleaksignore .pre-commit-config.yaml
.python-version .trivyignore.yaml LICENSE MANIFEST.in README.md pyproject.toml socket.yml trivy.yaml
CONTRIBUTING.md SECURITY.md
docs/care.md docs/costs.md docs/pipeline.md docs/releasing.md docs/setup.md docs/troubleshooting.md docs/workflows.md
.github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/config.yml .github/ISSUE_TEMPLATE/feature.yml
.github/dependabot.yml .github/pull_request_template.md
.github/workflows/build.yml .github/workflows/coverage.yml .github/workflows/gitleaks.yml
.github/workflows/ossf-scorecard.yml .github/workflows/pre-commit.yml .github/workflows/release.yml
.github/workflows/semgrep.yml .github/workflows/tests.yml .github/workflows/trivy.yml
scripts/coverage_summary.py scripts/plan.py scripts/release.py scripts/setup_github.py
scripts/update_from_template.py
scripts/verify_production_ready.py
src/PACKAGE/__init__.py src/PACKAGE/__main__.py src/PACKAGE/py.typed
""".split()  # noqa: SIM905 (a table is read at one look)
)

BY_ANSWER = {
    ("kind", "service"): """
        scripts/test_server.py src/PACKAGE/app.py src/PACKAGE/server.py src/PACKAGE/settings.py
        tests/test_app.py tests/test_command.py tests/test_settings.py""",
    ("kind", "mcp"): """
        scripts/test_server.py src/PACKAGE/mcp_server.py tests/test_mcp_server.py""",
    ("kind", "library"): """
        src/PACKAGE/cli.py src/PACKAGE/sizes.py tests/test_cli.py tests/test_sizes.py""",
    ("pypi", True): ".github/workflows/publish.yml",
    (
        "docker",
        True,
    ): ".github/workflows/docker.yml Dockerfile .dockerignore scripts/image.py",
    ("codecov", True): "codecov.yml",
    ("github_user", "acme"): ".github/CODEOWNERS",
    ("template_updates", True): ".github/workflows/template-update.yml",
}


@pytest.mark.quick
@each_pair
def test_answers_bring_and_take_exactly_these_files(
    answers: dict[str, Any], render: Renderer
) -> None:
    """The files are those of the table, no more and no fewer."""
    project = render(**answers)
    expected = set(ALWAYS)
    for (question, value), names in BY_ANSWER.items():
        if answers[question] == value:
            expected.update(names.split())
    package = project.answers["package_name"]
    assert set(project.files) == {name.replace("PACKAGE", package) for name in expected}


@pytest.mark.quick
@each_pair
def test_workflows_do_not_depend_on_answers(
    answers: dict[str, Any], template: Path, render: Renderer
) -> None:
    """A workflow is there or not; its bytes are the template's."""
    project = render(**answers)
    for name, path in project.files.items():
        if name.startswith(".github/workflows/"):
            assert path.read_bytes() == (template / "template" / name).read_bytes()


# ---- The same answers give the same bytes ----------------------------------------------------------------------------


@pytest.mark.quick
def test_two_renders_give_the_same_bytes(render: Renderer) -> None:
    """A second render into another folder repeats the first."""
    for answers in PAIRS[:2]:
        assert render.again(**answers).bytes() == render(**answers).bytes()


def test_the_oldest_copier_gives_the_same_bytes(
    render: Renderer, template: Path, tmp_path: Path
) -> None:
    """The version that copier.yml asks for at least is enough."""
    oldest = f"copier@{CONFIG['_min_copier_version']}"
    options = ("--quiet", "--defaults", f"--data=project_name={PROJECT_NAME}")
    folder = tmp_path / "project"
    run([tool("uvx"), oldest, "copy", *options, str(template), str(folder)])
    assert Project(folder, {}).bytes() == render().bytes()


# ---- What must not be in a project -----------------------------------------------------------------------------------

JINJA = re.compile(r"(?<!\$)\{\{(?! ?\w+[:!\]}])|\{%|\{#(?![0-9a-fA-F])")


@pytest.mark.quick
@each_pair
def test_no_jinja_is_left(answers: dict[str, Any], render: Renderer) -> None:
    """Neither in names nor in files; GitHub's own expressions are none."""
    project = render(**answers)
    for name in project.files:
        assert not re.search(r"\{|\}|\.jinja$", name)
        if name not in SPEAKS_OF_JINJA:
            assert not JINJA.search(project.text(name)), name


# Looks for what a render left behind, and so names it.
SPEAKS_OF_JINJA = {"scripts/verify_production_ready.py"}


@pytest.mark.quick
@each_pair
def test_file_names_work_everywhere(answers: dict[str, Any], render: Renderer) -> None:
    """Windows can clone: no reserved name or character, and no two that differ by case alone."""
    project = render(**answers)
    reserved = re.compile(
        r'(?i)[<>:"\\|?*\x00-\x1f]|(^|/)(con|aux|nul|prn)(\.|/|$)|[. ](/|$)'
    )
    for name in project.files:
        assert name.isascii() and not reserved.search(name)
    assert len({name.lower() for name in project.files}) == len(project.files)


REPOSITORY = "zebra-quartz"


@pytest.mark.parametrize(
    "kind", [pytest.param("service", marks=pytest.mark.quick), "mcp", "library"]
)
def test_without_a_github_user_no_repository_is_named(
    kind: str, render: Renderer
) -> None:
    """No address of the project's own, not even one with a hole where the user belongs."""
    everything = {"package_name": "zebra_quartz", "docker": True, "codecov": True}
    own = re.compile(rf"[\w./:@-]+/[\w.-]*/{REPOSITORY}\b|github\.com//|ghcr\.io//")
    found = {}
    for user in ("", "acme"):
        project = render(**everything, kind=kind, github_user=user)
        found[user] = [name for name in project.files if own.search(project.text(name))]
    assert found[""] == []
    # With a user there is something to be found.
    assert {"pyproject.toml", "Dockerfile"} <= set(found["acme"])


@pytest.mark.quick
@each_pair
def test_links_lead_to_files_that_are_there(
    answers: dict[str, Any], render: Renderer
) -> None:
    """A relative link in Markdown names a file of this render."""
    project = render(**answers)
    for name, path in project.files.items():
        if path.suffix == ".md":
            for target in links(project.text(name)):
                assert (path.parent / target).exists(), f"{name} links to {target}"


def links(text: str) -> list[str]:
    """Give the files that a Markdown text links to, without the web's addresses and headings."""
    tokens = [
        child
        for token in formats.MARKDOWN.parse(text)
        for child in token.children or []
    ]
    targets = [str(t.attrs.get("href") or t.attrs.get("src") or "") for t in tokens]
    files = [
        unquote(target.partition("#")[0]) for target in targets if ":" not in target
    ]
    return [file for file in files if file]


@pytest.mark.quick
def test_a_link_is_noticed() -> None:
    """The reader of links finds files and leaves the rest."""
    text = "[a](docs/a.md#b) ![c](d.svg) [e](https://example.org) [f](#g)"
    assert links(text) == ["docs/a.md", "d.svg"]


# ---- A folder that is not empty --------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unasked(template: Path, tmp_path: Path) -> None:
    """Where a file of the same name exists, Copier asks; without anybody to answer it stops."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "README.md").write_text("mine\n", "utf-8")
    (folder / "notes.txt").write_text("mine too\n", "utf-8")
    done = copier("copy", "--defaults", str(template), str(folder))
    assert "conflict" in done.stderr and "README.md" in done.stderr
    assert done.returncode != 0
    assert (folder / "README.md").read_text("utf-8") == "mine\n"
    assert (folder / "notes.txt").read_text("utf-8") == "mine too\n"


@pytest.mark.quick
def test_asked_to_skip_copier_keeps_what_is_there(
    template: Path, tmp_path: Path
) -> None:
    """Told to keep a file, Copier renders the rest is rendered beside the user's own files."""
    (tmp_path / "README.md").write_text("mine\n", "utf-8")
    run_copy(
        str(template), tmp_path, defaults=True, quiet=True, skip_if_exists=["README.md"]
    )
    assert (tmp_path / "README.md").read_text("utf-8") == "mine\n"
    assert (tmp_path / "pyproject.toml").exists()
