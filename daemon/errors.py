"""What can go wrong in the runtime; the class says the condition, the sentence names the remedy."""

from __future__ import annotations


class DaemonError(Exception):
    """Base of every error raised in ``daemon``."""


class SettingsInvalidError(DaemonError):
    """The configuration has one or more faults, all of them listed."""

    def __init__(self, source: str, faults: tuple[str, ...]) -> None:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        noun = "fault" if len(faults) == 1 else "faults"
        super().__init__(
            f"{source} has {len(faults)} {noun}; correct them and run the command again:{listed}"
        )
        self.faults = faults


class UsageError(DaemonError):
    """A command was given something that does not exist or cannot be; exit code 2."""


class EvidenceRefusedError(DaemonError):
    """A file of predictions cannot be judged; exit code 65."""


class AlreadyRunningError(DaemonError):
    """Another daemon holds the lock of this directory."""


class JournalError(DaemonError):
    """The journal cannot be used as it is."""


class JournalTooNewError(JournalError):
    """The journal was written by a newer regimed; a downgrade is refused."""


class ChildFailedError(DaemonError):
    """A child process ended without a usable result."""


class FitsLostError(DaemonError):
    """Fits cannot be done, or do not come back from where they were done; no model is to blame."""


class PartMissingError(DaemonError):
    """A file of bars that the journal lists is not there."""

    def __init__(self, part: str) -> None:
        super().__init__(
            f"the bars {part} are missing or cannot be read; see what else is: regimed bars verify;"
            " then restore the state folder from a backup"
        )
        self.part = part


class DataVersionGoneError(DaemonError):
    """The files of an old data version were removed after a compaction."""

    def __init__(self, data_version: int, oldest: int) -> None:
        super().__init__(
            f"the bars of data version {data_version} were removed after a compaction;"
            f" ask for {oldest} or a later one, and keep more with bars.keep_retired_days"
        )
        self.data_version = data_version


class DiskFullError(DaemonError):
    """There is no room to write; the daemon waits and tries again."""
