"""A real Chromium, as people look at the dashboard with it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DESKTOP, PHONE = {"width": 1360, "height": 850}, {"width": 390, "height": 844}
TIMEOUT_MS = 30_000


def launch(playwright: Playwright) -> Browser:
    """The browser on PATH, else Playwright's own. AssertionError where there is neither: it is never left out."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    flags = ["--autoplay-policy=no-user-gesture-required", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    try:
        return playwright.chromium.launch(executable_path=path, args=flags)
    except Error as error:
        raise AssertionError(
            f"no Chromium: install it (Debian: apt-get install chromium), or run `playwright install chromium`\n{error}"
        ) from None


@dataclass
class Look:
    """A page, and what the browser had to say against it."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def hear(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.complaints.append(f"{said.text} ({said.location['url']})")

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    def click(self, name: str, *, role: str = "button") -> None:
        self.page.get_by_role(role, name=name, exact=True).first.click()  # type: ignore[arg-type]

    def says(self, text: str, *, timeout_s: float = 30) -> None:
        """Wait until it is to be read somewhere on the page."""
        self.page.get_by_text(text).first.wait_for(timeout=timeout_s * 1000)

    def until(self, condition: str) -> None:
        """Wait until this JavaScript holds: a promise: `wait_for_function` evaluates texts, which our policy bars."""
        self.page.evaluate(
            f"new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look() }})"
        )

    def barriers(self) -> list[str]:
        """What axe finds that is serious, in words."""
        options = {
            "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
            "resultTypes": ["violations"],  # of what passed, which is most, one element a rule will do
        }
        found = Axe().run(self.page, options=options)
        return [
            f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}"
            for each in found.response["violations"]
            if each["impact"] in {"serious", "critical"}
        ]


@contextmanager
def looking(browser: Browser, base: str, *, phone: bool = False, dark: bool = False) -> Iterator[Look]:
    """A fresh profile; whatever the browser complained of, its content policy first of all, is an error in the end."""
    context = browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        is_mobile=phone,
        has_touch=phone,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(TIMEOUT_MS)
    look = Look(context.new_page(), base)
    look.page.on("console", look.hear)
    look.page.on("pageerror", lambda error: look.complaints.append(str(error)))
    try:
        yield look
    finally:
        context.close()
    assert look.complaints == [], look.complaints
