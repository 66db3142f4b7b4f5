# /// script
# requires-python = ">=3.11"
# dependencies = ["packaging==26.3", "pyyaml==6.0.3"]
# ///
"""Make the repository on GitHub match what the pipeline expects of it.

Locally: uv run scripts/setup_github.py --dry-run

It reads the workflows in this folder, asks GitHub through `gh api` how the repository is
set, shows what differs, and changes that. It can be run again at any time: what is right
stays, and what an ended run has left is finished. Rulesets of other names, reviewers and
whatever else you have set are left alone. What the plan or a private repository does not
offer is said, with what to do instead, and is no failure.

Exit status: 0 done; 1 done, but something was refused; 2 could not run.
With --check: 0 all is so; 2 something differs; 1 could not find out.
"""

from __future__ import annotations

import argparse
import copy
import io
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import yaml
from release import Problem, append_to, run

WORKFLOWS = Path(".github/workflows")
WAYS_TO_MERGE = {"pull_request", "merge_group"}
# Whose checks are required: those of GitHub Actions, which no other program can report.
ACTIONS_APP = 15368
API_VERSION = "X-GitHub-Api-Version: 2022-11-28"
# Found again by their names.
BRANCH_RULESET, TAG_RULESET = "pipeline-default-branch", "pipeline-version-tags"
# What of a ruleset may be the user's.
KEPT = {"bypass_actors", "conditions", "rules"}
PULL_REQUEST_RULE = {
    "type": "pull_request",
    "parameters": {
        # One person alone could merge nothing with more; raise it, and it stays.
        "required_approving_review_count": 0,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
    },
}
CHECKS_RULE = {
    "type": "required_status_checks",
    "parameters": {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [],
    },
}
VERSION_TAGS = ("v*", "tag")
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
# How GitHub says that a plan or a private repository lacks something.
NOT_OFFERED = re.compile(
    r"upgrade to|billing plan|(security|scanning) must be enabled|not available", re.I
)
NO_RIGHTS = re.compile(r"resource not accessible|must have \w+ rights|SAML", re.I)

AGAIN = "Run this again: it goes on from what is done"
CODEQL = "CodeQL default setup"

Workflow = dict[str, Any]
Body = dict[str, Any]
# Method, path below the repository's own address, and body.
Request = tuple[str, str, Body | None]
Look = Callable[..., None]
Adapt = Callable[[list[Body]], Iterator[str]]


class Refused(Exception):
    """GitHub says no to one request, and says why."""


@dataclass(frozen=True)
class Answer:
    """What GitHub answered: the status, and the body where there is one."""

    status: int
    body: Any

    @property
    def message(self) -> str:
        """What GitHub says where it refuses."""
        body = self.body if isinstance(self.body, dict) else {}
        details = body.get("errors")
        details = details if isinstance(details, list) else []
        texts = [d.get("message") if isinstance(d, dict) else str(d) for d in details]
        return (
            ": ".join(filter(None, [body.get("message"), *texts])) or "no reason given"
        )


@dataclass
class Setting:
    """One thing that is to be set, and how it is.

    Attributes:
        name: What it is called.
        page: Where it is in the web page, below Settings.
        look: What compares it.
        differs: What is otherwise than it should be, in words.
        requests: What makes it so, where it differs.
        cannot: Why it cannot be so; empty where it can.
        offered: Whether GitHub offers it to this repository.
        changed: Whether it has been made so.
    """

    name: str
    page: str
    look: Look | None = None
    differs: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    cannot: str = ""
    offered: bool = True
    changed: bool = False

    @property
    def state(self) -> str:
        """How it is, in a word or two."""
        if self.cannot:
            return "cannot be"
        if not self.differs:
            return "already so"
        return "changed" if self.changed else "to change"

    @property
    def why(self) -> str:
        """Why it is so, in words."""
        return self.cannot or "; ".join(self.differs)


# ---- GitHub ---------------------------------------------------------------------------


def gh_api(method: str, path: str, body: Body | None = None) -> Answer:
    """Ask GitHub; raises Problem where there is no answer to go on with."""
    command = ["gh", "api", "--include", "--method", method, "--header", API_VERSION]
    if body is not None:
        command += ["--input", "-"]
    done = run([*command, path], None if body is None else json.dumps(body))
    head, _, content = done.stdout.partition("\n\n")
    status = re.match(r"HTTP/\S+ (\d{3})", head)
    if not status:
        raise Problem(no_answer(done.stderr.strip()))
    try:
        found = json.loads(content or "null")
    except json.JSONDecodeError:
        found = None
    answer = Answer(int(status[1]), found)
    require_sense(answer)
    return answer


