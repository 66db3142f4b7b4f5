"""What the API answers about attestations."""

from __future__ import annotations

import json
from typing import Any

from engine.github.call import Call
from engine.repository import Repository


def list_attestations(here: Repository, call: Call, digest: str) -> Any:
    """Give the attestations that have a subject of this digest."""
    call.require("attestations", level="read")
    found = []
    for file in sorted(here.attestations.glob("*.json")):
        kept = json.loads(file.read_text("utf-8"))
        if digest in kept["digests"]:
            found.append({"bundle": kept["bundle"], "repository_id": 1})
    return {"attestations": found}


ROUTES = [("GET", "/attestations/<digest>", list_attestations)]
