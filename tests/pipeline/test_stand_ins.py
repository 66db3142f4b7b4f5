"""The stand-ins for third-party actions do what the real ones document, and refuse what those refuse."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from engine.actions import __main__, uv
from engine.actions.catalogue import STAND_INS, make_folders, work
from engine.actions.stand_in import CONTEXT, Failure, StandIn, input_variable
from engine.repository import App
from engine.under_test import permissions_of
from harness import ROOT, run, tool
from policy import ACTIONS, DATA
from scenarios import pem

pytestmark = [
    pytest.mark.quick,
    pytest.mark.skipif(sys.platform == "win32", reason="the engine's runners are not"),
]

INTERFACE = DATA / "actions.json"
REPOSITORY = "octo/sample-project"
MAIN, CHANGE, TAG = "refs/heads/main", "refs/pull/1/merge", "refs/tags/v1.2.3"
COMMIT = "860c1904a1ce19322e91ac35af1ab07466440c37"
TOKEN = "not-a-token-but-looked-for"  # noqa: S105
# What the expressions in defaults stand for.
EXPRESSIONS = {
    "${{ github.repository }}": REPOSITORY,
    "${{ github.run_id }}": "7",
    "${{ github.token }}": TOKEN,
}
UPLOAD, DOWNLOAD = "actions/upload-artifact", "actions/download-artifact"
CACHE, RESTORE, SAVE = "actions/cache", "actions/cache/restore", "actions/cache/save"
# The stand-ins that do something after the job's last step.
WITH_POST = {CACHE, "docker/login-action"}
CHECKOUT, ATTEST = "actions/checkout", "actions/attest"
SARIF, SCORECARD = "github/codeql-action/upload-sarif", "ossf/scorecard-action"
UV, TRIVY = "astral-sh/setup-uv", "aquasecurity/setup-trivy"
CODECOV, METADATA = "codecov/codecov-action", "docker/metadata-action"

Inputs = dict[str, str]


@dataclass
class Used:
    """What the use of an action left behind.

    Attributes:
        outputs: Its outputs.
        variables: The variables that it set for later steps.
        path: What it put on PATH.
        said: What it printed.
        record: What it wrote down, if anything.
    """

    outputs: dict[str, str]
    variables: dict[str, str]
    path: str
    said: str
    record: dict[str, Any]


@dataclass
class Job:
    """A job that uses actions, and what GitHub holds around it; all of it in a folder.

    Attributes:
        folder: Where everything is.
        permissions: What the job's token may do.
        changed: What is told to the stand-ins, where it is not the usual.
        state: What a step keeps for when the job ends.
        variables: Variables beside the usual ones.
    """

    folder: Path
    permissions: dict[str, str] = field(default_factory=dict)
    changed: dict[str, Any] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the folders."""
        for name in (
            *("workspace", "home", "temporary"),
            *("artifacts", "caches", "uploads", "cache"),
        ):
            (self.folder / name).mkdir()

    @property
    def workspace(self) -> Path:
        """The job's folder."""
        return self.folder / "workspace"

    @property
    def context(self) -> dict[str, Any]:
        """What the stand-ins are told."""
        kept = ("artifacts", "caches", "uploads", "cache", "trivy", "sarif_schema")
        return {
            **{name: str(self.folder / name) for name in kept},
            "code_scanning": True,
            "commit": COMMIT,
            "fork": False,
            "full_name": REPOSITORY,
            "git": str(self.folder / "repository.git"),
            "grants": {"Sample / job": self.permissions},
            "interface": str(INTERFACE),
            "private": False,
            "records": str(self.folder / "records.jsonl"),
            "ref": MAIN,
            "uv": sys.executable,
            "attestations": str(self.folder / "attestations"),
            "workflows": {"Sample": "sample.yml"},
            **self.changed,
        }

    def environment(self, action: str, inputs: Inputs) -> dict[str, str]:
        """Give the variables that a step sees; what is not given has its default, as act sees to."""
        given = {**defaults(action), **inputs}
        files = {
            name: str(self.folder / name)
            for name in ("GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE")
        }
        for file in files.values():
            Path(file).write_text("", "utf-8")
        (self.folder / "context.json").write_text(json.dumps(self.context), "utf-8")
        return {
            **files,
            **{input_variable(name): value for name, value in given.items()},
            **{f"STATE_{name}": value for name, value in self.state.items()},
            "GITHUB_EVENT_NAME": "push",
            "GITHUB_JOB": "job",
            "GITHUB_RUN_ID": "7",
            "GITHUB_WORKFLOW": "Sample",
            "GITHUB_WORKSPACE": str(self.workspace),
            "HOME": str(self.folder / "home"),
            "RUNNER_TEMP": str(self.folder / "temporary"),
            CONTEXT: str(self.folder / "context.json"),
            **self.variables,
        }

    def use(self, action: str, phase: str = "main", /, **inputs: str) -> Used:
        """Use an action; in names of inputs _ stands for -, where the action knows no _."""
        known = interface(action)["inputs"]
        named = {
            name if name in known else name.replace("_", "-"): value
            for name, value in inputs.items()
        }
        environment = self.environment(action, named)
        records = self.folder / "records.jsonl"
        records.write_text("", "utf-8")
        with contextlib.redirect_stdout(io.StringIO()) as said:
            work(action, phase)(StandIn(action, environment))
        self.state |= dict(
            line.split("=", 1) for line in self.left("GITHUB_STATE").splitlines()
        )
        recorded = records.read_text("utf-8")
        return Used(
            settings(self.left("GITHUB_OUTPUT")),
            settings(self.left("GITHUB_ENV")),
            self.left("GITHUB_PATH").strip(),
            said.getvalue(),
            json.loads(recorded) if recorded else {},
        )

    def left(self, name: str) -> str:
        """Give what a step wrote into one of the files that it is given."""
        return (self.folder / name).read_text("utf-8")

    def write(self, *names: str, text: str = "") -> None:
        """Write files in the job's folder; each holds its name, if nothing else is said."""
        for name in names:
            file = self.workspace / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text or name, "utf-8")

    def refuses(self, action: str, why: str, /, **inputs: str) -> None:
        """Show that an action fails, and says why."""
        with pytest.raises(Failure, match=why):
            self.use(action, **inputs)


def interface(action: str) -> dict[str, Any]:
    """Give what is recorded of an action."""
    owner, name, *path = action.split("/")
    found: dict[str, Any] = ACTIONS[f"{owner}/{name}"]["paths"]["/".join(path)]
    return found


def defaults(action: str) -> Inputs:
    """Give the inputs that have a value without being given one."""
    found = {
        name: declared["default"]
        for name, declared in interface(action)["inputs"].items()
    }
    return {
        name: str(value).lower()
        if isinstance(value, bool)
        else str(EXPRESSIONS.get(value, value))
        for name, value in found.items()
        if value is not None
    }


def settings(text: str) -> dict[str, str]:
    """Read a file of outputs or variables."""
    pattern = re.compile(r"(.+?)<<(.+)\n((?:.*\n)*?)\2\n")
    return {found[1]: found[3][:-1] for found in pattern.finditer(text)}


def below(folder: Path) -> list[str]:
    """Give the files below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(file.relative_to(folder).as_posix() for file in files)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Give a job on main of a public repository, whose token may do nothing."""
    return Job(tmp_path)


# ---- What all share --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", STAND_INS)
def test_an_input_that_is_not_the_action_s_is_refused(action: str, job: Job) -> None:
    job.refuses(action, r"Unexpected input\(s\): colour", colour="red")


@pytest.mark.parametrize(
    ("action", "name"),
    [
        (action, name)
        for action in STAND_INS
        for name, declared in interface(action)["inputs"].items()
        if declared["required"]
    ],
)
def test_a_required_input_must_be_given(action: str, name: str, job: Job) -> None:
    required = [n for n, d in interface(action)["inputs"].items() if d["required"]]
    inputs = dict.fromkeys(required, "x") | {name: ""}
    job.refuses(action, f"Input required and not supplied: {name}", **inputs)