def no_answer(said: str) -> str:
    """Say what to do where gh has not reached GitHub."""
    last = said.splitlines()[-1] if said else "gh said nothing"
    if "placeholder" in said:
        return (
            f"gh cannot tell which repository this is ({last}). Add it: git remote add "
            "origin URL, or name it: --repository OWNER/NAME"
        )
    if "gh auth login" in said or "GH_TOKEN" in said:
        return "gh is not logged in: gh auth login, or set GH_TOKEN to a token"
    return f"GitHub did not answer ({last}). {AGAIN}"


def require_sense(answer: Answer) -> None:
    """Raise Problem where no other request would fare better."""
    status, message = answer.status, answer.message
    if status == 401:
        raise Problem(f"GitHub does not take the token ({message}): gh auth login")
    if status == 429 or (status == 403 and "rate limit" in message.lower()):
        raise Problem(
            f"GitHub asks to wait ({message}). `gh api rate_limit` says until when. {AGAIN}"
        )
    if status == 403 and NO_RIGHTS.search(message):
        raise Problem(no_rights(message))
    if status >= 500:
        raise Problem(f"GitHub has trouble (status {status}: {message}). {AGAIN}")


def no_rights(message: str) -> str:
    """Say which rights are needed."""
    return (
        f"the account that gh uses may not see or change these settings ({message}). It must "
        "be an administrator of the repository; a fine-grained token or an app needs the "
        "permissions Administration, Actions and Contents. `gh auth status` says which "
        "account it is"
    )


class Repository:
    """The repository on GitHub."""

    def __init__(self, name: str) -> None:
        """Look it up; raises Problem where it cannot be set up.

        Args:
            name: OWNER/NAME; empty: the one that the folder's git remote names.
        """
        answer = gh_api("GET", f"repos/{name or '{owner}/{repo}'}")
        if answer.status != 200:
            raise Problem(
                f"GitHub shows no repository {name or 'for this git remote'} "
                f"({answer.message}). Create it and push main to it, or log in as someone "
                "who may see it: gh auth status"
            )
        self.name: str = answer.body["full_name"]
        self.private: bool = answer.body["private"]
        self.branch: str = answer.body["default_branch"]
        if answer.body["archived"]:
            raise Problem(f"{self.name} is archived, and can only be read")
        rights = self.ask("GET", "actions/permissions")
        if rights.status != 200:
            raise Problem(no_rights(rights.message))
        if self.ask("GET", f"git/ref/heads/{self.branch}").status != 200:
            raise Problem(
                f"{self.name} has no branch {self.branch} yet, and the rules would keep it "
                f"out. Push it first: git push --set-upstream origin {self.branch}"
            )

    def ask(self, method: str, path: str, body: Body | None = None) -> Answer:
        """Ask about something below the repository's own address."""
        return gh_api(method, f"repos/{self.name}/{path}".rstrip("/"), body)

    def find(self, path: str) -> Any:
        """Give what is there; None where nothing is. Raises Refused where GitHub does not say."""
        answer = self.ask("GET", path)
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise Refused(answer.message)
        return answer.body if answer.body is not None else {}

    def rulesets(self) -> dict[str, int]:
        """Give the numbers of its own rulesets by their names."""
        return {
            found["name"]: found["id"]
            for found in self.find("rulesets?per_page=100") or []
            if found.get("source_type", "Repository") == "Repository"
        }

    @cached_property
    def has_rules(self) -> bool:
        """Whether the plan offers rulesets and environments with rules to this repository."""
        return not self.private or self.ask("GET", "rulesets").status != 403


# ---- What the workflows say -----------------------------------------------------------


def read_workflows() -> dict[str, Workflow]:
    """Give the workflows by their file names; raises Problem where one cannot be read."""
    if not WORKFLOWS.is_dir():
        raise Problem(f"there is no {WORKFLOWS}: start this where the project begins")
    found = {}
    for path in sorted([*WORKFLOWS.glob("*.yml"), *WORKFLOWS.glob("*.yaml")]):
        try:
            # This loader makes texts alone, so `on` is no truth value.
            read = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            where = " ".join(str(error).split())
            raise Problem(f"{path} cannot be read: {where}") from error
        jobs = read.get("jobs") if isinstance(read, dict) and read.get("on") else None
        if not isinstance(jobs, dict) or not all(
            isinstance(j, dict) for j in jobs.values()
        ):
            raise Problem(
                f"{path} is no workflow: `on` and `jobs` are not as they must be"
            )
        found[path.name] = read
    return found


