"""A call of the API, and how GitHub says no to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from policy import LEVELS
from werkzeug.wrappers import Request

from engine.app_tokens import is_app_token

JSON = "application/json"


class Refusal(Exception):
    """GitHub says no, with a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        """Take both."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answered:
    """An answer whose status is not the usual one of its method."""

    status: int
    body: Any


@dataclass(frozen=True)
class Call:
    """What a job asks for, and what its token may do."""

    request: Request
    permissions: dict[str, str]

    @property
    def body(self) -> Any:
        """What was sent: parsed where it is JSON."""
        return body_of(self.request)

    @property
    def author(self) -> str:
        """Who asks."""
        asks = self.request.headers.get("Authorization", "")
        return "update-app[bot]" if is_app_token(asks) else "github-actions[bot]"

    def require(self, *names: str, level: str) -> None:
        """Refuse where none of the permissions is held at that level."""
        if not self.may(*names, level=level):
            raise Refusal(403, "Resource not accessible by integration")

    def may(self, *names: str, level: str) -> bool:
        """Tell whether one of the permissions is held at that level."""
        held = [self.permissions.get(name, "none") for name in names]
        return any(LEVELS[has] >= LEVELS[level] for has in held)


def body_of(request: Request) -> Any:
    """Give what was sent: parsed where it is JSON, None where it is nothing."""
    if not request.data:
        return None
    # gh names no type for the fields that it sends.
    if request.mimetype in (JSON, ""):
        return request.get_json(force=True)
    return request.data
