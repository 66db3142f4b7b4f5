"""Stands in for actions/attest."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

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
    bundle = Path(step.environment["RUNNER_TEMP"]) / "attestation.json"
    bundle.write_text(json.dumps(statement) + "\n", "utf-8")
    step.output("bundle-path", str(bundle))
    step.output("attestation-id", "1")
    step.output(
        "attestation-url",
        f"https://github.com/{step.context['full_name']}/attestations/1",
    )
    step.record(subjects=subjects)
