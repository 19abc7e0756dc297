"""The labeler of the settings: each constant reaches it, and each makes another version."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from daemon.label_settings import DropSettings, LabelsSettings, ReferenceSettings, RulesSettings
from daemon.labelers import labeler_of
from regime.labels import (
    LABELERS,
    FixedDrop,
    ReferenceConstants,
    ReferenceLabeler,
    RulesConstants,
    RulesLabeler,
    ScaledDrop,
    labeler_named,
)


@pytest.mark.parametrize("has_fear", [True, False])
@pytest.mark.parametrize("name", LABELERS)
def test_default_settings_give_the_default_labeler(name: str, *, has_fear: bool) -> None:
    found = labeler_of(LabelsSettings(labeler=name), has_fear=has_fear)
    assert found == labeler_named(name, has_fear=has_fear)
    assert found.version == labeler_named(name, has_fear=has_fear).version


def test_the_versions_of_the_defaults_are_the_ones_that_histories_were_labelled_with() -> None:
    versions = [
        labeler_of(LabelsSettings(labeler=name), has_fear=has_fear).version
        for name in ("rules", "reference")
        for has_fear in (True, False)
    ]
    assert versions == ["rules-dde252e7", "rules-b2452f78", "reference-d5697f92", "reference-be793958"]


@pytest.mark.parametrize("name", [field.name for field in fields(RulesSettings)])
def test_every_constant_of_the_rules_is_a_setting_and_makes_a_version(name: str) -> None:
    other = getattr(RulesSettings(), name) + 1
    settings = LabelsSettings(rules=replace(RulesSettings(), **{name: other}))
    labeler = labeler_of(settings, has_fear=True)
    assert isinstance(labeler, RulesLabeler)
    assert getattr(labeler.constants, name) == other
    assert labeler.version != labeler_named("rules", has_fear=True).version


@pytest.mark.parametrize("name", [field.name for field in fields(ReferenceSettings)])
def test_every_constant_of_the_reference_is_a_setting_and_makes_a_version(name: str) -> None:
    other = getattr(ReferenceSettings(), name) + 1
    settings = LabelsSettings(labeler="reference", reference=replace(ReferenceSettings(), **{name: other}))
    labeler = labeler_of(settings, has_fear=True)
    assert isinstance(labeler, ReferenceLabeler)
    assert getattr(labeler.constants, name) == other
    assert labeler.version != labeler_named("reference", has_fear=True).version


def test_no_constant_is_without_a_setting() -> None:
    def names(of: type) -> set[str]:
        return {field.name for field in fields(of)}

    assert names(RulesConstants) == names(RulesSettings) | {"drop"}
    assert names(ReferenceConstants) == names(ReferenceSettings) | {"drop"}
    assert names(FixedDrop) | names(ScaledDrop) == names(DropSettings)


def test_the_drop_rule_is_the_fixed_one_with_a_fear_index_and_the_scaled_one_without() -> None:
    drop = DropSettings(return_max=-0.12, floor=0.05, sigmas=3.0, window_days=504, returns_min=100)
    with_fear = labeler_of(LabelsSettings(drop=drop), has_fear=True)
    without = labeler_of(LabelsSettings(labeler="reference", drop=drop), has_fear=False)
    assert with_fear == RulesLabeler(constants=RulesConstants(drop=FixedDrop(return_max=-0.12)))
    assert without == ReferenceLabeler(
        constants=ReferenceConstants(
            drop=ScaledDrop(floor=0.05, sigmas=3.0, window_days=504, returns_min=100)
        )
    )
