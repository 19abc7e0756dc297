"""The configuration: every fault at once, overrides by the environment, and a file that explains itself."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.configuration import Configuration, read_configuration, render_configuration, values_of
from daemon.errors import SettingsInvalidError
from daemon.label_settings import LabelsSettings, RulesSettings
from daemon.markets import by_market
from daemon.settings import (
    FeedSettings,
    IngestSettings,
    MarketSettings,
    ScheduleSettings,
    Settings,
    WatchSettings,
)
from tests.examples import examples

CHECKOUT = Path(__file__).parents[2]
DEFAULT_FILE = CHECKOUT / "config.toml"
ALL_MODELS = "random_forest, xgboost, lightgbm, extra_trees, gradient_boosting, logistic_regression, svm, mlp"


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Configuration:
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return read_configuration(path, environment or {})


def faults(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalidError) as caught:
        read(tmp_path, text, environment)
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return caught.value.faults


def test_without_a_file_everything_has_its_default() -> None:
    assert read_configuration(None, {}) == Configuration(settings=Settings(), origins={})


def test_a_policy_of_ones_own_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('base = "strict"\nalpha = 0.08\n', encoding="utf-8")
    assert read(tmp_path, '[gate]\npolicy = "mine.toml"').settings.gate.policy == "mine.toml"


def test_all_faults_of_the_policy_are_told_with_those_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("alhpa = 1\nblocks = 1\n", encoding="utf-8")
    assert faults(tmp_path, '[gate]\npolicy = "mine.toml"\nautomatic = 1\nsectors = "absent.csv"') == (
        "gate.automatic = 1: must be true or false",
        "gate.policy = \"mine.toml\": unknown key 'alhpa': did you mean alpha?",
        'gate.policy = "mine.toml": blocks = 1: give a whole number from 2 to 64',
        f'gate.sectors = "absent.csv": {tmp_path}/absent.csv cannot be read: No such file or directory',
    )


def test_a_policy_that_is_not_there_or_no_toml_is_a_fault(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, '[gate]\npolicy = "mine.toml"')
    assert said == 'gate.policy = "mine.toml": there is no such file; see: regimed gate policy'
    (tmp_path / "mine.toml").write_text("alpha =", encoding="utf-8")
    (said,) = faults(tmp_path, '[gate]\npolicy = "mine.toml"')
    assert said.startswith('gate.policy = "mine.toml": it is no TOML')


def test_a_policy_that_asks_for_sectors_needs_a_file_of_them(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("sector_margin = 0.02", encoding="utf-8")
    (said,) = faults(tmp_path, '[gate]\npolicy = "mine.toml"')
    assert said.startswith('gate.sectors = "": the policy asks for sectors (sector_margin)')
    (tmp_path / "sectors.csv").write_text("name,sector\nSPY,\n", encoding="utf-8")
    (said,) = faults(tmp_path, '[gate]\npolicy = "mine.toml"\nsectors = "sectors.csv"')
    assert "needs the columns symbol and sector" in said
    (tmp_path / "sectors.csv").write_text("symbol,sector\nAAPL,Technology\n", encoding="utf-8")
    text = '[gate]\npolicy = "mine.toml"\nsectors = "sectors.csv"'
    assert read(tmp_path, text).settings.gate.sectors == "sectors.csv"


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "").settings == Settings()


def test_config_toml_of_the_project_is_what_the_settings_render_to() -> None:
    assert DEFAULT_FILE.read_text(encoding="utf-8") == render_configuration(Settings())


def test_config_toml_reads_back_to_the_defaults() -> None:
    assert read_configuration(DEFAULT_FILE, {}).settings == Settings()


def test_every_key_of_the_rendered_file_stands_under_a_comment_and_none_is_missing() -> None:
    lines = render_configuration(Settings()).splitlines()
    for before, line in pairwise(lines):
        if " = " in line and not line.startswith("#"):
            assert before.startswith("# ")
            assert len(before) > 5
    keys = [line.split(" = ")[0] for line in lines if " = " in line and not line.startswith("#")]
    assert len(keys) == len(values_of(Settings()))


def test_a_value_of_the_file_is_used_and_its_origin_known(tmp_path: Path) -> None:
    found = read(tmp_path, '[log]\nlevel = "error"\n[daemon]\nidle_wait_s = 2\n')
    assert found.settings.log.level == "error"
    assert found.settings.daemon.idle_wait_s == 2.0
    path = str(tmp_path / "config.toml")
    assert found.origins == {"log.level": path, "daemon.idle_wait_s": path}


@pytest.mark.parametrize(
    ("name", "text", "key", "value"),
    [
        ("REGIMED_LOG__LEVEL", "error", "log.level", "error"),
        ("REGIMED_DAEMON__ATTEMPTS_MAX", "7", "daemon.attempts_max", 7),
        ("REGIMED_DAEMON__IDLE_WAIT_S", "0.5", "daemon.idle_wait_s", 0.5),
        ("REGIMED_LABELS__RULES__CRASH_IN", "36", "labels.rules.crash_in", 36.0),
        ("REGIMED_GATE__AUTOMATIC", "false", "gate.automatic", False),
        ("REGIMED_MARKETS__US__INDEX", "^SPX", "markets.us.index", "^SPX"),
        (
            "REGIMED_TRAINING__MODELS",
            '["svm", "mlp", "xgboost"]',
            "training.models",
            ["svm", "mlp", "xgboost"],
        ),
        ("REGIMED_INGEST__SYMBOLS", '{ "^SPX" = "^GSPC" }', "ingest.symbols", {"^SPX": "^GSPC"}),
        ("REGIMED_SCHEDULE__TIME", "20:30", "schedule.time", "20:30"),
        ("REGIMED_SCHEDULE__TIME", "20:30:00", "schedule.time", "20:30:00"),
        ("REGIMED_FEEDS__CBOE_VIX__START_DAY", "2004-01-02", "feeds.cboe_vix.start_day", "2004-01-02"),
        ("REGIMED_MARKETS__US__FEAR", "", "markets.us.fear", ""),
    ],
)
def test_the_environment_overrides_the_file(
    tmp_path: Path, name: str, text: str, key: str, value: object
) -> None:
    file = '[log]\nlevel = "warning"\n[markets.us]\nindex = "^DJI"\n[training]\nquorum = 2\n'
    found = read(tmp_path, file, {name: text, "PATH": "/bin", "REGIMED_DIR": "x"})
    assert values_of(found.settings)[key] == value
    assert found.origins[key] == name


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = """
unknown = 1
[daemon]
idle_wait_s = "long"
attempts_max = 0
stop_grace_s = true
[gate]
policy = "lenient"
automatic = "yes"
[training]
models = ["svm", "lightbgm"]
quorum = 2.5
[feed]
[feeds.cboe_vixx]
[markets.US]
[markets.eu]
index = 5
[log]
colour = "red"
"""
    environment = {"REGIMED_LOG__LEVEL__DEEP": "1", "REGIMED_WATCH__SCAN_S": "-1"}
    assert sorted(faults(tmp_path, text, environment)) == sorted(
        [
            "[unknown]: unknown table",
            'daemon.idle_wait_s = "long": must be a number',
            "daemon.attempts_max = 0: must be between 1 and 100",
            "daemon.stop_grace_s = true: must be a number",
            'gate.policy = "lenient": allowed: default, strict, accuracy, or a file whose name ends in .toml',
            'gate.automatic = "yes": must be true or false',
            (
                f'training.models = ["svm", "lightbgm"]: allowed: {ALL_MODELS}, or your own:'
                " package.module:attribute, or an entry point of regimed.models (did you mean lightgbm?)"
            ),
            "training.quorum = 2.5: must be a whole number",
            "[feed]: unknown table (did you mean feeds?)",
            "[feeds.cboe_vixx]: unknown feed (did you mean cboe_vix?); allowed: cboe_vix, yahoo_chart",
            "[markets.US]: a name is lower-case letters, digits and _, at most 32",
            "markets.eu.index = 5: must be a text",
            "log.colour: unknown setting",
            'log.level = { "deep" = 1 }: must be a text',
            "watch.scan_s = -1: must be between 0.1 and 86400",
        ]
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[daemon]\nidle_wait = 1", "daemon.idle_wait: unknown setting (did you mean idle_wait_s?)"),
        ("daemon = 1", "daemon = 1: must be a table, written [daemon]"),
        ("[markets]\nus = 1", "markets.us = 1: must be a table, written [markets.us]"),
        ("[watch]\narchive = [1]", "watch.archive = [1]: must be a list of texts"),
        ('[watch]\narchive = "folder"', 'watch.archive = "folder": must be a list of texts'),
        ('[ingest]\nsymbols = { "a" = 1 }', 'ingest.symbols = { "a" = 1 }: must be a table of texts'),
        ("[scoring]\ntime_limit_s = inf", "scoring.time_limit_s = Infinity: must be a finite number"),
        (
            "[feeds.cboe_vix]\npoll_every_s = nan",
            "feeds.cboe_vix.poll_every_s = NaN: must be a finite number",
        ),
        ("[ingest]\nrows_max = 0", "ingest.rows_max = 0: must be at least 1"),
        ('[schedule]\ntime = "25:00"', 'schedule.time = "25:00": must be a time HH:MM'),
        ('[schedule]\ntimezone = "Mars"', 'schedule.timezone = "Mars": must be an IANA time zone'),
        ('[schedule]\ntimezone = "America"', 'schedule.timezone = "America": must be an IANA time zone'),
        ('[schedule]\ntimezone = "../etc"', 'schedule.timezone = "../etc": must be an IANA time zone'),
        (
            '[feeds.cboe_vix]\nstart_day = "19990104"',
            'feeds.cboe_vix.start_day = "19990104": must be an ISO date',
        ),
        (
            '[training]\nmodels = ["svm", "mlp"]\nquorum = 3',
            "training.quorum = 3: must be at most the number of models, 2",
        ),
        (
            '[training]\nbackend = "dask"',
            'training.address = "": name the scheduler, such as "tcp://10.0.0.1:8786"',
        ),
        (
            '[training]\nmodels = ["svm", "svm"]\nquorum = 1',
            'training.models = ["svm", "svm"]: name each model once',
        ),
        ("[labels]\nrules = 1", "labels.rules = 1: must be a table, written [labels.rules]"),
        (
            "[labels.rules]\ncrash_inn = 36",
            "labels.rules.crash_inn: unknown setting (did you mean crash_in?)",
        ),
        ("[labels.rules]\nconfirm_days = 0", "labels.rules.confirm_days = 0: must be between 1 and 252"),
        ("[labels.drop]\nreturn_max = 0.15", "labels.drop.return_max = 0.15: must be between -0.9 and -0.01"),
        ("[labels.rules]\nlow_in = 17", "labels.rules.low_in = 17: must be at most low_out, 16"),
        ("[labels.rules]\ncrash_out = 36", "labels.rules.crash_out = 36: must be at most crash_in, 35"),
        (
            "[labels.reference]\nlow_below = 26",
            "labels.reference.low_below = 26: must be at most high_above, 25",
        ),
        (
            "[labels.drop]\nwindow_days = 60",
            "labels.drop.returns_min = 252: must be at most window_days, 60",
        ),
        ('[markets.us]\nindex = ""', 'markets.us.index = "": is empty or the fear index of a market'),
        ('[markets.us]\nindex = "^VIX"', 'markets.us.index = "^VIX": is empty or the fear index of a market'),
    ],
)
def test_a_fault_names_the_key_the_value_and_what_is_allowed(tmp_path: Path, text: str, fault: str) -> None:
    assert faults(tmp_path, text) == (fault,)


def test_parts_of_ones_own_are_named_by_their_paths(tmp_path: Path) -> None:
    text = """