@pytest.mark.parametrize("value", ["yes", "1", "tRUE", "on"])
def test_true_and_false_are_spelled_as_in_yaml(value: str, job: Job) -> None:
    job.write("file")
    job.refuses(UPLOAD, "does not meet YAML 1.2", path="file", overwrite=value)
    assert job.use(UPLOAD, path="file", overwrite="TRUE").record


def test_what_was_done_is_written_down_with_the_job_that_did_it(job: Job) -> None:
    job.write("file")
    record = job.use(UPLOAD, path="file").record
    assert record | {"action": UPLOAD, "workflow": "Sample", "job": "job"} == record
    assert record["inputs"] == {
        **dict.fromkeys(interface(UPLOAD)["inputs"], ""),
        **defaults(UPLOAD),
        "path": "file",
    }


@pytest.mark.parametrize(("path", "status"), [("file", 0), ("nothing", 1)])
def test_a_failure_is_shown_and_ends_the_step(
    path: str,
    status: int,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    job.write("file")
    inputs = {"path": path, "if-no-files-found": "error"}
    for name, value in job.environment(UPLOAD, inputs).items():
        monkeypatch.setenv(name, value)
    assert __main__.main(UPLOAD, "main") == status
    assert ("::error::No files were found" in capsys.readouterr().out) == bool(status)


def test_a_stand_in_s_start_reads_little() -> None:
    """A run starts dozens of them: reading pytest or Copier for each makes it several times as long."""
    read = "import sys; from engine.actions.catalogue import work; work('actions/checkout', 'main'); print(*sys.modules)"
    done = run([sys.executable, "-c", read], env={"PYTHONPATH": str(ROOT / "tests")})
    assert "engine.actions.stand_in" in done.stdout.split()
    heavy = {"copier", "cryptography", "filelock", "harness", "jwt", "policy", "pytest"}
    assert heavy.isdisjoint(done.stdout.split())


def test_act_is_offered_each_stand_in_with_the_interface_of_the_pin(job: Job) -> None:
    options = make_folders(job.folder / "actions", INTERFACE)
    places = dict(
        option.removeprefix("--local-repository=").split("=") for option in options
    )
    offered = {}
    for pin, folder in places.items():
        name, sha = pin.split("@")
        assert sha == ACTIONS[name]["sha"]
        for file in Path(folder).rglob("action.yml"):
            path = file.parent.relative_to(folder).as_posix()
            offered[f"{name}/{path}".removesuffix("/.")] = yaml.safe_load(
                file.read_text("utf-8")
            )
    assert offered.keys() == STAND_INS.keys()
    for action, declared in offered.items():
        assert declared["inputs"].keys() == interface(action)["inputs"].keys()
        assert declared["outputs"].keys() == set(interface(action)["outputs"])
        given = {
            n: d["default"] for n, d in declared["inputs"].items() if "default" in d
        }
        assert given.keys() == defaults(action).keys()
        assert ("post" in declared["runs"]) == (action in WITH_POST)


# ---- Artifacts: what is uploaded -------------------------------------------------------------------------------------

FILES = (
    *("notes.txt", ".coverage", "dist/a.whl", "dist/sub/b.tar.gz"),
    *("dist/.hidden", "dist/.folder/c.txt", ".cache/report/d.txt"),
    *("report/x.tmp", "report/deep/y.tmp", "report/deep/z.txt"),
)
DIST = ["a.whl", "sub/b.tar.gz"]
REPORT = ["deep/y.tmp", "deep/z.txt", "x.tmp"]


@pytest.fixture
def filled(job: Job) -> Job:
    """Give a job whose folder has files, and others elsewhere."""
    job.write(*FILES, "../elsewhere/far.txt", "../home/near.txt")
    (job.workspace / "link").symlink_to(job.folder / "elsewhere")
    return job


@pytest.mark.parametrize(
    ("path", "names"),
    [
        # One folder: what is below it keeps its names.
        ("dist/", DIST),
        ("dist", DIST),
        ("./dist", DIST),
        ("dist/**", DIST),
        ("link/", ["far.txt"]),
        # One file: only its own name.
        ("notes.txt", ["notes.txt"]),
        ("report/deep/z.txt", ["z.txt"]),
        # One pattern: what is before its first wildcard goes.
        ("dist/*.whl", ["a.whl"]),
        ("report/*/z.txt", ["deep/z.txt"]),
        ("report/**/*.tmp", ["deep/y.tmp", "x.tmp"]),
        ("**/*.tmp", ["report/deep/y.tmp", "report/x.tmp"]),
        ("report/[dx]*", REPORT),
        ("report/dee?", ["deep/y.tmp", "deep/z.txt"]),
        # Several paths: what all of them share goes, whether anything is there or not.
        ("dist/\nnotes.txt", [*(f"dist/{name}" for name in DIST), "notes.txt"]),
        ("report/deep/z.txt\nreport/x.tmp", ["deep/z.txt", "x.tmp"]),
        ("report/x.tmp\nmissing/file", ["report/x.tmp"]),
        ("dist/*.whl\ndist/sub/*.gz", DIST),
        ("report/deep/\nreport/", REPORT),
        ("notes.txt\nnotes.txt", ["notes.txt"]),
        # A later line takes away what was found, and so does it with folders.
        ("report/\n!report/*.tmp", ["deep/y.tmp", "deep/z.txt"]),
        ("report/\n!report/**/*.tmp", ["deep/z.txt"]),
        ("report/\n!report/deep", ["x.tmp"]),
        ("report/\n! report/deep/\nreport/deep/z.txt", ["deep/z.txt", "x.tmp"]),
        ("!report/deep\nreport/", REPORT),
        # Remarks and empty lines say nothing.
        ("# the wheel\n\n  dist/a.whl  \n", ["a.whl"]),
        # Elsewhere.
        ("~/near.txt", ["near.txt"]),
        ("~", ["near.txt"]),
        ("{folder}/elsewhere/", ["far.txt"]),
        # A folder is asked for, and a file is there.
        ("notes.txt/", []),
        ("!notes.txt", []),
        # What is hidden, or in what is hidden below the path.
        (".coverage", []),
        (".cache/", []),
        ("dist/.folder/", []),
        ("dist/.h*", []),
        # What is hidden above the path does not count.
        ("dist/.folder/c.txt", ["c.txt"]),
        (".cache/report/", ["d.txt"]),
    ],
)
def test_an_upload_takes_what_its_path_means(
    path: str, names: list[str], filled: Job
) -> None:
    used = filled.use(UPLOAD, path=path.replace("{folder}", str(filled.folder)))
    assert used.record.get("files", []) == sorted(names)
    assert below(filled.folder / "artifacts" / "artifact") == sorted(names)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("dist/", [".folder/c.txt", ".hidden", *DIST]),
        (".coverage", [".coverage"]),
        (".cache/", ["report/d.txt"]),
        (
            "dist/\n.coverage",
            [
                ".coverage",
                "dist/.folder/c.txt",
                "dist/.hidden",
                *(f"dist/{name}" for name in DIST),
            ],
        ),
    ],
)
def test_an_upload_takes_hidden_files_where_it_is_told(
    path: str, names: list[str], filled: Job
) -> None:
    used = filled.use(UPLOAD, path=path, include_hidden_files="true")
    assert used.record["files"] == sorted(names)


@pytest.mark.parametrize("path", ["../elsewhere/", "dist/../notes.txt", "dist/./sub"])
def test_an_upload_s_path_goes_only_down(path: str, filled: Job) -> None:
    filled.refuses(UPLOAD, "Relative pathing '.' and '..' is not allowed", path=path)


@pytest.mark.parametrize("sign", list('":<>|*?\r\n\\/'))
def test_names_of_artifacts_and_files_have_no_forbidden_characters(
    sign: str, job: Job
) -> None:
    job.write("file")
    job.refuses(UPLOAD, "artifact name is not valid", path="file", name=f"a{sign}b")
    if sign != "/":
        job.write(f"dist/a{sign}b")
        if sign == "\\":
            assert job.use(UPLOAD, path="dist/")
        else:
            job.refuses(
                UPLOAD, "one of the files in artifact is not valid", path="dist/"
            )


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_artifact_has_a_name(name: str, job: Job) -> None:
    job.write("file")
    job.refuses(UPLOAD, "is not valid", path="file", name=name, overwrite="true")


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [("warn", "::warning::No files were found"), ("ignore", "No files were found")],
)
def test_an_upload_that_finds_nothing_may_go_on(
    behaviour: str, said: str, job: Job
) -> None:
    used = job.use(UPLOAD, path="nothing", if_no_files_found=behaviour)
    assert used.said.startswith(said)
    assert not used.record
    assert not used.outputs
    assert not below(job.folder / "artifacts")


