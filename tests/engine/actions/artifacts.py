"""Stands in for actions/upload-artifact and actions/download-artifact.

An artifact is a folder below the run's own, beside a record of its digest.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from engine.actions.stand_in import StandIn

FORBIDDEN = re.compile(r'[":<>|*?\r\n\\/]')
WILDCARD = re.compile(r"[*?\[]")
MAX_RETENTION_DAYS = 90


def upload(step: StandIn) -> None:
    """Keep files under a name, by the rules of the real action: what a path means, hidden files, a name used twice."""
    name = step.inputs["name"]
    if FORBIDDEN.search(name):
        step.fail(f"The artifact name is not valid: {name}")
    if not step.boolean("archive"):
        step.fail("this stand-in keeps every artifact as an archive")
    days = step.inputs["retention-days"] or str(MAX_RETENTION_DAYS)
    if not days.isdigit() or not 1 <= int(days) <= MAX_RETENTION_DAYS:
        step.fail(f"Invalid retention-days: {days}")
    files, root = chosen(
        step.inputs["path"].splitlines(),
        step.workspace,
        hidden=step.boolean("include-hidden-files"),
    )
    if not files:
        none_found(step)
        return
    place = Path(step.context["artifacts"]) / name
    if place.exists():
        if not step.boolean("overwrite"):
            step.fail(
                "Failed to CreateArtifact: an artifact with this name already exists on the workflow run"
            )
        shutil.rmtree(place)
    for file in files:
        target = place / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Permissions are lost on the way.
        shutil.copyfile(file, target)
    digest = digest_of(place)
    place.with_name(f"{name}.digest").write_text(digest, "utf-8")
    step.output("artifact-id", str(int(digest[:8], 16)))
    step.output("artifact-digest", digest)
    step.output(
        "artifact-url", f"https://github.com/{step.context['full_name']}/actions"
    )
    step.record(
        name=name,
        files=sorted(file.relative_to(root).as_posix() for file in files),
        days=int(days),
        digest=digest,
    )


def none_found(step: StandIn) -> None:
    """Do what `if-no-files-found` says."""
    message = f"No files were found with the provided path: {step.inputs['path']}. No artifacts will be uploaded."
    match step.inputs["if-no-files-found"]:
        case "error":
            step.fail(message)
        case "warn":
            print(f"::warning::{message}")
        case "ignore":
            print(message)
        case other:
            step.fail(f"Unrecognized if-no-files-found input: {other}")


def chosen(
    patterns: Iterable[str], workspace: Path, *, hidden: bool
) -> tuple[list[Path], Path]:
    """Give the files that an upload takes, and the folder that their paths begin at.

    Args:
        patterns: Paths and wildcards, one a line; a folder means all below it; ! takes away.
        workspace: What they are relative to.
        hidden: Whether files and folders whose name begins with a dot are taken.

    The folder is the one that all given paths share; for a single file the one that it is in.
    """
    found: set[Path] = set()
    roots: list[Path] = []
    for pattern in filter(None, (line.strip() for line in patterns)):
        if pattern.startswith("!"):
            excluded = str(workspace / pattern[1:].rstrip("/"))
            found = {
                path
                for path in found
                if not fnmatch.fnmatch(str(path), excluded)
                and not fnmatch.fnmatch(str(path), f"{excluded}/*")
            }
            continue
        full = os.path.normpath(workspace / pattern)
        roots.append(search_root(full))
        # Path.glob takes no absolute pattern.
        for match in glob.glob(full, recursive=True, include_hidden=True):  # noqa: PTH207
            path = Path(match)
            found |= {path} if path.is_file() else set(path.rglob("*"))
    files = sorted(path for path in found if path.is_file())
    if not hidden:
        files = [path for path in files if not is_hidden(path, workspace)]
    if not files:
        return [], workspace
    if len(roots) > 1:
        return files, Path(os.path.commonpath(roots))
    return files, files[0].parent if files == roots else roots[0]


def search_root(pattern: str) -> Path:
    """Give the part of a path before its first wildcard."""
    parts = Path(pattern).parts
    literal = [part for part in parts if not WILDCARD.search(part)]
    count = next((i for i, part in enumerate(parts) if WILDCARD.search(part)), None)
    return Path(*literal) if count is None else Path(*parts[:count])


def is_hidden(path: Path, workspace: Path) -> bool:
    """Tell whether a file or a folder that it is in, below the job's folder, is hidden."""
    return any(part.startswith(".") for part in path.relative_to(workspace).parts)


def digest_of(folder: Path) -> str:
    """Give a SHA-256 over the names and contents of the files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def download(step: StandIn) -> None:
    """Fetch one artifact by name, or all whose name matches; a name that does not exist is an error."""
    step.unsupported("artifact-ids", "github-token")
    if step.boolean("skip-decompress"):
        step.fail("this stand-in unpacks every artifact")
    kept = Path(step.context["artifacts"])
    target = step.path(step.inputs["path"])
    if name := step.inputs["name"]:
        if not (kept / name).is_dir():
            step.fail(
                f"Unable to download artifact(s): Artifact not found for name: {name}"
            )
        places = {name: target}
    else:
        pattern = step.inputs["pattern"] or "*"
        merge = step.boolean("merge-multiple")
        places = {
            folder.name: target if merge else target / folder.name
            for folder in sorted(kept.iterdir())
            if folder.is_dir() and fnmatch.fnmatch(folder.name, pattern)
        }
    for artifact, place in places.items():
        recorded = (kept / f"{artifact}.digest").read_text("utf-8")
        if digest_of(kept / artifact) != recorded:
            step.fail(f"The digest of {artifact} is not what was uploaded")
        shutil.copytree(kept / artifact, place, dirs_exist_ok=True)
    print(f"Total of {len(places)} artifact(s) downloaded")
    step.output("download-path", str(target))
    step.record(names=sorted(places))
