"""The command line: parses arguments, then imports only what the chosen command needs.

Standard output carries data, everything else goes to standard error. Exit codes: 0 success, 1 failure,
2 wrong use, 65 evidence that cannot be judged, 78 wrong configuration; ``status`` has its own, see its help.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

from daemon.commands.menu import COMMANDS, GROUPS
from daemon.commands.menu_entry import arg
from daemon.imports import import_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from daemon.commands.menu_entry import Argument, Command

PROGRAM: Final = "regimed"
HELP_WIDTH: Final = 100
EXIT_FAILURE: Final = 1
EXIT_USAGE: Final = 2
EXIT_DATA: Final = 65
EXIT_CONFIGURATION: Final = 78
EXIT_INTERRUPTED: Final = 130


class Parser(argparse.ArgumentParser):
    """A parser whose complaint is one sentence with the nearest name."""

    def _get_formatter(self) -> argparse.HelpFormatter:
        """Give the formatter of help; asked for the width itself, it would import ``shutil`` every time."""
        width = os.get_terminal_size().columns if sys.stdout.isatty() else HELP_WIDTH
        return argparse.HelpFormatter(self.prog, width=width - 2)

    def knows(self, option: str) -> bool:
        """Tell whether it has an option of this name."""
        return option in self._option_string_actions

    def stray_of(self, options: argparse.Namespace, above: Parser) -> str | None:
        """Give an option that was given to the command above and means nothing to this one."""
        for action in above._actions:
            is_given = getattr(options, action.dest, action.default) != action.default
            if action.option_strings and is_given and not self.knows(action.option_strings[0]):
                return action.option_strings[0]
        return None

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and leave with exit code 2."""
        import difflib  # noqa: PLC0415 - only on failure
        import re  # noqa: PLC0415 - only on failure

        chosen = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if chosen:
            given, known = chosen.group(1), re.findall(r"'?([^',\s]+)'?", chosen.group(2))
            near = difflib.get_close_matches(given, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            message = f"there is no {given!r} here; {hint}"
        complain(message, f"{self.prog} --help", as_json="--json" in sys.argv, code=EXIT_USAGE)
        sys.exit(EXIT_USAGE)

    def refuse(self, unknown: str) -> NoReturn:
        """Say which argument is not known here, and leave with exit code 2."""
        import difflib  # noqa: PLC0415 - only on failure

        if not unknown.startswith("-"):
            self.error(f"{unknown!r} is one argument too many")
        option = unknown.partition("=")[0]
        near = difflib.get_close_matches(option, list(self._option_string_actions), n=1)
        self.error(f"there is no option {option} here" + (f"; did you mean {near[0]}?" if near else ""))


def complain(message: str, todo: str, *, as_json: bool, code: int) -> None:
    """Print an error on standard error: a sentence, or an object under ``--json``."""
    if as_json:
        error = {"schema": 1, "error": {"code": code, "message": message, "try": todo}}
        print(json.dumps(error), file=sys.stderr)
    else:
        print(f"regimed: {message}", file=sys.stderr)
        if todo:
            print(f"try: {todo}", file=sys.stderr)


def build_parser(commands: Sequence[Command] = COMMANDS) -> Parser:
    """Give the parser of some commands, or of all."""
    parser = Parser(
        prog=PROGRAM,
        allow_abbrev=False,
        description="A continuous-learning daemon that keeps market models honest.",
        epilog="A directory is given by --dir or REGIMED_DIR; the default is the current one.",
    )
    parser.add_argument("--version", dest="print_version", action="store_true", help="print the version")
    parser.set_defaults(parser=parser)
    # Named here, because argparse would import its formatter to find the same name.
    top = parser.add_subparsers(dest="command", metavar="COMMAND", prog=PROGRAM, parser_class=Parser)
    groups: dict[str, Any] = {}
    leaves: dict[str, Parser] = {}
    for command in commands:
        above = leaves.get(command.words[0])
        place = top if len(command.words) == 1 else _group(command.words[0], above, groups, top)
        leaf = place.add_parser(
            command.words[-1], help=command.text, description=command.text, allow_abbrev=False
        )
        for argument in (*command.arguments, *_common(command)):
            # What the command above knows too may stand on either side of this one's word.
            is_above = above is not None and above.knows(argument.names[0])
            kept = {"default": argparse.SUPPRESS} if is_above else {}
            leaf.add_argument(*argument.names, **{**argument.options, **kept})
        leaf.set_defaults(target=command.target, parser=leaf, above=above)
        leaves.setdefault(" ".join(command.words), leaf)
    return parser


def _group(group: str, above: Parser | None, groups: dict[str, Any], top: Any) -> Any:
    """Give where the commands of a group go; a group that is a command itself needs none of them."""
    if group not in groups:
        parser = above or top.add_parser(group, help=GROUPS[group], description=GROUPS[group])
        groups[group] = parser.add_subparsers(
            dest="subcommand",
            metavar="COMMAND",
            prog=f"{PROGRAM} {group}",
            required=above is None,
            parser_class=Parser,
        )
    return groups[group]


def _common(command: Command) -> Iterator[Argument]:
    """Give the arguments that every command has."""
    yield arg(
        "--dir",
        default=os.environ.get("REGIMED_DIR", "."),
        metavar="DIR",
        help="the directory of the daemon; default: REGIMED_DIR or the current one",
    )
    if command.facts:
        yield arg("--json", action="store_true", help="one JSON object instead of text")


def main(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    parser = build_parser(_wanted(arguments))
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        options.parser.refuse(unknown[0])
    if options.print_version:
        print(import_module("regimed").__version__)
        return 0
    if options.command is None:
        parser.print_help(sys.stderr)
        return EXIT_USAGE
    stray = options.parser.stray_of(options, options.above) if options.above else None
    if stray:
        options.parser.refuse(stray)
    module, _, function = options.target.partition(":")
    try:
        return int(getattr(import_whole(module), function)(options))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        complain(str(error), "", as_json=getattr(options, "json", False), code=code)
        return code


def _wanted(arguments: Sequence[str]) -> Sequence[Command]:
    """Give the commands whose parsers are needed: making all of them takes longer than ``status``."""
    first = arguments[0] if arguments else ""
    if first == "--version":
        return ()
    return [command for command in COMMANDS if command.words[0] == first] or COMMANDS


def exit_code_of(error: Exception) -> int | None:
    """Give the exit code of an error that speaks to people, ``None`` for a fault of ours."""
    from daemon.errors import (  # noqa: PLC0415 - only on failure
        DaemonError,
        EvidenceRefusedError,
        SettingsInvalidError,
        UsageError,
    )
    from regime.errors import RegimeError  # noqa: PLC0415 - only on failure
    from regime.events import EventUnknownError  # noqa: PLC0415 - only on failure
    from registry.errors import RegistryError, VersionUnknownError  # noqa: PLC0415 - only on failure

    match error:
        case SettingsInvalidError():
            return EXIT_CONFIGURATION
        case EvidenceRefusedError():
            return EXIT_DATA
        case UsageError() | VersionUnknownError() | EventUnknownError():
            return EXIT_USAGE
        case DaemonError() | RegimeError() | RegistryError() | OSError():
            return EXIT_FAILURE
        case _:
            return None