def events(workflow: Workflow) -> dict[str, Any]:
    """Give what starts a workflow, each event with its filters."""
    on = workflow["on"]
    named = dict.fromkeys([on] if isinstance(on, str) else on)
    return dict(on) if isinstance(on, dict) else named


def required_check(file: str, workflow: Workflow) -> tuple[str, str] | None:
    """Give the check by which a workflow guards merges, and why it cannot be required.

    A workflow guards them where it runs for both ways to merge, a pull request and the
    merge queue. Its check is that of the job `passed`, else of the job that is called like
    the file. It cannot be required unless it always reports, under a name that stays.
    """
    jobs = workflow["jobs"]
    job = "passed" if "passed" in jobs else file.rpartition(".")[0]
    ways = {e: f for e, f in events(workflow).items() if e in WAYS_TO_MERGE}
    if ways.keys() != WAYS_TO_MERGE or job not in jobs:
        return None
    data, name = jobs[job], jobs[job].get("name", job)
    wanted = "always()" if "needs" in data else ""
    why = ""
    if filtered := [event for event, filters in ways.items() if filters]:
        why = f"{file}: take the filters of `{filtered[0]}` out, a job may decide"
    elif "${{" in name or "strategy" in data or "uses" in data:
        why = f"{file}: job `{job}` has no fixed name: let a job `passed` need it"
    elif re.sub(r"^\$\{\{\s*|\s*\}\}$", "", data.get("if", "")) != wanted:
        why = f"{file}: job `{job}` may be skipped, which counts as passed: "
        why += f"give it `if: {wanted}`" if wanted else "take its `if` out"
    return name, why


def required_checks(workflows: dict[str, Workflow]) -> list[tuple[str, str]]:
    """Give the checks of all workflows that guard merges, each with why it cannot be required."""
    found = [required_check(file, workflow) for file, workflow in workflows.items()]
    return [check for check in found if check]


def reported(workflows: dict[str, Workflow], check: str) -> bool:
    """Tell whether a job of a pull request reports a check, one of a matrix or called included."""
    for workflow in workflows.values():
        for job, data in workflow["jobs"].items():
            fixed, expression, _ = data.get("name", job).partition("${{")
            rest = check.removeprefix(fixed)
            if not check.startswith(fixed) or "pull_request" not in events(workflow):
                continue
            if expression or rest[:2] in ("", " (", " /"):
                return True
    return False


def environments(workflows: dict[str, Workflow]) -> set[str]:
    """Give the environments that jobs name."""
    named = [
        job.get("environment")
        for workflow in workflows.values()
        for job in workflow["jobs"].values()
    ]
    return {str(e["name"] if isinstance(e, dict) else e) for e in named if e}


# ---- Rulesets -------------------------------------------------------------------------


def ruleset(
    here: Repository, setting: Setting, name: str, include: str, adapt: Adapt
) -> None:
    """Compare one of our rulesets.

    Args:
        here: The repository.
        setting: What is filled.
        name: What it is called.
        include: The refs that it must be for.
        adapt: Makes the rules what they must be; gives each change in words.
    """
    number = here.rulesets().get(name)
    current = {} if number is None else here.find(f"rulesets/{number}") or {}
    body = {k: copy.deepcopy(v) for k, v in current.items() if k in KEPT and v}
    changes = [*adapt_refs(body, include), *adapt(body.setdefault("rules", []))]
    if current.get("enforcement") != "active":
        changes.insert(0, "it is not in force" if current else "it is not there")
    target = "tag" if name == TAG_RULESET else "branch"
    body |= {"name": name, "target": target, "enforcement": "active"}
    setting.differs = changes if current else changes[:1]
    request = ("PUT", f"rulesets/{number}") if current else ("POST", "rulesets")
    setting.requests = [(*request, body)]


def adapt_refs(body: Body, include: str) -> Iterator[str]:
    """Let a ruleset be for these refs; others stay. Gives each change in words."""
    refs = body.setdefault("conditions", {}).setdefault("ref_name", {})
    included, excluded = (refs.setdefault(key, []) for key in ("include", "exclude"))
    if include not in included and "~ALL" not in included:
        included.append(include)
        yield f"it is not for {include}"
    if include in excluded:
        excluded.remove(include)
        yield f"it leaves {include} out"


