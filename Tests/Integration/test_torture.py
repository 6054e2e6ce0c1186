"""A short form of scripts/torture: programs at their worst under clients that never pause."""

import os
import subprocess
import sys

import pytest

from harness import BIN, ROOT


@pytest.mark.timeout(90)
@pytest.mark.parametrize("more", [[], ["--upgrades", "1.5", "--workers", "1"]], ids=["", "upgrades"])
def test_a_little_torture(more):
    result = subprocess.run([sys.executable, str(ROOT / "scripts" / "torture"), "--seconds", "8", "--seed", "1", *more],
                            capture_output=True, text=True, timeout=80, env={**os.environ, "WSD_BIN": str(BIN)})
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
