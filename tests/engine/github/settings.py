"""What the API answers about the settings of a repository, and how an administrator changes them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

from engine.github import bodies
from engine.github.call import Answered, Call, Refusal
from engine.repository import OWNER, Repository

UPGRADE = "Upgrade to GitHub Pro or make this repository public to enable this feature."
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
# What GitHub adds to the parameters of a rule.
DEFAULTS: dict[str, dict[str, Any]] = {
    "pull_request": {
        "allowed_merge_methods": ["merge", "squash", "rebase"],
        "required_reviewers": [],
    },
    "required_status_checks": {"do_not_enforce_on_create": False},
    "update": {"update_allows_fetch_and_merge": False},
}


def administer(call: Call, level: str) -> None:
    """Refuse whoever is no administrator."""
    if not call.may("administration", level=level):
        raise Refusal(403, "Must have admin rights to Repository.")


def owner_kind(here: Repository) -> str:
    """Give what kind of account the repository belongs to."""
    return "Organization" if here.settings.organisation else "User"


def user(here: Repository, _: Call, login: str) -> Any:
    """Answer who somebody is; there is only the repository's owner."""
    if login != OWNER:
        raise Refusal(404, "Not Found")
    return bodies.public_user(OWNER, owner_kind(here))


def about(here: Repository, call: Call) -> dict[str, Any]:
    """Give what the repository itself says of its settings; more of it to administrators."""
    settings = here.settings
    found: dict[str, Any] = {
        "archived": settings.archived,
        "owner": bodies.account(OWNER, owner_kind(here)),
    }
    if call.may("administration", level="read"):
        names = ("secret_scanning", "secret_scanning_push_protection")
        found["security_and_analysis"] = {
            name: {"status": "enabled" if name in settings.security else "disabled"}
            for name in names
        }
    return found


def edit_repository(here: Repository, call: Call) -> Any:
    """Switch on what looks for secrets."""
    administer(call, "write")
    asked = call.body["security_and_analysis"]
    if call.body.keys() != {"security_and_analysis"}:
        raise NotImplementedError(f"this fake cannot edit {call.body.keys()}")
    if here.private and not here.settings.secret_protection:
        raise Refusal(422, "Secret scanning is not available for this repository.")
    here.settings.security |= {
        name for name, wanted in asked.items() if wanted["status"] == "enabled"
    }
    body = bodies.full_repository(here.full_name, private=here.private, fork=here.fork)
    return body | about(here, call)


# ---- Rulesets --------------------------------------------------------------------------------------------------------


def require_rulesets(here: Repository) -> None:
    """Refuse where the plan has none for a private repository."""
    if here.private and not here.settings.paid:
        raise Refusal(403, UPGRADE)


def list_rulesets(here: Repository, _: Call) -> Any:
    """Give the rulesets, those of the owner included, without what is in them."""
    require_rulesets(here)
    inside = ("rules", "conditions", "bypass_actors")
    return [
        {k: v for k, v in ruleset.items() if k not in inside}
        for ruleset in here.settings.rulesets
    ]


def one_ruleset(here: Repository, number: int) -> dict[str, Any]:
    """Give a ruleset of the repository's own."""
    require_rulesets(here)
    for ruleset in here.settings.rulesets:
        if ruleset["id"] == number and ruleset["source_type"] == "Repository":
            return ruleset
    raise Refusal(404, "Not Found")


def get_ruleset(here: Repository, call: Call, number: int) -> Any:
    """Give a ruleset; who may bypass it is told to those who may change it."""
    found = dict(one_ruleset(here, number))
    if not call.may("administration", level="write"):
        del found["bypass_actors"]
    return found


def add_ruleset(here: Repository, call: Call) -> Any:
    """Make a ruleset."""
    administer(call, "write")
    require_rulesets(here)
    settings = here.settings
    number = 1 + max((r["id"] for r in settings.rulesets), default=0)
    made = {
        "id": number,
        "source_type": "Repository",
        "source": here.full_name,
        "target": "branch",
        "bypass_actors": [],
        "conditions": None,
        "rules": [],
    }
    settings.rulesets.append(made)
    try:
        return fill_ruleset(here, made, call.body)
    except Refusal:
        settings.rulesets.remove(made)
        raise


def edit_ruleset(here: Repository, call: Call, number: int) -> Any:
    """Change a ruleset: what is said is replaced whole."""
    administer(call, "write")
    return fill_ruleset(here, one_ruleset(here, number), call.body)


def fill_ruleset(
    here: Repository, ruleset: dict[str, Any], asked: dict[str, Any]
) -> dict[str, Any]:
    """Put what is asked for into a ruleset; adds what GitHub adds."""
    others = [
        known["name"]
        for known in here.settings.rulesets
        if known is not ruleset and known["source_type"] == "Repository"
    ]
    if asked.get("name") in others:
        raise Refusal(422, "Validation Failed: Name must be unique")
    kinds = [rule["type"] for rule in asked.get("rules", [])]
    if len(set(kinds)) < len(kinds):
        raise Refusal(422, "Validation Failed: Rules must be unique")
    ruleset.update(copy.deepcopy(asked))
    for rule in ruleset["rules"]:
        if added := DEFAULTS.get(rule["type"]):
            rule["parameters"] = added | rule.get("parameters", {})
    return ruleset


