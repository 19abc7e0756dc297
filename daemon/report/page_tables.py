"""The tables of the page: every number of a figure, and the ledger of what was decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from daemon.report.figures_gain import drawn_years
from daemon.report.page_markup import Markup, joined
from daemon.report.page_numbers import (
    MINUS,
    RIGHT,
    by_name,
    decimals,
    interval,
    nats,
    newest,
    plural,
    spoken,
)
from daemon.report.page_parts import (
    Line,
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
SKILLS: Final = ("Skill over prior", INTERVAL, "Skill over barrier", INTERVAL)


def headline_table(document: Document) -> Markup:
    """Give the findings in one table: value, interval, n and what they are measured against."""
    lines = (
        Line(
            f"headline.{each['name']}",
            (
                each["sentence"],
                *_finding(each, document),
                spoken(each["baseline"]),
                count_at(each, "days"),
                count_at(each, "rows"),
            ),
        )
        for each in document["headline"]
    )
    header = ("Finding", "Value", INTERVAL, "Baseline", "Days", "Predictions")
    return table("The champion, and what it took to have it", header, lines)


def _finding(headline: Document, document: Document) -> tuple[Cell, Cell]:
    """Give a value in its unit: differences of policies are in nats, all else are shares."""
    if by_name(document["differences"], headline["name"]) is None:
        is_skill = by_name(document["baselines"], headline["baseline"]) is not None
        return percent_at(headline, "value", signed=is_skill), interval_at(headline, share=True)
    value = nats_at(headline, "value")
    return value._replace(shown=value.shown and f"{value.shown} nats"), interval_at(headline)


def scores_table(forecast: Document, where: str) -> Markup:
    """Give the scores of a policy or baseline, a row a regime."""
    lines = (
        Line(
            f"{where}.{forecast['name']}.scores.{group}",
            (
                spoken(group),
                count_at(scores, "days"),
                count_at(scores, "spells"),
                count_at(scores, "rows"),
                *_skills(scores),
                percent_at(scores, "accuracy"),
                decimals_at(scores, "log_loss"),
                decimals_at(scores, "brier"),
                decimals_at(scores, "calibration_error"),
            ),
        )
        for group, scores in forecast["scores"].items()
    )
    header = (
        "Days of",
        "Days",
        "Spells",
        "Rows",
        *SKILLS,
        "Accuracy",
        "Log-loss",
        "Brier",
        "Calibration error",
    )
    return table(forecast["title"], header, lines)


def _skills(scores: Document) -> tuple[Cell, ...]:
    return (
        percent_at(scores, "skill", signed=True),
        interval_at(scores, "skill_", share=True),
        percent_at(scores, "skill_barrier", signed=True),
        interval_at(scores, "skill_barrier_", share=True),
    )


def years_table(document: Document) -> Markup:
    """Give skill by year, a row a year and policy."""
    lines = (
        Line(
            f"policies.{policy['name']}.years.{each['year']}",
            (
                str(each["year"]),
                spoken(policy["name"]),
                percent_at(each, "skill", signed=True),
                interval_at(each, "skill_", share=True),
                percent_at(each, "accuracy"),
                count_at(each, "days"),
                count_at(each, "rows"),
            ),
        )
        for policy in drawn_years(document)
        for each in policy["years"]
    )
    header = ("Year", "Policy", *SKILLS[:2], "Accuracy", "Days", "Rows")
    return table("Skill by year and policy", header, lines)


def differences_table(document: Document) -> Markup:
    """Give every difference of policies, a row a regime."""
    lines = (
        Line(
            f"differences.{each['name']}.scores.{group}",
            (
                each["title"],
                f"{spoken(each['better'])} {MINUS} {spoken(each['than'])}",
                spoken(group),
                nats_at(worth, "nats"),
                interval_at(worth),
                count_at(worth, "days"),
                count_at(worth, "rows"),
            ),
        )
        for each in document["differences"]
        for group, worth in each["scores"].items()
    )
    header = ("Question", "Difference of", "Days of", "Nats", INTERVAL, "Days", "Rows")
    return table("What each choice earned or cost, by regime", header, lines)


def champions_table(document: Document) -> Markup:
    """Give who served when, and why."""
    lines = (
        Line(
            None,
            (
                each["version"],
                each["from"],
                each["to"] or "now",
                each["verdict"],
                each["trained_to"] or "not known",
                each["actor"],
                each["reason"],
            ),
        )
        for each in newest(document["champions"])
    )
    header = ("Champion", "From", "To", "Verdict", "Trained to", "By", "Reason")
    return table("Champions", header, lines)


def verdicts_table(document: Document) -> Markup:
    """Give every verdict with its reason and what each regime said."""
    lines = (
        Line(
            None,
            (
                each["day"],
                each["version"],
                each["against"] or "nobody",
                each["verdict"],
                each["reason"],
                joined((_judged(regime) for regime in each["regimes"]), "; "),
            ),
        )
        for each in newest(document["verdicts"])
    )
    header = ("Day", "Version", "Against", "Verdict", "Reason", "Regimes: mean gain in nats [interval], days")
    return table("Verdicts of the gate", header, lines)


def _judged(regime: Document) -> str:
    """Give what was found for a regime, in one phrase."""
    found = [regime["status"].lower()]
    if regime["mean"] is not None:
        ends = interval(regime["lcb"], regime["ucb"])
        found += [decimals(regime["mean"], 3, signed=True), ends or "without interval"]
    return f"{spoken(regime['regime'])} {' '.join(found)}, {plural(regime['days'], 'day')}"


def looks_table(document: Document) -> Markup:
    """Give the looks at those who were tried on fresh days."""
    lines = (
        Line(
            None,
            (
                each["day"],
                spoken(each["kind"]),
                each["version"],
                each["against"],
                str(each["days"]),
                each["verdict"],
                each["outcome"] or "goes on",
                each["reason"],
            ),
        )
        for each in newest(document["looks"])
    )
    header = ("Day", "Trial", "Version", "Against", "Fresh days", "Verdict", "Outcome", "Reason")
    return table("Looks at trials on fresh days", header, lines)


def record_table(document: Document) -> Markup:
    """Give what every decision of the gate earned."""
    lines = (
        Line(
            None,
            (
                each["day"],
                each["version"],
                "held" if each["held"] else "promoted",
                RIGHT[each["right"]],
                each["sentence"],
                nats(each["nats"]),
                interval(each["low"], each["high"]),
                f"{each['days']:,}",
                f"{each['rows']:,}",
            ),
        )
        for each in newest(document["gate_record"])
    )
    header = (
        "Day",
        "Version",
        "Decision",
        "Was it right",
        "In words",
        "Its gain, nats",
        INTERVAL,
        "Days",
        "Rows",
    )
    return table("The gate's record", header, lines)


def events_table(document: Document) -> Markup:
    """Give the events one by one."""
    header = ("Event", "First day", "Last day", "Kind", "Source", *SKILLS, "Days", "Rows")
    return table("The champion in each event", header, map(_event, document["events"]))


def _event(event: Document) -> Line:
    scores = event["scores"]
    told: tuple[Cell, ...] = (None,) * 6
    if scores is not None:
        told = (*_skills(scores), count_at(scores, "days"), count_at(scores, "rows"))
    kind = spoken(event["nominal"] or "unknown")
    cells = (event["title"], event["first"], event["last"], kind, event["source"], *told)
    return Line(f"events.{event['id']}.scores", cells)


def reliability_table(policy: Document) -> Markup:
    """Give every point of the reliability of a policy."""
    lines = (
        Line(
            None,
            (
                each["class"],
                decimals(point["predicted"], 3),
                decimals(point["observed"], 3),
                interval(point["low"], point["high"]),
                f"{point['rows']:,}",
            ),
        )
        for each in policy["reliability"]
        for point in each["points"]
    )
    header = ("Class", "Probability said", "Came true", INTERVAL, "Predictions")
    return table(f"Reliability of {policy['title']}", header, lines)


def drift_table(document: Document) -> Markup:
    """Give warnings and alarms."""
    lines = (
        Line(None, (each["day"], each["monitor"], each["level"], each["sentence"]))
        for each in newest(document["drift"])
    )
    return table("Drift", ("Day", "Monitor", "Level", "What was seen"), lines)


def ablations_table(document: Document) -> Markup:
    """Give what each part of the training is worth."""
    lines = (
        Line(
            None,
            (
                spoken(each["name"]),
                each["version"],
                each["day"],
                each["sentence"],
                nats(each["nats"]),
                interval(each["low"], each["high"]),
            ),
        )
        for each in newest(document["ablations"])
    )
    return table("Ablations", ("Part", "Version", "Day", "In words", "Nats", INTERVAL), lines)


def runs_table(document: Document) -> Markup:
    """Give the ledger of all runs; the reason of a verdict that is told above is not told again."""
    judged = {each["version"] for each in newest(document["verdicts"])}
    lines = (
        Line(
            None,
            (
                each["run"],
                each["day"],
                each["trigger"],
                each["outcome"] or "not ended",
                each["version"] or "no version",
                each["verdict"] or "no verdict",
                _reason(each, judged),
            ),
        )
        for each in newest(document["runs"])
    )
    header = ("Run", "Day", "Trigger", "Outcome", "Version", "Verdict", "Reason")
    return table("Ledger of runs", header, lines)


def _reason(run: Document, judged: set[str]) -> str:
    return "told among the verdicts" if run["version"] in judged else run["reason"] or "no reason given"
