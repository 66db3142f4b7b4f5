"""What template-update.yml proposes: one issue or one pull request, kept up to date, and what it leaves alone.

The script is started as the workflow starts it, with the real gh and the real git; the workflow itself is run in
test_green.py.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine import network
from engine.app_tokens import app_token
from engine.fixtures import MakeRepository
from engine.github import git
from engine.github.bodies import account, issue, label
from engine.github.server import HOSTS, GitHub
from engine.repository import MAIN, Repository
from harness import run, tool
from meddling import changes
from planting import append, write
from scenarios import APP_PERMISSIONS, SMALL, with_template

BRANCH = "refs/heads/template-update"
TITLE = "Update the pipeline template to v1.{}.0"
CONFLICT = "template-conflict"
SCRIPT = "scripts/update_from_template.py"
SECRET = "made-up"  # noqa: S105
# The grants of the job that keeps the issue, see template-update.yml.
GRANTS = {("Template update", "issue"): {"contents": "read", "issues": "write"}}
ISSUE = f"{SECRET}@Template_update@issue"
APP = app_token(SECRET, APP_PERMISSIONS)


@pytest.fixture
def here(repository: MakeRepository) -> Repository:
    """Give a project whose template has a newer version, 1.1.0."""
    made = repository(**SMALL)
    with_template("v1.1.0")(made)
    return made


class Update:
    """Starts the script as the workflow's jobs do, each in a checkout of its own."""

    def __init__(self, folder: Path) -> None:
        """Take a folder for the checkouts."""
        self.folder = folder
        self.number = 0

    def checkout(self, here: Repository) -> Path:
        """Check main out, with all branches."""
        self.number += 1
        folder = self.folder / f"checkout-{self.number}"
        run([tool("git"), "clone", "-q", "--branch=main", str(here.git), str(folder)])
        address = f"https://github.com/{here.full_name}"
        run([tool("git"), "remote", "set-url", "origin", address], cwd=folder)
        return folder

    def save(self, here: Repository) -> Path:
        """Save the update; what the hooks find is shown elsewhere."""
        folder = self.checkout(here)
        saved = folder.with_name(f"{folder.name}-saved")
        command = [sys.executable, SCRIPT, "--no-hooks", "--save", str(saved)]
        run(command, cwd=folder)
        return saved

    def propose(
        self,
        here: Repository,
        saved: Path,
        token: str = APP,
        *,
        status: int | None = 0,
        branch: str = "main",
    ) -> str:
        """Propose what was saved, as a pull request with the App's token, else as an issue; gives what was said."""
        mode = "--propose" if token.startswith(APP.partition(":")[0]) else "--tell"
        github = GitHub(here, GRANTS, SECRET)
        applications: dict[str, Any] = dict.fromkeys(HOSTS, github)
        applications[git.HOST] = git.Git(here, GRANTS, SECRET)
        folder = self.checkout(here)
        with network.serving(applications, self.folder) as leading:
            variables = {
                **leading,
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder),
                "GH_TOKEN": token,
                "GITHUB_REPOSITORY": here.full_name,
                "GITHUB_REF_NAME": branch,
            }
            # Isolated: with nothing but Python itself, as in the job that has the token.
            command = [sys.executable, "-IS", SCRIPT, mode, str(saved)]
            done = run(command, cwd=folder, env=variables, check=False)
        assert github.contradictions == []
        assert status in (None, done.returncode), done.stderr
        return done.stdout + done.stderr

    def __call__(self, here: Repository, token: str = APP) -> str:
        """Do both."""
        return self.propose(here, self.save(here), token)


@pytest.fixture
def update(tmp_path: Path) -> Update:
    """Give what starts the script."""
    return Update(tmp_path)


def file_on(here: Repository, ref: str, path: str) -> str:
    """Give what a file holds on a branch."""
    return here.ask("show", f"{ref}:{path}")


def state(here: Repository) -> object:
    """Give what people see: the branch with its files, pull requests, issues and comments."""
    exists = here.object_of(BRANCH)
    return (
        exists and here.ask("rev-parse", f"{BRANCH}^{{tree}}", f"{BRANCH}^"),
        [
            (p["number"], p["state"], p["title"], p["body"], p["draft"], names(p))
            for p in here.pulls
        ],
        [
            (i["number"], i["state"], i["title"], i["body"], names(i))
            for i in here.issues
        ],
        {n: [c["body"] for c in comments] for n, comments in here.comments.items()},
    )


