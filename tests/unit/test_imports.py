"""Importing without looking for garbage: afterwards it is looked for as before."""

from __future__ import annotations

import gc

import pytest

from daemon.imports import import_whole


def test_the_module_is_given_and_garbage_is_looked_for_again() -> None:
    assert import_whole("daemon.layout").__name__ == "daemon.layout"
    assert gc.isenabled()


def test_garbage_is_looked_for_again_after_an_import_that_failed() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        import_whole("daemon.nowhere")
    assert gc.isenabled()


def test_who_had_switched_it_off_finds_it_switched_off() -> None:
    gc.disable()
    try:
        import_whole("daemon.layout")
        assert not gc.isenabled()
    finally:
        gc.enable()
