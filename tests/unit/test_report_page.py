"""The report page and its figures, from documents that a replay could have printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

import daemon.report
from daemon.report.figures import figures_of
from daemon.report.page import page_of
from daemon.report.page_numbers import DASH, MINUS
from tests.report_document import document_of, young_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Document = dict[str, Any]

HOSTILE = '</title></script><script>alert(1)</script><img src=x onerror="alert(1)">\' ]]>\x00\ud800'
MISSING = f"{DASH}not enough evidence"
SHARES = {"value", "low", "high"}
NAMES = {"day", "days", "from", "to", "first", "last", "name", "regime", "kind", "nominal"}
"""Of strings that are read, not only shown."""


@pytest.fixture(scope="module")
def document() -> Document:
    return document_of()


@pytest.fixture(scope="module")
def page(document: Document) -> str:
    return page_of(document)


def test_the_same_document_gives_the_same_page_and_figures(document: Document, page: str) -> None:
    assert page_of(document_of()) == page
    assert figures_of(document_of()) == figures_of(document)


@pytest.mark.parametrize("retrains", [80, 1040])
def test_a_page_of_20_years_has_at_most_400_kb_even_when_trained_every_week(retrains: int) -> None:
    assert 100_000 < len(page_of(document_of(retrains=retrains)).encode()) <= 400_000


def test_the_page_and_every_figure_are_well_formed(document: Document, page: str) -> None:
    figures = figures_of(document)

    assert root_of(page).tag == "html"
    assert [root_of(figure).tag for figure in figures.values()] == ["{http://www.w3.org/2000/svg}svg"] * len(
        figures
    )
    assert sorted(figures) == [
        "ablations.svg", "champions.svg", "differences.svg", "drift.svg", "events.svg", "gain.svg",
        "gate-record.svg", "market.svg", "reliability.svg", "skill.svg", "years.svg",
    ]  # fmt: skip


def test_nothing_in_a_page_or_figure_is_loaded_from_elsewhere(document: Document, page: str) -> None:
    for text in (page, *figures_of(document).values()):
        addresses = [
            value
            for element in root_of(text).iter()
            for name, value in element.attrib.items()
            if name.rpartition("}")[2] in {"href", "src", "srcset", "data", "action", "poster"}
        ]
        assert all(address.startswith("#") for address in addresses)
        assert re.findall(r"url\((?!#)|@import", text) == []


def test_links_of_the_page_lead_to_its_sections(page: str) -> None:
    root = root_of(page)
    names = {element.attrib["id"] for element in root.iter() if "id" in element.attrib}
    links = [element.attrib["href"][1:] for element in root.iter("a")]

    assert len(links) == 14
    assert set(links) <= names


@pytest.mark.parametrize("make", [page_of, lambda document: "".join(figures_of(document).values())])
def test_a_hostile_text_stays_a_text(make: Callable[[Document], str]) -> None:
    document = poisoned(document_of(sessions=600, retrains=8))

    text = make(document)
    roots = [root_of(part) for part in re.split("(?=<svg xmlns)|(?=<!DOCTYPE)", text) if part]

    elements = [element for root in roots for element in root.iter()]
    assert [element.tag for element in elements if element.tag == "img"] == []
    assert sum(element.tag == "script" for element in elements) == text.count("<!DOCTYPE")
    assert [name for element in elements for name in element.attrib if name.startswith("on")] == []
    assert "alert(1)" in "".join(roots[0].itertext())


def test_missing_evidence_is_said_and_never_shown_as_zero() -> None:
    root = root_of(page_of(young_document()))
    told = [
        "".join(cell.itertext()) for cell in root.iter("td") if "skill" in cell.attrib.get("data-key", "")
    ]

    assert told == [MISSING] * 6 * 4 * 5


def test_an_empty_section_says_in_a_sentence_why_it_is_empty() -> None:
    root = root_of(page_of(young_document()))
    said = {
        section.findtext("h2"): "".join(missing.itertext())
        for section in root.iter("section")
        for missing in section.findall("p")
        if missing.attrib.get("class") == "missing"
    }

    assert said == {
        "What the record shows": (
            "Nothing can be said yet: 0 predictions matured, which is not enough evidence for a comparison"
            " with the baselines."
        ),
        "Skill by regime": (
            "No prediction has matured on enough days to compare it with the regime prior: not enough"
            " evidence."
        ),
        "Cumulative gain": "No prediction has matured yet, so nothing adds up.",
        "Skill by year": "No year has enough matured days: not enough evidence.",
        "What retraining, gating and weighting earned": (
            "No policies were replayed side by side, so there is no difference to tell."
        ),
        "Was the gate right?": "The gate has not yet decided between two models whose days have matured.",
        "Events one by one": "No rare event lies in these days.",
        "Reliability": "The champion has too few matured predictions: not enough evidence.",
        "Drift": "No monitor warned in these days.",
        "Ablations": "No training run left a part out to measure what it is worth.",
        "Notes": "There is nothing more to say.",
    }


def test_a_day_before_any_model_has_a_page() -> None:
    document = young_document()
    document.update(policies=[], baselines=[], champions=[], verdicts=[], runs=[])
    document["series"] = {name: each[:1] for name, each in document["series"].items()}

    assert "No model has been judged yet" in page_of(document)
    assert [*figures_of(document)] == ["market.svg"]


def test_what_lies_outside_of_the_days_is_drawn_at_their_ends() -> None:
    document = document_of(sessions=600, retrains=8)
    document["verdicts"][0]["day"] = document["champions"][0]["from"] = "2001-01-06"
    document["verdicts"][-1]["day"] = document["drift"][-1]["day"] = "2031-01-04"

    figures = figures_of(document)

    for name in ("champions.svg", "drift.svg"):
        groups = [each for each in root_of(figures[name]).iter() if each.attrib.get("class") == "m"]
        marks = [each for group in groups for each in group if each.attrib.get("class", "").startswith("v ")]
        text = " ".join(each.attrib.get("d", f"M{each.attrib.get('cx')} ") for each in marks)
        places = [float(place) for place in re.findall(r"M([-.\d]+)", text)]
        assert len(places) >= 8
        assert min(places) >= 50
        assert max(places) <= 945


def test_every_figure_says_its_n_its_interval_and_its_baseline(page: str) -> None:
    figures = [*root_of(page).iter("figure")]
    told = [[bold.text for bold in figure.iter("b")] for figure in figures]

    assert len(figures) == 11
    assert told == [["n", "Interval", "Baseline"]] * 11


def test_numbers_of_the_page_are_those_of_the_document(document: Document, page: str) -> None:
    compared = 0
    for line in [*root_of(page).iter("tr"), *root_of(page).iter("p")]:
        for cell in line:
            for shown, value in numbers_of(line, cell, document):
                assert abs(shown - value) <= 0.5000001 * 10 ** -places_of("".join(cell.itertext())), (
                    cell.attrib
                )
                compared += 1
    assert compared > 500


def test_each_drawing_has_a_name_and_no_id_is_there_twice(page: str) -> None:
    root = root_of(page)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    drawings = [*root.iter("svg")]

    assert len(ids) == len(set(ids))
    assert len(drawings) == 22
    for drawing in drawings:
        texts = {element.attrib["id"]: element.text for element in drawing if "id" in element.attrib}
        assert texts[drawing.attrib["aria-labelledby"]]
        assert texts[drawing.attrib["aria-describedby"]]


def test_every_table_has_a_caption_and_headers_in_both_directions(page: str) -> None:
    tables = [*root_of(page).iter("table")]

    assert len(tables) == 22
    for table in tables:
        assert table.findtext("caption")
        assert {each.attrib["scope"] for each in table.iter("th")} == {"col", "row"}
        widths = {len(row) for row in table.iter("tr")}
        assert len(widths) == 1


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    root = root_of(page)
    levels = [int(element.tag[1]) for element in root.iter() if re.fullmatch("h[1-6]", element.tag)]

    assert root.attrib["lang"] == "en"
    assert levels == [1] + [2] * 15


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_texts_and_marks_stand_out_from_what_is_behind_them(palette: str) -> None:
    colours = palettes()[palette]

    for text in ("ink", "soft", "link", "c0", "c1", "c2", "c3", "c4"):
        assert contrast(colours[text], colours["paper"]) >= 4.5, text
    assert contrast(colours["ink"], colours["span"]) >= 4.5
    assert contrast(colours["ink"], colours["line"]) >= 4.5
    for mark in ("crash", "recovery", "axis", "good", "bad"):
        assert contrast(colours[mark], colours["paper"]) >= 3, mark


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_crash_and_high_volatility_differ_by_more_than_hue(palette: str, page: str) -> None:
    colours = palettes()[palette]

    assert contrast(colours["crash"], colours["high"]) >= 1.5
    assert len(re.findall(r'style="fill:url\(#hatch-(?:wide|narrow)\)"', page)) == 4


def root_of(text: str) -> ET.Element:
    return ET.fromstring(text.removeprefix("<!DOCTYPE html>\n"))  # noqa: S314 - our own text


def poisoned(value: Any, key: str = "") -> Any:
    """Put a hostile text behind every string that is only shown."""
    if isinstance(value, dict):
        return {name: poisoned(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, key) for each in value]
    return value + HOSTILE if isinstance(value, str) and key not in NAMES else value


def numbers_of(line: ET.Element, cell: ET.Element, document: Document) -> Iterator[tuple[float, float]]:
    """Give what a cell shows and what the document says, in the unit that is shown."""
    text = "".join(cell.itertext()).replace(MINUS, "-")
    names = cell.attrib.get("data-key", "").split()
    prefix = f"{line.attrib['data-path']}." if "data-path" in line.attrib else ""
    line_text = "".join(line.itertext())
    values = [value_at(document, f"{prefix}{name}") for name in names]
    if None in values:
        assert text == MISSING
        return
    shown = re.findall(r"-?[0-9]+(?:\.[0-9]+)?", text if len(names) > 1 else text.replace(",", ""))
    for name, each, value in zip(names, shown if names else [], values, strict=True):
        is_finding = prefix.startswith("headline") and "nats" not in line_text and name in SHARES
        is_share = is_finding or name.startswith(("skill", "accuracy"))
        yield float(each), (100 if is_share else 1) * value


def value_at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(document, list):
            known = ("name", "id", "year")
            document = next(each for each in document if step in {str(each.get(name)) for name in known})
        else:
            document = document[step]
    return document


def places_of(text: str) -> int:
    return len(found[1]) if (found := re.search(r"\.([0-9]+)", text)) else 0


def palettes() -> dict[str, dict[str, str]]:
    text = (Path(daemon.report.__file__).parent / "colours.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root\{([^}]*)\}", text)
    return {
        name: dict(re.findall(r"--([a-z0-9]+):(#[0-9a-f]+)", block))
        for name, block in zip(("light", "dark", "print"), blocks, strict=True)
    }


def contrast(one: str, other: str) -> float:
    """Give the ratio of two colours (WCAG 2.2, relative luminance)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
