"""What GitHub's API says of a repository and what is in it: each function gives the body that GitHub describes."""

from __future__ import annotations

from typing import Any

from policy import Workflow

from engine import openapi
from engine.repository import OWNER, Repository

NOW = "2026-11-24T00:00:00Z"
API = "https://api.github.com"
UPLOADS = "https://uploads.github.com"
WEB = "https://github.com"


def account(login: str, kind: str) -> dict[str, Any]:
    """Give an account as GitHub describes one."""
    address = f"https://api.github.com/users/{login}"
    links = (
        "followers_url",
        "following_url",
        "gists_url",
        "starred_url",
        "subscriptions_url",
        "organizations_url",
        "repos_url",
        "events_url",
        "received_events_url",
    )
    return {
        "login": login,
        "id": 1,
        "node_id": "U",
        "avatar_url": address,
        "gravatar_id": "",
        "url": address,
        "html_url": f"https://github.com/{login}",
        **{link: f"{address}/{link.removesuffix('_url')}" for link in links},
        "type": kind,
        "site_admin": False,
    }


def public_user(login: str, kind: str) -> dict[str, Any]:
    """Give what everybody sees of an account that has filled in nothing."""
    texts = ("bio", "blog", "company", "email", "hireable", "location", "name")
    counts = ("followers", "following", "public_gists", "public_repos")
    return {
        **account(login, kind),
        **dict.fromkeys(texts),
        **dict.fromkeys(counts, 0),
        "user_view_type": "public",
        "created_at": NOW,
        "updated_at": NOW,
    }


BOT = account("github-actions[bot]", "Bot")


def full_repository(full_name: str, *, private: bool, fork: bool) -> dict[str, Any]:
    """Give a repository as GitHub describes one."""
    address = f"https://api.github.com/repos/{full_name}"
    links = [
        name
        for name in openapi.description()["components"]["schemas"]["full-repository"][
            "required"
        ]
        if name.endswith("_url")
    ]
    return {
        **{link: f"{address}/{link.removesuffix('_url')}" for link in links},
        "id": 1,
        "node_id": "R",
        "name": full_name.rpartition("/")[2],
        "full_name": full_name,
        "owner": account(OWNER, "Organization"),
        "private": private,
        "visibility": "private" if private else "public",
        "html_url": f"https://github.com/{full_name}",
        "url": address,
        "description": None,
        "fork": fork,
        "homepage": None,
        "language": "Python",
        "mirror_url": None,
        "default_branch": "main",
        "license": None,
        "disabled": False,
        "archived": False,
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        **dict.fromkeys(
            (
                "forks_count",
                "forks",
                "stargazers_count",
                "watchers_count",
                "watchers",
                "size",
                "open_issues_count",
                "open_issues",
                "network_count",
                "subscribers_count",
            ),
            0,
        ),
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), NOW),
    }


def comment(full_name: str, number: int, id_: int, text: str) -> dict[str, Any]:
    """Give a comment of the workflow's on an issue or a pull request."""
    address = f"{API}/repos/{full_name}/issues"
    return {
        "id": id_,
        "node_id": "IC",
        "url": f"{address}/comments/{id_}",
        "html_url": f"{WEB}/{full_name}/issues/{number}#issuecomment-{id_}",
        "issue_url": f"{address}/{number}",
        "body": text,
        "user": BOT,
        "created_at": NOW,
        "updated_at": NOW,
        "author_association": "NONE",
    }


def issue(full_name: str, number: int, title: str, text: str | None) -> dict[str, Any]:
    """Give an open issue of the workflow's."""
    address = f"{API}/repos/{full_name}"
    return {
        "id": number,
        "node_id": "I",
        "number": number,
        "url": f"{address}/issues/{number}",
        "repository_url": address,
        **{
            f"{what}_url": f"{address}/issues/{number}/{what}"
            for what in ("labels", "comments", "events")
        },
        "html_url": f"{WEB}/{full_name}/issues/{number}",
        "state": "open",
        "title": title,
        "body": text,
        "user": BOT,
        "labels": [],
        "assignee": None,
        "milestone": None,
        "locked": False,
        "comments": 0,
        "closed_at": None,
        "created_at": NOW,
        "updated_at": NOW,
    }


def label(full_name: str, name: str) -> dict[str, Any]:
    """Give a label that was made by being put on something."""
    return {
        "id": 1,
        "node_id": "L",
        "url": f"{API}/repos/{full_name}/labels/{name}",
        "name": name,
        "description": "",
        "color": "ededed",
        "default": False,
    }


# What only the answer about one pull request says.
FULL_PULL: dict[str, Any] = {
    "additions": 1,
    "changed_files": 1,
    "comments": 0,
    "commits": 1,
    "deletions": 0,
    "mergeable": None,
    "mergeable_state": "unknown",
    "merged": False,
    "maintainer_can_modify": False,
    "merged_by": None,
    "review_comments": 0,
}