def test_an_upload_that_finds_nothing_warns_or_fails_as_told(job: Job) -> None:
    assert "::warning::" in job.use(UPLOAD, path="nothing").said
    why = "No files were found with the provided path: nothing"
    job.refuses(UPLOAD, why, path="nothing", if_no_files_found="error")


@pytest.mark.parametrize(
    ("days", "kept"), [("", 90), ("0", 90), ("1", 1), ("90", 90), ("7", 7)]
)
def test_an_artifact_is_kept_for_days(days: str, kept: int, job: Job) -> None:
    job.write("file")
    assert job.use(UPLOAD, path="file", retention_days=days).record["days"] == kept


@pytest.mark.parametrize(
    ("why", "inputs"),
    [
        ("retention-days", {"retention-days": "91"}),
        ("retention-days", {"retention-days": "-1"}),
        ("retention-days", {"retention-days": "a week"}),
        ("compression-level", {"compression-level": "10"}),
        ("if-no-files-found", {"if-no-files-found": "shout"}),
        ("archive", {"archive": "false"}),
    ],
)
def test_an_upload_refuses(why: str, inputs: Inputs, job: Job) -> None:
    job.write("file")
    job.refuses(UPLOAD, why, path="file", **inputs)


def test_a_name_is_used_once_unless_it_is_to_be_replaced(job: Job) -> None:
    job.write("first/a", "first/b", "second/a")
    first = job.use(UPLOAD, name="dist", path="first/")
    job.refuses(UPLOAD, "already exists", name="dist", path="second/")
    assert below(job.folder / "artifacts/dist") == ["a", "b"]
    second = job.use(UPLOAD, name="dist", path="second/", overwrite="true")
    assert below(job.folder / "artifacts/dist") == ["a"]
    assert second.outputs["artifact-digest"] != first.outputs["artifact-digest"]
    assert re.fullmatch("[0-9a-f]{64}", second.outputs["artifact-digest"])
    assert second.outputs["artifact-url"] == (
        f"https://github.com/{REPOSITORY}/actions/runs/7/artifacts/{second.outputs['artifact-id']}"
    )
    job.use(UPLOAD, name="another", path="first/", overwrite="true")


# ---- Artifacts: what is downloaded -----------------------------------------------------------------------------------


@pytest.fixture
def stored(job: Job) -> Job:
    """Give a job after three uploads, in an empty folder."""
    job.write("one/1.txt", "two/2.txt", "log/3.txt")
    for name, path in (("part-one", "one/"), ("part-two", "two/"), ("logs", "log/")):
        job.use(UPLOAD, name=name, path=path)
    return replace_workspace(job)


def replace_workspace(job: Job) -> Job:
    """Give the job an empty folder, as each has one."""
    job.workspace.rename(job.folder / "workspace-before")
    job.workspace.mkdir()
    return job


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        # By its name: without a folder of its own.
        ({"name": "part-one"}, ["1.txt"]),
        ({"name": "part-one", "path": "in/"}, ["in/1.txt"]),
        ({"name": "part-one", "pattern": "logs"}, ["1.txt"]),
        # Several: with.
        ({}, ["logs/3.txt", "part-one/1.txt", "part-two/2.txt"]),
        ({"pattern": "part-*"}, ["part-one/1.txt", "part-two/2.txt"]),
        (
            {"pattern": "part-*", "path": "in"},
            ["in/part-one/1.txt", "in/part-two/2.txt"],
        ),
        ({"pattern": "part-*", "merge-multiple": "true"}, ["1.txt", "2.txt"]),
        # The only one that fits: again without.
        ({"pattern": "lo?s"}, ["3.txt"]),
        ({"pattern": "part-[o]*"}, ["1.txt"]),
        # Nothing fits, and nothing is said.
        ({"pattern": "PART-*"}, []),
    ],
)
def test_a_download_puts_artifacts_in_place(
    inputs: Inputs, names: list[str], stored: Job
) -> None:
    used = stored.use(DOWNLOAD, **inputs)
    assert below(stored.workspace) == names
    assert f"Total of {len(used.record['names'])} artifact(s) downloaded" in used.said
    target = stored.workspace / inputs.get("path", "")
    assert used.outputs == {"download-path": str(target)}


def test_a_download_can_go_to_the_home_folder(stored: Job) -> None:
    stored.use(DOWNLOAD, name="logs", path="~/logs")
    assert below(stored.folder / "home") == ["logs/3.txt"]


@pytest.mark.parametrize("name", ["part-three", "PART-ONE", "part-*", "../artifacts"])
def test_a_download_of_a_name_that_does_not_exist_fails(name: str, stored: Job) -> None:
    stored.refuses(
        DOWNLOAD, f"Artifact not found for name: {re.escape(name)}", name=name
    )


@pytest.mark.parametrize(
    ("why", "inputs"),
    [
        ("artifact-ids", {"artifact-ids": "1"}),
        ("github-token", {"github-token": TOKEN}),
        ("skip-decompress", {"skip-decompress": "true"}),
        ("digest-mismatch", {"digest-mismatch": "whatever"}),
        ("knows", {"pattern": "{part-one,logs}"}),
        ("knows", {"pattern": "!logs"}),
    ],
)
def test_a_download_refuses(why: str, inputs: Inputs, stored: Job) -> None:
    stored.refuses(DOWNLOAD, why, **inputs)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda folder: (folder / "1.txt").write_text("else", "utf-8"),
        lambda folder: (folder / "more.txt").touch(),
        lambda folder: (folder / "1.txt").rename(folder / "other.txt"),
        lambda folder: (folder / "1.txt").unlink(),
    ],
)
def test_a_tampered_artifact_is_noticed(
    tamper: Callable[[Path], object], stored: Job
) -> None:
    tamper(stored.folder / "artifacts/part-one")
    why = "The digest of part-one is not what was uploaded"
    stored.refuses(DOWNLOAD, why, name="part-one")
    stored.refuses(DOWNLOAD, why)
    assert below(stored.workspace) == ["logs/3.txt"]
    for mismatch, said in (
        ("warn", f"::warning::{why}\n"),
        ("info", f"{why}\n"),
        ("ignore", ""),
    ):
        used = stored.use(DOWNLOAD, name="part-one", digest_mismatch=mismatch)
        assert used.said == f"{said}Total of 1 artifact(s) downloaded\n"


def test_a_wildcard_does_not_stand_for_a_dot_at_the_beginning(stored: Job) -> None:
    stored.write("file")
    stored.use(UPLOAD, name=".dotted", path="file")
    assert ".dotted" not in stored.use(DOWNLOAD, pattern="*").record["names"]
    assert stored.use(DOWNLOAD, pattern=".*").record["names"] == [".dotted"]
    assert ".dotted" in stored.use(DOWNLOAD).record["names"]


def test_what_is_uploaded_comes_back_without_its_permissions(job: Job) -> None:
    job.write("dist/tool", text="#!/bin/sh\n")
    (job.workspace / "dist/tool").chmod(0o755)
    job.use(UPLOAD, name="dist", path="dist/")
    job.use(DOWNLOAD, name="dist", path="back/")
    back = job.workspace / "back/tool"
    assert back.read_text("utf-8") == "#!/bin/sh\n"
    assert not back.stat().st_mode & 0o111


# ---- Cache -----------------------------------------------------------------------------------------------------------


def cached(job: Job, ref: str, key: str, **inputs: str) -> Used:
    """Save a cache that holds its key, from a run on a ref."""
    job.changed["ref"] = ref
    job.write("data/file", text=key)
    return job.use(SAVE, key=key, **{"path": "data", **inputs})


SAVED = [
    *((MAIN, "linux-1"), (MAIN, "linux-1-more"), (MAIN, "linux-3")),
    *((MAIN, "linux-2"), (MAIN, "mac-1")),
    *((CHANGE, "linux-0"), (CHANGE, "own-1"), ("refs/pull/2/merge", "linux-9")),
]


