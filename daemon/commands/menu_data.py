"""The commands of data: bars, labels, features, rare events."""

from __future__ import annotations

from typing import Final

from daemon.commands.menu_entry import DRY_RUN, Command, arg, at_least

INDEX = arg("--index", required=True, metavar="FILE", help="bars of the market index")
FEAR = arg("--fear", metavar="FILE", help="closes of its fear index, such as the VIX; a proxy if left out")
OUT = arg("--out", required=True, metavar="FILE", help="what to write: .csv or .parquet")
FROM = arg("--from", dest="first", metavar="DATE", help="first day")
TO = arg("--to", dest="end", metavar="DATE", help="last day")
MARKET = arg("--market", help="default: the first of the configuration")
LABELER = arg("--labeler", choices=("rules", "reference", "jump"), default="rules", help="default: rules")

DATA: Final = (
    Command(
        words=("bars", "list"),
        text="list the symbols with their days, and what they are stored in",
        target="daemon.commands.bars:list_symbols",
        facts=True,
    ),
    Command(
        words=("bars", "show"),
        text="show the bars of a symbol",
        target="daemon.commands.bars:show",
        arguments=(
            arg("symbol", metavar="SYMBOL", help="as `bars list` shows it"),
            FROM,
            TO,
            arg("--last", type=at_least(1), help="only the last so many of these"),
        ),
        facts=True,
    ),
    Command(
        words=("bars", "verify"),
        text="check every file of bars, and the panel against them; exit 1 if anything is wrong",
        target="daemon.commands.bars:verify",
        facts=True,
    ),
    Command(
        words=("bars", "export"),
        text="write bars into a file that could be ingested again",
        target="daemon.commands.bars:export",
        arguments=(
            OUT,
            arg("--symbol", action="append", metavar="SYMBOL", help="only this one; may be repeated"),
            FROM,
            TO,
        ),
        facts=True,
    ),
    Command(
        words=("label",),
        text="label the days of an index file, without a daemon",
        target="daemon.commands.labels:label",
        arguments=(INDEX, FEAR, LABELER, OUT),
    ),
    Command(
        words=("labels",),
        text="the stored labels of a market",
        target="daemon.commands.labels:labels",
        arguments=(
            arg("--market", help="default: the first of the configuration"),
            arg("--from", dest="first", metavar="DATE", help="first day"),
            arg("--to", dest="last", metavar="DATE", help="last day"),
            arg(
                "--plot",
                metavar="FILE",
                help="draw price, fear, regimes and rare events into a .png or .svg file",
            ),
            arg(
                "--timeline",
                action="store_true",
                help="a line a year, a letter a week; up to 24 months a line a month, a letter a day",
            ),
        ),
        facts=True,
    ),
    Command(
        words=("labels", "explain"),
        text="say which rule gave a day its label, with the numbers, and what another regime would take",
        target="daemon.commands.label_explain:explain",
        arguments=(arg("date", metavar="DATE", help="a labelled day"), MARKET),
        facts=True,
    ),
    Command(
        words=("labels", "diff"),
        text="show the days on which two labelers, or two data versions, differ",
        target="daemon.commands.label_diff:diff",
        arguments=(
            MARKET,
            arg("--from-labeler", metavar="NAME", help="a name or version; default: the one in force"),
            arg("--to-labeler", metavar="NAME", help="a name or version; default: the one in force"),
            arg("--from-version", metavar="N", type=at_least(1), help="data version; default: the newest"),
            arg("--to-version", metavar="N", type=at_least(1), help="data version; default: the newest"),
        ),
        facts=True,
    ),
    Command(
        words=("labels", "facts"),
        text="say how long regimes last, what follows which, and what that means for the one of now",
        target="daemon.commands.label_facts:facts",
        arguments=(MARKET,),
        facts=True,
    ),
    Command(
        words=("features", "list"),
        text="list the features",
        target="daemon.commands.features:list_features",
        facts=True,
    ),
    Command(
        words=("features", "show"),
        text="show the features of a day as they were computed when its bars arrived",
        target="daemon.commands.features:show",
        arguments=(
            arg("--date", metavar="DAY", help="default: the last day"),
            arg("--symbol", action="append", metavar="SYMBOL", help="show its values; may be repeated"),
        ),
        facts=True,
    ),
    Command(
        words=("features", "compute"),
        text="compute all features of a file of bars, without a daemon",
        target="daemon.commands.features:compute",
        arguments=(
            arg("--bars", required=True, metavar="FILE", help="bars of one or more symbols"),
            INDEX,
            FEAR,
            arg("--sectors", metavar="FILE", help="CSV with the columns symbol and sector"),
            OUT,
        ),
    ),
    Command(
        words=("archive", "build"),
        text="build the samples of rare events that are due, of the stored bars or of files",
        target="daemon.commands.archive:build",
        arguments=(
            arg("--event", action="append", metavar="ID", help="only this event; may be repeated"),
            arg("--bars", metavar="FILE", help="instead of the stored bars: bars of one or more symbols"),
            arg("--index", metavar="FILE", help="bars of the market index, with --bars"),
            arg("--fear", metavar="FILE", help="closes of its fear index, with --bars; a proxy if left out"),
            arg("--out", metavar="DIR", help="where to write, with --bars"),
            DRY_RUN,
        ),
        facts=True,
    ),
    Command(
        words=("archive", "list"),
        text="list rare events and how far each is archived",
        target="daemon.commands.archive:list_events",
        facts=True,
    ),
    Command(
        words=("archive", "show"),
        text="show one event: its manifest, and its labels beside its nominal regime",
        target="daemon.commands.archive:show",
        arguments=(arg("event", metavar="ID", help="as `archive list` shows it"),),
        facts=True,
    ),
    Command(
        words=("archive", "verify"),
        text="check the files of the archive; exit 1 and a sentence for each fault",
        target="daemon.commands.archive:verify",
        facts=True,
    ),
    Command(
        words=("archive", "drop"),
        text="declare that a captured event is none; its days are not captured again",
        target="daemon.commands.archive:drop",
        arguments=(
            arg("event", metavar="ID", help="as `archive list` shows it"),
            arg("--reason", required=True, help="why; kept with the event"),
            DRY_RUN,
        ),
        facts=True,
    ),
)
