"""The rules of policy.py over the sources of the workflows, and for each rule a workflow that breaks just it."""

import itertools
import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import run, tool
from policy import (
    ACTIONS,
    REFRESH,
    RULES,
    VERSIONS,
    Finding,
    Rule,
    Use,
    Workflow,
    Workflows,
    installed_versions,
    pins,
    version_uses,
)
from ruamel.yaml.error import YAMLError
from test_tools import actionlint, schema, zizmor

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "template/.github/workflows"
OWN = ROOT / ".github/workflows"


def read(folder: Path) -> dict[str, Workflow]:
    """Read a folder of workflows; those of the template itself run no scripts of a project's."""
    scripts = folder.parents[1] / "scripts"
    return {
        path.name: Workflow(path.name, path.read_text("utf-8"), scripts)
        for path in sorted(folder.glob("*.yml"))
    }


TEMPLATE, TEMPLATE_S_OWN = read(SOURCES), read(OWN)
ALL = [(workflow, TEMPLATE) for workflow in TEMPLATE.values()] + [
    (workflow, TEMPLATE_S_OWN) for workflow in TEMPLATE_S_OWN.values()
]


def findings(
    workflow: Workflow, everything: Workflows, name: str | None = None
) -> dict[str, list[Finding]]:
    """Give what a rule, by default every rule, finds in a workflow; only rules that find something."""
    rules = {name: RULES[name]} if name else RULES
    found = {name: list(rule(workflow, everything)) for name, rule in rules.items()}
    return {name: places for name, places in found.items() if places}


# ---- The sources -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_workflow_keeps_every_rule(rule: Rule) -> None:
    """No rule has a finding in any workflow that projects get, nor in the template's own."""
    assert [str(finding) for source in ALL for finding in rule(*source)] == []


def test_these_workflows_gate_a_merge() -> None:
    """A workflow that loses its events would keep every rule about gates."""
    gates = {file for file, workflow in TEMPLATE.items() if workflow.gates}
    gating = "tests build pre-commit coverage gitleaks semgrep trivy docker"
    assert gates == {f"{name}.yml" for name in gating.split()}


def test_the_record_holds_what_is_used_and_no_more() -> None:
    """An action that is no longer used is taken out of tests/data/actions.json."""
    used = {
        name for workflow, _ in ALL for _, name, _, _ in pins(workflow)
    }  # fmt: skip
    assert used == ACTIONS.keys(), f"run `{REFRESH}`"


# ---- For each rule something that breaks it ----------------------------------------------------------------------------

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
SETUP_UV = "astral-sh/setup-uv@c18668ad3cf93ea998bef934396af7bb5c839dc7 # v10.2.0"
DOWNLOAD = "actions/download-artifact@9000827ccba6bdab643e8b6fd33ac0654aef8333 # v8.0.2"
UPLOAD = "actions/upload-artifact@cf430e030ddbb5b0abf93d22962f4752f3646cd9 # v7.0.2"
# An annotated tag's own SHA.
TAG_OBJECT = "99c09fe975337306107572b4fdf4db224cf8e2f2"
CACHE = "actions/cache@55cc8345863c7cc4c66a329aec7e433d2d1c52a9 # v6.1.0"
SCORECARD = "ossf/scorecard-action@2d1146689b8cda280b9bc96326124645441f03bc # v2.4.4"


def head(file: str, events: str) -> str:
    """Give the lines with which a good workflow begins."""
    return f"""\
# Shows what is right.
# Locally: true
name: {file}

on:
{events}
permissions: {{}}

defaults:
  run:
    shell: bash

concurrency:
  group: {file}-${{{{ github.event.pull_request.number || github.run_id }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

jobs:
"""


GATING = """\
  push:
    branches: [main]
  pull_request:
  merge_group:
  workflow_dispatch:
"""

