"""Compares two versions of the template: what the newer one takes away from projects without the rule that keeps them whole."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.sandbox import SandboxedEnvironment
from packaging.version import Version
from pathspec import GitIgnoreSpec
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


def jobs(sources: Path) -> set[str]:
    """Give the jobs of a version's workflows, each as "file: id"."""
    return {
        f"{path.relative_to(sources / 'template').as_posix()}: {job}"
        for path in (sources / "template/.github/workflows").glob("*.yml")
        for job in yaml.safe_load(path.read_text("utf-8"))["jobs"]
    }


def floor_of(sources: Path) -> str:
    """Give the oldest Copier that a version takes."""
    data = yaml.safe_load((sources / "copier.yml").read_text("utf-8"))
    return str(data["_min_copier_version"])


def pinned_copier(sources: Path) -> str:
    """Give the Copier that the projects of a version update by; nothing where they have no script for it."""
    script = sources / "template/scripts/update_from_template.py"
    found = (
        re.search(r'"copier==([^"]+)"', script.read_text("utf-8"))
        if script.exists()
        else None
    )
    return found[1] if found else ""


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
    yield from excluded_files(old, new, allowed)
    there = jobs(new)
    for job in sorted(jobs(old) - there - allowed.retired.keys()):
        if any(other.startswith(job.partition(": ")[0]) for other in there):
            yield f"{job} is gone: keep the job's id, or write down under [retired] what takes its place"
    floor, pinned = floor_of(new), pinned_copier(old)
    if pinned and Version(floor) > Version(pinned):
        yield f"_min_copier_version is {floor}: projects update by the Copier {pinned} that their script names, so keep it within that"
    before, after = questions(old), questions(new)
    text = (new / "extensions/validation.jinja").read_text("utf-8")
    former = set(" ".join(FORMER.findall(text)).split())
    for name, question in before.items():
        if name in after:
            yield from changes(name, question, after[name], allowed)
            continue
        if name not in former:
            yield f"the question {name} is gone: put its name into FORMER_QUESTIONS, or updates fail"
        # What was asked before has an answer already, and its default is not looked at.
        defaults = [str(q.get("default")) for n, q in after.items() if n not in before]
        if not any(re.search(rf"\b{name}\b", default) for default in defaults):
            yield f"the question {name} is gone: let the default of another read its answer, or it is lost"


def excluded_files(old: Path, new: Path, allowed: Allowed) -> Iterator[str]:
    """Say which files the newer version has and no longer brings up to date in projects that had them, by their answers."""
    there = rendered_files(old) & rendered_files(new)
    told = set(allowed.retired)
    versions = [excluder(sources) for sources in (old, new)]
    for answers in answer_sets(questions(old)):
        was, now = (
            there - set(excluded(answers).match_files(there)) for excluded in versions
        )
        for file in sorted(was - now - told):
            told.add(file)
            where = " and ".join(f"{k} is {v}" for k, v in answers.items())
            yield (
                f"{file} is excluded where {where}: keep it up to date, or write down under [retired] what takes its "
                "place"
            )


def answer_sets(asked: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give answers to questions: each choice of each kind, all that can be switched on and off, with every text and none."""
    offers: dict[str, list[Any]] = {}
    for name, question in asked.items():
        if question.get("type") == "bool":
            offers[name] = [True, False]
        elif question.get("choices") and not question.get("multiselect"):
            offers[name] = sorted(choices(question))
        elif question.get("type") == "str" and not question.get("multiselect"):
            offers[name] = ["text", ""]
    # Each value beside the first of all others, and beside the last.
    ends = [{name: values[end] for name, values in offers.items()} for end in (0, -1)]
    return [
        base | {name: value}
        for base in ends
        for name, values in offers.items()
        for value in values
    ]


def excluder(sources: Path) -> Callable[[Mapping[str, Any]], GitIgnoreSpec]:
    """Give what tells which files a version keeps from an updated project, by its answers; to what is new it has none."""
    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(sources),
        extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"],
    )
    data = yaml.safe_load((sources / "copier.yml").read_text("utf-8"))
    patterns = environment.from_string("\n".join(data["_exclude"]))
    asked = questions(sources)
    defaults = {
        name: environment.from_string(str(question.get("default")))
        for name, question in asked.items()
    }

    def excluded(answers: Mapping[str, Any]) -> GitIgnoreSpec:
        given = {**answers, "_copier_operation": "update"}
        for name, question in asked.items():
            if name not in answers:
                text = defaults[name].render(given)
                given[name] = (
                    text if question["type"] == "str" else yaml.safe_load(text)
                )
        return GitIgnoreSpec.from_lines(patterns.render(given).splitlines())

    return excluded


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
