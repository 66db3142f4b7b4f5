"""scripts/verify_production_ready.py of a rendered project: one red test a check."""

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest

TEMPLATE = (
    Path(__file__).parents[2] / "template/scripts/verify_production_ready.py.jinja"
)

REQUIRED = [
    "pyproject.toml",
    "uv.lock",
    "README.md",
    "LICENSE",
    "SECURITY.md",
    ".pre-commit-config.yaml",
    ".gitleaks.toml",
    ".github/dependabot.yml",
    ".github/workflows/build.yml",
    ".github/workflows/tests.yml",
]

APP = """
STATUS = 200
async def respond(scope, receive, send):
    await receive()
    status = STATUS if (scope["method"], scope["path"]) == ("GET", "/health") else 404
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
async def lifespan(scope, receive, send):
    scope["state"]["ready"] = True
    for phase in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{phase}"
        await send({"type": f"lifespan.{phase}.complete"})
async def app(scope, receive, send):
    handler = lifespan if scope["type"] == "lifespan" else respond
    await handler(scope, receive, send)
def create_app():
    return app
"""

SERVER = """
class Tool:
    name = "add"
class Server:
    tools = [Tool]
    async def list_tools(self):
        return self.tools
server = Server()
"""


class Project:
    """A checkout with its package installed in a folder on Python's path."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Lay down one in which every check passes."""
        self.kind = kind
        self.root = folder / "checkout"
        self.site = folder / "site"
        self.summary = folder / "summary.md"
        self.script = self.root / "scripts/verify_production_ready.py"
        for name in REQUIRED:
            self.write(name, "something\n")
        if kind != "library":
            self.write("scripts/test_server.py", "something\n")
        self.script.parent.mkdir(exist_ok=True)
        self.render()
        subprocess.run(["git", "init", "--quiet"], cwd=self.root, check=True)
        self.install("demo_api/__init__.py", '__version__ = "1.2.3"\n')
        self.install("demo_api/py.typed", "")
        self.install("demo_api/cli.py", "def main(): pass\n")
        self.install("demo_api/app.py", APP)
        self.install("demo_api/mcp_server.py", SERVER)
        self.metadata("1.2.3")
        self.entry_points("demo-api = demo_api.cli:main")

    def render(self) -> None:
        """Render the script as Copier does, but more impatient."""
        template = jinja2.Template(
            TEMPLATE.read_text(encoding="utf-8"),
            undefined=jinja2.StrictUndefined,
            keep_trailing_newline=True,
        )
        text = template.render(
            distribution_name="demo-api", package_name="demo_api", kind=self.kind
        )
        assert "SERVER_SECONDS = 5\n" in text
        text = text.replace("SERVER_SECONDS = 5\n", "SERVER_SECONDS = 0.5\n")
        self.script.write_text(text, encoding="utf-8")

    def write(self, name: str, text: str | bytes) -> None:
        """Write a file of the checkout."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())

    def install(self, name: str, text: str) -> None:
        """Write an installed file."""
        file = self.site / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def change(self, name: str, old: str, new: str) -> None:
        """Change an installed file in one place."""
        text = (self.site / name).read_text(encoding="utf-8")
        assert text.count(old) == 1
        self.install(name, text.replace(old, new))

    def metadata(self, version: str) -> None:
        """Write the metadata of an installed version."""
        text = f"Metadata-Version: 2.4\nName: demo-api\nVersion: {version}\n"
        self.install("demo_api-0.dist-info/METADATA", text)

    def entry_points(self, *lines: str, group: str = "console_scripts") -> None:
        """Write the entry points of the installed project."""
        text = "\n".join([f"[{group}]", *lines, ""])
        self.install("demo_api-0.dist-info/entry_points.txt", text)

    def verify(
        self, *options: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script; no way of ending may be a traceback."""
        environment = {
            "PYTHONPATH": str(self.site),
            "PYTHONDONTWRITEBYTECODE": "1",
            "GITHUB_STEP_SUMMARY": str(self.summary),
        }
        outcome = subprocess.run(
            [sys.executable, str(self.script), *options],
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=30,
            env=os.environ | environment | variables,
        )
        assert "Traceback" not in outcome.stderr
        return outcome

    def passes(self, *options: str) -> dict[str, str]:
        """Require that all checks pass; gives what they say."""
        outcome = self.verify("--json", *options)
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        report = json.loads(outcome.stdout)
        assert report["passed"] is True
        return {check["name"]: check["detail"] for check in report["checks"]}

    def fails(self, check: str, reason: str, *options: str) -> None:
        """Require that this check, and no other, fails for this reason."""
        outcome = self.verify("--json", *options)
        assert outcome.returncode == 1, outcome.stdout + outcome.stderr
        report: dict[str, Any] = json.loads(outcome.stdout)
        assert report["passed"] is False
        failed = {c["name"]: c["detail"] for c in report["checks"] if not c["passed"]}
        assert list(failed) == [check], failed
        assert re.search(reason, failed[check]), failed