@pytest.mark.parametrize(
    ("ref", "key", "restore_keys", "found"),
    [
        (MAIN, "linux-3", "", "linux-3"),
        (MAIN, "linux-7", "", None),
        # The newest of those that begin like this, not the highest.
        (MAIN, "linux-7", "linux-", "linux-2"),
        (MAIN, "linux-7", "windows-\n\n mac- \nlinux-", "mac-1"),
        (MAIN, "linux-7", "windows-", None),
        # The key itself is such a beginning.
        (MAIN, "linux", "mac-", "linux-2"),
        # But the whole key goes before what only begins with it, however new.
        (MAIN, "linux-1", "mac-", "linux-1"),
        # Only the beginning counts.
        (MAIN, "1", "inux-\n-1", None),
        # A pull request sees its own, then main's; nobody sees a pull request's.
        (CHANGE, "own-1", "", "own-1"),
        (MAIN, "own-1", "own-", None),
        (CHANGE, "linux-1", "", "linux-1"),
        (CHANGE, "linux-9", "", None),
        (CHANGE, "linux-1", "linux-", "linux-0"),
        (CHANGE, "mac-7", "mac-", "mac-1"),
        (TAG, "linux-7", "linux-", "linux-2"),
    ],
)
def test_a_restore_finds_the_right_cache(
    ref: str, key: str, restore_keys: str, found: str | None, job: Job
) -> None:
    for saved_on, saved in SAVED:
        cached(job, saved_on, saved)
    job.changed["ref"] = ref
    replace_workspace(job)
    used = job.use(RESTORE, path="data", key=key, restore_keys=restore_keys)
    hit = "" if found is None else str(found == key).lower()
    assert used.outputs == {
        "cache-hit": hit,
        "cache-primary-key": key,
        "cache-matched-key": found or "",
    }
    assert used.record["restored"] == found
    held = [(job.workspace / name).read_text("utf-8") for name in below(job.workspace)]
    assert held == ([found] if found else [])


@pytest.mark.parametrize("action", [CACHE, RESTORE])
def test_a_cache_brings_back_folders_and_files(action: str, job: Job) -> None:
    job.write("single", "other", "data/deep/a", "../home/.cache/tool/b")
    (job.workspace / "data/link").symlink_to("deep/a")
    paths = "single\n\nother\ndata\n~/.cache/tool\nmissing"
    job.use(SAVE, path=paths, key="k")
    (job.folder / "home/.cache/tool/b").write_text("newer", "utf-8")
    replace_workspace(job).write("data/c")
    assert job.use(action, path=paths, key="k").outputs["cache-hit"] == "true"
    names = ["data/c", "data/deep/a", "data/link", "other", "single"]
    assert below(job.workspace) == names
    assert (job.workspace / "data/link").readlink() == Path("deep/a")
    back = (job.folder / "home/.cache/tool/b").read_text("utf-8")
    assert back == "../home/.cache/tool/b"


@pytest.mark.parametrize("path", ["data/", "data\nmore", "more"])
def test_a_cache_is_found_only_for_the_paths_that_it_was_made_of(
    path: str, job: Job
) -> None:
    cached(job, MAIN, "k")
    assert job.use(RESTORE, path=path, key="k").outputs["cache-hit"] == ""
    # So there can be one for each.
    assert cached(job, MAIN, "k", path=f"{path}\ndata").record["saved"]
    assert job.use(RESTORE, path="data", key="k").outputs["cache-hit"] == "true"


def test_a_restore_can_ask_without_taking(job: Job) -> None:
    cached(job, MAIN, "k")
    replace_workspace(job)
    used = job.use(RESTORE, path="data", key="k", lookup_only="true")
    assert used.outputs["cache-hit"] == "true"
    assert not below(job.workspace)


def test_a_restore_can_insist(job: Job) -> None:
    why = "Failed to restore cache entry"
    inputs = {"path": "data", "key": "k", "fail-on-cache-miss": "true"}
    job.refuses(RESTORE, why, **inputs)
    cached(job, MAIN, "k-old")
    job.refuses(RESTORE, why, **(inputs | {"key": "other"}))
    assert job.use(RESTORE, **inputs).outputs["cache-hit"] == "false"


@pytest.mark.parametrize("action", [CACHE, RESTORE, SAVE])
@pytest.mark.parametrize("key", ["a,b", "k" * 513])
def test_a_cache_s_key_must_be_valid(action: str, key: str, job: Job) -> None:
    job.refuses(action, "Key Validation Error", path="data", key=key)
    if action != SAVE:
        why = "Key Validation Error"
        job.refuses(action, why, path="data", key="k", restore_keys=f"fine\n{key}")


def test_a_restore_takes_ten_keys(job: Job) -> None:
    ten, eleven = ("\n".join(map(str, range(number))) for number in (9, 10))
    assert job.use(RESTORE, path="data", key="k", restore_keys=ten)
    why = "limited to a maximum of 10"
    job.refuses(RESTORE, why, path="data", key="k", restore_keys=eleven)


@pytest.mark.parametrize("path", ["~/.cache/*", "data\n!data/tmp"])
def test_a_cache_s_path_has_no_wildcards_here(path: str, job: Job) -> None:
    job.refuses(SAVE, "does not know wildcards", path=path, key="k")


def test_a_cache_is_never_replaced(job: Job) -> None:
    cached(job, MAIN, "k")
    job.write("data/file", text="newer")
    used = job.use(SAVE, path="data", key="k")
    assert used.said.startswith("::warning::Failed to save: Unable to reserve cache")
    job.use(RESTORE, path="data", key="k")
    assert (job.workspace / "data/file").read_text("utf-8") == "k"
    # Another ref has its own.
    assert cached(job, CHANGE, "k").record["saved"]


def test_what_is_not_there_is_not_saved(job: Job) -> None:
    used = job.use(SAVE, path="data", key="k")
    assert used.said.startswith("::warning::Path(s) specified in the action")
    assert not used.record
    assert not below(job.folder / "caches")


@pytest.mark.parametrize(
    ("key", "restore_keys", "hit", "saved"),
    [
        ("k-1", "", "true", False),
        ("k-2", "k-", "false", True),
        ("k-2", "", "", True),
    ],
)
def test_a_cache_is_saved_when_the_job_ends_unless_it_was_there(
    key: str, restore_keys: str, hit: str, saved: bool, job: Job
) -> None:
    cached(job, MAIN, "k-1")
    inputs = {"path": "data", "restore-keys": restore_keys}
    assert job.use(CACHE, key=key, **inputs).outputs == {"cache-hit": hit}
    # What the key was made from has changed meanwhile.
    used = job.use(CACHE, "post", key="changed", **inputs)
    assert used.record.get("saved", False) == saved
    assert used.record.get("key", key) == key
    assert ("not saving cache" in used.said) != saved
    assert job.use(RESTORE, path="data", key=key).outputs["cache-hit"] == "true"
    assert STAND_INS[RESTORE].post is None


def test_an_input_without_effect_is_refused(job: Job) -> None:
    job.refuses(CACHE, "save-always", path="data", key="k", save_always="true")


# ---- Checkout --------------------------------------------------------------------------------------------------------