def rule(rules: list[Body], wanted: Body) -> tuple[Body, list[str]]:
    """Give the rule of a kind as it stands, added where it is missing; and that in words."""
    for known in rules:
        if known["type"] == wanted["type"]:
            return known, []
    rules.append(copy.deepcopy(wanted))
    return rules[-1], [f"it lacks the rule {wanted['type']}"]


def branch_rules(workflows: dict[str, Workflow], rules: list[Body]) -> Iterator[str]:
    """Let changes come by pull request alone, with the checks that the workflows report.

    Checks of other programs stay, and those of workflows that somebody added by hand.
    """
    for kind in ("deletion", "non_fast_forward"):
        yield from rule(rules, {"type": kind})[1]
    yield from rule(rules, PULL_REQUEST_RULE)[1]
    found, changes = rule(rules, CHECKS_RULE)
    yield from changes
    parameters = found.setdefault(
        "parameters", copy.deepcopy(CHECKS_RULE["parameters"])
    )
    checks: list[Body] = parameters["required_status_checks"]
    wanted = [name for name, why in required_checks(workflows) if not why]
    for check in checks[:]:
        name, app = check["context"], check.get("integration_id")
        if name in wanted and app != ACTIONS_APP:
            check["integration_id"] = ACTIONS_APP
            yield f"the check {name} may come from elsewhere than GitHub Actions"
        elif app == ACTIONS_APP and not reported(workflows, name):
            checks.remove(check)
            yield f"it requires {name}, which no workflow reports"
    for name in wanted:
        if name not in [check["context"] for check in checks]:
            checks.append({"context": name, "integration_id": ACTIONS_APP})
            yield f"it does not require {name}"


def tag_rules(rules: list[Body]) -> Iterator[str]:
    """Let a version tag be made, and stay as it was made."""
    for kind in ("deletion", "update"):
        yield from rule(rules, {"type": kind})[1]


# ---- Environments ---------------------------------------------------------------------


def environment(
    here: Repository, setting: Setting, name: str, wanted: list[tuple[str, str]]
) -> None:
    """Compare an environment: from which branches and tags jobs may use it.

    Args:
        here: The repository.
        setting: What is filled.
        name: The environment's.
        wanted: The patterns, each with "branch" or "tag".
    """
    if not here.has_rules:
        setting.offered = False
        setting.cannot = (
            "in a private repository the plan has no environments with rules. GitHub makes "
            "it without rules when a job first uses it"
        )
        return
    path = f"environments/{name}"
    policies = f"{path}/deployment-branch-policies"
    current = here.find(path)
    patterns = {}
    if current is None:
        setting.differs.append("it is not there")
    elif (policy := current.get("deployment_branch_policy")) != CUSTOM:
        who = "each protected branch" if policy else "any branch or tag"
        setting.differs.append(f"{who} may use it")
    else:
        listed = here.find(f"{policies}?per_page=100")["branch_policies"]
        patterns = {(p["name"], p.get("type", "branch")): p["id"] for p in listed}
    if setting.differs:
        body = {**kept_protection(current or {}), "deployment_branch_policy": CUSTOM}
        setting.requests.append(("PUT", path, body))
    for pattern, kind in wanted:
        if (pattern, kind) not in patterns:
            setting.differs.append(f"the {kind} {pattern} may not use it")
            body = {"name": pattern, "type": kind}
            setting.requests.append(("POST", policies, body))
    for (pattern, kind), number in patterns.items():
        if (pattern, kind) not in wanted:
            setting.differs.append(f"the {kind} {pattern} may use it")
            setting.requests.append(("DELETE", f"{policies}/{number}", None))


def kept_protection(current: Body) -> Body:
    """Give what else protects an environment, as GitHub must be told again to keep it."""
    kept: Body = {}
    for found in current.get("protection_rules", []):
        if found["type"] == "wait_timer":
            kept["wait_timer"] = found["wait_timer"]
        if found["type"] == "required_reviewers":
            kept["prevent_self_review"] = found.get("prevent_self_review", False)
            kept["reviewers"] = [
                {"type": one["type"], "id": one["reviewer"]["id"]}
                for one in found["reviewers"]
            ]
    return kept


