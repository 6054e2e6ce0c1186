"""The chat page and the dashboard, used by people in a real Chromium, and what pages of others may do to them."""

import contextlib
import hashlib
import os
import re
import signal

import pytest

from browser import BROKEN_CONNECTIONS, PAGES, chromium  # noqa: F401
from harness import Wsd, wait_until
from test_pages import Dashboard

CHAT = """
rooms:
  presenceGrace: 1s
  typingTimeout: 1s
  rules:
    - match: "lobby"
      historySize: 100
limits:
  messageRate: {rate}
"""


def enter(pages, wsd, name, room="lobby"):
    tab = pages.open(f"http://127.0.0.1:{wsd.port}/wsd/demo/chat?name={name}#{room}")
    tab.wait_text("state", "^Connected$")
    tab.wait_text("members", re.escape(name))
    return tab


def say(tab, text):
    tab.type("text", text)
    tab.find("say").find_element("tag name", "button").click()


def said(tab):
    """The texts of the messages, in their order."""
    return tab.value("[...document.querySelectorAll('#messages .message > p')].map((node) => node.innerText)")


@pytest.fixture
def chat():
    with Wsd(workers=2, config=CHAT.format(rate="off")) as service:
        yield service


def test_chat_of_two(chromium, chat):
    with chromium.pages() as pages:
        ada, bob = enter(pages, chat, "Ada"), enter(pages, chat, "Bob")
        ada.wait_text("memberCount", "^2$")
        say(ada, "Hello, Bob")
        bob.wait_text("messages", "Hello, Bob")
        bob.wait_text("members", "^Ada$|^Ada\\n|\\nAda$")
        # Bob has seen it: his window is visible. Who he is, is known once he has said something.
        ada.wait_text("messages", r"Hello, Bob\s+[\d:]+[^\n]* · read by guest")
        say(bob, "<img src=x onerror=alert(1)><b>not bold</b>")
        ada.wait_text("messages", "<b>not bold</b>")
        assert ada.value("document.querySelectorAll('#messages b, #messages img').length") == 0
        # Typing: shown, over with the message, and over by itself.
        bob.find("text").send_keys("I am thin")
        ada.wait_text("typing", "^Bob is writing")
        say(bob, "I am thinking")
        ada.wait_text("messages", "I am thinking")
        ada.wait_gone("typing")
        ada.find("text").send_keys("…")
        bob.wait_text("typing", "^Ada is writing")
        bob.wait_gone("typing")
        say(ada, "Take your time")
        ada.wait_text("messages", r"Take your time\s+[\d:]+[^\n]* · read by Bob")
        # All is there again after the page was loaded anew.
        lines = said(bob)
        assert len(lines) == 4
        bob.reload()
        bob.wait_text("state", "^Connected$")
        bob.wait_text("messages", "Take your time")
        assert said(bob) == lines
        ada.wait_text("memberCount", "^2$")
        bob.close()
        pages.tabs.remove(bob)
        ada.wait_text("memberCount", "^1$")


def test_chat_rooms(chromium, chat):
    with chromium.pages() as pages:
        ada, bob = enter(pages, chat, "Ada"), enter(pages, chat, "Bob")
        ada.type("newRoom", "tea & biscuits")
        ada.find("roomForm").find_element("tag name", "button").click()
        ada.wait_text("roomTitle", "^tea & biscuits$")
        ada.wait_text("messages", "keeps no history")
        bob.type("newRoom", "tea & biscuits")
        bob.find("roomForm").find_element("tag name", "button").click()
        bob.wait_text("memberCount", "^2$")
        say(bob, "Only here")
        ada.wait_text("messages", "Only here")
        ada.run("[...document.querySelectorAll('#rooms button')].find((b) => b.innerText.startsWith('lobby')).click()")
        ada.wait_text("roomTitle", "^lobby$")
        assert "Only here" not in ada.text("messages")
        say(bob, "Still here?")
        # What came elsewhere is counted there.
        ada.wait_text("rooms", "tea & biscuits\\s*1")
        bob.click("leave")
        bob.wait("!document.getElementById('rooms').innerText.includes('tea')")


def watch_state(tab):
    tab.run("const badge = document.getElementById('state'); globalThis.seen = [];"
            "new MutationObserver(() => seen.push(badge.innerText)).observe(badge, { childList: true, characterData: true, subtree: true })")


def test_chat_shows_that_it_reconnects(chromium, chat):
    with chromium.pages(BROKEN_CONNECTIONS) as pages:
        ada, bob = enter(pages, chat, "Ada"), enter(pages, chat, "Bob")
        say(ada, "Before")
        bob.wait_text("messages", "Before")
        for tab in (ada, bob):
            watch_state(tab)
        for worker in chat.processes():
            os.kill(worker["pid"], signal.SIGKILL)
        for tab in (ada, bob):
            tab.wait("seen.includes('Reconnecting')")
        say(ada, "Said in the dark")
        for tab in (ada, bob):
            tab.wait_text("state", "^Connected$")
            tab.wait_text("messages", "Said in the dark")
            assert said(tab) == ["Before", "Said in the dark"]
        bob.wait_text("memberCount", "^2$")


