"""Render the pages that are made from code: ``python docs/generate.py``, or ``make docs``."""  # noqa: INP001 - a script beside the pages

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from daemon.commands.menu import COMMANDS, GROUPS
from daemon.configuration import render_configuration
from daemon.logs import catalogue
from daemon.settings import Settings
from regime.features.page import catalogue_markdown

if TYPE_CHECKING:
    from daemon.commands.menu_entry import Argument, Command

ROOT: Final = Path(__file__).resolve().parents[1]
SCHEMAS: Final = "schemas"

CLI_INTRODUCTION: Final = """\
# Commands

This page is generated from the table of commands. Standard output carries data, everything else goes to
standard error. Wrong use is one sentence with the nearest name, and exit code 2.

`--dir DIR` names the directory of the daemon; its default is `REGIMED_DIR`, else the current directory.
With `--json` a command prints one object with `"schema": 1`, described by a JSON Schema in
[schemas/](schemas/), and a failure prints an object of [schemas/error.json](schemas/error.json) on standard
error.

| exit code | meaning |
|---:|---|
| 0 | done; for `status`: healthy |
| 1 | failed, and said why; for `status`: degraded, with reasons |
| 2 | wrong use, or something that does not exist: a version, run, day, market, file |
| 3 | only `status`: the daemon is not running |
| 4 | only `status`: it cannot be told |
| 65 | only `gate judge`: the evidence has a fault, its row is named |
| 78 | the configuration, or a policy of the gate, has faults, all of them listed |
| 130 | interrupted |
"""

EVENTS_INTRODUCTION: Final = """\
# Events

This page is generated from `daemon/events.toml`. Every event is one line of the log and one row of the
ledger (`regimed events`). Names and ids are stable: alert rules may match them.

`error`: a person must act. `warning`: worth a look, the daemon copes. `info`: something has changed.
"""


def pages() -> dict[Path, str]:
    """Give every generated page by its path in the project."""
    return {
        Path("config.toml"): render_configuration(Settings()),
        Path("docs/cli.md"): cli_page(),
        Path("docs/events.md"): events_page(),
        Path("docs/features.md"): catalogue_markdown(),
    }


def cli_page() -> str:
    """Give the page of all commands, in the order of the table."""
    sections = [CLI_INTRODUCTION]
    told: set[str] = set()
    for command in COMMANDS:
        group = command.words[0]
        if group in GROUPS and group not in told:
            told.add(group)
            sections.append(f"## regimed {group}\n\n{_sentence(GROUPS[group])}\n")
        sections.append(_command(command))
    return "\n".join(sections)


def _command(command: Command) -> str:
    name = " ".join(command.words)
    level = "#" * (len(command.words) + 1)
    usage = " ".join(["regimed", name, *map(_usage, command.arguments), *_common(command)])
    lines = [f"{level} regimed {name}", "", _sentence(command.text), "", "```", usage, "```", ""]
    if rows := [_row(argument) for argument in command.arguments if "help" in argument.options]:
        lines += ["| argument | meaning |", "|---|---|", *rows, ""]
    if command.facts:
        lines += [f"`--json`: [{SCHEMAS}/{schema_name(command)}]({SCHEMAS}/{schema_name(command)})", ""]
    return "\n".join(lines)


def schema_name(command: Command) -> str:
    """Give the file name of the schema of what a command prints with ``--json``."""
    return f"{'-'.join(command.words)}.json"


def _common(command: Command) -> list[str]:
    return ["[--dir DIR]"] + ["[--json]"] * command.facts


def _usage(argument: Argument) -> str:
    options, name = argument.options, argument.names[-1]
    if not name.startswith("-"):
        value = _value(argument)
        return {"?": f"[{value}]", "+": f"{value} …"}.get(options.get("nargs", ""), value)
    shown = name if options.get("action") == "store_true" else f"{name} {_value(argument)}"
    return shown if options.get("required") else f"[{shown}]"


def _value(argument: Argument) -> str:
    if choices := argument.options.get("choices"):
        return "{" + ",".join(choices) + "}"
    return str(argument.options.get("metavar") or argument.names[-1].lstrip("-").upper())


def _row(argument: Argument) -> str:
    name, text = argument.names[-1], argument.options.get("help", "")
    shown = name if name.startswith("-") else _value(argument)
    return f"| `{shown}` | {text} |"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def events_page() -> str:
    """Give the page of all events, in the order of the catalogue."""
    sections = [EVENTS_INTRODUCTION]
    for name, entry in catalogue().items():
        fields = ", ".join(f"`{field}` ({kind})" for field, kind in entry.fields.items()) or "none"
        sections.append(
            f"## {name}\n\n`{entry.id}`, {entry.level}. {entry.meaning}\n\n"
            f"- Do: {entry.action}\n- Fields: {fields}\n"
        )
    return "\n".join(sections)


def main() -> None:
    """Write every page that differs."""
    for path, text in pages().items():
        target = ROOT / path
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            print(path)  # noqa: T201 - a script


if __name__ == "__main__":
    main()