@pytest.fixture
def library(tmp_path: Path) -> Project:
    """Give a library in which every check passes."""
    return Project(tmp_path, "library")


@pytest.fixture
def service(tmp_path: Path) -> Project:
    """Give a service in which every check passes."""
    return Project(tmp_path, "service")


@pytest.fixture
def mcp(tmp_path: Path) -> Project:
    """Give an MCP server in which every check passes."""
    return Project(tmp_path, "mcp")


# ---- Green ---------------------------------------------------------------------------

INSTALLED = ["metadata", "package version", "entry points", "py.typed"]
CHECKOUT = ["required files", "merge leftovers", "template leftovers"]


@pytest.mark.parametrize(
    ("kind", "own"), [("library", []), ("service", ["health"]), ("mcp", ["tools"])]
)
def test_good_project_passes(tmp_path: Path, kind: str, own: list[str]) -> None:
    """Each kind has its checks, and all pass."""
    project = Project(tmp_path, kind)
    assert list(project.passes("--version", "1.2.3")) == INSTALLED + own + CHECKOUT
    assert list(project.passes("--installed-only")) == INSTALLED + own


def test_table(library: Project) -> None:
    """People get one line a check; the job's summary gets a table."""
    outcome = library.verify()
    assert outcome.returncode == 0
    lines = outcome.stdout.splitlines()
    assert len(lines) == len(INSTALLED + CHECKOUT)
    said = r"ok +metadata +demo-api 1\.2\.3 on \w+ [\w.+]+, \w+"
    assert re.fullmatch(said, lines[0])
    summary = library.summary.read_text(encoding="utf-8")
    assert summary.startswith(
        "| check | result | detail |\n|---|---|---|\n| metadata |"
    )
    assert summary.count("\n|") == len(lines) + 1


def test_table_of_a_failure(library: Project) -> None:
    """Every check is run and shown, and markup in a detail stays text."""
    library.write("a|<b.rej", "x") if sys.platform != "win32" else library.write(
        "b.rej", "x"
    )
    outcome = library.verify()
    assert outcome.returncode == 1
    verdicts = [line.split()[0] for line in outcome.stdout.splitlines()]
    assert verdicts == ["ok"] * 5 + ["FAILED", "ok"]
    summary = library.summary.read_text(encoding="utf-8")
    assert "| merge leftovers | **failed** | left over from a merge: " in summary
    assert sys.platform == "win32" or r"a\|&lt;b.rej |" in summary


def test_help(library: Project) -> None:
    """The help names every option and what the exit status means."""
    outcome = library.verify("--help")
    assert outcome.returncode == 0
    for word in ("--version", "--installed-only", "--json", "Exit status"):
        assert word in outcome.stdout


def test_project_that_prints(library: Project) -> None:
    """What the project prints while it is imported does not spoil the report."""
    library.change("demo_api/__init__.py", "__version__", "print('hello'); __version__")
    library.passes()


# ---- What is installed ---------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    ["0.1.dev1+g1a2b3c4d5", "0.1.dev0+d20261123", "1.0rc1", "0.0.1", "10.0.0"],
)
def test_versions_of_a_repository(library: Project, version: str) -> None:
    """A project without a tag is fine, and so is any version of a tag."""
    library.metadata(version)
    library.install("demo_api/__init__.py", f'__version__ = "{version}"\n')
    python = f"{platform.python_implementation()} {platform.python_version()}"
    said = f"demo-api {version} on {python}, {platform.system()}"
    assert library.passes()["metadata"] == said


