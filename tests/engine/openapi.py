"""GitHub's own description of its REST API, to hold the fake one to."""

from __future__ import annotations

import functools
import json
import re
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from harness import cache_folder, run, tool
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

# GitHub publishes the description in a repository; Octokit puts it into an npm package.
PACKAGE = "@octokit/openapi@23.0.2"
FILE = "package/generated/api.github.com.json"
BASE = "urn:github"


class Contradiction(Exception):
    """A request or an answer is not as GitHub describes it; says how."""


@dataclass(frozen=True)
class Operation:
    """What GitHub describes for one method of one path."""

    path: str
    method: str
    description: dict[str, Any]


def npm_file(package: str, file: str) -> Path:
    """Give a file of an npm package, fetched once into a cache outside this repository."""
    place = cache_folder() / package.rpartition("/")[2] / Path(file).name
    with FileLock(f"{place.parent}.lock"):
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            with tempfile.TemporaryDirectory() as folder:
                run([tool("npm"), "pack", "--silent", package], cwd=Path(folder))
                (archive,) = Path(folder).glob("*.tgz")
                with tarfile.open(archive) as packed:
                    packed.extract(file, folder, filter="data")
                shutil.move(Path(folder) / file, place)
    return place


@functools.cache
def description() -> dict[str, Any]:
    """Give the whole description."""
    found: dict[str, Any] = json.loads(npm_file(PACKAGE, FILE).read_text("utf-8"))
    return found


@functools.cache
def registry() -> Registry[Any]:
    """Give what resolves references inside the description."""
    resource = DRAFT4.create_resource(description())
    found: Registry[Any] = Registry().with_resource(BASE, resource)
    return found


@functools.cache
def templates() -> list[tuple[re.Pattern[str], str]]:
    """Give each described path with the pattern of what fits it; paths with fewer variables come first."""
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(pattern(path), path) for path in paths]


def pattern(path: str) -> re.Pattern[str]:
    """Give what fits a described path; a few of its variables may hold slashes."""
    methods = description()["paths"][path].values()
    described = [resolve(p) for method in methods for p in method.get("parameters", [])]
    long = {p["name"] for p in described if p.get("x-multi-segment")}

    def value(variable: re.Match[str]) -> str:
        return ".+" if variable[1] in long else "[^/]+"

    return re.compile(re.sub(r"\\{([\w-]+)\\}", value, re.escape(path)))


def operation(method: str, path: str) -> Operation:
    """Give what GitHub describes for a request; raises Contradiction where it describes no such thing."""
    for fitting, template in templates():
        found = description()["paths"][template].get(method.lower())
        if found and fitting.fullmatch(path):
            return Operation(template, method, found)
    raise Contradiction(f"GitHub's API has no {method} {path}")


def check_request(asked: Operation, body: Any) -> None:
    """Raise Contradiction where a request's body is not as described."""
    described = resolve(asked.description.get("requestBody"))
    if described is None:
        if body is not None:
            raise Contradiction(f"{asked.method} {asked.path} takes no body")
    elif body is not None or described.get("required"):
        compare(described["content"], body, f"the body of {asked.method} {asked.path}")


def check_answer(asked: Operation, status: int, body: Any) -> None:
    """Raise Contradiction where an answer's status or body is not as described."""
    answers = asked.description["responses"]
    if str(status) not in answers:
        # Any request may be refused, for want of rights or of sense, and that is not described for each.
        if status in (401, 403, 404, 422, 500):
            return
        raise Contradiction(f"{asked.method} {asked.path} never answers {status}")
    content = resolve(answers[str(status)]).get("content")
    if content:
        compare(content, body, f"the answer {status} of {asked.method} {asked.path}")


def resolve(described: Any) -> Any:
    """Follow a reference, if it is one."""
    if described and "$ref" in described:
        return registry().resolver(BASE).lookup(described["$ref"]).contents
    return described


def compare(content: dict[str, Any], body: Any, what: str) -> None:
    """Raise Contradiction where a body does not follow the schema of its content type."""
    schema = content.get("application/json", {}).get("schema")
    if schema is None:
        return
    located = schema
    if "$ref" in schema:
        located = {"$ref": BASE + schema["$ref"]}
    else:
        # References stand in "$ref" and in the mappings of discriminators.
        located = json.loads(json.dumps(schema).replace('"#/', f'"{BASE}#/'))
    validator = OAS30Validator(located, registry=registry())
    for error in validator.iter_errors(body):
        place = "/".join(map(str, error.absolute_path))
        raise Contradiction(f"{what}: {place or 'all of it'}: {error.message}")
