"""What an index holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# The names by which twine knows the two indexes.
NAMES = ("pypi", "testpypi")


@dataclass(frozen=True)
class Publisher:
    """A trusted publisher, as its form in the web page has it.

    Attributes:
        project: The project that it may upload to.
        repository: Owner and name.
        workflow: The file of the workflow that was started.
        environment: The environment of the job.
    """

    project: str
    repository: str
    workflow: str
    environment: str


@dataclass(frozen=True)
class Token:
    """What a token allows.

    Attributes:
        project: The project that it may upload to.
        expires: When it ends, in seconds; None where it does not.
        publisher: The trusted publisher that it was minted for; None for an API token.
    """

    project: str
    expires: float | None = None
    publisher: Publisher | None = None


@dataclass(frozen=True)
class File:
    """A file that was uploaded.

    Attributes:
        content: Its bytes.
        fields: What the upload said of it.
        attestations: Its attestations, in the form of PEP 740.
    """

    content: bytes
    fields: dict[str, list[str]]
    attestations: list[dict[str, Any]]


@dataclass
class Index:
    """One index.

    Attributes:
        publishers: The trusted publishers that are registered.
        tokens: The tokens that are good for something: API tokens and those that were minted.
        files: The files by name.
        identities: The identities that tokens were minted for; each does once.
    """

    publishers: list[Publisher] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    identities: set[str] = field(default_factory=set)

    @property
    def contents(self) -> dict[str, bytes]:
        """The bytes of each file by its name."""
        return {name: file.content for name, file in self.files.items()}