class Origin:
    """A repository with three commits on main, a branch, a pull request, and a tag of either sort."""

    def __init__(self, job: Job) -> None:
        """Make it where the job looks for it."""
        self.job = job
        self.folder = Path(job.context["git"])
        self.work = job.folder / "work"
        self.git("init", "--quiet", "--initial-branch=main", ".", work=True)
        self.git("init", "--quiet", "--bare", str(self.folder), work=True)
        self.commits = [self.commit(f"{number}") for number in range(3)]
        self.git("tag", "v0", self.commits[0], work=True)
        self.git("tag", "-m", "Says something", "v1.2.3", self.commits[1], work=True)
        self.git("branch", "other", self.commits[0], work=True)
        self.git("checkout", "--quiet", "--detach", work=True)
        self.merge = self.commit("merged")
        self.git("checkout", "--quiet", "main", work=True)
        self.git("push", "--quiet", "--all", str(self.folder), work=True)
        self.git("push", "--quiet", "--tags", str(self.folder), work=True)
        self.push(f"{self.merge}:{CHANGE}")

    def git(self, *arguments: str, work: bool = False) -> str:
        """Run git in the bare repository, or in the one that changes come from; gives what it prints."""
        folder = self.work if work else self.folder
        folder.mkdir(exist_ok=True)
        return run([tool("git"), *arguments], cwd=folder).stdout.strip()

    def commit(self, text: str) -> str:
        """Commit a change; gives the commit."""
        (self.work / "file").write_text(text, "utf-8")
        self.git("add", "file", work=True)
        self.git("commit", "--quiet", "-m", text, work=True)
        return self.git("rev-parse", "HEAD", work=True)

    def push(self, *specs: str) -> None:
        """Push refs, by force."""
        self.git("push", "--quiet", "--force", str(self.folder), *specs, work=True)

    def check_out(self, ref: str, commit: str, /, **inputs: str) -> Used:
        """Check a run's ref and commit out, as the job's first step."""
        self.job.changed |= {"ref": ref, "commit": commit}
        return self.job.use(CHECKOUT, **{"persist_credentials": "false", **inputs})

    def ask(self, *arguments: str) -> list[str]:
        """Run git in the checkout; gives the lines that it prints."""
        command = [tool("git"), *arguments]
        return run(command, cwd=self.job.workspace).stdout.split()

    def refs(self, kind: str) -> list[str]:
        """Give the checkout's refs of a kind."""
        return self.ask("for-each-ref", "--format=%(refname:lstrip=2)", f"refs/{kind}")


@pytest.fixture
def origin(job: Job) -> Origin:
    """Give the repository that the job checks out."""
    return Origin(job)


BOTH = ["v0", "v1.2.3"]
EVERYTHING = ["origin/main", "origin/other"]


@pytest.mark.parametrize(
    ("ref", "inputs", "count", "tags", "remotes"),
    [
        (MAIN, {}, 1, [], ["origin/main"]),
        (MAIN, {"fetch-depth": "2"}, 2, [], ["origin/main"]),
        (MAIN, {"fetch-tags": "true"}, 1, BOTH, ["origin/main"]),
        (MAIN, {"fetch-depth": "0"}, 3, BOTH, EVERYTHING),
        (CHANGE, {}, 1, [], ["pull/1/merge"]),
        (CHANGE, {"fetch-tags": "true"}, 1, BOTH, ["pull/1/merge"]),
        (CHANGE, {"fetch-depth": "0"}, 4, BOTH, [*EVERYTHING, "pull/1/merge"]),
        (TAG, {}, 1, ["v1.2.3"], []),
        (TAG, {"fetch-tags": "true"}, 1, BOTH, []),
        (TAG, {"fetch-depth": "0"}, 2, BOTH, EVERYTHING),
    ],
)
def test_a_checkout_brings_what_it_is_asked_for(
    ref: str,
    inputs: Inputs,
    count: int,
    tags: list[str],
    remotes: list[str],
    origin: Origin,
) -> None:
    commit = {MAIN: origin.commits[2], CHANGE: origin.merge, TAG: origin.commits[1]}[
        ref
    ]
    used = origin.check_out(ref, commit, **inputs)
    assert used.outputs == {"ref": ref, "commit": commit}
    assert used.record["action"] == CHECKOUT
    assert origin.ask("rev-parse", "HEAD") == [commit]
    assert len(origin.ask("rev-list", "HEAD")) == count
    assert origin.refs("tags") == tags
    assert origin.refs("remotes") == remotes
    assert origin.refs("heads") == (["main"] if ref == MAIN else [])
    assert origin.ask("status", "--porcelain") == []
    if "v1.2.3" in tags:
        # It keeps what was written into it.
        assert origin.ask("cat-file", "-t", "v1.2.3") == ["tag"]


@pytest.mark.parametrize("depth", ["0", "1"])
@pytest.mark.parametrize(
    "spec", ["other:refs/heads/main", "main:refs/heads/main", ":refs/heads/main"]
)
def test_a_branch_may_have_moved_on_or_gone(
    spec: str, depth: str, origin: Origin
) -> None:
    origin.git("config", "receive.denyDeleteCurrent", "ignore")
    commit = origin.commits[1] if spec.startswith("main") else origin.commits[2]
    origin.push(spec)
    origin.check_out(MAIN, commit, fetch_depth=depth)
    for name in ("HEAD", "main", "origin/main", "main@{upstream}"):
        assert origin.ask("rev-parse", name) == [commit]


@pytest.mark.parametrize("depth", ["0", "1"])
def test_a_tag_may_not_have_moved(depth: str, origin: Origin) -> None:
    origin.push("v0:refs/tags/v1.2.3")
    with pytest.raises(Failure, match="does not point to the expected commit"):
        origin.check_out(TAG, origin.commits[1], fetch_depth=depth)


def test_a_checkout_leaves_no_credentials(origin: Origin) -> None:
    origin.check_out(MAIN, origin.commits[2])
    settings = "\n".join(origin.ask("config", "--local", "--list"))
    assert f"remote.origin.url=https://github.com/{REPOSITORY}\n" in settings
    assert "extraheader" not in settings
    assert "credential" not in settings
    files = (path for path in origin.job.workspace.rglob("*") if path.is_file())
    assert not any(TOKEN.encode() in file.read_bytes() for file in files)


@pytest.mark.parametrize(
    ("why", "inputs"),
    [
        ("Not Found: octo/another", {"repository": "octo/another"}),
        ("does not know ref", {"ref": "other"}),
        ("does not know path", {"path": "below"}),
        ("does not know sparse-checkout", {"sparse-checkout": "src"}),
        ("does not know submodules", {"submodules": "recursive"}),
        ("does not know lfs", {"lfs": "true"}),
        ("does not know persist-credentials", {"persist-credentials": "true"}),
        ("fetch-depth", {"fetch-depth": "all"}),
    ],
)
def test_a_checkout_refuses(why: str, inputs: Inputs, origin: Origin) -> None:
    with pytest.raises(Failure, match=why):
        origin.check_out(MAIN, origin.commits[2], **inputs)


def test_credentials_are_left_by_default_and_so_refused(origin: Origin) -> None:
    origin.job.refuses(CHECKOUT, "does not know persist-credentials")


def test_only_who_may_read_a_private_repository_checks_it_out(origin: Origin) -> None:
    origin.job.changed["private"] = True
    with pytest.raises(Failure, match="contents is none, not read"):
        origin.check_out(MAIN, origin.commits[2])
    origin.job.permissions["contents"] = "read"
    assert origin.check_out(MAIN, origin.commits[2]).outputs["ref"] == MAIN


def test_a_commit_that_nobody_has_is_an_error(origin: Origin) -> None:
    with pytest.raises(Failure, match="git fetch failed with exit code"):
        origin.check_out(MAIN, COMMIT)


# ---- Tools -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["", "latest", "0.13", "0.13.x", ">=0.13.0"])
def test_uv_is_set_up_at_an_exact_version(version: str, job: Job) -> None:
    job.refuses(UV, "wants an exact version", version=version)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("python-version", "3.12"),
        ("version-file", "uv.toml"),
        ("activate-environment", "true"),
        ("checksum", "0" * 64),
        ("tool-dir", "/tools"),
    ],
)
def test_the_stand_in_for_uv_refuses(name: str, value: str, job: Job) -> None:
    job.refuses(UV, f"does not know {name}", version="0.13.0", **{name: value})