@pytest.mark.parametrize("version", ["0", "0.0", "0.0.0", "0+unknown", "0.0.0.dev0"])
def test_version_of_no_repository(library: Project, version: str) -> None:
    """A version that stands for "unknown" is red."""
    library.metadata(version)
    library.install("demo_api/__init__.py", f'__version__ = "{version}"\n')
    library.fails("metadata", "does not come from the repository: run 'git init'")


@pytest.mark.parametrize("expected", ["1.2.4", "1.2.3.0", "v1.2.3", "1.2.3+local", ""])
def test_another_version_than_expected(library: Project, expected: str) -> None:
    """Versions are compared exactly, and both are shown."""
    reason = f"^version is '1.2.3', '{re.escape(expected)}' was expected$"
    library.fails("metadata", reason, "--version", expected)


def test_not_installed(library: Project) -> None:
    """A project that is not installed is red, with the command that installs it."""
    shutil.rmtree(library.site / "demo_api-0.dist-info")
    outcome = library.verify()
    assert outcome.returncode == 1
    assert re.search(
        r"FAILED +metadata +demo-api is not installed: run 'uv sync'", outcome.stdout
    )


def test_package_of_another_version(library: Project) -> None:
    """Package and metadata must agree."""
    library.metadata("1.2.4")
    library.fails("package version", "^demo_api says it is 1.2.3, its metadata 1.2.4$")


def test_package_without_version(library: Project) -> None:
    """The package must name its version."""
    library.install("demo_api/__init__.py", "")
    library.fails("package version", "^demo_api has no __version__: AttributeError")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "import no_such_module",
            "^cannot import demo_api: ModuleNotFoundError: No mod",
        ),
        ("import sys; sys.exit(3)", "^cannot import demo_api: SystemExit: 3$"),
        ("raise ValueError", "^cannot import demo_api: ValueError$"),
        ("def", "^cannot import demo_api: SyntaxError: "),
    ],
)
def test_package_that_does_not_import(library: Project, line: str, reason: str) -> None:
    """Whatever hinders the import is the reason, and no traceback."""
    library.install("demo_api/__init__.py", line)
    outcome = library.verify("--json")
    assert outcome.returncode == 1
    checks = json.loads(outcome.stdout)["checks"]
    details = {c["name"]: c["detail"] for c in checks if not c["passed"]}
    assert list(details) == ["package version", "entry points", "py.typed"]
    assert re.search(reason, details["package version"])


def test_no_console_command(library: Project) -> None:
    """The command that the manual names must be there."""
    library.entry_points("other = demo_api.cli:main")
    library.fails("entry points", "^there is no console command demo-api$")
    library.entry_points("demo-api = demo_api.cli:main", group="gui_scripts")
    library.fails("entry points", "^there is no console command demo-api$")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("demo-api = demo_api.gone:main", "demo_api.gone:main: ModuleNotFoundError"),
        ("demo-api = demo_api.cli:gone", "demo_api.cli:gone: AttributeError"),
        ("demo-api = demo_api:__version__", "demo_api:__version__ cannot be called"),
        (
            "demo-api = demo_api.cli:main\nmore = demo_api.gone:x",
            "^cannot load more = demo_api.gone:x: ModuleNotFoundError",
        ),
    ],
)
def test_broken_entry_point(library: Project, line: str, reason: str) -> None:
    """Every entry point must load, and commands must be callable."""
    library.entry_points(line)
    library.fails("entry points", reason)


def test_entry_point_of_an_extra(library: Project) -> None:
    """What needs an extra is not expected to load without it."""
    library.entry_points("demo-api = demo_api.cli:main", "more = gone:main [extra]")
    assert library.passes()["entry points"] == "demo-api"


def test_types_are_not_shipped(library: Project) -> None:
    """py.typed must be installed."""
    (library.site / "demo_api/py.typed").unlink()
    library.fails("py.typed", "^demo_api/py.typed is not installed$")


