"""Stands in for actions/cache, with its restore and save.

A cache is a folder whose name is its key and the ref that made it. A run sees the caches of its own ref and of main.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from engine.actions.stand_in import StandIn

MAX_KEY = 512
MAIN = "refs/heads/main"


def restore(step: StandIn) -> None:
    """Put the cache of the key in place, else the newest whose key begins with one of `restore-keys`."""
    key = checked_key(step)
    fallbacks = step.inputs["restore-keys"].splitlines()
    found = find(step, key, fallbacks)
    hit = found == key
    if found is None and step.boolean("fail-on-cache-miss"):
        step.fail(f"Failed to restore cache entry. Input key: {key}")
    if found is not None and not step.boolean("lookup-only"):
        take_out(step, found)
    step.output("cache-hit", "" if found is None else str(hit).lower())
    if step.action.endswith("/restore"):
        step.output("cache-primary-key", key)
        step.output("cache-matched-key", found or "")
    step.save_state("hit", str(hit).lower())
    print(
        f"Cache restored from key: {found}" if found else f"Cache not found for {key}"
    )
    step.record(key=key, restored=found)


def save_afterwards(step: StandIn) -> None:
    """Save, when the job went well, what the exact key did not bring."""
    if step.state("hit") == "true":
        print("Cache hit occurred on the primary key, not saving cache.")
    else:
        save(step)


def save(step: StandIn) -> None:
    """Keep the paths under the key; a key that is taken, and paths that are not there, are warnings."""
    key = checked_key(step)
    paths = [step.path(line) for line in step.inputs["path"].splitlines()]
    present = [path for path in paths if path.exists()]
    place = folder_of(step, key, step.context["ref"])
    if not present:
        print("::warning::Path(s) specified in the action for caching do(es) not exist")
    elif place.exists():
        print(f"::warning::Unable to reserve cache with key {key}, it exists")
    else:
        for path in present:
            target = place / digest(str(path))
            if path.is_dir():
                shutil.copytree(path, target, symlinks=True)
            else:
                target.parent.mkdir(parents=True)
                shutil.copy2(path, target)
        made = sum(1 for _ in place.parent.iterdir())
        facts = {"key": key, "ref": step.context["ref"], "number": made}
        (place / "cache.json").write_text(json.dumps(facts), "utf-8")
        step.record(key=key, saved=True)


def checked_key(step: StandIn) -> str:
    """Give the key; raises Failure where GitHub takes no such key."""
    key = step.inputs["key"]
    if len(key) > MAX_KEY or "," in key:
        step.fail(f"Key Validation Error: {key}")
    return key


def digest(text: str) -> str:
    """Give a name for a file that stands for any text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_of(step: StandIn, key: str, ref: str) -> Path:
    """Give where the cache of a key and ref is kept."""
    return Path(step.context["caches"]) / digest(f"{ref} {key}")


def visible(step: StandIn) -> list[dict[str, str]]:
    """Give the caches that this run may see, newest first."""
    facts = [
        json.loads(file.read_text("utf-8"))
        for file in Path(step.context["caches"]).glob("*/cache.json")
    ]
    seen = [fact for fact in facts if fact["ref"] in (step.context["ref"], MAIN)]
    return sorted(seen, key=lambda fact: -fact["number"])


def find(step: StandIn, key: str, fallbacks: list[str]) -> str | None:
    """Give the key of the cache that is taken; None where there is none."""
    keys = [fact["key"] for fact in visible(step)]
    if key in keys:
        return key
    for prefix in fallbacks:
        for candidate in keys:
            if candidate.startswith(prefix.strip()):
                return candidate
    return None


def take_out(step: StandIn, key: str) -> None:
    """Put what a cache holds where it came from."""
    ref = next(fact["ref"] for fact in visible(step) if fact["key"] == key)
    for line in step.inputs["path"].splitlines():
        path = step.path(line)
        kept = folder_of(step, key, ref) / digest(str(path))
        if kept.is_dir():
            shutil.copytree(kept, path, symlinks=True, dirs_exist_ok=True)
        elif kept.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, path)
