"""The package is built and used as a stranger's machine would: with a compiler, and without one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
CHECKOUT = Path(__file__).resolve().parents[2]
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "regimed.py", "daemon", "regime", "registry")
FEATURES = """
import ctypes, sys
import numpy as np
from regime.features import compute_features
from regime.features.engine import IS_COMPILED
from regime.types import Bars
if sys.argv[1] == "without-new-code":  # what systemd's MemoryDenyWriteExecute asks of the kernel
    assert ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0) == 0, "the kernel knows no PR_SET_MDWE"
days = np.arange("2022-01-01", "2023-06-01", dtype="M8[D]")
close = 100 + np.cumsum(np.sin(np.arange(len(days)) ** 1.3))
bars = Bars.of("A", days, close, close + 1, close - 1, close, np.full(len(days), 1e6))
table = compute_features(bars, index=bars)
print(IS_COMPILED, int(np.isfinite(table.values[-1]).sum()), *table.values[-1, :5].round(9).tolist())
"""


def built(folder: Path, **environment: str) -> Path:
    """Build a wheel of a copy of the sources, unpack it, and give the folder with the packages."""
    source, wheels, packages = folder / "source", folder / "wheels", folder / "packages"
    source.mkdir()
    for name in SOURCES:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(
                CHECKOUT / name, source / name, ignore=shutil.ignore_patterns("*.so", "__pycache__")
            )
        else:
            shutil.copy(CHECKOUT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--wheel-dir", wheels, source],
        check=True,
        capture_output=True,
        env=os.environ | environment,
    )
    (wheel,) = wheels.iterdir()
    assert wheel.name.endswith("-cp311-abi3-linux_x86_64.whl") or os.uname().machine != "x86_64"
    zipfile.ZipFile(wheel).extractall(packages)
    return packages


def features_of(packages: Path, manner: str = "plainly") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-P", "-c", FEATURES, manner],
        check=True,
        capture_output=True,
        text=True,
        cwd=packages,
        env=os.environ | {"PYTHONPATH": str(packages)},
    )
    return done.stdout.split()


def test_an_install_without_a_compiler_computes_the_same_features(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    compiled = features_of(built(tmp_path / "with"))
    plain = features_of(built(tmp_path / "without", CC="false"))
    assert (compiled[0], plain[0]) == ("True", "False")
    assert compiled[1:] == plain[1:]
    assert int(compiled[1]) > 160


def test_features_need_no_memory_that_is_written_and_then_run() -> None:
    assert features_of(CHECKOUT, "without-new-code") == features_of(CHECKOUT)