# ---- Environments ----------------------------------------------------------------------------------------------------


def get_environment(here: Repository, call: Call, name: str) -> Any:
    """Tell about an environment."""
    if here.private:
        call.require("actions", level="read")
    if name not in here.settings.environments:
        raise Refusal(404, "Not Found")
    return here.settings.environments[name]


def put_environment(here: Repository, call: Call, name: str) -> Any:
    """Make an environment, or set one anew: protection that is not said is gone."""
    administer(call, "write")
    asked = call.body or {}
    if asked and here.private and not here.settings.paid:
        raise Refusal(
            422,
            "Failed to create the environment protection rule. Please ensure the billing plan supports the "
            "branch policy protection rule.",
        )
    policy = asked.get("deployment_branch_policy")
    if policy and policy["protected_branches"] == policy["custom_branch_policies"]:
        raise Refusal(422, "Both cannot be the same")
    rules: list[dict[str, Any]] = []
    if asked.get("wait_timer"):
        rules.append({"type": "wait_timer", "wait_timer": asked["wait_timer"]})
    if asked.get("reviewers"):
        reviewers = [
            {
                "type": one["type"],
                "reviewer": bodies.account("reviewer", "User") | {"id": one["id"]},
            }
            for one in asked["reviewers"]
        ]
        prevents = asked.get("prevent_self_review", False)
        rules.append(
            {
                "type": "required_reviewers",
                "prevent_self_review": prevents,
                "reviewers": reviewers,
            }
        )
    if policy:
        rules.append({"type": "branch_policy"})
    if policy != CUSTOM:
        here.settings.patterns.pop(name, None)
    address = f"{bodies.API}/repos/{here.full_name}/environments/{name}"
    here.settings.environments[name] = {
        "id": 1,
        "node_id": "EN",
        "name": name,
        "url": address,
        "html_url": address,
        "created_at": bodies.NOW,
        "updated_at": bodies.NOW,
        "protection_rules": [
            {"id": number, "node_id": "GA", **rule} for number, rule in enumerate(rules)
        ],
        "deployment_branch_policy": policy,
    }
    return here.settings.environments[name]


def patterns_of(here: Repository, call: Call, name: str) -> list[dict[str, Any]]:
    """Give the patterns of an environment; only where it has the policy for them."""
    if get_environment(here, call, name)["deployment_branch_policy"] != CUSTOM:
        raise Refusal(404, "Not Found")
    return here.settings.patterns.setdefault(name, [])


def list_patterns(here: Repository, call: Call, name: str) -> Any:
    """Give the patterns of an environment."""
    found = patterns_of(here, call, name)
    return {"total_count": len(found), "branch_policies": found}


def add_pattern(here: Repository, call: Call, name: str) -> Any:
    """Add a pattern to an environment."""
    administer(call, "write")
    found = patterns_of(here, call, name)
    asked = {"type": "branch", **call.body}
    if asked in [{"type": known["type"], "name": known["name"]} for known in found]:
        return Answered(303, None)
    number = 1 + max((known["id"] for known in found), default=0)
    found.append({"id": number, "node_id": "GABP", **asked})
    return Answered(200, found[-1])


def delete_pattern(here: Repository, call: Call, name: str, number: int) -> None:
    """Take a pattern from an environment."""
    administer(call, "write")
    found = patterns_of(here, call, name)
    left = [known for known in found if known["id"] != number]
    if len(left) == len(found):
        raise Refusal(404, "Not Found")
    here.settings.patterns[name] = left


# ---- Switches --------------------------------------------------------------------------------------------------------


def get_immutable(here: Repository, call: Call) -> Any:
    """Tell whether a published release can no longer be changed."""
    administer(call, "read")
    if not here.immutable_releases:
        raise Refusal(404, "Not Found")
    return {"enabled": True, "enforced_by_owner": False}


def set_immutable(here: Repository, call: Call) -> None:
    """Let no published release be changed."""
    administer(call, "write")
    here.immutable_releases = True


def get_code_scanning(here: Repository, call: Call) -> Any:
    """Tell whether CodeQL's default setup is there."""
    administer(call, "read")
    if not here.code_scanning:
        raise Refusal(
            403,
            "Code Security must be enabled for this repository to use code scanning.",
        )
    settings = here.settings
    if settings.code_scanning == "configured" and settings.setups:
        settings.setups -= 1
        return {"state": "not-configured"}
    return {"state": settings.code_scanning}


