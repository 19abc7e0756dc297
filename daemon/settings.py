"""Every setting, with its type, default, unit, range and meaning.

The dataclasses below are the single source: ``config.toml`` is rendered from them, ``config check``
validates against them, and the code that uses a setting gets only its part.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the types are read at run time
from dataclasses import dataclass, field
from typing import Final

from daemon import own
from daemon.label_settings import LabelsSettings
from daemon.setting import setting

MODEL_NAMES: Final = (
    "random_forest",
    "xgboost",
    "lightgbm",
    "extra_trees",
    "gradient_boosting",
    "logistic_regression",
    "svm",
    "mlp",
)
POLICY_SUFFIX: Final = ".toml"
"""Of a policy of the gate that is a file of the user's own."""
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonSettings:
    """The loop."""

    idle_wait_s: float = setting(1.0, "longest sleep of an idle loop, in seconds", low=0.01, high=60)
    attempts_max: int = setting(5, "attempts before a message becomes a dead letter", low=1, high=100)
    retry_wait_s: float = setting(
        5.0, "wait before the second attempt, in seconds; doubles each time", low=0, high=3600
    )
    stop_grace_s: float = setting(
        5.0, "how long a child may take to end when asked, in seconds", low=0.1, high=60
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """Where files come from."""

    archive: tuple[str, ...] = setting(
        (), "folders that are watched and never changed, beside inbox/; absolute or relative to this file"
    )
    scan_s: float = setting(
        60.0, "seconds between full scans, which find what file events missed", low=0.1, high=86400
    )
    still_ms: int = setting(
        5, "a file is read once its size and time stood still this long, in milliseconds", low=0, high=60000
    )
    batch_max: int = setting(256, "files taken in one turn of the loop", low=1, high=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Reading files."""

    file_bytes_max: int = setting(256 * 2**20, "larger files are refused, in bytes", low=1024)
    rows_max: int = setting(20_000_000, "files with more rows are refused", low=1)
    decoded_bytes_max: int = setting(
        2**31, "parquet files that decode to more are refused, in bytes", low=1024
    )
    inline_bytes_max: int = setting(4 * 2**20, "larger files are parsed in a child process, in bytes", low=0)
    time_limit_s: float = setting(120.0, "time limit of that child, in seconds", low=1, high=86400)
    memory_limit_mib: int = setting(4096, "memory limit of that child, in MiB", low=256)
    symbols: Mapping[str, str] = setting({}, 'symbols to rename on arrival, such as "^SPX" = "^GSPC"')


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketSettings:
    """One market: what its regimes are computed from."""

    index: str = setting("^GSPC", "symbol of the index whose closes are labelled")
    fear: str = setting("^VIX", 'symbol of its fear index; "" if it has none (a volatility proxy is used)')
    calendar: str = setting(
        "XNYS", 'exchange calendar by ISO code, "weekdays", or "24/7" for markets that never close'
    )
    symbols: tuple[str, ...] = setting(
        (),
        'its symbols, by name or pattern such as "BTC-*"; empty: for the first market all that no other has,'
        " else the index alone",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsSettings:
    """Stored bars."""

    deltas_max: int = setting(
        64, "deltas that are read one by one; one more, and all become year files", low=1, high=10_000
    )
    keep_retired_days: float = setting(
        7.0, "how long the files that a compaction replaced are kept at least, in days", low=0
    )
    time_limit_s: float = setting(600.0, "time limit of the child that compacts, in seconds", low=1)
    memory_limit_mib: int = setting(4096, "its memory limit, in MiB", low=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesSettings:
    """The 179 features."""

    enabled: bool = setting(default=True, text="compute the features of a day when its bars arrive")
    threads: int = setting(1, "threads that compute features, in the daemon and in children", low=1, high=64)
    keep_days: int = setting(30, "days whose features are kept for inspection", low=1, high=250)
    own: str = setting(
        "",
        "function that gives columns of your own beside the 179, see docs/extending.md",
        group=own.FEATURES,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Training runs."""

    target: str = setting(
        "reference", "what is predicted", choices=("reference", "triple_barrier", "vol_scaled")
    )
    weights: str = setting(
        "reference",
        "weight of a training row by its regime",
        choices=("reference", "none", "uniqueness", "inverse_frequency", "auto"),
    )
    sampling: str = setting(
        "natural", "shares of the regimes among training rows", choices=("natural", "reference", "uniform")
    )
    replication_max: int = setting(5, "how often over-sampling may repeat a row", low=1, high=100)
    window_years: float = setting(0.0, "length of a rolling training window; 0: all history", low=0, high=100)
    archive_share: float = setting(
        0.0, "share of training rows drawn from rare events before the window", low=0, high=0.9
    )
    rows_max: int = setting(25_000, "rows of a fit above which only each n-th session is taken", low=1000)
    ensemble: str = setting(
        "barrier_plus", "how members become one", choices=("barrier_plus", "mean", "stacking")
    )
    start_from: str = setting("barrier", "what the models start from", choices=("barrier", "nothing"))
    market_features: bool = setting(
        default=False, text="let models see features that all symbols of a day share"
    )
    calibration: str = setting("none", "recalibrate the ensemble by regime", choices=("none", "regime"))
    crisis_exam: bool = setting(
        default=False,
        text="let every rare event be predicted by models that never saw it; eight more fits each",
    )
    ablation: bool = setting(default=True, text="fit controls that say what weights and sampling were worth")
    models: tuple[str, ...] = setting(
        MODEL_NAMES, "members of the ensemble", choices=MODEL_NAMES, group=own.MODELS
    )
    trusted_types: tuple[str, ...] = setting(
        (), "full names of further types that stored models of your own may hold"
    )
    quorum: int = setting(5, "members that must be fitted for a run to succeed", low=1, high=8)
    fold_years: int = setting(3, "length of a walk-forward fold, in calendar years", low=1, high=10)
    train_years_min: float = setting(3.0, "history before the first fold, in years", low=0.5, high=50)
    embargo_days: int = setting(10, "trading days left out before each fold", low=0, high=252)
    processes: int = setting(2, "processes that fit models side by side", low=1, high=256)
    backend: str = setting(
        "local",
        "where models are fitted: here, or by dask workers (docs/scaling.md)",
        choices=("local", "dask"),
    )
    address: str = setting("", 'the dask scheduler, such as "tcp://10.0.0.1:8786"')
    dask_wait_s: float = setting(
        30.0, "a run without an answer or workers for longer has failed, in seconds", low=0.1, high=3600
    )
    cache_mib: int = setting(
        2048, "size of state/fits, from which a fit is taken that was done before, in MiB; 0: none", low=0
    )
    seed: int = setting(20240106, "seed of everything random in a run", low=0)
    time_limit_s: float = setting(4 * 3600.0, "a run that takes longer has failed, in seconds", low=1)
    memory_limit_mib: int = setting(8192, "memory limit of each process of a run, in MiB", low=512)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """The archive of rare events, and the capture of new ones."""

    enabled: bool = setting(default=True, text="capture rare events, and archive the samples of each")
    fear_min: float = setting(40.0, "fear at which a day may belong to a new event, in VIX points", low=1)
    crash_share_min: float = setting(
        0.5, "share of the last sessions that must be labelled a crash for it", low=0, high=1
    )
    window_days: int = setting(10, "how many sessions those are, the day's own included", low=1, high=252)
    days_min: int = setting(3, "such days running that open an event", low=1, high=252)
    gap_days: int = setting(20, "sessions without such a day that close it", low=1, high=252)
    same_share: float = setting(
        0.5, "an event of which known ones cover this share of the days is none of its own", low=0, high=1
    )
    weight: float = setting(
        0.1, "weight of a captured event; those of the catalogue have .05 to .2", low=0.01
    )
    time_limit_s: float = setting(600.0, "time limit of the child that builds the archive, in seconds", low=1)
    memory_limit_mib: int = setting(4096, "its memory limit, in MiB", low=512)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """Promotion."""

    policy: str = setting(
        "default",
        "the gate's policy, or a file of your own (`regimed gate policy`); absolute or relative to this file",
        choices=("default", "strict", "accuracy"),
        suffix=POLICY_SUFFIX,
    )
    sectors: str = setting(
        "", "CSV with the columns symbol and sector, by which the gate also reads; empty: it reads none"
    )
    automatic: bool = setting(default=True, text="promote by itself what the gate lets through")
    shadow_looks: tuple[int, ...] = setting(
        (40, 60, 90, 120),
        "matured fresh days after which a shadow is judged; unproven after the last, it is dropped",
        low=10,
        high=1000,
    )
    probation_days: int = setting(
        60, "matured fresh days for which the champion before goes on and may come back", low=10, high=1000
    )
    freeze_after_rollback: bool = setting(
        default=True, text="after a rollback promote nothing by itself until `regimed models unfreeze`"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """What `models prune` keeps beside every version that holds an alias or is evidence."""

    keep_last: int = setting(50, "the last so many versions", low=1, high=100_000)
    keep_served_days: float = setting(
        1095.0, "and all that were champion within so many days", low=0, high=36_500
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingSettings:
    """When `predict` and the Python client abstain."""

    age_max_days: float = setting(
        365.0,
        "days between the last day of training and the day predicted; older abstains, 0: never",
        low=0,
        high=36_500,
    )
    missing_share_max: float = setting(
        0.25, "a row of which a larger share of the features is not known abstains", low=0, high=1
    )
    outside_share_max: float = setting(
        0.1,
        "a row of which a larger share lies far outside the range of the training days abstains",
        low=0,
        high=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleSettings:
    """When to retrain."""

    enabled: bool = setting(default=True, text="retrain by schedule; a missed slot is caught up once")
    weekday: str = setting("saturday", "day of the week", choices=WEEKDAYS)
    every_weeks: int = setting(1, "weeks from one retraining to the next", low=1, high=520)
    time: str = setting("21:00", "time of day in the zone below, HH:MM")
    timezone: str = setting("America/New_York", "IANA name of the exchange's time zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringSettings:
    """Daily predictions and drift readings."""

    enabled: bool = setting(default=True, text="predict and update the drift monitors when bars arrive")
    time_limit_s: float = setting(600.0, "time limit of the child that does it, in seconds", low=1)
    memory_limit_mib: int = setting(4096, "its memory limit, in MiB", low=512)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """One pull feed; off until enabled."""

    enabled: bool = setting(default=False, text="poll this feed")
    base_url: str = setting("", "where to ask; the built-in address if empty")
    symbols: tuple[str, ...] = setting((), "symbols to ask for, where the feed has several")
    start_day: str = setting("1999-01-01", "first day of the first request, ISO date")
    poll_every_s: float = setting(6 * 3600.0, "seconds between polls", low=1)
    timeout_s: float = setting(20.0, "time limit of one request, in seconds", low=0.1, high=600)
    attempts_max: int = setting(4, "attempts in one poll", low=1, high=20)
    deadline_s: float = setting(120.0, "time limit of one poll with all attempts, in seconds", low=1)
    stale_sessions: int = setting(2, "sessions without news after which the feed is stale", low=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSettings:
    """A mirror of the registry on an MLflow server; nothing waits for it (docs/exchange.md)."""

    mlflow_uri: str = setting(
        "", 'where to send versions and aliases, such as "http://127.0.0.1:5000"; empty: nowhere'
    )
    model: str = setting("regimed", "name of the registered model and of the experiment there")
    timeout_s: float = setting(10.0, "time limit of one request, in seconds", low=0.1, high=600)
    time_limit_s: float = setting(300.0, "time limit of the child that sends, in seconds", low=1)
    memory_limit_mib: int = setting(2048, "its memory limit, in MiB", low=512)
    batch_max: int = setting(50, "events of the registry that one child deals with", low=1, high=10_000)
    attempts_max: int = setting(
        12, "attempts before the mirror goes on without what cannot be sent", low=1, high=1000
    )
    retry_wait_s: float = setting(
        60.0, "wait before the second attempt, in seconds; doubles each time", low=0, high=86_400
    )
    retry_wait_max_s: float = setting(3600.0, "and is never longer than this", low=0, high=86_400)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """Logs."""

    level: str = setting(
        "info", "lowest level that is written", choices=("debug", "info", "warning", "error")
    )
    format: str = setting("json", "one JSON object a line, or text for people", choices=("json", "console"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings of one daemon."""

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    markets: Mapping[str, MarketSettings] = field(default_factory=lambda: {"us": MarketSettings()})
    bars: BarsSettings = field(default_factory=BarsSettings)
    labels: LabelsSettings = field(default_factory=LabelsSettings)
    features: FeaturesSettings = field(default_factory=FeaturesSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    serving: ServingSettings = field(default_factory=ServingSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    feeds: Mapping[str, FeedSettings] = field(
        default_factory=lambda: {
            "cboe_vix": FeedSettings(symbols=("^VIX",)),
            "yahoo_chart": FeedSettings(symbols=("^GSPC",)),
        }
    )
    mirror: MirrorSettings = field(default_factory=MirrorSettings)
    log: LogSettings = field(default_factory=LogSettings)


FEED_NAMES: Final = ("cboe_vix", "yahoo_chart")
