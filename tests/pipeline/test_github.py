"""What the fake GitHub must refuse, as GitHub does; each request and answer is held to GitHub's description on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine.github import bodies
from engine.github.server import GitHub
from engine.repository import Dispatch, Repository
from harness import run, tool
from werkzeug.test import Client, TestResponse

WORKFLOW = """\
name: Sample
on:
  workflow_dispatch:
    inputs:
      index:
        type: choice
        options: [testpypi, pypi]
        default: testpypi
jobs: {}
"""
WRITES = dict.fromkeys(("contents", "actions", "issues", "pull-requests"), "write")
CHANGE = {"title": "Change", "head": "change", "base": "main"}
JOB = "secret@Sample@job"
BASE = "/repos/octo/sample-project"
DISPATCH = "/actions/workflows/sample.yml/dispatches"


@pytest.fixture
def here(tmp_path: Path) -> Repository:
    """Give a repository with a workflow, a draft and a published release."""
    project = tmp_path / "project"
    folder = project / ".github/workflows"
    folder.mkdir(parents=True)
    (folder / "sample.yml").write_text(WORKFLOW, "utf-8")
    (folder / "other.yml").write_text("name: Other\non: push\njobs: {}\n", "utf-8")
    git = tool("git")
    for command in (
        ["init", "-q", "--initial-branch=main"],
        ["add", "--all"],
        ["commit", "-q", "--message=Start"],
    ):
        run([git, *command], cwd=project)
    made = Repository(tmp_path / "github", project)
    made.commit(None, "change")
    made.ask("branch", "same", "main")
    for tag, draft in (("v1.0.0", False), ("v1.1.0", True)):
        made.tag(tag)
        number = 1 + len(made.releases)
        release = bodies.release(made.full_name, number, {"tag_name": tag})
        release |= {"draft": draft, "immutable": not draft}
        made.releases.append(release)
    asset = bodies.asset(made.full_name, 1, "notes.txt", 1, "sha256:0")
    made.releases[0]["assets"].append(asset)
    return made


def ask(
    here: Repository,
    method: str,
    path: str,
    body: Any = None,
    *,
    held: dict[str, str] = WRITES,
    token: str = JOB,
) -> TestResponse:
    """Ask as a job that has some permissions."""
    github = GitHub(here, {("Sample", "job"): held}, "secret")
    headers = {"Authorization": f"token {token}", "Accept": "application/json"}
    content: dict[str, Any] = {} if body is None else {"json": body}
    if isinstance(body, bytes):
        content = {"data": body, "content_type": "application/octet-stream"}
    url = "https://uploads.github.com" if "?name=" in path else "https://api.github.com"
    answer = Client(github).open(
        BASE + path, url, method=method, headers=headers, **content
    )
    assert github.contradictions == []
    return answer


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        (
            "POST",
            DISPATCH,
            {"ref": "main", "inputs": {"x": "1"}},
            422,
            "Unexpected inputs",
        ),
        (
            "POST",
            DISPATCH,
            {"ref": "main", "inputs": {"index": "x"}},
            422,
            "is no option",
        ),
        ("POST", DISPATCH, {"ref": "none"}, 422, "No ref found for: none"),
        (
            "POST",
            DISPATCH.replace("sample", "other"),
            {"ref": "main"},
            422,
            "does not have 'workflow_dispatch' trigger",
        ),
        ("POST", DISPATCH.replace("sample", "none"), {"ref": "main"}, 404, "Not Found"),
        ("POST", "/releases", {"tag_name": "v1.0.0"}, 422, "already_exists"),
        (
            "PATCH",
            "/releases/1",
            {"draft": True, "tag_name": "v1.0.0"},
            422,
            "immutable",
        ),
        ("PATCH", "/releases/1", {"tag_name": "v2.0.0"}, 422, "immutable"),
        ("PATCH", "/releases/9", {"body": ""}, 404, "Not Found"),
        ("POST", "/releases/1/assets?name=more.txt", b"x", 422, "immutable"),
        ("DELETE", "/releases/assets/1", None, 422, "immutable"),
        ("GET", "/releases/tags/v1.1.0", None, 404, "Not Found"),
        (
            "POST",
            "/git/refs",
            {"ref": "refs/tags/v1.0.0", "sha": "0" * 40},
            422,
            "Reference already exists",
        ),
        ("GET", "/git/ref/tags/v9", None, 404, "Not Found"),
        ("GET", "/pulls?head=change", None, 422, "form of owner:branch"),
        ("POST", "/pulls", CHANGE | {"head": "none"}, 422, "none is no branch"),
        ("POST", "/pulls", CHANGE | {"base": "none"}, 422, "none is no branch"),
        ("POST", "/pulls", CHANGE | {"head": "same"}, 422, "No commits between"),
        ("PATCH", "/pulls/9", {"title": "Other"}, 404, "Not Found"),
        ("POST", "/issues/9/labels", {"labels": ["red"]}, 404, "Not Found"),
        ("DELETE", "/issues/9/labels/red", None, 404, "Not Found"),
    ],
)
def test_what_github_refuses_is_refused(
    here: Repository, method: str, path: str, body: Any, status: int, says: str
) -> None:
    answer = ask(here, method, path, body)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text
    assert (here.changes, here.dispatches) == (0, [])


def test_a_name_is_attached_once(here: Repository) -> None:
    path = "/releases/2/assets?name=notes.txt"
    statuses = [ask(here, "POST", path, b"x").status_code for _ in range(2)]
    assert statuses == [201, 422]


def test_a_draft_whose_tag_is_not_said_again_loses_it(here: Repository) -> None:
    assert ask(here, "PATCH", "/releases/2", {"body": "Sung."}).status_code == 200
    assert here.releases[1]["tag_name"] == "untagged-2"


def test_notes_of_an_immutable_release_can_be_edited(here: Repository) -> None:
    assert ask(here, "PATCH", "/releases/1", {"body": "Sung."}).status_code == 200
    assert here.releases[0]["body"] == "Sung."


def test_a_dispatch_has_the_defaults_of_its_inputs(here: Repository) -> None:
    assert ask(here, "POST", DISPATCH, {"ref": "v1.0.0"}).status_code == 204
    expected = Dispatch("sample.yml", "refs/tags/v1.0.0", {"index": "testpypi"})
    assert here.dispatches == [expected]


@pytest.mark.parametrize("private", [True, False])
@pytest.mark.parametrize(
    ("method", "path", "body", "needs_in_public"),
    [
        ("GET", "/git/ref/tags/v1.0.0", None, False),
        ("GET", "/releases", None, False),
        ("GET", "/releases/tags/v1.0.0", None, False),
        ("POST", "/git/refs", {"ref": "refs/tags/v3", "sha": "0" * 40}, True),
        ("POST", "/releases", {"tag_name": "v3", "draft": True}, True),
        ("PATCH", "/releases/2", {"body": ""}, True),
        ("POST", DISPATCH, {"ref": "main"}, True),
        ("GET", "/pulls", None, False),
        ("POST", "/pulls", CHANGE, True),
        ("PATCH", "/pulls/1", {"title": "Other"}, True),
        ("POST", "/issues/1/labels", {"labels": ["red"]}, True),
        ("DELETE", "/issues/1/labels/red", None, True),
    ],
)
def test_a_missing_grant_is_a_403(
    here: Repository,
    method: str,
    path: str,
    body: Any,
    needs_in_public: bool,
    private: bool,
) -> None:
    here.private = private
    status = ask(here, method, path, body, held={}).status_code
    assert (status == 403) == (private or needs_in_public)


def test_two_branches_have_one_open_pull_request(here: Repository) -> None:
    statuses = [ask(here, "POST", "/pulls", CHANGE).status_code for _ in range(2)]
    assert statuses == [201, 422]
    assert ask(here, "PATCH", "/pulls/1", {"state": "closed"}).status_code == 200
    assert ask(here, "POST", "/pulls", CHANGE).status_code == 201
    listed = ask(here, "GET", "/pulls?state=all&head=octo:change&base=main").json
    assert [pull["number"] for pull in listed or []] == [2, 1]
    assert ask(here, "GET", "/pulls?head=octo:other").json == []


def test_drafts_are_there_or_not(here: Repository) -> None:
    here.drafts = False
    answer = ask(here, "POST", "/pulls", CHANGE | {"draft": True})
    assert (answer.status_code, "not supported" in answer.text) == (422, True)
    assert ask(here, "POST", "/pulls", CHANGE).status_code == 201
    switch = "mutation($id: ID!) { convertPullRequestToDraft(input: {pullRequestId: $id}) { clientMutationId } }"
    query = {"query": switch, "variables": {"id": "PR_1"}}
    assert "not supported" in query_github(here, query)
    here.drafts = True
    assert "errors" not in query_github(here, query)
    assert here.pulls[0]["draft"]
    query["variables"] = {"id": "PR_9"}
    assert "Could not resolve to a node" in query_github(here, query)
    assert "not accessible" in query_github(here, query, held={})


def query_github(here: Repository, query: Any, *, held: dict[str, str] = WRITES) -> str:
    """Send a query or a mutation; gives the answer."""
    github = GitHub(here, {("Sample", "job"): held}, "secret")
    headers = {"Authorization": f"token {JOB}"}
    url = "https://api.github.com"
    return Client(github).post("/graphql", url, json=query, headers=headers).text


def test_a_new_label_needs_the_right_to_issues(here: Repository) -> None:
    ask(here, "POST", "/pulls", CHANGE)
    labels = ("POST", "/issues/1/labels", {"labels": ["red"]})
    held = {"pull-requests": "write"}
    assert "permission to create labels" in ask(here, *labels, held=held).text
    assert ask(here, *labels).status_code == 200
    assert ask(here, *labels, held=held).status_code == 200


def test_texts_have_a_longest_and_issues_may_be_off(here: Repository) -> None:
    for path, body in (("/issues", {"title": "Long"}), ("/pulls", CHANGE)):
        answer = ask(here, "POST", path, body | {"body": "x" * 65_537})
        assert (answer.status_code, "too long" in answer.text) == (422, True)
    here.has_issues = False
    assert ask(here, "POST", "/issues", {"title": "Off"}).status_code == 410


def test_a_label_is_put_on_once_and_taken_off_once(here: Repository) -> None:
    ask(here, "POST", "/pulls", CHANGE)
    for _ in range(2):
        assert ask(here, "POST", "/issues/1/labels", {"labels": ["red"]}).json
    assert [label["name"] for label in here.pulls[0]["labels"]] == ["red"]
    statuses = [
        ask(here, "DELETE", "/issues/1/labels/red").status_code for _ in range(2)
    ]
    assert statuses == [200, 404]


def test_drafts_are_for_those_who_may_write(here: Repository) -> None:
    shown = [
        {r["tag_name"] for r in ask(here, "GET", "/releases", held=held).json or []}
        for held in ({"contents": "read"}, WRITES)
    ]
    assert shown == [{"v1.0.0"}, {"v1.0.0", "v1.1.0"}]


@pytest.mark.parametrize("token", ["other@Sample@job", "secret@Sample@other", "secret"])
def test_a_token_of_no_job_is_refused(here: Repository, token: str) -> None:
    assert ask(here, "GET", "/releases", token=token).status_code == 401