GOOD = {
    # Several jobs gate; release.yml calls it.
    "tests.yml": head("tests.yml", GATING + "  workflow_call:\n")
    + f"""\
  plan:
    name: Plan
    runs-on: ubuntu-slim
    timeout-minutes: 5
    permissions:
      contents: read # check out the change
    outputs:
      code: ${{{{ steps.plan.outputs.code }}}}
      commit: ${{{{ steps.checkout.outputs.commit }}}}
    steps:
      - name: Check out
        id: checkout
        uses: {CHECKOUT}
        with:
          persist-credentials: false

      - name: Plan
        id: plan
        run: python3 scripts/plan.py jobs

  test:
    name: Test
    needs: plan
    if: needs.plan.outputs.code == 'true'
    runs-on: ${{{{ matrix.os }}}}
    timeout-minutes: 5
    permissions:
      actions: read # look
    strategy:
      matrix:
        os: [ubuntu-latest, macos-latest]
    container:
      image: debian@sha256:{"0" * 64}
    steps:
      - name: Set up uv
        uses: {SETUP_UV}
        with:
          version: "0.13.0"
          enable-cache: true

      - name: Test
        env:
          TITLE: ${{{{ github.event.pull_request.title }}}}
          TOKEN: ${{{{ secrets.GITHUB_TOKEN }}}}
          KEY: ${{{{ hashFiles('uv.lock') }}}}
        run: test -n "$TITLE"

      # Kept for a person.
      - name: Keep
        uses: {UPLOAD}
        with:
          name: dist
          path: dist/
          retention-days: 7

  passed:
    name: Tests passed
    needs: [plan, test]
    if: always()
    runs-on: ubuntu-slim
    timeout-minutes: 5
    permissions: {{}}
    steps:
      - name: Require
        env:
          RESULTS: ${{{{ join(needs.*.result, ' ') }}}}
        run: test "$RESULTS" = "success success"
""",
    # One job gates, another tells about it.
    "coverage.yml": head("coverage.yml", GATING)
    + """\
  coverage:
    name: Coverage
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions: {}
    steps:
      - name: Measure
        run: uv run pytest --cov

  report:
    name: Report
    needs: coverage
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions: {}
    steps:
      - name: Tell
        run: cat coverage.md
""",
    # A schedule.
    "trivy.yml": head("trivy.yml", GATING + '  schedule:\n    - cron: "0 3 * * *"\n')
    + """\
  trivy:
    name: Trivy
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions: {}
    steps:
      - name: Scan
        run: trivy filesystem .
""",
    # Secrets, an identity, a group of its own.
    "publish.yml": head("publish.yml", "  workflow_dispatch:\n")
    .replace(
        "${{ github.event.pull_request.number || github.run_id }}",
        "${{ github.ref_name }}",
    )
    .replace("${{ github.event_name == 'pull_request' }}", "false")
    + f"""\
  pypi:
    name: PyPI
    runs-on: ubuntu-latest
    timeout-minutes: 5
    environment: pypi
    permissions:
      id-token: write # prove who publishes
    concurrency:
      group: publish.yml-tags
      cancel-in-progress: false
    steps:
      - name: Set up uv
        uses: {SETUP_UV}
        with:
          version: "0.13.0"
          enable-cache: false

      - name: Upload
        env:
          TOKEN: ${{{{ secrets.PYPI_API_TOKEN }}}}
        run: test -n "$TOKEN"
""",
    # A caller.
    "release.yml": head("release.yml", "  workflow_dispatch:\n")
    .replace(
        "${{ github.event.pull_request.number || github.run_id }}",
        "${{ github.ref_name }}",
    )
    .replace("${{ github.event_name == 'pull_request' }}", "false")
    + """\
  tests:
    name: Tests
    permissions:
      contents: read # what tests.yml asks for
      actions: read # the same
    # actionlint does not know the newer spelling.
    uses: ./.github/workflows/tests.yml # zizmor: ignore[self-repository]
""",
    "ossf-scorecard.yml": head(
        "ossf-scorecard.yml",
        '  workflow_dispatch:\n  schedule:\n    - cron: "0 2 * * 1"\n',
    ).replace("defaults:\n  run:\n    shell: bash\n\n", "")
    + f"""\
  plan:
    name: Plan
    runs-on: ubuntu-slim
    timeout-minutes: 5
    permissions: {{}}
    steps:
      - name: Decide
        shell: bash
        run: python3 scripts/plan.py publication

  scorecard:
    name: Scorecard
    runs-on: ubuntu-latest
    timeout-minutes: 5
    permissions:
      id-token: write # sign
    steps:
      - name: Score
        uses: {SCORECARD}
        with:
          results_file: scorecard.sarif
          results_format: sarif

      - name: Keep
        uses: {UPLOAD}
        with:
          name: scorecard-results
          path: scorecard.sarif
          retention-days: 5
""",
}
# Read once for all the examples.
GOOD_WORKFLOWS = {name: Workflow(name, text) for name, text in GOOD.items()}


@dataclass(frozen=True)
class Break:
    """A change that makes a good workflow break one rule.

    Attributes:
        rule: The rule's name.
        file: The good workflow.
        old: What is replaced, once.
        new: What stands there instead.
        at: What the finding's line must hold; by default the first line of `new`.
        also: Other rules that cannot be kept then.
    """

    rule: str
    file: str
    old: str
    new: str
    at: str = ""
    also: frozenset[str] = frozenset()

    def broken(self) -> Workflow:
        """Give the workflow with the change made."""
        assert self.old in GOOD[self.file]
        return Workflow(self.file, GOOD[self.file].replace(self.old, self.new, 1))


