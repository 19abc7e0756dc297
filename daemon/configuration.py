"""Reading, checking and rendering the configuration.

All faults of a file are found in one pass and reported together, each with its key, the value that was
given and what is allowed. ``REGIMED_TABLE__KEY`` environment variables override the file.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
import typing
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daemon.errors import SettingsInvalidError
from daemon.markets import clashes
from daemon.own import path_of
from daemon.settings import FEED_NAMES, FeedSettings, MarketSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field
    from pathlib import Path

    from daemon.settings import LabelsSettings

ENVIRONMENT_PREFIX: Final = "REGIMED_"
TABLES_OF_TABLES: Final[dict[str, type]] = {"markets": MarketSettings, "feeds": FeedSettings}
MARKET_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Settings and where each value that is not a default came from (dotted key -> origin)."""

    settings: Settings
    origins: Mapping[str, str]


def read_configuration(path: Path | None, environment: Mapping[str, str]) -> Configuration:
    """Read a configuration file (none: all defaults) and the overrides of the environment.

    Raises
    ------
    SettingsInvalidError
        With every fault of the file and the environment.
    """
    source = str(path) if path else "the environment"
    tables: dict[str, Any] = {}
    if path is not None:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise SettingsInvalidError(
                source, ("the file does not exist; create it with `regimed init DIR`",)
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsInvalidError(source, (f"it is not valid TOML: {error}",)) from error
        except OSError as error:
            raise SettingsInvalidError(source, (f"it cannot be read: {error.strerror}",)) from error
    origins = dict.fromkeys(_leaves(tables), source)
    faults: list[str] = []
    _override(tables, environment, origins, faults)
    settings = _settings(tables, faults)
    if not faults:
        faults.extend(_contradictions(settings))
    if faults:
        raise SettingsInvalidError(source, tuple(faults))
    return Configuration(settings=settings, origins=origins)


def _leaves(table: Mapping[str, Any], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key, value in table.items():
        found.extend(_leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key])
    return found


def _override(
    tables: dict[str, Any], environment: Mapping[str, str], origins: dict[str, str], faults: list[str]
) -> None:
    for name, text in sorted(environment.items()):
        if not name.startswith(ENVIRONMENT_PREFIX) or "__" not in name:
            continue
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        table = tables
        for part in path[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                faults.append(f"{name}: {'.'.join(path)} is not a table")
                break
        else:
            table[path[-1]] = _value_of_text(text)
            origins[".".join(path)] = name


def _value_of_text(text: str) -> object:
    """Read an environment value as TOML where it is, else as plain text."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if isinstance(value, date | time) else value  # settings hold days and times as text


def _settings(tables: Mapping[str, Any], faults: list[str]) -> Settings:
    parts: dict[str, Any] = {}
    known = {field.name: field for field in fields(Settings)}
    faults.extend(f"[{name}]: unknown table{_nearest(name, known)}" for name in tables if name not in known)
    defaults = Settings()
    for name in known:
        given = tables.get(name, {})
        if not isinstance(given, dict):
            faults.append(f"{name} = {given!r}: must be a table, written [{name}]")
        elif name in TABLES_OF_TABLES:
            parts[name] = _table_of_tables(name, given, getattr(defaults, name), faults)
        else:
            parts[name] = _table(name, given, getattr(defaults, name), faults)
    return replace(defaults, **parts)


def _table_of_tables(
    name: str, given: Mapping[str, Any], defaults: Mapping[str, Any], faults: list[str]
) -> Mapping[str, Any]:
    result = dict(defaults) if name == "feeds" or not given else {}
    for key, values in given.items():
        full = f"{name}.{key}"
        if name == "feeds" and key not in FEED_NAMES:
            faults.append(
                f"[{full}]: unknown feed{_nearest(key, FEED_NAMES)}; allowed: {', '.join(FEED_NAMES)}"
            )
        elif not MARKET_NAME.fullmatch(key):
            faults.append(f"[{full}]: a name is lower-case letters, digits and _, at most 32")
        elif not isinstance(values, dict):
            faults.append(f"{full} = {values!r}: must be a table, written [{full}]")
        else:
            result[key] = _table(full, values, defaults.get(key, TABLES_OF_TABLES[name]()), faults)
    return result


def _table(prefix: str, given: Mapping[str, Any], default: Any, faults: list[str]) -> Any:
    types = typing.get_type_hints(type(default))
    known = {field.name: field for field in fields(default)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            faults.append(f"{prefix}.{key}: unknown setting{_nearest(key, known)}")
            continue
        if is_dataclass(types[key]):
            values[key] = _part(f"{prefix}.{key}", value, getattr(default, key), faults)
            continue
        try:
            values[key] = _checked(value, types[key], known[key])
        except ValueError as error:
            faults.append(f"{prefix}.{key} = {_shown(value)}: {error}")
    return replace(default, **values)


def _part(prefix: str, given: Any, default: Any, faults: list[str]) -> Any:
    if isinstance(given, dict):
        return _table(prefix, given, default, faults)
    faults.append(f"{prefix} = {_shown(given)}: must be a table, written [{prefix}]")
    return default


def _checked(value: Any, wanted: Any, field: Field[Any]) -> Any:
    converted = _converted(value, wanted)
    low, high, choices, group = (field.metadata[name] for name in ("low", "high", "choices", "group"))
    if group is not None:
        return _named(converted, field, group)
    if choices:
        for item in converted if isinstance(converted, tuple) else (converted,):
            if item not in choices:
                raise ValueError(f"allowed: {', '.join(choices)}{_nearest(str(item), choices)}")
    if isinstance(converted, tuple) and low is not None and not converted:
        raise ValueError("must have at least one entry")
    for item in converted if isinstance(converted, tuple) else (converted,):
        if low is not None and not low <= item <= (float("inf") if high is None else high):
            raise ValueError(f"must be {_range(low, high)}")
    return converted


def _named(converted: Any, field: Field[Any], group: str) -> Any:
    """Give names with the path in place of each that is an entry point; built-in names come first."""
    if isinstance(converted, tuple):
        return tuple(_path_or_choice(item, field, group) for item in converted)
    return _path_or_choice(converted, field, group)


def _path_or_choice(name: str, field: Field[Any], group: str) -> str:
    choices = field.metadata["choices"]
    if name in choices or name == field.default:
        return name
    path = path_of(name, group)
    if path is None:
        own = f"package.module:attribute, or an entry point of {group}"
        allowed = f"{', '.join(choices)}, or your own: {own}" if choices else own
        raise ValueError(f"allowed: {allowed}{_nearest(name, choices)}")
    return path


def _converted(value: Any, wanted: Any) -> Any:
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError("must be a finite number")
        return float(value)
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted in {bool, str} and isinstance(value, wanted):
        return value
    if typing.get_origin(wanted) is tuple and isinstance(value, list):
        if typing.get_args(wanted)[0] is int:
            return tuple(_converted(item, int) for item in value)
        if all(isinstance(item, str) for item in value):
            return tuple(value)
        raise ValueError("must be a list of texts")
    if typing.get_origin(wanted) is not None and isinstance(value, dict):
        if all(isinstance(item, str) for item in value.values()):
            return dict(value)
        raise ValueError("must be a table of texts")
    raise ValueError(f"must be {_NOUNS.get(wanted, _list_noun(wanted))}")


def _list_noun(wanted: Any) -> str:
    return "a list of whole numbers" if int in typing.get_args(wanted) else "a list of texts"


_NOUNS: Final = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}


def _range(low: float | None, high: float | None) -> str:
    return f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _contradictions(settings: Settings) -> list[str]:
    checks: tuple[tuple[str, str, Callable[[str], object], str], ...] = (
        ("schedule.time", settings.schedule.time, time.fromisoformat, "must be a time HH:MM"),
        ("schedule.timezone", settings.schedule.timezone, ZoneInfo, "must be an IANA time zone"),
        *(
            (f"feeds.{name}.start_day", feed.start_day, _iso_day, "must be an ISO date")
            for name, feed in settings.feeds.items()
        ),
    )
    faults = []
    for key, value, read, wanted in checks:
        try:
            read(value)
        except (ValueError, ZoneInfoNotFoundError, OSError):
            faults.append(f'{key} = "{value}": {wanted}')
    if settings.training.quorum > len(settings.training.models):
        faults.append(
            f"training.quorum = {settings.training.quorum}: must be at most the number of models,"
            f" {len(settings.training.models)}"
        )
    if len(set(settings.training.models)) < len(settings.training.models):
        faults.append(f"training.models = {_shown(settings.training.models)}: name each model once")
    if settings.training.backend == "dask" and not settings.training.address:
        faults.append('training.address = "": name the scheduler, such as "tcp://10.0.0.1:8786"')
    if urlsplit(settings.mirror.mlflow_uri).password:
        faults.append(
            "mirror.mlflow_uri: holds a password, which would be shown; set MLFLOW_TRACKING_USERNAME and"
            " MLFLOW_TRACKING_PASSWORD for the daemon instead"
        )
    if not settings.training.models:
        faults.append("training.models = []: name at least one model")
    faults.extend(_disorders(settings.labels))
    fears = {market.fear for market in settings.markets.values()}
    faults.extend(
        f'markets.{name}.index = "{market.index}": is empty or the fear index of a market'
        for name, market in settings.markets.items()
        if not market.index or market.index in fears
    )
    return faults + _clashes_of_markets(settings)


def _clashes_of_markets(settings: Settings) -> list[str]:
    return [
        f'markets.{clash.market}: "{clash.claim}" has {clash.symbol} in common with "{clash.other_claim}" of'
        f" markets.{clash.other}; a symbol belongs to one market"
        for clash in clashes(settings.markets)
    ]


def _disorders(labels: LabelsSettings) -> list[str]:
    """Give a fault for each pair of label constants that stands in the wrong order."""
    pairs = (
        (labels.rules, "rules", ("low_in", "low_out", "high_out", "high_in", "crash_in")),
        (labels.rules, "rules", ("high_out", "crash_out", "crash_in")),
        (labels.reference, "reference", ("low_below", "high_above", "crash_above")),
        (labels.drop, "drop", ("returns_min", "window_days")),
    )
    return [
        f"labels.{table}.{low} = {getattr(part, low):g}: must be at most {high}, {getattr(part, high):g}"
        for part, table, keys in pairs
        for low, high in pairwise(keys)
        if getattr(part, low) > getattr(part, high)
    ]


def _iso_day(text: str) -> None:
    if date.fromisoformat(text).isoformat() != text:
        raise ValueError("basic and week dates are ISO dates too, but not as numpy reads them")


def render_configuration(settings: Settings) -> str:
    """Give ``settings`` as a commented TOML file, every key with its meaning and what is allowed."""
    lines = [
        "# regimed: every setting with its default. Delete what you do not change; unknown keys are faults.",
        "# Check with `regimed config check`; a running daemon reads this file again on SIGHUP.",
    ]
    for part in fields(settings):
        value = getattr(settings, part.name)
        tables = value.items() if part.name in TABLES_OF_TABLES else [(None, value)]
        for key, table in tables:
            lines += _rendered_table(f"{part.name}.{key}" if key else part.name, table)
    return "\n".join(lines) + "\n"


def _rendered_table(name: str, table: Any) -> list[str]:
    """Give a table's own keys, and the tables inside it below."""
    lines, inner = ["", f"[{name}]"], []
    for entry in fields(table):
        value = getattr(table, entry.name)
        if is_dataclass(value):
            inner += _rendered_table(f"{name}.{entry.name}", value)
        else:
            lines += _rendered(entry, value)
    return lines + inner


def _rendered(entry: Field[Any], value: Any) -> list[str]:
    allowed = ""
    if entry.metadata["choices"]:
        own = ("package.module:attribute",) if entry.metadata["group"] else ()
        allowed = f" ({' | '.join((*entry.metadata['choices'], *own))})"
    elif entry.metadata["low"] is not None:
        allowed = f" ({_range(entry.metadata['low'], entry.metadata['high'])})"
    return [f"# {entry.metadata['text']}{allowed}", f"{entry.name} = {_shown(value)}"]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple | list):
        return f"[{', '.join(_shown(item) for item in value)}]"
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_shown(k)} = {_shown(v)}" for k, v in value.items()) + " }" if value else "{}"
        )
    # TOML knows no surrogate pairs, and wants DEL escaped, which JSON does not.
    return json.dumps(value, default=str, ensure_ascii=False).replace("\x7f", "\\u007f")


def values_of(settings: Settings) -> dict[str, object]:
    """Give every setting by its dotted key, in the order of the file."""
    found: dict[str, object] = {}

    def visit(prefix: str, part: Any) -> None:
        if is_dataclass(part):
            for entry in fields(part):
                visit(f"{prefix}.{entry.name}" if prefix else entry.name, getattr(part, entry.name))
        elif isinstance(part, dict) and any(is_dataclass(value) for value in part.values()):
            for key, value in part.items():
                visit(f"{prefix}.{key}", value)
        else:
            found[prefix] = list(part) if isinstance(part, tuple) else part

    visit("", settings)
    return found


def settings_of_values(values: Mapping[str, object]) -> Settings:
    """Give the settings that ``values_of`` took apart, also after they were JSON.

    >>> settings_of_values(values_of(Settings())) == Settings()
    True
    """
    tables: dict[str, Any] = {}
    for key, value in values.items():
        *path, last = key.split(".")
        table = tables
        for part in path:
            table = table.setdefault(part, {})
        table[last] = value
    faults: list[str] = []
    settings = _settings(tables, faults)
    assert not faults, faults  # noqa: S101 - values of settings are values of settings
    return settings
