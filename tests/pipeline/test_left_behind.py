"""What one run leaves for the next: comments, issues, caches."""

import shutil

from defects import CONFIGURATION
from engine.fixtures import Execute, MakeRepository
from engine.github.bodies import account, comment
from engine.repository import FORK
from engine.result import Result
from harness import cache_folder
from planting import PACKAGE, append, replace
from scenarios import SMALL, code


def test_coverage_comment_is_edited(
    repository: MakeRepository, execute: Execute
) -> None:
    """Three pushes to a pull request: one comment, which says what the newest push covers."""
    here = repository(**SMALL)
    # A person may write what a workflow writes.
    text = "<!-- coverage --> I say so"
    theirs = comment(here.full_name, 1, 1, text) | {"user": account("member", "User")}
    here.comments[1] = [theirs]
    said = []
    for number in (1, 2, 3):
        uncovered = append(
            f"{PACKAGE}/sizes.py",
            f'\n\ndef planted_{number}() -> int:\n    """Give 1."""\n    return 1\n',
        )
        event = here.pull_request(uncovered, number=None if number == 1 else 1)
        execute(here, "coverage.yml", event)
        others, *ours = here.comments[1]
        assert others["body"] == text
        (our,) = ours
        said.append(our["body"])
    assert all(text.startswith("<!-- coverage -->\n### Coverage") for text in said)
    assert len(set(said)) == 3


def test_hooks_are_cached(repository: MakeRepository, execute: Execute) -> None:
    """Hooks are built once for a configuration and a lock, and for another configuration anew."""
    here = repository(**SMALL)
    home = here.folder / "home"

    def run(workflow: str) -> tuple[str | None, Result]:
        """Run on a new runner; gives which cache was restored, and the rest."""
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        # What Go has compiled before: building is slow enough.
        compiled = cache_folder() / "home" / ".cache" / "go-build"
        variables = {"HOME": str(home), "GOCACHE": str(compiled)}
        result = execute(here, workflow, here.push(), **variables)
        steps = result.of("actions/cache") + result.of("actions/cache/restore")
        return next(step["restored"] for step in steps if "restored" in step), result

    nothing, first = run("pre-commit.yml")
    assert nothing is None
    assert "Installing environment" in first.log
    (saved,) = (s["key"] for s in first.of("actions/cache") if s.get("saved"))
    for workflow in ("pre-commit.yml", "gitleaks.yml"):
        restored, result = run(workflow)
        assert restored == saved
        assert result.red == set()
        assert "Installing environment" not in result.log
    # One that is red before hooks are built: the key is what matters.
    here.push(replace(".pre-commit-config.yaml", '"4.2"', '"999"'))
    restored, result = run("pre-commit.yml")
    assert restored is None
    assert result.red == {CONFIGURATION}


def test_databases_are_cached_at_night(
    repository: MakeRepository, execute: Execute
) -> None:
    """The nightly run saves Trivy's databases, and every other takes the newest."""
    here = repository(**SMALL)

    def restored() -> str | None:
        result = execute(here, "trivy.yml", here.push())
        (step,) = result.of("actions/cache/restore")
        assert result.of("actions/cache/save") == []
        found: str | None = step["restored"]
        return found

    assert restored() is None
    for _ in range(2):
        night = execute(here, "trivy.yml", here.scheduled("0 3 * * *"))
        (saved,) = night.of("actions/cache/save")
        assert restored() == saved["key"]


def test_coverage_is_sent_with_an_identity_where_there_is_one(
    repository: MakeRepository, execute: Execute
) -> None:
    """A push proves who it is; a fork's run, which cannot, sends without."""
    here = repository(**SMALL, codecov=True)
    for event, identity in (
        (here.push(), True),
        (here.pull_request(code, FORK), False),
    ):
        result = execute(here, "coverage.yml", event)
        sent = [(s["sent"], s["oidc"]) for s in result.of("codecov/codecov-action")]
        assert sent == [(True, identity)]