def broken(
    rule: str, file: str, old: str, new: str, at: str = "", also: str = ""
) -> Break:
    """Give a Break; `also` is a list of names with blanks between."""
    return Break(rule, file, old, new, at, frozenset(also.split()))


T, C, P, R, S = (
    f"{name}.yml" for name in ("tests", "coverage", "publish", "release", "ossf-scorecard")
)  # fmt: skip

BREAKS = [
    # The head of the file.
    *(
        broken("two_comment_lines_open_the_file", T, old, new, at)
        for old, new, at in [
            ("# Shows what is right.\n", "", "# Locally"),
            ("# Locally: true\n", "", "name: tests.yml"),
            ("# Locally: true\n", "# Locally: \n", "# Locally:"),
        ]
    ),
    *(
        broken("permissions_start_from_none", T, "permissions: {}", new, at)
        for new, at in [
            ("permissions: read-all", ""),
            ("permissions:\n  contents: read", ""),
            ("env: {A: b}", "name: tests.yml"),
        ]
    ),
    broken("the_shell_is_bash", T, "shell: bash", "shell: sh", "defaults:"),
    broken("the_shell_is_bash", T, "defaults:\n  run:\n    shell: bash\n", "", "name: tests.yml"),
    broken("the_shell_is_bash", T, "        run: test -n", "        shell: sh\n        run: test -n"),
    broken("the_shell_is_bash", T, "    container:", "    defaults: {run: {shell: pwsh}}\n    container:"),
    broken("the_shell_is_bash", S, "        shell: bash\n", "", "- name: Decide"),
    *(
        broken("groups_are_the_file_and_cancel_only_pull_requests", *change)
        for change in [
            (T, "group: tests.yml-", "group: ${{ github.workflow }}-", "concurrency:"),
            (T, "pull_request.number || github.run_id", "pull_request.number || github.ref", "concurrency:"),
            (T, "${{ github.event_name == 'pull_request' }}", "true", "concurrency:"),
            (P, "cancel-in-progress: false", "cancel-in-progress: true", "concurrency:"),
            (P, "group: publish.yml-$", "group: release-$", "concurrency:"),
            (P, "group: publish.yml-tags", "group: tags", "    concurrency:"),
            (P, "\n      group: publish.yml-tags\n      cancel-in-progress: false", " publish.yml-tags", "    concurrency:"),
            (P, "tags\n      cancel-in-progress: false", "tags\n      cancel-in-progress: true", "    concurrency:"),
        ]
    ),
    broken("events_are_safe", T, "  workflow_call:", "  pull_request_target:\n  workflow_call:"),
    broken("events_are_safe", R, "  workflow_dispatch:", "  workflow_dispatch:\n  workflow_run:", "workflow_run"),
    broken("every_workflow_starts_by_hand", R, "workflow_dispatch:", "create:", "on:"),
    broken("schedules_are_the_documented_ones", "trivy.yml", "0 3 * * *", "0 4 * * *", "schedule:"),
    broken("schedules_are_the_documented_ones", "trivy.yml", '  schedule:\n    - cron: "0 3 * * *"\n', "", "  push:"),
    broken("schedules_are_the_documented_ones", C, "  merge_group:", '  schedule:\n    - cron: "0 3 * * *"\n  merge_group:'),
    # Required checks.
    *(
        broken("gates_listen_to_every_way_to_merge", T, *change)
        for change in [
            ("  merge_group:\n", "", "on:"),
            (f"\n{GATING}  workflow_call:\n", " [push, pull_request, workflow_call, workflow_dispatch]\n", "on:"),
            ("  pull_request:\n", "", "on:"),
            ("branches: [main]", "branches: [master]", "push:"),
            ("branches: [main]", "branches: [main]\n    paths-ignore: [docs/**]", "push:"),
            ("  pull_request:\n", "  pull_request:\n    paths: [src/**]\n", "pull_request:"),
        ]
    ),
    *(
        broken("one_required_check_sees_every_job", *change)
        for change in [
            (T, "  passed:\n", "  done:\n", "jobs:"),
            (T, "needs: [plan, test]", "needs: [test]"),
            (T, "if: always()", "if: success()"),
            (T, "    if: always()\n", "", "name: Tests passed"),
            (T, "join(needs.*.result, ' ')", "needs.test.result", "passed:"),
            (T, "    needs: plan\n", "    needs: [plan, passed]\n"),
            (C, "    name: Coverage\n", "    name: Coverage\n    if: github.actor != 'x'\n", "if:"),
            (C, "    needs: coverage\n", "", "report:"),
            (C, "    name: Coverage\n", "    name: Coverage\n    needs: report\n", "needs: report"),
            ("trivy.yml", "  trivy:\n", "  scan:\n", "jobs:"),
        ]
    ),
    broken("required_checks_have_names_of_their_own", T, "name: Tests passed", "name: Coverage", "passed:"),
    broken("required_checks_have_names_of_their_own", T, "name: Tests passed", "name: Test", "passed:"),
    broken("required_checks_have_names_of_their_own", T, "name: Tests passed", "name: ${{ github.job }}", "passed:"),
    # Jobs.
    *(
        broken("every_grant_has_its_reason", T, *change)
        for change in [
            (" # check out the change", "", "contents: read"),
            (" # check out the change", " #", "contents: read"),
            ("    permissions:\n      actions: read # look\n", "    permissions: read-all # all\n", "permissions: read-all"),
            ("    permissions: {}\n", "", "name: Tests passed"),
            ("permissions:\n      actions: read # look", "permissions: {actions: read, checks: read} # both", "checks"),
        ]
    ),
    broken("callers_grant_what_callees_ask_for", R, "      contents: read # what tests.yml asks for\n", "", "    permissions:"),
    broken("callers_grant_what_callees_ask_for", R, "contents: read", "contents: write", "    permissions:"),
    broken("callers_grant_what_callees_ask_for", R, "tests.yml #", "trivy.yml #", "uses:"),
    broken("callers_grant_what_callees_ask_for", R, "tests.yml #", "gone.yml #", "uses:"),
    broken("every_job_has_a_timeout", C, "    timeout-minutes: 5\n", "", "  coverage:"),
    broken("every_job_has_a_timeout", T, "timeout-minutes: 5\n    permissions:\n      actions", "timeout-minutes: ${{ vars.MINUTES }}\n    permissions:\n      actions", "  test:"),
    broken("runners_are_known", C, "runs-on: ubuntu-latest", "runs-on: ubuntu-26.05"),
    broken("runners_are_known", C, "runs-on: ubuntu-latest", "runs-on: [self-hosted, linux]"),
    broken("runners_are_known", T, "macos-latest]", "macos-lates]", "runs-on: ${{"),
    broken("runners_are_known", T, "timeout-minutes: 5", "timeout-minutes: 16", "runs-on: ubuntu-slim"),
    broken("runners_are_known", T, "        os: [ubuntu-latest, macos-latest]", "        include: ${{ fromJSON(vars.CELLS) }}", "runs-on: ${{"),
    broken("runners_are_known", T, "[ubuntu-latest, macos-latest]", "[ubuntu-slim, macos-latest]", "runs-on: ${{"),
    broken("containers_are_pinned", T, f"debian@sha256:{'0' * 64}", "debian:13", "container:"),
    broken("containers_are_pinned", T, f"    container:\n      image: debian@sha256:{'0' * 64}", "    container: debian"),
    broken("containers_are_pinned", C, "    permissions: {}", "    services: {db: {image: debian}}\n    permissions: {}", "name: Coverage"),
    *(
        broken("secrets_stay_in_environments", *change)
        for change in [
            (P, "    environment: pypi\n", "", "TOKEN:"),
            (T, "secrets.GITHUB_TOKEN", "secrets.TOKEN", "TOKEN:"),
            (T, "secrets.GITHUB_TOKEN", "secrets['TOKEN']", "TOKEN:"),
            (T, "secrets.GITHUB_TOKEN", "toJSON(secrets)", "TOKEN:"),
            (T, "jobs:\n", "env:\n  TOKEN: ${{ secrets.TOKEN }}\n\njobs:\n", "TOKEN:"),
            (R, "    # actionlint", "    secrets: inherit\n    # actionlint", "secrets: inherit"),
        ]
    ),
    broken("identities_touch_no_cache", P, "enable-cache: false", "enable-cache: true", "with:"),
    broken("identities_touch_no_cache", P, "          enable-cache: false\n", "", "with:"),
    broken(
        "identities_touch_no_cache",
        P,
        "      - name: Upload",
        f"      - name: Cache\n        uses: {CACHE}\n        with:\n          path: a\n          key: b\n\n      - name: Upload",
        CACHE,
    ),
    broken("file_hashes_are_asked_for_in_steps", T, "needs.plan.outputs.code == 'true'", "hashFiles('src') != ''"),
    broken("file_hashes_are_asked_for_in_steps", T, "    container:\n", "    env:\n      A: ${{ hashFiles('a') }}\n    container:\n", "A: $"),
    broken("file_hashes_are_asked_for_in_steps", T, "- name: Keep", "- name: Keep ${{ hashFiles('a') }}"),
    *(
        broken("scorecard_publishes", S, *change)
        for change in [
            ("concurrency:", "env:\n  A: b\n\nconcurrency:"),
            ("concurrency:", "defaults:\n  run:\n    shell: bash\n\nconcurrency:"),
            ("    runs-on: ubuntu-latest\n", "    runs-on: ubuntu-24.04-arm\n"),
            ("    runs-on: ubuntu-latest\n", "    runs-on: ubuntu-latest\n    env: {A: b}\n", "env:"),
            ("      - name: Score\n", "      - name: Say\n        shell: bash\n        run: echo\n\n      - name: Score\n", "run: echo"),
            (f"uses: {UPLOAD}\n        with:\n          name: scorecard-results\n          path: scorecard.sarif\n          retention-days: 5", f"uses: {DOWNLOAD}"),
            ("id-token: write # sign", "contents: read # sign", "    permissions:\n"),
            ("    permissions: {}\n", "    permissions:\n      id-token: write # sign\n"),
        ]
    ),
    # Steps.
    broken("steps_have_names_of_their_own", T, "- name: Test\n        env:", "- env:", "- env:"),
    broken("steps_have_names_of_their_own", T, "- name: Test\n", "- name: Keep\n"),
    broken("steps_stand_apart", T, "\n      - name: Test\n", "      - name: Test\n", "- name: Test\n"),
    broken("steps_stand_apart", T, "\n      # Kept", "      # Kept", "- name: Keep"),
    broken("pins_stand_apart_from_what_people_edit", T, f"        uses: {UPLOAD}\n        with:", f"        uses: {UPLOAD}\n        if: always()\n        with:", "uses: actions/upload"),
    broken("pins_stand_apart_from_what_people_edit", T, f"        uses: {SETUP_UV}\n", f"        env:\n          A: b\n        uses: {SETUP_UV}\n", "uses: astral"),
    broken("pins_stand_apart_from_what_people_edit", T, f"        uses: {UPLOAD}\n", f"        uses: {UPLOAD}\n        # Why\n", "uses: actions/upload"),
    broken("commands_hold_no_expression", T, 'test -n "$TITLE"', 'test -n "${{ github.head_ref }}"', "run: test -n"),
    *(
        broken("failures_are_not_swallowed", T, *change)
        for change in [
            ("    container:", "    continue-on-error: true\n    container:", "continue-on-error"),
            ("        run: test -n", "        continue-on-error: true\n        run: test -n", "continue-on-error"),
            *((' -n "$TITLE"', f' -n "$TITLE" {end}', "run: test -n") for end in ("|| true", "||true", "; true", "|| exit 0", "--exit-zero")),
            ('run: test -n "$TITLE"', "run: |\n          false || :", "run: |"),
            ('run: test -n "$TITLE"', "run: |\n          set +e\n          false", "run: |"),
            ('run: test -n "$TITLE"', "run: |\n          set +o pipefail\n          false", "run: |"),
        ]
    ),
    broken("checkouts_keep_no_token", T, "        with:\n          persist-credentials: false\n", "", "- name: Check out"),
    broken("checkouts_keep_no_token", T, "persist-credentials: false", "persist-credentials: true", "with:"),
    broken("artifacts_go_when_they_are_told", T, "retention-days: 7", "retention-days: 8", "with:"),
    broken("artifacts_go_when_they_are_told", T, "          name: dist\n          path: dist/\n          retention-days: 7", "          name: other\n          path: dist/", "with:"),
    broken("exceptions_have_their_reason", R, "    # actionlint does not know the newer spelling.\n", "", "zizmor: ignore"),
    # Actions.
    *(
        broken("actions_are_pinned", T, *change)
        for change in [
            (CHECKOUT, "actions/checkout@v7"),
            (CHECKOUT, "actions/checkout@3d3c42e # v7.0.1"),
            (CHECKOUT, CHECKOUT.replace(" # v7.0.1", "")),
            (CHECKOUT, CHECKOUT.replace("v7.0.1", "v7")),
        ]
    ),
    broken("actions_are_pinned", T, UPLOAD, "docker://debian:13"),
    broken("pins_are_commits", S, SCORECARD, f"ossf/scorecard-action@{TAG_OBJECT} # v2.4.3"),
    broken("pins_are_recorded", T, CHECKOUT, f"actions/checkout@{'a' * 40} # v7.0.2"),
    broken("pins_are_recorded", T, CHECKOUT, CHECKOUT.replace("v7.0.1", "v7.0.0")),
    broken("pins_are_recorded", T, UPLOAD, f"someone/else@{'a' * 40} # v1.0.0"),
    broken("pins_are_recorded", T, UPLOAD, UPLOAD.replace("artifact@", "artifact/merge@")),
    broken("an_action_has_one_pin", T, SETUP_UV, f"astral-sh/setup-uv@{'a' * 40} # v10.2.1", also="pins_are_recorded"),
    broken("inputs_are_the_action_s", T, "          retention-days: 7", "          retention-days: 7\n          keep: yes", "keep: yes"),
    broken("inputs_are_the_action_s", T, "          path: dist/\n", "", "with:"),
    broken("outputs_are_set_by_their_step", T, "steps.plan.outputs.code", "steps.plan.outputs.cod"),
    broken("outputs_are_set_by_their_step", T, "steps.checkout.outputs.commit", "steps.checkout.outputs.sha"),
    broken("outputs_are_set_by_their_step", T, "steps.plan.outputs.code", "steps.other.outputs.code"),
    broken("outputs_are_declared_by_their_job", T, "needs.plan.outputs.code", "needs.plan.outputs.server"),
    broken("outputs_are_declared_by_their_job", T, "needs.plan.outputs.code", "needs.plans.outputs.code"),
    broken("installed_versions_are_listed", T, '"0.13.0"', '"0.13.1"', "with:"),
    broken("installed_versions_are_listed", T, '          version: "0.13.0"\n', "", "with:"),
]  # fmt: skip


