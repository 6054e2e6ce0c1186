"""The examples for platforms: their values fit what wsd does, and wsd does under them what the platform expects."""

import contextlib
import http.client
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import time
import tomllib

import pytest
import yaml

from container import DOCKERFILE, image
from harness import BIN, ROOT, Client, Wsd, alive, process_tree, run, wait_until

DEPLOY = ROOT / "deploy"
# Longest that the platform waits after its signal, by its documentation (seconds).
LIMITS = {"render": 300, "fly": 300, "heroku": 30}
# Over which the platform's router closes a silent connection.
IDLE = {"render": 100, "fly": 60, "heroku": 55}
# Beside the drain: the hub's end, the last log lines, and what a busy machine needs.
MARGIN = 5


class Example:
    """What a platform's files say, in the same words for each."""

    def __init__(self, name):
        self.name = name
        getattr(self, f"_{name}")()
        self.settings = {key: value for key, value in self.env.items() if key.startswith("WSD_")}
        shown = subprocess.run([BIN / "wsd", "--prod", "--config", "/dev/null", "--print-config"], capture_output=True, text=True,
                               env={"PATH": os.environ["PATH"], **self.env})
        assert shown.returncode == 0, shown.stderr
        assert not shown.stderr, shown.stderr
        self.config, self.sources = {}, {}
        for line in shown.stdout.splitlines():
            key, value, source = re.fullmatch(r"([A-Za-z.]+): (.*?) *# (.*)", line).groups()
            self.config[key], self.sources[key] = value, source

    def _render(self):
        (service,) = yaml.safe_load((DEPLOY / "render.yaml").read_text())["services"]
        self.env = {entry["key"]: entry["value"] for entry in service["envVars"]}
        self.health, self.wait = service["healthCheckPath"], service["maxShutdownDelaySeconds"]
        self.signal, self.instances, self.memory = "SIGTERM", service["numInstances"], 512
        self.dockerfile, self.target = service["dockerfilePath"], None
        assert service["type"] == "web" and service["runtime"] == "docker" and service["dockerContext"] == "."

    def _fly(self):
        app = tomllib.loads((DEPLOY / "fly.toml").read_text())
        service, (check,) = app["http_service"], app["http_service"]["checks"]
        self.env = app["env"]
        self.health, self.wait, self.signal = check["path"], app["kill_timeout"], app["kill_signal"]
        self.instances, self.memory = service["min_machines_running"], int(app["vm"][0]["memory"].removesuffix("mb"))
        self.dockerfile, self.target = app["build"]["dockerfile"], None
        assert str(service["internal_port"]) == self.env["PORT"]
        assert service["auto_stop_machines"] == "off"

    def _heroku(self):
        app = json.loads((DEPLOY / "heroku/app.json").read_text())
        manifest = yaml.safe_load((DEPLOY / "heroku/heroku.yml").read_text())
        # The platform chooses the port and asks for no path.
        self.env = {"PORT": "4321", **{key: entry["value"] for key, entry in app["env"].items()}}
        self.health, self.wait, self.signal = "/readyz", LIMITS["heroku"], "SIGTERM"
        self.instances, self.memory = app["formation"]["web"]["quantity"], 512
        build = manifest["build"]["docker"]["web"]
        # It is to be copied to the root, as the file says.
        self.dockerfile, self.target = f"deploy/{build['dockerfile']}", build["target"]
        assert app["stack"] == "container"
        assert manifest["run"]["web"] == image(self.target)["cmd"]
        assert all(entry["description"].endswith(".") for entry in app["env"].values())

    def seconds(self, key):
        parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|$)", self.config[key])
        return sum(float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}[unit] for number, unit in parts)


@pytest.fixture(scope="module", params=["render", "fly", "heroku"])
def example(request):
    return Example(request.param)


def test_every_value_is_taken_from_the_example(example):
    # A misspelt variable would have failed --print-config; each is the source of a value.
    sources = " ".join(example.sources.values())
    for name in example.settings:
        assert re.search(rf"\b{name}\b", sources), name
    assert f":{example.env['PORT']}" in example.config["listen"] and "PORT" in example.sources["listen"], example.config["listen"]
    assert example.instances == 1
    assert (ROOT / example.dockerfile).resolve() == DOCKERFILE.resolve()
    image(example.target)


def test_the_stop_fits_into_the_platforms_time(example):
    drain = example.seconds("shutdown.lameDuck") + example.seconds("shutdown.timeout")
    assert drain + MARGIN <= example.wait <= LIMITS[example.name]
    assert example.seconds("shutdown.drainSpread") < example.seconds("shutdown.timeout")
    assert example.signal == "SIGTERM"


def test_silence_stays_below_the_routers_limit(example):
    silent = example.seconds("websocket.pingInterval")
    assert 0 < silent and silent + example.seconds("websocket.pongTimeout") < IDLE[example.name]


def test_memory_fits_into_the_plan(example):
    worker = int(example.config["workers.maxMemory"].removesuffix("MiB"))
    workers = int(example.config["workers.count"])
    # Each worker beside its successor; hub, supervisor and the system have the rest.
    assert 2 * worker * workers + 100 <= example.memory


