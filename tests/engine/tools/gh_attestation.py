"""Stands in for `gh attestation verify`, which the gh of many machines is too old for: see tools/gh.

It asks GitHub through the real gh, and compares what the real command compares, but for signatures: there are none here.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn


def end(message: str) -> NoReturn:
    """End as the real command does."""
    print(f"Error: {message}", file=sys.stderr)
    sys.exit(1)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; what this stand-in does not know ends it."""
    parser = argparse.ArgumentParser(prog="gh", allow_abbrev=False)
    parser.add_argument("command", choices=["attestation"])
    parser.add_argument("action", choices=["verify"])
    parser.add_argument("file", type=Path)
    for flag in ("--repo", "--source-ref", "--signer-workflow"):
        parser.add_argument(flag, required=True)
    return parser.parse_args(arguments)


def attestations(repository: str, digest: str) -> list[dict[str, Any]]:
    """Give the bundles that GitHub keeps for a digest."""
    path = f"repos/{repository}/attestations/{digest}"
    done = subprocess.run(
        [os.environ["ENGINE_GH"], "api", path],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        end(f"failed to fetch attestations from {repository}: {done.stderr.strip()}")
    return [found["bundle"] for found in json.loads(done.stdout)["attestations"]]


def mismatches(bundle: dict[str, Any], name: str, digest: str, args: Any) -> list[str]:
    """Say where a bundle is not about the file, or not by whom it must be."""
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    certificate = bundle["verificationMaterial"]["certificate"]
    address = f"https://github.com/{args.repo}"
    expected = {"sourceRepositoryURI": address, "sourceRepositoryRef": args.source_ref}
    found = [
        f"expected {key} to be {value}, got {certificate[key]}"
        for key, value in expected.items()
        if certificate[key] != value
    ]
    signer, workflow = certificate["buildSignerURI"], args.signer_workflow
    if not signer.startswith(f"https://github.com/{workflow}@"):
        found.append(f"expected the signer to be {workflow}, got {signer}")
    subjects = {f"sha256:{s['digest']['sha256']}" for s in statement["subject"]}
    if digest not in subjects:
        found.append(f"{name} with {digest} is no subject of the attestation")
    return found


def main() -> None:
    """Verify one file."""
    args = parse(sys.argv[1:])
    if not args.file.is_file():
        end(f"failed to open {args.file}: no such file")
    digest = f"sha256:{hashlib.sha256(args.file.read_bytes()).hexdigest()}"
    print(f"Loaded digest {digest} for file://{args.file}")
    bundles = attestations(args.repo, digest)
    if not bundles:
        end(f"no attestations found for subject {digest}")
    reasons = [mismatches(bundle, args.file.name, digest, args) for bundle in bundles]
    if all(reasons):
        said = "; ".join(reason for found in reasons for reason in found)
        end(f"verifying failed: {said}")
    print("✓ Verification succeeded!")


if __name__ == "__main__":
    main()
