"""scripts/test_server.py of a rendered project, against servers that misbehave."""

import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[2] / "template/scripts/test_server.py.jinja"
POSIX_ONLY = pytest.mark.skipif(
    sys.platform == "win32", reason="process groups are POSIX's own"
)

# Every server says something on both streams, to be found in the report of a failure.
SAYS = """
import json, os, signal, socketserver, subprocess, sys, time
from http.server import BaseHTTPRequestHandler
print("said on stdout")
print("said on stderr", file=sys.stderr)
"""

SERVICE = """
PORT = int(os.environ["PORT"])
STATUS = [200]
def before_answer(): pass
def on_stop(*_): sys.exit(0)
# CHANGE
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        before_answer()
        status = STATUS.pop(0) if len(STATUS) > 1 else STATUS[0]
        self.send_response(status if self.path == "/health" else 404)
        self.end_headers()
signal.signal(signal.SIGTERM, on_stop)
if hasattr(signal, "SIGBREAK"):
    signal.signal(signal.SIGBREAK, on_stop)
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer.block_on_close = False
with socketserver.ThreadingTCPServer((os.environ["HOST"], PORT), Handler) as server:
    server.serve_forever(poll_interval=0.05)
"""

MCP = """
RESULTS = {
    "initialize": {"protocolVersion": "2025-11-25", "capabilities": {}},
    "tools/list": {"tools": [{"name": "add"}]},
}
def say(**message): print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
def answer(request):
    if "id" in request:
        say(id=request["id"], result=RESULTS[request["method"]])
def on_end(): pass
# CHANGE
for line in sys.stdin:
    answer(json.loads(line))
on_end()
"""

# A child that would outlive the server by far, and says who it is.
CHILD = """
sleep = [sys.executable, "-c", "import time; time.sleep({seconds})"]
child = subprocess.Popen(sleep, {options})
print("child", child.pid, file=sys.stderr)
"""
QUIET = "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL"


def service(change: str = "") -> str:
    """Give the source of a service, changed to misbehave."""
    return SAYS + SERVICE.replace("# CHANGE", change)


def mcp(change: str = "") -> str:
    """Give the source of an MCP server, changed to misbehave."""
    # Its standard output is for messages alone.
    says = SAYS.replace('print("said on stdout")', "")
    return says + MCP.replace("# CHANGE", change)


