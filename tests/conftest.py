"""Fixtures and reports of the template's tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from harness import Renderer, copy_template, keep, reasons_unproven
from pytest_copie.plugin import Copie

pytest_plugins = [
    "compile_once",
    "engine.fixtures",
    "releases",
    "step_report",
    "update_report",
    "run_report.plugin",
]

# Derandomised, so that the same commit gives the same result; no database, so that nothing is left behind.
for profile, examples in {"quick": 100, "full": 1000}.items():
    hypothesis.settings.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take few examples in the quick layer, a thousand else."""
    quick = config.option.markexpr == "quick"
    hypothesis.settings.load_profile("quick" if quick else "full")


@pytest.fixture(scope="session", autouse=True)
def _neutral_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the settings of whoever runs the tests out of renders and commits."""
    home = tmp_path_factory.mktemp("settings")
    (home / "copier.yml").write_text("{}\n", "utf-8")
    (home / "gitconfig").write_text(
        "[user]\n\tname = Test\n\temail = test@example.org\n", "utf-8"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPIER_SETTINGS_PATH", str(home / "copier.yml"))
        patch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for name in [n for n in os.environ if n.startswith("GITHUB_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder of this run that all processes share (pytest-xdist starts several)."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if os.environ.get("PYTEST_XDIST_WORKER") else folder


@pytest.fixture(scope="session")
def template(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a plain copy of the template's sources: what the working tree holds, uncommitted changes included."""
    if not (shared / "template").exists():
        copied = copy_template(tmp_path_factory.mktemp("template") / "template")
        keep(copied, shared / "template")
    return shared / "template"


@pytest.fixture(scope="session")
def render(template: Path, copie_session: Copie, shared: Path) -> Renderer:
    """Give what renders a project for some answers."""
    copie_session.default_template_dir = template
    return Renderer(copie_session, shared / "renders")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close the run with what it could not show."""
    if reasons := reasons_unproven(terminalreporter):
        terminalreporter.section("Unproven here")
        for reason in reasons:
            terminalreporter.line(reason)
