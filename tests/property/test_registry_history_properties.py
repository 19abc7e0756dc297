"""Whatever is asked of a registry, in whatever order, its memory and its aliases agree."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.errors import AliasConflictError, AliasRefusedError
from registry.history import aliases_after, tenure_at, tenures_of
from registry.store import Registry
from registry.types import Alias, Manifest, Member, MemberStatus
from tests.examples import examples

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MODEL = b"weights"
VERSIONS = ("v1", "v2", "v3")

versions = st.sampled_from(VERSIONS)
believed = st.sampled_from(["as it is", "as it is", "as it is", "v1", None])
aliases = st.sampled_from(list(Alias))
deeds = st.one_of(
    st.tuples(st.just("promote"), st.just(Alias.CHAMPION), versions, believed),
    st.tuples(st.just("rollback"), st.just(Alias.CHAMPION), versions, believed),
    st.tuples(st.just("set"), aliases, versions, believed),
    st.tuples(st.just("clear"), aliases, versions, believed),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def manifest_of(run: str, settings: dict[str, object]) -> Manifest:
    return Manifest(
        run_id=run,
        recipe_hash="recipe",
        data_hash="data",
        data_version="17",
        feature_names=("return_1",),
        feature_hash="features",
        feature_catalogue="1",
        target={},
        classes=("sell", "hold", "buy"),
        settings=settings,
        settings_hash="settings",
        seed=1,
        trained_from=date(2004, 1, 2),
        trained_to=date(2024, 2, 29),
        trained_rows=5000,
        packages={},
        members={
            "mlp": Member(
                status=MemberStatus.FITTED, format="skops", sha256=hashlib.sha256(MODEL).hexdigest()
            )
        },
        created_at=NOON,
    )


def perform(registry: Registry, number: int, deed: tuple[str, Alias, str, str | None]) -> None:
    kind, alias, version, belief = deed
    expected = registry.aliases().get(alias) if belief == "as it is" else belief
    facts: dict[str, Any] = {"reason": "r", "actor": "a", "key": str(number)}
    at = NOON + timedelta(hours=number)
    with suppress(AliasConflictError, AliasRefusedError):
        if kind == "promote":
            registry.promote(version, expected_champion=expected, at=at, **facts)
        elif kind == "rollback":
            registry.rollback(expected_champion=str(expected), at=at, **facts)
        elif kind == "set":
            registry.set_alias(alias, version, expected=expected, at=at, **facts)
        else:
            registry.clear_alias(alias, expected=str(expected), at=at, **facts)


@given(asked=st.lists(deeds, min_size=1, max_size=25))
@examples(10)
def test_events_aliases_and_history_agree_after_any_deeds(
    asked: list[tuple[str, Alias, str, str | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, Registry.open(Path(folder)) as registry:
        for name in VERSIONS:
            registry.register(manifest_of(name, {}), {"mlp": MODEL}, {}, key=name, at=NOON)
        for number, deed in enumerate(asked):
            perform(registry, number, deed)
        events, held = registry.events(), registry.aliases()

        assert registry.verify() == []
        assert aliases_after(events) == held
        assert held.get(Alias.CHAMPION) not in [held.get(alias, "none") for alias in Alias][1:]
        now = registry.history(NOON + timedelta(days=99))
        assert (now.version if now else None) == held.get(Alias.CHAMPION)

        for number, deed in enumerate(asked):
            perform(registry, number, deed)
        done = {event.key for event in events}
        repeated = {event.key for event in registry.events()[len(events) :]}
        assert not done & repeated


@given(asked=st.lists(deeds, max_size=25), hours=st.integers(0, 30))
@examples(10)
def test_history_before_a_time_is_the_same_whatever_comes_after(
    asked: list[tuple[str, Alias, str, str | None]], hours: int
) -> None:
    at = NOON + timedelta(hours=hours)
    with tempfile.TemporaryDirectory() as folder, Registry.open(Path(folder)) as registry:
        for name in VERSIONS:
            registry.register(manifest_of(name, {}), {"mlp": MODEL}, {}, key=name, at=NOON)
        for number, deed in enumerate(asked):
            perform(registry, number, deed)
        seen = tenure_at(tenures_of(event for event in registry.events() if event.at <= at), at)
        known = registry.history(at)
        assert (known.version if known else None) == (seen.version if seen else None)


@given(values=st.dictionaries(st.text(), json_values, max_size=4))
@examples(33)
def test_a_manifest_with_any_settings_survives_its_json(values: dict[str, object]) -> None:
    manifest = manifest_of("run-1", values)
    again = Manifest.of_json(manifest.to_json())
    assert again == manifest
    assert again.sha256() == manifest.sha256()
