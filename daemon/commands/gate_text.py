"""A gate report for people: a table, its reasons, and a forest plot made of characters."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING, Final, NamedTuple

from registry.gate_report import Aspect, RegimeVerdict, Status
from registry.policy import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from registry.gate_report import Benefit, GateReport

WIDTH_MIN: Final = 60
WIDTH_MAX: Final = 120
MARKS: Final = {Status.PASS: "●", Status.FAIL: "✗", Status.UNPROVEN: "○"}
"""Of a mean in the plot, by the regime's status; other statuses have no mean."""
CROSSED: Final = {" ": "─", "┊": "┊", "│": "┼"}
"""How a line that runs from bound to bound crosses what stands there."""
NAMES: Final = {Metric.LOG_LOSS: "log-loss", Metric.ACCURACY: "accuracy"}
UNITS: Final = {Metric.LOG_LOSS: "nats", Metric.ACCURACY: "share of rows"}
CHAMPION: Final = "champion"
PRIOR: Final = "regime prior"

_ROW: Final = "{:<15} {:<12} {:>5} {:>7} {:>4} {:>7} {:>7} {:>7} {:>6}"
_GUTTER: Final = 29
"""Columns of a plot before its axis: regime, status, and a space behind each."""


class Gain(NamedTuple):
    """What a regime gains, its one-sided bounds and the tolerated loss; None is not known."""

    mean: float | None
    lcb: float | None
    ucb: float | None
    margin: float


def compared_with(report: GateReport) -> str:
    """Give with what the report's gains compare the candidate: without a champion, with the prior."""
    return PRIOR if report.champion is None else CHAMPION


def gain_of(verdict: RegimeVerdict, metric: Metric, other: str) -> Gain:
    """Give a regime's gain over the champion in a metric, or over the prior in that of the report."""
    if other == PRIOR:
        return Gain(verdict.floor_mean, verdict.floor_lcb, verdict.floor_ucb, verdict.floor_margin)
    match metric:
        case Metric.LOG_LOSS:
            return Gain(verdict.mean, verdict.lcb, verdict.ucb, verdict.margin)
        case Metric.ACCURACY:
            return Gain(
                verdict.accuracy_mean, verdict.accuracy_lcb, verdict.accuracy_ucb, verdict.accuracy_margin
            )


def judgement_lines(report: GateReport, columns: int) -> Iterator[str]:
    """Give verdict and reason, then every regime with its numbers and its reason."""
    width = _width(columns)
    yield from _wrapped(f"{report.verdict}: {report.reason}", width)
    yield ""
    yield from table_lines(report, report.metric, compared_with(report))
    yield ""
    for verdict in report.regimes:
        yield from _hanging(f"{verdict.regime:<16}", verdict.reason, width)
    yield ""
    yield from also_lines(report, width)
    yield from _wrapped(f"policy {report.policy} {report.policy_hash}", width)
    yield from _wrapped(_seen(report), width)
    if report.benefit is not None:
        yield from _wrapped(benefit_sentence(report.benefit), width)


def also_lines(report: GateReport, width: int) -> Iterator[str]:
    """Give what was read beside the regimes, each with its status where the policy asks for it."""
    if not report.also:
        return
    yield "Also read:"
    for finding in report.also:
        asked = "told only" if finding.status is None else finding.status.value
        named = "" if finding.of is None or finding.aspect is Aspect.CALIBRATION else f"{finding.of}: "
        yield from _hanging(f"{finding.aspect:<11} {asked:<12} ", f"{named}{finding.reason}", width)
    yield ""


def table_lines(report: GateReport, metric: Metric, other: str) -> Iterator[str]:
    """Give the table of gains over ``other``, 80 columns wide or less."""
    yield f"Gain over the {other} in {NAMES[metric]}, {UNITS[metric]}; above 0 is better:"
    yield _ROW.format("REGIME", "STATUS", "DAYS", "ROWS", "EPIS", "MEAN", "LOWER", "UPPER", "MARGIN")
    for verdict in report.regimes:
        gain = gain_of(verdict, metric, other)
        counts = [_count(value) for value in (verdict.days, verdict.rows, verdict.episodes)]
        numbers = [_signed(value) for value in (gain.mean, gain.lcb, gain.ucb)]
        is_floor = other == PRIOR and report.champion is not None
        status = (verdict.floor_status or "-") if is_floor else verdict.status
        yield _ROW.format(verdict.regime, status, *counts, *numbers, f"{gain.margin:.4f}")


def benefit_sentence(benefit: Benefit) -> str:
    """Say what the benefit test found, and how many candidates were judged before."""
    crash = (
        "" if benefit.crash_p is None else f", in a crash {benefit.crash_mean:+.4f} (p {benefit.crash_p:.4g})"
    )
    return (
        f"Benefit {'shown' if benefit.shown else 'not shown'} in {NAMES[benefit.metric]}: overall"
        f" {benefit.overall_mean:+.4f} (p {benefit.overall_p:.4g}){crash}; p must be below"
        f" {benefit.threshold:.4g}, because {benefit.judged_before} candidates were judged before on this"
        f" window and {benefit.alpha:.4g} of the level is left for this one."
    )