@pytest.mark.parametrize("file", GOOD)
def test_the_good_workflows_keep_every_rule(file: str) -> None:
    """What the examples below start from is without a finding."""
    assert findings(GOOD_WORKFLOWS[file], GOOD_WORKFLOWS) == {}


@pytest.mark.parametrize(
    "change", BREAKS, ids=lambda change: f"{change.rule}-{change.new.strip()[:40]!r}"
)
def test_a_workflow_that_breaks_a_rule_is_found(change: Break) -> None:
    """Just that rule has a finding, which names the place."""
    workflow = change.broken()
    everything = {**GOOD_WORKFLOWS, workflow.file: workflow}
    found = findings(workflow, everything)
    assert found.keys() == {change.rule, *change.also}
    lines = [workflow.lines[finding.line - 1] for finding in found[change.rule]]
    wanted = change.at or change.new.strip("\n").splitlines()[0]
    assert any(wanted.strip("\n") in line for line in lines), found
    assert all(str(f).startswith(f"{f.file}:{f.line}: ") for f in found[change.rule])


def test_node_20_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """No recorded action runs on it, so that one is recorded for this."""
    old = {"using": "node20", "inputs": {}, "outputs": []}
    monkeypatch.setitem(
        ACTIONS, "some/one", {"tag": "v1.0.0", "sha": "a" * 40, "paths": {"": old}}
    )
    text = GOOD["tests.yml"].replace(UPLOAD, f"some/one@{'a' * 40} # v1.0.0")
    found = findings(
        Workflow("tests.yml", text), {}, "actions_run_on_what_runners_have"
    )
    assert "node20" in str(found)


