"""What needs tools that not every machine has: the Autobahn suite and wsd-chaos. Skipped, saying so, without them."""

import os
import subprocess
from pathlib import Path

import pytest

from harness import BIN, ROOT, Wsd

SHARED = Path(os.environ.get("WSD_SHARED", ROOT.parent / "shared"))
AUTOBAHN = SHARED / "autobahn"


@pytest.mark.skipif(not AUTOBAHN.exists(), reason="the Autobahn suite is not on this machine (WSD_SHARED)")
@pytest.mark.timeout(900)
def test_autobahn_quick():
    config = ("websocket:\n  maxMessageSize: 32MiB\n  maxFragments: 1000000\n  compression:\n    enabled: true\n    threshold: 0\n"
              "hub:\n  heldBytes: 64MiB\n  linkQueue: 64MiB\n")
    with Wsd(workers=1, config=config) as service:
        result = subprocess.run([str(AUTOBAHN), "--url", service.url("/wsd/echo"), "--quick"], capture_output=True, text=True,
                                timeout=850)
        assert result.returncode == 0 and "UNIMPLEMENTED 0" in result.stdout, result.stdout[-4000:] + result.stderr[-2000:]


@pytest.mark.skipif(not (BIN / "wsd-chaos").exists(), reason="wsd-chaos is not built (scripts/test without arguments does)")
@pytest.mark.timeout(200)
def test_a_little_chaos():
    result = subprocess.run([str(ROOT / "scripts" / "chaos"), "--seconds", "15", "--clients", "200", "--rooms", "20", "--workers",
                             "2", "--seed", "1"], capture_output=True, text=True, timeout=190,
                            env={**os.environ, "WSD_BIN": str(BIN)})
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-2000:]
