"""One page as data has two forms that say the same, and no text in it can act."""

from __future__ import annotations

from html.parser import HTMLParser

from daemon.page import Code, Page, Points, Section, Table, html_of, markdown_of

EVIL = "<script>alert(1)</script>&|`*[x](y)"
PAGE = Page(
    title="Model card: v1",
    summary=EVIL,
    sections=(
        Section(
            title="Evidence",
            blocks=(
                "Out of sample.",
                Table(header=("regime", "skill"), rows=(("crash", "+1.5"), ("normal", "-"))),
                Points(items=("one", EVIL)),
                Code(text="regimed models verify\nregimed status"),
            ),
        ),
    ),
)


class Reader(HTMLParser):
    """Keeps tags, cells and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(page: Page) -> Reader:
    reader = Reader()
    reader.feed(html_of(page))
    reader.close()
    return reader


def test_a_text_with_tags_is_shown_as_text_in_html() -> None:
    reader = read(PAGE)
    assert "script" not in reader.tags
    assert reader.texts.count(EVIL) == 2


def test_html_names_nothing_that_a_browser_would_fetch_or_run() -> None:
    reader = read(PAGE)
    assert not {"src", "href", "onload", "onclick", "style"} & set(reader.attributes)
    assert not {"script", "link", "img", "iframe", "object", "a"} & set(reader.tags)
    assert "default-src &#x27;none&#x27;" in html_of(PAGE)


def test_html_prints_and_knows_the_dark() -> None:
    text = html_of(PAGE)
    assert "@media print" in text
    assert "prefers-color-scheme:dark" in text


def test_a_column_of_numbers_stands_to_the_right_and_one_of_words_does_not() -> None:
    text = html_of(PAGE)
    assert '<tr><td>crash</td><td class="n">+1.5</td></tr>' in text
    assert '<tr><td>normal</td><td class="n">-</td></tr>' in text


def test_markdown_is_the_same_page() -> None:
    assert markdown_of(PAGE) == (
        "# Model card: v1\n\n"
        r"\<script\>alert(1)\</script\>\&\|\`\*\[x\](y)"
        "\n\n## Evidence\n\nOut of sample.\n\n"
        "| regime | skill |\n| --- | --- |\n| crash | +1.5 |\n| normal | - |\n\n"
        "- one\n"
        r"- \<script\>alert(1)\</script\>\&\|\`\*\[x\](y)"
        "\n\n    regimed models verify\n    regimed status\n"
    )
