"""Stands in for docker/metadata-action."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from packaging.version import InvalidVersion, Version

from engine.actions.stand_in import StandIn

# The attributes of each kind of tag, with what they are without being given; None must be given.
KINDS: dict[str, dict[str, str | None]] = {
    "semver": {"priority": "900", "pattern": None, "value": ""},
    "pep440": {"priority": "900", "pattern": None, "value": ""},
    "ref": {"priority": "600", "event": None},
    "raw": {"priority": "200", "value": None},
    "sha": {"priority": "100", "format": "short", "prefix": "sha-"},
}
COMMON = {"type", "enable", "priority", "prefix", "suffix"}
REFS = {"branch": "refs/heads/", "tag": "refs/tags/", "pr": "refs/pull/"}
# Without any, and on a schedule one more.
DEFAULT_RULES = ["type=ref,event=branch", "type=ref,event=tag", "type=ref,event=pr"]
EXPORTED = "DOCKER_METADATA_OUTPUT_"
SHORT = 7
SEMVER = re.compile(
    r"v?(?P<version>(?P<major>0|[1-9]\d*)\.(?P<minor>0|[1-9]\d*)\.(?P<patch>0|[1-9]\d*)"
    r"(?P<pre>-[\dA-Za-z-]+(\.[\dA-Za-z-]+)*)?)(\+[\dA-Za-z.-]+)?",
    re.ASCII,
)

# The name of a tag, and whether `latest` goes with it where nothing else is said.
Tag = tuple[str, bool]


def metadata(step: StandIn) -> None:
    """Compute an image's tags and labels from the run's ref and commit, by the documented rules."""
    step.one_of("context", "workflow")
    step.unsupported(
        "labels",
        "annotations",
        "sep-tags",
        "sep-labels",
        "sep-annotations",
        "bake-target",
    )
    for name in step.environment:
        if name.startswith("DOCKER_METADATA_") and not name.startswith(EXPORTED):
            step.fail(f"the stand-in for {step.action} does not know {name}")
    names = tag_names(step)
    if not names:
        step.warn("No Docker tag has been generated. Check tags input.")
    version = names[0] if names else ""
    images = image_names(step)
    tags = [f"{image}:{name}" for image in images for name in names] or names
    described = labels(step, version)
    outputs = {
        "version": version,
        "tags": "\n".join(tags),
        "tag-names": "\n".join(names),
        "labels": "\n".join(f"{name}={text}" for name, text in described.items()),
        "json": json.dumps({"tags": tags, "labels": described}),
    }
    for name, value in outputs.items():
        step.output(name, value)
        variable = name.upper().replace("-", "_")
        step.export(f"{EXPORTED}{variable}", value)
    step.record(tags=tags, labels=described)


def labels(step: StandIn, version: str) -> dict[str, str]:
    """Give the image's labels; the repository has no description here, and no licence that GitHub recognised."""
    name = step.context["full_name"]
    page = f"https://github.com/{name}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    texts = {
        "created": now.replace("+00:00", "Z"),
        "description": "",
        "licenses": "",
        "revision": step.context["commit"],
        "source": page,
        "title": name.rpartition("/")[2],
        "url": page,
        "version": version,
    }
    return {f"org.opencontainers.image.{name}": text for name, text in texts.items()}


# ---- Inputs ----------------------------------------------------------------------------------------------------------


def entries(step: StandIn, name: str) -> list[str]:
    """Give the lines of an input; what follows a # is a remark."""
    lines = (line.split("#")[0].strip() for line in step.inputs[name].splitlines())
    return [line for line in lines if line]


def attributes(entry: str) -> dict[str, str]:
    """Read "name=value,name=value", quoted as in CSV; what has no name is `value`."""
    found = {}
    for field in next(csv.reader([entry])):
        name, equals, value = field.partition("=")
        key = name.strip().lower() if equals else "value"
        found[key] = (value if equals else name).strip()
    return found


def image_names(step: StandIn) -> list[str]:
    """Give the names of the images; Docker knows only lower case."""
    names = entries(step, "images")
    for name in names:
        if re.search("[,=]", name):
            step.fail(f"this stand-in wants names of images alone, not {name!r}")
    return [name.lower() for name in names]


def read_flavor(step: StandIn) -> dict[str, str]:
    """Give what holds for all tags."""
    flavor = {"latest": "auto", "prefix": "", "suffix": ""}
    for entry in entries(step, "flavor"):
        given = attributes(entry)
        if unknown := sorted(given.keys() - flavor.keys()):
            step.fail(f"this stand-in does not know {unknown} in flavor {entry!r}")
        flavor |= given
    refuse_expressions(step, flavor)
    if flavor["latest"] not in ("auto", "true", "false"):
        step.fail(f"Invalid latest flavor entry: {flavor['latest']}")
    return flavor


