"""The template's past and a possible future: repositories with tagged versions, as `copier update` meets them."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from subprocess import run as run_raw

from harness import ROOT, SOURCES, run, tool, unproven

# Since there is this one, projects are told of newer versions.
UPDATES = "template/.github/workflows/template-update.yml"


def releases(root: Path = ROOT) -> list[str]:
    """Give what counts as a release of the template, oldest first: its version tags.

    Until there are any, each commit counts that changed what is rendered, from the first whose projects ask for updates;
    the newest does not where it is what the working tree holds.
    """
    git = tool("git")
    if run([git, "rev-parse", "--is-shallow-repository"], cwd=root).stdout == "true\n":
        unproven("the template's history: this clone is shallow")
    tags = run([git, "tag", "--list", "v*", "--sort=v:refname"], cwd=root).stdout
    if tags:
        return tags.split()
    first = [git, "log", "--format=%H", "--diff-filter=A", "--", UPDATES]
    (start,) = run(first, cwd=root).stdout.split()
    log = [git, "log", "--format=%H", "--reverse", f"{start}^..HEAD", "--", *SOURCES]
    found = run(log, cwd=root).stdout.split()
    same = run(
        [git, "diff", "--quiet", found[-1], "--", *SOURCES], cwd=root, check=False
    )
    return found if same.returncode else found[:-1]


def sources_of(commit: str, destination: Path, root: Path = ROOT) -> Path:
    """Give a folder with the template's sources as they were at a commit."""
    archive = run_raw(
        [tool("git"), "archive", commit, *SOURCES],
        cwd=root,
        capture_output=True,
        check=True,
    ).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(destination, filter="data")
    return destination


def make_template(folder: Path, versions: Mapping[str, Path]) -> Path:
    """Make a template's repository with a tag for each version, from folders with their sources."""
    git = tool("git")
    run([git, "init", "-q", "--initial-branch=main", str(folder)])
    for version, sources in versions.items():
        for old in folder.iterdir():
            if old.name != ".git":
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        shutil.copytree(sources, folder, dirs_exist_ok=True)
        run([git, "add", "--all"], cwd=folder)
        run(
            [git, "commit", "-q", "--allow-empty", f"--message={version}"],
            cwd=folder,
        )
        run([git, "tag", version], cwd=folder)
    return folder
