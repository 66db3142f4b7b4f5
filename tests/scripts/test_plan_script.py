"""scripts/plan.py of a rendered project: which jobs run where, and where results may go."""

import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import Renderer, load_script
from policy import RUNNERS

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[2] / "template/scripts/plan.py"
plan = load_script(SCRIPT)

CLASSIFIER = "Programming Language :: Python :: {}"


def pyproject(
    *pythons: str, kind: str = "service", mode: str = "auto", extra: str = ""
) -> str:
    """Give a project's pyproject.toml, as far as the plan reads it."""
    classifiers = [CLASSIFIER.format(python) for python in pythons]
    return (
        f"{extra}\n[project]\nclassifiers = {json.dumps(classifiers)}\n"
        f'[tool.pipeline]\nkind = "{kind}"\npull-request-matrix = "{mode}"\n'
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a project of three Pythons, in which the script runs as on a developer's machine."""
    for name in ("GITHUB_OUTPUT", "GITHUB_EVENT_NAME", "PRIVATE_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    text = pyproject("3.10", "3.11", "3.12")
    (folder / "pyproject.toml").write_text(text, "utf-8")
    return folder


Outputs = dict[str, str]


@pytest.fixture
def outputs(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outputs]:
    """Give the function that runs the script with arguments and gives the outputs it prints."""

    def run(*arguments: str) -> Outputs:
        assert plan.main(list(arguments)) == 0
        lines = capsys.readouterr().out.splitlines()
        return dict(line.split("=", 1) for line in lines)

    return run


@pytest.fixture
def problem(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Give the function that runs the script where it cannot decide, and gives what it says then."""

    def run(*arguments: str) -> str:
        assert plan.main(list(arguments)) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("plan.py: ")
        return said.err

    return run


def cells(text: str) -> list[tuple[str, str]]:
    """Give the cells of an output as pairs of system and Python."""
    return [(cell["os"], cell["python"]) for cell in json.loads(text)]


# ---- Which combinations ----------------------------------------------------------------------------------------------

PYTHONS = ["3.10", "3.11", "3.12"]
LINUX, OTHERS = "ubuntu-latest", ["macos-latest", "windows-latest"]
FULL = set(itertools.product([LINUX, *OTHERS], PYTHONS))
LEAN = {(LINUX, python) for python in PYTHONS} | {(os, "3.12") for os in OTHERS}


@pytest.mark.parametrize("event", ["pull_request", "merge_group"])
@pytest.mark.parametrize(
    ("mode", "private", "lean"),
    [
        ("full", "true", False),
        ("full", "false", False),
        ("full", "", False),
        ("lean", "true", True),
        ("lean", "false", True),
        ("lean", "", True),
        ("auto", "true", True),
        ("auto", "false", False),
        # Nothing says that it is public, so it may cost.
        ("auto", "", True),
    ],
)
def test_a_pull_request_s_matrix_follows_mode_and_visibility(
    event: str,
    mode: str,
    private: str,
    lean: bool,
    project: Path,
    outputs: Callable[..., Outputs],
) -> None:
    """Lean is every Python on Linux and the newest elsewhere; installs are then on Linux alone."""
    text = pyproject(*PYTHONS, mode=mode)
    (project / "pyproject.toml").write_text(text, "utf-8")
    found = outputs("jobs", "--event", event, "--private", private)
    tests, installs = cells(found["tests"]), cells(found["installs"])
    assert len(tests) == len(set(tests)) and len(installs) == len(set(installs))
    assert set(tests) == (LEAN if lean else FULL)
    linux = {cell for cell in FULL if cell[0] == LINUX}
    assert set(installs) == (linux if lean else FULL)


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch", "release"])
@pytest.mark.parametrize("mode", ["full", "lean", "auto"])
@pytest.mark.parametrize("private", ["true", "false", ""])
def test_all_else_is_full(
    event: str, mode: str, private: str, project: Path, outputs: Callable[..., Outputs]
) -> None:
    """What goes to main or out to users is tested everywhere."""
    text = pyproject(*PYTHONS, mode=mode)
    (project / "pyproject.toml").write_text(text, "utf-8")
    found = outputs("jobs", "--event", event, "--private", private)
    assert set(cells(found["tests"])) == set(cells(found["installs"])) == FULL
    assert found["code"] == "true"


def test_the_environment_gives_event_and_visibility(
    project: Path, outputs: Callable[..., Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workflows give them."""
    monkeypatch.setenv("GITHUB_EVENT_NAME", "merge_group")
    monkeypatch.setenv("PRIVATE_REPOSITORY", "true")
    assert set(cells(outputs("jobs")["tests"])) == LEAN
    monkeypatch.setenv("PRIVATE_REPOSITORY", "false")
    assert set(cells(outputs("jobs")["tests"])) == FULL


def test_runners_are_those_that_the_policy_knows() -> None:
    """The policy over the workflows cannot see what stands in this script."""
    assert {plan.LINUX, plan.MACOS, plan.WINDOWS} <= RUNNERS


@pytest.mark.parametrize(
    ("given", "sorted_"),
    [
        (["3.12", "3.9", "3.10"], ["3.9", "3.10", "3.12"]),
        (["3.10", "3.11", "3.12"], ["3.10", "3.11", "3.12"]),
        (["3.15"], ["3.15"]),
        (["3", "3 :: Only", "3.13", "Implementation :: CPython"], ["3.13"]),
        (["4.0", "3.99"], ["3.99", "4.0"]),
    ],
)
def test_pythons_come_from_the_classifiers(
    given: list[str],
    sorted_: list[str],
    project: Path,
    outputs: Callable[..., Outputs],
) -> None:
    """In the order of versions, not of letters: the newest is tested on every system."""
    (project / "pyproject.toml").write_text(pyproject(*given, mode="lean"), "utf-8")
    found = outputs("jobs", "--event", "pull_request")
    tests = cells(found["tests"])
    assert [python for system, python in tests if system == LINUX] == sorted_
    assert {python for system, python in tests if system != LINUX} == {sorted_[-1]}


@pytest.mark.parametrize(
    ("kind", "server"), [("service", "true"), ("mcp", "true"), ("library", "false")]
)
def test_a_library_has_no_server(
    kind: str, server: str, project: Path, outputs: Callable[..., Outputs]
) -> None:
    """The start test runs where there is something to start."""
    (project / "pyproject.toml").write_text(pyproject("3.12", kind=kind), "utf-8")
    assert outputs("jobs")["server"] == server


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "pyproject.toml cannot be read"),
        ("[project", "pyproject.toml cannot be read"),
        (b'[project]\nname = "\xe9"\n', "pyproject.toml cannot be read"),
        (pyproject(), "add a classifier"),
        (pyproject("3.12", kind="website"), "kind is 'website'"),
        (pyproject("3.12", mode="some"), "pull-request-matrix is 'some'"),
        (f'[project]\nclassifiers = ["{CLASSIFIER.format("3.12")}"]\n', "kind is None"),
    ],
)  # fmt: skip
def test_a_project_that_cannot_be_read_is_a_problem(
    text: str | bytes | None, said: str, project: Path, problem: Callable[..., str]
) -> None:
    """It ends with 2 and says what to mend."""
    (project / "pyproject.toml").unlink()
    if text is not None:
        content = text if isinstance(text, bytes) else text.encode()
        (project / "pyproject.toml").write_bytes(content)
    assert said in problem("jobs")