# ---- Switches -------------------------------------------------------------------------


def switch(here: Repository, setting: Setting, path: str) -> None:
    """Compare what is on or off, and nothing else; where it is off there may be nothing."""
    current = here.find(path)
    if current is None or not current.get("enabled", True):
        setting.differs = ["it is off"]
        setting.requests = [("PUT", path, None)]


def secret_scanning(here: Repository, setting: Setting) -> None:
    """Compare whether GitHub looks for secrets, and refuses a push that has one."""
    analysis = (here.find("") or {}).get("security_and_analysis")
    if analysis is None:
        raise Refused("it does not show this setting to the account that gh uses")
    names = ("secret_scanning", "secret_scanning_push_protection")
    off = [n for n in names if (analysis.get(n) or {}).get("status") != "enabled"]
    if here.private and names[0] in off:
        # Switching it on could start to cost.
        setting.offered = False
        setting.cannot = (
            "in a private repository it is part of GitHub Secret Protection, which is paid "
            "for. gitleaks.yml looks for secrets all the same. Once it is bought and on, "
            "this adds push protection"
        )
    elif off:
        setting.differs = [f"{name} is off" for name in off]
        body = {"security_and_analysis": {name: {"status": "enabled"} for name in off}}
        setting.requests = [("PATCH", "", body)]


def code_scanning(
    here: Repository, setting: Setting, workflows: dict[str, Workflow]
) -> None:
    """Compare whether CodeQL runs: by its default setup, or by a workflow of the project."""
    if any("github/codeql-action/analyze@" in str(w) for w in workflows.values()):
        return
    path = "code-scanning/default-setup"
    if (here.find(path) or {}).get("state") != "configured":
        setting.differs = ["it is not set up"]
        body = {"state": "configured"}
        setting.requests = [("PATCH", path, body)]


def vulnerability_reports(here: Repository, setting: Setting) -> None:
    """Compare whether people can report a vulnerability in private."""
    if here.private:
        setting.offered = False
        setting.cannot = "only public repositories have it, and strangers see no other"
    else:
        switch(here, setting, "private-vulnerability-reporting")


def pinned_actions(here: Repository, setting: Setting) -> None:
    """Compare whether workflows run, and with actions that nobody can move alone."""
    path = "actions/permissions"
    current = here.find(path) or {}
    if not current.get("enabled"):
        setting.differs.append("GitHub Actions is off, so nothing runs")
    if not current.get("sha_pinning_required"):
        setting.differs.append("a workflow may use an action by its tag")
    # Which actions are allowed is said again: left out, it may fall back to all.
    kept = {key: current[key] for key in current.keys() & {"allowed_actions"}}
    body = {**kept, "enabled": True, "sha_pinning_required": True}
    setting.requests = [("PUT", path, body)]


def workflow_token(here: Repository, setting: Setting) -> None:
    """Compare what the token of a workflow may do that asks for nothing."""
    path = "actions/permissions/workflow"
    level, approves = "default_workflow_permissions", "can_approve_pull_request_reviews"
    current = here.find(path) or {}
    if current.get(level) != "read":
        setting.differs.append("it may write")
    if current.get(approves):
        setting.differs.append("it may approve pull requests")
    setting.requests = [("PUT", path, {level: "read", approves: False})]


# ---- All of it ------------------------------------------------------------------------


def looks(
    here: Repository, workflows: dict[str, Workflow]
) -> Iterator[tuple[str, str, Look]]:
    """Give each setting's name, where it is in the web page, and what compares it."""
    rules, security = "Rules, Rulesets", "Advanced Security"
    adapt: Adapt = partial(branch_rules, workflows)
    look: Look = partial(
        ruleset, name=BRANCH_RULESET, include="~DEFAULT_BRANCH", adapt=adapt
    )
    yield f"Ruleset {BRANCH_RULESET}", rules, look
    look = partial(ruleset, name=TAG_RULESET, include="refs/tags/v*", adapt=tag_rules)
    yield f"Ruleset {TAG_RULESET}", rules, look
    look = partial(switch, path="immutable-releases")
    yield "Immutable releases", "General, Releases", look
    main = (here.branch, "branch")
    users = {"pypi": [VERSION_TAGS], "testpypi": [VERSION_TAGS, main]}
    users["template-update"] = [main]
    for name in sorted(environments(workflows) & users.keys()):
        look = partial(environment, name=name, wanted=users[name])
        yield f"Environment {name}", "Environments", look
    yield CODEQL, security, partial(code_scanning, workflows=workflows)
    yield "Secret scanning with push protection", security, secret_scanning
    yield "Private vulnerability reporting", security, vulnerability_reports
    yield "Dependabot alerts", security, partial(switch, path="vulnerability-alerts")
    # These need the alerts.
    look = partial(switch, path="automated-security-fixes")
    yield "Dependabot security updates", security, look
    yield "Actions pinned to full commits", "Actions, General", pinned_actions
    yield "Workflow token that can only read", "Actions, General", workflow_token


