"""The report in a real Chromium; `.ci/system-packages` installs what this needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import pytest

from daemon.report.page import page_of
from tests.report_document import document_of, young_document

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = Path(__file__).with_name("report_probe.js").read_text(encoding="utf-8")
POLICY = re.compile('<meta http-equiv="Content-Security-Policy"[^>]*>')
LIGHT, DARK = "rgb(253, 252, 249)", "rgb(23, 24, 22)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; run .ci/system-packages"),
]


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(document_of())


def test_the_page_says_nothing_on_the_console_and_names_its_marks(page: str, tmp_path: Path) -> None:
    shown, console = open_page(page, tmp_path)

    assert console == []
    assert shown.count('role="img"') > 500


def test_the_console_is_heard_and_the_policy_stops_what_would_be_loaded(page: str, tmp_path: Path) -> None:
    loading = page.replace("</main>", '<img src="https://example.org/x.png" alt="x"/></main>')

    _, console = open_page(loading, tmp_path)

    assert ["Content Security Policy" in line for line in console] == [True]


@pytest.mark.parametrize(("scheme", "paper"), [("1", LIGHT), ("0", DARK)])
def test_the_page_is_readable_and_answers_pointer_and_keys(
    scheme: str, paper: str, page: str, tmp_path: Path
) -> None:
    found = probed(page, tmp_path, f"--blink-settings=preferredColorScheme={scheme}")

    assert found["paper"] == paper
    assert (found["requests"], found["overflow"], found["faint"]) == ([], 0, [])
    assert found["texts"] > 2000
    assert (found["svgs"], found["unnamed"]) == (11, 0)
    assert found["marks"] > 300
    assert set(found["stops"]) == {1}
    assert found["focused"] == 1
    assert found["afterwards"] is None
    last = document_of()["verdicts"][-1]
    assert found["pointed"].startswith(f"{last['day']}: {last['version']}")
    assert found["pointed"].endswith(last["reason"])


def test_the_day_under_the_pointer_is_told_with_its_close_and_its_regime(page: str, tmp_path: Path) -> None:
    series = document_of()["series"]
    found = probed(page, tmp_path)

    assert len(found["readings"]) == 4
    for reading in found["readings"]:
        day, close, fear, regime = reading.split(" · ")
        at = series["day"].index(day)
        assert float(close.removeprefix("close ").replace(",", "")) == pytest.approx(
            series["close"][at], rel=1e-3, abs=0.6
        )
        assert fear.startswith("fear ")
        assert regime == series["regime"][at].replace("_", " ")


@pytest.mark.parametrize("document", [document_of(), young_document()], ids=["long", "young"])
def test_a_phone_of_360_pixels_shows_the_page_without_scrolling_sideways(
    document: dict[str, Any], tmp_path: Path
) -> None:
    inner = with_probe(page_of(document))
    outer = (
        f'<!DOCTYPE html><iframe style="width:360px;height:740px;border:0" srcdoc="{escape(inner)}"></iframe>'
        "<script>const frame = document.querySelector('iframe'); frame.addEventListener('load', () =>"
        " document.body.append(frame.contentDocument.getElementById('probe')))</script>"
    )

    found = found_in(open_page(outer, tmp_path)[0])

    assert found["overflow"] == 0
    assert found["svgs"] >= 2
    assert found["unnamed"] == 0
    assert found["smallest"] >= 9


def test_on_paper_what_is_folded_on_the_screen_is_unfolded(page: str, tmp_path: Path) -> None:
    without = re.sub("<details>.*?</details>", "", page, flags=re.DOTALL)

    figures = pages_of(without, tmp_path)

    assert figures >= 3
    assert pages_of(page, tmp_path) >= figures + 5


def pages_of(text: str, folder: Path) -> int:
    paper = folder / "page.pdf"
    open_page(text, folder, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    return len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes()))


def open_page(text: str, folder: Path, *options: str) -> tuple[str, list[str]]:
    """Give the document as Chromium has it in the end, and what was said on the console."""
    path = folder / "page.html"
    path.write_text(text, encoding="utf-8")
    ended = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-component-update", "--no-first-run", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={folder / 'profile'}", "--window-size=1100,900", "--virtual-time-budget=3000",
            "--dump-dom", *options, path.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return ended.stdout, [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


def with_probe(page: str) -> str:
    """Let a page look at itself; its own policy would not allow that."""
    return POLICY.sub("", page).replace("</body>", f"<script>{PROBE}</script></body>")


def probed(page: str, folder: Path, *options: str) -> dict[str, Any]:
    return found_in(open_page(with_probe(page), folder, *options)[0])


def found_in(shown: str) -> dict[str, Any]:
    written = re.search(r'<pre id="probe">(.*?)</pre>', shown, re.DOTALL)
    assert written is not None
    found: dict[str, Any] = json.loads(unescape(written[1]))
    return found