def rendered(folder: Path, kind: str) -> Path:
    """Render the script as Copier does."""
    template = jinja2.Template(
        TEMPLATE.read_text(encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    script = folder / "test_server.py"
    text = template.render(distribution_name="demo-api", kind=kind)
    script.write_text(text, encoding="utf-8")
    return script


class Trial:
    """Runs the script against servers given as source text."""

    def __init__(self, folder: Path) -> None:
        """Work in this folder."""
        self.folder = folder
        self.summary = folder / "summary.md"

    def run(
        self, kind: str, *options: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script; no way of ending may be a traceback of its own."""
        outcome = subprocess.run(
            [sys.executable, str(rendered(self.folder, kind)), *options],
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | {"GITHUB_STEP_SUMMARY": str(self.summary)} | variables,
        )
        assert "Traceback" not in outcome.stderr
        return outcome

    def of(
        self, source: str, *options: str, kind: str = "service", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Try a server that is a Python program."""
        program = self.folder / "server.py"
        program.write_text(source, encoding="utf-8")
        parts = [sys.executable, str(program)]
        command = (
            subprocess.list2cmdline(parts)
            if sys.platform == "win32"
            else shlex.join(parts)
        )
        return self.run(kind, "--command", command, *options, **variables)

    def fails(
        self, reason: str, source: str, timeout: float, kind: str = "service"
    ) -> str:
        """Require that it is red for this reason and shows what the server said."""
        outcome = self.of(source, "--timeout", str(timeout), kind=kind)
        assert outcome.returncode == 1, outcome.stdout + outcome.stderr
        first, *output = outcome.stdout.splitlines()
        assert first.startswith("Server start: FAILED, ")
        assert re.search(reason, first), first
        assert ("  | said on stdout" in output) == (kind == "service")
        assert "  | said on stderr" in output
        assert self.summary.read_text(encoding="utf-8") == f"{first}\n\n"
        return outcome.stdout


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Give a place to try servers in."""
    return Trial(tmp_path)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load the script as a module."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_file_location(
        "smoke_server", rendered(tmp_path, "service")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    ps = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True
    )
    return bool(ps.stdout.strip()) and not ps.stdout.strip().startswith("Z")


# ---- Green ---------------------------------------------------------------------------


def test_good_service_passes(trial: Trial) -> None:
    """It answers, it stops, and one line says so, in the job's summary too."""
    outcome = trial.of(service())
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert re.fullmatch(
        r"Server start: passed, healthy after \d+\.\d s, stopped in \d+\.\d s\n",
        outcome.stdout,
    )
    assert trial.summary.read_text(encoding="utf-8") == outcome.stdout + "\n"


def test_good_mcp_server_passes(trial: Trial) -> None:
    """It shakes hands, lists its tools and ends with its input."""
    outcome = trial.of(mcp(), kind="mcp")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.startswith("Server start: passed, tools listed (1) after ")


def test_service_may_be_unready_at_first(trial: Trial) -> None:
    """An error while it starts is no failure if health follows in time."""
    assert trial.of(service("STATUS = [503, 503, 200]")).returncode == 0


def test_mcp_server_may_send_notifications(trial: Trial) -> None:
    """Messages that are no answers are passed over."""
    change = """
def answer(request, plain=answer):
    say(method="notifications/message", params={})
    say(id=request.get("id"), method="ping")
    plain(request)
"""
    assert trial.of(mcp(change), kind="mcp").returncode == 0


def test_proxy_of_the_environment_is_not_asked(trial: Trial) -> None:
    """The server is on this machine; a proxy would not reach it."""
    proxy = "http://127.0.0.1:9"
    assert (
        trial.of(service(), http_proxy=proxy, HTTP_PROXY=proxy, no_proxy="").returncode
        == 0
    )


@POSIX_ONLY
def test_child_that_is_ending_is_waited_for(trial: Trial) -> None:
    """A child may need a moment longer than the server."""
    assert trial.of(service(CHILD.format(seconds=1, options=QUIET))).returncode == 0


# ---- Red: a service ------------------------------------------------------------------


def test_nothing_listens(trial: Trial) -> None:
    """A program that runs but does not listen is red."""
    trial.fails(
        r"not healthy within 1 s: nothing listens on 127\.0\.0\.1:\d+$",
        service("time.sleep(60)"),
        timeout=1,
    )


def test_wrong_port(trial: Trial) -> None:
    """A server that does not heed PORT is red."""
    trial.fails(
        r"not healthy within 1 s: nothing listens on 127\.0\.0\.1:\d+$",
        service("PORT = 0"),
        timeout=1,
    )


def test_health_is_an_error(trial: Trial) -> None:
    """An answer other than 200 is red."""
    trial.fails(
        r"not healthy within 1.5 s: .*GET /health answered 500, not 200",
        service("STATUS = [500]"),
        timeout=1.5,
    )


def test_redirect_is_not_followed(trial: Trial) -> None:
    """Health itself must answer."""
    trial.fails(
        r"not healthy within 1.5 s: .*GET /health answered 307, not 200",
        service("STATUS = [307]"),
        timeout=1.5,
    )


def test_answers_after_6_seconds(trial: Trial) -> None:
    """Without --timeout the limit is 5 seconds."""
    program = service("time.sleep(6)")
    outcome = trial.of(program)
    assert outcome.returncode == 1
    assert "FAILED, not healthy within 5 s: nothing listens" in outcome.stdout
    assert "  | said on stdout" in outcome.stdout


def test_takes_the_question_but_answers_too_late(trial: Trial) -> None:
    """The limit holds for the answer, not for the connection."""
    trial.fails(
        r"not healthy within 2 s: .*GET /health got no answer \(timed out\)",
        service("def before_answer(): time.sleep(6)"),
        timeout=2,
    )


@pytest.mark.parametrize("status", [0, 3])
def test_exits_at_once(trial: Trial, status: int) -> None:
    """A server that ends by itself is red, whatever its exit status."""
    trial.fails(
        f"it ended with status {status} before it answered",
        service(f"sys.exit({status})"),
        timeout=5,
    )


def test_does_not_stop(trial: Trial) -> None:
    """A server that ignores the request to stop is red, and is ended."""
    output = trial.fails(
        r"it did not stop within 2 s of the signal to stop",
        service("def on_stop(*_): pass\nprint('pid', os.getpid())"),
        timeout=2,
    )
    pid = re.search(r"pid (\d+)", output)
    assert pid is not None
    assert sys.platform == "win32" or not is_alive(int(pid[1]))


def test_stops_with_a_failure(trial: Trial) -> None:
    """Stopping must end with status 0."""
    trial.fails(
        r"it ended with status 4 after the signal to stop, not 0",
        service("def on_stop(*_): sys.exit(4)"),
        timeout=5,
    )


@POSIX_ONLY
def test_dies_of_the_signal(trial: Trial) -> None:
    """A server that does not handle the signal has not stopped in order."""
    trial.fails(
        r"it ended with status -15 after the signal to stop, not 0",
        service("on_stop = signal.SIG_DFL"),
        timeout=5,
    )


@POSIX_ONLY
def test_leaves_a_child_process(trial: Trial) -> None:
    """A child that outlives the server is red, and is ended."""
    output = trial.fails(
        "it ended, but left a child process behind",
        service(CHILD.format(seconds=60, options=QUIET)),
        timeout=5,
    )
    child = re.search(r"child (\d+)", output)
    assert child is not None
    assert not is_alive(int(child[1]))


@POSIX_ONLY
def test_leaves_a_child_process_in_another_group(trial: Trial) -> None:
    """A child that hides from the group is found by the output it still holds."""
    trial.fails(
        "it ended, but left a child process behind",
        service(CHILD.format(seconds=5, options="start_new_session=True")),
        timeout=5,
    )


def test_output_cannot_command_the_workflow(trial: Trial) -> None:
    """What the server prints is no workflow command, and may be no valid text."""
    change = (
        r"sys.stdout.buffer.write('::error::x\nfünf'.encode('latin-1')); sys.exit(1)"
    )
    output = trial.fails("it ended with status 1", service(change), timeout=5)
    assert "\n  | ::error::x\n  | f" in output


# ---- Red: an MCP server --------------------------------------------------------------


def test_mcp_says_nothing(trial: Trial) -> None:
    """A server that does not answer is red."""
    trial.fails(
        "no answer to initialize in time",
        mcp("def answer(_): pass"),
        timeout=1,
        kind="mcp",
    )


def test_mcp_exits_at_once(trial: Trial) -> None:
    """A server that ends by itself is red."""
    trial.fails(
        "it ended with status 3 before it answered",
        mcp("sys.exit(3)"),
        timeout=5,
        kind="mcp",
    )


def test_mcp_closes_its_output(trial: Trial) -> None:
    """A server that cannot answer any more is red."""
    trial.fails(
        "it closed its standard output before it answered initialize",
        mcp("os.close(1); time.sleep(60)"),
        timeout=5,
        kind="mcp",
    )


def test_mcp_answers_with_an_error(trial: Trial) -> None:
    """The server's error is the reason."""
    change = (
        "def answer(request): say(id=request['id'], error={'code': 1, 'data': 'no'})"
    )
    trial.fails(
        r'initialize failed: \{"code": 1, "data": "no"\}',
        mcp(change),
        5,
        kind="mcp",
    )


def test_mcp_answer_is_no_handshake(trial: Trial) -> None:
    """The answer must say which protocol is spoken."""
    trial.fails(
        "the answer to initialize has no protocolVersion",
        mcp("RESULTS['initialize'] = {}"),
        timeout=5,
        kind="mcp",
    )


@pytest.mark.parametrize("result", ["{'tools': []}", "{}", "[]", "None"])
def test_mcp_has_no_tools(trial: Trial, result: str) -> None:
    """A server without tools is red."""
    trial.fails(
        "tools/list names no tool",
        mcp(f"RESULTS['tools/list'] = {result}"),
        5,
        kind="mcp",
    )


@pytest.mark.parametrize("line", ["starting ...", "[1]", '"text"'])
def test_mcp_prints_to_its_standard_output(trial: Trial, line: str) -> None:
    """What is no message breaks every client, so it is red here."""
    outcome = trial.of(mcp(f"print({line!r}, flush=True)"), kind="mcp")
    assert outcome.returncode == 1
    assert f"standard output is for messages, but it wrote {line!r}" in outcome.stdout
    assert f"  | {line}" in outcome.stdout


def test_mcp_does_not_end(trial: Trial) -> None:
    """A server that stays when its input is closed is red."""
    trial.fails(
        "it did not stop within 2 s of the end of its standard input",
        mcp("def on_end(): time.sleep(60)"),
        timeout=2,
        kind="mcp",
    )


def test_mcp_ends_with_a_failure(trial: Trial) -> None:
    """Ending must be with status 0."""
    trial.fails(
        "it ended with status 5 after the end of its standard input, not 0",
        mcp("def on_end(): sys.exit(5)"),
        timeout=5,
        kind="mcp",
    )


@POSIX_ONLY
def test_mcp_leaves_a_child_process(trial: Trial) -> None:
    """A child that outlives the server is red."""
    trial.fails(
        "it ended, but left a child process behind",
        mcp(CHILD.format(seconds=60, options=QUIET)),
        timeout=5,
        kind="mcp",
    )


# ---- Could not be tried --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "the command demo-api is not installed beside"),
        (
            ["--command", "no-such-command-here x"],
            "cannot start 'no-such-command-here x'",
        ),
        (["--command", "x", "--host", "203.0.113.1"], "cannot listen on '203.0.113.1'"),
        (["--timeout", "0"], "argument --timeout: invalid seconds value: '0'"),
        (["--timeout", "nan"], "argument --timeout: invalid seconds value: 'nan'"),
        (["--time", "3"], "unrecognized arguments: --time 3"),
    ],
)
def test_could_not_be_tried(trial: Trial, options: list[str], reason: str) -> None:
    """What hinders the trial itself ends with status 2 and is named."""
    outcome = trial.run("service", *options)
    assert outcome.returncode == 2
    assert reason in outcome.stderr
    assert not trial.summary.exists()


@POSIX_ONLY
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("python 'x", "--command cannot be split: No closing quotation"),
        (" ", "--command is empty"),
    ],
)
def test_command_is_no_command_line(trial: Trial, command: str, reason: str) -> None:
    """Where we split the command line, an error in it is named."""
    outcome = trial.run("service", "--command", command)
    assert outcome.returncode == 2
    assert reason in outcome.stderr


