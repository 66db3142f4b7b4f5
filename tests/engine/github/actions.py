"""What the API answers about workflows, and how they are started."""

from __future__ import annotations

from typing import Any

from policy import Workflow

from engine.github import bodies
from engine.github.call import Call, Refusal
from engine.repository import Dispatch, Repository

FOLDER = ".github/workflows"


def workflow_at(here: Repository, ref: str, file: str) -> Workflow:
    """Give a workflow as it is on a branch or tag."""
    known = here.ask("ls-tree", "--name-only", "-r", ref, FOLDER).splitlines()
    if f"{FOLDER}/{file}" not in known:
        raise Refusal(404, "Not Found")
    return Workflow(file, here.ask("show", f"{ref}:{FOLDER}/{file}"))


def get_workflow(here: Repository, call: Call, file: str) -> Any:
    """Tell about a workflow of main, by its file's name or its number."""
    if here.private:
        call.require("actions", level="read")
    names = here.ask("ls-tree", "--name-only", "main", f"{FOLDER}/").splitlines()
    files = [name.rpartition("/")[2] for name in sorted(names)]
    name = files[int(file)] if file.isdigit() and int(file) < len(files) else file
    return bodies.workflow(here.full_name, workflow_at(here, "main", name), files)


def start_workflow(here: Repository, call: Call, file: str) -> None:
    """Start a workflow by hand; refuses what it does not declare."""
    call.require("actions", level="write")
    body = call.body
    name = get_workflow(here, call, file)["path"].rpartition("/")[2]
    ref = here.full_ref(body["ref"])
    if ref is None:
        raise Refusal(422, f"No ref found for: {body['ref']}")
    events = workflow_at(here, ref, name).events
    if "workflow_dispatch" not in events:
        raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
    declared = (events["workflow_dispatch"] or {}).get("inputs") or {}
    given = body.get("inputs", {})
    if unknown := given.keys() - declared.keys():
        raise Refusal(422, f"Unexpected inputs provided: {sorted(unknown)}")
    inputs = {}
    for key, described in declared.items():
        value = given.get(key, described.get("default", ""))
        if described.get("type") == "choice" and value not in described["options"]:
            raise Refusal(
                422, f"Provided value {value!r} for input {key!r} is no option"
            )
        # An event holds every input as a text.
        inputs[key] = str(value).lower() if isinstance(value, bool) else str(value)
    here.dispatches.append(Dispatch(name, ref, inputs))


ROUTES = [
    ("GET", "/actions/workflows/<file>", get_workflow),
    ("POST", "/actions/workflows/<file>/dispatches", start_workflow),
]
