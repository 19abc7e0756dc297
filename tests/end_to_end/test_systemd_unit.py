"""The unit file, as systemd itself reads it; `.ci/system-packages` installs what this needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "regimed.service"

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed; run .ci/system-packages",
)


def _analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_systemd_accepts_the_unit() -> None:
    verified = _analyze("verify", str(UNIT))

    assert (verified.returncode, verified.stderr) == (0, "")


def test_the_unit_exposes_no_more_than_1_2_of_10() -> None:
    rated = _analyze("security", "--offline=true", "--threshold=12", str(UNIT))

    assert rated.returncode == 0, rated.stdout[-400:]