def test_summary_cannot_be_written(trial: Trial) -> None:
    """A result that cannot be reported is no result."""
    outcome = trial.of(service(), GITHUB_STEP_SUMMARY=str(trial.folder))
    assert outcome.returncode == 2
    assert "cannot write the job summary" in outcome.stderr


def test_help(trial: Trial) -> None:
    """The help names every option and what the exit status means."""
    outcome = trial.run("service", "--help")
    assert outcome.returncode == 0
    for word in (
        "--timeout",
        "--command",
        "--host",
        "the installed demo-api",
        "Exit status",
    ):
        assert word in " ".join(outcome.stdout.split())


# ---- Parts, also of platforms that these tests do not run on -------------------------


def test_server_is_set_apart(script: ModuleType) -> None:
    """It gets a group of its own, by the platform's own means."""
    assert script.start_options("linux") == {"start_new_session": True}
    assert script.start_options("darwin") == {"start_new_session": True}
    new_group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200)
    assert script.start_options("win32") == {"creationflags": new_group}


def test_signal_to_stop(script: ModuleType) -> None:
    """Windows has no SIGTERM that a program could handle."""
    assert script.stop_signal("linux") == signal.SIGTERM
    assert script.stop_signal("darwin") == signal.SIGTERM
    assert script.stop_signal("win32") == getattr(signal, "CTRL_BREAK_EVENT", 1)


