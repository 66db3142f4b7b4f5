"""Stands in for actions/checkout."""

from __future__ import annotations

import subprocess

from engine.actions.stand_in import StandIn

ALL_TAGS = "+refs/tags/*:refs/tags/*"
ALL = ["+refs/heads/*:refs/remotes/origin/*", ALL_TAGS]


def checkout(step: StandIn) -> None:
    """Fetch what the inputs ask for, and no more, and check it out; no credentials are left behind.

    As the real action does: without `ref` the run's own ref at the run's commit; one commit deep and without tags unless
    `fetch-depth` and `fetch-tags` say otherwise; 0 brings every branch and tag. A branch may have moved on since the run
    began, a tag may not.
    """
    step.unsupported(
        "ssh-key",
        "ssh-known-hosts",
        "filter",
        "sparse-checkout",
        "path",
        "ref",
        "lfs",
        "submodules",
        "persist-credentials",
        "github-server-url",
    )
    repository = step.inputs["repository"]
    if repository != step.context["full_name"]:
        step.fail(f"Not Found: {repository}")
    if step.context["private"]:
        step.require("contents", "read")
    depth = step.inputs["fetch-depth"]
    if not depth.isdigit():
        step.fail(f"this stand-in wants a number as fetch-depth, not {depth!r}")
    ref, commit = step.context["ref"], step.context["commit"]
    local = local_ref(ref)
    # By its name a tag keeps what was written into it.
    exactly = f"+{ref}:{ref}" if local == ref else f"+{commit}:{local}"
    if depth == "0":
        options, fetches = [], [ALL, [exactly]]
    else:
        options = [f"--depth={depth}"]
        fetches = [[exactly, *([ALL_TAGS] if step.boolean("fetch-tags") else [])]]
    git(step, "init", "--quiet", "--initial-branch=master", ".")
    git(step, "remote", "add", "origin", f"https://github.com/{repository}")
    source = f"file://{step.context['git']}"
    for specs in fetches:
        git(step, "fetch", "--quiet", "--no-tags", *options, source, *specs)
    if git(step, "rev-parse", f"{local}^{{commit}}") != commit:
        step.fail(f"The ref '{ref}' does not point to the expected commit '{commit}'.")
    if ref.startswith("refs/heads/"):
        branch = ref.removeprefix("refs/heads/")
        git(step, "checkout", "--quiet", "--force", "-B", branch, local)
    else:
        git(step, "checkout", "--quiet", "--force", "--detach", local)
    step.output("ref", ref)
    step.output("commit", commit)
    step.record()


def local_ref(ref: str) -> str:
    """Give the ref under which a checkout keeps what it fetched; a tag stays what it is."""
    return ref.replace("refs/heads/", "refs/remotes/origin/").replace(
        "refs/pull/", "refs/remotes/pull/"
    )


def git(step: StandIn, *arguments: str) -> str:
    """Run git in the job's folder and give what it prints; where it fails, so does the step."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=step.workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        step.fail(
            f"git {arguments[0]} failed with exit code {done.returncode}: {done.stderr}"
        )
    return done.stdout.strip()