def test_outputs_are_added_to_the_runner_s_file(
    project: Path, outputs: Callable[..., Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is printed is set, after what earlier steps set."""
    (project / "outputs").write_text("before=1\n", "utf-8")
    monkeypatch.setenv("GITHUB_OUTPUT", str(project / "outputs"))
    found = outputs("jobs")
    lines = (project / "outputs").read_text("utf-8").splitlines()
    assert dict(line.split("=", 1) for line in lines) == {"before": "1", **found}


def test_help_is_there() -> None:
    """It starts by itself, with the standard library alone."""
    for arguments in ([], ["jobs"], ["upload"], ["publication"]):
        done = subprocess.run(
            [sys.executable, "-I", SCRIPT, *arguments, "--help"],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0


# ---- Documentation alone ---------------------------------------------------------------------------------------------


@pytest.fixture
def repository(project: Path) -> Path:
    """Make the project a repository with a main branch."""
    git("init", "--quiet", "--initial-branch=main")
    for name in (
        *("README.md", "LICENSE", "CONTRIBUTING.md", "docs/guide.md", "docs/a/b.png"),
        *("src/app/main.py", "src/app/prompt.md", "tests/data.md", "scripts/notes.md"),
        "docs/moved.py",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(f"{name}, first\n" * 20, "utf-8")
    commit()
    return project


def git(*arguments: str) -> None:
    """Run git in the current folder."""
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


def commit() -> None:
    """Commit everything."""
    git("add", "--all")
    git("commit", "--quiet", "--message=Change")


def merge(change: Callable[[], object]) -> None:
    """Check out what GitHub checks out for a pull request: main, moved on, merged with a branch that made a change."""
    git("switch", "--quiet", "--create=branch")
    change()
    commit()
    git("switch", "--quiet", "main")
    # What main alone changes is not the pull request's.
    Path("src/app/other.py").write_text("1\n", "utf-8")
    commit()
    git("merge", "--quiet", "--no-ff", "--message=Merge", "branch")


def write(*names: str) -> Callable[[], object]:
    """Give a change that writes to files."""

    def change() -> None:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text("changed\n", "utf-8")

    return change


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["docs/guide.md"], False),
        (["docs/a/b.png"], False),
        (["docs/new.md", "CONTRIBUTING.md"], False),
        (["docs/README.md"], False),
        ([".github/pull_request_template.md"], False),
        (["docs/With a blank, ünïcode.md"], False),
        # Both are part of the package's metadata.
        (["README.md"], True),
        (["LICENSE"], True),
        # The smoke test requires it; what lies elsewhere under that name is only text.
        (["SECURITY.md"], True),
        (["docs/SECURITY.md"], False),
        ([".github/SECURITY.md"], False),
        # Data of the code.
        (["src/app/prompt.md"], True),
        (["tests/data.md"], True),
        (["scripts/notes.md"], True),
        (["src/docs/guide.md"], True),
        # One file of code among documentation.
        (["docs/guide.md", "src/app/main.py"], True),
        (["pyproject.toml"], True),
        (["uv.lock"], True),
        ([".github/workflows/tests.yml"], True),
        (["documents.txt"], True),
        (["docs.py"], True),
        (["guide.md.py"], True),
        (["GUIDE.MD"], True),
    ],
)
def test_what_a_pull_request_touches_decides(
    names: list[str],
    code: bool,
    repository: Path,
    outputs: Callable[..., Outputs],
) -> None:
    """Only documentation leaves the tests out; in doubt they run."""
    pyproject_before = (repository / "pyproject.toml").read_bytes()
    merge(write(*names))
    (repository / "pyproject.toml").write_bytes(pyproject_before)
    assert outputs("jobs", "--event=pull_request")["code"] == json.dumps(code)


def test_what_the_smoke_test_requires_is_code(render: Renderer) -> None:
    """A pull request that deletes such a file must not pass because no test ran."""
    project = render(kind="service")
    path = project.files["scripts/verify_production_ready.py"]
    required = load_script(path).REQUIRED_FILES
    assert {"README.md", "SECURITY.md", "scripts/test_server.py"} <= set(required)
    assert [name for name in required if plan.is_documentation(name)] == []


def test_a_depth_of_two_is_enough(
    repository: Path,
    tmp_path: Path,
    outputs: Callable[..., Outputs],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The workflows check out the merge and its parents; with less, nothing is known and tests run."""
    merge(write("docs/guide.md"))
    for depth, code in [(2, "false"), (1, "true")]:
        clone = tmp_path / f"depth-{depth}"
        git("clone", "--quiet", f"--depth={depth}", repository.as_uri(), str(clone))
        monkeypatch.chdir(clone)
        assert outputs("jobs", "--event=pull_request")["code"] == code


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("src/app/main.py", "docs/main.py"),
        ("docs/moved.py", "src/app/moved.py"),
        ("src/app/prompt.md", "docs/prompt.md"),
    ],
)
def test_moving_a_file_changes_both_places(
    old: str, new: str, repository: Path, outputs: Callable[..., Outputs]
) -> None:
    """What leaves the code for the documentation is missing there."""
    merge(lambda: git("mv", old, new))
    assert outputs("jobs", "--event=pull_request")["code"] == "true"


