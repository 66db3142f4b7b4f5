"""What an index takes, by the rules of the real one and in its words; nothing is kept here."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from dataclasses import dataclass
from typing import Any

from packaging import metadata, utils
from packaging.version import Version
from pydantic import TypeAdapter, ValidationError
from pypi_attestations import Attestation, AttestationType

from engine.index.held import File, Index, Token

MALFORMED = "Malformed attestations"
FOREIGN = "Could not verify the uploaded artifact using the included attestation"
# What uploads call the fields of the metadata, where they do not call them as packaging does.
FORM_NAMES = {"platforms": "platform", "license_files": "license_file"}
# These are compared elsewhere, or told in another form.
APART = {
    "description",
    "dynamic",
    "import_names",
    "import_namespaces",
    "keywords",
    "metadata_version",
    "name",
    "project_urls",
    "provides_extra",
    "version",
}


class Refusal(Exception):
    """The index says no, with a status and a message."""

    def __init__(self, message: str, status: int = 400) -> None:
        """Take both."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Upload:
    """A file as it comes in.

    Attributes:
        name: The file's name.
        content: Its bytes.
        fields: What is said of it.
    """

    name: str
    content: bytes
    fields: dict[str, list[str]]

    def said(self, name: str) -> str:
        """Give a field that has one value; empty where it is missing."""
        return (self.fields.get(name) or [""])[0]


def take(index: Index, upload: Upload, token: Token) -> None:
    """Keep a file; the very same one once more changes nothing. Raises Refusal where the index does not want it."""
    check_fields(upload)
    if utils.canonicalize_name(upload.said("name")) != token.project:
        raise Refusal(
            f"Invalid API Token: project-scoped token is not valid for project: {upload.said('name')!r}",
            403,
        )
    check_name(upload)
    check_digests(upload)
    known = index.files.get(upload.name)
    if known and known.content == upload.content:
        return
    if known:
        digest = hashlib.blake2b(known.content, digest_size=32).hexdigest()
        raise Refusal(
            f"File already exists ({upload.name!r}, with blake2_256 hash {digest!r}). "
            "See /help/#file-name-reuse for more information."
        )
    check_metadata(upload)
    attestations = read_attestations(upload, token)
    index.files[upload.name] = File(upload.content, upload.fields, attestations)


def check_fields(upload: Upload) -> None:
    """Refuse what is no upload of a file, or has a version that is not for the public."""
    if (upload.said(":action"), upload.said("protocol_version")) != (
        "file_upload",
        "1",
    ):
        raise Refusal("Unknown protocol version.")
    if "md5_digest" not in upload.fields and "sha256_digest" not in upload.fields:
        raise Refusal("Include at least one message digest.")
    raw: Any = {
        name: upload.said(name) for name in ("metadata_version", "name", "version")
    }
    try:
        version = metadata.Metadata.from_raw(raw).version
    except metadata.ExceptionGroup as problems:
        said = "; ".join(str(problem) for problem in problems.exceptions)
        raise Refusal(said) from problems
    if version.local:
        raise Refusal(
            f"The use of local versions in '{version}' is not allowed. "
            "See https://packaging.python.org/specifications/core-metadata for more information."
        )


def check_name(upload: Upload) -> None:
    """Refuse a name that does not say project, version and kind as the form says them."""
    kind = upload.said("filetype")
    try:
        if upload.name.endswith(".whl"):
            fits = "bdist_wheel"
            name, version, *_ = utils.parse_wheel_filename(upload.name)
        else:
            fits = "sdist"
            name, version = utils.parse_sdist_filename(upload.name)
    except (utils.InvalidWheelFilename, utils.InvalidSdistFilename) as problem:
        raise Refusal(str(problem)) from problem
    if kind != fits:
        raise Refusal(f"Invalid file extension: {upload.name!r} is no {kind}.")
    if kind == "sdist" and upload.said("pyversion") != "source":
        raise Refusal("Use 'source' as Python version for an sdist.")
    project = utils.canonicalize_name(upload.said("name"))
    if name != project:
        raise Refusal(
            f"Start filename for {project!r} with {project.replace('-', '_')!r}."
        )
    if version != Version(upload.said("version")):
        raise Refusal(
            f"Version in filename should be {upload.said('version')!r} not {str(version)!r}."
        )


