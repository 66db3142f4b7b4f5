"""A repository as GitHub holds it: its history, its settings, and what happens to it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import run, tool

from engine.index.held import NAMES, Index, Publisher
from engine.settings import Settings

OWNER = "octo"
MAIN = "refs/heads/main"

Edit = Callable[[Path], None]


@dataclass(frozen=True)
class Author:
    """Who caused an event.

    Attributes:
        login: The account.
        trusted: Whether the run gets secrets and a token that can write. GitHub gives neither to a pull request from a
            fork or by Dependabot.
        fork: Whether the change comes from a fork.
    """

    login: str
    trusted: bool = True
    fork: bool = False


MEMBER = Author("member")
FORK = Author("stranger", trusted=False, fork=True)
DEPENDABOT = Author("dependabot[bot]", trusted=False)


@dataclass(frozen=True)
class Event:
    """An event that starts workflows.

    Attributes:
        name: As in `on:`, for example "pull_request".
        commit: What is checked out: of a pull request its merge commit.
        ref: The ref of that, for example "refs/pull/1/merge".
        payload: What `github.event` holds, as far as workflows may ask for it.
        author: Who caused it.
    """

    name: str
    commit: str
    ref: str
    payload: dict[str, Any]
    author: Author = MEMBER


@dataclass(frozen=True)
class Dispatch:
    """A workflow that was started through the API: its file, on which full ref, with which inputs."""

    workflow: str
    ref: str
    inputs: dict[str, Any]


@dataclass(frozen=True)
class App:
    """A GitHub App that is installed here.

    Attributes:
        client_id: How workflows name it.
        private_key: What proves that they may, in PEM.
        permissions: What it was granted.
    """

    client_id: str
    private_key: str
    permissions: dict[str, str]


@dataclass
class Repository:
    """One repository: made from a project, it lives in a folder that nothing else uses.

    Attributes:
        folder: Where everything about it is kept.
        project: A folder that is a git repository with the project on its main branch.
        created: Whether it is there; where it is not, an owner can create it.
        private: Whether it is private; then it has no code scanning, unless that is switched on.
        code_scanning: Whether code scanning takes results; by default where the repository is public.
        comments: The comments of each issue and pull request by its number, oldest first.
        issues: The issues, oldest first.
        pulls: The pull requests that were opened through the API, oldest first.
        labels: The names of the labels.
        drafts: Whether pull requests can be drafts.
        has_issues: Whether it has issues; pull requests it always has.
        app: The GitHub App that is installed; None without one.
        fork: Whether it is a fork of another repository.
        analyses: The categories of the results that code scanning has taken.
        dispatches: Workflows that were started through the API and have not run.
        releases: The releases, oldest first, drafts included.
        latest: The tag of the release that is called the latest.
        immutable_releases: Whether a published release can no longer be changed.
        cut_off_after: After so many changes through the API the connection is cut, and so is every later one; None
            means never.
        secrets: What `secrets` holds, for events of trusted authors.
        variables: What `vars` holds.
        broken: Paths below the repository's own that GitHub's API answers with an error, to try what a run makes of it.
        requests: What GitHub's API, the container registry and the indexes were asked: method, path, status.
        indexes: The package indexes by their names; each knows publish.yml as a trusted publisher, from the environment
            of its own name.
        settings: What an administrator sets.
    """

    folder: Path
    project: Path
    private: bool = False
    created: bool = True
    code_scanning: bool | None = None
    name: str = "sample-project"
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    issues: list[dict[str, Any]] = field(default_factory=list)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    drafts: bool = True
    has_issues: bool = True
    app: App | None = None
    fork: bool = False
    analyses: set[str] = field(default_factory=set)
    dispatches: list[Dispatch] = field(default_factory=list)
    releases: list[dict[str, Any]] = field(default_factory=list)
    latest: str | None = None
    immutable_releases: bool = True
    cut_off_after: int | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    indexes: dict[str, Index] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    changes: int = 0
    runs: int = 0
    _pulls: int = 0

    def __post_init__(self) -> None:
        """Take over the project's history."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.code_scanning is None:
            self.code_scanning = not self.private
        for name in NAMES:
            ours = Publisher(self.name, self.full_name, "publish.yml", name)
            self.indexes[name] = Index([ours])
        run([tool("git"), "clone", "-q", "--bare", str(self.project), str(self.git)])

    @property
    def full_name(self) -> str:
        """Owner and name."""
        return f"{OWNER}/{self.name}"

    @property
    def git(self) -> Path:
        """The bare repository."""
        return self.folder / "repository.git"

    @property
    def caches(self) -> Path:
        """Where the caches of workflow runs are kept, from one run to the next."""
        return self.folder / "caches"

    @property
    def assets(self) -> Path:
        """Where the files of releases are kept."""
        return self.folder / "assets"

    @property
    def images(self) -> Path:
        """Where the registry keeps its images."""
        return self.folder / "images"

    @property
    def attestations(self) -> Path:
        """Where GitHub keeps attestations."""
        return self.folder / "attestations"

    def copy(self, folder: Path) -> Repository:
        """Give another one that is as this one is, in a folder that is not there yet."""
        shutil.copytree(self.folder, folder, symlinks=True)
        other = copy.deepcopy(self)
        other.folder = folder
        return other

    def is_cut_off(self) -> bool:
        """Tell whether the connection to the API has been cut."""
        return self.cut_off_after is not None and self.changes >= self.cut_off_after

    def count_change(self, status: int) -> bool:
        """Count a change through the API; tells whether the connection is to be cut behind it."""
        self.changes += status < 400
        return self.is_cut_off()

    def object_of(self, ref: str) -> tuple[str, str] | None:
        """Give the kind and hash of what a ref names; None where there is no such ref."""
        line = self.ask("for-each-ref", "--format=%(objecttype) %(objectname)", ref)
        return None if not line else (line.split()[0], line.split()[1])

    def full_ref(self, name: str) -> str | None:
        """Give the full ref of a branch or tag; None where there is no such."""
        for ref in (name, f"refs/heads/{name}", f"refs/tags/{name}"):
            if ref.startswith("refs/") and self.object_of(ref):
                return ref
        return None

    def ask(self, *arguments: str) -> str:
        """Run git in the bare repository; gives what it prints."""
        return run([tool("git"), *arguments], cwd=self.git).stdout.strip()

    def commit(self, edit: Edit | None, branch: str, message: str = "Change") -> str:
        """Commit an edit on a branch, which begins at main where it is new; gives the commit."""
        work = self.folder / "work"
        git = tool("git")
        run([git, "clone", "-q", "--no-local", str(self.git), str(work)])
        try:
            known = self.ask("branch", "--list", branch)
            start = f"origin/{branch}" if known else "origin/main"
            run([git, "checkout", "-q", "-B", branch, start], cwd=work)
            if edit:
                edit(work)
            run([git, "add", "--all"], cwd=work)
            run([git, "commit", "-q", "--allow-empty", f"-m{message}"], cwd=work)
            run([git, "push", "-q", "origin", branch], cwd=work)
            return run([git, "rev-parse", "HEAD"], cwd=work).stdout.strip()
        finally:
            shutil.rmtree(work)

    # ---- Events ------------------------------------------------------------------------------------------------------

    def _payload(self, **more: Any) -> dict[str, Any]:
        """Give what every event says of the repository."""
        return {
            "repository": {
                "name": self.name,
                "full_name": self.full_name,
                "owner": {"login": OWNER},
                "private": self.private,
                "default_branch": "main",
            },
            **more,
        }

    def _on_main(self, name: str, **more: Any) -> Event:
        """Give an event that is about main as it is."""
        commit = self.ask("rev-parse", MAIN)
        return Event(name, commit, MAIN, self._payload(**more))

    def push(self, edit: Edit | None = None) -> Event:
        """Push to main; without an edit, say again that main was pushed."""
        if edit:
            self.commit(edit, "main")
        return self._on_main("push", ref=MAIN)

    def scheduled(self, cron: str) -> Event:
        """Let the time of a schedule come; GitHub does not say much about the repository then."""
        event = self._on_main("schedule", schedule=cron)
        del event.payload["repository"]["private"]
        return event

    def dispatched(self, ref: str = MAIN, **inputs: Any) -> Event:
        """Start a workflow by hand, on main or on another full ref."""
        commit = self.ask("rev-parse", f"{ref}^{{commit}}")
        texts = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in inputs.items()
        }
        payload = self._payload(ref=ref, inputs=texts)
        return Event("workflow_dispatch", commit, ref, payload)

    def next_dispatch(self) -> tuple[str, Event]:
        """Take the workflow that was started first through the API; gives its file and the event."""
        first = self.dispatches.pop(0)
        return first.workflow, self.dispatched(first.ref, **first.inputs)

    def tag(self, name: str, commit: str = "main") -> Event:
        """Push a tag; where it is there already, say again that it was pushed."""
        ref = f"refs/tags/{name}"
        if self.object_of(ref) is None:
            self.ask("update-ref", ref, self.ask("rev-parse", commit))
        pushed = self.ask("rev-parse", f"{ref}^{{commit}}")
        return Event("push", pushed, ref, self._payload(ref=ref))

    def protection_changed(self) -> Event:
        """Change the protection of main."""
        return self._on_main("branch_protection_rule", action="edited")

    def released(self, tag: str) -> Event:
        """Let a person publish the draft of a tag in the web page, or say again that a release was published."""
        (release,) = (r for r in self.releases if r["tag_name"] == tag)
        release |= {"draft": False, "immutable": self.immutable_releases}
        ref = f"refs/tags/{tag}"
        commit = self.ask("rev-parse", f"{ref}^{{commit}}")
        payload = self._payload(action="published", release=release)
        return Event("release", commit, ref, payload)

    def publish_by_hand(self, tag: str) -> None:
        """Make a release in the web page, as a person does: without files."""
        from engine.github import bodies

        release = bodies.release(
            self.full_name, 1 + len(self.releases), {"tag_name": tag}
        )
        self.releases.append(release | {"immutable": self.immutable_releases})

    def pull_request(
        self,
        edit: Edit,
        author: Author = MEMBER,
        branch: str = "change",
        number: int | None = None,
    ) -> Event:
        """Open a pull request with an edit, or push another to one.

        Args:
            edit: What it changes.
            author: Who it is from.
            branch: The branch that it is on.
            number: The pull request to push to; None opens one.
        """
        head = self.commit(edit, branch)
        action = "opened" if number is None else "synchronize"
        if number is None:
            self._pulls += 1
            number = self._pulls
        ref = f"refs/pull/{number}/merge"
        commit = self._merge(head, ref)
        source = f"{author.login}/{self.name}" if author.fork else self.full_name
        return Event(
            "pull_request",
            commit,
            ref,
            self._payload(
                action=action,
                number=number,
                pull_request={
                    "number": number,
                    "head": {
                        "ref": branch,
                        "sha": head,
                        "repo": {"full_name": source, "fork": author.fork},
                    },
                    "base": {"ref": "main", "repo": {"full_name": self.full_name}},
                    "user": {"login": author.login},
                },
            ),
            author,
        )

    def merge_group(self, edit: Edit) -> Event:
        """Put a change into the merge queue."""
        ref = "refs/heads/gh-readonly-queue/main/pr-1"
        commit = self._merge(self.commit(edit, "queued"), ref)
        return Event(
            "merge_group",
            commit,
            ref,
            self._payload(action="checks_requested", merge_group={"head_ref": ref}),
        )

    def _merge(self, head: str, ref: str) -> str:
        """Merge a commit into main, under a ref of its own; gives the merge commit."""
        tree = self.ask("merge-tree", "--write-tree", MAIN, head)
        commit = self.ask(
            "commit-tree", tree, "-p", MAIN, "-p", head, "-m", f"Merge {head}"
        )
        self.ask("update-ref", ref, commit)
        return commit