@pytest.mark.parametrize(
    ("name", "code"), [("docs/guide.md", "false"), ("src/app/main.py", "true")]
)
def test_deleting_a_file_is_a_change(
    name: str, code: str, repository: Path, outputs: Callable[..., Outputs]
) -> None:
    """Of documentation or of code."""
    merge(lambda: git("rm", "--quiet", name))
    assert outputs("jobs", "--event=pull_request")["code"] == code


def test_an_empty_change_runs_everything(
    repository: Path, outputs: Callable[..., Outputs]
) -> None:
    """No file may mean that something is not understood."""
    git("commit", "--quiet", "--allow-empty", "--message=Nothing")
    assert outputs("jobs", "--event=pull_request")["code"] == "true"


@pytest.mark.parametrize("first_commit", [True, False])
def test_without_a_parent_or_a_repository_everything_runs(
    first_commit: bool, project: Path, outputs: Callable[..., Outputs]
) -> None:
    """Nobody can say what has changed."""
    if first_commit:
        git("init", "--quiet", "--initial-branch=main")
        commit()
    assert outputs("jobs", "--event=pull_request")["code"] == "true"


@pytest.mark.parametrize(
    "event", ["push", "merge_group", "workflow_dispatch", "schedule"]
)
def test_only_pull_requests_leave_tests_out(
    event: str, repository: Path, outputs: Callable[..., Outputs]
) -> None:
    """Main is always tested."""
    merge(write("docs/guide.md"))
    assert outputs("jobs", f"--event={event}")["code"] == "true"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_need_not_be_text(
    repository: Path, outputs: Callable[..., Outputs]
) -> None:
    """Git keeps any bytes as a name."""
    name = os.fsdecode(b"docs/caf\xe9.md")
    merge(lambda: Path(name).write_text("x", "utf-8"))
    assert outputs("jobs", "--event=pull_request")["code"] == "false"