def read_rule(step: StandIn, entry: str) -> dict[str, str]:
    """Give what a line of `tags` says, completed."""
    given = {"type": "raw"} | attributes(entry)
    kind = given["type"]
    if kind not in KINDS:
        step.fail(f"this stand-in does not know type={kind}")
    if unknown := sorted(given.keys() - KINDS[kind].keys() - COMMON):
        step.fail(f"this stand-in does not know {unknown} in {entry!r}")
    rule = {"enable": "true", **KINDS[kind], **given}
    if kind == "ref" and rule["event"] == "pr":
        rule.setdefault("prefix", "pr-")
    found = {name: value for name, value in rule.items() if value is not None}
    if missing := sorted(rule.keys() - found.keys()):
        step.fail(f"Missing {missing} for {entry!r}")
    refuse_expressions(
        step, {name: value for name, value in found.items() if name != "pattern"}
    )
    if found["enable"] not in ("true", "false"):
        step.fail(f"Invalid value for enable attribute: {found['enable']}")
    if not found["priority"].isdigit():
        step.fail(f"this stand-in wants a number as priority: {entry!r}")
    return found


def refuse_expressions(step: StandIn, values: Mapping[str, str]) -> None:
    """Fail where a value holds an expression of the action's own, such as {{branch}}."""
    for name, value in values.items():
        if "{{" in value:
            step.fail(f"this stand-in does not know expressions in {name}: {value}")


# ---- Tags ------------------------------------------------------------------------------------------------------------


def tag_names(step: StandIn) -> list[str]:
    """Give the tags without an image's name, each once; the first is the version, `latest` is the last."""
    flavor = read_flavor(step)
    given = entries(step, "tags")
    if not given and step.environment["GITHUB_EVENT_NAME"] == "schedule":
        step.fail("this stand-in does not know type=schedule, a default")
    rules = [read_rule(step, entry) for entry in given or DEFAULT_RULES]
    rules.sort(key=lambda rule: -int(rule["priority"]))
    made = [tag for rule in rules if (tag := make(step, rule, flavor))]
    if not made:
        return []
    # The first decides.
    latest = made[0][1] if flavor["latest"] == "auto" else flavor["latest"] == "true"
    names = [name for name, _ in made] + ["latest"] * latest
    return list(dict.fromkeys(names))


def make(step: StandIn, rule: dict[str, str], flavor: dict[str, str]) -> Tag | None:
    """Give the tag that a rule makes, if it makes one."""
    if rule["enable"] == "false":
        return None
    made = MAKERS[rule["type"]](step, rule)
    if made is None:
        return None
    # What a rule says of itself goes before what holds for all.
    prefix, suffix = ({**flavor, **rule}[part] for part in ("prefix", "suffix"))
    name = re.sub(r"[^\w.-]+", "-", f"{prefix}{made[0]}{suffix}", flags=re.ASCII)
    return (name, made[1]) if name else None


def from_raw(_: StandIn, rule: dict[str, str]) -> Tag:
    """Give the value."""
    return rule["value"], False


def from_commit(step: StandIn, rule: dict[str, str]) -> Tag:
    """Give the commit, or its beginning."""
    if rule["format"] not in ("short", "long"):
        step.fail(f"Invalid format for type=sha: {rule['format']}")
    commit: str = step.context["commit"]
    return commit if rule["format"] == "long" else commit[:SHORT], False


def from_ref(step: StandIn, rule: dict[str, str]) -> Tag | None:
    """Give the name of the run's branch or tag, or the number of its pull request, where it runs for one."""
    event, ref = rule["event"], step.context["ref"]
    if event not in REFS:
        step.fail(f"Invalid event for type=ref: {event}")
    if not ref.startswith(REFS[event]):
        return None
    name = ref.removeprefix(REFS[event])
    return name.removesuffix("/merge") if event == "pr" else name, event == "tag"


def from_semver(step: StandIn, rule: dict[str, str]) -> Tag | None:
    """Give parts of a version; one before its release is given whole."""
    text = version_of(step, rule)
    if text is None:
        return None
    found = SEMVER.fullmatch(text)
    if not found:
        step.warn(f"{text} is not a valid semver. More info: https://semver.org/")
        return None
    name = render(step, rule["pattern"], found.groupdict())
    return (found["version"], False) if found["pre"] else (name, True)


def from_pep440(step: StandIn, rule: dict[str, str]) -> Tag | None:
    """Give parts of a version; one before or after its release is given whole."""
    text = version_of(step, rule)
    if text is None:
        return None
    try:
        version = Version(text)
    except InvalidVersion:
        step.warn(f"{text} does not conform to PEP 440.")
        return None
    parts = {"major": version.major, "minor": version.minor, "patch": version.micro}
    name = render(step, rule["pattern"], {"version": version, **parts})
    if version.is_prerelease or version.is_postrelease:
        return str(version), False
    return name, True


def version_of(step: StandIn, rule: dict[str, str]) -> str | None:
    """Give the value, or the run's tag; None where there is neither."""
    ref: str = step.context["ref"]
    if rule["value"] or not ref.startswith(REFS["tag"]):
        return rule["value"] or None
    return ref.removeprefix(REFS["tag"])


def render(step: StandIn, pattern: str, parts: Mapping[str, object]) -> str:
    """Fill the parts of a version into a pattern."""

    def fill(found: re.Match[str]) -> str:
        name = found[1].strip()
        if name not in ("version", "major", "minor", "patch"):
            step.fail(f"this stand-in does not know {found[0]} in {pattern!r}")
        return str(parts[name])

    return re.sub(r"\{\{(.*?)\}\}", fill, pattern)


MAKERS = {
    "raw": from_raw,
    "sha": from_commit,
    "ref": from_ref,
    "semver": from_semver,
    "pep440": from_pep440,
}
