"""Hostile but legal text: it comes out of every file's format exactly as it went in."""

import random
import re
import shutil
import tomllib
import zipfile
from collections.abc import Iterator
from email.headerregistry import AddressHeader
from pathlib import Path
from typing import Any

import formats
import pytest
import yaml
from copier import run_copy
from harness import Project, Renderer, macros, run, tool
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2_ansible_filters.core_filters import (  # type: ignore[import-untyped]
    to_nice_yaml,
)
from packaging.metadata import Metadata
from packaging.utils import is_normalized_name

TEXT = macros("text")
NAMING = macros("naming")
VALIDATION = macros("validation")

# Each could end a string, begin markup, or be taken for something else by one of the formats.
NASTY = [
    *("'", '"', "'''", '"""', "\\", "\\\\", "\\n", "\\u0041", '\\"', "\\'", "`", "``"),
    *("\t", "  ", "\u00a0", "\u200b", "\u200d", "\u3000", "\ufe0f", "e\u0301", "\U000e0001"),
    *("😀", "👩‍💻", "🏳️‍🌈", "日本語", "שלום", "مرحبا", "\u200f", "ﷺ", "ß", "İ", "\U0001fffe", "�"),
    *("${{ github.token }}", "${{", "}}", "{{ project_name }}", "{{ 1 / 0 }}", "{% raw %}"),
    *("{% endraw %}", "{# note #}", "{%- if x -%}", "#}", "%}", "{", "}", "[", "]", "{}", "[[x]]"),
    *("#", " # note", ": ", "key: value", " :", ":smile:", "::", "- ", "* ", "+ ", "-", "--", "---"),
    *("*", "**bold**", "&", "&anchor", "*alias", "!", "!!python/none", "!tag", "@", "@user", "%", "%s"),
    *("no", "No", "null", "~", "1e3", "0x1F", "1_000", "010", "12:30", "2024-01-01", "true", ".inf", "="),
    *("$()", "$(id)", "`id`", "$HOME", "${HOME}", "${x:-y}", "$$", "$", "; ls", "&& ls", "| ls", "> x", "< x"),
    *("<b>", "</b>", "<script>alert(1)</script>", "<!--", "-->", "<?php ?>", "<![CDATA[", "<x@y.org>"),
    *("&amp;", "&copy;", "&copy", "&#35;", "&#x23;", "&nbsp;", "&;", "&#;"),
    *("[a](b)", "![a](b)", "![", "[a]: b", "[^1]", "[ ]", "[x]", "](", "https://x.org/a_b_c?d=e&f", "www.x.org"),
    *("_", "__init__", "_a_", "a_b", "__", "~~a~~", "~~~", "```", "    ", "|", "| a |", "|---|", ":--:", "$x$", "$$x$$"),
    *("1.", "1. a", "1) a", "0000000001. a", "123456789. a", "1234567890. a", "===", "# a", "####### a", "a #", "> a"),
    *("<<<<<<<", "=======", ">>>>>>>", "<<EOF", "EOF", "|-", ">-", "? a", "- a", "%YAML", "...", ",", "a,b", "\\ "),
]  # fmt: skip


def is_fit(text: str) -> bool:
    """Tell whether a project may be described like that: the template's own check decides."""
    return not str(VALIDATION.project_description(text))