def test_chat_while_the_service_is_away(chromium, tmp_path):
    with chromium.pages(BROKEN_CONNECTIONS) as pages:
        with Wsd(workers=1, config=CHAT.format(rate="off"), directory=tmp_path) as wsd:
            ada, port = enter(pages, wsd, "Ada"), wsd.port
        ada.wait_text("state", "^Reconnecting$")
        ada.wait_text("stateText", "What you write is sent")
        say(ada, "Later, then")
        ada.wait_text("messages", r"Later, then\s+waits for the connection")
        with Wsd(workers=1, config=CHAT.format(rate="off"), directory=tmp_path, listen=f"127.0.0.1:{port}"):
            # It would wait for up to 20 s by now, but not when there is news of the network.
            ada.run("dispatchEvent(new Event('online'))")
            ada.wait_text("state", "^Connected$", timeout=25)
            ada.wait("!document.getElementById('messages').innerText.includes('waits for the connection')")
            assert said(ada) == ["Later, then"]
            pages.close()


def test_chat_shows_the_rate_limit_and_loses_nothing(chromium):
    with Wsd(workers=2, config=CHAT.format(rate="3/s burst 6")) as wsd, chromium.pages() as pages:
        ada, bob = enter(pages, wsd, "Ada"), enter(pages, wsd, "Bob")
        words = [f"word-{number}" for number in range(12)]
        ada.run("for (const word of arguments[0]) { text.value = word; say.requestSubmit(); }", words)
        ada.wait_text("limit", "^Not so fast: the server takes 3 messages a second. \\d+ wait, none is lost.$")
        bob.wait_text("messages", words[-1], timeout=20)
        assert said(bob) == words
        ada.wait_gone("limit")


# -- The dashboard.


@pytest.fixture
def service():
    with Wsd(workers=2, config=f"http:\n  staticFolder: {PAGES}\n") as service:
        yield service


@pytest.fixture
def dashboard(service):
    with Dashboard(service) as dashboard:
        yield dashboard


def address(dashboard):
    return f"http://127.0.0.1:{dashboard.port}{dashboard.target}"


def test_dashboard_is_live(chromium, service, dashboard):
    with chromium.pages() as pages:
        board = pages.open(address(dashboard))
        board.wait_text("health", "^All is well$")
        # The token has left the address line.
        assert board.value("location.href") == f"http://127.0.0.1:{dashboard.port}/"
        board.wait_text("tile-clients", "^0$")
        lab = pages.open(f"http://127.0.0.1:{service.port}/lab.html")
        lab.wait("document.title === 'Ready'")
        lab.run("start(); return join('tea')")
        board.wait_text("tile-clients", "^1$")
        board.wait_text("tile-rooms", "^1$")
        lab.run("write('tea', 0, 20)")
        board.wait_text("tile-in", r"^([1-9]\d)(\.\d)?/s$")
        board.wait_text("tile-latency", "ms$")
        for name in ("messagesPlot", "clientsPlot", "memoryPlot", "cpuPlot", "latencyPlot"):
            assert board.run("const { width, height } = arguments[0]; const pixels = arguments[0].getContext('2d').getImageData(0, 0, width, height).data;"
                             "return new Set(new Uint32Array(pixels.buffer)).size > 2", board.find(name)), f"{name} is empty"
        board.click("tab-clients")
        board.wait_text("clients", lab.value("client.id"))
        board.click("tab-rooms")
        board.wait_text("rooms", "^tea\\s+1")
        lab.run("return stopWriting()")


def test_dashboard_restarts_and_shows_logs(chromium, service, dashboard):
    with chromium.pages() as pages:
        board = pages.open(address(dashboard))
        before = service.worker(1)["pid"]
        board.wait_text("log", "Service ready")
        assert str(before) in board.wait_text("processes", "worker 1")
        board.click("restart-worker-1")
        board.wait_text("dialogTitle", "^Restart worker 1\\?$")
        # Asked for, not yet done.
        board.click("dialogNo")
        assert service.worker(1)["pid"] == before
        board.click("restart-worker-1")
        board.click("dialogYes")
        board.wait("document.getElementById('operation').dataset.tone === 'good'")
        after = service.worker(1)["pid"]
        assert after != before
        board.wait_text("processes", f"worker 1[^w]*{after}")
        board.wait_text("log", f"supervisor: Process ready [^\\n]*{after}")
        board.click("scale")
        board.type("number", "3")
        board.click("dialogYes")
        board.wait_text("operation", "^scale to 3: 3 workers")
        wait_until(lambda: len(service.processes()) == 3, "three workers")
        board.wait_text("processes", "worker 3")
        service.wait_healthy()
        board.click("reload")
        board.click("dialogYes")
        board.wait_text("operation", "^reload: ")
        board.wait("document.getElementById('operation').dataset.tone === 'good'")
        assert service.worker(1)["pid"] != after