def names(labelled: dict[str, Any]) -> list[str]:
    """Give the names of the labels of an issue or pull request."""
    return [label["name"] for label in labelled["labels"]]


def changed_by(
    here: Repository, update: Update, token: str = APP
) -> list[tuple[str, str, int]]:
    """Update; gives what that changed on GitHub."""
    before = len(changes(here))
    update(here, token)
    return changes(here)[before:]


# ---- Pull requests ---------------------------------------------------------------------------------------------------


def test_one_pull_request_follows_the_newest_version(
    here: Repository, update: Update
) -> None:
    update(here)
    (pull,) = here.pulls
    assert pull["title"] == TITLE.format(1)
    assert "Template: v1.0.0 → v1.1.0" in pull["body"]
    assert "`new-in-v1.1.0.txt`" in pull["body"]
    assert (pull["draft"], names(pull), here.issues) == (False, [], [])
    assert pull["user"]["login"] == "update-app[bot]"
    assert file_on(here, BRANCH, "version.txt") == "v1.1.0"
    assert here.ask("rev-list", "--count", f"main..{BRANCH}") == "1"
    assert file_on(here, "main", "version.txt") == "v1.0.0"
    # Once more: nothing is new.
    before = state(here)
    pushed = here.ask("rev-parse", BRANCH)
    update(here)
    assert (state(here), here.ask("rev-parse", BRANCH)) == (before, pushed)
    # A newer version, and main has moved on.
    with_template("v1.1.0", "v1.2.0")(here)
    moved = here.commit(append("README.md", "\nMore.\n"), "main")
    update(here)
    (pull,) = here.pulls
    assert pull["title"] == TITLE.format(2)
    assert here.ask("rev-parse", f"{BRANCH}^") == moved
    assert file_on(here, BRANCH, "version.txt") == "v1.2.0"
    # Merged, and the branch still there: the next version gets a pull request of its own.
    here.ask("update-ref", MAIN, BRANCH)
    pull |= {"state": "closed", "merged_at": "2026-11-25T00:00:00Z"}
    with_template("v1.3.0")(here)
    update(here)
    assert [p["title"] for p in here.pulls] == [TITLE.format(n) for n in (2, 3)]


def test_conflicts_make_a_labelled_draft_until_they_are_gone(
    here: Repository, update: Update
) -> None:
    here.commit(write("version.txt", "ours\n"), "main")
    update(here)
    (pull,) = here.pulls
    assert (pull["draft"], names(pull)) == (True, [CONFLICT])
    assert "Conflicts left for you to decide: 1" in pull["body"]
    assert "`version.txt`, line 1: you have `ours`" in pull["body"]
    assert "<<<<<<<" in file_on(here, BRANCH, "version.txt")
    # Somebody takes it out of draft: that is theirs to decide.
    pull["draft"] = False
    update(here)
    assert (pull["draft"], names(pull)) == (False, [CONFLICT])
    # On main it is as the template has it again.
    pull["draft"] = True
    here.commit(write("version.txt", "v1.0.0\n"), "main")
    update(here)
    assert (here.pulls[0]["draft"], names(pull)) == (False, [])
    assert file_on(here, BRANCH, "version.txt") == "v1.1.0"
    # And once more a conflict.
    here.commit(write("version.txt", "ours\n"), "main")
    update(here)
    assert (here.pulls[0]["draft"], names(pull)) == (True, [CONFLICT])


def test_without_drafts_the_label_says_it(here: Repository, update: Update) -> None:
    """As in private repositories of the Free plan."""
    here.drafts, here.private = False, True
    here.commit(write("version.txt", "ours\n"), "main")
    update(here)
    (pull,) = here.pulls
    assert (pull["draft"], names(pull)) == (False, [CONFLICT])
    # One that had no conflict before.
    pull["labels"] = []
    said = update(here)
    assert (pull["draft"], names(pull)) == (False, [CONFLICT])
    assert "Draft pull requests are not supported" in said


@pytest.mark.parametrize(
    "meddle",
    [
        lambda here: here.commit(append("README.md", "\nMine.\n"), "template-update"),
        lambda here: merge_main(here),
        lambda here: amend(here),
    ],
    ids=["a commit", "main merged into it", "amended"],
)
def test_a_person_s_commits_are_left_alone(
    here: Repository, update: Update, meddle: Callable[[Repository], object]
) -> None:
    update(here)
    meddle(here)
    before, theirs = state(here), here.ask("rev-parse", BRANCH)
    # The version is the same: there is nothing to say.
    assert "left as it is" in update(here)
    assert state(here) == before
    # A newer one: it is said once.
    with_template("v1.2.0")(here)
    for _ in range(2):
        update(here)
    (pull,) = here.pulls
    assert pull["title"] == TITLE.format(1)
    assert here.ask("rev-parse", BRANCH) == theirs
    (comment,) = here.comments[pull["number"]]
    assert "Version v1.2.0 of the template is out" in comment["body"]


