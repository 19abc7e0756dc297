"""What was computed before, found again by what it was computed from.

A training run repeats most of what the last one did: years that are over are forecast and corrected as
before. What may be remembered is asked of a memo. The plain one remembers nothing; the daemon's keeps a
folder. As the key is everything that decides the arrays, it makes no difference to the byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from regime.fit_jobs import Array


class Memo(Protocol):
    """Gives arrays that are known, or computes them."""

    def __call__(
        self, what: str, made_of: Sequence[Array], compute: Callable[[], Mapping[str, Array]]
    ) -> Mapping[str, Array]:
        """Give what ``compute`` gives.

        ``what`` names the computation with its parameters, ``made_of`` holds every array that it reads.
        """


def no_memo(
    what: str, made_of: Sequence[Array], compute: Callable[[], Mapping[str, Array]]
) -> Mapping[str, Array]:
    """Compute it, whatever was computed before.

    >>> no_memo("nothing", [], lambda: {"found": 1})
    {'found': 1}
    """
    del what, made_of
    return compute()
