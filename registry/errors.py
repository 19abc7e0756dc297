"""What can be wrong with the registry or with what it is asked; the sentence names the remedy."""

from __future__ import annotations


class RegistryError(Exception):
    """Base of every error raised in ``registry``."""


class RegistryMissingError(RegistryError):
    """There is no registry in this folder yet."""


class RegistryUnreadableError(RegistryError):
    """The registry's file is damaged, or is not a registry."""


class RegistryTooNewError(RegistryError):
    """The registry was written by a newer regimed; a downgrade is refused."""


class RegistryTooOldError(RegistryError):
    """The registry awaits a migration, which a reader must not do."""


class RegistryBusyError(RegistryError):
    """Another process kept the registry locked for longer than one may wait."""


class ManifestInvalidError(RegistryError):
    """A manifest, scorecard or report is not what the registry can keep."""


class VersionUnknownError(RegistryError):
    """There is no version of that name."""

    def __init__(self, version: str) -> None:
        super().__init__(f"there is no version {version!r}; `regimed models list` shows those there are")
        self.version = version


class VersionNeededError(RegistryError):
    """A version was to be deleted that still holds a role or is evidence."""

    def __init__(self, version: str, because: str) -> None:
        super().__init__(f"{version} cannot be deleted: it {because}")
        self.version = version
        self.because = because


class AliasConflictError(RegistryError):
    """An alias is held by another version than the caller decided upon.

    Parameters
    ----------
    alias
        The alias that was to be moved.
    expected, actual
        Who the caller believed to hold it, and who does; ``None`` is nobody.
    """

    def __init__(self, alias: str, expected: str | None, actual: str | None) -> None:
        super().__init__(
            f"{alias} is {actual or 'nobody'}, not {expected or 'nobody'}; look again and decide anew"
        )
        self.alias = alias
        self.expected = expected
        self.actual = actual


class AliasRefusedError(RegistryError):
    """An alias was asked to do what it cannot do."""


class KeyReusedError(RegistryError):
    """A key that stands for one deed was used for a different one."""

    def __init__(self, kind: str, key: str, version: str) -> None:
        super().__init__(
            f"the key {key!r} already stands for another deed ({kind} {version}); give a new deed a new key"
        )
        self.key = key
        self.version = version


class ArtifactMissingError(RegistryError):
    """An artifact that should be here is not."""


class ArtifactCorruptError(RegistryError):
    """The bytes of an artifact are not those that its hash stands for."""


class ArtifactTooLargeError(RegistryError):
    """An artifact is larger than the caller allows."""


class ArtifactRefusedError(RegistryError):
    """An artifact is in a format, or holds types, that are never loaded.

    Parameters
    ----------
    sentence
        What was refused, and why.
    names
        The types that are not on the list of trusted types, if that was the reason.
    """

    def __init__(self, sentence: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(sentence)
        self.names = names


class GoldenMismatchError(RegistryError):
    """A version does not predict what it predicted when it was trained."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"{version} does not give the golden predictions that it gave when it was trained; its libraries"
            " are others than then (`regimed models show` names them), or train a new version"
        )
        self.version = version