def test_every_rule_has_something_that_breaks_it() -> None:
    """A rule that nothing breaks might find nothing at all."""
    tried = {change.rule for change in BREAKS} | {"actions_run_on_what_runners_have"}
    assert tried == RULES.keys()


def test_a_key_given_twice_is_an_error() -> None:
    """The second would silently win."""
    with pytest.raises(YAMLError):
        _ = Workflow("a.yml", "jobs: {}\njobs: {}\n").data


def test_a_callee_s_callees_count() -> None:
    """The outermost caller grants what the innermost asks for."""
    middle = GOOD["release.yml"].replace(
        "workflow_dispatch:", "workflow_call:\n  workflow_dispatch:"
    )
    outer = GOOD["release.yml"].replace("tests.yml", "middle.yml")
    texts = {**GOOD, "middle.yml": middle, "release.yml": outer}
    everything = {name: Workflow(name, text) for name, text in texts.items()}
    rule = "callers_grant_what_callees_ask_for"
    assert findings(everything["release.yml"], everything, rule) == {}
    everything["tests.yml"] = Workflow(
        "tests.yml", GOOD["tests.yml"].replace("actions: read", "checks: write")
    )
    assert "checks" in str(findings(everything["release.yml"], everything, rule))


# ---- Versions that Dependabot cannot move ----------------------------------------------------------------------------


