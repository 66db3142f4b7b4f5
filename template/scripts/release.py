# /// script
# requires-python = ">=3.11"
# dependencies = ["packaging==26.3"]
# ///
"""Make a release from a version tag, step by step; every step can be run again.

Locally: uv run scripts/release.py check v1.2.3

The workflows release.yml, publish.yml and docker.yml call this. It speaks to GitHub
through `gh api`, for the repository that GITHUB_REPOSITORY names ("owner/name").
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

MAIN_BRANCH = "main"
# Seconds. No single command may hang until the job's own end.
COMMAND_TIMEOUT = 300
# Uploaded last: a release that has it has everything.
LAST_ASSET = "SHA256SUMS"
INSTALLATION_MARKER = "<!-- installation -->"
# GitHub takes 125,000 characters; the installation notes come on top.
MAX_CHANGELOG = 100_000

BREAKING, OTHER = "Breaking changes", "Other changes"
# What a commit's subject begins with ("feat(api): …" or "Add …") and its heading, in
# the order in which the notes show them.
HEADINGS = {
    "Features": {"feat", "feature", "add"},
    "Fixes": {"fix", "bugfix", "repair", "mend"},
    "Performance": {"perf", "speed"},
    "Documentation": {"docs", "doc", "document"},
    "Dependencies": {"deps", "bump", "upgrade"},
    "Maintenance": {"build", "chore", "ci", "refactor", "revert", "style", "test"},
}
CONVENTIONAL = re.compile(
    r"(?P<kind>[A-Za-z]+)(?:\((?P<scope>[^)]*)\))?(?P<breaking>!)?:\s*(?P<text>\S.*)"
)

Release = dict[str, Any]


class Problem(Exception):
    """A condition that the person who reads the log can mend."""

    def __init__(self, message: str, status: int = 1) -> None:
        """Take the message and the exit status: 1 refused, 2 could not be decided."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Commit:
    """One commit: its hash, the first line of its message, and the rest."""

    sha: str
    subject: str
    body: str


# ---- Running things -------------------------------------------------------------


