"""`wsctl import`: an ecosystem file of PM2, with real apps."""

import http.client
import json
import os
import shutil
import subprocess

import pytest

from harness import BIN, wait_until
from programs import Manager, free_port, manager, read_lines

# As it was for PM2, but for the question mark.
SERVER = """
const server = require('http').createServer((_, response) => response.end(process.env.NODE_ENV + process.env.NODE_APP_INSTANCE))
server.listen(process.env.PORT, '127.0.0.1', () => process.send?.('ready'))
process.on('SIGINT', () => server.close())
"""
ECOSYSTEM = """
module.exports = {
  apps: [
    {
      name: 'api', script: './server.js', wait_ready: true, kill_timeout: 3 * 1000, max_memory_restart: '1G',
      env: { PORT: %d, NODE_ENV: 'development' },
      env_production: { NODE_ENV: 'production' },
    },
    { name: 'job', cwd: 'jobs', script: 'job.sh', args: "one 'two three'", autorestart: false, out_file: '/dev/null' },
  ],
}
"""


@pytest.fixture
def app(tmp_path):
    """A folder with the file as JSON, which node made, and a port for the app."""
    if not shutil.which("node"):
        pytest.skip("there is no node")
    port = free_port()
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "job.sh").write_text('printf "%s\\n" "$@" >done\n')
    (tmp_path / "server.js").write_text(SERVER)
    (tmp_path / "ecosystem.config.js").write_text(ECOSYSTEM % port)
    made = subprocess.run(["node", "-p", "JSON.stringify(require('./ecosystem.config.js'))"], cwd=tmp_path, capture_output=True,
                          text=True, check=True)
    (tmp_path / "ecosystem.json").write_text(made.stdout)
    return tmp_path, port


def answer(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    return connection.getresponse().read().decode()


def test_apps_of_pm2_run(app):
    folder, port = app
    with manager() as pm:
        refused = pm.ctl("import", str(folder / "ecosystem.config.js"), check=False)
        assert refused.returncode == 2 and "node -p" in refused.stderr
        done = pm.ctl("import", str(folder / "ecosystem.json"), "--env", "production")
        assert "start api done" in done.stdout and "Nothing is left to do." in done.stdout, done.stdout
        # The operation ended when the port was open.
        assert answer(port) == "production0"
        wait_until(lambda: read_lines(folder / "jobs" / "done") == ["one", "two three"], "what the job wrote")
        pm.wait_state("job", "finished")

        again = pm.ctl("import", str(folder / "ecosystem.json"), check=False)
        assert again.returncode == 2 and "there is a program api already" in again.stderr
        assert answer(port) == "production0"


def test_it_writes_what_stands_in_the_configuration(app):
    folder, port = app
    # No service is asked.
    printed = subprocess.run([str(BIN / "wsctl"), "import", "ecosystem.json", "--print"], cwd=folder, capture_output=True,
                             text=True, check=True, env={"PATH": os.environ["PATH"], "WSD_SOCKET": str(folder / "nobody")})
    with Manager(config=printed.stdout) as pm:
        pm.wait_state("job", "finished")
        pm.wait_ready("api")
        assert answer(port) == "development0"
        described = json.loads(pm.ctl("describe", "api", "--json").stdout)
        settings = {s["key"]: s["value"] for s in described["settings"]}
        assert settings["stopTimeout"] == "3s" and settings["maxMemory"] == "1GiB" and described["status"]["configured"]
