"""The page about a test run and the manual, looked at in a real browser: Chromium, driven by Playwright."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine import step_coverage
from harness import ROOT, Renderer, missing, npm_packages, run, which
from markdown_it import MarkdownIt
from markdown_it.rules_block.table import escapedSplit
from mdit_py_plugins.anchors import anchors_plugin
from playwright.sync_api import Browser, Page, sync_playwright
from run_report import page as report
from run_report import plugin, records, sample
from run_report.records import Run
from test_documents import PACKAGES as MERMAID
from test_documents import documents

# One process has the browser.
pytestmark = pytest.mark.xdist_group("browser")

BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
# The rules that pages are held to, ready-made.
AXE = "axe-core@4.14.1"
PHONE, DESK = 390, 1200


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser that fetches nothing but files of this machine."""
    found = next(filter(None, map(which, BROWSERS)), None) or missing(BROWSERS[0])
    # Its own sandbox refuses to work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=options)
        yield chromium
        chromium.close()


class Look:
    """Opens files in a browser, and keeps what it says about them."""

    def __init__(self, browser: Browser) -> None:
        """Begin with nothing said.

        Args:
            browser: Where files are opened.
        """
        self._browser = browser
        self._pages: dict[tuple[int, bool, bool], Page] = {}
        self.said: list[str] = []

    def __call__(
        self,
        file: Path,
        *,
        width: int = DESK,
        dark: bool = False,
        scripts: bool = True,
    ) -> Page:
        """Open a file, in the place of what was open in such a window.

        Args:
            file: The file.
            width: How many pixels the window is wide.
            dark: Whether the reader likes it dark.
            scripts: Whether scripts may run.
        """
        key = (width, dark, scripts)
        if key not in self._pages:
            self._pages[key] = self._window(*key)
        self._pages[key].goto(file.as_uri())
        return self._pages[key]

    def _window(self, width: int, dark: bool, scripts: bool) -> Page:
        """Open a window."""
        page = self._browser.new_page(
            viewport={"width": width, "height": 844},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
        )
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("requestfailed", lambda asked: self.said.append(f"failed: {asked.url}"))
        return page


@pytest.fixture(scope="module")
def windows(browser: Browser) -> Look:
    """Give what opens files, with its windows: to open one takes longer than to open a file."""
    return Look(browser)


@pytest.fixture
def look(windows: Look) -> Look:
    """Give what opens files, nothing said yet."""
    windows.said.clear()
    return windows


def open_all(page: Page) -> None:
    """Open all that can be opened, as a reader does: by clicking."""
    closed = page.locator("details:not([open]) > summary")
    for _ in range(closed.count()):
        closed.first.click()
    assert closed.count() == 0


# ---- What is looked for ----------------------------------------------------------------------------------------------


def too_wide(page: Page) -> bool:
    """Tell whether the page has to be moved sideways to be read."""
    return bool(
        page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    )


def dead_anchors(page: Page) -> list[str]:
    """Click each link to a place on the page; gives those that lead to none that can be seen."""
    dead = []
    for link in page.locator('a[href^="#"]').all():
        target = str(link.get_attribute("href"))
        link.click()
        seen = """name => {
          const place = document.getElementById(name)?.getBoundingClientRect();
          return !!place && place.height > 0 && place.top < window.innerHeight && place.bottom > 0;
        }"""
        if not page.evaluate(seen, target.removeprefix("#")):
            dead.append(target)
    return dead


def broken_rules(page: Page) -> list[str]:
    """Give the rules for readable pages that axe finds broken: contrast, headings, tables, names, languages."""
    page.add_script_tag(path=npm_packages(AXE) / "node_modules/axe-core/axe.min.js")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['html'][:80]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def faint(page: Page) -> list[str]:
    """Give the pairs of colours of drawings, which axe does not look at, with too little contrast for texts."""
    pairs = [
        ("ink", ground) for ground in ("paper", "ok-fill", "bad-fill", "idle-fill")
    ]
    names = sorted({name for pair in pairs for name in pair})
    read = """names => {
      const style = getComputedStyle(document.documentElement);
      return Object.fromEntries(names.map(name => [name, style.getPropertyValue(`--${name}`).trim()]));
    }"""
    colours: dict[str, str] = page.evaluate(read, names)
    return [f"{a} on {b}" for a, b in pairs if contrast(colours[a], colours[b]) < 4.5]