def run(
    command: list[str], stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and give what it printed, whatever its exit status."""
    try:
        return subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise Problem(f"{command[0]} is not installed", status=2) from error
    except subprocess.TimeoutExpired as error:
        raise Problem(
            f"`{' '.join(command)}` took over {COMMAND_TIMEOUT} s", status=2
        ) from error


def output_of(command: list[str], stdin: str | None = None) -> str:
    """Run a command that must succeed and give its standard output."""
    done = run(command, stdin)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise Problem(f"`{' '.join(command)}` failed: {reason}", status=2)
    return done.stdout


def environment(name: str) -> str:
    """Give an environment variable that must be set."""
    if not (value := os.environ.get(name)):
        raise Problem(
            f"the environment variable {name} is not set, as GitHub sets it. To speak to "
            "GitHub by hand: GITHUB_REPOSITORY=OWNER/NAME",
            status=2,
        )
    return value


def endpoint(path: str) -> str:
    """Give the API path of something in the repository."""
    repository = f"repos/{environment('GITHUB_REPOSITORY')}"
    return f"{repository}/{path}" if path else repository


def api(path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
    """Ask GitHub and give its answer; raises Problem when it refuses."""
    command = ["gh", "api", "--method", method, endpoint(path)]
    if body is not None:
        command += ["--input", "-"]
    answer = output_of(command, None if body is None else json.dumps(body))
    return json.loads(answer) if answer.strip() else None


def find(path: str) -> Any | None:
    """Ask GitHub for something that may not exist; gives None then."""
    done = run(["gh", "api", endpoint(path)])
    if done.returncode == 0:
        return json.loads(done.stdout)
    if "HTTP 404" in done.stderr:
        return None
    raise Problem(f"GitHub did not say what {path} is: {done.stderr.strip()}", status=2)


def set_outputs(**outputs: str) -> None:
    """Print the outputs and, on a runner, set them for later steps and jobs."""
    lines = "".join(f"{name}={value}\n" for name, value in outputs.items())
    print(lines, end="")
    append_to("GITHUB_OUTPUT", lines)


def say(message: str) -> None:
    """Print a message and, on a runner, add it to the job's summary."""
    print(message)
    append_to("GITHUB_STEP_SUMMARY", f"{message}\n\n")


def append_to(variable: str, text: str) -> None:
    """Append text to the file that an environment variable names, if it does."""
    if file := os.environ.get(variable):
        with Path(file).open("a", encoding="utf-8") as stream:
            stream.write(text)


# ---- Versions ---------------------------------------------------------------------


def release_version(text: str) -> Version:
    """Read the version of a tag; raises Problem when it cannot be released.

    Args:
        text: A tag or a version, for example "v1.2.3" or "1.2.3rc1".
    """
    try:
        version = Version(text.removeprefix("v"))
    except InvalidVersion as error:
        raise Problem(
            f"{text!r} is not a version. Use one like v1.2.3, or v1.2.3rc1 for a "
            "pre-release."
        ) from error
    plain = ".".join(map(str, version.release))
    if version.epoch or version.local:
        raise Problem(
            f"{text!r} has an epoch or a local part, which a release cannot have. "
            f"Use v{plain}, for example."
        )
    if version.dev:
        raise Problem(
            f"{text!r} has a dev number other than 0. setuptools-scm counts on from the "
            f"tag by that number, and would build no later commit. Use v{plain}.dev0 "
            f"once, or v{plain}a1."
        )
    return version


def tag_version(tag: str) -> Version:
    """Read the version of a tag, which must begin with v."""
    version = release_version(tag)
    if not tag.startswith("v"):
        raise Problem(f"the tag {tag!r} does not begin with v: use v{tag}.")
    return version


def versions_of(tags: Iterable[str]) -> dict[Version, str]:
    """Give the tags that are versions; others are none of our business."""
    found = {}
    for tag in tags:
        try:
            found[tag_version(tag)] = tag
        except Problem:
            continue
    return found


def check_tag(arguments: argparse.Namespace) -> None:
    """Check that the tag is a version, the one asked for, and alone on its commit."""
    version = tag_version(arguments.tag)
    if arguments.version and release_version(arguments.version) != version:
        raise Problem(
            f"asked for version {arguments.version}, but the tag is {arguments.tag}. Start "
            "it on the tag without a version, or on main with the version."
        )
    require_alone(arguments.tag)
    kind = "a pre-release" if version.is_prerelease else "a final release"
    print(f"{arguments.tag} is version {version}, {kind}.")


def require_alone(tag: str) -> None:
    """Require that the tag's commit has no other version, and the version no other tag.

    The commit is HEAD where the tag does not exist yet.
    """
    every = output_of(["git", "tag"]).split()
    commit = f"refs/tags/{tag}^{{commit}}" if tag in every else "HEAD"
    here = output_of(["git", "tag", "--points-at", commit]).split()
    if others := [name for name in here if name != tag and versions_of([name])]:
        raise Problem(
            f"{tag} is on the same commit as {', '.join(others)}. Only one of them can be "
            "released: what is built there gets one version. Give one a commit of its "
            "own (git commit --allow-empty) and tag that, or delete the tag that you do "
            "not want: git push --delete origin TAG"
        )
    version = tag_version(tag)
    same = [name for name in every if name != tag and versions_of([name]).get(version)]
    if same:
        raise Problem(
            f"{tag} and {', '.join(same)} are the same version. Release the next one, or "
            f"delete what was never released: git push --delete origin {same[0]}"
        )


def make_tag(arguments: argparse.Namespace) -> None:
    """Tag the commit that this run was started on, unless it has the tag already."""
    version = release_version(arguments.version)
    branch, commit = environment("GITHUB_REF_NAME"), environment("GITHUB_SHA")
    if branch != MAIN_BRANCH:
        raise Problem(
            f"releases start on {MAIN_BRANCH}; this is {branch}. To release another "
            f"commit, push a tag: git tag v{version} COMMIT && git push origin v{version}"
        )
    tag = f"v{version}"
    if commit_of_tag(tag) is None:
        require_alone(tag)
        body = {"ref": f"refs/tags/{tag}", "sha": commit}
        try:
            api("git/refs", "POST", body)
        except Problem as problem:
            # Also where main's workflows have changed since this run began.
            raise Problem(
                f"{problem} Start again on the newest {MAIN_BRANCH}, or push the tag "
                f"yourself: git tag {tag} {commit} && git push origin {tag}",
                problem.status,
            ) from problem
        say(f"Made the tag {tag} on {commit}.")
    else:
        require_tag_on(tag, commit)
        say(f"The tag {tag} exists, on this very commit.")
    set_outputs(tag=tag)


def commit_of_tag(tag: str) -> str | None:
    """Give the commit that GitHub's tag is on; None when there is no such tag."""
    reference = find(f"git/ref/tags/{tag}")
    if reference is None:
        return None
    target = reference["object"]
    if target["type"] == "tag":
        # An annotated tag is an object of its own, which names the commit.
        target = api(f"git/tags/{target['sha']}")["object"]
    return str(target["sha"])


def require_tag_on(tag: str, commit: str) -> None:
    """Require that GitHub's tag is on the commit; raises Problem when it is not."""
    found = commit_of_tag(tag)
    if found is None:
        raise Problem(f"GitHub has no tag {tag}. Push it: git push origin {tag}")
    if found != commit:
        raise Problem(
            f"the tag {tag} is on {found}, this run on {commit}. Start again on the "
            "tag, or choose the next version."
        )


# ---- Files ------------------------------------------------------------------------


def parse_distribution(path: Path) -> tuple[NormalizedName, Version]:
    """Read name and version from an sdist's or a wheel's file name."""
    try:
        if path.suffix == ".whl":
            name, version, _, _ = parse_wheel_filename(path.name)
            return name, version
        return parse_sdist_filename(path.name)
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        raise Problem(f"{path}: {error}") from error


def distributions(folder: Path) -> list[Path]:
    """Give the sdist and the wheel of a folder; raises Problem when one is missing."""
    if not folder.is_dir():
        build = "uv run python -m build --no-isolation"
        raise Problem(f"there is no folder {folder}. Build first: {build}", status=2)
    wheels, sdists = sorted(folder.glob("*.whl")), sorted(folder.glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        names = ", ".join(path.name for path in wheels + sdists) or "neither"
        raise Problem(f"{folder}: expected one sdist and one wheel, found {names}.")
    return [*sdists, *wheels]


def check_distributions(arguments: argparse.Namespace) -> None:
    """Check that what was built has the tag's version, or is fit for a trial."""
    for path in distributions(arguments.folder):
        name, version = parse_distribution(path)
        if arguments.tag and version != tag_version(arguments.tag):
            raise Problem(
                f"{path.name} has version {version}, but the tag is {arguments.tag}. "
                "The version comes from the tag of the commit that was built: tag that "
                "commit, or release the next version."
            )
        if version.local:
            raise Problem(
                f"{path.name} has version {version}; no index takes the part after +. "
                "publish.yml leaves it out by SETUPTOOLS_SCM_OVERRIDES."
            )
        print(f"{path.name}: {name} {version}")


def check_digests(arguments: argparse.Namespace) -> None:
    """Check that sdist and wheel are what the list beside them says."""
    text = (arguments.folder / LAST_ASSET).read_text(encoding="utf-8")
    # A digest, two signs, the name.
    listed = {line[66:]: line[:64] for line in text.splitlines()}
    for path in distributions(arguments.folder):
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if listed.get(path.name) != found:
            raise Problem(
                f"{path.name} has the SHA-256 {found}, but {LAST_ASSET} lists "
                f"{listed.get(path.name, 'no such file')}. A file was changed after the "
                "release was made. Nothing is published from it: release the next version."
            )
        print(f"{path.name}: {found}")


def fix_times(arguments: argparse.Namespace) -> None:
    """Give everything in the sdist the time of the commit.

    setuptools writes the time of the build, so each build of a commit gives another
    file, and an index takes only one of a name.
    """
    sdist, _ = distributions(arguments.folder)
    time = int(output_of(["git", "log", "-1", "--format=%ct"]))
    try:
        with tarfile.open(sdist) as built:
            members = [(member, built.extractfile(member)) for member in built]
            contents = [(m, file.read() if file else b"") for m, file in members]
    except tarfile.TarError as error:
        raise Problem(f"{sdist} is no sdist: {error}", status=2) from error
    with (
        gzip.GzipFile(sdist, "wb", mtime=time) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as fixed,
    ):
        for member, content in contents:
            member.mtime = time
            # They hold the time once more, with its fraction.
            member.pax_headers = {}
            fixed.addfile(member, io.BytesIO(content))
    print(f"{sdist.name}: of {time} s")


def complete_sbom(arguments: argparse.Namespace) -> None:
    """Write the version into the SBOM: pyproject.toml does not know it, the tag does."""
    try:
        sbom = json.loads(arguments.file.read_text(encoding="utf-8"))
        component = sbom["metadata"]["component"]
        name = canonicalize_name(component["name"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise Problem(f"{arguments.file} is no SBOM: {error}", status=2) from error
    version = str(tag_version(arguments.tag))
    component |= {"version": version, "purl": f"pkg:pypi/{name}@{version}"}
    arguments.file.write_text(json.dumps(sbom, indent=2) + "\n", encoding="utf-8")
    # Without dependencies there is no such key.
    count = len(sbom.get("components", []))
    print(f"{arguments.file}: {name} {version}, {count} dependencies")


# ---- Changelog --------------------------------------------------------------------


def previous_tag(tag: str, merged: Iterable[str]) -> str | None:
    """Give the tag whose changes this one follows.

    Args:
        tag: The tag to be released.
        merged: The tags that its history holds.

    Returns:
        The highest lower version; for a final release the highest lower final one, so
        that its notes hold what its pre-releases brought. None for the first.
    """
    version = tag_version(tag)
    candidates = {
        found: name
        for found, name in versions_of(merged).items()
        if found < version and (version.is_prerelease or not found.is_prerelease)
    }
    return candidates[max(candidates)] if candidates else None


def commits_since(tag: str, previous: str | None) -> list[Commit]:
    """Give the commits of a tag that the previous one has not, newest first."""
    span = f"{previous}..{tag}" if previous else tag
    log = output_of(["git", "log", "--no-merges", "--format=%H%x1f%s%x1f%b%x1e", span])
    records = (record.strip("\n") for record in log.split("\x1e"))
    return [Commit(*record.split("\x1f")) for record in records if record]


def classify(commit: Commit) -> tuple[str, str]:
    """Give a commit's heading and the text to show under it."""
    match = CONVENTIONAL.fullmatch(commit.subject)
    if match is None:
        kind, scope, text = commit.subject.split(" ")[0], "", commit.subject
    else:
        kind, scope, text = match["kind"], match["scope"] or "", match["text"]
    headings = [name for name, kinds in HEADINGS.items() if kind.lower() in kinds]
    if (match and match["breaking"]) or "BREAKING CHANGE" in commit.body:
        heading = BREAKING
    elif scope.startswith("deps"):
        heading = "Dependencies"
    elif headings:
        heading = headings[0]
    else:
        # A prefix that means nothing here ("parser: …") is part of the text.
        heading, scope, text = OTHER, "", commit.subject
    return heading, f"**{scope}**: {text}" if scope else text


def changelog(commits: list[Commit], link: str) -> str:
    """Give the notes in Markdown: the commits under headings, and the full changelog.

    Args:
        commits: The commits, newest first.
        link: The address that shows them all.
    """
    groups: dict[str, list[str]] = {}
    for commit in commits:
        heading, text = classify(commit)
        # HTML in a subject could hide everything that follows it.
        line = f"- {text.replace('<', '&lt;')} ({commit.sha[:7]})"
        groups.setdefault(heading, []).append(line)
    lines = ["## Changes", ""]
    for heading in [BREAKING, *HEADINGS, OTHER]:
        if heading in groups:
            lines += [f"### {heading}", "", *groups[heading], ""]
    if not commits:
        lines += ["No changes.", ""]
    text = "\n".join(lines)
    if len(text) > MAX_CHANGELOG:
        text = text[:MAX_CHANGELOG].rpartition("\n")[0] + "\n- …\n"
    return f"{text}\n**Full changelog**: {link}\n"


def write_changelog(arguments: argparse.Namespace) -> None:
    """Write the release's notes; say when the tag is not on the main branch."""
    tag = arguments.tag
    merged = output_of(["git", "tag", "--merged", tag]).split()
    previous = previous_tag(tag, merged)
    server = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    repository = f"{server}/{environment('GITHUB_REPOSITORY')}"
    link = f"{repository}/{f'compare/{previous}...' if previous else 'commits/'}{tag}"
    text = changelog(commits_since(tag, previous), link)
    arguments.output.write_text(text, encoding="utf-8")
    print(text)
    branches = output_of(["git", "branch", "--all", "--contains", tag]).split()
    if not {MAIN_BRANCH, f"remotes/origin/{MAIN_BRANCH}"} & set(branches):
        say(f"Note: {tag} is not on the branch {MAIN_BRANCH}.")


# ---- The release on GitHub -----------------------------------------------------------


def all_releases() -> list[Release]:
    """List every release; drafts only when the token may write."""
    path = endpoint("releases?per_page=100")
    # One JSON text per line: what --paginate prints by itself differs between versions.
    lines = output_of(["gh", "api", "--paginate", path, "--jq", ".[] | @json"])
    return [json.loads(line) for line in lines.splitlines()]


def choose_release(tag: str, releases: list[Release]) -> Release | None:
    """Give the release to work on: the published one, else the only draft, else None.

    GitHub hides drafts from the lookup by tag, and allows several for one tag.
    """
    ours = [release for release in releases if release["tag_name"] == tag]
    published = [release for release in ours if not release["draft"]]
    if published:
        return published[0]
    if len(ours) > 1:
        raise Problem(
            f"{tag} has {len(ours)} drafts: "
            f"{', '.join(release['html_url'] for release in ours)}. Delete all but one "
            "on the releases page, then run this again."
        )
    return ours[0] if ours else None


def asset_names(release: Release) -> set[str]:
    """Name the assets that are there in full."""
    return {
        asset["name"]
        for asset in release.get("assets", [])
        if asset.get("state", "uploaded") == "uploaded"
    }


def create_draft(tag: str, notes: str) -> Release:
    """Create the draft of a release."""
    body = {
        "tag_name": tag,
        "name": tag,
        "body": notes,
        "draft": True,
        "prerelease": tag_version(tag).is_prerelease,
    }
    release: Release = api("releases", "POST", body)
    say(f"Made a draft for {tag}: {release['html_url']}")
    return release


def adopt(release: Release, tag: str, notes: str) -> None:
    """Take over a release that exists: fill in what it lacks, keep what people wrote."""
    if release.get("immutable"):
        raise Problem(
            f"{release['html_url']} was published by hand and is immutable: nothing can "
            "be attached to it. Release the next version: start the release workflow "
            f"on {MAIN_BRANCH}, and leave making the release to it."
        )
    say(f"{tag} has a release: {release['html_url']}. It is taken over.")
    changes: dict[str, Any] = {}
    if not (release.get("body") or "").strip():
        changes["body"] = notes
    if release["prerelease"] != tag_version(tag).is_prerelease:
        changes["prerelease"] = tag_version(tag).is_prerelease
    if changes:
        edit(release, changes)


def edit(release: Release, changes: dict[str, Any]) -> None:
    """Change a release; of a draft the tag must be said again, or GitHub takes it away."""
    body = {"tag_name": release["tag_name"], **changes}
    api(f"releases/{release['id']}", "PATCH", body)


def upload_assets(release: Release, folder: Path) -> None:
    """Attach every file of a folder, SHA256SUMS last; replaces what an earlier run left.

    By the release's own address: a look-up by tag does not find drafts.
    """
    files = sorted(path for path in folder.iterdir() if path.name != LAST_ASSET)
    last = folder / LAST_ASSET
    if not files or not last.is_file():
        raise Problem(f"{folder} lacks {LAST_ASSET} or the files it lists.", status=2)
    attached = {asset["name"]: asset["id"] for asset in release.get("assets", [])}
    # Until the new files are all there, the release must not look complete.
    for path in [last, *files]:
        if path.name in attached:
            api(f"releases/assets/{attached[path.name]}", "DELETE")
    address = release["upload_url"].partition("{")[0]
    header = "Content-Type: application/octet-stream"
    for path in [*files, last]:
        target = f"{address}?name={quote(path.name)}"
        command = ["gh", "api", "--method", "POST", target, "--header", header]
        output_of([*command, "--input", str(path)])
    say(f"Attached {', '.join(path.name for path in [*files, last])}.")


def is_latest(tag: str, releases: list[Release]) -> bool:
    """Say whether no final release that is out has a higher version."""
    version = tag_version(tag)
    final = versions_of(
        release["tag_name"]
        for release in releases
        if not release["draft"] and not release["prerelease"]
    )
    return not version.is_prerelease and all(other <= version for other in final)


def make_release(arguments: argparse.Namespace) -> None:
    """Draft, attach, publish: from wherever an earlier run ended."""
    tag = arguments.tag
    require_tag_on(tag, output_of(["git", "rev-parse", "HEAD"]).strip())
    releases = all_releases()
    release = choose_release(tag, releases)
    notes = arguments.notes.read_text(encoding="utf-8")
    if release and not release["draft"] and LAST_ASSET in asset_names(release):
        say(f"{release['html_url']} is published and complete; it stays as it is.")
        return
    if release is None:
        release = create_draft(tag, notes)
    else:
        adopt(release, tag, notes)
    upload_assets(release, arguments.assets)
    if not release["draft"]:
        return
    if arguments.draft:
        say(f"{release['html_url']} stays a draft until a person publishes it.")
        return
    latest = json.dumps(is_latest(tag, releases))
    edit(release, {"draft": False, "make_latest": latest})
    say(f"Published {tag}.")


def published_release(tag: str) -> Release:
    """Give the published release of a tag, made by our workflow, or raise Problem."""
    if os.environ.get("GITHUB_REF_TYPE", "tag") != "tag":
        raise Problem(
            f"{tag} is a branch; only a release's tag is published. Start on the tag: "
            "gh workflow run publish.yml --ref v1.2.3 -f index=pypi"
        )
    version = tag_version(tag)
    again = f"gh workflow run release.yml --ref {tag}"
    release: Release | None = find(f"releases/tags/{tag}")
    if release is None or release["draft"]:
        raise Problem(
            f"{tag} has no published release. If it is a draft, publish it; if there is "
            f"none, make it: {again}"
        )
    if LAST_ASSET not in asset_names(release) and release.get("immutable"):
        raise Problem(
            f"{release['html_url']} lacks {LAST_ASSET}: it was made by hand, and is "
            "immutable, so nothing can be attached. Nothing is published from it. Release "
            "the next version: gh workflow run release.yml -f version=VERSION"
        )
    if LAST_ASSET not in asset_names(release):
        raise Problem(
            f"{release['html_url']} lacks {LAST_ASSET}: it was made by hand, or its "
            "workflow has not finished. Nothing is published from it. The release "
            f"workflow attaches the files and then starts this again: {again}"
        )
    if release["prerelease"] != version.is_prerelease:
        raise Problem(
            f"{release['html_url']} says pre-release: {release['prerelease']}, but "
            f"version {version} says {version.is_prerelease}. Correct it there, then "
            f"publish it: {again}"
        )
    return release


def check_published(arguments: argparse.Namespace) -> None:
    """Check that the tag's release is out, complete, and flagged as its version says."""
    release = published_release(arguments.tag)
    print(f"{release['html_url']} is published, with all its files.")


def offer_attestations(_: argparse.Namespace) -> None:
    """Set the output offered: whether GitHub keeps attestations for this repository."""
    private = api("")["private"]
    if private:
        say(
            "GitHub keeps no attestations for a private repository (short of Enterprise "
            f"Cloud). The digests in {LAST_ASSET} stand in for them."
        )
    set_outputs(offered=json.dumps(not private))


def installation_notes(files: list[Path]) -> str:
    """Give the notes' last section: how to install, and each file's SHA-256."""
    name, version = parse_distribution(files[0])
    rows = [
        f"| `{path.name}` | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |"
        for path in files
    ]
    lines = [
        INSTALLATION_MARKER,
        "## Installation",
        "",
        "```sh",
        f"pip install {name}=={version}",
        "```",
        "",
        "| file | SHA-256 |",
        "| --- | --- |",
        *rows,
    ]
    return "\n".join(lines) + "\n"


def add_installation(arguments: argparse.Namespace) -> None:
    """Add the installation notes once; only the body of a published release changes."""
    release = published_release(arguments.tag)
    body = release.get("body") or ""
    if INSTALLATION_MARKER in body:
        say("The notes say already how to install this version.")
        return
    notes = installation_notes(distributions(arguments.folder))
    text = f"{body.rstrip()}\n\n{notes}"
    api(f"releases/{release['id']}", "PATCH", {"body": text})
    say(f"Added to {release['html_url']} how to install it.")


# ---- Command line -------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(required=True, metavar="STEP")

    step = steps.add_parser("tag", help="tag this commit of main")
    step.add_argument("version", help="for example 1.2.3")
    step.set_defaults(step=make_tag)

    step = steps.add_parser("check", help="check that a tag is a version")
    step.add_argument("tag", help="for example v1.2.3")
    step.add_argument("--version", default="", help="what it must be, if anything")
    step.set_defaults(step=check_tag)

    step = steps.add_parser(
        "attestations", help="ask whether GitHub keeps attestations"
    )
    step.set_defaults(step=offer_attestations)

    step = steps.add_parser("dist", help="check the versions of sdist and wheel")
    step.add_argument("folder", type=Path)
    step.add_argument("--tag", default="", help="whose version they must have")
    step.set_defaults(step=check_distributions)

    step = steps.add_parser("digests", help="check sdist and wheel against their list")
    step.add_argument("folder", type=Path, help=f"where they and {LAST_ASSET} are")
    step.set_defaults(step=check_digests)

    step = steps.add_parser("times", help="give the sdist the time of the commit")
    step.add_argument("folder", type=Path, help="where it and the wheel are")
    step.set_defaults(step=fix_times)

    step = steps.add_parser("sbom", help="write the version into the SBOM")
    step.add_argument("tag")
    step.add_argument("file", type=Path)
    step.set_defaults(step=complete_sbom)

    step = steps.add_parser("changelog", help="write the notes from the commits")
    step.add_argument("tag")
    step.add_argument("--output", type=Path, required=True)
    step.set_defaults(step=write_changelog)

    step = steps.add_parser("release", help="draft, attach the files, publish")
    step.add_argument("tag")
    step.add_argument("--notes", type=Path, required=True, help="a Markdown file")
    step.add_argument("--assets", type=Path, required=True, help="a folder")
    step.add_argument("--draft", action="store_true", help="do not publish")
    step.set_defaults(step=make_release)

    step = steps.add_parser("published", help="check that a release is out, complete")
    step.add_argument("tag")
    step.set_defaults(step=check_published)

    step = steps.add_parser("installation", help="add to the notes how to install")
    step.add_argument("tag")
    step.add_argument("folder", type=Path, help="where sdist and wheel are")
    step.set_defaults(step=add_installation)
    return parser.parse_args(arguments)


def perform(script: str, parsed: argparse.Namespace) -> int:
    """Run one step; gives 0 when done, 1 when refused, 2 when it could not be run."""
    try:
        try:
            parsed.step(parsed)
        except Problem as problem:
            print(f"{script}: {problem}", file=sys.stderr)
            append_to("GITHUB_STEP_SUMMARY", f"❌ {problem}\n")
            return problem.status
    except OSError as error:
        print(f"{script}: {error}", file=sys.stderr)
        return 2
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    return perform("release.py", parse_arguments(arguments))


if __name__ == "__main__":
    sys.exit(main())
