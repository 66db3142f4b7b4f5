"""From a tag, a click or a push to what people can install: what happens, and what must have come of it in the end.

Each flow begins in a freshly rendered project. Every workflow that it starts is run, and every one that those start, until
nothing follows. docs/proofs.md shows the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.repository import Event, Repository
from meddling import draft_by_hand as leave_draft
from meddling import one_click
from planting import FAST_GATES, append
from scenarios import SHIPPED, SMALL, pull_request, push

RELEASE, PUBLISH, DOCKER = "release.yml", "publish.yml", "docker.yml"
RELEASED, PRE_RELEASE, DRAFT = "released", "pre-release", "draft"

# An event, which starts what listens to it; or a workflow's file, which alone is looked at, and its event.
Start = Event | tuple[str, Event]
# Gives one start after the other; the next is asked for when all that followed the one before has ended.
Happenings = Callable[[Repository], Iterator[Start]]

# The subjects of the commits since the release before.
SUBJECTS = ("feat(api)!: sing", "fix: keep the tune", "Bump the drum", "Rest")


@dataclass(frozen=True)
class Flow:
    """Something that happens, and what must have come of it.

    Attributes:
        name: What it is about.
        happens: What starts workflows.
        runs: Every workflow that runs, in order, with the branch, tag or pull request that it runs on; no other does.
        answers: The project's answers beside the defaults.
        private: Whether the repository is private.
        previous: Whether version 1.1.0 was released before.
        quick: Whether the gates, which are shown elsewhere, are replaced by some that end soon.
        secrets: The repository's secrets.
        releases: The state of each release, by its tag.
        latest: The tag of the release that is called the latest.
        pypi: The versions that are on PyPI in the end.
        testpypi: The versions on TestPyPI.
        attested: Whether the files there have attestations.
        image: The tags of the image; COMMIT stands for main's commit.
        says: What a run's summary must say.
    """

    name: str
    happens: Happenings
    runs: tuple[str, ...]
    answers: Mapping[str, Any] = field(default_factory=lambda: SHIPPED)
    private: bool = False
    previous: bool = True
    quick: bool = True
    secrets: Mapping[str, str] = field(default_factory=dict)
    releases: Mapping[str, str] = field(default_factory=dict)
    latest: str | None = None
    pypi: frozenset[str] = frozenset()
    testpypi: frozenset[str] = frozenset()
    attested: bool = True
    image: frozenset[str] = frozenset()
    says: str = ""

    def id_of(self, workflow: str) -> str:
        """Give what tells a workflow's runs in this flow from all others."""
        return f"{workflow}: {self.name}"

    @property
    def ids(self) -> set[str]:
        """What tells the runs that make it up from all others."""
        return {self.id_of(run.split(" on ")[0]) for run in self.runs}

    def told_runs(self) -> list[str]:
        """Say what runs, in order, each once."""
        counts = Counter(self.runs)
        return [f"{run}{', twice' * (n > 1)}" for run, n in counts.items()]

    def told_releases(self) -> list[str]:
        """Say what the releases are in the end."""
        return [
            f"{tag}: {state}{', the latest' * (tag == self.latest)}"
            for tag, state in self.releases.items()
        ]

    def told_files(self) -> list[str]:
        """Say which versions the indexes have in the end."""
        note = "" if self.attested else " without attestations"
        return [
            *(f"{version}{note}" for version in sorted(self.pypi)),
            *(f"{version} on TestPyPI" for version in sorted(self.testpypi)),
        ]

    def prepare(self, here: Repository) -> None:
        """Bring the repository to where the flow begins."""
        if self.previous:
            here.ask("tag", "v1.1.0", "main")
        for message in SUBJECTS if self.previous else ():
            here.commit(append("docs/pipeline.md", f"\n{message}\n"), "main", message)
        if self.quick:
            here.commit(FAST_GATES, "main", "Shorten")
        here.secrets.update(self.secrets)


# ---- What happens ----------------------------------------------------------------------------------------------------


def tag(name: str, commit: str = "main") -> Happenings:
    """Push a tag."""

    def happen(here: Repository) -> Iterator[Start]:
        yield here.tag(name, commit)

    return happen


