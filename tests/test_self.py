"""This repository itself: its own rules, and its README's two commands."""

import re
import sys
from pathlib import Path

import pytest
from harness import ROOT, run, tool

# In pieces, so that this file passes its own test.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs"),
        ("proxy", "golang"),
        ("crates", "io"),
        ("deb", "debian", "org"),
    )
]


def tracked() -> list[Path]:
    """Give the files of this repository, as git knows them; of an export without git, all."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is an export without git")
    listed = run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def naming(words: list[str], files: list[Path]) -> list[str]:
    """Give where one of the words stands, as path and line."""
    pattern = re.compile("|".join(map(re.escape, words)))
    return [
        f"{file.name}:{number}"
        for file in files
        # A picture is no text, and is looked through all the same.
        for number, line in enumerate(
            file.read_text("utf-8", "replace").splitlines(), 1
        )
        if pattern.search(line)
    ]


@pytest.mark.quick
def test_no_package_registry_is_named() -> None:
    """The repository works unchanged behind any mirror, also in what it links to."""
    assert naming(REGISTRIES, tracked()) == []


@pytest.mark.quick
def test_a_named_registry_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"see\nhttps://{REGISTRIES[0]}/project/x\n", "utf-8")
    assert naming(REGISTRIES, [page]) == ["page.md:2"]


@pytest.mark.quick
def test_no_lock_is_committed() -> None:
    """A lock would hold the address of whichever registry made it."""
    assert "uv.lock" not in {path.name for path in tracked()}


@pytest.mark.quick
def test_no_file_needs_windows_to_rename_it() -> None:
    """Windows can clone the repository: no name has a character that it forbids."""
    assert [
        p for p in tracked() if re.search(r'[<>:"|?*\\]', str(p.relative_to(ROOT)))
    ] == []


@pytest.mark.quick
@pytest.mark.parametrize(
    "command",
    [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=" ".join,
)
def test_own_code_is_clean(command: list[str]) -> None:
    run([tool(command[0]), *command[1:]], cwd=ROOT)


@pytest.mark.quick
def test_ci_runs_the_command_of_the_readme() -> None:
    """What decides here is what the README tells people to run."""
    readme = (ROOT / "README.md").read_text("utf-8")
    ci = (ROOT / ".ci/run").read_text("utf-8")
    (command,) = re.findall(r"```sh\n(uv run pytest.*)\n```", readme)
    assert ci.splitlines()[-1] == command


def test_first_command_of_the_readme(tmp_path: Path) -> None:
    """In a fresh clone, with nothing but Python: the line, word for word, renders a project."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is an export without git")
    readme = (ROOT / "README.md").read_text("utf-8")
    (command,) = re.findall(r"```sh\n(pip install uv && .*)\n```", readme)
    clone = tmp_path / "clone"
    run(["git", "clone", "--quiet", str(ROOT), str(clone)])
    run([sys.executable, "-m", "venv", str(tmp_path / "python")])
    command = f'PATH="{tmp_path}/python/bin:$PATH"; {command}'
    done = run(["bash", "-c", command], cwd=clone)
    assert (tmp_path / "demo/pyproject.toml").is_file()
    assert "uv run pytest" in done.stderr
