"""Stands in for actions/cache, with its restore and save.

A cache is a folder for its key, the paths that were asked for and the ref that made it. A run sees the caches of its own
ref and of main.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from engine.actions.search import WILDCARD
from engine.actions.stand_in import StandIn

MAX_KEY = 512
MAX_KEYS = 10
MAIN = "refs/heads/main"


def restore(step: StandIn) -> None:
    """Put a cache in place, if there is one for the key or for one of `restore-keys`."""
    if "save-always" in step.inputs:
        step.unsupported("save-always")
    key = step.inputs["key"]
    keys = [key, *lines(step, "restore-keys")]
    check(step, *keys)
    # When the job ends, what the key was made from may have changed.
    step.save_state("key", key)
    cache = find(step, keys)
    found = cache["key"] if cache else None
    if cache is None and step.boolean("fail-on-cache-miss"):
        step.fail(f"Failed to restore cache entry. Input key: {key}")
    if cache is not None and not step.boolean("lookup-only"):
        take_out(step, cache)
    hit = str(found == key).lower()
    step.output("cache-hit", hit if cache else "")
    if step.action.endswith("/restore"):
        step.output("cache-primary-key", key)
        step.output("cache-matched-key", found or "")
    step.save_state("hit", hit)
    print(
        f"Cache restored from key: {found}" if found else f"Cache not found for {keys}"
    )
    step.record(key=key, restored=found)


def save_afterwards(step: StandIn) -> None:
    """Save, when the job went well, what the exact key did not bring."""
    if step.state("hit") == "true":
        print("Cache hit occurred on the primary key, not saving cache.")
    else:
        keep(step, step.state("key"))


def save(step: StandIn) -> None:
    """Keep the paths under the key."""
    key = step.inputs["key"]
    check(step, key)
    keep(step, key)


def keep(step: StandIn, key: str) -> None:
    """Keep the paths under a key; a key that is taken, and paths that are not there, are warnings."""
    present = [path for path in paths(step) if path.exists()]
    facts = {"key": key, "ref": step.context["ref"], "version": version(step)}
    place = folder_of(step, facts)
    if not present:
        step.warn("Path(s) specified in the action for caching do(es) not exist")
    elif place.exists():
        step.warn(f"Failed to save: Unable to reserve cache with key {key}")
    else:
        for path in present:
            target = place / digest(str(path))
            if path.is_dir():
                shutil.copytree(path, target, symlinks=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        made = sum(1 for _ in place.parent.iterdir())
        (place / "cache.json").write_text(json.dumps(facts | {"number": made}), "utf-8")
        step.record(key=key, saved=True)


def check(step: StandIn, *keys: str) -> None:
    """Fail where GitHub takes no such keys."""
    for key in keys:
        if len(key) > MAX_KEY or "," in key:
            step.fail(f"Key Validation Error: {key}")
    if len(keys) > MAX_KEYS:
        step.fail(f"Key Validation Error: Keys are limited to a maximum of {MAX_KEYS}.")


def lines(step: StandIn, name: str) -> list[str]:
    """Give the lines of an input that say something."""
    return [line.strip() for line in step.inputs[name].splitlines() if line.strip()]


def paths(step: StandIn) -> list[Path]:
    """Give the places that are cached."""
    given = lines(step, "path")
    for line in given:
        if line.startswith("!") or WILDCARD.search(line):
            step.fail(f"the stand-in for {step.action} does not know wildcards: {line}")
    return list(dict.fromkeys(step.path(line) for line in given))


def digest(text: str) -> str:
    """Give a name for a file that stands for any text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version(step: StandIn) -> str:
    """Give what a cache must have been made with to be found: the same paths, as they are written."""
    return digest("\n".join(lines(step, "path")))


def folder_of(step: StandIn, facts: dict[str, Any]) -> Path:
    """Give where the cache of a ref, version and key is kept."""
    name = f"{facts['ref']} {facts['version']} {facts['key']}"
    return Path(step.context["caches"]) / digest(name)


def find(step: StandIn, keys: list[str]) -> dict[str, Any] | None:
    """Give the cache that is taken: of the run's own ref, else of main.

    In each it is the one of the first key; else the newest whose key begins with the first, with the second and so on.
    """
    everything: list[dict[str, Any]] = [
        json.loads(file.read_text("utf-8"))
        for file in Path(step.context["caches"]).glob("*/cache.json")
    ]
    for ref in (step.context["ref"], MAIN):
        visible = [
            cache
            for cache in sorted(everything, key=lambda cache: -cache["number"])
            if (cache["ref"], cache["version"]) == (ref, version(step))
        ]
        exact = [cache for cache in visible if cache["key"] == keys[0]]
        partial = [
            cache
            for prefix in keys
            for cache in visible
            if cache["key"].startswith(prefix)
        ]
        if found := [*exact, *partial]:
            return found[0]
    return None


def take_out(step: StandIn, cache: dict[str, Any]) -> None:
    """Put what a cache holds where it came from."""
    for path in paths(step):
        kept = folder_of(step, cache) / digest(str(path))
        if kept.is_dir():
            shutil.copytree(kept, path, symlinks=True, dirs_exist_ok=True)
        elif kept.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(kept, path)
