"""Secrets that are none, made up at run time, so that no file of this repository holds one."""

from __future__ import annotations

import random
import string

CHOICE = random.Random(20261124)  # noqa: S311 - looks, not secrecy, is what counts


def made_up(length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Give characters that look random, the same in each run."""
    return "".join(CHOICE.choice(alphabet) for _ in range(length))


SECRETS = {
    "AWS key": "AKIA" + made_up(16, string.ascii_uppercase + "234567"),
    "API token": "ghp_" + made_up(36),
    "private key": "\n".join(
        [
            "-----BEGIN " + "PRIVATE KEY-----",
            *(made_up(64) for _ in range(8)),
            "-----END " + "PRIVATE KEY-----",
        ]
    ),
    "database URL": f"postgresql://app:{made_up(14)}@db.internal:5432/app",
    "database URL with signs": f"postgresql://app:{made_up(14)}$${made_up(4)}@db/app",
    "cache URL without user": f"rediss://:{made_up(4)}/{made_up(8)}@cache:6379/0",
    "OAuth token": f"oauth_token: {made_up(40)}",
    "OAuth client secret": f"GOOGLE_CLIENT_SECRET = '{made_up(32)}'",
    "generic secret": f'api_key = "{made_up(32)}"',
}
