"""A headless Chromium under DevTools, through its debugging pipe: nothing to install and no port."""
import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


class Page:
    """One tab: js() evaluates an expression, click() is a real press of the mouse, shot() a PNG."""

    def __init__(self, read, write):
        self._read, self._write, self._number, self._buffer, self._session = read, write, 0, b"", None

    def _connect(self, url):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.go(url)

    def call(self, method, seconds=60, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        return self._until(lambda m: m.get("id") == self._number, method, seconds)

    def _until(self, wanted, what, seconds):
        end = time.monotonic() + seconds
        while True:
            text, found, rest = self._buffer.partition(b"\0")
            if not found:
                if not select.select([self._read], [], [], max(0, end - time.monotonic()))[0]:
                    raise TimeoutError(f"the browser did not answer to {what} within {seconds} s")
                more = os.read(self._read, 1 << 16)
                if not more:
                    raise RuntimeError(f"the browser ended at {what}")
                self._buffer += more
                continue
            self._buffer = rest
            message = json.loads(text)
            if wanted(message):
                if "error" in message:
                    raise RuntimeError(f"{what}: {message['error']}")
                return message.get("result", message)

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState == 'complete'")

    def js(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise RuntimeError(r["exceptionDetails"].get("exception", r["exceptionDetails"]).get("description", r["exceptionDetails"]))
        return r["result"].get("value")

    def until(self, expression, seconds=30):
        end = time.monotonic() + seconds
        while not (value := self.js(expression)):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression} did not come true within {seconds} s")
            time.sleep(0.02)
        return value

    def click(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def shot(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def open_page(url, *flags):
    """A Page at the url; the browser is gone at the end of the block."""
    (to_read, write), (read, to_write) = os.pipe(), os.pipe()
    theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read, to_write)]  # which become 3 and 4

    def connect():
        for fd, number in zip(theirs, (3, 4)):
            os.dup2(fd, number)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}",
                   "--window-size=1280,800", *flags]
        browser = subprocess.Popen(command, preexec_fn=connect, pass_fds=(3, 4), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (to_read, to_write, *theirs):
            os.close(fd)
        try:
            page = Page(read, write)
            page._connect(url)
            yield page
        finally:
            os.close(write)
            try:
                browser.wait(2)
            except subprocess.TimeoutExpired:
                browser.kill()
                browser.wait()
            os.close(read)
