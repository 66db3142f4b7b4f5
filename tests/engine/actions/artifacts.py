"""Stands in for actions/upload-artifact and actions/download-artifact.

An artifact is a folder below the run's own, beside a record of its digest.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
from pathlib import Path

from engine.actions.search import find
from engine.actions.stand_in import StandIn

FORBIDDEN_IN_PATHS = re.compile(r'[":<>|*?\r\n]')
FORBIDDEN_IN_NAMES = re.compile(r'[":<>|*?\r\n\\/]|^\.{0,2}$')
MAX_RETENTION_DAYS = 90


def upload(step: StandIn) -> None:
    """Keep files under a name, by the rules of the real action: what a path means, hidden files, a name used twice."""
    name = step.inputs["name"]
    if FORBIDDEN_IN_NAMES.search(name):
        step.fail(f"The artifact name is not valid: {name!r}")
    if not step.boolean("archive"):
        step.fail("this stand-in keeps every artifact as an archive")
    step.one_of("if-no-files-found", "error", "warn", "ignore")
    step.one_of("compression-level", *map(str, range(10)))
    days = retention_days(step)
    hidden, overwrite = (
        step.boolean(name) for name in ("include-hidden-files", "overwrite")
    )
    files, roots = find(step, step.inputs["path"].splitlines(), hidden=hidden)
    if not files:
        none_found(step)
        return
    root = common_folder(files, roots)
    names = sorted(file.relative_to(root).as_posix() for file in files)
    for path in names:
        if FORBIDDEN_IN_PATHS.search(path):
            step.fail(
                f"The path for one of the files in artifact is not valid: /{path}"
            )
    place = Path(step.context["artifacts"]) / name
    if place.exists():
        if not overwrite:
            step.fail(
                "Failed to CreateArtifact: an artifact with this name already exists on the workflow run"
            )
        shutil.rmtree(place)
    for path in names:
        target = place / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Permissions are lost on the way.
        shutil.copyfile(root / path, target)
    digest = digest_of(place)
    place.with_name(f"{name}.digest").write_text(digest, "utf-8")
    number, run = int(digest[:8], 16), step.environment["GITHUB_RUN_ID"]
    repository = f"https://github.com/{step.context['full_name']}"
    step.output("artifact-id", str(number))
    step.output("artifact-digest", digest)
    step.output("artifact-url", f"{repository}/actions/runs/{run}/artifacts/{number}")
    step.record(name=name, files=names, days=days, digest=digest)


def retention_days(step: StandIn) -> int:
    """Give how long the artifact is kept; the real action would reduce what is too much, with a warning."""
    days = step.inputs["retention-days"] or "0"
    if not days.isdigit() or int(days) > MAX_RETENTION_DAYS:
        step.fail(f"Invalid retention-days: {days}")
    return int(days) or MAX_RETENTION_DAYS


def none_found(step: StandIn) -> None:
    """Do what `if-no-files-found` says."""
    message = f"No files were found with the provided path: {step.inputs['path']}. No artifacts will be uploaded."
    match step.inputs["if-no-files-found"]:
        case "error":
            step.fail(message)
        case "warn":
            step.warn(message)
        case _:
            print(message)


def common_folder(files: list[Path], roots: list[Path]) -> Path:
    """Give the folder that the paths in an artifact begin at.

    It is the one that all given paths share; for one path what is before its first wildcard; for one file its folder.
    """
    if len(roots) > 1:
        return Path(os.path.commonpath(roots))
    return files[0].parent if files == roots else roots[0]


def digest_of(folder: Path) -> str:
    """Give a SHA-256 over the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def download(step: StandIn) -> None:
    """Fetch one artifact by name, or all whose name matches; a name that does not exist is an error."""
    step.unsupported("artifact-ids", "github-token", "skip-decompress")
    mismatch = step.one_of("digest-mismatch", "error", "warn", "info", "ignore")
    merge = step.boolean("merge-multiple")
    kept = Path(step.context["artifacts"])
    target = step.path(step.inputs["path"])
    if name := step.inputs["name"]:
        names = [name]
        if FORBIDDEN_IN_NAMES.search(name) or not (kept / name).is_dir():
            step.fail(
                f"Unable to download artifact(s): Artifact not found for name: {name}"
            )
    else:
        names = matching(step, sorted(p.name for p in kept.iterdir() if p.is_dir()))
    # One alone gets no folder of its own, however it was found.
    direct = len(names) == 1 or merge
    for artifact in names:
        recorded = (kept / f"{artifact}.digest").read_text("utf-8")
        if digest_of(kept / artifact) != recorded:
            message = f"The digest of {artifact} is not what was uploaded"
            match mismatch:
                case "error":
                    step.fail(message)
                case "warn":
                    step.warn(message)
                case "info":
                    print(message)
        place = target if direct else target / artifact
        shutil.copytree(kept / artifact, place, dirs_exist_ok=True)
    print(f"Total of {len(names)} artifact(s) downloaded")
    step.output("download-path", str(target))
    step.record(names=names)


def matching(step: StandIn, names: list[str]) -> list[str]:
    """Give the names that fit `pattern`; all of them without one."""
    pattern = step.inputs["pattern"]
    if re.search(r"[{}()!\\]", pattern):
        step.fail(f"this stand-in knows *, ? and [ ] alone: {pattern}")
    if not pattern:
        return names
    # Only a dot stands for a dot at the beginning.
    named = [n for n in names if pattern.startswith(".") or not n.startswith(".")]
    return [name for name in named if fnmatch.fnmatchcase(name, pattern)]
