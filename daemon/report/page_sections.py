"""The sections of the page, each with its figure, its table, or the sentence that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.report.figures import (
    ablations_figure,
    differences_figure,
    events_figure,
    skill_figure,
)
from daemon.report.figures_frame import Basis, basis_html, figure_html
from daemon.report.figures_gain import gain_figure, years_figure
from daemon.report.figures_gate import champions_figure, drift_figure, record_figure
from daemon.report.figures_market import market_figure
from daemon.report.figures_reliability import reliability_figure
from daemon.report.page_markup import Markup, joined, tag
from daemon.report.page_numbers import BOOTSTRAP, by_name, count, newest, plural
from daemon.report.page_parts import Line, bullets, folded, missing, section, table
from daemon.report.page_tables import (
    ablations_table,
    champions_table,
    differences_table,
    drift_table,
    events_table,
    headline_table,
    looks_table,
    record_table,
    reliability_table,
    runs_table,
    scores_table,
    verdicts_table,
    years_table,
)

if TYPE_CHECKING:
    from daemon.report.figures_frame import Figure
    from daemon.report.page_numbers import Document


HINDSIGHT: Final = " (in hindsight)"


def sections_of(document: Document) -> list[Markup]:
    """Give all sections in reading order."""
    return [
        _findings(document),
        _market(document),
        _champions(document),
        _skill(document),
        _gain(document),
        _years(document),
        _differences(document),
        _record(document),
        _events(document),
        _reliability(document),
        _drift(document),
        _ablations(document),
        _ledger(document),
        _fingerprint(document),
        _notes(document),
    ]


def _shown(figure: Figure | None, why_not: str) -> Markup:
    return missing(why_not) if figure is None else figure_html(figure)


def _numbered(title: str, items: list[Document]) -> str:
    """Say how many items a table has, and how many it leaves to the JSON document."""
    told = len(newest(items))
    if told == len(items):
        return f"{title} ({told})"
    return f"{title}: the newest {told} of {len(items):,}; the JSON document has all"


def _findings(document: Document) -> Markup:
    title = "What the record shows"
    if not document["headline"]:
        matured = document["counts"]["matured"]
        return section(title, missing(
            f"Nothing can be said yet: {plural(matured, 'prediction')} matured, which is not enough evidence"
            " for a comparison with the baselines."
        ))  # fmt: skip
    basis = Basis(
        n="in each row",
        interval=BOOTSTRAP,
        baseline="named in each row; percents are log-loss saved against it, nats are saved per prediction",
    )
    return section(title, headline_table(document), basis_html(basis))


def _market(document: Document) -> Markup:
    return section("Market and regimes", _shown(market_figure(document), "No session lies in this range."))


def _champions(document: Document) -> Markup:
    parts = [_shown(champions_figure(document), "No model has been judged yet, so none has served.")]
    if document["champions"]:
        parts.append(folded(_numbered("Champions", document["champions"]), champions_table(document)))
    if document["verdicts"]:
        parts.append(
            folded(_numbered("Verdicts with their reasons", document["verdicts"]), verdicts_table(document))
        )
    if document["looks"]:
        parts.append(folded(_numbered("Looks at trials", document["looks"]), looks_table(document)))
    return section("Champions and verdicts", *parts)


def _skill(document: Document) -> Markup:
    why_not = (
        "No prediction has matured on enough days to compare it with the regime prior: not enough evidence."
    )
    champion = by_name(document["policies"], "champion")
    others = [(each, "policies") for each in document["policies"] if each["name"] != "champion"]
    others += [(each, "baselines") for each in document["baselines"]]
    tables = (scores_table(each, path) for each, path in others)
    return section(
        "Skill by regime",
        _shown(skill_figure(document), why_not),
        scores_table(champion, "policies") if champion else missing("The champion has no scores yet."),
        folded(f"Scores of the other policies and of the baselines ({len(others)})", *tables),
        _policies(document),
    )


def _policies(document: Document) -> Markup:
    """Say what each policy is; whoever reads the figure needs it."""
    terms = (
        joined(
            (
                tag("dt", each["title"], HINDSIGHT if each["in_hindsight"] else ""),
                tag("dd", each["explained"]),
            )
        )
        for each in document["policies"]
    )
    return tag("dl", *terms)


def _gain(document: Document) -> Markup:
    why_not = "No prediction has matured yet, so nothing adds up."
    return section("Cumulative gain", _shown(gain_figure(document), why_not))


def _years(document: Document) -> Markup:
    figure = years_figure(document)
    parts = [_shown(figure, "No year has enough matured days: not enough evidence.")]
    if figure is not None:
        parts.append(folded("Skill by year as a table", years_table(document)))
    return section("Skill by year", *parts)


def _differences(document: Document) -> Markup:
    title = "What retraining, gating and weighting earned"
    if not document["differences"]:
        return section(
            title, missing("No policies were replayed side by side, so there is no difference to tell.")
        )
    why_not = "The policies have too few days in common: not enough evidence."
    return section(
        title,
        bullets(each["sentence"] for each in document["differences"]),
        _shown(differences_figure(document), why_not),
        folded("Differences as a table", differences_table(document)),
    )


def _record(document: Document) -> Markup:
    title, record = "Was the gate right?", document["gate_record"]
    if not record:
        return section(
            title, missing("The gate has not yet decided between two models whose days have matured.")
        )
    counts = "; ".join(_tally(record, held=held) for held in (True, False))
    return section(
        title,
        tag("p", f"{counts}."),
        _shown(
            record_figure(document), "No decision has enough matured days to be judged: not enough evidence."
        ),
        folded(_numbered("The gate's record as a table", record), record_table(document)),
    )


def _tally(record: list[Document], *, held: bool) -> str:
    own = [each["right"] for each in record if each["held"] is held]
    verb = "Held back" if held else "promoted"
    right, wrong, open_ = (sum(each is which for each in own) for which in (True, False, None))
    return (
        f"{verb} {plural(len(own), 'time')}: {right} rightly, {wrong} wrongly, {open_} not shown either way"
    )


def _events(document: Document) -> Markup:
    title = "Events one by one"
    if not document["events"]:
        return section(title, missing("No rare event lies in these days."))
    why_not = "No event has enough matured days: not enough evidence."
    return section(
        title,
        _shown(events_figure(document), why_not),
        bullets(each["sentence"] for each in document["events"]),
        folded(f"Events as a table ({len(document['events'])})", events_table(document)),
    )


def _reliability(document: Document) -> Markup:
    figure = reliability_figure(document)
    parts = [_shown(figure, "The champion has too few matured predictions: not enough evidence.")]
    if figure is not None:
        known = (each for each in document["policies"] if each["name"] == "champion")
        parts.append(folded("Reliability as a table", *map(reliability_table, known)))
    return section("Reliability", *parts)


def _drift(document: Document) -> Markup:
    figure = drift_figure(document)
    if figure is None:
        return section("Drift", missing("No monitor warned in these days."))
    return section(
        "Drift",
        figure_html(figure),
        folded(_numbered("Warnings and alarms as a table", document["drift"]), drift_table(document)),
    )


def _ablations(document: Document) -> Markup:
    if not document["ablations"]:
        return section("Ablations", missing("No training run left a part out to measure what it is worth."))
    why_not = "The ablations have too few days: not enough evidence."
    return section("Ablations", _shown(ablations_figure(document), why_not), _ablated(document))


def _ablated(document: Document) -> Markup:
    return folded(_numbered("Ablations as a table", document["ablations"]), ablations_table(document))


def _ledger(document: Document) -> Markup:
    runs = document["runs"]
    if not runs:
        return section("Ledger", missing("No training run has ended yet."))
    failed = sum(each["outcome"] != "succeeded" for each in runs)
    return section(
        "Ledger",
        tag("p", f"{plural(len(runs), 'training run')}, of which {failed} did not succeed."),
        folded(_numbered("Runs", runs), runs_table(document)),
    )


def _fingerprint(document: Document) -> Markup:
    own = document["fingerprint"]
    fast = {True: "fast", False: "full", None: "as configured"}[own["fast"]]
    packages = ", ".join(f"{name} {version}" for name, version in sorted(own["packages"].items()))
    rows = [
        ("Data", tag("code", own["data"])),
        ("Settings", tag("code", own["settings"])),
        ("Decisions", tag("code", own["decisions"])),
        ("regimed", own["regimed"]),
        ("Training", fast),
        ("Packages", packages or "not recorded"),
        ("Symbols", count(document["market"]["symbols"]) or ""),
    ]
    note = "The same data and settings give the same decisions and this same file, byte for byte."
    return section(
        "Fingerprint",
        tag("p", note),
        table("Data and settings", ("What", "Which"), (Line(None, row) for row in rows)),
    )


def _notes(document: Document) -> Markup:
    notes = document["notes"]
    return section("Notes", bullets(notes) if notes else missing("There is nothing more to say."))
