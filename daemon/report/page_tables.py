"""The tables of the page: every number of a figure, and the ledger of what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.report.page_markup import Markup, joined
from daemon.report.page_numbers import decimals, interval, nats, plural, spoken
from daemon.report.page_parts import (
    count_at,
    decimals_at,
    interval_at,
    nats_at,
    percent_at,
    table,
)

if TYPE_CHECKING:
    from daemon.report.page_numbers import Document
    from daemon.report.page_parts import Cell

INTERVAL: Final = "95 % interval"


def headline_table(document: Document) -> Markup:
    """Give the findings in one table: value, interval, n and what they are measured against."""
    rows = []
    for each in document["headline"]:
        path = f"headline.{each['name']}"
        rows.append(
            (
                each["sentence"],
                percent_at(each, path, "value", signed=True),
                interval_at(each, path, share=True),
                spoken(each["baseline"]),
                count_at(each, path, "days"),
                count_at(each, path, "rows"),
            )
        )
    header = ("Finding", "Log-loss saved", INTERVAL, "Baseline", "Days", "Predictions")
    return table("What the record shows", header, rows)


def scores_table(forecast: Document, path: str) -> Markup:
    """Give all scores of a policy or baseline, a row a regime."""
    rows: list[tuple[Cell, ...]] = []
    for group, scores in forecast["scores"].items():
        own = f"{path}.{forecast['name']}.scores.{group}"
        rows.append(
            (
                spoken(group),
                count_at(scores, own, "days"),
                count_at(scores, own, "spells"),
                count_at(scores, own, "rows"),
                percent_at(scores, own, "skill", signed=True),
                interval_at(scores, own, "skill_", share=True),
                percent_at(scores, own, "skill_barrier", signed=True),
                interval_at(scores, own, "skill_barrier_", share=True),
                percent_at(scores, own, "accuracy"),
                decimals_at(scores, own, "log_loss"),
                decimals_at(scores, own, "brier"),
                decimals_at(scores, own, "calibration_error"),
            )
        )
    header = (
        "Days of", "Days", "Spells", "Rows", "Skill over prior", INTERVAL, "Skill over barrier", INTERVAL,
        "Accuracy", "Log-loss", "Brier", "Calibration error",
    )  # fmt: skip
    return table(f"Scores of {forecast['title']}", header, rows)


def years_table(document: Document) -> Markup:
    """Give skill by year, a row a year and policy."""
    rows: list[tuple[Cell, ...]] = []
    for policy in document["policies"]:
        for each in policy["years"]:
            own = f"policies.{policy['name']}.years.{each['year']}"
            rows.append(
                (
                    str(each["year"]),
                    spoken(policy["name"]),
                    percent_at(each, own, "skill", signed=True),
                    interval_at(each, own, "skill_", share=True),
                    percent_at(each, own, "accuracy"),
                    count_at(each, own, "days"),
                    count_at(each, own, "rows"),
                )
            )
    header = ("Year", "Policy", "Skill over prior", INTERVAL, "Accuracy", "Days", "Rows")
    return table("Skill by year and policy", header, rows, left=2)


def differences_table(document: Document) -> Markup:
    """Give every difference of policies, a row a regime."""
    rows: list[tuple[Cell, ...]] = []
    for each in document["differences"]:
        for group, worth in each["scores"].items():
            own = f"differences.{each['name']}.scores.{group}"
            rows.append(
                (
                    each["title"],
                    f"{spoken(each['better'])} − {spoken(each['than'])}",
                    spoken(group),
                    nats_at(worth, own, "nats"),
                    interval_at(worth, own),
                    count_at(worth, own, "days"),
                    count_at(worth, own, "rows"),
                )
            )
    header = ("Question", "Difference of", "Days of", "Nats", INTERVAL, "Days", "Rows")
    return table("What each choice earned or cost, by regime", header, rows, left=3)


def champions_table(document: Document) -> Markup:
    """Give who served when, and why."""
    rows = [
        (
            each["version"],
            each["from"],
            each["to"] or "now",
            each["verdict"],
            each["trained_to"],
            each["actor"],
            each["reason"],
        )
        for each in document["champions"]
    ]
    header = ("Champion", "From", "To", "Verdict", "Trained to", "By", "Reason")
    return table("Champions", header, rows, left=len(header))


def verdicts_table(document: Document) -> Markup:
    """Give every verdict with its reason and what each regime said."""
    rows = [
        (
            each["day"],
            each["version"],
            each["against"] or "nobody",
            each["verdict"],
            each["reason"],
            joined((_judged(regime) for regime in each["regimes"]), "; "),
        )
        for each in document["verdicts"]
    ]
    header = ("Day", "Version", "Against", "Verdict", "Reason", "Regimes: mean gain in nats [interval], days")
    return table("Verdicts of the gate", header, rows, left=len(header))


def _judged(regime: Document) -> str:
    """Give what was found for a regime, in one phrase."""
    found = [regime["status"].lower()]
    if regime["mean"] is not None:
        found.append(decimals(regime["mean"], 3, signed=True))
    if (ends := interval(regime["lcb"], regime["ucb"])) is not None:
        found.append(ends)
    return f"{spoken(regime['regime'])} {' '.join(found)}, {plural(regime['days'], 'day')}"


def looks_table(document: Document) -> Markup:
    """Give the looks at those who were tried on fresh days."""
    rows = [
        (
            each["day"],
            spoken(each["kind"]),
            each["version"],
            each["against"],
            str(each["days"]),
            each["verdict"],
            each["outcome"] or "goes on",
            each["reason"],
        )
        for each in document["looks"]
    ]
    header = ("Day", "Trial", "Version", "Against", "Fresh days", "Verdict", "Outcome", "Reason")
    return table("Looks at trials on fresh days", header, rows, left=len(header))


def record_table(document: Document) -> Markup:
    """Give what every decision of the gate earned."""
    words = {True: "right", False: "wrong", None: "not shown either way"}
    rows: list[tuple[Cell, ...]] = [
        (
            each["day"],
            each["version"],
            "held" if each["held"] else "promoted",
            words[each["right"]],
            each["sentence"],
            nats(each["nats"]),
            interval(each["low"], each["high"]),
            f"{each['days']:,}",
            f"{each['rows']:,}",
        )
        for each in document["gate_record"]
    ]
    header = ("Day", "Version", "Decision", "Was", "In words", "Nats", INTERVAL, "Days", "Rows")
    return table("The gate's record", header, rows, left=5)


def events_table(document: Document) -> Markup:
    """Give the events one by one."""
    rows: list[tuple[Cell, ...]] = []
    for each in document["events"]:
        own, scores = f"events.{each['id']}.scores", each["scores"]
        told: tuple[Cell, ...] = (None,) * 6
        if scores is not None:
            told = (
                percent_at(scores, own, "skill", signed=True),
                interval_at(scores, own, "skill_", share=True),
                percent_at(scores, own, "skill_barrier", signed=True),
                interval_at(scores, own, "skill_barrier_", share=True),
                count_at(scores, own, "days"),
                count_at(scores, own, "rows"),
            )
        kind = f"{spoken(each['nominal'] or 'unknown')}, {each['source']}"
        rows.append((each["title"], f"{each['first']} to {each['last']}", kind, each["sentence"], *told))
    header = (
        "Event", "Days", "Kind", "In words", "Skill over prior", INTERVAL, "Skill over barrier", INTERVAL,
        "n days", "n rows",
    )  # fmt: skip
    return table("The champion in each event", header, rows, left=4)


def reliability_table(policy: Document) -> Markup:
    """Give every point of the reliability of a policy."""
    rows: list[tuple[Cell, ...]] = [
        (
            each["class"],
            decimals(point["predicted"], 3),
            decimals(point["observed"], 3),
            interval(point["low"], point["high"]),
            f"{point['rows']:,}",
        )
        for each in policy["reliability"]
        for point in each["points"]
    ]
    header = ("Class", "Probability said", "Came true", INTERVAL, "Predictions")
    return table(f"Reliability of {policy['title']}", header, rows)


def drift_table(document: Document) -> Markup:
    """Give warnings and alarms."""
    rows = [(each["day"], each["monitor"], each["level"], each["sentence"]) for each in document["drift"]]
    return table("Drift", ("Day", "Monitor", "Level", "What was seen"), rows, left=4)


def ablations_table(document: Document) -> Markup:
    """Give what each part of the training is worth."""
    rows: list[tuple[Cell, ...]] = [
        (
            spoken(each["name"]),
            each["version"],
            each["day"],
            each["sentence"],
            nats(each["nats"]),
            interval(each["low"], each["high"]),
        )
        for each in document["ablations"]
    ]
    return table("Ablations", ("Part", "Version", "Day", "In words", "Nats", INTERVAL), rows, left=4)


def runs_table(document: Document) -> Markup:
    """Give the ledger of all runs."""
    rows = [
        (
            each["run"],
            each["day"],
            each["trigger"],
            each["outcome"],
            each["version"] or "no version",
            each["verdict"] or "no verdict",
            each["reason"] or "no reason given",
        )
        for each in document["runs"]
    ]
    header = ("Run", "Day", "Trigger", "Outcome", "Version", "Verdict", "Reason")
    return table("Ledger of runs", header, rows, left=len(header))