def all_version_uses() -> Iterator[Use]:
    """Give every use of a listed version in what projects get, and in what this repository says and runs."""
    folders = ("template", "extensions", ".github", "docs")
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*"))]
    for path in [ROOT / "README.md", *files]:
        # Checkers leave caches behind; pictures name nothing.
        named = "cache" not in path.as_posix() and path.suffix != ".webp"
        if path.is_file() and named:
            name = path.relative_to(ROOT).as_posix()
            # What this repository tells of its past may name other versions.
            prose = not name.startswith(("docs/", "README"))
            yield from version_uses(name, path.read_text("utf-8"), prose=prose)
    for workflow, _ in ALL:
        yield from installed_versions(workflow)


def test_every_version_is_the_listed_one() -> None:
    """Workflows, hooks, images and manual name the same versions."""
    assert [str(use.place) for use in all_version_uses() if not use.right] == []


def test_every_listed_version_is_used() -> None:
    """A tool that has gone is taken out of the list, and a spelling that is not seen is noticed."""
    uses = [use.name for use in all_version_uses()]
    assert set(uses) == {*VERSIONS["tools"], *VERSIONS["images"]}
    # gitleaks stands twice among the hooks; semgrep in its workflow's head, and above its image's digest.
    assert uses.count("gitleaks") >= 2
    assert uses.count("semgrep") >= 2