def test_dashboard_lets_nobody_else_in(chromium, service, dashboard):
    with chromium.pages(["403 .Forbidden.", "blocked by CORS policy", "ERR_FAILED", "ERR_BLOCKED_BY_RESPONSE", "favicon.ico"]) as pages:
        first = pages.open(address(dashboard))
        first.wait_text("health", "^All is well$")
        # A name of somebody else's that leads to this machine (DNS rebinding).
        foreign = pages.open(f"http://rebound.example:{dashboard.port}/")
        assert "another name may be an attack" in foreign.value("document.body.innerText")
        # Pages of others: one of the same site, whose requests have the cookie with them, and one of another.
        pids = [process["pid"] for process in service.processes()]
        for host in ("127.0.0.1", "evil.example"):
            evil = pages.open(f"http://{host}:{service.port}/lab.html")
            target = f"http://127.0.0.1:{dashboard.port}"
            evil.run("const [target] = arguments;"
                     "return Promise.allSettled([fetch(`${target}/api/restart`, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }),"
                     "fetch(`${target}/api/restart`, { method: 'POST', credentials: 'include', body: '{}', headers: { 'Content-Type': 'application/json' } }),"
                     "fetch(`${target}/api/session`, { mode: 'no-cors', credentials: 'include' })])", target)
            read = evil.run("return fetch(arguments[0], { credentials: 'include' }).then((a) => a.text(), () => null)", f"{target}/api/session")
            assert read is None
            evil.run("const form = Object.assign(document.createElement('form'), { method: 'post', enctype: 'text/plain', action: arguments[0] });"
                     "document.body.append(form); form.submit()", f"{target}/api/restart")
            evil.wait("document.body.innerText.includes('Another page sent this request')")
        # The token is spent: this browser is in already, another is not.
        own = f"http://127.0.0.1:{dashboard.port}/"
        first.go(address(dashboard))
        first.wait_text("health", "^All is well$")
        first.forget_cookies()
        for url, words in ((address(dashboard), "has been used"), (own, "has not been let in"), (own + "api/status", "has not been let in")):
            first.go(url)
            assert words in first.value("document.body.innerText")
        assert [process["pid"] for process in service.processes()] == pids
        assert not any("restart" in line["message"].lower() for line in service.json_lines("logs", "-n", "200"))


KEY = "k-" + "7" * 40
PUBLIC = f"""
http:
  dashboard: true
api:
  keys:
    - name: dashboard
      sha256: {hashlib.sha256(KEY.encode()).hexdigest()}
      allow: [observe]
"""


def test_public_dashboard_asks_for_a_key_and_only_shows(chromium):
    with Wsd(workers=1, config=PUBLIC) as service, chromium.pages("401 .Unauthorized.") as pages:
        board = pages.open(f"http://127.0.0.1:{service.port}/wsd/dashboard")
        board.wait_text("keyForm", "An operator's key is needed")
        board.type("key", "k-" + "8" * 40)
        board.find("keyForm").submit()
        board.wait_text("problem", "API key is not known")
        board.type("key", KEY)
        board.find("keyForm").submit()
        board.wait_text("health", "^All is well$")
        board.wait_text("processes", "worker 1")
        assert not board.find("controls").is_displayed() and not board.find("keyForm").is_displayed()
        board.wait_text("log", "Service ready")


def test_dashboard_of_a_service_that_goes_and_comes(chromium, tmp_path):
    with chromium.pages("502 .Bad Gateway.") as pages, contextlib.ExitStack() as stack:
        with Wsd(workers=1, directory=tmp_path) as service:
            dashboard = stack.enter_context(Dashboard(service))
            board = pages.open(address(dashboard))
            board.wait_text("health", "^All is well$")
        board.wait_text("health", "^Away$")
        board.wait_text("problem", "wsd is not running")
        with Wsd(workers=1, directory=tmp_path):
            board.wait_text("health", "^All is well$")
            board.wait_gone("problem")
            pages.close()


# -- What all pages have in common.


def test_policy_forbids_what_pages_do_not_need(chromium, service, dashboard):
    """Also shows that the console of each page is looked at."""
    site = f"http://127.0.0.1:{service.port}/wsd"
    for url in (f"{site}/test", f"{site}/demo/chat?name=Ada", address(dashboard)):
        with chromium.pages("Content.Security.Policy") as pages:
            tab = pages.open(url)
            tab.wait("document.querySelector('[role=status]').innerText.match(/Connected|All is well/)")
            assert pages.said("Content Security Policy") == 0
            tab.run("document.head.append(Object.assign(document.createElement('script'), { textContent: 'globalThis.injected = true' }));"
                    "document.body.append(Object.assign(document.createElement('img'), { src: 'https://tracker.example/x.png' }))")
            wait_until(lambda: pages.said("Content Security Policy") >= 2, "both were refused, and said so")
            assert tab.value("globalThis.injected ?? null") is None
            pages.close()