def test_uv_is_installed_once(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = []

    def install(step: StandIn, version: str, folder: Path) -> None:
        installed.append(version)
        folder.mkdir()
        (folder / "uv").touch()

    monkeypatch.setattr(uv, "install", install)
    for _ in range(2):
        used = job.use(UV, version="0.13.0", enable_cache="true")
    folder = job.folder / "cache/uv-0.13.0"
    assert used.path == str(folder)
    assert used.outputs == {
        "uv-version": "0.13.0",
        "uv-path": str(folder / "uv"),
        "uvx-path": str(folder / "uvx"),
        "cache-hit": "false",
    }
    job.use(UV, version="0.13.1")
    assert installed == ["0.13.0", "0.13.1"]


def test_a_version_of_uv_that_cannot_be_had_is_an_error(job: Job) -> None:
    # Python stands for uv here, and knows no "tool install".
    job.refuses(UV, "uv 0.13.0 cannot be had: .*tool", version="0.13.0")


def test_trivy_is_put_on_path(job: Job) -> None:
    used = job.use(TRIVY, version="v0.74.0", cache="true")
    assert used.path == str(job.folder / "trivy")
    assert used.record["inputs"]["version"] == "v0.74.0"
    for version in ("0.74.0", "v0.74", "latest"):
        job.refuses(TRIVY, "versions begin with v", version=version)
    job.refuses(TRIVY, "versions begin with v")
    job.refuses(TRIVY, "does not know path", version="v0.74.0", path="bin")


# ---- Findings and figures --------------------------------------------------------------------------------------------

# Microsoft's is fetched; here it matters that there is one.
SCHEMA = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {"version": {"const": "2.1.0"}, "runs": {"type": "array"}},
}


def sarif(*tools: str, **changes: Any) -> str:
    """Give results of tools that found nothing."""
    runs = [{"tool": {"driver": {"name": name}}, "results": []} for name in tools]
    return json.dumps({"version": "2.1.0", "runs": runs, **changes})


@pytest.fixture
def scanner(job: Job) -> Job:
    """Give a job that has scanned, and may upload what it found."""
    job.permissions["security-events"] = "write"
    (job.folder / "sarif_schema").write_text(json.dumps(SCHEMA), "utf-8")
    job.write("a.sarif", text=sarif("Trivy"))
    job.write("b.sarif", text=sarif("Semgrep"))
    return job


def test_code_scanning_takes_results(scanner: Job) -> None:
    used = scanner.use(SARIF, sarif_file="a.sarif", category="image")
    assert used.record["category"] == "image"
    assert used.record["tools"] == ["Trivy"]
    assert used.record["sarif"] == json.loads(sarif("Trivy"))
    assert used.outputs == {"sarif-id": "1"}


@pytest.mark.parametrize(
    "text",
    ["", "no results", "[]", sarif(version="2.0.0"), sarif(runs={}), '{"runs": []}'],
)
def test_code_scanning_takes_only_valid_sarif(text: str, scanner: Job) -> None:
    (scanner.workspace / "a.sarif").write_text(text, "utf-8")
    scanner.refuses(SARIF, "a.sarif is no valid SARIF", sarif_file="a.sarif")


def test_code_scanning_takes_a_tool_s_results_once_for_a_category(scanner: Job) -> None:
    scanner.use(SARIF, sarif_file="a.sarif", category="one")
    why = "only one upload of Trivy with category 'one'"
    scanner.refuses(SARIF, why, sarif_file="a.sarif", category="one")
    scanner.use(SARIF, sarif_file="a.sarif", category="two")
    scanner.use(SARIF, sarif_file="b.sarif", category="one")
    scanner.write("twice.sarif", text=sarif("Bandit", "Bandit"))
    scanner.refuses(SARIF, "only one upload of Bandit", sarif_file="twice.sarif")


@pytest.mark.parametrize("held", ["none", "read"])
def test_code_scanning_takes_results_from_a_token_that_may(
    held: str, scanner: Job
) -> None:
    scanner.permissions["security-events"] = held
    scanner.refuses(SARIF, f"security-events is {held}", sarif_file="a.sarif")


def test_code_scanning_asks_which_run_of_a_private_repository_it_is(
    scanner: Job,
) -> None:
    scanner.changed["private"] = True
    scanner.refuses(SARIF, "actions is none, not read", sarif_file="a.sarif")
    scanner.permissions["actions"] = "read"
    assert scanner.use(SARIF, sarif_file="a.sarif").record["tools"] == ["Trivy"]


@pytest.mark.parametrize(
    ("why", "changed", "inputs"),
    [
        ("not enabled", {"code_scanning": False}, {"sarif_file": "a.sarif"}),
        ("does not exist", {}, {"sarif_file": "c.sarif"}),
        ("is no file", {}, {"sarif_file": "."}),
        ("does not exist", {}, {}),
        ("does not know ref", {}, {"sarif_file": "a.sarif", "ref": MAIN}),
    ],
)
def test_code_scanning_refuses(
    why: str, changed: dict[str, Any], inputs: Inputs, scanner: Job
) -> None:
    scanner.changed = changed
    scanner.refuses(SARIF, why, **inputs)


@pytest.mark.parametrize(
    ("files", "fork", "identity", "inputs", "sent"),
    [
        ("a.xml", False, "write", {"use_oidc": "true"}, True),
        ("a.xml, b.xml", False, "write", {"use_oidc": "true"}, True),
        ("a.xml", False, "none", {"token": TOKEN}, True),
        # Nobody vouches for it.
        ("a.xml", False, "write", {}, False),
        # A fork has no identity and needs none.
        ("a.xml", True, "none", {}, True),
        ("a.xml", True, "none", {"use_oidc": "true"}, True),
        ("a.xml,c.xml", False, "write", {"use_oidc": "true"}, False),
    ],
)
def test_codecov_takes_a_report(
    files: str, fork: bool, identity: str, inputs: Inputs, sent: bool, job: Job
) -> None:
    job.write("a.xml", "b.xml")
    job.changed["fork"] = fork
    job.permissions["id-token"] = identity
    assert job.use(CODECOV, files=files, **inputs).record["sent"] == sent
    inputs["fail_ci_if_error"] = "true"
    if sent:
        assert job.use(CODECOV, files=files, **inputs).record["sent"]
    else:
        job.refuses(CODECOV, "Codecov took nothing", files=files, **inputs)


def test_codecov_refuses(job: Job) -> None:
    job.refuses(CODECOV, "does not search for reports")
    job.write("a.xml")
    # Whether errors may pass or not.
    job.refuses(CODECOV, "Failed to get OIDC token", files="a.xml", use_oidc="true")


SCORE = {"results_file": "score.sarif", "results_format": "sarif"}


def test_scorecard_writes_results(job: Job) -> None:
    used = job.use(SCORECARD, **SCORE)
    assert used.record["published"] is False
    written = json.loads((job.workspace / "score.sarif").read_text("utf-8"))
    assert written["runs"][0]["tool"]["driver"]["name"] == "Scorecard"
    job.permissions["id-token"] = "write"
    assert job.use(SCORECARD, **SCORE, publish_results="true").record["published"]
    job.changed["private"] = True
    assert job.use(SCORECARD, **SCORE).record["published"] is False


@pytest.mark.parametrize(
    ("why", "changed", "inputs"),
    [
        ("only the results of public", {"private": True}, {"publish_results": "true"}),
        ("id-token is none", {}, {"publish_results": "true"}),
        ("only the default branch", {"ref": CHANGE}, {}),
        ("only the default branch", {"ref": "refs/heads/other"}, {}),
        ("SARIF alone", {}, {"results_format": "json"}),
    ],
)
def test_scorecard_refuses(
    why: str, changed: dict[str, Any], inputs: Inputs, job: Job
) -> None:
    job.changed = changed
    job.refuses(SCORECARD, why, **(SCORE | inputs))
    assert not below(job.workspace)


# ---- Provenance ------------------------------------------------------------------------------------------------------

MAY_ATTEST = {"id-token": "write", "attestations": "write"}


def test_an_attestation_names_each_subject_with_its_digest(job: Job) -> None:
    job.permissions |= MAY_ATTEST
    job.write("dist/a.whl", "dist/b.tar.gz", "dist/sub/c", "notes", ".hidden")
    used = job.use(ATTEST, subject_path="dist/*.*, notes\n.hidden")
    names = {"dist/a.whl", "dist/b.tar.gz", "notes", ".hidden"}
    digests = {
        Path(name).name: hashlib.sha256(name.encode()).hexdigest() for name in names
    }
    assert used.record["subjects"] == digests
    bundle = Path(used.outputs["bundle-path"])
    assert bundle == job.folder / "temporary/attestation.json"
    made = json.loads(bundle.read_text("utf-8"))
    statement = json.loads(base64.b64decode(made["dsseEnvelope"]["payload"]))
    assert {s["name"]: s["digest"]["sha256"] for s in statement["subject"]} == digests
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert used.outputs["attestation-url"].endswith("/attestations/1")
    assert job.use(ATTEST, subject_path="notes").outputs["attestation-id"] == "2"


