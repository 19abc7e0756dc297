"""Every command as data, in the order of the help, and the groups that some of them form."""

from __future__ import annotations

from typing import Final

from daemon.commands.menu_data import DATA, FROM, TO
from daemon.commands.menu_entry import Command, arg, at_least
from daemon.commands.menu_models import MODELS
from daemon.commands.menu_running import RUNNING

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
    *RUNNING,
    *DATA,
    *MODELS,
    Command(
        words=("report",),
        text="what predictions and decisions were worth: by regime, against baselines and other policies",
        target="daemon.commands.report:report",
        arguments=(
            arg("--out", metavar="DIR", help="write report.json and report.html into this folder"),
            arg("--open", action="store_true", help="open the page in the browser; default folder: report/"),
        ),
        facts=True,
    ),
    Command(
        words=("serve",),
        text="show the report on a loopback address while somebody looks at it, such as through ssh -L",
        target="daemon.commands.serve:serve",
        arguments=(
            arg("--port", type=int, default=8733, help="default: 8733; 0 takes any that is free"),
            arg(
                "--minutes",
                type=at_least(1),
                default=30,
                help="end when nobody has asked for so long; default: 30",
            ),
        ),
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
        words=("replay",),
        text="run history through the daemon, day by day, and show what it would have done",
        target="daemon.commands.replay:replay",
        arguments=(
            arg(
                "--data", metavar="DIR", help="a folder of bar files; default: what the directory has stored"
            ),
            FROM,
            TO,
            arg("--config", metavar="FILE", help="settings of the replay; default: those of the directory"),
            arg(
                "--into",
                default="replay",
                metavar="DIR",
                help="where it lives, and goes on if it was interrupted; default: replay",
            ),
            arg("--report", metavar="DIR", help="where the report goes; default: report/ in it"),
            arg("--again", action="store_true", help="delete the replay that is there, and begin again"),
            arg("--without", nargs="+", default=(), metavar="SYMBOL", help="symbols to leave out"),
            arg(
                "--fast",
                action="store_true",
                help="a quick look: two models, retrained every four weeks, on fewer rows",
            ),
        ),
        facts=True,
    ),
    Command(
        words=("demo",),
        text="replay the crisis of 2008 on real data, in a few minutes, and show what the daemon did",
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