def set_code_scanning(here: Repository, call: Call) -> Any:
    """Begin to set CodeQL up."""
    administer(call, "write")
    get_code_scanning(here, call)
    here.settings.code_scanning = call.body["state"]
    address = f"{bodies.API}/repos/{here.full_name}/actions/runs/1"
    return Answered(202, {"run_id": 1, "run_url": address})


def get_reports(here: Repository, call: Call) -> Any:
    """Tell whether vulnerabilities can be reported in private."""
    if here.private:
        raise Refusal(404, "Not Found")
    return {"enabled": here.settings.reports}


def set_reports(here: Repository, call: Call) -> None:
    """Let vulnerabilities be reported in private."""
    administer(call, "write")
    if here.private:
        raise Refusal(404, "Not Found")
    here.settings.reports = True


def get_alerts(here: Repository, call: Call) -> None:
    """Tell whether Dependabot alerts are on."""
    administer(call, "read")
    if not here.settings.alerts:
        raise Refusal(404, "Vulnerability alerts are disabled.")


def set_alerts(here: Repository, call: Call) -> None:
    """Switch Dependabot alerts on."""
    administer(call, "write")
    here.settings.alerts = True


def get_updates(here: Repository, call: Call) -> Any:
    """Tell whether Dependabot security updates are on."""
    administer(call, "read")
    if not here.settings.alerts:
        raise Refusal(404, "Not Found")
    return {"enabled": here.settings.updates, "paused": False}


def set_updates(here: Repository, call: Call) -> None:
    """Switch Dependabot security updates on."""
    administer(call, "write")
    if not here.settings.alerts:
        raise Refusal(
            422,
            "Vulnerability alerts must be enabled to configure automated security fixes.",
        )
    here.settings.updates = True


def get_actions(here: Repository, call: Call) -> Any:
    """Tell which actions may run."""
    administer(call, "read")
    return here.settings.actions


def set_actions(here: Repository, call: Call) -> None:
    """Say which actions may run: what is left out is as in a new repository."""
    administer(call, "write")
    new = {"allowed_actions": "all", "sha_pinning_required": False}
    here.settings.actions = {**new, **call.body}


def get_token(here: Repository, call: Call) -> Any:
    """Tell what a workflow's token may do."""
    administer(call, "read")
    return here.settings.token


def set_token(here: Repository, call: Call) -> None:
    """Say what a workflow's token may do."""
    administer(call, "write")
    here.settings.token = here.settings.token | call.body


# ---- All of it -------------------------------------------------------------------------------------------------------

Endpoint = Callable[..., Any]


def heeding(endpoint: Endpoint) -> Endpoint:
    """Give the endpoint, with what a test has refused or ignored before it."""

    @functools.wraps(endpoint)
    def answer(here: Repository, call: Call, **found: Any) -> Any:
        base = f"/repos/{here.full_name}"
        asked = (call.request.method, call.request.path.removeprefix(base))
        if refused := here.settings.refusals.get(asked):
            raise Refusal(*refused)
        if here.settings.archived and call.request.method != "GET":
            raise Refusal(403, "Repository was archived so is read-only.")
        if asked not in here.settings.ignored:
            return endpoint(here, call, **found)
        kept = copy.deepcopy(here.settings)
        given = copy.deepcopy(endpoint(here, call, **found))
        here.settings = kept
        return given

    return answer


ENVIRONMENT = "/environments/<name>"
PATTERNS = f"{ENVIRONMENT}/deployment-branch-policies"
ENDPOINTS: list[tuple[str, str, Endpoint]] = [
    ("PATCH", "", edit_repository),
    ("GET", "/rulesets", list_rulesets),
    ("POST", "/rulesets", add_ruleset),
    ("GET", "/rulesets/<int:number>", get_ruleset),
    ("PUT", "/rulesets/<int:number>", edit_ruleset),
    ("GET", ENVIRONMENT, get_environment),
    ("PUT", ENVIRONMENT, put_environment),
    ("GET", PATTERNS, list_patterns),
    ("POST", PATTERNS, add_pattern),
    ("DELETE", f"{PATTERNS}/<int:number>", delete_pattern),
    ("GET", "/immutable-releases", get_immutable),
    ("PUT", "/immutable-releases", set_immutable),
    ("GET", "/code-scanning/default-setup", get_code_scanning),
    ("PATCH", "/code-scanning/default-setup", set_code_scanning),
    ("GET", "/private-vulnerability-reporting", get_reports),
    ("PUT", "/private-vulnerability-reporting", set_reports),
    ("GET", "/vulnerability-alerts", get_alerts),
    ("PUT", "/vulnerability-alerts", set_alerts),
    ("GET", "/automated-security-fixes", get_updates),
    ("PUT", "/automated-security-fixes", set_updates),
    ("GET", "/actions/permissions", get_actions),
    ("PUT", "/actions/permissions", set_actions),
    ("GET", "/actions/permissions/workflow", get_token),
    ("PUT", "/actions/permissions/workflow", set_token),
]
ROUTES = [(method, path, heeding(answer)) for method, path, answer in ENDPOINTS]
