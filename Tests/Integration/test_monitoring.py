"""What docs/operations.md and deploy/ say of figures, against the figures of a running service."""

import re
import shutil
import subprocess

import pytest

from harness import ROOT, Wsd, wait_until

ALERTS = ROOT / "deploy" / "prometheus-alerts.yml"
MANUAL = ROOT / "docs" / "operations.md"


def asked(text):
    """Names of metrics, those of a histogram or a summary without what is appended."""
    names = set(re.findall(r"\bwsd_[a-z_]+\b", text))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


@pytest.fixture(scope="module")
def figures():
    """Names that a service has which stores histories, calls webhooks and keeps a program, with the labels of each."""
    config = "rooms: { defaults: { historySize: 5 } }\nprograms: [{ name: api, command: sleep 1000 }]\n"
    with Wsd(workers=2, config=config) as wsd:
        wsd.ctl("publish", "room", "1")
        wait_until(lambda: "wsd_history_recorded_total 1" in wsd.http("GET", "/metrics")[1], "the hub's figures")
        found = {}
        for line in wsd.http("GET", "/metrics")[1].splitlines():
            if line.startswith("# TYPE "):
                found[line.split()[2]] = set()
            elif match := re.match(r"(wsd_\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? ", line):
                found.setdefault(match[1], set()).update(re.findall(r'(\w+)="', match[2] or ""))
        yield found


def test_the_alerts_ask_for_what_is_there(figures):
    rules = ALERTS.read_text()
    names = asked("\n".join(re.findall(r"expr: (.*)", rules)))
    assert len(names) >= 8 and names <= set(figures), names - set(figures)
    # By what they are summed up; Prometheus adds instance, and hook comes with the first webhook.
    grouped = {label.strip() for labels in re.findall(r"by \(([^)]*)\)", rules) for label in labels.split(",")}
    assert grouped - {"instance", "hook"} <= {label for labels in figures.values() for label in labels}
    table = MANUAL.read_text()
    for alert in re.findall(r"alert: (\w+)", rules):
        assert f"| `{alert}` |" in table, f"{alert} is not in docs/operations.md"


def test_the_manual_names_figures_that_are_there(figures):
    text = MANUAL.read_text().partition("\n## Monitoring\n")[2].partition("\n## ")[0]
    assert asked(text) and asked(text) <= set(figures), asked(text) - set(figures)


def test_the_alerts_are_rules_for_prometheus():
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("no promtool on this machine (Debian: prometheus)")
    checked = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True, timeout=30)
    assert checked.returncode == 0 and "10 rules found" in checked.stdout, checked.stdout + checked.stderr
