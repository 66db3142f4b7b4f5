"""scripts/release.py of a rendered project: what it decides, refuses and asks of GitHub, and that it can run again."""

import hashlib
import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness import load_script

pytestmark = pytest.mark.quick

SCRIPT = Path(__file__).parents[2] / "template/scripts/release.py"
COMMIT, OTHER_COMMIT = "a" * 40, "b" * 40
release = load_script(SCRIPT)


@dataclass
class GitHub:
    """Answers `gh api` from memory, and refuses what GitHub refuses; everything else really runs."""

    tags: dict[str, str] = field(default_factory=dict)
    annotated: dict[str, str] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    private: bool = False
    commit: str = COMMIT
    # The number of the changing request behind which the connection is gone.
    breaks_after: int | None = None
    changes: list[str] = field(default_factory=list)

    def run(
        self, command: list[str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Stand in for the function of that name."""
        if command[:2] == ["git", "rev-parse"]:
            return subprocess.CompletedProcess(command, 0, f"{self.commit}\n", "")
        if command[0] != "gh":
            return subprocess.run(
                command, input=stdin, capture_output=True, text=True, check=False
            )
        method = (
            command[command.index("--method") + 1] if "--method" in command else "GET"
        )
        path = next(part for part in command if part.startswith(("repos/", "https:")))
        if method != "GET":
            if self.breaks_after is not None and len(self.changes) >= self.breaks_after:
                return subprocess.CompletedProcess(
                    command, 1, "", "gh: connection refused"
                )
            self.changes.append(f"{method} {path.removeprefix('repos/o/r/')}")
        status, answer = self.answer(method, path.removeprefix("repos/o/r"), stdin)
        if status >= 400:
            return subprocess.CompletedProcess(
                command, 1, "", f"gh: no (HTTP {status})"
            )
        if "--jq" in command:
            return subprocess.CompletedProcess(
                command, 0, "".join(json.dumps(a) + "\n" for a in answer), ""
            )
        return subprocess.CompletedProcess(
            command, 0, json.dumps(answer) if status != 204 else "", ""
        )

    def answer(self, method: str, path: str, stdin: str | None) -> tuple[int, Any]:
        """Give status and body of one request."""
        body = json.loads(stdin) if stdin else {}
        match method, path.strip("/").split("/"):
            case "GET", [""]:
                return 200, {"private": self.private}
            case "GET", ["git", "ref", "tags", tag] if tag in self.annotated:
                return 200, {"object": {"type": "tag", "sha": f"object of {tag}"}}
            case "GET", ["git", "ref", "tags", tag] if tag in self.tags:
                return 200, {"object": {"type": "commit", "sha": self.tags[tag]}}
            case "GET", ["git", "tags", sha]:
                return 200, {
                    "object": {
                        "type": "commit",
                        "sha": self.annotated[sha.removeprefix("object of ")],
                    }
                }
            case "POST", ["git", "refs"]:
                self.tags[body["ref"].removeprefix("refs/tags/")] = body["sha"]
                return 201, {}
            case "GET", ["releases?per_page=100"]:
                return 200, self.releases
            case "POST", ["releases"]:
                return 201, self.add(**body)
            case "GET", ["releases", "tags", tag]:
                found = [
                    r for r in self.releases if r["tag_name"] == tag and not r["draft"]
                ]
                return (200, found[0]) if found else (404, None)
            case "PATCH", ["releases", number]:
                one = next(r for r in self.releases if r["id"] == int(number))
                if one["immutable"] and set(body) != {"body"}:
                    return 422, None
                # A draft whose tag is not said again loses it.
                one.update({"tag_name": "untagged"} if one["draft"] else {}, **body)
                return 200, one
            case "DELETE", ["releases", "assets", number]:
                for one in self.releases:
                    one["assets"] = [a for a in one["assets"] if a["id"] != int(number)]
                return 204, None
            case "POST", ["https:", "", "uploads", number, file]:
                one = next(r for r in self.releases if r["id"] == int(number))
                name = file.removeprefix("assets?name=")
                if one["immutable"] or name in [
                    asset["name"] for asset in one["assets"]
                ]:
                    return 422, None
                one["assets"].append(
                    {
                        "id": 100 * one["id"] + len(self.changes),
                        "name": name,
                        "state": "uploaded",
                    }
                )
                return 201, {}
        return 404, None

    def add(self, **values: Any) -> dict[str, Any]:
        """Add a release."""
        number = len(self.releases) + 1
        self.releases.append(
            {
                "id": number,
                "html_url": f"https://example.org/{number}",
                "upload_url": f"https://uploads/{number}/assets{{?name,label}}",
                "assets": [],
                "immutable": False,
                "draft": False,
                "prerelease": False,
                "body": "",
                **values,
            }
        )
        return self.releases[-1]


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """Put a GitHub in the place of the real one."""
    fake = GitHub()
    monkeypatch.setattr(release, "run", fake.run)
    for name in list(os.environ):
        if name.startswith("GITHUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    return fake


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Give a folder with notes.md and assets/."""
    (tmp_path / "assets").mkdir()
    for name in (
        "demo-1.2.3.tar.gz",
        "demo-1.2.3-py3-none-any.whl",
        "sbom.cdx.json",
        "SHA256SUMS",
    ):
        (tmp_path / "assets" / name).write_text(name, "utf-8")
    (tmp_path / "notes.md").write_text("What changed.\n", "utf-8")
    return tmp_path


def make(files: Path, tag: str = "v1.2.3", *options: str) -> int:
    """Run the step that makes the release."""
    notes, assets = str(files / "notes.md"), str(files / "assets")
    return int(
        release.main(["release", tag, "--notes", notes, "--assets", assets, *options])
    )


def names(one: dict[str, Any]) -> list[str]:
    """Name a release's assets in the order in which they came."""
    return [asset["name"] for asset in one["assets"]]


# ---- Versions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def untagged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository with one commit and no tag, and start in it."""
    git(tmp_path, "init", "--initial-branch", "main")
    git(tmp_path, "commit", "--allow-empty", "--message", "First")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("v1.2.3", "version 1.2.3, a final release"),
        ("v0.1", "version 0.1, a final release"),
        ("v1.2.3a1", "version 1.2.3a1, a pre-release"),
        ("v1.2.3b2", "version 1.2.3b2, a pre-release"),
        ("v1.2.3rc1", "version 1.2.3rc1, a pre-release"),
        ("v1.2.3-rc.1", "version 1.2.3rc1, a pre-release"),
        ("v1.2.3.dev0", "version 1.2.3.dev0, a pre-release"),
        ("v1.2.3.post1", "version 1.2.3.post1, a final release"),
        ("v2026.11.1", "version 2026.11.1, a final release"),
    ],
)
@pytest.mark.parametrize("exists", [True, False])
def test_a_tag_that_is_a_version_is_accepted(
    tag: str,
    said: str,
    exists: bool,
    untagged: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ["nightly", "vNext", *([tag] if exists else [])]:
        git(untagged, "tag", name)
    assert release.main(["check", tag]) == 0
    assert capsys.readouterr().out == f"{tag} is {said}.\n"


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize("other", ["v1.2.3rc1", "v1.2.4"])
def test_of_two_versions_on_a_commit_none_is_released(
    other: str,
    annotated: bool,
    untagged: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Git describes the commit by one of them; which one is not for us to guess."""
    git(untagged, "tag", other, *(["--message=One"] if annotated else []))
    assert release.main(["check", "v1.2.3"]) == 1
    git(untagged, "tag", "v1.2.3", *(["--message=Two"] if annotated else []))
    assert release.main(["check", "v1.2.3"]) == 1
    said = capsys.readouterr().err
    assert f"v1.2.3 is on the same commit as {other}." in said
    assert "git commit --allow-empty" in said
    assert "git push --delete origin" in said
    # The first way out.
    git(untagged, "commit", "--allow-empty", "--message=Second")
    git(untagged, "tag", "--force", "v1.2.3")
    assert [release.main(["check", tag]) for tag in ("v1.2.3", other)] == [0, 0]


def test_a_version_has_one_tag(
    untagged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(untagged, "tag", "v1.2.3.0")
    git(untagged, "commit", "--allow-empty", "--message=Second")
    git(untagged, "tag", "v1.2.3")
    assert release.main(["check", "v1.2.3"]) == 1
    assert "v1.2.3 and v1.2.3.0 are the same version" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["dist", "nowhere"], "no folder nowhere. Build first"),
        (["times", "."], "is no sdist"),
        (["sbom", "v1.2.3", "list.json"], "is no SBOM"),
    ],
)
def test_what_cannot_be_read_is_named(
    command: list[str],
    says: str,
    untagged: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("demo-1.2.3.tar.gz", "demo-1.2.3-py3-none-any.whl"):
        (untagged / name).write_bytes(b"nothing")
    (untagged / "list.json").write_text("[]", "utf-8")
    assert release.main(command) == 2
    assert says in capsys.readouterr().err


def test_without_a_repository_nothing_is_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert release.main(["check", "v1.2.3"]) == 2
    assert "not a git repository" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["vNext"], "'vNext' is not a version"),
        (["main"], "'main' is not a version"),
        (["1.2.3"], "use v1.2.3"),
        (["v1.2.3.4-foo"], "not a version"),
        (["v1!2.0"], "epoch or a local part"),
        (["v1.2.3+linux"], "epoch or a local part"),
        (
            ["v1.2.3", "--version", "1.2.4"],
            "asked for version 1.2.4, but the tag is v1.2.3",
        ),
    ],
)
def test_any_other_tag_is_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main(["check", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_command_that_hangs_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(release.subprocess, "run", run)
    assert release.main(["check", "v1.2.3"]) == 2
    assert "took over 300 s" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["check", "vNext"], ["attestations"]])
def test_a_file_of_the_runner_that_is_missing_is_named(
    arguments: list[str],
    github: GitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.setenv(name, str(tmp_path / "missing/file"))
    assert release.main(arguments) == 2
    assert "missing" in capsys.readouterr().err


def test_outputs_reach_the_runner(
    github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert release.main(["attestations"]) == 0
    assert (tmp_path / "output").read_text("utf-8") == "offered=true\n"


@pytest.fixture
def on_main(github: GitHub, untagged: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """Say that the run was started on main."""
    monkeypatch.setenv("GITHUB_REF_NAME", "main")
    monkeypatch.setenv("GITHUB_SHA", COMMIT)
    return github


@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_tagging_main_makes_the_tag_once(on_main: GitHub, version: str) -> None:
    assert [release.main(["tag", version]) for _ in range(2)] == [0, 0]
    assert on_main.tags == {"v1.2.3": COMMIT}
    assert on_main.changes == ["POST git/refs"]


def test_a_commit_that_has_a_version_is_not_tagged_again(
    on_main: GitHub, untagged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(untagged, "tag", "v1.2.3rc1")
    assert release.main(["tag", "1.2.3"]) == 1
    assert "is on the same commit as v1.2.3rc1" in capsys.readouterr().err
    assert not on_main.changes


def test_an_annotated_tag_on_the_same_commit_is_the_same_tag(on_main: GitHub) -> None:
    on_main.annotated = {"v1.2.3": COMMIT}
    assert release.main(["tag", "1.2.3"]) == 0
    assert not on_main.changes


def test_a_tag_on_another_commit_is_not_moved(
    on_main: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    on_main.tags = {"v1.2.3": OTHER_COMMIT}
    assert release.main(["tag", "1.2.3"]) == 1
    said = capsys.readouterr().err
    assert COMMIT in said
    assert OTHER_COMMIT in said


def test_only_main_is_tagged(
    on_main: GitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_REF_NAME", "topic")
    assert release.main(["tag", "1.2.3"]) == 1
    assert "releases start on main; this is topic" in capsys.readouterr().err
    assert not on_main.changes


# ---- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "tag", "said"),
    [
        (["demo-1.2.3.tar.gz", "demo-1.2.3-py3-none-any.whl"], "v1.2.3", ""),
        (["demo-1.2.3rc1.tar.gz", "demo-1.2.3rc1-py3-none-any.whl"], "v1.2.3-rc1", ""),
        (["demo-1.2.3.dev4.tar.gz", "demo-1.2.3.dev4-py3-none-any.whl"], "", ""),
        (
            ["demo-1.2.3.tar.gz", "demo-1.2.3-py3-none-any.whl"],
            "v1.2.4",
            "version 1.2.3, but the tag is v1.2.4",
        ),
        (
            ["demo-1.2.3.dev4+g1.tar.gz", "demo-1.2.3.dev4+g1-py3-none-any.whl"],
            "",
            "no index takes the part after +",
        ),
        (
            ["demo-1.2.3.tar.gz"],
            "v1.2.3",
            "expected one sdist and one wheel, found demo-1.2.3.tar.gz",
        ),
        ([], "v1.2.3", "found neither"),
        (["demo.tar.gz", "demo-1.2.3-py3-none-any.whl"], "v1.2.3", "demo.tar.gz"),
    ],
)
def test_what_was_built_must_have_the_tags_version(
    present: list[str],
    tag: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in present:
        (tmp_path / name).touch()
    assert release.main(["dist", str(tmp_path), "--tag", tag]) == (1 if said else 0)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listed", "status", "said"),
    [
        ({"demo-1.2.3.tar.gz": b"s", "demo-1.2.3-py3-none-any.whl": b"w"}, 0, ""),
        (
            {"demo-1.2.3.tar.gz": b"s", "demo-1.2.3-py3-none-any.whl": b"x"},
            1,
            "release the next version",
        ),
        ({"demo-1.2.3.tar.gz": b"s"}, 1, "lists no such file"),
        (None, 2, "SHA256SUMS"),
    ],
    ids=["right", "changed", "not listed", "no list"],
)
def test_digests_are_compared(
    listed: dict[str, bytes] | None,
    status: int,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "demo-1.2.3.tar.gz").write_bytes(b"s")
    (tmp_path / "demo-1.2.3-py3-none-any.whl").write_bytes(b"w")
    if listed is not None:
        lines = [
            f"{hashlib.sha256(content).hexdigest()}  {name}\n"
            for name, content in listed.items()
        ]
        (tmp_path / "SHA256SUMS").write_text("".join(lines), "utf-8")
    assert release.main(["digests", str(tmp_path)]) == status
    assert said in capsys.readouterr().err


def build(folder: Path, seconds: float) -> Path:
    """Leave a wheel and an sdist as setuptools makes it, at a time in seconds."""
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "PKG-INFO").write_text("Name: demo\n", "utf-8")
    for path in (source / "PKG-INFO", source):
        os.utime(path, (seconds, seconds))
    sdist = folder / "demo-1.2.3.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(source, "demo-1.2.3")
    (folder / "demo-1.2.3-py3-none-any.whl").touch()
    return sdist


def test_an_sdist_of_a_commit_is_always_the_same(
    repository: Path,
) -> None:
    """Built at other times, it has the commit's time, and holds what it held."""
    made = [build(repository / name, float(name)) for name in ("1e9", "1.5")]
    for sdist in made:
        assert release.main(["times", str(sdist.parent)]) == 0
    first, second = (sdist.read_bytes() for sdist in made)
    assert first == second
    with tarfile.open(made[0]) as archive:
        names = [(member.name, member.isdir()) for member in archive]
        file = archive.extractfile("demo-1.2.3/PKG-INFO")
        assert file and file.read() == b"Name: demo\n"
        times = {member.mtime for member in archive}
    assert names == [("demo-1.2.3", True), ("demo-1.2.3/PKG-INFO", False)]
    committed = subprocess.check_output(["git", "log", "-1", "--format=%ct"])
    assert times == {int(committed)}


@pytest.mark.parametrize("dependencies", [{}, {"components": []}])
def test_the_sbom_learns_the_version(
    tmp_path: Path, dependencies: dict[str, Any]
) -> None:
    file = tmp_path / "sbom.cdx.json"
    sbom = {"metadata": {"component": {"name": "My_Demo"}}, **dependencies}
    file.write_text(json.dumps(sbom), "utf-8")
    assert release.main(["sbom", "v1.2.3", str(file)]) == 0
    component = json.loads(file.read_text("utf-8"))["metadata"]["component"]
    assert component["version"] == "1.2.3"
    assert component["purl"] == "pkg:pypi/my-demo@1.2.3"


@pytest.mark.parametrize("text", ["", "{}"])
def test_what_is_no_sbom_is_said(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sbom.cdx.json"
    file.write_text(text, "utf-8")
    assert release.main(["sbom", "v1.2.3", str(file)]) == 2
    assert "is no SBOM" in capsys.readouterr().err


# ---- Changelog -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "merged", "previous"),
    [
        ("v1.0.0", [], None),
        ("v1.0.0", ["v1.0.0", "nightly", "v1.x"], None),
        ("v1.10.0", ["v1.2.0", "v1.9.0", "v1.10.0"], "v1.9.0"),
        ("v1.1.0", ["v1.0.0", "v1.1.0rc1", "v1.1.0rc2"], "v1.0.0"),
        ("v1.1.0rc2", ["v1.0.0", "v1.1.0rc1"], "v1.1.0rc1"),
        ("v1.0.1", ["v1.0.0", "v2.0.0"], "v1.0.0"),
    ],
)
def test_the_previous_tag(tag: str, merged: list[str], previous: str | None) -> None:
    assert release.previous_tag(tag, merged) == previous


@pytest.mark.parametrize(
    ("subject", "heading", "text"),
    [
        ("feat: open doors", "Features", "open doors"),
        ("feat(api): open doors", "Features", "**api**: open doors"),
        ("fix!: close doors", "Breaking changes", "close doors"),
        (
            "build(deps): bump x from 1 to 2",
            "Dependencies",
            "**deps**: bump x from 1 to 2",
        ),
        ("Bump x from 1 to 2", "Dependencies", "Bump x from 1 to 2"),
        ("Add a door", "Features", "Add a door"),
        ("Fix the door (#12)", "Fixes", "Fix the door (#12)"),
        ("ci: faster", "Maintenance", "faster"),
        ("parser: keep comments", "Other changes", "parser: keep comments"),
        ("Hello", "Other changes", "Hello"),
        ("", "Other changes", ""),
    ],
)
def test_commits_are_grouped(subject: str, heading: str, text: str) -> None:
    assert release.classify(release.Commit(COMMIT, subject, "")) == (heading, text)


def test_a_breaking_change_may_stand_in_the_body() -> None:
    commit = release.Commit(COMMIT, "feat: doors", "BREAKING CHANGE: no windows")
    assert release.classify(commit)[0] == "Breaking changes"


def test_html_in_a_subject_hides_nothing() -> None:
    commits = [release.Commit(COMMIT, f"Explain {release.INSTALLATION_MARKER}", "")]
    assert "<!--" not in release.changelog(commits, "https://example.org")


def test_a_long_changelog_is_cut_but_keeps_its_link() -> None:
    commits = [release.Commit(COMMIT, "x" * 90, "")] * 2000
    text = release.changelog(commits, "https://example.org/all")
    assert len(text) < 101_000
    assert text.endswith("- …\n\n**Full changelog**: https://example.org/all\n")


def git(folder: Path, *arguments: str) -> None:
    """Run git in a repository of the test."""
    subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True
    )


def commit(folder: Path, *subjects: str) -> None:
    """Make empty commits."""
    for subject in subjects:
        git(folder, "commit", "--allow-empty", "--message", subject)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a repository with two releases, and start in it."""
    git(tmp_path, "init", "--initial-branch", "main")
    commit(tmp_path, "Start")
    git(tmp_path, "tag", "v0.1.0")
    commit(tmp_path, "feat: open", "fix: close", "Paint 🎨")
    git(tmp_path, "tag", "v0.2.0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    return tmp_path


def test_the_changelog_of_a_repository(repository: Path) -> None:
    assert release.main(["changelog", "v0.2.0", "--output", "notes.md"]) == 0
    text = re.sub(
        r"\([0-9a-f]{7}\)", "(SHA)", (repository / "notes.md").read_text("utf-8")
    )
    assert text == (
        "## Changes\n\n### Features\n\n- open (SHA)\n\n### Fixes\n\n- close (SHA)\n\n"
        "### Other changes\n\n- Paint 🎨 (SHA)\n\n"
        "**Full changelog**: https://github.com/o/r/compare/v0.1.0...v0.2.0\n"
    )


def test_the_first_changelog_holds_everything(repository: Path) -> None:
    assert release.main(["changelog", "v0.1.0", "--output", "notes.md"]) == 0
    text = (repository / "notes.md").read_text("utf-8")
    assert "- Start (" in text
    assert text.endswith("https://github.com/o/r/commits/v0.1.0\n")


def test_a_tag_beside_main_is_said(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main(["changelog", "v0.2.0", "--output", "notes.md"]) == 0
    assert "Note" not in capsys.readouterr().out
    git(repository, "checkout", "--detach")
    commit(repository, "fix: aside")
    git(repository, "tag", "v0.2.1")
    assert release.main(["changelog", "v0.2.1", "--output", "notes.md"]) == 0
    assert "v0.2.1 is not on the branch main" in capsys.readouterr().out


# ---- The release -----------------------------------------------------------------------------------------------------

ALL = [
    "demo-1.2.3-py3-none-any.whl",
    "demo-1.2.3.tar.gz",
    "sbom.cdx.json",
    "SHA256SUMS",
]


def test_a_release_is_drafted_filled_and_only_then_published(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    assert make(files) == 0
    (one,) = github.releases
    assert one["body"] == "What changed.\n"
    assert one["tag_name"] == "v1.2.3"
    assert (one["draft"], one["prerelease"], one["make_latest"]) == (
        False,
        False,
        "true",
    )
    assert names(one) == ALL
    assert github.changes[0] == "POST releases"
    assert github.changes[-1] == "PATCH releases/1"


def test_a_prerelease_is_flagged_and_never_the_latest(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3rc1": COMMIT}
    assert make(files, "v1.2.3rc1") == 0
    assert github.releases[0]["prerelease"] is True
    assert github.releases[0]["make_latest"] == "false"


def test_an_older_series_does_not_become_the_latest(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    github.add(tag_name="v2.0.0")
    github.add(tag_name="nightly")
    assert make(files) == 0
    assert github.releases[-1]["make_latest"] == "false"


def test_a_draft_waits_for_a_person_or_for_the_next_run(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    assert make(files, "v1.2.3", "--draft") == 0
    assert github.releases[0]["draft"] is True
    assert names(github.releases[0]) == ALL
    assert make(files) == 0
    assert len(github.releases) == 1
    assert github.releases[0]["draft"] is False


def test_a_complete_release_stays_as_it_is(github: GitHub, files: Path) -> None:
    github.tags = {"v1.2.3": COMMIT}
    assert make(files) == 0
    before = json.dumps(github.releases), list(github.changes)
    assert make(files) == 0
    assert (json.dumps(github.releases), github.changes) == before


def test_ended_behind_any_change_it_can_run_again(github: GitHub, files: Path) -> None:
    github.tags = {"v1.2.3": COMMIT}
    assert make(files) == 0
    undisturbed = github.changes
    for point in range(len(undisturbed)):
        github.releases, github.changes, github.breaks_after = [], [], point
        assert make(files) == 2
        assert not any(not one["draft"] for one in github.releases)
        github.breaks_after = None
        assert make(files) == 0
        (one,) = github.releases
        assert (one["draft"], names(one), one["body"]) == (
            False,
            ALL,
            "What changed.\n",
        )


def test_two_drafts_are_refused_with_the_way_out(
    github: GitHub, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    for _ in range(2):
        github.add(tag_name="v1.2.3", draft=True)
    assert make(files) == 1
    said = capsys.readouterr().err
    assert (
        "2 drafts: https://example.org/1, https://example.org/2. Delete all but one"
        in said
    )
    assert not github.changes


def test_a_release_made_by_hand_is_adopted_with_its_words(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    one = github.add(tag_name="v1.2.3", body="My words", prerelease=True)
    assert make(files) == 0
    assert (one["body"], one["prerelease"], names(one)) == ("My words", False, ALL)
    assert len(github.releases) == 1


def test_a_draft_made_by_hand_is_adopted_and_keeps_its_tag(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    one = github.add(tag_name="v1.2.3", body="", draft=True, prerelease=True)
    assert make(files, "v1.2.3", "--draft") == 0
    assert (one["tag_name"], one["prerelease"]) == ("v1.2.3", False)
    assert one["draft"]


def test_a_release_made_by_hand_without_words_gets_the_changelog(
    github: GitHub, files: Path
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    one = github.add(tag_name="v1.2.3", body=None)
    assert make(files) == 0
    assert one["body"] == "What changed.\n"


def test_an_immutable_release_made_by_hand_is_refused(
    github: GitHub, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    github.tags = {"v1.2.3": COMMIT}
    github.add(tag_name="v1.2.3", immutable=True)
    assert make(files) == 1
    assert "is immutable" in capsys.readouterr().err
    assert not github.changes


@pytest.mark.parametrize("tags", [{}, {"v1.2.3": OTHER_COMMIT}])
def test_a_tag_that_is_gone_or_moved_is_not_released(
    github: GitHub, files: Path, tags: dict[str, str]
) -> None:
    github.tags = tags
    assert make(files) == 1
    assert not github.changes


def test_without_digests_nothing_is_attached(github: GitHub, files: Path) -> None:
    github.tags = {"v1.2.3": COMMIT}
    (files / "assets/SHA256SUMS").unlink()
    assert make(files) == 2
    assert github.releases[0]["assets"] == []


# ---- After the release -----------------------------------------------------------------------------------------------

COMPLETE = [{"id": 7, "name": "SHA256SUMS", "state": "uploaded"}]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"assets": COMPLETE}, ""),
        (None, "v1.2.3 has no published release"),
        ({"assets": COMPLETE, "draft": True}, "If it is a draft, publish it"),
        ({}, "it was made by hand"),
        ({"assets": [COMPLETE[0] | {"state": "starter"}]}, "lacks SHA256SUMS"),
        (
            {"assets": COMPLETE, "prerelease": True},
            "says pre-release: True, but version 1.2.3 says False",
        ),
    ],
)
def test_only_a_complete_release_is_published_from(
    github: GitHub,
    values: dict[str, Any] | None,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if values is not None:
        github.add(tag_name="v1.2.3", **values)
    assert release.main(["published", "v1.2.3"]) == (1 if said else 0)
    assert said in capsys.readouterr().err


def test_the_installation_is_added_once_through_the_body_alone(
    github: GitHub, files: Path
) -> None:
    one = github.add(tag_name="v1.2.3", assets=COMPLETE, body="Words\n", immutable=True)
    arguments = ["installation", "v1.2.3", str(files / "assets")]
    assert [release.main(arguments) for _ in range(2)] == [0, 0]
    digest = hashlib.sha256(b"demo-1.2.3.tar.gz").hexdigest()
    assert one["body"].startswith("Words\n\n<!-- installation -->\n")
    assert one["body"].count("pip install demo==1.2.3") == 1
    assert f"| `demo-1.2.3.tar.gz` | `{digest}` |" in one["body"]
    assert github.changes == ["PATCH releases/1"]


@pytest.mark.parametrize("private", [True, False])
def test_attestations_are_offered_to_public_repositories(
    github: GitHub, private: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    github.private = private
    assert release.main(["attestations"]) == 0
    said = capsys.readouterr().out
    assert f"offered={'false' if private else 'true'}" in said
    assert ("stand in for them" in said) == private


# ---- What cannot be run ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["published", "v1.2.3"], ["attestations"]])
def test_without_gh_or_a_repository_it_says_so(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert release.main(arguments) == 2
    assert "GITHUB_REPOSITORY is not set" in capsys.readouterr().err
    monkeypatch.setenv("GITHUB_REPOSITORY", "o/r")
    monkeypatch.setenv("PATH", "")
    assert release.main(arguments) == 2
    assert "gh is not installed" in capsys.readouterr().err


def test_a_refusal_reaches_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    assert release.main(["check", "vNext"]) == 1
    assert "'vNext' is not a version" in (tmp_path / "summary").read_text("utf-8")