def test_an_output_file_that_cannot_be_written_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A status of 1 would say that the plan had found something."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(project / "missing/output"))
    assert plan.main(["jobs", "--event=push"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("plan.py: ") and "missing" in said


# ---- What GitHub says ------------------------------------------------------------------------------------------------


@dataclass
class GitHub:
    """What a stand-in for GitHub's API on this machine answers and was asked."""

    status: int = 200
    body: bytes = b"[]"
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    """Start the stand-in and point the script to it."""
    fake = GitHub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.requests.append((self.path, self.headers.get("Authorization")))
            if fake.status == 0:
                self.wfile.write(fake.body)
                return
            self.send_response(fake.status)
            self.send_header("Content-Length", str(len(fake.body)))
            self.end_headers()
            self.wfile.write(fake.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True, args=(0.01,)).start()
    point_to(server.server_port, monkeypatch)
    yield fake
    server.shutdown()
    server.server_close()


def point_to(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what a runner's environment says about GitHub."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/example")
    monkeypatch.setenv("GH_TOKEN", "a-token")
    for name in ("READ_ONLY_TOKEN", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)


def says(message: str) -> bytes:
    """Give the body of an error."""
    return json.dumps({"message": message}).encode()


ENABLE = (
    "Code scanning is not enabled for this repository. Please enable code scanning in"
    " the repository settings."
)


@pytest.mark.parametrize(
    ("status", "body", "upload"),
    [
        (200, b"[]", "true"),
        (200, b'[{"number": 1}]', "true"),
        (404, says("no analysis found"), "true"),
        (403, says(ENABLE), "false"),
        (403, says("Advanced Security must be enabled for this repository to use code scanning."), "false"),
    ],
)  # fmt: skip
def test_known_answers_decide_about_the_upload(
    status: int, body: bytes, upload: str, github: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """It is on, on but unused so far, or off; what GitHub said about that is printed."""
    github.status, github.body = status, body
    assert plan.main(["upload"]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"upload={upload}\n")
    assert (json.loads(body)["message"] in said) if upload == "false" else True
    ((path, authorization),) = github.requests
    assert path == "/repos/acme/example/code-scanning/alerts?per_page=1"
    assert authorization == "Bearer a-token"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, says("Not Found")),
        (403, says("Resource not accessible by integration")),
        (403, says("API rate limit exceeded for installation.")),
        (401, says("Bad credentials")),
        (500, b"<html>oops</html>"),
        (503, says("Service unavailable")),
        (422, says("no analysis found")),
        (403, b""),
        # No HTTP, no JSON, no text.
        (0, b"nonsense\r\n\r\n"),
        (0, b""),
        (200, b"<html>a sign-in page</html>"),
        (200, b"\xff\xfe\xfa"),
    ],
)
@pytest.mark.parametrize("command", ["upload", "publication"])
def test_unknown_answers_are_a_problem(
    command: str, status: int, body: bytes, github: GitHub, problem: Callable[..., str]
) -> None:
    """Results must not vanish because of an error; nor is a token printed."""
    github.status, github.body = status, body
    said = problem(command)
    assert "GitHub" in said and "a-token" not in said
    if status and status != 200:
        assert str(status) in said


def test_an_answer_about_something_else_is_a_problem(
    github: GitHub, problem: Callable[..., str]
) -> None:
    """Nobody guesses whether a repository is public."""
    for body in (b"[]", b"{}", b'"public"'):
        github.body = body
        assert "answered 200" in problem("publication")


@pytest.mark.parametrize("command", ["upload", "publication"])
def test_github_out_of_reach_is_a_problem(
    command: str, problem: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    point_to(port, monkeypatch)
    assert "gave no answer" in problem(command)


@pytest.mark.parametrize("command", ["upload", "publication"])
@pytest.mark.parametrize("name", ["GH_TOKEN", "GITHUB_API_URL", "GITHUB_REPOSITORY"])
def test_a_missing_variable_is_a_problem(
    command: str,
    name: str,
    github: GitHub,
    problem: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is named, and nothing is asked."""
    monkeypatch.delenv(name)
    assert name in problem(command)
    assert github.requests == []


def test_a_token_that_can_only_read_asks_nothing(
    github: GitHub, outputs: Callable[..., Outputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork's pull request uploads nothing, and nothing fails because of that."""
    github.status = 500
    assert outputs("upload", "--read-only=true") == {"upload": "false"}
    monkeypatch.setenv("READ_ONLY_TOKEN", "true")
    assert outputs("upload") == {"upload": "false"}
    assert github.requests == []
    monkeypatch.setenv("READ_ONLY_TOKEN", "false")
    github.status = 200
    assert outputs("upload") == {"upload": "true"}


@pytest.mark.parametrize(
    ("visibility", "fork", "expected"),
    [
        ("public", False, {"public": "true", "fork": "false"}),
        ("public", True, {"public": "true", "fork": "true"}),
        ("private", False, {"public": "false", "fork": "false"}),
        ("internal", False, {"public": "false", "fork": "false"}),
    ],
)
def test_publication_follows_the_repository(
    visibility: str,
    fork: bool,
    expected: Outputs,
    github: GitHub,
    outputs: Callable[..., Outputs],
) -> None:
    """An organisation's internal repository is not public."""
    github.body = json.dumps({"visibility": visibility, "fork": fork}).encode()
    assert outputs("publication") == expected
    assert github.requests[0][0] == "/repos/acme/example"
