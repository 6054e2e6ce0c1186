"""A real headless Chromium: its windows, what a person does in them, and what its console says."""

import contextlib
import json
import os
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import JavascriptException, NoSuchWindowException, WebDriverException
from selenium.webdriver.common.by import By

from harness import process_tree, wait_until

PAGES = Path(__file__).parent / "pages"
# Every name below .example is this machine, so that pages have names that are no loopback addresses to them.
FLAGS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server", "--no-first-run", "--lang=en-US",
         "--ignore-certificate-errors", "--host-resolver-rules=MAP *.example 127.0.0.1", "--window-size=1200,1000",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-breakpad",
         "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows"]
# What Chromium itself says of connections that fail: for tests in which they do.
BROKEN_CONNECTIONS = r"WebSocket connection to '[^']*' failed|Failed to load resource: net::ERR_|ERR_CONNECTION"


def program(*names):
    for name in names:
        if found := shutil.which(name):
            return found
    raise pytest.UsageError(f"{names[0]} is missing: scripts/test installs it (Debian: chromium and chromium-driver)")


class Browser:
    """One Chromium with a profile of its own, for the tests of a module."""

    def __init__(self, *flags):
        self.directory = tempfile.mkdtemp(prefix="wsd-browser-")
        self.started = []
        try:
            options = webdriver.ChromeOptions()
            options.binary_location = program("chromium", "chromium-browser", "google-chrome")
            for flag in [*FLAGS, *flags, f"--user-data-dir={self.directory}/profile"]:
                options.add_argument(flag)
            options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
            environment = {"PATH": os.environ["PATH"], "HOME": self.directory, "TMPDIR": self.directory, "LANG": "C.UTF-8"}
            service = webdriver.ChromeService(executable_path=program("chromedriver"), env=environment)
            self.driver = webdriver.Chrome(options=options, service=service)
            self.started = [service.process.pid, *process_tree(service.process.pid)]
            self.driver.set_page_load_timeout(20)
            self.driver.set_script_timeout(30)
            # Stays, so that the browser does not end with the windows of a test.
            self.home = self.driver.current_window_handle
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def pages(self, expected=None):
        """The windows of one test: closed behind it, and nothing may have been said on the console but what was expected."""
        pages = Pages(self, expected)
        try:
            yield pages
        except BaseException:
            pages.show()
            pages.close()
            raise
        pages.close()
        assert not pages.problems(), f"on the console: {json.dumps(pages.problems(), indent=1)}"

    def close(self):
        """Ends it with all its processes, also with those that have left their parents."""
        if hasattr(self, "driver"):
            service = self.driver.service.process.pid
            self.started = {*self.started, service, *process_tree(service)}
            with contextlib.suppress(Exception):
                self.driver.quit()
        for pid in {*self.started, *self.strays()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.strays(), "the browser's processes have ended")
        shutil.rmtree(self.directory, ignore_errors=True)

    def strays(self):
        """The living processes that name this profile in their arguments."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with contextlib.suppress(OSError):
                    if self.directory.encode() in Path(f"/proc/{entry}/cmdline").read_bytes():
                        found.append(int(entry))
        return found

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Pages:
    def __init__(self, browser, expected):
        self.browser = browser
        self.driver = browser.driver
        self.expected = [expected] if isinstance(expected, str) else list(expected or [])
        self.tabs = []
        self.lines = []
        self.driver.switch_to.window(browser.home)
        self.driver.get_log("browser")

    def expect(self, pattern):
        """From now on such lines of the console are no fault."""
        self.expected.append(pattern)

    def open(self, url, kind="window"):
        """A page in a window of its own, visible; a `tab` hides the window's former one."""
        self.driver.switch_to.new_window(kind)
        tab = Tab(self, self.driver.current_window_handle)
        self.tabs.append(tab)
        self.driver.get(url)
        return tab

    def console(self):
        """All that was said on the consoles so far."""
        self.lines += self.driver.get_log("browser")
        return self.lines

    def said(self, text):
        """How many lines of the consoles have it in them."""
        return sum(text in line["message"] for line in self.console())

    def problems(self):
        """Warnings and errors that were not expected; also what the Content-Security-Policy forbade."""
        return [line["message"] for line in self.console()
                if line["level"] in ("WARNING", "SEVERE") and not any(re.search(p, line["message"]) for p in self.expected)]

    def show(self):
        for tab in self.tabs:
            with contextlib.suppress(WebDriverException):
                print(f"--- {tab.run('return location.href')}\n{tab.run('return document.body.innerText')[:3000]}")
                print("seen:", str(tab.run("return JSON.stringify(globalThis.seen)"))[:3000])
        with contextlib.suppress(WebDriverException):
            print("--- console\n" + "\n".join(f"{line['level']} {line['message']}" for line in self.console())[:6000])

    def close(self):
        """Before the service ends, whose end they would notice."""
        while self.tabs:
            with contextlib.suppress(NoSuchWindowException):
                self.tabs.pop().close()
        self.driver.switch_to.window(self.browser.home)


