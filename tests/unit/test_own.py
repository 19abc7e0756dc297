"""A part of the user's own is found by its path, or refused with one sentence that names the setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from daemon.own import FEATURES, LABELERS, MODELS, path_of
from regime.errors import SettingInvalidError
from regime.own import imported, is_path, made

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = """
from own_broken_helper import nothing
"""
ENTRY_POINTS = """
[regimed.models]
steady = own_thing:Maker.make
strange = own_thing
[regimed.labelers]
steady = own_thing:label
"""


class Maker:
    """A class with a method and a constant to be named."""

    constant = 5

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    @staticmethod
    def make(**anything: int) -> dict[str, int]:
        return anything


def needs_much(first: int, second: int) -> None:
    raise AssertionError((first, second))


@pytest.mark.parametrize("name", ["a:b", "a.b.c:D", "a:D.make", "_a1:b_2"])
def test_a_path_has_a_module_and_an_attribute(name: str) -> None:
    assert is_path(name)


@pytest.mark.parametrize("name", ["", "svm", "a:", ":b", "a.b", "a:b:c", "a..b:c", "../a:b", "a:b()", "1a:b"])
def test_anything_else_is_no_path(name: str) -> None:
    assert not is_path(name)
    with pytest.raises(SettingInvalidError, match=r"x\.y: .* is no path; write it as package\.module:attr"):
        imported(name, "x.y")


def test_a_method_of_a_class_can_be_named() -> None:
    assert imported(f"{__name__}:Maker.make", "x.y")(a=1) == {"a": 1}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (
            "own_nowhere.deep:thing",
            (
                "x.y: 'own_nowhere.deep:thing' cannot be used, since there is no module own_nowhere;"
                " install it beside regimed, or put its folder on PYTHONPATH"
            ),
        ),
        (
            "json.own_nowhere:thing",
            (
                "x.y: 'json.own_nowhere:thing' cannot be used, since there is no module json.own_nowhere;"
                " install it beside regimed, or put its folder on PYTHONPATH"
            ),
        ),
        ("math:hypo", "x.y: 'math:hypo' cannot be used, since math has no hypo; correct the name"),
        (
            "math:pi",
            "x.y: 'math:pi' is of type float, which cannot be called; name a class or a function",
        ),
    ],
)
def test_a_path_that_gives_nothing_is_refused_with_the_setting(path: str, sentence: str) -> None:
    with pytest.raises(SettingInvalidError) as raised:
        imported(path, "x.y")
    assert str(raised.value) == sentence


def test_a_module_that_lacks_another_one_is_told_apart_from_one_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_broken.py").write_text(PACKAGE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingInvalidError) as raised:
        imported("own_broken:thing", "x.y")
    assert str(raised.value) == (
        "x.y: 'own_broken:thing' cannot be used, since importing own_broken raised ModuleNotFoundError: No"
        " module named 'own_broken_helper'; correct the module"
    )


def test_a_module_that_raises_while_it_is_imported_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_raising.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingInvalidError, match="importing own_raising raised ZeroDivisionError: division"):
        imported("own_raising:thing", "x.y")


def test_a_factory_is_given_what_it_has_parameters_for_and_no_more() -> None:
    thing = made(f"{__name__}:Maker", "x.y", seed=7, has_fear=True)
    assert isinstance(thing, Maker)
    assert thing.seed == 7
    assert made(f"{__name__}:Maker.make", "x.y", seed=7) == {}


def test_a_factory_that_needs_more_is_refused() -> None:
    with pytest.raises(SettingInvalidError, match=r"needs_much' raised TypeError: .* parameters than seed$"):
        made(f"{__name__}:needs_much", "x.y", seed=7)


def test_an_entry_point_stands_for_its_path_in_its_own_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "own_thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: own-thing\nVersion: 1\n", encoding="utf-8")
    (folder / "entry_points.txt").write_text(ENTRY_POINTS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert path_of("steady", MODELS) == "own_thing:Maker.make"
    assert path_of("steady", LABELERS) == "own_thing:label"
    assert path_of("steady", FEATURES) is None
    assert path_of("strange", MODELS) is None, "a module alone names nothing that can be called"
