"""Stands in for actions/attest."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from engine.actions.search import find
from engine.actions.stand_in import StandIn


def attest(step: StandIn) -> None:
    """Write down the subjects and their digests in the shape of an attestation; nothing is signed."""
    step.require("id-token", "write")
    step.require("attestations", "write")
    if step.context["private"]:
        step.fail("Feature not available for this repository: attestations")
    step.unsupported(
        "subject-digest",
        "subject-name",
        "subject-checksums",
        "sbom-path",
        "predicate",
        "predicate-path",
        "predicate-type",
        "push-to-registry",
    )
    lines = re.split(r"[,\n]", step.inputs["subject-path"])
    files, _ = find(step, lines, hidden=True)
    if not files:
        step.fail(f"Could not find subject at path {step.inputs['subject-path']}")
    subjects = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }
    if len(subjects) < len(files):
        step.fail("this stand-in wants subjects with names of their own")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": [
            {"name": name, "digest": {"sha256": digest}}
            for name, digest in subjects.items()
        ],
    }
    made = bundle(step, statement)
    file = Path(step.environment["RUNNER_TEMP"]) / "attestation.json"
    file.write_text(json.dumps(made) + "\n", "utf-8")
    number = keep(step, made, subjects)
    address = f"https://github.com/{step.context['full_name']}"
    step.output("bundle-path", str(file))
    step.output("attestation-id", str(number))
    step.output("attestation-url", f"{address}/attestations/{number}")
    step.record(subjects=subjects)


def bundle(step: StandIn, statement: dict[str, Any]) -> dict[str, Any]:
    """Give a statement in the shape of a bundle: unsigned, and what a certificate would say in plain words."""
    repository = f"https://github.com/{step.context['full_name']}"
    workflow = step.context["workflows"][step.environment["GITHUB_WORKFLOW"]]
    ref = step.context["ref"]
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {
                "buildSignerURI": f"{repository}/.github/workflows/{workflow}@{ref}",
                "sourceRepositoryURI": repository,
                "sourceRepositoryRef": ref,
                "sourceRepositoryDigest": step.context["commit"],
            }
        },
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": ""}],
        },
    }


def keep(step: StandIn, made: dict[str, Any], subjects: dict[str, str]) -> int:
    """Keep an attestation with the repository; gives its number."""
    folder = Path(step.context["attestations"])
    folder.mkdir(exist_ok=True)
    number = 1 + sum(1 for _ in folder.iterdir())
    digests = [f"sha256:{digest}" for digest in subjects.values()]
    text = json.dumps({"digests": digests, "bundle": made})
    (folder / f"{number}.json").write_text(text, "utf-8")
    return number
