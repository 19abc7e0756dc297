"""What wakes the loop, from another thread or a signal handler."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue


class Bell:
    """Wakes whoever waits; a ring that nobody waits for is heard by the next who does.

    A signal handler may ring it while the very thread that it interrupts is waiting, where
    ``threading.Event`` would wait for its own lock for ever; ``SimpleQueue.put`` is reentrant.

    >>> bell = Bell()
    >>> bell.ring()
    >>> bell.wait(60)
    True
    >>> bell.wait(0)
    False
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[None] = SimpleQueue()

    def ring(self) -> None:
        """Wake; ringing again before it is heard adds nothing."""
        if self._rings.empty():
            self._rings.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a ring, at most ``timeout_s``; tell whether there was one."""
        with suppress(Empty):
            self._rings.get(timeout=timeout_s)
            return True
        return False
