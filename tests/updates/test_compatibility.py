"""No release takes something away from projects without the rule that keeps them whole (docs/maintaining.md)."""

from pathlib import Path

import pytest
from compatibility import Allowed, violations, written_down
from harness import copy_template
from histories import releases, sources_of
from improvement import OLD_QUESTION, RENAMED, RETIRED, change, improve

pytestmark = pytest.mark.quick
NOTHING = Allowed({}, {})


@pytest.mark.parametrize("old", releases()[-3:])
def test_nothing_is_taken_away_since_a_release(
    old: str, template: Path, tmp_path: Path
) -> None:
    before = sources_of(old, tmp_path)
    assert list(violations(before, template, written_down())) == []


@pytest.fixture
def improved(tmp_path: Path) -> Path:
    """Give the improved release."""
    made = copy_template(tmp_path / "improved")
    improve(made)
    return made


def test_what_the_improved_release_takes_away_must_be_written_down(
    template: Path, improved: Path
) -> None:
    found = [text.split(":")[0] for text in violations(template, improved, NOTHING)]
    assert found == [
        f"{RENAMED} is no longer rendered",
        f"{RETIRED} is no longer rendered",
        "python_versions has another default",
    ]
    told = Allowed({RENAMED: "…", RETIRED: "…"}, {"python_versions": "…"})
    assert list(violations(template, improved, told)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "extensions/validation.jinja",
            f'FORMER_QUESTIONS = "{OLD_QUESTION}',
            'FORMER_QUESTIONS = "',
            f"{OLD_QUESTION} is gone: put its name into FORMER_QUESTIONS",
        ),
        (
            "copier.yml",
            f"{{{{ {OLD_QUESTION} | default(90) }}}}",
            "90",
            f"{OLD_QUESTION} is gone: let the default of another read",
        ),
        (
            "copier.yml",
            '      value: "3.10"\n',
            '      value: "3.9"\n',
            "no longer offers 3.10",
        ),
        (
            "copier.yml",
            '_min_copier_version: "9.18.2"',
            '_min_copier_version: "99.0.0"',
            "_min_copier_version is 99.0.0: projects update by",
        ),
        (
            "copier.yml",
            "codecov:\n  type: bool\n",
            "codecov:\n  type: str\n",
            "codecov has another type",
        ),
    ],
)
def test_each_rule_is_enforced(
    template: Path, improved: Path, file: str, old: str, new: str, says: str
) -> None:
    change(improved / file, old, new)
    assert any(says in text for text in violations(template, improved, NOTHING))


def test_a_job_that_is_renamed_or_gone_is_found(template: Path, tmp_path: Path) -> None:
    """A step that people have put into it would go with it, or into another job."""
    new = copy_template(tmp_path / "new")
    workflow = new / "template/.github/workflows/trivy.yml"
    change(workflow, "  trivy:\n    name", "  scan:\n    name")
    job = ".github/workflows/trivy.yml: trivy"
    (found,) = violations(template, new, NOTHING)
    assert found.startswith(f"{job} is gone: keep the job's id")
    assert list(violations(template, new, Allowed({job: "…"}, {}))) == []
    # With its file it is that which must be written down.
    workflow.unlink()
    (found,) = violations(template, new, NOTHING)
    assert "is no longer rendered" in found


def test_a_renamed_answer_is_read_by_a_question_that_is_new(
    template: Path, improved: Path
) -> None:
    """One that was asked before has its answer, so that its default reads nothing."""
    reads = f"{{{{ {OLD_QUESTION} | default(90) }}}}"
    change(improved / "copier.yml", reads, "90")
    change(
        improved / "copier.yml",
        "  help: Send coverage to Codecov as well? (No token is kept; it is no gate)\n  default: false\n",
        f"  help: Send it?\n  default: '{{{{ {OLD_QUESTION} | default(false) }}}}'\n",
    )
    assert any(
        f"{OLD_QUESTION} is gone: let the default" in text
        for text in violations(template, improved, NOTHING)
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/trivy.yaml", "trivy.yaml is excluded where"),
        ("*.toml", "pyproject.toml is excluded where"),
        ("{% if kind == 'mcp' %}/Dockerfile{% endif %}", "kind is mcp"),
        ("{% if license == 'BSD-3-Clause' %}/LICENSE{% endif %}", "LICENSE is exc"),
        ("{% if not github_user %}/.python-version{% endif %}", "github_user is  "),
        ("{% if greeting == 'hello' %}/trivy.yaml{% endif %}", "trivy.yaml is exc"),
        ("{% if _copier_operation == 'update' %}/docs{% endif %}", "docs/pipeline.md"),
    ],
)
def test_a_file_that_is_excluded_from_now_on_is_found(
    template: Path, improved: Path, line: str, says: str
) -> None:
    """For all projects, for those with an answer, or by an answer that nobody has given."""
    before = set(violations(template, improved, NOTHING))
    change(
        improved / "copier.yml", "    __pycache__\n", f"    __pycache__\n    {line}\n"
    )
    found = set(violations(template, improved, NOTHING)) - before
    assert any(says in text for text in found), found
    told = Allowed(dict.fromkeys((text.split()[0] for text in found), "…"), {})
    assert set(violations(template, improved, told)) == before


@pytest.mark.parametrize(
    "line",
    [
        "/nothing.txt",
        "{% if kind == 'library' %}/scripts/test_server.py{% endif %}",
        "{% if greeting == 'good bye' %}/trivy.yaml{% endif %}",
        "/src/*/settings.py",
    ],
)
def test_what_takes_nothing_away_may_be_excluded(
    template: Path, improved: Path, line: str
) -> None:
    """What no project has, what a new answer takes on request, and seed code."""
    before = set(violations(template, improved, NOTHING))
    change(
        improved / "copier.yml", "    __pycache__\n", f"    __pycache__\n    {line}\n"
    )
    assert set(violations(template, improved, NOTHING)) == before