def test_command_line(script: ModuleType) -> None:
    """Windows splits command lines itself, by rules of its own."""
    assert script.split_command("a 'b c'", "linux") == ["a", "b c"]
    assert script.split_command(r'C:\a.exe "b c"', "win32") == r'C:\a.exe "b c"'


def test_windows_from_start_to_stop(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server starts in a new group and gets CTRL_BREAK; its tree is killed."""
    seen: list[Any] = []

    class Process:
        """A process that ends when it is asked to."""

        pid, stdin = 4711, None

        def __init__(self, command: str, **options: Any) -> None:
            self.stdout = open(os.devnull, "rb")  # noqa: PTH123, SIM115
            self.stderr = open(os.devnull, "rb")  # noqa: PTH123, SIM115
            seen.append(options["creationflags"])
            assert "start_new_session" not in options

        def send_signal(self, number: int) -> None:
            """Note the signal."""
            seen.append(number)

        def wait(self, timeout: float | None = None) -> int:
            """End in order."""
            return 0

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(shutil, "which", lambda name: f"C:\\{name}.exe")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: seen.append(command))
    with script.running("demo-api.exe", {}) as server:
        server.ask_to_stop()
        server.require_clean_exit(1, "the signal to stop")
    assert seen == [0x200, 1, ["C:\\taskkill.exe", "/T", "/F", "/PID", "4711"]]


def test_windows_without_a_console(script: ModuleType) -> None:
    """Where no signal can be sent, that is the reason given."""

    def refuse(_: int) -> None:
        raise OSError("The handle is invalid")

    server = SimpleNamespace(process=SimpleNamespace(send_signal=refuse))
    with pytest.raises(
        script.CannotRunError, match="cannot ask it to stop: The handle is"
    ):
        script.Server.ask_to_stop(server)


def test_command_beside_python(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command of the running Python's environment is used, not one on PATH."""
    command = tmp_path / ("demo-api.exe" if sys.platform == "win32" else "demo-api")
    command.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert script.installed_command() == [str(command)]


@pytest.mark.parametrize(
    ("stat", "runs"),
    [
        ("12 (python) S 1 77 77 0", True),
        ("12 (a) Z (b c) R 1 77 77 0", True),
        ("12 (python) Z 1 77 77 0", False),
        ("12 (python) S 1 78 77 0", False),
    ],
)
def test_ended_processes_do_not_count(
    script: ModuleType, tmp_path: Path, stat: str, runs: bool
) -> None:
    """Only processes of the group that have not ended are left behind."""
    file = tmp_path / "stat"
    file.write_text(stat, encoding="utf-8")
    assert script.runs_in(77, file) is runs


def test_process_that_ends_meanwhile(script: ModuleType, tmp_path: Path) -> None:
    """A process may be gone before it is looked at."""
    assert script.runs_in(77, tmp_path / "gone") is False


@pytest.mark.parametrize("error", [ProcessLookupError, PermissionError])
@POSIX_ONLY
def test_group_without_members(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """Linux says that it is not there; macOS refuses to signal ended processes."""

    def refuse(group: int, number: int) -> None:
        raise error

    monkeypatch.setattr(os, "killpg", refuse)
    assert script.group_is_alive(77) is False
