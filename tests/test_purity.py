"""A render follows from the template and the answers alone: an update renders the old version again and must get the same."""

import os
import sys
import tempfile
from ast import literal_eval
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import PROJECT_NAME, missing, run, tool
from histories import make_template
from test_render import PAIRS

linux = pytest.mark.skipif(
    sys.platform != "linux", reason="sets clock, locale and user as Linux does"
)
# One process renders for all of them.
pytestmark = pytest.mark.xdist_group("purity")

# ---- Surroundings ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surroundings:
    """What may differ where and when a project is rendered.

    Attributes:
        clock: The time when it begins, in its time zone.
        zone: The time zone.
        locale: Its name.
        charset: The locale's encoding; a locale that comes with every system has none here.
        umask: What new files may not grant.
        folder: Where the project is put, in a folder of the test's.
        variables: Others that programs ask.
        user: The number of the user; only root can become another.
    """

    clock: str
    zone: str
    locale: str
    charset: str
    umask: int
    folder: str
    variables: Mapping[str, str] = field(default_factory=dict)
    user: int = 0

    @property
    def locale_name(self) -> str:
        """The locale's whole name."""
        return f"{self.locale}.{self.charset}" if self.charset else self.locale


def somebody(name: str) -> dict[str, str]:
    """Give the variables that tell programs who somebody is."""
    git = {
        f"GIT_{role}_{what}": f"{name}@example.org" if what == "EMAIL" else name
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    who = {"USER": name, "LOGNAME": name, "USERNAME": name, "HOME": f"/home/{name}"}
    return {**git, **who}


SURROUNDINGS = {
    "long ago, in plain ASCII": Surroundings(
        clock="2001-02-03 23:59:58",
        zone="Pacific/Kiritimati",
        locale="C",
        charset="",
        umask=0o077,
        folder="/".join(["deep"] * 20),
        variables={**somebody("ada"), "PYTHONHASHSEED": "1"},
    ),
    "in Turkish, as a stranger": Surroundings(
        clock="2026-11-26 12:00:00",
        zone="Europe/Istanbul",
        locale="tr_TR",
        charset="UTF-8",
        umask=0o000,
        folder="with space/Ünï 馬 'quoted' #1/project",
        variables={**somebody("ayşe"), "PYTHONHASHSEED": "2"},
        user=65534,
    ),
    "far ahead, in German without Unicode": Surroundings(
        clock="2037-12-31 23:59:58",
        zone="Etc/GMT+12",
        locale="de_DE",
        charset="ISO-8859-1",
        umask=0o027,
        folder="p",
        variables={**somebody("Grete"), "PYTHONHASHSEED": "3", "PYTHONUTF8": "0"},
    ),
}


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """Give a folder that every user may read; those of pytest are its own user's."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def start(public: Path) -> Callable[..., str]:
    """Give what starts Python in some surroundings; it gives what that prints."""
    locales = public / "locales"
    locales.mkdir()
    settings = public / "gitconfig"
    # Git refuses a template's repository that another user owns.
    settings.write_text(
        "[user]\n\tname = Other\n\temail = other@example.org\n[safe]\n\tdirectory = *\n",
        "utf-8",
    )

    def start_python(chosen: Surroundings, *arguments: str) -> str:
        if chosen.charset and not (locales / chosen.locale_name).exists():
            make_locale(chosen, locales)
        command = [tool("faketime"), "--exclude-monotonic", "-f", f"@{chosen.clock}"]
        if chosen.user and os.geteuid() == 0:
            command = [*become(chosen.user), *command]
        # A shell, since it can set a umask and then be the command.
        umask = ["sh", "-c", f'umask {chosen.umask:03o} && exec "$@"', "sh"]
        environment = {
            **chosen.variables,
            "TZ": chosen.zone,
            "LC_ALL": chosen.locale_name,
            "LANG": chosen.locale_name,
            "LOCPATH": str(locales),
            "GIT_CONFIG_GLOBAL": str(settings),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        line = [*umask, *command, sys.executable, *arguments]
        return run(line, env=environment).stdout

    return start_python


def make_locale(chosen: Surroundings, folder: Path) -> None:
    """Compile a locale for this test alone, from what the system has of it."""
    done = run(
        [
            *(tool("localedef"), "--no-archive", "-i", chosen.locale),
            *("-f", chosen.charset, str(folder / chosen.locale_name)),
        ],
        check=False,
    )
    if done.returncode:
        missing("localedef")


def become(user: int) -> list[str]:
    """Give the command's beginning that makes it another user's, who may read what tests have made."""
    capability = "+dac_read_search"
    return [
        *(tool("setpriv"), f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *(f"--inh-caps={capability}", f"--ambient-caps={capability}"),
    ]


ASK = """\
import locale, os, sys, time
locale.setlocale(locale.LC_ALL, "")
facts = time.strftime("%Y %A"), time.tzname[0], locale.getlocale()[0], locale.getpreferredencoding()
print(ascii((*facts, os.umask(0), os.geteuid(), os.environ["USER"], os.environ["HOME"], hash("a"))))
"""


@linux
def test_the_surroundings_are_not_the_same(start: Callable[..., str]) -> None:
    """Each differs from the others in all that a program can ask."""
    asked = [literal_eval(start(s, "-c", ASK)) for s in SURROUNDINGS.values()]
    assert [facts[0] for facts in asked] == [
        "2001 Saturday",
        "2026 Per\u015fembe",
        "2037 Donnerstag",
    ]
    assert [facts[2] for facts in asked] == [None, "tr_TR", "de_DE"]
    assert asked[2][3] == "ISO-8859-1"
    for number in (1, 4, 6, 7, 8):
        assert len({facts[number] for facts in asked}) == len(asked), number
    if os.geteuid() == 0:
        assert asked[1][5] == 65534


# ---- Comparing -------------------------------------------------------------------------------------------------------


def state(folder: Path) -> dict[str, Any]:
    """Give what stands in a folder: bytes and whether they can be started, where links lead, and folders."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_file():
            found[name] = path.read_bytes(), bool(path.stat().st_mode & 0o111)
        else:
            found[name] = "a folder"
    return found


def differing(folders: list[Path]) -> set[str]:
    """Give the names under which not all folders hold the same."""
    states = [state(folder) for folder in folders]
    return {
        name
        for name in set().union(*states)
        if any(each.get(name) != states[0].get(name) for each in states)
    }


@pytest.mark.quick
@linux
def test_every_difference_is_noticed(tmp_path: Path) -> None:
    """In bytes, in what can be started, in links, and in what is there."""
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        (folder / "sub").mkdir(parents=True)
        for name in ("same", "bytes", "mode", "link-or-file"):
            (folder / "sub" / name).write_text("text", "utf-8")
        (folder / "link").symlink_to("sub/same")
    assert differing(folders) == set()
    (tmp_path / "b/sub/bytes").write_text("text\n", "utf-8")
    (tmp_path / "b/sub/mode").chmod(0o755)
    (tmp_path / "b/sub/link-or-file").unlink()
    (tmp_path / "b/sub/link-or-file").symlink_to("same")
    (tmp_path / "b/link").unlink()
    (tmp_path / "b/link").symlink_to("sub/bytes")
    (tmp_path / "b/empty").mkdir()
    (tmp_path / "a/more").touch()
    names = {"sub/bytes", "sub/mode", "sub/link-or-file", "link", "empty", "more"}
    assert differing(folders) == names


def renders(
    start: Callable[..., str], source: Path, answers: Mapping[str, Any], folder: Path
) -> list[Path]:
    """Render a template's first version in all surroundings; gives the projects' folders."""
    folder.mkdir()
    data = folder / "answers.yml"
    data.write_text(yaml.safe_dump(dict(answers)), "utf-8")
    places = []
    for number, chosen in enumerate(SURROUNDINGS.values()):
        place = folder / str(number) / chosen.folder
        place.mkdir(parents=True)
        # Whoever renders may write there.
        for each in (place, folder / str(number)):
            each.chmod(0o777)
        start(
            chosen,
            *("-m", "copier", "copy", "--quiet", "--defaults", "--vcs-ref=v1.0.0"),
            *(f"--data-file={data}", str(source), str(place)),
        )
        places.append(place)
    return places


# ---- The template ----------------------------------------------------------------------------------------------------

EVERY_KIND = {answers["kind"]: answers for answers in reversed(PAIRS)}
ANSWERS: dict[str, dict[str, Any]] = {
    "defaults": {"project_name": PROJECT_NAME},
    **EVERY_KIND,
    "words": {
        "project_name": "İğdir & Straße #1",
        "project_description": "Ünï: größer, 馬, 'quoted' \"twice\".",
        "user_name": "İpek O'Neill",
        "github_user": "acme",
        "codecov": True,
    },
}


@pytest.fixture(scope="module")
def source(template: Path, public: Path) -> Path:
    """Give the template's repository with one version."""
    return make_template(public / "template", {"v1.0.0": template})


@linux
@pytest.mark.parametrize("name", ANSWERS)
def test_other_surroundings_give_the_same_project(
    start: Callable[..., str], source: Path, tmp_path: Path, name: str
) -> None:
    """Clock, time zone, locale, user, umask, folder and hash seed do not reach a project."""
    places = renders(start, source, ANSWERS[name], tmp_path / "renders")
    assert "_commit: v1.0.0" in (places[0] / ".copier-answers.yml").read_text("utf-8")
    assert differing(places) == set()


# What a template must not ask, by what it lets into a project.
IMPURE = {
    "clock": "{{ '%Y' | strftime }}",
    "zone": "{{ '%H' | strftime(0) }}",
    "user": "{{ '$USER' | expandvars }}",
    "home": "{{ '~' | expanduser }}",
    "folder": "{{ _copier_conf.dst_path }}",
    "chance": "{{ range(10 ** 5) | random }}",
    "seed": "{{ '!!set {a, b, c, d, e, f, g, h}' | from_yaml | join }}",
}


@linux
def test_a_template_that_asks_its_surroundings_is_noticed(
    start: Callable[..., str], public: Path, tmp_path: Path
) -> None:
    """Each way for them to reach a project differs in at least one of the renders."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for name, text in {**IMPURE, "pure": "{{ 'text' | upper }}"}.items():
        (broken / f"{name}.jinja").write_text(text, "utf-8")
    made = make_template(public / "broken", {"v1.0.0": broken})
    assert differing(renders(start, made, {}, tmp_path / "renders")) == set(IMPURE)