@pytest.mark.parametrize(
    "line",
    [
        'additional_dependencies: ["github.com/zricethezav/gitleaks/v8@v8.30.0"]',
        'additional_dependencies: ["github.com/rhysd/actionlint/cmd/actionlint@v1.7.11"]',
        "uvx semgrep==1.177.0 scan",
        "# semgrep/semgrep:1.177.0",
        f"image: semgrep/semgrep@sha256:{'0' * 64}",
        f"FROM ghcr.io/astral-sh/uv:0.13.0@sha256:{'0' * 64}",
        "install uv 0.12 first",
        "It runs Trivy 0.73.0.",
        "uvx copier@9.18.1 update",
    ],
)
def test_another_version_is_found(line: str) -> None:
    """In each of the spellings that are in use."""
    (use,) = [use for use in version_uses("a", f"\n{line}\n") if not use.right]
    assert str(use.place).startswith("a:2: ")


# ---- What the required checks of several jobs decide -------------------------------------------------------------------


# Which jobs may be skipped, and the plan's output that says so by being false.
MAY_SKIP = {
    "tests.yml": {"plan": "code", "test": "code", "lint": "code"},
    "build.yml": {"plan": "code", "package": "code", "install": "code"},
    "docker.yml": {"build": "code", "merge": "push"},
}
PASSED = [
    pytest.param(workflow, may_skip, id=f"{whose}-{workflow.file}")
    for whose, workflows, rules in (
        ("template", TEMPLATE, MAY_SKIP),
        ("own", TEMPLATE_S_OWN, {}),
    )
    for workflow in workflows.values()
    if "passed" in workflow.jobs
    for may_skip in [rules.get(workflow.file, {})]
]
ENDS = ("success", "failure", "cancelled", "skipped")
Results = dict[str, str]


def is_green(workflow: Workflow, results: Results, code: str, push: str) -> bool:
    """Run the command of the job `passed` as GitHub runs it.

    Args:
        workflow: The workflow.
        results: What each job that it needs ended with, in the order of `needs`.
        code: The plan's output of that name; empty where the plan was skipped.
        push: The same.
    """
    (step,) = workflow.steps("passed")
    # Every expression that such a step may use: another one is a KeyError.
    values = {
        "join(needs.*.result, ' ')": " ".join(results.values()),
        "needs.plan.outputs.code == 'false'": json.dumps(code == "false"),
        "needs.plan.outputs.push == 'false'": json.dumps(push == "false"),
        **{f"needs.{job}.result": result for job, result in results.items()},
    }
    env = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda match: values[match[1]], text)
        for name, text in step.data["env"].items()
    }
    options = ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]
    done = run([tool("bash"), *options, step.data["run"]], env=env, check=False)
    return done.returncode == 0


def wrong_verdicts(
    workflow: Workflow, may_skip: dict[str, str]
) -> Iterator[tuple[Results, str, str]]:
    """Give the results and outputs for which `passed` is green and should not be, or the reverse."""
    needs = workflow.jobs["passed"]["needs"]
    flags = ("true", "false") if "plan" in needs else ("",)
    for ends in itertools.product(ENDS, repeat=len(needs)):
        results = dict(zip(needs, ends, strict=True))
        # A plan that was skipped has said nothing.
        said = ("",) if results.get("plan") == "skipped" else flags
        for code, push in itertools.product(said, repeat=2):
            skippable = {
                job
                for job, output in may_skip.items()
                if {"code": code, "push": push}[output] == "false"
            }
            right = all(
                end == "success" or (end == "skipped" and job in skippable)
                for job, end in results.items()
            )
            if is_green(workflow, results, code, push) is not right:
                yield results, code, push