def _seen(report: GateReport) -> str:
    if report.evidence_hash is None or report.evidence_from is None:
        return "There was no evidence."
    return (
        f"Evidence: {report.evidence_rows} rows, {report.evidence_from} to {report.evidence_to},"
        f" {report.evidence_hash[:16]}"
    )


def explanation_lines(report: GateReport, rules: Mapping[str, object] | None, columns: int) -> Iterator[str]:
    """Give everything that is stored: who was compared, every number, the plots, and the policy."""
    width = _width(columns)
    yield from _wrapped(_title(report), width)
    yield ""
    yield from judgement_lines(report, columns)
    for metric in Metric:
        if report.champion is not None and metric is not report.metric:
            yield ""
            yield from table_lines(report, metric, CHAMPION)
    if report.champion is not None:
        yield ""
        yield from table_lines(report, report.metric, PRIOR)
    for metric in Metric:
        if report.champion is not None or metric is report.metric:
            yield ""
            yield from forest_lines(report, metric, columns)
    yield ""
    if report.disagreement is not None:
        yield f"Another class than the champion's on {report.disagreement:.1%} of the rows of the last days."
    yield from _invariant_lines(report, width)
    yield ""
    yield from _policy_lines(report, rules, width)


def _title(report: GateReport) -> str:
    age = "" if report.champion_age_days is None else f" ({report.champion_age_days} days old)"
    other = "no champion" if report.champion is None else f"champion {report.champion}{age}"
    return f"{report.candidate} against {other}: {report.kind}"


def _invariant_lines(report: GateReport, width: int) -> Iterator[str]:
    if report.invariants is None:
        yield "There was no artifact to check."
        return
    broken = report.invariants.broken()
    told = f"broken: {', '.join(broken)}" if broken else "all hold"
    yield from _wrapped(
        f"Artifact (hash, fresh load, golden predictions, probabilities, features): {told}", width
    )


def _policy_lines(report: GateReport, rules: Mapping[str, object] | None, width: int) -> Iterator[str]:
    if rules is None:
        yield from _wrapped(
            f"The policy {report.policy} does not ship with this version, and the report kept only its hash;"
            " compare it with that of your file.",
            width,
        )
        return
    yield f"Policy {report.policy}:"
    for name, value in rules.items():
        if name != "name":
            yield from _hanging(f"  {name:<19}", _spoken(value), width)


def _hanging(title: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=title, subsequent_indent=len(title) * " ")


def _spoken(value: object) -> str:
    if value is None:
        return "not asked"
    if isinstance(value, dict):
        return ", ".join(f"{key} {number:g}" for key, number in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def forest_lines(report: GateReport, metric: Metric, columns: int) -> Iterator[str]:
    """Give a forest plot: a line a regime with mean, bounds, zero and the margin, and its status in words."""
    other = compared_with(report)
    gains = [gain_of(verdict, metric, other) for verdict in report.regimes]
    axis = _Axis.of(gains, _width(columns) - _GUTTER)
    yield f"Gain in {NAMES[metric]} over the {other}; ┊ the margin, │ no difference:"
    for verdict, gain in zip(report.regimes, gains, strict=True):
        yield f"{verdict.regime:<15} {verdict.status:<12} {axis.line(gain, verdict.status)}".rstrip()
    yield (" " * _GUTTER + axis.scale()).rstrip()
    yield (" " * _GUTTER + "worse" + "better".rjust(axis.cells - 5)).rstrip()


class _Axis(NamedTuple):
    low: float
    high: float
    cells: int

    @classmethod
    def of(cls, gains: Sequence[Gain], cells: int) -> _Axis:
        ends = [value for gain in gains for value in (gain.lcb, gain.ucb, gain.mean) if value is not None]
        low = min([*ends, *(-gain.margin for gain in gains)])
        high = max([*ends, -low / 4])
        return cls(low, high, cells)

    def place(self, value: float) -> int:
        return round((value - self.low) / (self.high - self.low) * (self.cells - 1))

    def line(self, gain: Gain, status: Status) -> str:
        cells = [" "] * self.cells
        cells[self.place(-gain.margin)] = "┊"
        cells[self.place(0)] = "│"
        if gain.mean is None or gain.lcb is None or gain.ucb is None:
            return "".join(cells)
        first, last = self.place(gain.lcb), self.place(gain.ucb)
        cells[first : last + 1] = (CROSSED[cell] for cell in cells[first : last + 1])
        cells[first], cells[last] = "├", "┤"
        cells[self.place(gain.mean)] = MARKS.get(status, "●")
        return "".join(cells)

    def scale(self) -> str:
        """Give the numbers of both ends and of zero, where there is room for it."""
        low, high = f"{self.low:+.3f}", f"{self.high:+.3f}"
        zero = self.place(0)
        line = [*low.ljust(self.cells - len(high)), *high]
        if len(low) + 1 < zero < self.cells - len(high) - 1:
            line[zero] = "0"
        return "".join(line)


def _width(columns: int) -> int:
    return max(WIDTH_MIN, min(columns, WIDTH_MAX))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _signed(value: float | None) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:+.4f}"
