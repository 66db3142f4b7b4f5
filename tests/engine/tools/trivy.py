"""Stands in for Trivy 0.74, where it cannot be installed: finds hand-written vulnerabilities in what is really there.

That is a requirements file, or the Python distributions of an image.

It takes the flags and settings that Trivy documents, and no others. What it knows about packages is DATABASE.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# Names the database repositories that are out of reach, with a space between them; "all" are all.
UNREACHABLE = "ENGINE_TRIVY_UNREACHABLE"
SEVERITIES = ["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
SARIF_LEVELS = {"CRITICAL": "error", "HIGH": "error", "MEDIUM": "warning"}
# The settings of trivy.yaml that this knows; Trivy passes over others without a word.
SETTINGS: dict[str, set[str]] = {
    "severity": set(),
    "ignorefile": set(),
    "scan": {"scanners"},
    "db": {"repository", "java-repository"},
}
DEFAULT_REPOSITORIES = [
    "mirror.gcr.io/aquasec/trivy-db:2",
    "ghcr.io/aquasecurity/trivy-db:2",
]


@dataclass(frozen=True)
class Vulnerability:
    """An entry of the database: versions below `below` are vulnerable; that is the fixed one where there is a fix."""

    id: str
    package: str
    below: str
    severity: str
    fixed: bool = True


# Hand-written from public advisories, so that each severity can be planted; a real database says more.
DATABASE = [
    Vulnerability("CVE-2020-14343", "pyyaml", "5.4", "CRITICAL"),
    Vulnerability("CVE-2019-10906", "jinja2", "2.10.1", "HIGH"),
    Vulnerability("CVE-2024-35195", "requests", "2.32.0", "MEDIUM"),
    Vulnerability("CVE-2024-39689", "certifi", "2024.7.4", "LOW"),
    # Disputed, and never mended.
    Vulnerability("CVE-2022-42969", "py", "99", "HIGH", fixed=False),
]


class Fatal(Exception):
    """Trivy ends with an error."""


def settings(path: Path) -> dict[str, Any]:
    """Read trivy.yaml, if it is there."""
    if not path.exists():
        return {}
    found: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) or {}
    unknown = found.keys() - SETTINGS.keys()
    for name, below in found.items():
        if isinstance(below, dict):
            unknown |= below.keys() - SETTINGS.get(name, set())
    if unknown:
        raise Fatal(f"the stand-in for Trivy does not know the settings {unknown}")
    return found


def packages(path: Path) -> list[dict[str, str]] | None:
    """Give the packages of the requirements file in a folder; None where there is no such file."""
    file = path / "requirements.txt"
    if not file.is_file():
        return None
    found = []
    for line in file.read_text("utf-8").splitlines():
        text = re.sub(r"\s*\\$|\s*--hash=\S+|#.*", "", line).strip()
        try:
            (pin,) = Requirement(text).specifier
        except (InvalidRequirement, ValueError):
            # What has no exact version is none that Trivy can look up.
            continue
        name = canonicalize_name(Requirement(text).name)
        found.append({"Name": name, "Version": pin.version})
    return found


def packages_in_image(name: str) -> list[dict[str, str]]:
    """Give the Python distributions that the image's own Python finds."""
    code = (
        "import importlib.metadata as m, json; "
        "print(json.dumps([{'Name': d.name.lower(), 'Version': d.version} for d in m.distributions()]))"
    )
    line = ["docker", "run", "--rm", "--entrypoint=python", name, "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fatal(
            f"image scan error: unable to find the specified image: {done.stderr}"
        )
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def vulnerabilities(
    found: list[dict[str, str]], repositories: list[str]
) -> list[dict[str, str]]:
    """Look the packages up, in the first database that can be had."""
    down = os.environ.get(UNREACHABLE, "").split()
    if all(name in down or "all" in down for name in repositories):
        raise Fatal(
            "init error: DB error: failed to download vulnerability DB: OCI artifact error: "
            "failed to download artifact from any source"
        )
    # Where workflows cache it.
    kept = Path.home() / ".cache" / "trivy" / "db"
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "metadata.json").write_text("{}", "utf-8")
    return [
        {
            "VulnerabilityID": known.id,
            "PkgName": package["Name"],
            "InstalledVersion": package["Version"],
            "FixedVersion": known.below if known.fixed else "",
            "Severity": known.severity,
            "Title": "Hand-written for tests, not from a real database",
        }
        for package in found
        for known in DATABASE
        if package["Name"] == known.package
        and Version(package["Version"]) < Version(known.below)
    ]


def ignored(path: Path) -> set[str]:
    """Give the vulnerabilities that an ignore file excuses today."""
    if not path.exists():
        return set()
    entries = (yaml.safe_load(path.read_text("utf-8")) or {}).get("vulnerabilities")
    today = datetime.datetime.now(datetime.UTC).date()
    return {
        entry["id"]
        for entry in entries or []
        if "expired_at" not in entry or entry["expired_at"] > today
    }