# ---- The server ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("STATUS = 200", "STATUS = 503", "^GET /health answers 503, not 200$"),
        ('"/health"', '"/healthz"', "^GET /health answers 404, not 200$"),
        ("return app", "raise ValueError('x')", "within 0.5 s: ValueError: x$"),
        ("def create_app", "def make_app", "within 0.5 s: AttributeError: "),
        ("    await receive()", "    1 / 0", "0.5 s: ZeroDivisionError: division by"),
        ("    await receive()", "    return", "^GET /health got no answer$"),
        (
            "    await receive()",
            "    await receive(); await receive()",
            "^no answer to GET /health within 0.5 s: TimeoutError$",
        ),
        (
            '    scope["state"]["ready"] = True',
            "    failed = {'type': 'lifespan.startup.failed', 'message': 'a\\nb\\n'}\n"
            "    await send(failed)",
            "^the application's startup failed: b$",
        ),
        (
            '.complete"})',
            '.complete"}) if phase == "startup" else await send('
            '{"type": "lifespan.shutdown.failed"})',
            "^the application's shutdown failed: no reason given$",
        ),
    ],
)
def test_service_is_not_healthy(
    service: Project, old: str, new: str, reason: str
) -> None:
    """Whatever hinders a 200 is red, and named."""
    service.change("demo_api/app.py", old, new)
    service.fails("health", reason)


@pytest.mark.parametrize("ending", ["raise TypeError", "return"])
def test_service_without_lifespan(service: Project, ending: str) -> None:
    """An application need not have a startup."""
    service.change(
        "demo_api/app.py", '    scope["state"]["ready"] = True', f"    {ending}"
    )
    service.passes()


def test_service_that_ends_its_lifespan_early(service: Project) -> None:
    """An application may ignore the shutdown."""
    service.change("demo_api/app.py", '("startup", "shutdown")', '("startup",)')
    service.passes()


def test_service_gets_what_its_startup_prepared(service: Project) -> None:
    """State of the startup reaches the request."""
    service.change(
        "demo_api/app.py", "STATUS if", 'STATUS if scope["state"]["ready"] and'
    )
    service.passes()


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("tools = [Tool]", "tools = []", "^the server has no tool$"),
        ("return self.tools", "raise ValueError('x')", "within 0.5 s: ValueError: x$"),
        ("server = Server()", "", "^no list of tools within 0.5 s: AttributeError: "),
        (
            "return self.tools",
            "import asyncio; await asyncio.sleep(60)",
            "^no list of tools within 0.5 s: TimeoutError$",
        ),
    ],
)
def test_mcp_server_without_tools(
    mcp: Project, old: str, new: str, reason: str
) -> None:
    """Whatever hinders the list of tools is red, and named."""
    mcp.change("demo_api/mcp_server.py", old, new)
    mcp.fails("tools", reason)


# ---- The checkout --------------------------------------------------------------------


@pytest.mark.parametrize("name", [*REQUIRED, "scripts/test_server.py"])
def test_file_is_missing(service: Project, name: str) -> None:
    """Each required file must be there and have a content."""
    (service.root / name).write_bytes(b"")
    service.fails("required files", f"^missing or empty: {re.escape(name)}$")
    (service.root / name).unlink()
    service.fails("required files", f"^missing or empty: {re.escape(name)}$")


@pytest.mark.parametrize("marker", ["<" * 7 + " before updating", ">" * 7 + " HEAD"])
@pytest.mark.parametrize("tracked", [True, False])
def test_conflict_marker(library: Project, marker: str, tracked: bool) -> None:
    """Unresolved conflicts are red, whether git knows the file or not."""
    library.write("src/demo_api/x.py", f"one\r\n{marker}\r\n")
    if tracked:
        subprocess.run(["git", "add", "--all"], cwd=library.root, check=True)
    library.fails("merge leftovers", "^left over from a merge: src/demo_api/x.py:2$")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("docs/merging.md", "    " + "<" * 7 + " indented, so an example\n"),
        ("docs/title.rst", "Title\n" + ">" * 7 + "\n"),
        ("docs/quote.txt", ">" * 8 + " deep quotation\n"),
        ("image.png", b"\0\n" + b"<" * 7 + b" binary\n"),
        ("ignored.txt", "<" * 7 + " HEAD\n"),
        ("ignored.rej", "x"),
    ],
)
def test_no_conflict_marker(library: Project, name: str, content: str | bytes) -> None:
    """What only looks like a conflict, or is ignored by git, is fine."""
    library.write(".gitignore", "ignored.*\n")
    library.write(name, content)
    library.passes()