# Neutral words between nasty ones, and any character that Unicode has.
pieces = st.one_of(
    st.sampled_from(NASTY),
    st.sampled_from([" ", "a", "B", "7", " a ", "é", "word", "\\", "_"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
fit_texts = (
    st.lists(pieces, min_size=1, max_size=10)
    .map(lambda parts: "".join(parts).strip()[:500].strip())
    .filter(is_fit)
)
any_texts = st.one_of(fit_texts, st.text(max_size=120))


def each_nasty(test: Any) -> Any:
    """Try every nasty text alone, at the beginning, inside and at the end, before the random ones."""
    for nasty in NASTY:
        for text in (nasty, f"{nasty}a", f"a{nasty}a", f"a {nasty} b", f"a {nasty}"):
            if is_fit(text):
                test = example(text)(test)
    return test


# ---- Escaping --------------------------------------------------------------------------------------------------------


@pytest.mark.quick
@each_nasty
@given(fit_texts)
def test_toml_reads_back_the_text(text: str) -> None:
    """As in pyproject.toml."""
    assert tomllib.loads(f"x = {TEXT.toml(text)}\ny = 1\n") == {"x": text, "y": 1}


@pytest.mark.quick
@each_nasty
@given(fit_texts)
def test_a_dockerfile_reads_back_the_text(text: str) -> None:
    """As in the image's labels."""
    quoted = TEXT.dockerfile(text)
    source = f'FROM a\nLABEL x={quoted} \\\n      y={quoted} \\\n      z="1"\nUSER b\n'
    assert formats.labels(source) == {"x": text, "y": text, "z": "1"}


PLACES = {
    "heading": ("# {}\n\nNext.\n", ["heading_open", "inline", "heading_close"]),
    "paragraph": ("{}\n\nNext.\n", ["paragraph_open", "inline", "paragraph_close"]),
    "last line": ("{}", ["paragraph_open", "inline", "paragraph_close"]),
    "list": (
        "- {}\n\nNext.\n",
        ["bullet_list_open", "list_item_open", "paragraph_open", "inline"],
    ),
}


@pytest.mark.quick
@pytest.mark.parametrize("place", PLACES)
@each_nasty
@given(fit_texts)
def test_markdown_shows_the_text(place: str, text: str) -> None:
    """As in the README and the manual."""
    source, kinds = PLACES[place]
    tokens = formats.MARKDOWN.parse(source.format(TEXT.markdown(text)))
    assert [token.type for token in tokens[: len(kinds)]] == kinds
    shown = next(token for token in tokens if token.type == "inline")
    assert formats.inline(shown) == [["text", text, ""]]


@pytest.mark.quick
@each_nasty
@given(fit_texts)
def test_markdown_shows_the_text_inside_a_sentence(text: str) -> None:
    """What stands before and behind it keeps its meaning too."""
    tokens = formats.MARKDOWN.parse(f"See {TEXT.markdown(text)}, **it** works.\n")
    (shown,) = (token for token in tokens if token.type == "inline")
    assert formats.inline(shown)[0] == ["text", f"See {text}, ", ""]


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "A tool (fast, small) - for C++ & Go: 100 % tested; what else? Nothing!",
        "Reads snake_case, e-mail@example.org and https://example.org/?a=b&c=d",
        'It\'s "quoted", costs 5 € + tax = 6 €',
        "Version 1.0 of 日本語",
    ],
)
def test_plain_text_stays_readable_in_markdown(text: str) -> None:
    """No backslash where none is needed."""
    assert TEXT.markdown(text) == text


@pytest.mark.quick
@each_nasty
@given(fit_texts)
def test_the_answers_file_reads_back_the_text(text: str) -> None:
    """As in .copier-answers.yml."""
    # The filter that the answers file is written with.
    assert yaml.safe_load(to_nice_yaml({"x": text, "y": 1})) == {"x": text, "y": 1}


@pytest.mark.quick
def test_a_text_that_is_not_escaped_is_noticed() -> None:
    """Each reader sees the difference that its macro is there to prevent."""
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads('x = "a"b"')
    for bad in ('"$x"', '"a"b"', '"a'):
        with pytest.raises(ValueError, match=r"variable|quote"):
            formats.unquoted(bad)
    assert formats.read_markdown("*a*\n") != formats.read_markdown("\\*a\\*\n")
    with pytest.raises(yaml.YAMLError, match="twice"):
        formats.read_yaml("a: 1\na: 2\n")


# ---- Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.quick
@example("1" * 40)
@example("x" * 31 + " y")
@example("json")
@example("1" + "_" * 50 + "a")
@example("9" * 32 + "_" * 9)
@example("Straße Ærø Þórr Łódź Đà Ĳ ŉ")
@given(any_texts)
def test_any_text_gives_a_package_name(text: str) -> None:
    """Valid, free, short enough, and the same when it is asked again."""
    slug = str(NAMING.package_slug(text))
    assert slug.isidentifier() and slug.isascii() and slug == slug.lower()
    assert not str(NAMING.why_taken(slug))
    assert not str(VALIDATION.package_name(slug))
    assert len(slug) <= 40
    assert str(NAMING.package_slug(slug)) == slug
    assert is_normalized_name(str(NAMING.distribution(slug)))


@pytest.mark.quick
@given(any_texts)
def test_any_folder_gives_a_project_name(folder: str) -> None:
    """The folder's own name where that is fit to be one."""
    name = str(NAMING.project_name_from(folder))
    assert not str(VALIDATION.project_name(name))
    assert name in (folder, "My Project")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Weather Service", "weather_service"),
        ("123-api", "project_123_api"),
        ("my.svc", "my_svc"),
        ("class", "class_project"),
        ("Ünïcode", "unicode"),
        ("json", "json_project"),
        ("Straße", "strasse"),
        ("Ærø", "aero"),
        ("日本語", "my_project"),
        ("C++", "c"),
        ("e\u0301te\u0301", "ete"),
        ("fastapi", "fastapi_project"),
    ],
)
def test_names_become_these_packages(name: str, package: str) -> None:
    """As people expect them."""
    assert str(NAMING.package_slug(name)) == package


