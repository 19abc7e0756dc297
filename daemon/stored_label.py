"""Labels as they are stored; in a module of its own, because ``status`` reads labels and little else."""

from __future__ import annotations

from typing import Final, NamedTuple

SPELL_CLOSED: Final = "spell_closed"
BAR_RESTATED: Final = "bar_restated"
LABELER_CHANGED: Final = "labeler_changed"
PROVISIONAL: Final = "provisional"
FINAL: Final = "final"


class StoredLabel(NamedTuple):
    """One day's provisional label as stored: causal, and never changed but by other bars."""

    day: str
    regime: str
    reason: str
    pending: str | None


class StoredFinal(NamedTuple):
    """One day's final regime as stored."""

    day: str
    regime: str


class LabelRevision(NamedTuple):
    """A day's ``provisional`` or ``final`` regime is another than was stored, and why.

    The cause is ``spell_closed`` (``was`` is then the provisional regime that the first final one differs
    from), ``bar_restated`` or ``labeler_changed``. ``became`` is ``None`` if a final regime is open again.
    """

    day: str
    kind: str
    was: str
    became: str | None
    cause: str