def check_digests(upload: Upload) -> None:
    """Refuse where what came in is not what was sent."""
    digests: dict[str, Any] = {
        "md5_digest": hashlib.md5(upload.content, usedforsecurity=False),
        "sha256_digest": hashlib.sha256(upload.content),
        "blake2_256_digest": hashlib.blake2b(upload.content, digest_size=32),
    }
    for name, digest in digests.items():
        if name in upload.fields and upload.said(name) != digest.hexdigest():
            raise Refusal(
                "The digest supplied does not match a digest calculated from the uploaded file."
            )


def check_metadata(upload: Upload) -> None:
    """Refuse a file whose own metadata is not valid, or not what the form says."""
    try:
        own = metadata.Metadata.from_email(metadata_of(upload))
    except metadata.ExceptionGroup as problems:
        said = "; ".join(str(problem) for problem in problems.exceptions)
        raise Refusal(f"Invalid distribution file: {said}") from problems
    same_name = utils.canonicalize_name(own.name) == utils.canonicalize_name(
        upload.said("name")
    )
    if not same_name or own.version != Version(upload.said("version")):
        raise Refusal(
            f"Invalid distribution file: it is {own.name} {own.version}, "
            f"the form says {upload.said('name')} {upload.said('version')}"
        )
    for name, stated in stated_by(upload).items():
        if sorted(upload.fields.get(name, [])) != sorted(stated):
            raise Refusal(f"Invalid distribution file: the form differs in {name}")


def stated_by(upload: Upload) -> dict[str, list[str]]:
    """Give what a file's own metadata says, under the names of the form's fields."""
    raw, _ = metadata.parse_email(metadata_of(upload))
    fields: dict[str, Any] = {**raw}
    return {
        FORM_NAMES.get(name, name): [value] if isinstance(value, str) else value
        for name, value in fields.items()
        if name not in APART
    }


def metadata_of(upload: Upload) -> bytes:
    """Give the metadata in a wheel or an sdist."""
    try:
        if upload.name.endswith(".whl"):
            folder = "-".join(upload.name.split("-")[:2]) + ".dist-info"
            with zipfile.ZipFile(io.BytesIO(upload.content)) as wheel:
                wheel.read(f"{folder}/WHEEL")
                return wheel.read(f"{folder}/METADATA")
        folder = upload.name.removesuffix(".tar.gz")
        with tarfile.open(fileobj=io.BytesIO(upload.content), mode="r:gz") as sdist:
            member = sdist.extractfile(f"{folder}/PKG-INFO")
            return member.read() if member else b""
    except (zipfile.BadZipFile, tarfile.TarError, KeyError) as problem:
        raise Refusal(f"Invalid distribution file: {problem}") from problem


def read_attestations(upload: Upload, token: Token) -> list[dict[str, Any]]:
    """Give a file's attestations; refuses those that are not about it, and all that no trusted publisher brings."""
    if "attestations" not in upload.fields:
        return []
    try:
        return attestations_of(upload, token)
    except Refusal as refusal:
        raise Refusal(
            f"Invalid attestations supplied during upload: {refusal}"
        ) from refusal


def attestations_of(upload: Upload, token: Token) -> list[dict[str, Any]]:
    """Give the attestations that an upload brings. No signature is verified: nothing here can sign."""
    if token.publisher is None:
        raise Refusal("Attestations are only supported when using Trusted Publishing")
    text = upload.said("attestations")
    try:
        read = TypeAdapter(list[Attestation]).validate_json(text)
    except ValidationError as problem:
        raise Refusal(f"{MALFORMED}: {problem.errors()[0]['msg']}") from problem
    if not read:
        raise Refusal(f"{MALFORMED}: an empty attestation set is not permitted")
    kinds = [check_statement(upload, attestation) for attestation in read]
    if len(kinds) > len(set(kinds)):
        raise Refusal("Multiple attestations for the same file with the same predicate")
    found: list[dict[str, Any]] = json.loads(text)
    return found


def check_statement(upload: Upload, attestation: Attestation) -> str:
    """Refuse a statement that is not about the file alone; gives what kind it is."""
    try:
        statement = attestation.statement
        (subject,) = statement["subject"]
        name, digest = subject["name"], subject["digest"]["sha256"]
        kind = AttestationType(statement["predicateType"]).value
    except (KeyError, TypeError, ValueError) as problem:
        raise Refusal(f"{FOREIGN}: {problem}") from problem
    if name != upload.name:
        raise Refusal(f"{FOREIGN}: subject does not match distribution name: {name}")
    if digest != hashlib.sha256(upload.content).hexdigest():
        raise Refusal(f"{FOREIGN}: subject does not match distribution digest")
    return kind
