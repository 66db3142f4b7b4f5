"""How a repository is set on GitHub, as far as its settings are not about what happens in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Settings:
    """The settings of a repository, as GitHub makes them for a new one.

    Attributes:
        organisation: Whether an organisation owns it; else a user does.
        paid: Whether the owner's plan has rulesets and rules of environments for a private repository.
        secret_protection: Whether Secret Protection is bought for it, which only a private one needs.
        archived: Whether it can only be read.
        rulesets: Its rulesets, as they are given to those who may change them, and those of its owner.
        environments: The environments by their names.
        patterns: The branches and tags that may use an environment, by its name.
        security: Which of `security_and_analysis` is on.
        code_scanning: "not-configured" or "configured", of CodeQL's default setup.
        setups: How often it still says "not-configured" once it was asked to be set up.
        reports: Whether vulnerabilities can be reported in private.
        alerts: Whether Dependabot alerts are on.
        updates: Whether Dependabot security updates are on.
        actions: Which actions may run.
        token: What the token of a workflow may do that asks for nothing.
        refusals: What is refused, by method and path below the repository's own: status and message.
        ignored: Requests that are taken and do nothing, likewise.
    """

    organisation: bool = True
    paid: bool = False
    secret_protection: bool = False
    archived: bool = False
    rulesets: list[dict[str, Any]] = field(default_factory=list)
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    patterns: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    security: set[str] = field(default_factory=set)
    code_scanning: str = "not-configured"
    setups: int = 0
    reports: bool = False
    alerts: bool = False
    updates: bool = False
    actions: dict[str, Any] = field(
        default_factory=lambda: {
            "enabled": True,
            "allowed_actions": "all",
            "sha_pinning_required": False,
        }
    )
    token: dict[str, Any] = field(
        default_factory=lambda: {
            "default_workflow_permissions": "write",
            "can_approve_pull_request_reviews": False,
        }
    )
    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    ignored: set[tuple[str, str]] = field(default_factory=set)
