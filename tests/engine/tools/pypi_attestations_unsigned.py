"""Stands in for `pypi-attestations`, run by the project's own Python: everything is the real command but Sigstore's part.

The real command line reads the arguments, asks for the job's identity, and looks at the files. In place of a signature
and of a certificate there is a note.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

from pypi_attestations import Attestation, AttestationType, Distribution, _cli

NOTE = base64.b64encode(b"not signed: Sigstore is out of reach here").decode()


class Sigstore:
    """What the command asks of Sigstore."""

    force_tlog_version = 0

    @classmethod
    def production(cls) -> Sigstore:
        """Give what to trust."""
        return cls()

    @classmethod
    def from_trust_config(cls, _: Any) -> Sigstore:
        """Give what can sign."""
        return cls()

    @contextlib.contextmanager
    def signer(self, _: Any, *, cache: bool) -> Iterator[Sigstore]:
        """Give the signer of an identity."""
        yield self


def attest(_: Sigstore, file: Distribution) -> Attestation:
    """Give the attestation of a file, as it would be but for its signature."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": file.name, "digest": {"sha256": file.digest}}],
        "predicateType": AttestationType.PYPI_PUBLISH_V1.value,
        "predicate": None,
    }
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return Attestation.model_validate_json(
        json.dumps(
            {
                "version": 1,
                "verification_material": {
                    "certificate": NOTE,
                    "transparency_entries": [{"note": "no entry in any log"}],
                },
                "envelope": {"statement": payload, "signature": NOTE},
            }
        )
    )


for name, value in {"ClientTrustConfig": Sigstore, "SigningContext": Sigstore}.items():
    setattr(_cli, name, value)
Attestation.sign = attest  # type: ignore[assignment, method-assign]
_cli.main()
