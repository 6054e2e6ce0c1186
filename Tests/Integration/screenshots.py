"""Takes pictures of the three pages while people chat: scripts/screenshots."""

import subprocess
import sys
import time
from pathlib import Path

from browser import Browser
from harness import Wsd
from test_pages import Dashboard

CONFIG = """
rooms:
  rules:
    - match: "*"
      historySize: 1000
limits:
  messageRate: off
"""
TALK = [("Ada", "Good morning! Is the new release out?"), ("Grace", "Since eight. Nobody was disconnected."),
        ("Alan", "I restarted two workers under it, to be sure."), ("Ada", "And?"),
        ("Alan", "You are reading this, are you not?"), ("Grace", "Word for word. Nothing is missing."),
        ("Ada", "Then we can have tea.")]
COLOURS = 64  # of a picture: flat pages need no more
LARGEST = 120 * 1024  # bytes of all pictures
# Sends small messages to rooms all the time, as an application's users do.
LIFE = """
import('./client.js').then(({ WsdClient }) => {
  const clients = Array.from({ length: 24 }, () => new WsdClient());
  clients.forEach((client, index) => {
    for (const room of [`room ${index % 6}`, `room ${(index + 1) % 6}`]) client.join(room);
    let step = index;
    setInterval(() => {
      if ((step += 5) % 7 < 4) client.publish(`room ${index % 6}`, { step, text: 'x'.repeat(step % 90) });
    }, 90 + 11 * index);
  });
});
"""


def opened(pages, url, height):
    tab = pages.open("about:blank")
    tab.cdp("Emulation.setDeviceMetricsOverride", width=1200, height=height, deviceScaleFactor=1, mobile=False)
    tab.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "light"}])
    tab.cdp("Emulation.setScrollbarsHidden", hidden=True)
    tab.go(url)
    return tab


def enter(pages, wsd, name):
    tab = opened(pages, f"http://127.0.0.1:{wsd.port}/wsd/demo/chat?name={name}#lobby", 780)
    tab.wait_text("state", "^Connected$")
    return tab


def say(tab, text):
    tab.type("text", text)
    tab.find("say").find_element("tag name", "button").click()


def take(tab, path):
    tab.run("document.activeElement.blur(); return new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
    tab.driver.save_screenshot(str(path))
    subprocess.run(["pngquant", "--force", "--strip", "--nofs", "--speed", "1", "--output", path, str(COLOURS), path], check=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with Browser("--window-size=1200,1000") as browser, Wsd(workers=2, config=CONFIG) as wsd, Dashboard(wsd) as dashboard, \
            browser.pages() as pages:
        board = opened(pages, f"http://127.0.0.1:{dashboard.port}{dashboard.target}", 1120)
        board.wait_text("health", "^All is well$")
        test = opened(pages, f"http://127.0.0.1:{wsd.port}/wsd/test", 1120)
        test.wait_text("state", "^Connected$")
        test.click("join")
        test.wait_text("rooms", "lobby")

        people = {name: enter(pages, wsd, name) for name in ("Ada", "Grace", "Alan")}
        for name, text in TALK:
            say(people[name], text)
            people["Ada"].wait_text("messages", text.replace("?", r"\?"))
        people["Grace"].find("text").send_keys("Earl Grey, or")
        people["Ada"].wait_text("typing", "Grace is writing")
        people["Ada"].wait_text("messages", r"tea\.\s+[^\n]*read by .*Grace")
        take(people["Ada"], folder / "chat.png")

        life = pages.open(f"http://127.0.0.1:{wsd.port}/wsd/test")
        life.run(LIFE)
        test.click("send")
        test.wait("document.querySelectorAll('#log > div').length > 8")
        # The plots show minutes.
        for worker in (1, 2, None):
            time.sleep(50)
            if worker == 1:
                take(test, folder / "test.png")
            if worker:
                wsd.ctl("restart", f"worker:{worker}")
                wsd.wait_healthy()
        take(board, folder / "dashboard.png")
    sizes = {path.name: path.stat().st_size for path in sorted(folder.glob("*.png"))}
    print(", ".join(f"{name} {size // 1024} KiB" for name, size in sizes.items()))
    if sum(sizes.values()) > LARGEST:
        sys.exit(f"together more than {LARGEST // 1024} KiB: take less into the picture")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
