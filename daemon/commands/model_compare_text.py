"""Two versions side by side for people, in lines of at most 80 characters."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any, Final

from daemon.commands.gate_text import CHAMPION, NAMES, UNITS, also_lines, benefit_sentence, gain_of
from daemon.commands.model_account import PAGE_WIDTH
from regime.scorecard import OVERALL
from regime.types import REGIMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.commands.model_compare import Compared
    from daemon.model_comparison import Both, Difference
    from registry.types import ModelVersion

HASH_DIGITS: Final = 16
FEATURES_SHOWN: Final = 12
_SIDES: Final = "{:<16}{:<32}{:<32}"
_ROW: Final = "{:<15} {:>5} {:>7} {:>6} {:>6} {:>5} {:>5} {:>7} {:>7} {:>7}"
PREVIEW: Final = "This is a preview: it is stored nowhere, and counts in no ledger."


def comparison_lines(told: Compared) -> Iterator[str]:
    """Give what differs, then how both did by regime, then what the gate would say."""
    yield from _side_lines(told.a, told.b)
    yield ""
    yield from _made_lines(told)
    yield ""
    yield from _score_lines(told)
    yield ""
    for verdict in told.on_rows.verdicts:
        yield from _wrapped(f"{verdict.regime:<16}{verdict.status:<13}", verdict.reason)
    yield ""
    yield from _preview_lines(told)


def _side_lines(a: ModelVersion, b: ModelVersion) -> Iterator[str]:
    yield _SIDES.format("", a.name, b.name).rstrip()
    for title, *values in (
        ("run", *(each.manifest.run_id for each in (a, b))),
        ("recipe", *(each.manifest.recipe_hash[:HASH_DIGITS] for each in (a, b))),
        ("features", *(_features(each) for each in (a, b))),
        ("data version", *(each.manifest.data_version for each in (a, b))),
        ("trained on", *(_span(each) for each in (a, b))),
        ("rows", *(each.manifest.trained_rows for each in (a, b))),
    ):
        yield _SIDES.format(title, *values).rstrip()


def _features(version: ModelVersion) -> str:
    return f"{len(version.manifest.feature_names)}, {version.manifest.feature_hash[:HASH_DIGITS]}"


def _span(version: ModelVersion) -> str:
    return f"{version.manifest.trained_from} to {version.manifest.trained_to}"


def _made_lines(told: Compared) -> Iterator[str]:
    made = told.made
    for title, found in (("setting", made.settings), ("member", made.members), ("package", made.packages)):
        yield from _difference_lines(title, found, told)
    for version, names in ((told.a, made.features_only_a), (told.b, made.features_only_b)):
        if names:
            more = f" and {len(names) - FEATURES_SHOWN} more" if len(names) > FEATURES_SHOWN else ""
            yield from _wrapped(
                f"Features of {version.name} alone: ", ", ".join(names[:FEATURES_SHOWN]) + more
            )


def _difference_lines(title: str, found: Sequence[Difference], told: Compared) -> Iterator[str]:
    if not found:
        yield f"No {title} differs."
        return
    yield f"{title.capitalize()}s that differ:"
    for each in found:
        values = f"{_spoken(each.a)} in {told.a.name}, {_spoken(each.b)} in {told.b.name}"
        yield from _wrapped(f"  {each.name}: ", values)


def _spoken(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _score_lines(told: Compared) -> Iterator[str]:
    preview, scores = told.preview, told.on_rows.scores
    if preview.evidence_from is None:
        yield f"There is no out-of-sample row that {told.a.name} and {told.b.name} both predicted."
        return
    yield from _wrapped(
        "",
        f"On the {preview.evidence_rows} rows of {preview.evidence_from} to {preview.evidence_to} that both"
        " predicted out of sample; each day counts once. The gain is that of"
        f" {told.a.name} in {NAMES[preview.metric]}, {UNITS[preview.metric]}, above 0 is better, with the"
        " gate's one-sided bounds:",
    )
    yield ""
    yield _ROW.format("", "", "", "loss", "loss", "acc", "acc", "", "", "").rstrip()
    names = (told.a.name, told.b.name)
    yield _ROW.format("REGIME", "DAYS", "ROWS", *names, *names, "GAIN", "LOWER", "UPPER")
    gains = {v.regime.value: gain_of(v, preview.metric, CHAMPION)[:3] for v in told.on_rows.verdicts}
    gains[OVERALL] = told.on_rows.gain or (None, None, None)
    for name in (*(regime.value for regime in REGIMES), OVERALL):
        score = scores[name]
        yield _ROW.format(
            name,
            score.days,
            score.rows,
            *_both(score.log_loss, 4),
            *_both(score.accuracy, 3),
            *("-" if number is None else f"{number:+.4f}" for number in gains[name]),
        )


def _both(numbers: Both | None, digits: int) -> tuple[str, str]:
    if numbers is None:
        return "-", "-"
    a, b = (f"{number:.{digits}f}" for number in numbers)
    return a, b


def _preview_lines(told: Compared) -> Iterator[str]:
    preview = told.preview
    yield from _wrapped(
        "",
        f"The gate would say of {told.a.name} as candidate against {told.b.name} as champion ({preview.kind},"
        f" policy {preview.policy}): {preview.verdict}: {preview.reason}",
    )
    yield from _wrapped("", PREVIEW)
    if preview.benefit is not None:
        yield from _wrapped("", benefit_sentence(preview.benefit))
    if preview.also:
        yield ""
        yield from list(also_lines(preview, PAGE_WIDTH))[:-1]


def _wrapped(title: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, PAGE_WIDTH, initial_indent=title, subsequent_indent=" " * min(len(title), PAGE_WIDTH // 2)
    )