def test_an_attestation_is_kept_with_who_made_it(job: Job) -> None:
    job.permissions |= MAY_ATTEST
    job.write("a")
    job.use(ATTEST, subject_path="a")
    kept = json.loads((job.folder / "attestations/1.json").read_text("utf-8"))
    assert kept["digests"] == [f"sha256:{hashlib.sha256(b'a').hexdigest()}"]
    repository = f"https://github.com/{REPOSITORY}"
    assert kept["bundle"]["verificationMaterial"]["certificate"] == {
        "buildSignerURI": f"{repository}/.github/workflows/sample.yml@{MAIN}",
        "sourceRepositoryURI": repository,
        "sourceRepositoryRef": MAIN,
        "sourceRepositoryDigest": COMMIT,
    }


@pytest.mark.parametrize(
    ("why", "permissions", "changed", "inputs"),
    [
        ("id-token is none", {"attestations": "write"}, {}, {}),
        ("id-token is read", MAY_ATTEST | {"id-token": "read"}, {}, {}),
        ("attestations is none", {"id-token": "write"}, {}, {}),
        ("Feature not available", MAY_ATTEST, {"private": True}, {}),
        ("Could not find subject", MAY_ATTEST, {}, {"subject-path": "wheels/*"}),
        ("Could not find subject", MAY_ATTEST, {}, {"subject-path": ""}),
        ("names of their own", MAY_ATTEST, {}, {"subject-path": "**/a"}),
        (
            "does not know subject-digest",
            MAY_ATTEST,
            {},
            {"subject-digest": "sha256:0"},
        ),
        (
            "does not know push-to-registry",
            MAY_ATTEST,
            {},
            {"push-to-registry": "true"},
        ),
    ],
)
def test_an_attestation_is_refused(
    why: str,
    permissions: dict[str, str],
    changed: dict[str, Any],
    inputs: Inputs,
    job: Job,
) -> None:
    job.permissions |= permissions
    job.changed = changed
    job.write("dist/a", "other/a")
    job.refuses(ATTEST, why, **({"subject-path": "dist/*"} | inputs))


# ---- Images ----------------------------------------------------------------------------------------------------------

VERSIONS = "type=semver,pattern={{version}}\ntype=semver,pattern={{major}}.{{minor}}\ntype=semver,pattern={{major}}"
PYTHON = VERSIONS.replace("semver", "pep440")


@pytest.mark.parametrize(
    ("ref", "tags", "flavor", "expected"),
    [
        # Without rules: what the run is for.
        (MAIN, "", "", ["main"]),
        ("refs/heads/releases/v1", "", "", ["releases-v1"]),
        ("refs/heads/new/merge", "", "", ["new-merge"]),
        (CHANGE, "", "", ["pr-1"]),
        (TAG, "", "", ["v1.2.3", "latest"]),
        ("refs/tags/v2.0.8-beta.67", "", "", ["v2.0.8-beta.67", "latest"]),
        # What is said.
        (MAIN, "type=raw,value=foo\ntype=raw,bar\nbaz", "", ["foo", "bar", "baz"]),
        (MAIN, "# remark\n\n foo # and another", "", ["foo"]),
        (MAIN, "foo\nfoo", "", ["foo"]),
        (MAIN, "type=raw,value=a,enable=false\nb,enable=true", "", ["b"]),
        (MAIN, "type=raw,value=a,enable=false", "", []),
        (MAIN, "type=raw,value=", "", []),
        (MAIN, '"type=raw","value=a,b"', "", ["a-b"]),
        (MAIN, "value=a=b", "", ["a-b"]),
        (MAIN, "type=raw,value=1.0.dev1+g123", "latest=false", ["1.0.dev1-g123"]),
        # The ref, where it is of that kind.
        (MAIN, "type=ref,event=branch", "", ["main"]),
        (MAIN, "type=ref,event=tag\ntype=ref,event=pr", "", []),
        (CHANGE, "type=ref,event=pr", "", ["pr-1"]),
        (CHANGE, "type=ref,event=pr,prefix=", "", ["1"]),
        (TAG, "type=ref,event=tag\ntype=ref,event=branch", "", ["v1.2.3", "latest"]),
        # The commit.
        (MAIN, "type=sha", "", ["sha-860c190"]),
        (MAIN, "type=sha,format=short,prefix=git-", "", ["git-860c190"]),
        (MAIN, "type=sha,format=long,prefix=", "", [COMMIT]),
        # Versions.
        (TAG, VERSIONS, "", ["1.2.3", "1.2", "1", "latest"]),
        (TAG, "type=semver,pattern=v{{ major }}.{{patch}}", "", ["v1.3", "latest"]),
        ("refs/tags/v2.0.8-beta.67", VERSIONS, "", ["2.0.8-beta.67"]),
        ("refs/tags/9.5.7-alpha.2+fork.3", VERSIONS, "", ["9.5.7-alpha.2"]),
        ("refs/tags/1.2.3+build", VERSIONS, "", ["1.2.3", "1.2", "1", "latest"]),
        ("refs/tags/v0.1.2", VERSIONS, "", ["0.1.2", "0.1", "0", "latest"]),
        ("refs/tags/v1.2", VERSIONS, "", []),
        ("refs/tags/v1.2.03", VERSIONS, "", []),
        ("refs/tags/p1/v1.0.0", VERSIONS, "", []),
        (MAIN, VERSIONS, "", []),
        (MAIN, PYTHON, "", []),
        (MAIN, f"{VERSIONS},value=v3.4.5", "", ["3", "latest"]),
        (TAG, PYTHON, "", ["1.2.3", "1.2", "1", "latest"]),
        ("refs/tags/1.2", PYTHON, "", ["1.2", "1", "latest"]),
        ("refs/tags/v1.2.3rc2", PYTHON, "", ["1.2.3rc2"]),
        ("refs/tags/1.2.3beta2", PYTHON, "", ["1.2.3b2"]),
        ("refs/tags/1.2.3post1", PYTHON, "", ["1.2.3.post1"]),
        ("refs/tags/1.0dev4", PYTHON, "", ["1.0.dev4"]),
        ("refs/tags/v1.2.3-something", PYTHON, "", []),
        # The first by priority is the version, and decides on latest.
        (
            TAG,
            "type=sha\nfoo\ntype=ref,event=tag\ntype=semver,pattern={{version}}",
            "",
            ["1.2.3", "v1.2.3", "foo", "sha-860c190", "latest"],
        ),
        (
            TAG,
            "type=sha,priority=1000\ntype=semver,pattern={{version}}",
            "",
            ["sha-860c190", "1.2.3"],
        ),
        ("refs/tags/1.2.3-rc1", f"{VERSIONS}\ntype=ref,event=tag", "", ["1.2.3-rc1"]),
        # Flavours.
        (TAG, VERSIONS, "latest=false", ["1.2.3", "1.2", "1"]),
        (MAIN, "foo", "latest=true", ["foo", "latest"]),
        (MAIN, "type=raw,value=latest", "latest=true", ["latest"]),
        (MAIN, "foo,enable=false", "latest=true", []),
        (
            TAG,
            VERSIONS,
            "prefix=a-\nsuffix=-z",
            ["a-1.2.3-z", "a-1.2-z", "a-1-z", "latest"],
        ),
        (
            MAIN,
            "foo,prefix=b-\nbar,suffix=\nbaz",
            "prefix=a-,suffix=-z",
            ["b-foo-z", "a-bar", "a-baz-z"],
        ),
        (CHANGE, "type=ref,event=pr\ntype=sha", "prefix=a-", ["pr-1", "sha-860c190"]),
    ],
)
def test_an_image_s_tags_follow_the_rules(
    ref: str, tags: str, flavor: str, expected: list[str], job: Job
) -> None:
    job.changed["ref"] = ref
    used = job.use(METADATA, images="ghcr.io/Octo/App", tags=tags, flavor=flavor)
    full = [f"ghcr.io/octo/app:{name}" for name in expected]
    version = expected[0] if expected else ""
    assert used.outputs["tags"].splitlines() == full
    assert used.outputs["tag-names"].splitlines() == expected
    assert used.outputs["version"] == version
    described = json.loads(used.outputs["json"])
    assert described["tags"] == used.record["tags"] == full
    assert described["labels"]["org.opencontainers.image.version"] == version
    assert ("::warning::No Docker tag has been generated" in used.said) == (not full)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (
            "name/a\nghcr.io/name/b",
            ["name/a:x", "name/a:y", "ghcr.io/name/b:x", "ghcr.io/name/b:y"],
        ),
        ("", ["x", "y"]),
    ],
)
def test_each_image_has_each_tag(images: str, expected: list[str], job: Job) -> None:
    used = job.use(METADATA, images=images, tags="x\ny")
    assert used.outputs["tags"].splitlines() == expected
    assert used.outputs["tag-names"] == "x\ny"