def merge_main(here: Repository) -> None:
    """Press "Update branch" in the web page."""
    here.commit(append("README.md", "\nMore.\n"), "main")
    tree = here.ask("merge-tree", "--write-tree", "main", BRANCH)
    parents = ("-p", BRANCH, "-p", "main")
    here.ask(
        "update-ref", BRANCH, here.ask("commit-tree", tree, *parents, "-m", "Merge")
    )


def amend(here: Repository) -> None:
    """Change the commit, and push it by force."""
    other = here.commit(append("README.md", "\nMine.\n"), "other")
    tree = f"{other}^{{tree}}"
    amended = here.ask("commit-tree", tree, "-p", "main", "-m", TITLE.format(1))
    here.ask("update-ref", BRANCH, amended)


def test_a_branch_of_that_name_that_was_there_is_left_alone(
    here: Repository, update: Update
) -> None:
    theirs = here.commit(append("README.md", "\nMine.\n"), "template-update")
    said = update.propose(here, update.save(here), status=2)
    assert "left as it is" in said
    assert (here.ask("rev-parse", BRANCH), here.pulls) == (theirs, [])


def test_what_was_squashed_into_main_is_not_in_the_way(
    here: Repository, update: Update
) -> None:
    """GitHub keeps the branch, with the commits of who decided the conflicts."""
    update(here)
    theirs = here.commit(append("README.md", "\nMine.\n"), "template-update")
    squashed = here.ask(
        *("commit-tree", f"{theirs}^{{tree}}", "-p", "main", "-m", TITLE.format(1))
    )
    here.ask("update-ref", MAIN, squashed)
    (pull,) = here.pulls
    pull |= {"state": "closed", "merged_at": "2026-11-25T00:00:00Z"}
    pull["head"]["sha"] = theirs
    with_template("v1.2.0")(here)
    update(here)
    assert [p["title"] for p in here.pulls] == [TITLE.format(n) for n in (1, 2)]
    assert here.ask("rev-parse", f"{BRANCH}^") == squashed


def test_only_main_is_proposed(here: Repository, update: Update) -> None:
    saved = update.save(here)
    for token in (APP, ISSUE):
        said = update.propose(here, saved, token, status=2, branch="change")
        assert "start this on main" in said
    assert (here.pulls, here.issues, here.object_of(BRANCH)) == ([], [], None)


def test_what_was_closed_is_not_proposed_again(
    here: Repository, update: Update
) -> None:
    update(here)
    (pull,) = here.pulls
    pull["state"] = "closed"
    here.ask("update-ref", "-d", BRANCH)
    assert changed_by(here, update) == []
    assert here.object_of(BRANCH) is None
    with_template("v1.2.0")(here)
    update(here)
    assert [p["title"] for p in here.pulls] == [TITLE.format(n) for n in (1, 2)]


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (
            "contents",
            "Permission to the repository denied|The requested URL returned error: 403",
        ),
        ("issues", "You do not have permission to create labels"),
        ("pull-requests", "Resource not accessible by integration"),
        ("workflows", "without `workflows` permission"),
    ],
)
def test_a_token_with_too_little_is_refused(
    here: Repository, update: Update, missing: str, says: str
) -> None:
    here.private = True
    here.commit(write("version.txt", "ours\n"), "main")
    # A template that changes a workflow.
    template = here.folder / "template"
    write("template/.github/workflows/trivy.yml", "name: Trivy\n")(template)
    with_template("v1.2.0")(here)
    saved = update.save(here)
    held = {name: level for name, level in APP_PERMISSIONS.items() if name != missing}
    said = update.propose(here, saved, app_token(SECRET, held), status=2)
    assert re.search(says, said), said
    # With all that it needs it goes on.
    update.propose(here, saved)
    (pull,) = here.pulls
    assert (pull["draft"], names(pull)) == (True, [CONFLICT])