[training]
models = ["svm", "own_parts:vote"]
quorum = 1
trusted_types = ["own_parts.WeightedNeighbours"]
[features]
own = "own_parts:candles"
[labels]
labeler = "own_parts:DrawdownLabeler"
"""
    found = read(tmp_path, text).settings
    assert found.training.models == ("svm", "own_parts:vote")
    assert found.training.trusted_types == ("own_parts.WeightedNeighbours",)
    assert found.features.own == "own_parts:candles"
    assert found.labels.labeler == "own_parts:DrawdownLabeler"


def test_a_name_that_is_neither_built_in_nor_of_ones_own_is_a_fault(tmp_path: Path) -> None:
    text = '[features]\nown = "candles"\n[labels]\nlabeler = "rulez"\n'
    assert faults(tmp_path, text) == (
        (
            'labels.labeler = "rulez": allowed: rules, reference, jump, or your own:'
            " package.module:attribute, or an entry point of regimed.labelers (did you mean rules?)"
        ),
        'features.own = "candles": allowed: package.module:attribute, or an entry point of regimed.features',
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            '[markets.us]\nsymbols = ["AAPL"]\n[markets.eu]\nindex = "^STOXX"\nsymbols = ["AAPL"]',
            'markets.eu: "AAPL" has AAPL in common with "AAPL" of markets.us',
        ),
        (
            '[markets.us]\n[markets.crypto]\nindex = "BTC-USD"\nfear = ""\nsymbols = ["^*"]',
            'markets.crypto: "^*" has ^GSPC in common with "^GSPC" of markets.us',
        ),
        (
            '[markets.us]\nsymbols = ["*-USD"]\n[markets.eu]\nindex = "^STOXX"\nsymbols = ["E[TU]H-*"]',
            'markets.eu: "E[TU]H-*" has ETH-USD in common with "*-USD" of markets.us',
        ),
        (
            '[markets.us]\n[markets.copy]\nfear = ""',
            'markets.copy: "^GSPC" has ^GSPC in common with "^GSPC" of markets.us',
        ),
    ],
)
def test_a_symbol_of_two_markets_is_a_fault_that_names_both(tmp_path: Path, text: str, fault: str) -> None:
    assert f"{fault}; a symbol belongs to one market" in faults(tmp_path, text)


def test_the_two_markets_of_the_documentation_are_a_configuration(tmp_path: Path) -> None:
    page = (CHECKOUT / "docs" / "markets.md").read_text(encoding="utf-8")
    markets = read(tmp_path, page.split("```toml\n")[1].split("```")[0]).settings.markets
    assert by_market(markets, ["AAPL", "ETH-EUR", "SOL-EUR", "^VIX"]) == {
        "us": ["AAPL", "SOL-EUR", "^VIX"],
        "crypto": ["ETH-EUR"],
    }


def test_the_fault_of_the_documentation_is_the_one_that_is_told(tmp_path: Path) -> None:
    text = '[markets.us]\nsymbols = ["BTC-*"]\n[markets.crypto]\nindex = "X"\nfear = ""\nsymbols = ["*-USD"]'
    (fault,) = faults(tmp_path, text)
    assert fault in (CHECKOUT / "docs" / "markets.md").read_text(encoding="utf-8")


def test_two_markets_may_share_a_fear_index(tmp_path: Path) -> None:
    text = '[markets.us]\n[markets.small]\nindex = "^RUT"\nsymbols = ["IWM"]\n'
    assert read(tmp_path, text).settings.markets["small"].fear == "^VIX"


def test_no_models_at_all_is_a_fault_of_its_own(tmp_path: Path) -> None:
    assert "training.models = []: name at least one model" in faults(tmp_path, "[training]\nmodels = []")


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"[daemon", "it is not valid TOML"), (b"\xff\xfe", "it is not valid TOML")],
)
def test_a_file_that_is_no_toml_is_a_fault(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(SettingsInvalidError, match=fault):
        read_configuration(tmp_path / "config.toml", {})


def test_a_missing_file_is_a_fault_that_names_the_command_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalidError, match="create it with `regimed init DIR`"):
        read_configuration(tmp_path / "nowhere.toml", {})
    with pytest.raises(SettingsInvalidError, match="it cannot be read"):
        read_configuration(tmp_path, {})


def test_an_override_inside_a_plain_value_is_a_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, 'log = "loud"\n', {"REGIMED_LOG__LEVEL": "error"})
    assert "REGIMED_LOG__LEVEL: log.level is not a table" in found


def test_named_markets_replace_the_default_one_and_feeds_keep_theirs(tmp_path: Path) -> None:
    text = '[markets.eu]\nindex = "^STOXX"\nfear = "^V2TX"\n[feeds.cboe_vix]\nenabled = true\n'
    found = read(tmp_path, text).settings
    assert dict(found.markets) == {"eu": MarketSettings(index="^STOXX", fear="^V2TX")}
    assert found.feeds["cboe_vix"] == FeedSettings(enabled=True, symbols=("^VIX",))
    assert found.feeds["yahoo_chart"] == Settings().feeds["yahoo_chart"]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@examples(60)
@given(
    index=texts.filter(bool),
    calendar=texts,
    members=st.lists(texts, max_size=3),
    archive=st.lists(texts, max_size=3),
    symbols=st.dictionaries(texts, texts, max_size=3),
    scan_s=st.floats(0.1, 86400),
    enabled=st.booleans(),
)
def test_any_settings_read_back_as_they_were_rendered(
    *,
    index: str,
    calendar: str,
    members: list[str],
    archive: list[str],
    symbols: dict[str, str],
    scan_s: float,
    enabled: bool,
) -> None:
    rendered = replace(
        Settings(),
        markets={"a_1": MarketSettings(index=index, fear="", calendar=calendar, symbols=tuple(members))},
        watch=WatchSettings(archive=tuple(archive), scan_s=scan_s),
        ingest=IngestSettings(symbols=symbols),
        schedule=ScheduleSettings(enabled=enabled),
    )
    tables = tomllib.loads(render_configuration(rendered))
    market = {"index": index, "fear": "", "calendar": calendar, "symbols": members}
    assert tables["markets"] == {"a_1": market}
    assert tables["watch"]["archive"] == archive
    assert tables["watch"]["scan_s"] == scan_s
    assert tables["ingest"]["symbols"] == symbols
    assert tables["schedule"]["enabled"] is enabled


def test_a_rendered_file_of_changed_settings_reads_back_to_them(tmp_path: Path) -> None:
    changed = replace(
        Settings(),
        markets={
            "us": MarketSettings(),
            "crypto": MarketSettings(index="BTC-USD", fear="", calendar="24/7", symbols=("ETH-*",)),
        },
        watch=WatchSettings(archive=("/data/a b", 'quo"te', "\U0001f4c8")),
        ingest=IngestSettings(symbols={"^SPX": "^GSPC"}),
        labels=LabelsSettings(labeler="reference", rules=RulesSettings(crash_in=36.5, confirm_days=2)),
    )
    assert read(tmp_path, render_configuration(changed)).settings == changed
