"""A rendered project in a real browser: fixtures and helpers of the tests that need one."""

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from baking import PATIENCE, PORTS, Bake, BakedProject, free_port, need, running
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

BROWSERS = ("chromium", "google-chrome", "chromium-browser")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
SCREENS = [
    pytest.param("light", PHONE, id="light phone"),
    pytest.param("dark", PHONE, id="dark phone"),
    pytest.param("light", DESKTOP, id="light desktop"),
    pytest.param("dark", DESKTOP, id="dark desktop"),
]
# Both widths and both colours, in two screens.
TWO_SCREENS = [SCREENS[1], SCREENS[2]]
VARIABLES = {"DEBUG": "false", "HTTPS": "false"}
# A busy machine needs more than the five seconds that Playwright waits otherwise.
MILLISECONDS = PATIENCE * 1000
expect.set_options(timeout=MILLISECONDS)


@dataclass(frozen=True)
class Site:
    """A project under gunicorn, and the password of its administrator."""

    project: BakedProject
    address: str
    password: str


@dataclass
class Visit:
    """A page of a new browser profile, and what happened in it."""

    page: Page
    address: str
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def see(self, message: ConsoleMessage) -> None:
        # Some tests open a page that does not exist.
        missing = message.text.startswith("Failed to load resource") and message.location["url"] == self.page.url
        # Where the browser has the network of the machine, other tests start and stop containers in it.
        disturbed = "ERR_NETWORK_CHANGED" in message.text
        if message.type in {"error", "warning"} and not missing and not disturbed:
            self.errors.append(f"{message.location['url']}: {message.text}")

    def request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def tab_to(self, target: Locator, limit: int = 80) -> None:
        """Press the tabulator key until the element has the focus."""
        # Swagger UI makes its elements after the page has loaded.
        expect(target).to_be_visible()
        for _ in range(limit):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"{target} is not among the first {limit} stops of the tabulator key on {self.page.url}")

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.tab_to(target)
        self.page.keyboard.press(key)

    def write(self, target: Locator, text: str) -> None:
        """Replace the text of a field."""
        self.tab_to(target)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(text)


Visiting = Callable[..., Visit]


def browser_program() -> str | None:
    """The path of Chromium or Chrome."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def serving(project: BakedProject) -> Iterator[Site]:
    project.manage("collectstatic", "--noinput", **VARIABLES)
    project.manage("migrate", **VARIABLES)
    password = re.search(r"password: (\S+)", project.manage("demo", **VARIABLES))
    assert password
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    with running(command, project.path, f"{address}/health/live", **VARIABLES):
        yield Site(project, address, password[1])


# From the kernel's sched.h; Python has it from 3.12 on.
CLONE_NEWNET = 0x40000000


@contextmanager
def own_network() -> Iterator[None]:
    """Let this thread and what it starts have no network but a loopback interface, if that is permitted.

    Other tests start and stop containers with networks of their own, and Chromium gives up requests when it sees that.
    """
    # The range that these belong to is used later as well, in the network of the machine.
    next(PORTS)
    if not shutil.which("ip"):
        yield
        return
    libc = ctypes.CDLL(None)
    with Path("/proc/thread-self/ns/net").open("rb") as machine:
        permitted = libc.unshare(CLONE_NEWNET) == 0
        try:
            if permitted:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert not permitted or libc.setns(machine.fileno(), CLONE_NEWNET) == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = browser_program()
    need(program, "Chromium")
    with own_network(), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS, timeout=MILLISECONDS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(bake: Bake, browser: Browser) -> Iterator[Site]:
    with serving(bake()) as served:
        yield served


@pytest.fixture(scope="module")
def site_without_books(bake: Bake, browser: Browser) -> Iterator[Site]:
    with serving(bake(include_books=False)) as served:
        yield served


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """A function that opens a new browser profile at a site. Its console must stay empty, and it must send requests to
    this site alone."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def open_at(
            site: Site, scheme: Literal["light", "dark"] = "light", size: Any = DESKTOP, **options: Any
        ) -> Visit:
            context = browser.new_context(color_scheme=scheme, viewport=size, reduced_motion="reduce", **options)
            context.set_default_timeout(MILLISECONDS)
            stack.callback(context.close)
            page = context.new_page()
            visits.append(visit := Visit(page, site.address))
            page.on("console", visit.see)
            page.on("pageerror", lambda error: visit.errors.append(str(error)))
            page.on("request", visit.request)
            return visit

        yield open_at
    for visit in visits:
        assert visit.errors == []
        assert visit.elsewhere == []


def sign_in(visit: Visit, site: Site) -> None:
    visit.go("/admin/")
    visit.write(visit.page.get_by_role("textbox", name="Username"), "admin")
    visit.write(visit.page.get_by_label("Password"), site.password)
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_role("button", name="Log out")).to_be_visible()


def violations(page: Page) -> list[str]:
    """The violations of accessibility rules that axe reports for the page."""
    found = Axe().run(page).response["violations"]
    return [f"{rule['help']}: {node['html']}" for rule in found for node in rule["nodes"]]
