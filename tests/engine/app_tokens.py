"""Tokens of a GitHub App, which say themselves what they may do."""

from __future__ import annotations

# What stands between the secret part of such a token and what it may do.
APP = "@app:"


def app_token(secret: str, permissions: dict[str, str]) -> str:
    """Give a token of a GitHub App for one run."""
    return secret + APP + ",".join(f"{k}={v}" for k, v in sorted(permissions.items()))


def is_app_token(token: str) -> bool:
    """Tell whether a token is a GitHub App's."""
    return APP in token


def app_permissions(token: str, secret: str) -> dict[str, str] | None:
    """Give what a token of a GitHub App may do; None where it is none, or of another run."""
    begins, app, held = token.partition(APP)
    if not app or begins != secret:
        return None
    return dict(pair.split("=") for pair in held.split(","))