def compare(here: Repository, name: str, page: str, look: Look) -> Setting:
    """Give a setting, compared; what GitHub refuses to say is noted there."""
    setting = Setting(name, page, look)
    try:
        look(here, setting)
    except Refused as refused:
        note_refusal(setting, str(refused))
    return setting


def note_refusal(setting: Setting, message: str) -> None:
    """Note that GitHub refuses a setting, and where to look for what it is about."""
    setting.offered = not NOT_OFFERED.search(message)
    setting.cannot = f"GitHub says: {message.rstrip('.')}. See Settings, {setting.page}"


def make_so(here: Repository, setting: Setting) -> None:
    """Change a setting and look whether it is so now; what GitHub refuses is noted there."""
    for request in setting.requests:
        answer = here.ask(*request)
        # 303 says that it is there already.
        if answer.status >= 400:
            note_refusal(setting, answer.message)
            return
    # CodeQL's first run takes some minutes.
    if setting.look and setting.name != CODEQL:
        again = compare(here, setting.name, setting.page, setting.look)
        if again.differs:
            setting.cannot = (
                f"GitHub took it and did not do it: {'; '.join(again.differs)}. Set it in "
                f"the web page: Settings, {setting.page}"
            )
    setting.changed = True


# ---- Command line ---------------------------------------------------------------------


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--dry-run", action="store_true", help="only show the plan")
    only.add_argument(
        "--check", action="store_true", help="only show whether something differs"
    )
    parser.add_argument(
        "--repository",
        default="",
        metavar="OWNER/NAME",
        help="by default the one that the git remote names",
    )
    return parser.parse_args(arguments)


def show(setting: Setting) -> None:
    """Print how a setting is."""
    print(f"{setting.state:<10}  {setting.name}", end="")
    print(f": {setting.why}" if setting.why else "", flush=True)


def summarise(settings: list[Setting]) -> None:
    """On a runner, add how the settings are to the job's summary."""
    rows = "".join(
        f"| {s.name} | {s.state} | {s.why.replace('|', chr(92) + '|')} |\n"
        for s in settings
    )
    append_to(
        "GITHUB_STEP_SUMMARY", f"| setting | is | why |\n| --- | --- | --- |\n{rows}\n"
    )


def set_up(options: argparse.Namespace) -> int:
    """Compare everything, show it, and make it so unless told otherwise; gives the status."""
    workflows = read_workflows()
    if not shutil.which("gh"):
        raise Problem("gh is not installed: see cli.github.com, then gh auth login")
    here = Repository(options.repository)
    kind = "private" if here.private else "public"
    print(f"{here.name}, {kind}, default branch {here.branch}")
    checks = required_checks(workflows)
    print(f"Required checks: {', '.join(name for name, why in checks if not why)}\n")
    settings = [
        Setting(f"Required check {name}", "", cannot=why) for name, why in checks if why
    ]
    try:
        for name, page, look in looks(here, workflows):
            settings.append(compare(here, name, page, look))
        for setting in settings:
            show(setting)
        if not (options.check or options.dry_run):
            print(flush=True)
            for setting in settings:
                if setting.differs and not setting.cannot:
                    make_so(here, setting)
                    show(setting)
    finally:
        summarise(settings)
    if options.check and any(s.differs for s in settings):
        return 2
    return int(any(s.cannot and s.offered for s in settings))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; gives the exit status."""
    options = parse_arguments(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        return set_up(options)
    except KeyboardInterrupt:
        print("\nEnded. Run it again, it goes on from what is done", file=sys.stderr)
    except (Problem, OSError) as problem:
        print(f"setup_github.py: {problem}", file=sys.stderr)
        append_to("GITHUB_STEP_SUMMARY", f"❌ {problem}\n")
    return 1 if options.check else 2


if __name__ == "__main__":
    sys.exit(main())