@pytest.mark.quick
@given(st.from_regex(r"[a-z]([a-z0-9_]{0,38}[a-z0-9])?", fullmatch=True))
def test_a_package_name_that_is_taken_as_answer_has_a_normal_distribution(
    package: str,
) -> None:
    """PEP 503 leaves it as it is."""
    if not str(VALIDATION.package_name(package)):
        assert is_normalized_name(str(NAMING.distribution(package)))


# ---- Whole renders ---------------------------------------------------------------------------------------------------

# Harmless words at the places where the hostile ones go.
HARMLESS = {
    "project_name": "ZProjectZ",
    "project_description": "ZDescriptionZ",
    "user_name": "ZUserZ",
}
OTHER = {
    "package_name": "sample",
    "user_email": "ada@example.org",
    "github_user": "acme",
    "docker": True,
    "codecov": True,
}
LONGEST = {"project_name": 100, "project_description": 500, "user_name": 100}


def hostile_answers(seed: int) -> dict[str, Any]:
    """Give a set of answers with three hostile texts; the same seed gives the same ones."""
    dice = random.Random(seed)  # noqa: S311 (nothing here is secret)

    def text(longest: int) -> str:
        words = dice.choices(NASTY, k=dice.choice([1, 1, 2, 3, 5, 40]))
        glue = dice.choice(["", " ", " x "])
        return glue.join(words)[:longest].strip()

    def fit(longest: int) -> Iterator[str]:
        while True:
            if is_fit(found := text(longest)):
                yield found

    # Every nasty text stands alone once; further seeds mix them.
    alone = NASTY[seed].strip() if seed < len(NASTY) else ""
    texts = {
        name: alone if is_fit(alone) else next(fit(longest))
        for name, longest in LONGEST.items()
    }
    return {
        **OTHER,
        **texts,
        "kind": dice.choice(["service", "mcp", "library"]),
        "license": dice.choice(["MIT", "Apache-2.0", "BSD-3-Clause", "proprietary"]),
    }


def put(value: Any, texts: dict[str, str]) -> Any:
    """Give a nested value with the hostile texts in place of the harmless ones."""
    if isinstance(value, str):
        names = "|".join(HARMLESS.values())
        return re.sub(names, lambda found: texts[found[0]], value)
    if isinstance(value, dict):
        return {key: put(item, texts) for key, item in value.items()}
    if isinstance(value, list):
        return [put(item, texts) for item in value]
    return value


def assert_means_its_texts(
    hostile: Project, harmless: Project, answers: dict[str, Any]
) -> None:
    """Check every file of a hostile render against the harmless one: same meaning, other texts."""
    assert hostile.files.keys() == harmless.files.keys()
    texts = {HARMLESS[name]: answers[name] for name in HARMLESS}
    for name in hostile.files:
        expected, found = harmless.text(name), hostile.text(name)
        if expected != found:
            meaning = put(formats.read(name, expected), texts)
            assert formats.read(name, found) == meaning, name