def test_rejected_change(library: Project) -> None:
    """The file of a rejected change is red."""
    library.write(".github/workflows/tests.yml.rej", "x")
    library.fails("merge leftovers", r": \.github/workflows/tests\.yml\.rej$")


def test_tracked_file_that_was_deleted(library: Project) -> None:
    """A file that git still lists may be gone."""
    library.write("gone.txt", "x")
    subprocess.run(["git", "add", "--all"], cwd=library.root, check=True)
    (library.root / "gone.txt").unlink()
    library.passes()


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("MANIFEST.in", "a\ngraft src/{{ package_name }}\n", "MANIFEST.in:2"),
        (".github/workflows/x.yml", "{{- user_name }}", ".github/workflows/x.yml:1"),
        ("scripts/x.py", "X = '{{ _copier_conf.dst_path }}'", "scripts/x.py:1"),
        ("trivy.yaml", "{% if docker %}", "trivy.yaml:1"),
        ("socket.yml", "a\n\n{%- endif %}", "socket.yml:3"),
        ("{{ package_name }}/x.txt", "x", "{{ package_name }}/x.txt"),
        ("README.md.jinja", "x", "README.md.jinja"),
    ],
)
def test_placeholder(library: Project, name: str, content: str, found: str) -> None:
    """What the template should have filled in is red, with its place."""
    library.write(name, content)
    library.fails(
        "template leftovers", f"^left over from the template: {re.escape(found)}$"
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".github/workflows/x.yml", "name: ${{ github.repository }} ${{ user_name }}"),
        (".github/workflows/x.yml", "pattern={{version}}\n--format '{{ .Digest }}'"),
        ("scripts/x.py", "print(f'{{{name}}} {kind!r}', '{%s}' % kind)"),
        ("scripts/x.sh", "echo ${#names} ${%}"),
        ("README.md", "# {{ project_name }} {% if x %}"),
        ("pyproject.toml", 'description = "{{ project_description }}"'),
        (".copier-answers.yml", "project_name: '{{ project_name }}'"),
        ("docs/template.md", "{{ package_name }}"),
        ("src/demo_api/templates/page.html.jinja", "{{ user_name }}{% endif %}"),
        ("tests/{{ package_name }}.txt", "{{ package_name }}"),
    ],
)
def test_braces_that_are_meant(library: Project, name: str, content: str) -> None:
    """Other tools' braces, free text and the team's own files are fine."""
    library.write(name, content)
    library.passes()


# ---- Could not be run ----------------------------------------------------------------


def test_no_repository(library: Project) -> None:
    """Without git's list of files the checkout cannot be judged."""
    shutil.rmtree(library.root / ".git")
    outcome = library.verify(GIT_CEILING_DIRECTORIES=str(library.root.parent))
    assert outcome.returncode == 2
    assert "git cannot list the files (fatal: not a git repository" in outcome.stderr
    assert not library.summary.exists()
    library.passes("--installed-only")


def test_no_git(library: Project, tmp_path: Path) -> None:
    """Without git the checkout cannot be judged, the installed project can."""
    outcome = library.verify(PATH=str(tmp_path))
    assert outcome.returncode == 2
    assert "git is not installed; --installed-only does without" in outcome.stderr
    assert library.verify("--installed-only", PATH=str(tmp_path)).returncode == 0


def test_file_that_cannot_be_read(
    library: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be judged is not passed over."""
    spec = importlib.util.spec_from_file_location("smoke_verify", library.script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "smoke_verify", module)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec.loader.exec_module(module)
    with pytest.raises(module.CannotRunError, match=r"^cannot read gone\.txt: "):
        module.places(["gone.txt"], module.CONFLICT_MARKER)


def test_summary_cannot_be_written(library: Project) -> None:
    """A result that cannot be reported is no result."""
    outcome = library.verify(GITHUB_STEP_SUMMARY=str(library.root))
    assert outcome.returncode == 2
    assert "cannot write the job summary" in outcome.stderr


def test_unknown_option(library: Project) -> None:
    """Options are not guessed from their beginning."""
    outcome = library.verify("--installed")
    assert outcome.returncode == 2
    assert "unrecognized arguments: --installed" in outcome.stderr