def tag_aside(here: Repository) -> Iterator[Start]:
    """Push a tag on a commit that is not on main."""
    here.commit(append("docs/pipeline.md", "\nAside.\n"), "side", "Go aside")
    yield here.tag("v1.2.0", "side")


def click(here: Repository) -> Iterator[Start]:
    """Start a release on main by hand, with nothing but a version."""
    yield RELEASE, one_click(here)


def draft_then_person(here: Repository) -> Iterator[Start]:
    """Start a release on main that stays a draft; then a person publishes it."""
    yield RELEASE, here.dispatched(version="1.2.0", draft=True)
    (made,) = here.releases
    assert made["draft"]
    yield here.released("v1.2.0")


def again(here: Repository) -> Iterator[Start]:
    """Push a tag; when it is released, start the release of the tag again by hand."""
    yield here.tag("v1.2.0")
    yield RELEASE, here.dispatched("refs/tags/v1.2.0")


def patch_of_older(here: Repository) -> Iterator[Start]:
    """Release a version, then a mended older one."""
    here.ask("branch", "older", "main")
    here.commit(append("docs/pipeline.md", "\nNewer.\n"), "main", "Go on")
    yield here.tag("v1.2.0")
    here.commit(append("docs/pipeline.md", "\nOlder.\n"), "older", "fix: mend it")
    yield here.tag("v1.1.1", "older")


def annotated(here: Repository) -> Iterator[Start]:
    """Push an annotated tag."""
    identity = ("-c", "user.name=Member", "-c", "user.email=member@example.org")
    here.ask(*identity, "tag", "--annotate", "--message=Sing", "v1.2.0", "main")
    yield here.tag("v1.2.0")


def by_hand(here: Repository) -> Iterator[Start]:
    """Make a release in the web page where releases stay changeable; its tag comes with it."""
    here.immutable_releases = False
    here.publish_by_hand("v1.2.0")
    yield here.tag("v1.2.0")


def draft_by_hand(here: Repository) -> Iterator[Start]:
    """Draft a release in the web page, with the wrong flag, then push its tag."""
    leave_draft(here)
    here.releases[-1] |= {"prerelease": True, "body": ""}
    yield here.tag("v1.2.0")


def trial_from_main(here: Repository) -> Iterator[Start]:
    """Start a trial on main."""
    yield PUBLISH, here.dispatched(index="testpypi")


def trial_from_tag(here: Repository) -> Iterator[Start]:
    """Start a trial on a tag that has no release."""
    here.tag("v1.2.0")
    yield PUBLISH, here.dispatched("refs/tags/v1.2.0", index="testpypi")


def image_of(happens: Callable[[Repository], Event]) -> Happenings:
    """Let docker.yml start by itself."""

    def happen(here: Repository) -> Iterator[Start]:
        yield DOCKER, happens(here)

    return happen


# ---- The table -------------------------------------------------------------------------------------------------------


def chain(ref: str, *files: str) -> tuple[str, ...]:
    """Give what runs on one ref, in order."""
    return tuple(f"{file} on {ref}" for file in files)


VERSION = "v1.2.0"
WHOLE = chain(VERSION, RELEASE, PUBLISH, DOCKER)
STABLE: dict[str, Any] = {
    "releases": {VERSION: RELEASED},
    "latest": VERSION,
    "pypi": frozenset({"1.2.0"}),
    "image": frozenset({VERSION, "v1.2", "v1"}),
}


def stable(
    name: str, happens: Happenings, *, runs: tuple[str, ...] = WHOLE, **more: Any
) -> Flow:
    """Give a flow that ends with version 1.2.0 out everywhere, but for what it says itself."""
    return Flow(name, happens, runs, **STABLE | more)


def released_alone(name: str, happens: Happenings, **more: Any) -> Flow:
    """Give a flow that ends with version 1.2.0 released, where nothing publishes it."""
    nothing: dict[str, Any] = {"pypi": frozenset(), "image": frozenset()}
    answers = SMALL | {"pypi": False}
    runs = chain(VERSION, RELEASE)
    return stable(name, happens, runs=runs, answers=answers, **nothing | more)