def contrast(one: str, other: str) -> float:
    """Give the contrast of two colours like #1a2b3c, as WCAG 2 reckons it."""
    lights = sorted((luminance(one), luminance(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def luminance(colour: str) -> float:
    """Give the relative luminance of a colour."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ---- The page about a run --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the page about a made-up run."""
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(report.render(sample.run(failing=True)), "utf-8")
    return file


@pytest.mark.parametrize(
    ("width", "dark"), [(PHONE, True), (DESK, False)], ids=["phone, dark", "desk"]
)
def test_the_page_can_be_read(
    look: Look, sampled: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    page = look(sampled, width=width, dark=dark)
    assert dead_anchors(page) == []
    open_all(page)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    assert not too_wide(page)
    assert broken_rules(page) == []
    assert faint(page) == []
    assert look.said == []


def test_the_page_shows_its_pictures(look: Look, sampled: Path) -> None:
    page = look(sampled)
    page.evaluate(
        "document.querySelectorAll('details').forEach(one => one.open = true)"
    )
    # Graphs of the pull request's eight workflows and of the tag, two timelines, minutes and updates.
    boxes = [picture.bounding_box() for picture in page.locator("figure svg").all()]
    assert len(boxes) == 13
    assert all(box and box["width"] > 100 and box["height"] > 50 for box in boxes)
    graph = page.locator("#events figure", has_text="tests.yml, a pull request")
    assert graph.locator("text=3.12 ✗").count() == 1
    fills = {shape.get_attribute("fill") for shape in graph.locator("polygon").all()}
    assert {"var(--ok-fill)", "var(--bad-fill)"} <= fills


def test_tables_are_there_without_scripts(look: Look, sampled: Path) -> None:
    page = look(sampled, scripts=False)
    open_all(page)
    tables = page.locator("table").all()
    assert len(tables) > 20
    assert all(table.is_visible() for table in tables)


CLOSING = "</main>"


@pytest.mark.parametrize(
    ("planted", "noticed"),
    [
        ("<div style='width: 600px'>wide</div>", lambda page, _: too_wide(page)),
        ("<a href='#gone'>dead</a>", lambda page, _: dead_anchors(page)),
        ("<a href='#x'>hidden</a><p id='x' hidden></p>", lambda page, _: dead_anchors(page)),
        ("<p style='color: var(--line)'>faint</p>", lambda page, _: broken_rules(page)),
        ("<h5>deep</h5>", lambda page, _: broken_rules(page)),
        ("<style>:root { --ok-fill: #444444 }</style>", lambda page, _: faint(page)),
        ("<script>nothing.at.all</script>", lambda page, said: said),
        ("<img alt='gone' src='gone.png'>", lambda page, said: said),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_page_is_noticed(
    look: Look, tmp_path: Path, planted: str, noticed: Callable[[Page, list[str]], Any]
) -> None:
    style = (ROOT / "tests/run_report/page.css").read_text("utf-8")
    head = f"<!doctype html><html lang=en><title>Tiny</title><style>{style}</style>"
    text = f"{head}<main><h1>Tiny</h1>{CLOSING}"
    (tmp_path / "good.html").write_text(text, "utf-8")
    good = look(tmp_path / "good.html", width=PHONE)
    assert not noticed(good, look.said)
    (tmp_path / "bad.html").write_text(
        text.replace(CLOSING, planted + CLOSING), "utf-8"
    )
    bad = look(tmp_path / "bad.html", width=PHONE)
    assert noticed(bad, look.said)


def test_a_real_run_writes_its_page(look: Look, tmp_path: Path) -> None:
    """One scenario, run as people do: the page shows it, and that it is one of many."""
    if sys.platform != "linux":
        pytest.skip("workflows are run on Linux alone")
    # The shortest.
    name = "ossf-scorecard.yml: push to a fork"
    test = f"tests/pipeline/test_green.py::test_scenario[{name}]"
    file = tmp_path / "page.html"
    command = [sys.executable, "-m", "pytest", "-q", test, f"--report={file}"]
    with pytest.MonkeyPatch.context() as patch:
        # A run of its own, and no part of this one.
        for variable in os.environ:
            if variable.startswith(("PYTEST_", step_coverage.VARIABLE)):
                patch.delenv(variable)
        printed = run([*command, f"--basetemp={tmp_path / 'run'}"], cwd=ROOT).stdout
    assert f"The page about this run: {file}" in printed
    (record,) = Run.load(tmp_path / plugin.DATA).records
    assert (record["event"], record["scenario"]) == ("push refs/heads/main", name)
    assert all(bar.end > bar.begin for bar in records.bars(record))
    page = look(file, width=PHONE)
    assert "Partial run." in page.locator(".verdict").inner_text()
    open_all(page)
    assert not too_wide(page)
    card = page.locator(".card", has_text="push to a fork")
    assert card.locator("svg").count() == 1
    assert "passed" in card.inner_text()
    assert look.said == []


# ---- The manual ------------------------------------------------------------------------------------------------------

MARKDOWN = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=6)
STYLE = """
body { font: 16px/1.5 sans-serif; margin: 2rem auto; max-width: 55rem; padding: 0 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; } td, th { border: 1px solid #aaa; padding: 4px 10px; }
img { max-width: 100%; } pre { background: #f3f5f7; overflow-x: auto; padding: 1rem; } pre.mermaid { background: none; }
"""
DRAW = """async () => {
  mermaid.initialize({startOnLoad: false});
  const failed = [];
  for (const [number, block] of document.querySelectorAll("code.language-mermaid").entries()) {
    const figure = block.parentElement;
    try {
      figure.innerHTML = (await mermaid.render(`diagram-${number}`, block.textContent)).svg;
      figure.className = "mermaid";
    } catch (error) { failed.push(String(error)); }
  }
  return failed;
}"""


def turn(root: Path, folder: Path) -> list[Path]:
    """Turn a project's documents into pages; gives those."""
    pages = []
    for document in documents(root):
        body = MARKDOWN.render(document.read_text("utf-8"))
        body = re.sub(r'(href="(?!\w+:)[^"#]*)\.md(?=[#"])', r"\1.html", body)
        place = (folder / document.relative_to(root)).with_suffix(".html")
        place.parent.mkdir(parents=True, exist_ok=True)
        head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{document.name}</title>"
        place.write_text(
            f"{head}<link rel=icon href='data:,'><style>{STYLE}</style>{body}", "utf-8"
        )
        pages.append(place)
    for picture in root.glob("docs/*.webp"):
        shutil.copy(picture, folder / "docs")
    return pages


def uneven_rows(text: str) -> list[str]:
    """Give the rows of a document's tables that have not as many cells as their head."""
    lines = text.splitlines()
    uneven = []
    for token in MARKDOWN.parse(text):
        if token.type == "table_open" and token.map:
            rows = lines[slice(*token.map)]
            counts = [len(escapedSplit(row.strip().strip("|"))) for row in rows]
            uneven += [
                row for row, n in zip(rows, counts, strict=True) if n != counts[0]
            ]
    return uneven


def undrawn(page: Page) -> list[str]:
    """Draw a page's diagrams by Mermaid, as GitHub does; gives what cannot be drawn, and why."""
    if not page.locator("code.language-mermaid").count():
        return []
    page.add_script_tag(
        path=npm_packages(*MERMAID) / "node_modules/mermaid/dist/mermaid.min.js"
    )
    failed: list[str] = page.evaluate(DRAW)
    return failed + [
        str(box)
        for d in page.locator(".mermaid svg").all()
        if not (box := d.bounding_box()) or box["height"] < 50
    ]


def loose_tables(page: Page) -> list[str]:
    """Give the paragraphs that were to be tables."""
    return [
        text
        for text in page.locator("p").all_inner_texts()
        if re.search(r"^\s*\||\| ---", text, re.M)
    ]


def leads_nowhere(link: str, ids: dict[str, set[str]]) -> bool:
    """Tell whether a link names a place that its page does not have.

    Args:
        link: The link.
        ids: The places on each page, by its address; what other pages have is not known.
    """
    address, _, anchor = link.partition("#")
    return bool(anchor) and address in ids and anchor not in ids[address]


def faults(look: Look, pages: list[Path], shots: Path) -> list[str]:
    """Look at pages that belong together; gives what is wrong with them.

    Args:
        look: What opens them.
        pages: The pages.
        shots: The folder for pictures of those that people read first.
    """
    found = []
    ids: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    for file in pages:
        page = look(file)
        wrong = (*undrawn(page), *loose_tables(page))
        found += [f"{file.name}: {what}" for what in wrong]
        ids[page.url] = set(
            page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
        )
        hrefs = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
        links += [(file.name, href) for href in hrefs]
        if file.stem in ("README", "pipeline"):
            name = f"{file.parent.name} {file.stem}.png"
            page.screenshot(path=shots / name, full_page=True)
    found += [f"{name}: {link}" for name, link in links if leads_nowhere(link, ids)]
    return found + look.said


PROJECTS: dict[str, dict[str, Any]] = {
    "service": {"kind": "service", "codecov": True},
    "library": {"kind": "library", "pypi": False, "template_updates": False},
    "mcp": {"kind": "mcp", "pull_request_matrix": "lean"},
}


@pytest.mark.parametrize("name", [*PROJECTS, "this repository"])
def test_documents_are_whole_in_a_browser(
    look: Look, render: Renderer, tmp_path: Path, name: str
) -> None:
    root = render(**PROJECTS[name]).path if name in PROJECTS else ROOT
    for document in documents(root):
        assert uneven_rows(document.read_text("utf-8")) == [], document
    pages = turn(root, tmp_path / "pages")
    assert len(pages) > 5
    assert faults(look, pages, tmp_path) == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("```mermaid\nflowchart LR\n  a --> --> b\n```", "arse error"),
        ("| a | b |\n| --- |\n| 1 | 2 |", "| a | b |"),
        ("[x](#no)", "#no"),
        ("[x](b.md#no)", "b.html#no"),
        ("![x](gone.png)", "gone.png"),
    ],
)
def test_what_is_wrong_with_a_document_is_noticed(
    look: Look, tmp_path: Path, text: str, says: str
) -> None:
    good = "# A\n\n[x](#a) [x](b.md#b-c) [x](https://example.org/#y)\n\n| a | b |\n| - | - |\n| 1 | 2 |\n\n"
    for name, content in (("good", good), ("bad", good + text)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(content, "utf-8")
        (tmp_path / name / "b.md").write_text("# B, `c`\n", "utf-8")
    assert faults(look, turn(tmp_path / "good", tmp_path / "g"), tmp_path) == []
    found = faults(look, turn(tmp_path / "bad", tmp_path / "b"), tmp_path)
    assert says in found[0]


def test_an_uneven_row_is_noticed() -> None:
    good = "| a | b |\n| - | - |\n| `x \\| y` | 2 |\n"
    assert uneven_rows(good) == []
    assert uneven_rows(good + "| 1 |\n| 1 | 2 | 3 |\n| 1 | |\n") == [
        "| 1 |",
        "| 1 | 2 | 3 |",
    ]
