"""Parts that users bring along, named by where they are: ``package.module:attribute``.

Nothing is remembered here, and nothing is looked for in files: what Python can import is used, so that a
name means the same in every process that has the same packages.
"""

from __future__ import annotations

import re
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Final

from regime.errors import SettingInvalidError

if TYPE_CHECKING:
    from collections.abc import Callable

_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_path(name: str) -> bool:
    """Tell whether a name has the form ``package.module:attribute``.

    >>> [is_path(name) for name in ("own_parts:bayes", "a.b:C.make", "svm", "a:b:c", "a/b:c")].count(True)
    2
    """
    return _PATH.fullmatch(name) is not None


def imported(path: str, setting: str) -> Callable[..., object]:
    """Import the callable that a path names.

    Parameters
    ----------
    path
        ``package.module:attribute``.
    setting
        The setting that holds it, for the sentence of an error.

    Raises
    ------
    SettingInvalidError
        If it has another form, the module is not there or cannot be imported, it has no such attribute, or
        the attribute cannot be called.

    >>> imported("math:hypot", "training.models")(3, 4)
    5.0
    """
    if not is_path(path):
        raise SettingInvalidError(f"{setting}: {path!r} is no path; write it as package.module:attribute")
    module, _, attribute = path.partition(":")
    found = _module(module, path, setting)
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise SettingInvalidError(
                f"{setting}: {path!r} cannot be used, since {module} has no {attribute}; correct the name"
            )
        found = getattr(found, name)
    if not callable(found):
        raise SettingInvalidError(
            f"{setting}: {path!r} is of type {type(found).__name__}, which cannot be called;"
            " name a class or a function"
        )
    return found


def _module(module: str, path: str, setting: str) -> object:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise SettingInvalidError(
                f"{setting}: {path!r} cannot be used, since there is no module {error.name}; install it"
                " beside regimed, or put its folder on PYTHONPATH"
            ) from error
        raise _broken(module, path, setting, error) from error
    except Exception as error:  # foreign code raises what it likes while it is imported
        raise _broken(module, path, setting, error) from error


def _broken(module: str, path: str, setting: str, error: Exception) -> SettingInvalidError:
    return SettingInvalidError(
        f"{setting}: {path!r} cannot be used, since importing {module} raised {type(error).__name__}:"
        f" {error}; correct the module"
    )


def made(path: str, setting: str, **offered: object) -> object:
    """Call the class or factory that a path names, with those of ``offered`` that it has parameters for.

    Raises
    ------
    SettingInvalidError
        If it cannot be imported, or the call fails.

    >>> made("fractions:Fraction", "training.models", numerator=3, has_fear=True)
    Fraction(3, 1)
    """
    make = imported(path, setting)
    taken = {name: value for name, value in offered.items() if name in _parameters(make)}
    try:
        return make(**taken)
    except Exception as error:  # foreign code raises what it likes
        raise SettingInvalidError(
            f"{setting}: calling {path!r} raised {type(error).__name__}: {error}; it must be a class or"
            f" function without further parameters than {', '.join(offered)}"
        ) from error


def _parameters(make: Callable[..., object]) -> frozenset[str]:
    try:
        parameters = signature(make).parameters.values()
    except (TypeError, ValueError):
        return frozenset()  # some callables of C tell nothing
    kinds = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
    return frozenset(parameter.name for parameter in parameters if parameter.kind in kinds)
