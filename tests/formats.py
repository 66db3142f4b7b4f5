"""Reads rendered files, each by its format, into what they mean."""

import ast
import json
import re
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import dockerfile  # type: ignore[import-not-found]  # an extension module without stubs
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pathspec import PathSpec


# The loader in C is not there everywhere, and faster.
class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Refuses what PyYAML lets pass: a key that stands twice in one mapping."""


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise yaml.YAMLError(f"{node.start_mark}: the key {twice[0]} stands twice")
    return {
        key: loader.construct_object(value, deep=True)
        for key, (_, value) in zip(keys, node.value, strict=True)
    }


StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)

ERRORS: tuple[type[Exception], ...] = (yaml.YAMLError, dockerfile.GoParseError)

# As GitHub and PyPI read Markdown: CommonMark with tables and strikethrough.
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def read_yaml(text: str) -> list[Any]:
    """Give every document of a YAML file."""
    return list(yaml.load_all(text, StrictLoader))


def read_python(text: str) -> list[Any]:
    """Give the syntax tree, as nested lists, of Python that 3.10 can read."""
    tree = ast.parse(text, feature_version=(3, 10))
    compile(tree, "rendered", "exec")
    return [
        [type(node).__name__, node.value if isinstance(node, ast.Constant) else None]
        for node in ast.walk(tree)
    ]


def inline(token: Token) -> list[Any]:
    """Give a line of Markdown as pairs of kind and content; plain text is one pair."""
    parts: list[Any] = []
    for child in token.children or []:
        if child.type == "text" and parts and parts[-1][0] == "text":
            parts[-1][1] += child.content
        elif child.type != "text" or child.content:
            target = child.attrs.get("href", "")
            parts.append([child.type, child.content, target])
    return parts


def read_markdown(text: str) -> list[Any]:
    """Give what Markdown shows: each block's kind and content."""
    return [
        [token.type, token.tag, inline(token) if token.children else token.content]
        for token in MARKDOWN.parse(text)
    ]


def unquoted(word: str) -> str:
    """Give what a double-quoted word of a Dockerfile means, by the rules of BuildKit's shell/lex.go.

    A backslash takes the meaning from a following quote, dollar sign or backslash and else stands for itself.
    Variables are refused: text that contains one would depend on the build.
    """
    if not word.startswith('"'):
        return word
    means = ""
    rest = word[1:]
    while rest:
        if (match := re.match(r'\\(["$\\])', rest)) is not None:
            means += match[1]
            rest = rest[2:]
        elif rest[0] == '"':
            if rest != '"':
                raise ValueError(f"text behind the closing quote of {word}")
            return means
        elif rest[0] == "$":
            raise ValueError(f"a variable in {word}")
        else:
            means += rest[0]
            rest = rest[1:]
    raise ValueError(f"no closing quote in {word}")


INSTRUCTIONS = set(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL RUN SHELL STOPSIGNAL USER VOLUME WORKDIR".split()  # noqa: SIM905
)


def read_dockerfile(text: str) -> list[Any]:
    """Give the instructions of a Dockerfile; labels unquoted, except those that are told by a build argument."""
    commands = dockerfile.parse_string(text)
    # The parser splits lines, and leaves it to the builder to know the words.
    if unknown := {c.cmd for c in commands} - INSTRUCTIONS:
        raise ValueError(f"no instructions of a Dockerfile: {unknown}")
    return [
        [
            command.cmd,
            [
                unquoted(w) if command.cmd == "LABEL" and "${VERSION}" not in w else w
                for w in command.value
            ],
        ]
        for command in commands
    ]


def labels(text: str) -> dict[str, str]:
    """Give the labels that a Dockerfile sets."""
    words = [w for cmd, value in read_dockerfile(text) if cmd == "LABEL" for w in value]
    return dict(zip(words[::2], words[1::2], strict=True))


def read_ignore_file(text: str) -> list[Any]:
    """Give the lines of a .gitignore or .dockerignore, each a pattern that git can read."""
    PathSpec.from_lines("gitignore", text.splitlines())
    return [text]


def read_sections(text: str) -> list[Any]:
    """Give an .editorconfig, whose lines are comments, [sections] and settings."""
    for line in text.splitlines():
        if not re.fullmatch(r"|[#;].*|\[.+\]|[a-z_]+ = \S+", line):
            raise ValueError(f"no section and no setting: {line}")
    return [text]


def read_lines(text: str) -> list[Any]:
    """Give a file without a grammar that could be broken."""
    return [text]


READERS: dict[str, Callable[[str], Any]] = {
    "*.toml": tomllib.loads,
    "*.yml": read_yaml,
    "*.yaml": read_yaml,
    "*.json": json.loads,
    "*.py": read_python,
    "*.md": read_markdown,
    "Dockerfile": read_dockerfile,
    ".gitignore": read_ignore_file,
    ".dockerignore": read_ignore_file,
    ".editorconfig": read_sections,
    ".gitattributes": read_lines,
    ".gitleaksignore": read_lines,
    ".python-version": read_lines,
    "CODEOWNERS": read_lines,
    "LICENSE": read_lines,
    "MANIFEST.in": read_lines,
    "py.typed": read_lines,
}


def read(name: str, text: str) -> Any:
    """Give what a file means, read by its format; a format that is not listed is an error.

    Args:
        name: The file's path inside the project.
        text: What stands in it.
    """
    for pattern, reader in READERS.items():
        if PurePosixPath(name).match(pattern):
            return reader(text)
    raise LookupError(f"{name}: tests/formats.py does not know how to read it")
