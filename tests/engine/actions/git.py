"""Stands in for actions/checkout."""

from __future__ import annotations

import subprocess

from engine.actions.stand_in import StandIn


def checkout(step: StandIn) -> None:
    """Fetch what the inputs ask for, and no more, and check it out.

    As the real action does: without `ref` the run's own ref at the run's commit; one commit deep and without tags unless
    `fetch-depth` and `fetch-tags` say otherwise; 0 brings every branch and tag.
    """
    step.unsupported(
        "ssh-key", "ssh-known-hosts", "filter", "sparse-checkout", "path", "ref"
    )
    if step.inputs["repository"] != step.context["full_name"]:
        step.fail(f"Not Found: {step.inputs['repository']}")
    if step.context["private"]:
        step.require("contents", "read")
    ref, commit = step.context["ref"], step.context["commit"]
    depth = int(step.inputs["fetch-depth"])
    specs = [f"+{commit}:{local_ref(ref)}"]
    options = ["--no-tags"]
    if depth == 0:
        specs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
        if not ref.startswith(("refs/heads/", "refs/tags/")):
            specs.append(f"+{commit}:{local_ref(ref)}")
    else:
        options.append(f"--depth={depth}")
        if step.boolean("fetch-tags"):
            specs.append("+refs/tags/*:refs/tags/*")
    git(step, "init", "--quiet", "--initial-branch=master", ".")
    git(
        step,
        "remote",
        "add",
        "origin",
        f"https://github.com/{step.inputs['repository']}",
    )
    git(step, "fetch", "--quiet", *options, f"file://{step.context['git']}", *specs)
    if ref.startswith("refs/heads/"):
        branch = ref.removeprefix("refs/heads/")
        git(step, "checkout", "--quiet", "--force", "-B", branch, commit)
    else:
        git(step, "checkout", "--quiet", "--force", "--detach", commit)
    step.output("ref", ref)
    step.output("commit", commit)
    step.record()


def local_ref(ref: str) -> str:
    """Give the ref under which a checkout keeps what it fetched."""
    if ref.startswith("refs/tags/"):
        return ref
    return ref.replace("refs/heads/", "refs/remotes/origin/").replace(
        "refs/pull/", "refs/remotes/pull/"
    )


def git(step: StandIn, *arguments: str) -> None:
    """Run git in the job's folder; where it fails, so does the step."""
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
