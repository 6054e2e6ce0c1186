"""The test page tells why it cannot connect: each cause made for real, and what it says about it."""

import contextlib
import socket

import pytest

from browser import BROKEN_CONNECTIONS, chromium  # noqa: F401
from harness import Wsd
from proxy import Nginx, free_port, location
from v1client import token

SECRET = "a shared secret of more than 32 bytes, for tests"
# What a browser says of attempts and of the plain requests by which the page looks for the cause.
FAILED = [BROKEN_CONNECTIONS, "Failed to load resource: the server responded with a status of", "blocked by CORS policy"]


@pytest.fixture(scope="module")
def service():
    with Wsd(workers=2) as service:
        yield service


@pytest.fixture
def pages(chromium):  # noqa: F811
    with chromium.pages(FAILED) as pages:
        yield pages


def connect(pages, page, address, dialect=None, token=None):
    """Opens the test page and connects to the address."""
    tab = pages.open(f"{page}?url={address}")
    tab.wait("document.getElementById('url').value === arguments[0]", address)
    tab.find("options").find_element("tag name", "summary").click()
    if dialect:
        tab.choose("dialect", dialect)
    if token:
        tab.type("token", token)
    tab.click("connect")
    return tab


class Diagnosis:
    """What the page shows."""

    def __init__(self, tab, finding, timeout):
        tab.wait("document.getElementById('diagnosis').dataset.finding", timeout=timeout)
        self.finding = tab.value("document.getElementById('diagnosis').dataset.finding")
        self.title, self.what, self.todo = (tab.text(name) for name in ("diagnosisTitle", "diagnosisWhat", "diagnosisTodo"))
        self.sure = tab.text("diagnosisSure") == ""
        self.snippets = tab.text("diagnosisSnippets")
        self.facts = tab.value("document.getElementById('diagnosisFacts').textContent")
        assert self.finding == finding, (self.title, self.what, self.facts)
        # While the page tries again it is not shown.
        tab.wait("document.getElementById('diagnosis').checkVisibility()", timeout=timeout)


def diagnosis(pages, page, address, finding, timeout=20, **options):
    return Diagnosis(connect(pages, page, address, **options), finding, timeout)


def page_of(service, host="127.0.0.1"):
    return f"http://{host}:{service.port}/wsd/test"


def test_closed_port(service, pages):
    port = free_port()
    told = diagnosis(pages, page_of(service), f"ws://127.0.0.1:{port}/ws", "port_closed")
    assert told.title == "The port is closed" and told.sure
    assert f"127.0.0.1:{port} refused at once" in told.what and "nothing listens there" in told.what
    assert "Is wsd running? wsctl status" in told.todo


