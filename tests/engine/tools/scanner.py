"""Stands in for Syft, which BuildKit starts to list what is in an image: lists its Python distributions, in SPDX."""

import json
import os
from email.parser import HeaderParser
from pathlib import Path

source = Path(os.environ["BUILDKIT_SCAN_SOURCE"])
target = Path(os.environ["BUILDKIT_SCAN_DESTINATION"]) / "sbom.spdx.json"
packages = []
for file in sorted(
    source.glob("opt/venv/lib/python*/site-packages/*.dist-info/METADATA")
):
    metadata = HeaderParser().parsestr(file.read_text("utf-8"))
    name, version = metadata["Name"], metadata["Version"]
    packages.append({"SPDXID": f"SPDXRef-{name}", "name": name, "versionInfo": version})
statement = {
    "_type": "https://in-toto.io/Statement/v0.1",
    "predicateType": "https://spdx.dev/Document",
    "predicate": {"spdxVersion": "SPDX-2.3", "name": "image", "packages": packages},
}
target.write_text(json.dumps(statement), "utf-8")