def pull(
    here: Repository, number: int, asked: dict[str, Any], author: str
) -> dict[str, Any]:
    """Give an open pull request between two branches of a repository."""
    web, address = f"{WEB}/{here.full_name}", f"{API}/repos/{here.full_name}"
    itself = f"{address}/pulls/{number}"
    about = full_repository(here.full_name, private=here.private, fork=here.fork)

    def side(branch: str) -> dict[str, Any]:
        return {
            "label": f"{OWNER}:{branch}",
            "ref": branch,
            "repo": about,
            "sha": here.ask("rev-parse", f"refs/heads/{branch}"),
            "user": account(OWNER, "Organization"),
        }

    links = {
        "self": itself,
        "html": f"{web}/pull/{number}",
        "issue": f"{address}/issues/{number}",
        "comments": f"{address}/issues/{number}/comments",
        "commits": f"{itself}/commits",
        "review_comments": f"{itself}/comments",
        "review_comment": f"{itself}/comments{{/number}}",
        "statuses": f"{address}/statuses/HEAD",
    }
    return {
        "id": number,
        "node_id": f"PR_{number}",
        "number": number,
        "url": itself,
        "diff_url": f"{links['html']}.diff",
        "patch_url": f"{links['html']}.patch",
        **{f"{name}_url": link for name, link in links.items() if name != "self"},
        "_links": {name: {"href": link} for name, link in links.items()},
        "state": "open",
        "locked": False,
        "title": asked["title"],
        "body": asked.get("body"),
        "user": account(author, "Bot"),
        "labels": [],
        "assignee": None,
        "milestone": None,
        "draft": asked.get("draft", False),
        "head": side(asked["head"]),
        "base": side(asked["base"]),
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "merge_commit_sha": None,
        **dict.fromkeys(("closed_at", "merged_at")),
        **dict.fromkeys(("created_at", "updated_at"), NOW),
        **FULL_PULL,
    }


def workflow(full_name: str, source: Workflow, files: list[str]) -> dict[str, Any]:
    """Give a workflow; its number is its place among all files."""
    path = f".github/workflows/{source.file}"
    number = files.index(source.file)
    address = f"{API}/repos/{full_name}/actions/workflows/{number}"
    return {
        "id": number,
        "node_id": "W",
        "name": source.data["name"],
        "path": path,
        "state": "active",
        "created_at": NOW,
        "updated_at": NOW,
        "url": address,
        "html_url": f"{WEB}/{full_name}/blob/main/{path}",
        "badge_url": f"{WEB}/{full_name}/workflows/{number}/badge.svg",
    }


def reference(full_name: str, ref: str, kind: str, sha: str) -> dict[str, Any]:
    """Give a ref and the commit or annotated tag that it names."""
    address = f"{API}/repos/{full_name}/git"
    return {
        "ref": ref,
        "node_id": "REF",
        "url": f"{address}/{ref}",
        "object": {"type": kind, "sha": sha, "url": f"{address}/{kind}s/{sha}"},
    }


def annotated_tag(full_name: str, sha: str, commit: str) -> dict[str, Any]:
    """Give an annotated tag and the commit that it names."""
    address = f"{API}/repos/{full_name}/git"
    return {
        "node_id": "T",
        "tag": "tag",
        "sha": sha,
        "url": f"{address}/tags/{sha}",
        "message": "",
        "tagger": {"date": NOW, "email": "member@example.org", "name": "member"},
        "object": {
            "type": "commit",
            "sha": commit,
            "url": f"{address}/commits/{commit}",
        },
    }


def release(full_name: str, number: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Give a release without assets."""
    address, tag = f"{API}/repos/{full_name}", asked["tag_name"]
    return {
        "id": number,
        "node_id": "RE",
        "url": f"{address}/releases/{number}",
        "html_url": f"{WEB}/{full_name}/releases/tag/{tag}",
        "assets_url": f"{address}/releases/{number}/assets",
        "upload_url": f"{UPLOADS}/repos/{full_name}/releases/{number}/assets{{?name,label}}",
        "tarball_url": f"{address}/tarball/{tag}",
        "zipball_url": f"{address}/zipball/{tag}",
        "tag_name": tag,
        "target_commitish": asked.get("target_commitish", "main"),
        "name": asked.get("name"),
        "body": asked.get("body"),
        "draft": asked.get("draft", False),
        "prerelease": asked.get("prerelease", False),
        "immutable": False,
        "created_at": NOW,
        "published_at": None,
        "author": BOT,
        "assets": [],
    }


def asset(
    full_name: str, number: int, name: str, size: int, digest: str
) -> dict[str, Any]:
    """Give a file of a release."""
    return {
        "id": number,
        "node_id": "RA",
        "url": f"{API}/repos/{full_name}/releases/assets/{number}",
        "browser_download_url": f"{WEB}/{full_name}/releases/download/{name}",
        "name": name,
        "label": None,
        "state": "uploaded",
        "content_type": "application/octet-stream",
        "size": size,
        "digest": digest,
        "download_count": 0,
        "created_at": NOW,
        "updated_at": NOW,
        "uploader": BOT,
    }
