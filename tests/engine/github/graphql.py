"""What GitHub's GraphQL API answers, held to GitHub's own schema: gh asks it for some of what it wants to know."""

from __future__ import annotations

import functools
from typing import Any

from graphql import GraphQLSchema, build_schema, graphql_sync

from engine import openapi
from engine.github import pulls
from engine.github.call import Call, Refusal
from engine.repository import OWNER, Repository

PATH = "/graphql"
PACKAGE, FILE = "@octokit/graphql-schema@15.26.1", "package/schema.graphql"

# What every repository here is like.
ABOUT: dict[str, Any] = {
    "id": "R_1",
    "owner": {"__typename": "User", "login": OWNER},
    "defaultBranchRef": {"name": "main"},
    "viewerPermission": "WRITE",
    **dict.fromkeys(
        (
            "hasIssuesEnabled",
            "hasWikiEnabled",
            "mergeCommitAllowed",
            "rebaseMergeAllowed",
            "squashMergeAllowed",
        ),
        True,
    ),
}


@functools.cache
def schema() -> GraphQLSchema:
    """Give GitHub's schema."""
    text = openapi.npm_file(PACKAGE, FILE).read_text("utf-8")
    return build_schema(text, assume_valid=True)


def answer(here: Repository, call: Call) -> Any:
    """Answer a query; raises Contradiction where the schema or this fake does not know what is asked."""

    def release(_: Any, tagName: str) -> dict[str, Any] | None:
        writes = call.may("contents", level="write")
        for known in reversed(here.releases):
            if known["tag_name"] == tagName and (writes or not known["draft"]):
                return {"databaseId": known["id"], "isDraft": known["draft"]}
        return None

    def ref(_: Any, qualifiedName: str) -> dict[str, Any] | None:
        found = here.object_of(qualifiedName)
        return {"id": f"REF_{found[1]}"} if found else None

    def repository(_: Any, owner: str, name: str, **__: Any) -> dict[str, Any] | None:
        ours = f"{owner}/{name}".lower() == here.full_name.lower()
        if not ours or not here.created:
            return None
        return ABOUT | {"name": here.name, "ref": ref, "release": release}

    def create(_: Any, input: dict[str, Any]) -> dict[str, Any]:
        # There is one name that can be made.
        if here.created or input["name"] != here.name:
            raise Refusal(422, "Name already exists on this account")
        if not call.may("administration", level="write"):
            raise Refusal(403, "Resource not accessible by integration")
        here.created = True
        here.private = input["visibility"] != "PUBLIC"
        url = f"https://github.com/{here.full_name}"
        return {"repository": ABOUT | {"name": here.name, "url": url}}

    def to_draft(_: Any, input: dict[str, Any]) -> Any:
        return pulls.switch_draft(here, call, input["pullRequestId"], draft=True)

    def to_ready(_: Any, input: dict[str, Any]) -> Any:
        return pulls.switch_draft(here, call, input["pullRequestId"], draft=False)

    body = call.body
    done = graphql_sync(
        schema(),
        body["query"],
        root_value={
            "repository": repository,
            "createRepository": create,
            "convertPullRequestToDraft": to_draft,
            "markPullRequestReadyForReview": to_ready,
        },
        variable_values=body.get("variables"),
    )
    refused = [
        error.original_error
        for error in done.errors or []
        if isinstance(error.original_error, Refusal)
    ]
    if refused:
        # With status 200, unlike REST.
        return {"data": None, "errors": [{"message": str(r)} for r in refused]}
    if done.errors:
        raise openapi.Contradiction(f"{body['query']}: {done.errors}")
    return {"data": done.data}
