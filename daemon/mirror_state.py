"""How far the mirror has come, as the journal keeps it: light, since ``status`` reads it too."""

from __future__ import annotations

import json
from typing import Final, NamedTuple

MIRROR: Final = "mirror"
"""The journal's fact that holds the state."""


class MirrorState(NamedTuple):
    """Every event of the registry up to ``through`` was dealt with at ``uri``; ``attempts`` failed since.

    ``tried_at`` is the time of the last of them and ``failing_since`` that of the first (ISO UTC), ``error``
    what the last one met. ``given_up`` counts attempts that ended without success after which the mirror
    went on with what came later.
    """

    uri: str
    through: int = 0
    attempts: int = 0
    tried_at: str | None = None
    failing_since: str | None = None
    error: str | None = None
    given_up: int = 0

    def to_json(self) -> str:
        """Give the state as it is stored."""
        return json.dumps(self._asdict())

    @classmethod
    def of_json(cls, text: str | None, uri: str) -> MirrorState:
        """Give the stored state of a mirror; at another address everything begins anew.

        >>> MirrorState.of_json(MirrorState(uri="http://a", through=7).to_json(), "http://b").through
        0
        """
        stored = cls(**json.loads(text)) if text else cls(uri=uri)
        return stored if stored.uri == uri else cls(uri=uri)

    def sent(self, through: int) -> MirrorState:
        """Give the state after everything up to an event arrived; it never goes back.

        >>> MirrorState(uri="http://a", through=7, attempts=2, error="down").sent(5)[:4]
        ('http://a', 7, 0, None)
        """
        return MirrorState(uri=self.uri, through=max(through, self.through), given_up=self.given_up)

    def failed(self, error: str, at: str) -> MirrorState:
        """Give the state after one more attempt failed at a time (ISO UTC)."""
        return self._replace(
            attempts=self.attempts + 1, tried_at=at, failing_since=self.failing_since or at, error=error
        )

    def passed_over(self, through: int) -> MirrorState:
        """Give the state after the mirror gave up what comes before ``through`` and itself."""
        return self._replace(through=through, attempts=0, given_up=self.given_up + 1)