def test_what_is_not_the_saved_update_is_refused(
    here: Repository, update: Update, tmp_path: Path
) -> None:
    saved = update.save(here)
    here.commit(append("README.md", "\nMore.\n"), "main")
    assert "an update of another commit" in update.propose(here, saved, status=2)
    (saved / "proposal.json").write_text("{}", "utf-8")
    for folder in (saved, tmp_path / "nothing"):
        assert "holds no update" in update.propose(here, folder, status=2)
    assert (here.pulls, here.object_of(BRANCH)) == ([], None)


@pytest.mark.parametrize("token", [APP, ISSUE])
def test_a_text_is_no_longer_than_github_takes_it(
    here: Repository, update: Update, token: str
) -> None:
    for number in range(500):
        write(f"template/{number}-{'long' * 40}.txt", "New.\n")(
            here.folder / "template"
        )
    with_template("v1.2.0")(here)
    update(here, token)
    (proposed,) = (*here.pulls, *here.issues)
    assert "the rest is in the summary of the run" in proposed["body"]


# ---- Issues ----------------------------------------------------------------------------------------------------------


def test_one_issue_follows_the_newest_version(here: Repository, update: Update) -> None:
    # A person may write what a workflow writes, label and all.
    theirs = issue(here.full_name, 99, TITLE.format(1), "I say so") | {
        "user": account("member", "User"),
        "labels": [label(here.full_name, "template-update")],
    }
    here.issues.append(theirs)
    update(here, ISSUE)
    (_, ours) = here.issues
    assert (ours["title"], names(ours)) == (TITLE.format(1), ["template-update"])
    assert "uv run scripts/update_from_template.py" in ours["body"]
    assert "`new-in-v1.1.0.txt`" in ours["body"]
    assert here.object_of(BRANCH) is None
    with_template("v1.2.0")(here)
    update(here, ISSUE)
    assert [i["title"] for i in here.issues] == [TITLE.format(n) for n in (1, 2)]
    assert here.issues[0]["body"] == "I say so"
    # Closed: this version is not told again, the next one is.
    ours["state"] = "closed"
    assert changed_by(here, update, ISSUE) == []
    with_template("v1.3.0")(here)
    update(here, ISSUE)
    assert [i["title"] for i in here.issues[1:]] == [TITLE.format(n) for n in (2, 3)]


def test_without_issues_the_run_says_it(here: Repository, update: Update) -> None:
    here.has_issues = False
    assert "uv run scripts/update_from_template.py" in update(here, ISSUE)
    assert here.issues == []


def test_the_pull_request_takes_the_issue_s_place(
    here: Repository, update: Update
) -> None:
    saved = update.save(here)
    update.propose(here, saved, ISSUE)
    update.propose(here, saved)
    assert [i["state"] for i in here.issues] == ["closed"]
    assert [p["state"] for p in here.pulls] == ["open"]


# ---- Ended in between ------------------------------------------------------------------------------------------------


def conflict_after_all(here: Repository) -> None:
    """Let the proposed update have a conflict that it had not."""
    here.commit(write("version.txt", "ours\n"), "main")


def no_conflict_any_more(here: Repository) -> None:
    """Let main be as the template has it."""
    here.commit(write("version.txt", "v1.0.0\n"), "main")


@pytest.mark.parametrize(
    ("prepared", "token"),
    [
        pytest.param([], ISSUE, id="issue"),
        pytest.param([], APP, id="pull request"),
        pytest.param([conflict_after_all], APP, id="draft"),
        pytest.param(
            [None, conflict_after_all], APP, id="pull request becomes a draft"
        ),
        pytest.param(
            [conflict_after_all, None, no_conflict_any_more],
            APP,
            id="draft becomes ready",
        ),
    ],
)
def test_ended_behind_any_change_and_started_again(
    here: Repository,
    update: Update,
    tmp_path: Path,
    prepared: list[Callable[[Repository], object] | None],
    token: str,
) -> None:
    for prepare in prepared:
        if prepare:
            prepare(here)
        else:
            update(here, token)
    saved = update.save(here)
    undisturbed = here.copy(tmp_path / "undisturbed")
    before = undisturbed.changes
    update.propose(undisturbed, saved, token)
    points = undisturbed.changes - before
    assert points
    for point in range(1, points + 1):
        again = here.copy(tmp_path / f"cut-{point}")
        again.cut_off_after = again.changes + point
        update.propose(again, saved, token, status=2 if point < points else None)
        again.cut_off_after = None
        update.propose(again, saved, token)
        assert state(again) == state(undisturbed), point
