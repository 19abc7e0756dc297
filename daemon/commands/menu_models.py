"""The commands of models: training, the registry, the gate, predictions, drift."""

from __future__ import annotations

from typing import Final

from daemon.commands.menu_entry import DRY_RUN, Command, arg, at_least

REASON = arg("--reason", required=True, help="why; kept in the registry's history")
PLOT_GATE = arg("--plot", metavar="FILE", help="draw a forest plot into a .png or .svg file instead")

MODELS: Final = (
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
        words=("models", "compare"),
        text="two versions side by side: what differs, who was better by regime, what the gate would say",
        target="daemon.commands.model_compare:compare",
        arguments=(
            arg("version", metavar="A", help="such as v2; the gate's candidate"),
            arg("other", metavar="B", help="such as v1; its champion"),
            arg(
                "--policy",
                metavar="NAME|FILE",
                help="default, strict, accuracy or a TOML file; default: gate.policy",
            ),
            PLOT_GATE,
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
        arguments=(
            arg("version", metavar="VERSION", help="such as v1"),
            arg("--policy", action="store_true", help="print the policy it was judged by, as a TOML file"),
            PLOT_GATE,
        ),
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
)