def test_trusted_proxies_are_networks_and_not_everybody(example):
    networks = [ipaddress.ip_network(text) for text in example.env["WSD_HTTP_TRUSTED_PROXIES"].split(",")]
    assert networks and all(network.prefixlen >= (8 if network.version == 4 else 16) for network in networks)
    assert len(set(networks)) == len(networks)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answer(port, path, headers=None):
    """Status of an HTTP request; None: nobody is there."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path, headers=headers or {})
        return connection.getresponse().status
    return None


class Dyno:
    """wsd as a platform starts it: PORT and the example's variables, no flags, no systemd."""

    def __init__(self, example, directory, workers=2, **more):
        self.port = free_port()
        self.log = directory / "log"
        env = {"PATH": os.environ["PATH"], "HOME": str(directory), **example.env, "PORT": str(self.port),
               "RUNTIME_DIRECTORY": str(directory), "STATE_DIRECTORY": str(directory), "WSD_WORKERS_COUNT": str(workers),
               # Many sockets of one address.
               "WSD_LIMITS_CONNECT_RATE": "off", **more}
        self.env = env
        command = ["/bin/sh", "-c", f"exec {BIN}/wsd --prod"] if example.name == "heroku" else [str(BIN / "wsd"), "--prod"]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, env=env, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

    def ctl(self, *arguments):
        return subprocess.run([BIN / "wsctl", *arguments], env=self.env, capture_output=True, text=True, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.log.read_text()[-8000:])
        tree = process_tree(self.process.pid)
        for pid in [self.process.pid, *tree]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)


def test_it_serves_and_stops_as_the_platform_wants(example, tmp_path):
    # 20 s elsewhere: the same, and nobody wants to wait for it here.
    spread = example.seconds("shutdown.drainSpread") if example.name == "heroku" else 3
    with Dyno(example, tmp_path, WSD_SHUTDOWN_DRAIN_SPREAD=f"{spread:g}s") as dyno:
        # Heroku waits 60 s for the port.
        wait_until(lambda: answer(dyno.port, example.health) == 200, f"{example.health} to be 200", 20, 0.1)
        assert answer(dyno.port, "/healthz") == 200
        # Its port is open as soon as the first worker serves.
        wait_until(lambda: dyno.ctl("status").returncode == 0, "all to be well")

        async def stop():
            clients = [await Client.connect(f"ws://127.0.0.1:{dyno.port}/ws") for _ in range(60)]
            tree = process_tree(dyno.process.pid)
            assert len(tree) == 3
            # To every process, as Heroku does, the workers first; and again, as it may.
            for _ in range(3):
                for pid in [*reversed(tree), dyno.process.pid]:
                    os.kill(pid, signal.SIGTERM)
            start = time.monotonic()
            codes = [await client.closed() for client in clients]
            return codes, time.monotonic() - start, tree

        codes, took, tree = run(stop(), 60)
        assert {code for code, _ in codes} == {1001}, codes
        # Spread over the time that was asked for, and not all at once.
        assert spread * 0.5 < took < spread + MARGIN, took
        assert dyno.process.wait(example.wait) == 0
        assert took + MARGIN < example.wait and not [pid for pid in tree if alive(pid)]
        assert "was killed" not in dyno.log.read_text()


def test_a_client_that_does_not_answer_is_left_in_time(example, tmp_path):
    with Dyno(example, tmp_path, workers=1, WSD_SHUTDOWN_DRAIN_SPREAD="0") as dyno:
        wait_until(lambda: answer(dyno.port, example.health) == 200, "it is ready", 20, 0.1)
        with socket.create_connection(("127.0.0.1", dyno.port)) as mute:
            mute.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                         b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
            assert b" 101 " in mute.recv(4096)
            for pid in [dyno.process.pid, *process_tree(dyno.process.pid)]:
                os.kill(pid, signal.SIGTERM)
            assert dyno.process.wait(example.wait) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_hub_and_workers_leave_signals_to_the_supervisor(number):
    with Wsd(workers=2) as service:
        before = service.status()["processes"]
        for pid in process_tree(service.pid):
            os.kill(pid, number)

        async def talk():
            client = await Client.connect(service.url())
            await client.join("lobby")
            await client.close()

        run(talk())
        after = service.status()["processes"]
        assert [p["pid"] for p in after] == [p["pid"] for p in before]
        assert service.status()["health"] == "ok"


FORWARDED = {
    # What the last address of the platform's own is, that has to be looked through.
    "render": ("104.22.17.40", "10.21.157.68"),
    "fly": (None, "172.16.132.2"),
    "heroku": (None, "10.1.45.23"),
}


def test_the_clients_address_is_found_behind_the_router(example, tmp_path):
    edge, router = FORWARDED[example.name]
    networks = [ipaddress.ip_network(text) for text in example.env["WSD_HTTP_TRUSTED_PROXIES"].split(",")]
    assert any(ipaddress.ip_address(router) in network for network in networks)
    # Here the router is on the loopback address.
    trusted = example.env["WSD_HTTP_TRUSTED_PROXIES"] + ",127.0.0.1"
    with Dyno(example, tmp_path, workers=1, WSD_HTTP_TRUSTED_PROXIES=trusted) as dyno:
        wait_until(lambda: answer(dyno.port, example.health) == 200, "it is ready", 20, 0.1)
        # The first is invented by the client.
        chain = ", ".join(address for address in ("6.6.6.6", "203.0.113.9", edge) if address)

        async def address():
            client = await Client.connect(f"ws://127.0.0.1:{dyno.port}/ws", additional_headers={"X-Forwarded-For": chain})
            shown = json.loads(dyno.ctl("clients", "--json").stdout.splitlines()[0])
            await client.close()
            return shown["address"]

        assert run(address()) == "203.0.113.9"
