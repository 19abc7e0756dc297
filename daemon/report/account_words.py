"""The sentences of the account: each with its number, its interval, its rows and what it is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from daemon.report.account_policies import Policy
    from regime.prequential import Gain, Scores


def counted(number: int, what: str) -> str:
    """Give a number with its noun, in the plural where it is not one.

    >>> counted(1, "day"), counted(1200, "row")
    ('1 day', '1,200 rows')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def nats(value: float) -> str:
    """Give a gain in nats with as many digits as mean something.

    >>> nats(0.01234), nats(-0.2)
    ('.0123', '-.2000')
    """
    return f"{value:.4f}".replace("0.", ".", 1)


def bounds(low: float | None, high: float | None, *, percent: bool = False) -> str:
    """Give an interval as text to be put behind a number; nothing where it is not known.

    >>> bounds(0.01, 0.0234, percent=True), bounds(None, None)
    (' [1.0, 2.3]', '')
    """
    if low is None or high is None:
        return ""
    told = (f"{100 * each:.1f}" if percent else nats(each) for each in (low, high))
    return f" [{', '.join(told)}]"


def skill_headline(name: str, scores: Scores, baseline: str, title: str) -> dict[str, Any]:
    """Give the headline of the champion's skill against a baseline."""
    of_barrier = baseline == "volatility_barrier"
    skill = scores.skill_barrier if of_barrier else scores.skill
    low = scores.skill_barrier_low if of_barrier else scores.skill_low
    high = scores.skill_barrier_high if of_barrier else scores.skill_high
    where = f"on {counted(scores.rows, 'row')} of {counted(scores.days, 'day')}"
    if skill is None:
        sentence = f"Whether the champion beat {title} is not known: there is too little evidence {where}."
    else:
        side = "below" if skill >= 0 else "above"
        low_high = (low, high) if skill >= 0 else (_negative(high), _negative(low))
        sentence = (
            f"The champion's log-loss was {100 * abs(skill):.1f} %{bounds(*low_high, percent=True)} {side}"
            f" that of {title}, {where}."
        )
    return {
        "name": name,
        "sentence": sentence,
        "value": skill,
        "low": low,
        "high": high,
        "rows": scores.rows,
        "days": scores.days,
        "baseline": baseline,
    }


def gain_headline(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Give the headline of a difference between policies."""
    overall = difference["scores"]["overall"]
    return {
        "name": difference["name"],
        "sentence": difference["sentence"],
        "value": overall["nats"],
        "low": overall["low"],
        "high": overall["high"],
        "rows": overall["rows"],
        "days": overall["days"],
        "baseline": difference["than"],
    }


def gain_sentence(what: str, gain: Gain, than: str) -> str:
    """Say what something earned or cost, as far as the interval tells."""
    where = f"on {counted(gain.rows, 'row')} of {counted(gain.days, 'day')}"
    if gain.nats is None:
        return f"What {what} was worth is not known: there is too little evidence {where}."
    if gain.low is not None and gain.high is not None:
        if gain.low == gain.high == 0:
            return f"{_upper(what)} changed nothing against {than}, {where}: both said the same."
        if gain.low > 0:
            told = f"earned {nats(gain.nats)} nats{bounds(gain.low, gain.high)}"
            return f"{_upper(what)} {told} a prediction against {than}, {where}."
        if gain.high < 0:
            told = f"cost {nats(-gain.nats)} nats{bounds(-gain.high, -gain.low)}"
            return f"{_upper(what)} {told} a prediction against {than}, {where}."
    return (
        f"{_upper(what)} neither earned nor cost anything for sure against {than}:"
        f" {nats(gain.nats)} nats{bounds(gain.low, gain.high)} a prediction, {where}."
    )


def gate_headline(record: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say how often the gate was right when it held a version back."""
    held = [each for each in record if each["held"]]
    right, wrong = (sum(each["right"] is verdict for each in held) for verdict in (True, False))
    unknown = len(held) - right - wrong
    sentence = (
        f"The gate held {counted(len(held), 'version')} back: {right} proved worse than the champion on the"
        f" days that followed, {wrong} proved better, {unknown} neither."
        if held
        else "The gate has held no version back."
    )
    return {
        "name": "gate_held",
        "sentence": sentence,
        "value": right / (right + wrong) if right + wrong else None,
        "low": None,
        "high": None,
        "rows": sum(each["rows"] for each in held),
        "days": sum(each["days"] for each in held),
        "baseline": "champion",
    }


def record_sentence(version: str, against: str, gain: Gain, *, held: bool) -> tuple[bool | None, str]:
    """Tell whether a decision was right by the days that followed, and say so.

    ``gain`` is that of ``version`` over ``against``, the champion when it was judged.
    """
    deed = f"{version} was {'held back' if held else 'promoted'}"
    where = f"on the {counted(gain.days, 'day')} after it ({counted(gain.rows, 'row')})"
    if gain.nats is None:
        return None, f"{deed}; {where} there is too little evidence to tell whether that was right."
    if gain.low is None or gain.high is None or gain.low <= 0 <= gain.high:
        told = f"{nats(gain.nats)} nats{bounds(gain.low, gain.high)}"
        return None, f"{deed}; {where} its gain over {against} was {told}: neither right nor wrong for sure."
    is_better = gain.low > 0
    size = abs(gain.nats)
    low, high = (gain.low, gain.high) if is_better else (-gain.high, -gain.low)
    is_right = is_better is not held
    verb = "would have been" if held else "was"
    side = "better" if is_better else "worse"
    return is_right, (
        f"{deed}; {where} it {verb} {side} than {against} by {nats(size)} nats{bounds(low, high)}:"
        f" {'right' if is_right else 'wrong'}."
    )


def event_sentence(title: str, scores: Scores) -> str:
    """Say what the champion got right or wrong in an event, beside both baselines."""
    if not scores.rows or scores.log_loss is None or scores.prior_log_loss is None:
        return f"{title}: no prediction of these days has matured."
    hits = "" if scores.accuracy is None else f"; its most probable class came true in {scores.accuracy:.0%}"
    where = f"{title} ({counted(scores.days, 'day')}, {counted(scores.rows, 'row')})"
    parts = [_beside(scores.log_loss, scores.prior_log_loss, "the regime prior")]
    if scores.barrier_log_loss is not None:
        parts.append(_beside(scores.log_loss, scores.barrier_log_loss, "the volatility barrier"))
    said = f"{where}: the champion was {' and '.join(parts)} (log-loss {scores.log_loss:.3f}){hits}"
    if scores.skill_low is None or scores.skill_high is None:
        return f"{said}. So few days prove nothing."
    interval = bounds(scores.skill_low, scores.skill_high, percent=True).strip()
    return f"{said}. Skill against the regime prior in %, 95 %: {interval}."


def policy_notes(policies: Sequence[Policy], rows: int) -> list[str]:
    """Say which policies could not predict all rows."""
    notes = []
    for policy in policies:
        known = int((policy.proba == policy.proba).all(axis=1).sum())
        if known < rows:
            notes.append(
                f"{policy.title}: it has predictions of {known:,} of {counted(rows, 'row')};"
                " differences are of the rows that both have."
            )
    return notes


def _beside(loss: float, other: float, name: str) -> str:
    change = 1 - loss / other
    return f"{'better' if change >= 0 else 'worse'} than {name} by {100 * abs(change):.1f} %"


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
