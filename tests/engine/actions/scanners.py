"""Stand in for what hands over or makes findings: code scanning, Trivy, Scorecard, Codecov."""

from __future__ import annotations

import json
import re
from pathlib import Path

from engine.actions.stand_in import StandIn

MAIN = "refs/heads/main"


def upload_sarif(step: StandIn) -> None:
    """Take a SARIF file as code scanning does: valid by its schema, one for each category and tool, by a token that may."""
    step.unsupported("ref", "sha")
    path = step.path(step.inputs["sarif_file"])
    if not path.is_file():
        step.fail(f"Path does not exist, or is no file: {path}")
    step.require("security-events", "write")
    if step.context["private"]:
        # The upload asks which run it is from.
        step.require("actions", "read")
    if not step.context["code_scanning"]:
        step.fail("Code scanning is not enabled for this repository.")
    # Costs more time than all other stand-ins together.
    import jsonschema

    schema = json.loads(Path(step.context["sarif_schema"]).read_text("utf-8"))
    try:
        sarif = json.loads(path.read_text("utf-8"))
        jsonschema.Draft7Validator(schema).validate(sarif)
    except (ValueError, jsonschema.ValidationError) as error:
        step.fail(f"Unable to upload: {path.name} is no valid SARIF: {error}")
    category = step.inputs["category"]
    taken = Path(step.context["uploads"])
    names = [run["tool"]["driver"]["name"] for run in sarif["runs"]]
    for name in names:
        marker = taken / re.sub(r"\W+", "-", f"{category} {name}")
        if marker.exists():
            step.fail(f"only one upload of {name} with category {category!r} in a run")
        marker.touch()
    step.output("sarif-id", "1")
    step.record(category=category, tools=names, sarif=sarif)


def set_up_trivy(step: StandIn) -> None:
    """Put Trivy on PATH: its stand-in, or the real one where it is installed."""
    if not re.fullmatch(r"v\d+\.\d+\.\d+", step.inputs["version"]):
        step.fail(f"unable to find {step.inputs['version']!r}: versions begin with v")
    step.unsupported("path")
    step.add_path(step.context["trivy"])
    step.record()


def send_coverage(step: StandIn) -> None:
    """Send a coverage report; what Codecov does not take fails only where `fail_ci_if_error` says so.

    An identity that is to be used and is not there fails in any case; from a fork none is asked for.
    """
    names = [name.strip() for name in step.inputs["files"].split(",") if name.strip()]
    if not names:
        step.fail("this stand-in does not search for reports")
    missing = [name for name in names if not step.path(name).is_file()]
    oidc, fork = step.boolean("use_oidc"), step.context["fork"]
    identity = step.permissions.get("id-token") == "write"
    if oidc and not fork and not identity:
        # It is asked for before anything is sent.
        step.fail("Codecov: Failed to get OIDC token")
    sent = not missing and bool(oidc or fork or step.inputs["token"])
    if not sent and step.boolean("fail_ci_if_error"):
        step.fail(f"Codecov took nothing: missing {missing}, identity {identity}")
    step.record(sent=sent, oidc=oidc)


def score(step: StandIn) -> None:
    """Write results that say nothing, where Scorecard would write what it found; it publishes only for public ones."""
    publish = step.boolean("publish_results")
    if publish and step.context["private"]:
        # The real action goes on as if it had not been asked.
        step.fail(
            "publish_results: only the results of public repositories are published"
        )
    if publish:
        step.require("id-token", "write")
    if step.context["ref"] != MAIN:
        step.fail(f"{step.context['ref']} not supported: only the default branch is")
    if step.inputs["results_format"] != "sarif":
        step.fail("this stand-in writes SARIF alone")
    sarif = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": {"name": "Scorecard", "rules": []}}, "results": []}
        ],
    }
    step.path(step.inputs["results_file"]).write_text(json.dumps(sarif), "utf-8")
    step.record(published=publish)
