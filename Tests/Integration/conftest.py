import fcntl
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import BIN, Wsd  # noqa: E402

# scripts/test runs two tests at a time (pytest-xdist): each file goes to one process as a whole, with what it made for itself.
# These share the package and a systemd in a box, and go to the same one.
TOGETHER = {name: "box" for name in ("test_systemd", "test_package", "test_systemd_programs", "test_memory")}
# What takes long begins first, so that no process waits for another at the end.
FIRST = ["box", "test_suites", "test_proxies", "test_tls", "test_torture"]

# Names the folder of their locks to the processes of one run.
LOCKS = "PYTEST_WSD_LOCKS"


def pytest_configure(config):
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[LOCKS] = tempfile.mkdtemp(prefix="wsd-test-locks-")
        config.add_cleanup(lambda: shutil.rmtree(os.environ[LOCKS], ignore_errors=True))
    for program in ("wsd", "wsctl"):
        if not (BIN / program).exists():
            raise pytest.UsageError(f"{BIN / program} is missing: run scripts/test, which builds it")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.pluginmanager.hasplugin("xdist"):
        return
    groups = {item: TOGETHER.get(item.path.stem, item.path.stem) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: FIRST.index(groups[item]) if groups[item] in FIRST else len(FIRST))


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_protocol(item):
    """Holds a lock that all tests share, but for one that is to be alone."""
    folder = Path(os.environ[LOCKS])
    with open(folder / "turn", "w") as turn, open(folder / "running", "w") as running:
        # Who waits to be alone has the turn, so that nobody else begins meanwhile.
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(running, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield


@pytest.fixture
def wsd():
    """A service with two workers, for tests that need nothing special."""
    with Wsd(workers=2) as service:
        yield service