on_linux = pytest.mark.skipif(
    sys.platform == "win32", reason="the job runs on Linux alone"
)


def test_these_workflows_have_a_job_that_sums_up() -> None:
    """Those that are tried below, and no other."""
    names = {str(parameter.id) for parameter in PASSED}
    wanted = {f"template-{file}" for file in MAY_SKIP} | {"own-tests.yml"}
    assert names == wanted


@on_linux
@pytest.mark.parametrize(("workflow", "may_skip"), PASSED)
def test_passed_is_green_only_for_success_and_what_may_be_skipped(
    workflow: Workflow, may_skip: dict[str, str]
) -> None:
    """For all that its jobs can end with and the plan can say."""
    assert list(wrong_verdicts(workflow, may_skip)) == []


@on_linux
@pytest.mark.parametrize(("workflow", "may_skip"), PASSED)
def test_passed_is_red_for_a_result_that_nobody_knows(
    workflow: Workflow, may_skip: dict[str, str]
) -> None:
    """Whatever may be skipped."""
    for job in workflow.jobs["passed"]["needs"]:
        results = dict.fromkeys(workflow.jobs["passed"]["needs"], "success")
        assert is_green(workflow, results, "false", "false")
        assert not is_green(workflow, {**results, job: "unheard-of"}, "false", "false")


@on_linux
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    *) exit 1 ;;', '    *) ;;'),
        ('success,* | "skipped, true")', "success,* | skipped,*)"),
        ('success,* | "skipped, true")', "success,* | cancelled,* | *true)"),
        ('success,* | "skipped, true")', "success,*)"),
        ("outputs.push == 'false'", "outputs.code == 'false'"),
        (' "$MERGE"; do', "; do"),
        ("needs.plan.result }}, false", "needs.build.result }}, false"),
    ],
)  # fmt: skip
def test_a_weaker_job_would_be_found(old: str, new: str) -> None:
    """Each of the changes lets something through, or stops what is right."""
    text = TEMPLATE["docker.yml"].text
    assert text.count(old) == 1
    weaker = Workflow("docker.yml", text.replace(old, new))
    assert next(wrong_verdicts(weaker, MAY_SKIP["docker.yml"]), None)


# ---- Ready-made checkers ---------------------------------------------------------------------------------------------


def repository(folder: Path, *files: Path) -> Path:
    """Make a repository that holds these workflows."""
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    for file in files:
        shutil.copy2(file, workflows)
    run([tool("git"), "init", "--quiet", str(folder)])
    return folder


def test_ready_made_checkers_find_nothing(tmp_path: Path) -> None:
    """Neither zizmor's auditor nor actionlint nor GitHub's schema has anything to say about the sources."""
    folder = repository(tmp_path, *SOURCES.glob("*.yml"))
    assert [found["ident"] for found in zizmor(folder)] == []
    assert actionlint(folder) == ""
    workflows = (folder / ".github/workflows").glob("*.yml")
    assert schema("vendor.github-workflows", *workflows) == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("needs.plan.outputs.code == 'true'", "needs.plan.outputs.cod == 'true'", '"cod" is not defined'),
        ("      code: ${{ steps.plan.outputs.code }}\n", "", '"code" is not defined'),
        ("needs: plan", "needs: [plann]", '"plann"'),
        ("uv.lock'", "uv.lock", "got unexpected"),
    ],
)  # fmt: skip
def test_actionlint_would_find_something(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    """Outputs and jobs that do not exist, which is why no rule looks for them."""
    assert old in GOOD["tests.yml"]
    folder = repository(tmp_path)
    text = GOOD["tests.yml"].replace(old, new)
    (folder / ".github/workflows/tests.yml").write_text(text, "utf-8")
    assert said in actionlint(folder)


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    """A tag that stands for a pin is reported."""
    folder = repository(tmp_path)
    text = GOOD["tests.yml"].replace(CHECKOUT, "actions/checkout@v7")
    (folder / ".github/workflows/tests.yml").write_text(text, "utf-8")
    assert "unpinned-uses" in {found["ident"] for found in zizmor(folder)}


def test_the_schema_would_find_something(tmp_path: Path) -> None:
    """A key that GitHub does not know is reported."""
    text = GOOD["tests.yml"].replace("timeout-minutes", "timeout-minute", 1)
    (tmp_path / "tests.yml").write_text(text, "utf-8")
    assert schema("vendor.github-workflows", tmp_path / "tests.yml")
