"""Compares two versions of the template: what the newer one takes away from projects without the rule that keeps them whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from policy import DATA

FILE = DATA / "compatibility.toml"
FORMER = re.compile(r'FORMER_QUESTIONS = "([^"]*)"')


@dataclass(frozen=True)
class Allowed:
    """What may be so, since it is written down what takes its place."""

    retired: Mapping[str, str]
    defaults: Mapping[str, str]


def written_down() -> Allowed:
    """Read what was written down."""
    data = tomllib.loads(FILE.read_text("utf-8"))
    return Allowed(data["retired"], data["defaults"])


def rendered_files(sources: Path) -> set[str]:
    """Give the files that a version renders, by their place in a project, seed code left out."""
    folder = sources / "template"
    return {
        name.removesuffix(".jinja")
        for path in folder.rglob("*")
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith(
            ("src/", "tests/")
        )
    }


def questions(sources: Path) -> dict[str, dict[str, Any]]:
    """Give what a version asks, without the values that only follow from answers."""
    data = yaml.safe_load((sources / "copier.yml").read_text("utf-8"))
    return {
        name: described
        for name, described in data.items()
        if not name.startswith("_") and described.get("when", True) is not False
    }


def choices(question: Mapping[str, Any]) -> set[str]:
    """Give the values that a question offers, also those that a validator keeps from new projects."""
    offered = question.get("choices") or {}
    values = offered.values() if isinstance(offered, dict) else offered
    return {str(v["value"] if isinstance(v, dict) else v) for v in values}


def violations(old: Path, new: Path, allowed: Allowed) -> Iterator[str]:
    """Say what the newer version takes away without its rule."""
    for file in sorted(
        rendered_files(old) - rendered_files(new) - allowed.retired.keys()
    ):
        yield f"{file} is no longer rendered: keep its name, or write down under [retired] what takes its place"
    before, after = questions(old), questions(new)
    text = (new / "extensions/validation.jinja").read_text("utf-8")
    former = set(" ".join(FORMER.findall(text)).split())
    for name, question in before.items():
        if name in after:
            yield from changes(name, question, after[name], allowed)
            continue
        if name not in former:
            yield f"the question {name} is gone: put its name into FORMER_QUESTIONS, or updates fail"
        defaults = [str(q.get("default")) for q in after.values()]
        if not any(re.search(rf"\b{name}\b", default) for default in defaults):
            yield f"the question {name} is gone: let the default of another read its answer, or it is lost"


def changes(
    name: str, old: Mapping[str, Any], new: Mapping[str, Any], allowed: Allowed
) -> Iterator[str]:
    """Say what has become of a question that is still asked."""
    for dropped in sorted(choices(old) - choices(new)):
        yield f"{name} no longer offers {dropped}: keep it, with a validator for new projects, or the answer is reset"
    for key in ("type", "multiselect"):
        if old.get(key) != new.get(key):
            yield f"{name} has another {key}: answers would no longer fit"
    if old.get("default") != new.get("default") and name not in allowed.defaults:
        yield f"{name} has another default: write down under [defaults] what that means"