def scan(options: argparse.Namespace, configured: dict[str, Any]) -> dict[str, Any]:
    """Give the report for a folder or an image."""
    report: dict[str, Any] = {"SchemaVersion": 2, "ArtifactName": options.target}
    repositories = configured.get("db", {}).get("repository", DEFAULT_REPOSITORIES)
    found: list[dict[str, str]] | None
    if options.command == "image":
        report["ArtifactType"] = "container_image"
        target, kind = "Python", "python-pkg"
        found = packages_in_image(options.target)
    else:
        report["ArtifactType"] = "filesystem"
        target, kind = "requirements.txt", "pip"
        folder = Path(options.target)
        if not folder.is_dir():
            raise Fatal(f"scan error: {folder}: no such file or directory")
        found = packages(folder)
    known = vulnerabilities(found or [], repositories)
    if found is None:
        return report
    if "vuln" not in configured.get("scan", {}).get("scanners", ["vuln", "secret"]):
        known = []
    if options.ignore_unfixed:
        known = [v for v in known if v["FixedVersion"]]
    result = {
        "Target": target,
        "Class": "lang-pkgs",
        "Type": kind,
        "Packages": found,
        "Vulnerabilities": known,
    }
    return report | {"Results": [result]}


def filtered(report: dict[str, Any], severities: set[str], excused: set[str]) -> None:
    """Take out what nobody asked for, and what is excused."""
    for result in report.get("Results", []):
        result["Vulnerabilities"] = [
            found
            for found in result.get("Vulnerabilities", [])
            if found["Severity"] in severities
            and found["VulnerabilityID"] not in excused
        ]


def all_of(report: dict[str, Any]) -> list[dict[str, str]]:
    """Give the vulnerabilities of a report."""
    return [
        v for result in report.get("Results", []) for v in result["Vulnerabilities"]
    ]


def table(report: dict[str, Any]) -> str:
    """Give the report as people read it."""
    lines = [
        f"│ {v['PkgName']} │ {v['VulnerabilityID']} │ {v['Severity']} │ {v['InstalledVersion']} │ {v['FixedVersion']} │"
        for v in all_of(report)
    ]
    return "\n".join([f"Total: {len(lines)}", *lines]) + "\n"


def sarif(report: dict[str, Any]) -> str:
    """Give the report for code scanning."""
    found = all_of(report)
    rules = [{"id": name} for name in sorted({v["VulnerabilityID"] for v in found})]
    results = [
        {
            "ruleId": v["VulnerabilityID"],
            "level": SARIF_LEVELS.get(v["Severity"], "note"),
            "message": {"text": f"{v['PkgName']} {v['InstalledVersion']}"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "requirements.txt"},
                        "region": {"startLine": 1},
                    }
                }
            ],
        }
        for v in found
    ]
    driver = {"name": "Trivy", "version": "0.74.0", "rules": rules}
    runs = [{"tool": {"driver": driver}, "results": results}]
    return json.dumps({"version": "2.1.0", "runs": runs})


FORMATS: dict[str, Callable[[Any], str]] = {
    "json": json.dumps,
    "table": table,
    "sarif": sarif,
}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line; what Trivy does not document is an error."""
    parser = argparse.ArgumentParser(prog="trivy", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, aliases in (("filesystem", ["fs"]), ("image", []), ("convert", [])):
        command = commands.add_parser(name, aliases=aliases, allow_abbrev=False)
        command.add_argument("target")
        command.add_argument("--config", "-c", default="trivy.yaml")
        command.add_argument("--exit-code", type=int, default=0)
        command.add_argument("--format", "-f", choices=FORMATS, default="table")
        command.add_argument("--ignore-unfixed", action="store_true")
        command.add_argument("--ignorefile")
        command.add_argument("--list-all-pkgs", action="store_true")
        command.add_argument("--output", "-o", type=Path)
        command.add_argument("--quiet", "-q", action="store_true")
        command.add_argument("--severity", "-s")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    """Run the command; gives its exit status."""
    configured = settings(Path(options.config))
    severities = options.severity.split(",") if options.severity else None
    asked = set(severities or configured.get("severity") or SEVERITIES)
    if unknown := asked - set(SEVERITIES):
        raise Fatal(f"unknown severity option: {unknown}")
    if options.command == "convert":
        report = json.loads(Path(options.target).read_text("utf-8"))
    else:
        report = scan(options, configured)
    name = options.ignorefile or configured.get("ignorefile") or ".trivyignore"
    filtered(report, asked, ignored(Path(name)))
    text = FORMATS[options.format](report)
    if options.output:
        options.output.write_text(text, "utf-8")
    else:
        print(text)
    return int(options.exit_code) if all_of(report) else 0


def main() -> int:
    """Run as the command does."""
    try:
        return run(parse(sys.argv[1:]))
    except (Fatal, OSError, ValueError) as error:
        print(f"FATAL\tFatal error\trun error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