@pytest.mark.parametrize(
    "seed",
    [pytest.param(s, marks=[pytest.mark.quick] * (s % 40 == 0)) for s in range(200)],
)
def test_a_hostile_render_means_its_texts(
    seed: int, template: Path, render: Renderer, tmp_path: Path
) -> None:
    """Every file of a whole project."""
    answers = hostile_answers(seed)
    run_copy(str(template), tmp_path / "x", data=answers, defaults=True, quiet=True)
    hostile = Project(tmp_path / "x", answers)
    assert_means_its_texts(hostile, render(**{**answers, **HARMLESS}), answers)

    # The same once more without the comparison, so that the places are named here.
    project = tomllib.loads(hostile.text("pyproject.toml"))["project"]
    assert project["description"] == answers["project_description"]
    assert [author["name"] for author in project["authors"]] == [answers["user_name"]]
    recorded = yaml.safe_load(hostile.text(".copier-answers.yml"))
    assert {name: recorded[name] for name in HARMLESS} == {
        name: answers[name] for name in HARMLESS
    }
    heading, first, *_ = (
        formats.inline(token)
        for token in formats.MARKDOWN.parse(hostile.text("README.md"))
        if token.type == "inline"
    )
    assert heading == [["text", answers["project_name"], ""]]
    assert first == [["text", answers["project_description"], ""]]
    labels = formats.labels(hostile.text("Dockerfile"))
    image = "org.opencontainers.image."
    assert labels[f"{image}title"] == answers["project_name"]
    assert labels[f"{image}description"] == answers["project_description"]
    if answers["license"] in ("MIT", "BSD-3-Clause"):
        assert f" {answers['user_name']}\n" in hostile.text("LICENSE")
    shutil.rmtree(hostile.path)


@pytest.mark.quick
def test_an_altered_text_is_noticed(render: Renderer, tmp_path: Path) -> None:
    """A README that was not escaped fails the comparison."""
    harmless = render(**OTHER, **HARMLESS)
    answers = {**OTHER, **HARMLESS, "project_description": "a*b*"}
    shutil.copytree(harmless.path, tmp_path / "x")
    readme = tmp_path / "x" / "README.md"
    text = harmless.text("README.md").replace("ZDescriptionZ", "a*b*")
    readme.write_text(text, "utf-8")
    with pytest.raises(AssertionError, match=r"README\.md"):
        assert_means_its_texts(Project(tmp_path / "x", answers), harmless, answers)


# ---- Metadata of what is built ---------------------------------------------------------------------------------------

BUILT = [
    {
        "project_description": "Quotes ' \" ''' \"\"\" and back\\slashes\\",
        "user_name": 'Ada "the first" O\'Neill, Esq.',
    },
    {
        "project_description": "😀 日本語 שלום ${{ github.token }} {{ x }} {% y %} {# z #}",
        "user_name": "Ünïcode 日本語 😀",
    },
    {
        "project_description": "no: - *a &b !c @d %e # f\ttabbed <b>bold</b> &copy; [x](y)",
        "user_name": "back\\slash <b> (note) @x; y: z",
    },
    {
        "project_description": "$(id) `id` $HOME && ls > x; null 1e3 --- === ~~~ |",
        "user_name": "null",
    },
    {"project_description": "long 😀\\ " * 62 + "end", "user_name": "x" * 100},
]


@pytest.mark.parametrize("texts", BUILT)
def test_the_built_metadata_holds_the_text(
    texts: dict[str, str], render: Renderer, tmp_path: Path
) -> None:
    """What package indexes will show."""
    project = render(**OTHER, **texts, kind="library", project_name="a *b* # `c`")
    folder = shutil.copytree(project.path, tmp_path / "project")
    run(
        [tool("uv"), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path)],
        cwd=folder,
        env={"SETUPTOOLS_SCM_PRETEND_VERSION": "1.0"},
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        found = Metadata.from_email(archive.read("sample-1.0.dist-info/METADATA"))
    assert found.summary == texts["project_description"]
    assert found.description == project.text("README.md")
    header: dict[str, Any] = {"defects": []}
    AddressHeader.parse(found.author_email or "", header)
    ((author,),) = (group.addresses for group in header["groups"])
    assert author.display_name == texts["user_name"]
    assert author.addr_spec == "ada@example.org"
