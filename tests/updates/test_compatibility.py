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