class Tab:
    """One page."""

    def __init__(self, pages, handle):
        self.pages = pages
        self.driver = pages.driver
        self.handle = handle

    def select(self):
        self.driver.switch_to.window(self.handle)

    def close(self):
        self.select()
        self.driver.close()
        self.driver.switch_to.window(self.pages.browser.home)

    # -- its scripts

    def run(self, script, *arguments):
        """Runs it as a function's body; waits for a promise that it returns."""
        self.select()
        return self.driver.execute_script(script, *arguments)

    def value(self, expression, *arguments):
        return self.run(f"return {expression}", *arguments)

    def wait(self, expression, *arguments, timeout=15):
        """Waits until it is true and returns what it is then."""
        last = None

        def holds():
            nonlocal last
            try:
                last = self.run(f"return {expression}", *arguments)
            except JavascriptException as error:
                # The page is still loading.
                last = error.msg
                return None
            return last

        try:
            return wait_until(holds, expression, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error} {arguments or ''}; it is {last!r}") from None

    def forget_cookies(self):
        """As a browser that was never here."""
        self.cdp("Network.clearBrowserCookies")

    def cdp(self, command, **parameters):
        self.select()
        return self.driver.execute_cdp_cmd(command, parameters)

    def offline(self, is_offline):
        """Takes the network away from this page, as far as the browser does so."""
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=is_offline, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    # -- what a person does and sees

    def go(self, url):
        self.select()
        self.driver.get(url)

    def reload(self):
        self.select()
        self.driver.refresh()

    def find(self, identifier):
        self.select()
        return self.driver.find_element(By.ID, identifier)

    def click(self, identifier):
        self.find(identifier).click()

    def type(self, identifier, text):
        """Clears the field and types into it."""
        field = self.find(identifier)
        field.clear()
        field.send_keys(text)

    def choose(self, identifier, value):
        self.run("const [id, value] = arguments; const list = document.getElementById(id); list.value = value;"
                 "list.dispatchEvent(new Event('change'))", identifier, value)

    def text(self, identifier):
        return self.value("document.getElementById(arguments[0]).innerText", identifier)

    def wait_text(self, identifier, pattern, timeout=15):
        """Waits until the element's visible text matches the regular expression."""
        return self.wait("((node) => node?.checkVisibility() && new RegExp(arguments[1]).test(node.innerText) && node.innerText)"
                         "(document.getElementById(arguments[0]))", identifier, pattern, timeout=timeout)

    def wait_gone(self, identifier, timeout=15):
        """Waits until the element is not shown, or without text."""
        self.wait("((node) => !node.checkVisibility() || !node.innerText.trim())(document.getElementById(arguments[0]))",
                  identifier, timeout=timeout)


@pytest.fixture(scope="module")
def chromium():
    with Browser() as browser:
        yield browser
