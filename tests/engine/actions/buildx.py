"""Stands in for docker/setup-buildx-action, docker/login-action and docker/build-push-action; Buildx itself is real."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
from pathlib import Path

from engine.actions.stand_in import StandIn

BUILDER = "builder"
METADATA = "metadata.json"
# Kept by GitHub, which is not here: what these inputs say is written down, and nothing is fetched or kept.
CACHE = "type=gha"


def docker(step: StandIn, *arguments: str) -> str:
    """Run docker and give what it prints; where it fails, so does the step."""
    done = subprocess.run(
        ["docker", *arguments],
        cwd=step.workspace,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        step.fail(f"docker {' '.join(arguments[:2])} ended with {done.returncode}")
    return done.stdout.strip()


def set_up(step: StandIn) -> None:
    """Make a builder of the BuildKit that runs here, where the real action starts one in a container."""
    step.unsupported(
        "version",
        "driver-opts",
        "buildkitd-config",
        "buildkitd-config-inline",
        "endpoint",
        "platforms",
        "append",
        "keep-state",
    )
    step.one_of("driver", "docker-container")
    address = step.environment["ENGINE_BUILDKIT"]
    create = ["create", f"--name={BUILDER}", "--driver=remote", "--use", address]
    docker(step, "buildx", *create)
    step.output("name", BUILDER)
    step.output("driver", "remote")
    step.output("status", "running")
    step.record()


def settings(step: StandIn) -> Path:
    """Give docker's settings of this job."""
    return Path(step.environment["RUNNER_TEMP"]) / "docker" / "config.json"


def log_in(step: StandIn) -> None:
    """Write down the credentials as `docker login` does; the registry looks at them when it is asked for something."""
    step.unsupported("ecr", "scope", "registry-auth")
    # On GitHub each job has a token of its own; here its name makes it one.
    names = (step.environment["GITHUB_WORKFLOW"], step.environment["GITHUB_JOB"])
    owner = "@".join(name.replace(" ", "_") for name in names)
    account = f"{step.inputs['username']}:{step.inputs['password']}@{owner}"
    known = {"auth": base64.b64encode(account.encode()).decode()}
    file = settings(step)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"auths": {step.inputs["registry"]: known}}), "utf-8")
    step.record()


def log_out(step: StandIn) -> None:
    """Forget the credentials when the job ends."""
    if step.boolean("logout"):
        settings(step).unlink(missing_ok=True)


def lines(step: StandIn, name: str) -> list[str]:
    """Give the lines of an input that say something."""
    return [line.strip() for line in step.inputs[name].splitlines() if line.strip()]


def build_push(step: StandIn) -> None:
    """Build with Buildx, as the inputs say; a context in a folder is all that this stand-in knows."""
    step.unsupported(
        "add-hosts",
        "allow",
        "annotations",
        "attests",
        "build-contexts",
        "builder",
        "call",
        "cgroup-parent",
        "network",
        "no-cache",
        "no-cache-filters",
        "pull",
        "secrets",
        "secret-envs",
        "secret-files",
        "shm-size",
        "ssh",
        "target",
        "ulimit",
    )
    for name in ("cache-from", "cache-to"):
        for entry in lines(step, name):
            if f"type={attributes(entry).get('type')}" != CACHE:
                step.fail(f"this stand-in does not know {name} {entry!r}")
    context = step.path(step.inputs["context"])
    if not step.inputs["context"] or not context.is_dir():
        step.fail(f"this stand-in wants a folder as context, not {context}")
    metadata = Path(step.environment["RUNNER_TEMP"]) / METADATA
    metadata.unlink(missing_ok=True)
    arguments = [
        *options(step, "build-args", "build-arg"),
        *options(step, "labels", "label"),
        *options(step, "outputs", "output"),
        *options(step, "platforms", "platform"),
        *options(step, "tags", "tag"),
        *(f"--{name}" for name in ("load", "push") if step.boolean(name)),
        *attestations(step),
        f"--metadata-file={metadata}",
        "--progress=plain",
        str(context),
    ]
    docker(step, "buildx", "build", *arguments)
    found = json.loads(metadata.read_text("utf-8"))
    digest = found["containerimage.digest"]
    # Of an image with something beside it there is none: its digest is that of both together.
    config = found.get("containerimage.config.digest", digest)
    step.output("digest", digest)
    step.output("imageid", config)
    step.output("metadata", json.dumps(found))
    step.record(digest=digest, config=config)


def options(step: StandIn, name: str, option: str) -> list[str]:
    """Give an option of Buildx for each line of an input."""
    return [f"--{option}={line}" for line in lines(step, name)]


def attributes(entry: str) -> dict[str, str]:
    """Read "name=value,name=value", quoted as in CSV."""
    fields = (field.partition("=") for field in next(csv.reader([entry])))
    return {name.strip(): value.strip() for name, _, value in fields}


def attestations(step: StandIn) -> list[str]:
    """Give what is said of the image beside it. Where an input says nothing, a public repository's says how it was built."""
    provenance = step.inputs["provenance"] or (
        "false" if step.context["private"] else "mode=max"
    )
    return [f"--provenance={provenance}", f"--sbom={step.inputs['sbom'] or 'false'}"]
