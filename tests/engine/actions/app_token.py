"""Stands in for actions/create-github-app-token."""

from __future__ import annotations

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from engine.actions.stand_in import StandIn
from engine.app_tokens import app_token

PERMISSION = "permission-"
ALGORITHM = "RS256"


def create(step: StandIn) -> None:
    """Give a token for this repository with the permissions that are asked for, all of which the App must have.

    As the real action does: it signs with the private key, and GitHub knows the App's public one.
    """
    step.unsupported("owner", "repositories", "skip-token-revoke")
    named = step.inputs["client-id"] or step.inputs["app-id"]
    if not named:
        step.fail("The 'client-id' input must be set to a non-empty string.")
    app = step.context["app"]
    if app is None or app["client_id"] != named:
        step.fail(f"Integration not found: {named}")
    known = load_pem_private_key(app["private_key"].encode(), None)
    try:
        proof = jwt.encode({"iss": named}, step.inputs["private-key"], ALGORITHM)
        jwt.decode(proof, known.public_key(), [ALGORITHM], issuer=named)  # type: ignore[arg-type]
    except (ValueError, jwt.PyJWTError) as error:
        step.fail(f"A JSON web token could not be decoded: {error}")
    asked = {
        name.removeprefix(PERMISSION): level
        for name, level in step.inputs.items()
        if name.startswith(PERMISSION) and level
    }
    held = app["permissions"]
    order = ("read", "write")
    for name, level in asked.items():
        if order.index(level) > (order.index(held[name]) if name in held else -1):
            step.fail("The permissions requested are not granted to this installation.")
    token = app_token(step.environment["ENGINE_SECRET"], asked or held)
    print(f"::add-mask::{token}")
    step.output("token", token)
    step.output("app-slug", "update-app")
    step.output("installation-id", "1")
    step.record(permissions=asked or held)
