import resource
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import BIN, Wsd  # noqa: E402


def pytest_configure(config):
    for program in ("wsd", "wsctl"):
        if not (BIN / program).exists():
            raise pytest.UsageError(f"{BIN / program} is missing: run scripts/test, which builds it")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def wsd():
    """A service with two workers, for tests that need nothing special."""
    with Wsd(workers=2) as service:
        yield service