@contextlib.contextmanager
def unreachable():
    """A port whose connections are never made, as behind a firewall that drops them: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_unreachable_server(service, pages):
    with unreachable() as port:
        told = diagnosis(pages, page_of(service), f"ws://127.0.0.1:{port}/ws", "not_reachable", timeout=40)
    assert told.title == "The server does not answer"
    assert f"127.0.0.1:{port} did not answer within 4 s" in told.what
    assert "firewall" in told.todo and "host name" in told.todo


def test_wrong_path(service, pages):
    address = f"ws://127.0.0.1:{service.port}/sockets"
    # The page lies there, too, where nothing else does.
    told = diagnosis(pages, f"http://127.0.0.1:{service.port}/", address, "wrong_path")
    assert told.title == "There is no WebSocket on this path (404)" and told.sure
    assert "knows no WebSocket at /sockets" in told.what
    assert "/ws by default" in told.todo and "websocket.paths" in told.todo
    # The same from a page of another origin.
    told = diagnosis(pages, page_of(service, "other.example"), address, "wrong_path")
    assert told.sure and "/sockets" in told.what


def test_wrong_path_behind_a_proxy(service, pages):
    backend = f"http://127.0.0.1:{service.port}"
    rewriting = location("/wsd/", backend) + location("/ws", f"{backend}/inner/ws")
    with Nginx(rewriting) as nginx:
        told = diagnosis(pages, page_of(nginx), f"ws://127.0.0.1:{nginx.port}/ws", "wrong_path")
        assert told.sure and "A proxy made /inner/ws out of /ws." in told.what
    # Of what is not passed on wsd never hears.
    with Nginx(location("/wsd/", backend)) as nginx:
        told = diagnosis(pages, page_of(nginx), f"ws://127.0.0.1:{nginx.port}/ws", "path_not_passed_on")
        assert told.title == "This path does not lead to wsd" and "Let the proxy pass this path on to wsd" in told.todo
        assert "proxy_pass" in told.snippets


def test_refused_origin(service, pages):
    with Wsd(workers=2, config="limits:\n  messageRate: off\n  origins: ['https://app.example.org']\n") as strict:
        address = f"ws://127.0.0.1:{strict.port}/ws"
        for page in (page_of(strict), page_of(service, "other.example")):
            origin = page.removesuffix("/wsd/test")
            told = diagnosis(pages, page, address, "origin_refused")
            assert told.title == "Pages of this origin may not connect" and told.sure
            assert f"pages of {origin} (403)" in told.what
            assert f'limits: {{ origins: [same-host, "{origin}"] }}' in told.todo and "wsctl reload" in told.todo
        pages.close()


def test_refused_tokens(pages, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    with Wsd(workers=2, config=f"auth:\n  required: true\n  timeout: 1s\n  secretFile: {secret}\n") as closed:
        page, address = page_of(closed), f"ws://127.0.0.1:{closed.port}/ws"
        for dialect in ("wsd.v1.json", "simple"):
            told = diagnosis(pages, page, address, "token_refused", dialect=dialect)
            assert told.title == "The token is missing or was not accepted" and "auth.timeout" in told.todo
            assert told.what.startswith("The server says: ")
        told = diagnosis(pages, page, address, "token_refused", token=token("of somebody else, who signs by his own", "ada"))
        assert "signed by a key of auth.*" in told.todo
        told = diagnosis(pages, page, address, "token_expired", token=token(SECRET, "ada", -1000))
        assert told.title == "The token has expired" and "Get a new one" in told.todo
        tab = connect(pages, page, address, token=(good := token(SECRET, "ada")))
        tab.wait_text("user", "^ada$")
        assert not tab.find("diagnosis").is_displayed()
        # It is not to be read where it was typed, in the log, or in what the log exports.
        assert good not in tab.value("document.documentElement.outerHTML")
        pages.close()


def test_mixed_content(service, pages):
    pages.expect("Mixed Content")
    with Nginx(location("/", f"http://127.0.0.1:{service.port}"), tls=True) as nginx:
        page = f"https://app.example:{nginx.port}/wsd/test"
        told = diagnosis(pages, page, f"ws://app.example:{service.port}/ws", "mixed_content")
        assert told.title == "ws: is blocked on a page that came by https:" and told.sure and "Nothing was sent" in told.what
        assert f"wss://app.example:{service.port}/ws" in told.todo
        assert "proxy_set_header Upgrade $http_upgrade" in told.snippets


@pytest.mark.parametrize("tls, more, missing", [
    (False, "", "without its field Upgrade"),
    (True, "", "without its field Upgrade"),
    (False, "proxy_http_version 1.1;", "without its field Upgrade"),
    (False, "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade;", "without Connection: Upgrade"),
    (False, "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;", "as HTTP/1.0"),
])
def test_proxy_without_upgrade(service, pages, tls, more, missing):
    with Nginx(location("/", f"http://127.0.0.1:{service.port}", more), tls=tls) as nginx:
        page = f"http{'s' * tls}://127.0.0.1:{nginx.port}/wsd/test"
        told = diagnosis(pages, page, f"ws{'s' * tls}://127.0.0.1:{nginx.port}/ws", "proxy_without_upgrade")
        assert told.title == "A proxy does not pass the upgrade to WebSocket on" and told.sure
        assert f"The attempt reached wsd, but {missing}" in told.what
        assert "Upgrade and Connection" in told.todo
        for line in ("proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;"):
            assert line in told.snippets


def test_the_recommended_proxy_connects(service, chromium):  # noqa: F811
    with chromium.pages() as pages, Nginx(location("/", f"http://127.0.0.1:{service.port}"), tls=True) as nginx:
        # Of its own accord, to what config.json says.
        tab = pages.open(f"https://app.example:{nginx.port}/wsd/test")
        tab.wait_text("state", "^Connected$")
        assert tab.value("document.getElementById('url').value") == f"wss://app.example:{nginx.port}/ws"
        assert not tab.find("diagnosis").is_displayed()
        pages.close()


def test_the_snippet_that_the_page_shows_is_right(service, pages):
    """What is offered to be copied is what nginx is started with next."""
    backend = f"http://127.0.0.1:{service.port}"
    with Nginx(location("/", backend, "")) as nginx:
        told = diagnosis(pages, page_of(nginx), f"ws://127.0.0.1:{nginx.port}/ws", "proxy_without_upgrade")
        pages.close()
    text = told.snippets[told.snippets.index("location / {"):]
    offered = text[:text.index("\n}") + 2].replace("http://127.0.0.1:8080", backend)
    with Nginx(offered) as nginx:
        connect(pages, page_of(nginx), f"ws://127.0.0.1:{nginx.port}/ws").wait_text("state", "^Connected$")
        pages.close()


def test_proxy_whose_service_is_away(pages):
    with Wsd(workers=1) as service:
        nginx = Nginx(location("/", f"http://127.0.0.1:{service.port}"))
        tab = pages.open(f"{page_of(nginx)}?url=ws://127.0.0.1:{nginx.port}/ws")
    with contextlib.closing(nginx):
        tab.click("connect")
        told = Diagnosis(tab, "proxy_without_backend", 20)
        assert "(502)" in told.title and "Is wsd running?" in told.todo
        pages.close()


def test_scheme_that_does_not_fit(service, pages):
    told = diagnosis(pages, page_of(service), f"wss://127.0.0.1:{service.port}/ws", "wrong_scheme")
    assert told.title == "There is no TLS on this port" and f"ws://127.0.0.1:{service.port}/ws" in told.todo
    with Nginx(location("/", f"http://127.0.0.1:{service.port}"), tls=True) as nginx:
        told = diagnosis(pages, page_of(service), f"ws://127.0.0.1:{nginx.port}/ws", "wrong_scheme")
        assert told.title == "This port wants TLS" and f"wss://127.0.0.1:{nginx.port}/ws" in told.todo


def test_limits(pages):
    with Wsd(workers=2, config="limits:\n  messageRate: off\n  connectionsPerAddress: 1\n") as small:
        page, address = page_of(small), f"ws://127.0.0.1:{small.port}/ws"
        connect(pages, page, address).wait_text("state", "^Connected$")
        told = diagnosis(pages, page, address, "connection_limit")
        assert told.title == "There are too many connections" and "limits.connectionsPerAddress" in told.todo
        pages.close()


def test_mistakes_of_the_user(service, pages):
    told = diagnosis(pages, page_of(service), "ftp://127.0.0.1/ws", "invalid_address")
    assert "ws:// or wss://" in told.what
    tab = connect(pages, page_of(service), f"ws://127.0.0.1:{service.port}/ws")
    tab.wait_text("clientId", "-")
    tab.type("message", '{"type":"joinRoom","roomId":"lobby"}')
    tab.click("send")
    told = Diagnosis(tab, "wrong_dialect", 20)
    assert "“joinRoom” is not a command of wsd.v1.json" in told.title and "Use join, leave, publish" in told.todo
