"""Every command as data: its words, what it does, its arguments, and where the function is that does it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Argument(NamedTuple):
    """One argument of a command, as ``argparse`` wants it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def arg(*names: str, **options: Any) -> Argument:
    """Declare an argument."""
    return Argument(names=names, options=options)


class Command(NamedTuple):
    """One command: its words, what it does, its arguments, and the function that does it."""

    words: tuple[str, ...]
    text: str
    target: str
    arguments: tuple[Argument, ...] = ()
    facts: bool = False


def at_least(low: int) -> Callable[[str], int]:
    """Give a reader of whole numbers that refuses smaller ones."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {low}")
        return int(text)

    return read


INDEX = arg("--index", required=True, metavar="FILE", help="bars of the market index")
FEAR = arg("--fear", metavar="FILE", help="closes of its fear index, such as the VIX; a proxy if left out")
OUT = arg("--out", required=True, metavar="FILE", help="what to write: .csv or .parquet")
REASON = arg("--reason", required=True, help="why; kept in the registry's history")
FROM = arg("--from", dest="first", metavar="DATE", help="first day")
TO = arg("--to", dest="end", metavar="DATE", help="last day")
MARKET = arg("--market", help="default: the first of the configuration")
LABELER = arg("--labeler", choices=("rules", "reference", "jump"), default="rules", help="default: rules")

PLOT_GATE = arg("--plot", metavar="FILE", help="draw a forest plot into a .png or .svg file instead")
DRY_RUN = arg("--dry-run", action="store_true", help="only say what would be done")

GROUPS: Final = {
    "archive": "samples of rare events, of the catalogue and captured",
    "bars": "the stored bars",
    "config": "check and show the configuration",
    "features": "the catalogue of features, and their values",
    "gate": "whether one model may replace another, regime by regime",
    "messages": "what waits in the journal, and dead letters",
    "models": "the model registry",
    "quarantine": "refused files",
    "runs": "training runs",
}

COMMANDS: Final = (
    Command(
        words=("init",),
        text="lay out a directory: config.toml, inbox/, quarantine/, state/",
        target="daemon.commands.directory:init",
        arguments=(arg("directory", metavar="DIR", nargs="?", help="default: --dir"),),
    ),
    Command(words=("run",), text="run the daemon until SIGTERM", target="daemon.commands.directory:run"),
    Command(
        words=("status",),
        text="how the daemon is; exit 0 healthy, 1 degraded, 3 not running, 4 unknown",
        target="daemon.commands.status:status",
        facts=True,
    ),
    Command(
        words=("ingest",),
        text="copy files into the inbox, so that a half-written file is never seen",
        target="daemon.commands.directory:ingest",
        arguments=(arg("files", nargs="+", metavar="FILE", help="prices in a known format"),),
    ),
    Command(
        words=("quarantine", "list"),
        text="list refused files",
        target="daemon.commands.quarantine:list_files",
        facts=True,
    ),
    Command(
        words=("quarantine", "show"),
        text="say why a file was refused",
        target="daemon.commands.quarantine:show",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
        facts=True,
    ),
    Command(
        words=("quarantine", "release"),
        text="let the daemon take a refused file in again, as after a change of settings",
        target="daemon.commands.quarantine:release",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
    ),
    Command(
        words=("quarantine", "drop"),
        text="forget a refused file",
        target="daemon.commands.quarantine:drop",
        arguments=(arg("file", metavar="FILE", help="its name in the quarantine folder"),),
    ),
    Command(
        words=("events",),
        text="the ledger of events",
        target="daemon.commands.events:events",
        arguments=(
            arg("--name", default="", help="only events whose name starts so, such as gate."),
            arg("--limit", type=at_least(0), default=20, help="how many of the last, default: 20; 0 for all"),
            arg("--follow", action="store_true", help="go on as events happen"),
        ),
        facts=True,
    ),
    Command(
        words=("messages", "list"),
        text="list waiting messages by kind, and dead letters",
        target="daemon.commands.messages:list_messages",
        facts=True,
    ),
    Command(
        words=("messages", "retry"),
        text="give a dead letter another chance",
        target="daemon.commands.messages:retry",
        arguments=(arg("id", metavar="ID", type=int, help="as `messages list` shows it"),),
    ),
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
    Command(
        words=("train",),
        text="ask the daemon for a training run",
        target="daemon.commands.runs:train",
        arguments=(arg("--now", action="store_true", required=True, help="at once, beside the schedule"),),
        facts=True,
    ),
    Command(
        words=("runs", "list"), text="list training runs", target="daemon.commands.runs:list_runs", facts=True
    ),
    Command(
        words=("runs", "show"),
        text="show one training run",
        target="daemon.commands.runs:show",
        arguments=(
            arg("run", metavar="RUN", help="its id, or last"),
            arg("--follow", action="store_true", help="show its progress until it ends"),
        ),
        facts=True,
    ),
    Command(
        words=("models", "list"),
        text="list model versions",
        target="daemon.commands.models:list_models",
        facts=True,
    ),
    Command(
        words=("models", "show"),
        text="show a version: what it is made of, its scores beside baselines, what it looks at, its verdict",
        target="daemon.commands.models:show",
        arguments=(
            arg("version", metavar="VERSION", help="such as v1"),
            arg(
                "--plot",
                metavar="FILE",
                help="draw reliability, skill and top features by regime into a .png or .svg file",
            ),
        ),
        facts=True,
    ),
    Command(
        words=("models", "live"),
        text="what came of a version's daily predictions, made before the outcome was known",
        target="daemon.commands.live:live",
        arguments=(arg("version", metavar="VERSION", nargs="?", help="such as v1; default: the champion"),),
        facts=True,
    ),
    Command(
        words=("models", "promote"),
        text="make a version champion by hand",
        target="daemon.commands.models:promote",
        arguments=(arg("version", metavar="VERSION", help="such as v1"), REASON),
        facts=True,
    ),
    Command(
        words=("models", "rollback"),
        text="make the previous champion champion again, and freeze automatic promotion",
        target="daemon.commands.models:rollback",
        arguments=(REASON,),
        facts=True,
    ),
    Command(
        words=("models", "freeze"),
        text="promote nothing automatically from now on; the gate still judges",
        target="daemon.commands.freeze:freeze",
        arguments=(REASON,),
        facts=True,
    ),
    Command(
        words=("models", "unfreeze"),
        text="let the gate promote automatically again, as after a rollback",
        target="daemon.commands.freeze:unfreeze",
        arguments=(REASON,),
        facts=True,
    ),
    Command(
        words=("models", "verify"),
        text="check artifacts, manifests and the chain of events",
        target="daemon.commands.models:verify",
        facts=True,
    ),
    Command(
        words=("models", "history"),
        text="say which version served when and why, or who served at a date",
        target="daemon.commands.model_history:history",
        arguments=(
            arg("--at", metavar="DATE", help="a day, or a time such as 2024-03-01T14:30; UTC if no zone"),
        ),
        facts=True,
    ),
    Command(
        words=("models", "prune"),
        text="delete versions that nothing needs, by the policy of [registry] in config.toml",
        target="daemon.commands.model_prune:prune",
        arguments=(DRY_RUN,),
        facts=True,
    ),
    Command(
        words=("models", "card"),
        text="write what a version is for, made of and worth, with its limits, as Markdown or HTML",
        target="daemon.commands.card:card",
        arguments=(
            arg("version", metavar="VERSION", help="such as v1"),
            arg("--html", action="store_true", help="one HTML file that loads nothing"),
            arg("--to", metavar="FILE", help="where to write; default: standard output"),
        ),
    ),
    Command(
        words=("models", "export"),
        text="write a version into a new folder, for another registry or another program",
        target="daemon.commands.exchange:export",
        arguments=(
            arg("version", metavar="VERSION", help="such as v1"),
            arg(
                "--format",
                choices=("dir", "mlflow", "onnx"),
                default="dir",
                help="plain files, a model folder of MLflow, or the reason why ONNX cannot hold it",
            ),
            arg("--to", required=True, metavar="FOLDER", help="a folder that is not there yet, or empty"),
        ),
        facts=True,
    ),
    Command(
        words=("models", "mirror"),
        text="send to MLflow what it lacks of the registry: versions, their scores and cards, aliases",
        target="daemon.commands.mirror:mirror",
        arguments=(
            arg("--to", metavar="URI", help="where to; default: mirror.mlflow_uri of the configuration"),
            DRY_RUN,
        ),
        facts=True,
    ),
    Command(
        words=("models", "import"),
        text="examine an exported folder, and register it as a new version without a role",
        target="daemon.commands.exchange:import_version",
        arguments=(
            arg("folder", metavar="FOLDER", help="what `models export` wrote, in the format dir"),
            arg("--seal", metavar="HEX", help="what the export said; another folder is refused"),
        ),
        facts=True,
    ),
    Command(
        words=("gate", "judge"),
        text="judge a file of predictions of any two models; exit 0 whatever the verdict, 65 for bad data",
        target="daemon.commands.gate:judge_file",
        arguments=(
            arg("--evidence", required=True, metavar="FILE", help="CSV or parquet, see docs/gate.md"),
            arg(
                "--policy",
                default="default",
                metavar="NAME|FILE",
                help="default, strict, accuracy or a TOML file; default: default",
            ),
            arg("--trained-to", metavar="DATE", help="last day of training; rows up to it are refused"),
            arg(
                "--kind",
                choices=("change", "refit"),
                default="change",
                help="change must be better, refit (the same recipe, newer data) only safe; default: change",
            ),
            arg(
                "--judged-before",
                type=at_least(0),
                default=0,
                metavar="N",
                help="candidates already judged on this evidence, default: 0",
            ),
            PLOT_GATE,
        ),
        facts=True,
    ),
    Command(
        words=("gate", "explain"),
        text="what the gate said of a version, with every number that it used, as tables and forest plots",
        target="daemon.commands.gate:explain",
        arguments=(arg("version", metavar="VERSION", help="such as v1"), PLOT_GATE),
        facts=True,
    ),
    Command(
        words=("gate", "policy"),
        text="print a policy as a TOML file to start from, with the meaning of each field",
        target="daemon.commands.gate_policy:show",
        arguments=(arg("name", metavar="NAME", nargs="?", default="default", help="default: default"),),
    ),
    Command(
        words=("predict",),
        text="the champion's class probabilities for a day, or why it abstains",
        target="daemon.commands.predict:predict",
        arguments=(arg("--date", metavar="DATE", help="default: the last day"),),
        facts=True,
    ),
    Command(
        words=("drift",),
        text="what the drift monitors see",
        target="daemon.commands.drift:drift",
        arguments=(arg("--last", type=at_least(1), default=1, help="readings of each monitor, default: 1"),),
        facts=True,
    ),
    Command(
        words=("simulate",),
        text="write the bars of a simulated market, to rehearse with",
        target="daemon.commands.simulate:simulate_market",
        arguments=(
            arg("--out", required=True, metavar="DIR", help="where to write the files"),
            arg("--symbols", type=int, default=10, help="default: 10"),
            arg("--days", type=int, default=2520, help="trading days, default: 2520"),
            arg("--start", default="2010-01-04", metavar="DATE", help="first day, default: 2010-01-04"),
            arg("--seed", type=int, default=1, help="default: 1"),
        ),
    ),
    Command(
        words=("demo",),
        text="the whole life of a daemon on real data, in a few minutes",
        target="daemon.commands.demo:demo",
        arguments=(arg("--keep", metavar="DIR", default="demo", help="where to leave it, default: demo/"),),
    ),
    Command(
        words=("config", "check"),
        text="check the configuration; all faults at once, exit 78",
        target="daemon.commands.config:check",
        facts=True,
    ),
    Command(
        words=("config", "show"),
        text="show every setting",
        target="daemon.commands.config:show",
        arguments=(arg("--origin", action="store_true", help="and where its value comes from"),),
        facts=True,
    ),
)