def test_an_image_s_labels_say_what_it_is(job: Job) -> None:
    used = job.use(METADATA, images="name/app", tags="1.0")
    found = dict(line.split("=", 1) for line in used.outputs["labels"].splitlines())
    assert list(found) == sorted(found)
    assert found == json.loads(used.outputs["json"])["labels"] == used.record["labels"]
    created = found.pop("org.opencontainers.image.created")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created)
    age = datetime.now(UTC) - datetime.fromisoformat(created)
    assert timedelta() <= age < timedelta(minutes=1)
    page = f"https://github.com/{REPOSITORY}"
    assert found == {
        f"org.opencontainers.image.{name}": text
        for name, text in {
            "description": "",
            "licenses": "",
            "revision": COMMIT,
            "source": page,
            "title": "sample-project",
            "url": page,
            "version": "1.0",
        }.items()
    }


def test_later_steps_have_an_image_s_metadata_as_variables(job: Job) -> None:
    used = job.use(METADATA, images="name/app", tags="1.0\nlatest")
    assert used.variables == {
        f"DOCKER_METADATA_OUTPUT_{name.upper().replace('-', '_')}": value
        for name, value in used.outputs.items()
    }
    # And so may the action itself, the next time.
    job.variables = used.variables
    assert job.use(METADATA, tags="2.0").outputs["version"] == "2.0"


@pytest.mark.parametrize("tag", ["main", "1.2.3", "pr-7"])
def test_the_template_s_image_has_one_tag(tag: str, job: Job) -> None:
    workflow = yaml.safe_load(
        (ROOT / "template/.github/workflows/docker.yml").read_text("utf-8")
    )
    (given,) = (
        step["with"]
        for step in workflow["jobs"]["build"]["steps"]
        if step.get("uses", "").startswith(METADATA)
    )
    planned = {"image": "ghcr.io/octo/sample-project", "tag": tag}
    inputs = {
        name: re.sub(
            r"\$\{\{ needs\.plan\.outputs\.(\w+) \}\}",
            lambda found: planned[found[1]],
            value,
        )
        for name, value in given.items()
    }
    job.changed["ref"] = TAG
    used = job.use(METADATA, **inputs)
    assert used.outputs["tags"] == f"{planned['image']}:{tag}"
    assert used.outputs["version"] == tag


@pytest.mark.parametrize(
    ("why", "inputs"),
    [
        *(
            (f"does not know type={kind}", {"tags": f"type={kind},pattern=x"})
            for kind in ("schedule", "match", "edge", "colour")
        ),
        ("does not know .*group", {"tags": "type=semver,pattern={{major}},group=1"}),
        ("does not know .*value", {"tags": "type=sha,long"}),
        ("does not know {{raw}}", {"tags": "type=semver,pattern={{raw}},value=1.2.3"}),
        ("does not know {{raw}}", {"tags": "type=pep440,pattern={{raw}},value=1.2rc1"}),
        ("expressions in value", {"tags": "type=raw,value={{branch}}"}),
        ("expressions in prefix", {"tags": "type=sha,prefix={{branch}}-"}),
        ("expressions in enable", {"tags": "latest,enable={{is_default_branch}}"}),
        ("expressions in suffix", {"flavor": "suffix={{sha}}"}),
        ("Missing .*pattern", {"tags": "type=semver"}),
        ("Missing .*event", {"tags": "type=ref"}),
        ("Missing .*value", {"tags": "type=raw"}),
        ("Invalid event", {"tags": "type=ref,event=push"}),
        ("Invalid format", {"tags": "type=sha,format=medium"}),
        ("Invalid value for enable", {"tags": "foo,enable=yes"}),
        ("number as priority", {"tags": "foo,priority=high"}),
        ("Invalid latest", {"flavor": "latest=never"}),
        ("does not know .*onlatest", {"flavor": "prefix=a,onlatest=true"}),
        ("does not know .*value", {"flavor": "a"}),
        ("names of images alone", {"images": "name=name/app"}),
        ("names of images alone", {"images": "name/a,name/b"}),
        ("Unrecognized context", {"context": "git"}),
        ("does not know labels", {"labels": "maintainer=octo"}),
        ("does not know annotations", {"annotations": "maintainer=octo"}),
        ("does not know sep-tags", {"sep-tags": ","}),
        ("does not know bake-target", {"bake-target": "image"}),
    ],
)
def test_the_stand_in_for_metadata_refuses(why: str, inputs: Inputs, job: Job) -> None:
    job.refuses(METADATA, why, **inputs)


@pytest.mark.parametrize(
    ("why", "name", "value"),
    [
        ("SHORT_SHA_LENGTH", "DOCKER_METADATA_SHORT_SHA_LENGTH", "12"),
        ("SET_OUTPUT_ENV", "DOCKER_METADATA_SET_OUTPUT_ENV", "false"),
        ("type=schedule", "GITHUB_EVENT_NAME", "schedule"),
    ],
)
def test_the_stand_in_for_metadata_refuses_variables(
    why: str, name: str, value: str, job: Job
) -> None:
    job.variables[name] = value
    job.refuses(METADATA, f"does not know .*{why}")


# ---- actions/create-github-app-token ---------------------------------------------------------------------------------

APP_TOKEN = "actions/create-github-app-token"  # noqa: S105
KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in "12"]
OURS, OTHER = map(pem, KEYS)


@pytest.fixture
def with_installed_app(job: Job) -> Job:
    """Give a job in whose repository a GitHub App is installed."""
    permissions = {"contents": "write", "pull-requests": "read"}
    app = App("Iv1.sample", OURS, permissions)
    job.changed["app"] = dataclasses.asdict(app)
    job.variables |= {"ENGINE_SECRET": "made-up"}
    return job


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({}, {"contents": "write", "pull-requests": "read"}),
        ({"permission_contents": "read"}, {"contents": "read"}),
    ],
)
def test_an_app_s_token_may_do_what_is_asked_for(
    with_installed_app: Job, asked: Inputs, held: dict[str, str]
) -> None:
    used = with_installed_app.use(
        APP_TOKEN, client_id="Iv1.sample", private_key=OURS, **asked
    )
    token = used.outputs["token"]
    assert permissions_of(token, "made-up", {}) == held
    assert permissions_of(token, "other", {}) is None
    assert f"::add-mask::{token}" in used.said


@pytest.mark.parametrize(
    ("why", "inputs"),
    [
        ("'client-id' input must be set", {"client_id": ""}),
        ("Integration not found", {"client_id": "Iv1.other"}),
        ("could not be decoded", {"private_key": OTHER}),
        ("could not be decoded", {"private_key": "no key"}),
        ("not granted to this installation", {"permission_workflows": "write"}),
        ("not granted to this installation", {"permission_pull-requests": "write"}),
        ("does not know owner", {"owner": "octo"}),
    ],
)
def test_an_app_s_token_is_refused(
    with_installed_app: Job, why: str, inputs: Inputs
) -> None:
    right = {"client_id": "Iv1.sample", "private_key": OURS}
    with_installed_app.refuses(APP_TOKEN, why, **{**right, **inputs})


def test_without_an_app_there_is_no_token(with_installed_app: Job) -> None:
    with_installed_app.changed["app"] = None
    with_installed_app.refuses(
        APP_TOKEN, "Integration not found", client_id="Iv1.sample", private_key=OURS
    )