def pre_release(name: str, *, image: bool = False) -> Flow:
    """Give the flow of a version that is none for everybody yet: it moves nothing that others follow."""
    return Flow(
        f"the pre-release {name}",
        tag(name),
        chain(name, RELEASE, PUBLISH, *([DOCKER] if image else [])),
        answers=SHIPPED if image else SMALL,
        releases={name: PRE_RELEASE},
        pypi=frozenset({name.removeprefix("v")}),
        image=frozenset({name} if image else ()),
    )


# Where an image shows nothing more, there is none: it is what costs most.
WITHOUT_IMAGE: dict[str, Any] = {
    "runs": chain(VERSION, RELEASE, PUBLISH),
    "answers": SMALL,
    "image": frozenset(),
}


FLOWS = [
    stable("a version", tag(VERSION), quick=False),
    *map(pre_release, ("v1.2.0a1", "v1.2.0b1", "v1.2.0.dev0")),
    pre_release("v1.2.0rc1", image=True),
    stable(
        "one click on main",
        click,
        runs=(*chain("main", RELEASE), *WHOLE),
    ),
    stable(
        "a draft that a person publishes",
        draft_then_person,
        runs=(
            *chain("main", RELEASE),
            *chain(VERSION, RELEASE),
            # Both start at once.
            *chain(VERSION, DOCKER, PUBLISH),
        ),
        # The person may call any release the latest, or none.
        latest=None,
    ),
    stable("the release of a tag started again", again, runs=WHOLE + WHOLE),
    stable(
        "a patch of an older series",
        patch_of_older,
        runs=WHOLE + chain("v1.1.1", RELEASE, PUBLISH, DOCKER),
        releases={VERSION: RELEASED, "v1.1.1": RELEASED},
        pypi=frozenset({"1.2.0", "1.1.1"}),
        image=frozenset({VERSION, "v1.2", "v1", "v1.1.1", "v1.1"}),
    ),
    Flow(
        "the first release, below 1.0",
        tag("v0.1.0"),
        chain("v0.1.0", RELEASE, PUBLISH, DOCKER),
        previous=False,
        releases={"v0.1.0": RELEASED},
        latest="v0.1.0",
        pypi=frozenset({"0.1.0"}),
        image=frozenset({"v0.1.0", "v0.1"}),
    ),
    stable(
        "a tag that is not on main",
        tag_aside,
        **WITHOUT_IMAGE,
        says="v1.2.0 is not on the branch main",
    ),
    stable(
        "a version of a private repository",
        tag(VERSION),
        private=True,
        says="GitHub keeps no attestations for a private repository",
    ),
    stable(
        "a version, with an API token",
        tag(VERSION),
        **WITHOUT_IMAGE,
        secrets={"PYPI_API_TOKEN": "pypi-made-up"},
        attested=False,
    ),
    stable(
        "a version, without PyPI",
        tag(VERSION),
        runs=chain(VERSION, RELEASE, DOCKER),
        answers=SHIPPED | {"pypi": False},
        pypi=frozenset(),
    ),
    stable("a version, without an image", tag(VERSION), **WITHOUT_IMAGE),
    released_alone("a version, with neither", tag(VERSION)),
    released_alone("a version whose tag is annotated", annotated),
    released_alone("a draft was made by hand before", draft_by_hand),
    released_alone(
        "a release that can be changed was made by hand before",
        by_hand,
        # What a person has called the latest, or not, stays so.
        latest=None,
        says="v1.2.0 has a release: ",
    ),
    Flow(
        "a trial on TestPyPI, from main",
        trial_from_main,
        chain("main", PUBLISH),
        testpypi=frozenset({"1.1.1.dev5"}),
    ),
    Flow(
        "a trial on TestPyPI, from a tag without a release",
        trial_from_tag,
        chain(VERSION, PUBLISH),
        testpypi=frozenset({"1.2.0"}),
    ),
    Flow(
        "a push to main",
        image_of(push),
        chain("main", DOCKER),
        image=frozenset({"latest", "main-COMMIT"}),
    ),
    Flow("a pull request", image_of(pull_request), chain("1/merge", DOCKER)),
]
