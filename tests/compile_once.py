"""A pytest plugin: Jinja compiles each text once in a process.

Each render by Copier makes an environment of its own and has it compile hundreds of small texts, the same in every render;
most of the time of an update that runs in this process went there. What is compiled does not change by it.
"""

from __future__ import annotations

from typing import Any

import jinja2

# What decides, beside the text, what an environment makes of it.
SETTINGS = (
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "line_statement_prefix",
    "line_comment_prefix",
    "trim_blocks",
    "lstrip_blocks",
    "newline_sequence",
    "keep_trailing_newline",
    "optimized",
    "autoescape",
)

compile_anew: Any = jinja2.Environment.compile
_compiled: dict[Any, Any] = {}


def compile_once(
    self: jinja2.Environment,
    source: Any,
    name: str | None = None,
    filename: str | None = None,
    raw: bool = False,
    defer_init: bool = False,
) -> Any:
    """Give what an environment of these settings has made of a text before; see jinja2.Environment.compile.

    In a traceback a file may have the place that it had when it was compiled.
    """
    if not isinstance(source, str) or raw:
        return compile_anew(self, source, name, filename, raw, defer_init)
    settings = (getattr(self, setting) for setting in SETTINGS)
    key = (type(self), *sorted(self.extensions), *settings, name, source)
    if key not in _compiled:
        _compiled[key] = compile_anew(self, source, name, filename)
    return _compiled[key]


def pytest_configure() -> None:
    """Take the place of Jinja's own."""
    jinja2.Environment.compile = compile_once  # type: ignore[method-assign]
