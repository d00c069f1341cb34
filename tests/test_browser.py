"""The default project in a real browser: by keyboard alone, on phone and desktop, in light and dark."""

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
from baking import ROOT, Bake, BakedProject, free_port, need, running
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
# Pages of the project's own templates; the last one is an error page.
OWN_PAGES = [
    *("/", "/?search=jane", "/?search=nothing-has-this-name", "/books/1/"),
    *("/accounts/login/", "/accounts/password_reset/", "/no-such-page/"),
]
VARIABLES = {"DEBUG": "false", "HTTPS": "false"}


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
        if message.type in {"error", "warning"} and not missing:
            self.errors.append(f"{message.location['url']}: {message.text}")

    def request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.address}/", "data:", "blob:")):
            self.elsewhere.append(request.url)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def tab_to(self, target: Locator, limit: int = 80) -> None:
        """Press the tabulator key until the element has the focus."""
        for _ in range(limit):
            if target.count() == 1 and target.evaluate("element => element === document.activeElement"):
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = browser_program()
    need(program, "Chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS)
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


@pytest.mark.parametrize("path", OWN_PAGES)
@pytest.mark.parametrize(("scheme", "size"), SCREENS)
def test_axe_finds_nothing_wrong(visiting: Visiting, site: Site, path: str, scheme: str, size: Any) -> None:
    visit = visiting(site, scheme, size)
    visit.go(path)
    assert violations(visit.page) == []


@pytest.mark.parametrize(("scheme", "size"), SCREENS)
def test_axe_finds_nothing_wrong_without_books(
    visiting: Visiting, site_without_books: Site, scheme: str, size: Any
) -> None:
    visit = visiting(site_without_books, scheme, size)
    visit.go("/")
    assert violations(visit.page) == []


@pytest.mark.parametrize("path", OWN_PAGES)
def test_a_page_fits_a_window_of_320_pixels(visiting: Visiting, site: Site, path: str) -> None:
    """As WCAG 1.4.10 asks."""
    visit = visiting(site, size={"width": 320, "height": 640})
    visit.go(path)
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_preferred_color_scheme(visiting: Visiting, site: Site, scheme: str) -> None:
    visit = visiting(site, scheme)
    visit.go("/")
    colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert (brightness > 128) == (scheme == "light"), colour


def test_the_focus_is_always_visible(visiting: Visiting, site: Site) -> None:
    visit = visiting(site)
    visit.go("/")
    # A page of twenty books has that many links and more; the last press leaves the page.
    for _ in range(25):
        visit.page.keyboard.press("Tab")
        focused = visit.page.locator(":focus")
        expect(focused).to_be_in_viewport()
        assert focused.evaluate("element => getComputedStyle(element).outlineStyle") != "none"


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_a_book_is_found_and_read_by_keyboard(visiting: Visiting, site: Site, scheme: str, size: Any) -> None:
    visit = visiting(site, scheme, size)
    page = visit.page
    visit.go("/")
    visit.write(page.get_by_role("searchbox"), "lefevre")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Hanoi in 1100")).to_be_visible()
    expect(page.get_by_role("link", name="Bergen before Dawn")).to_have_count(0)
    visit.press(page.get_by_role("link", name="How Bread Came to Tromsø"))
    expect(page.get_by_role("heading", level=1)).to_have_text("How Bread Came to Tromsø")
    expect(page.get_by_text("9798000000717")).to_be_visible()


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_the_links_to_other_pages_work_by_keyboard(visiting: Visiting, site: Site, scheme: str, size: Any) -> None:
    visit = visiting(site, scheme, size)
    page = visit.page
    visit.go("/")
    first = page.get_by_role("link", name="Bergen before Dawn")
    expect(first).to_be_visible()
    visit.press(page.get_by_role("link", name=re.compile("next", re.I)))
    expect(page.get_by_role("link", name=re.compile("previous", re.I))).to_be_visible()
    expect(first).to_have_count(0)
    visit.press(page.get_by_role("link", name=re.compile("previous", re.I)))
    expect(first).to_be_visible()


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_a_book_is_added_in_the_admin_with_a_bad_and_then_a_good_isbn(
    visiting: Visiting, site: Site, scheme: str, size: Any
) -> None:
    title, good = ("Utopia", "978-0-14-144232-7") if size == PHONE else ("Dracula", "978-0-14-143984-6")
    bad = good[:-1] + str((int(good[-1]) + 1) % 10)
    visit = visiting(site, scheme, size)
    page = visit.page
    sign_in(visit, site)
    visit.press(page.get_by_role("main").get_by_role("link", name="Books", exact=True).last)
    visit.press(page.get_by_role("main").get_by_role("link", name="Add book"))
    visit.write(page.get_by_role("textbox", name="Title:", exact=True), title)
    visit.write(page.get_by_role("textbox", name="Author"), "Thomas More")
    isbn = page.get_by_role("textbox", name="ISBN")
    visit.write(isbn, bad)
    page.keyboard.press("Enter")
    expect(page.get_by_text("The check digit of this ISBN is wrong.")).to_be_visible()
    visit.write(isbn, good)
    page.keyboard.press("Enter")
    expect(page.get_by_text("was added successfully")).to_be_visible()
    visit.go(f"/?search={title}")
    expect(page.get_by_text(good.replace("-", ""))).to_be_visible()


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_swagger_ui_sends_the_token(visiting: Visiting, site: Site, scheme: str, size: Any) -> None:
    visit = visiting(site, scheme, size)
    page = visit.page
    credentials = {"username": "admin", "password": site.password}
    token = page.request.post(f"{site.address}/api/v1/auth/token/", data=credentials).json()["token"]
    visit.go("/api/docs/")
    visit.press(page.get_by_role("button", name="Authorize").first)
    # Swagger UI offers the cookie of a session as well.
    dialog = page.locator(".auth-container", has_text="Authorization")
    visit.write(dialog.get_by_role("textbox"), f"Token {token}")
    visit.press(dialog.get_by_role("button", name="Apply credentials"))
    visit.press(dialog.get_by_role("button", name="Close"))
    who = page.locator(".opblock", has_text="Show the current user")
    visit.press(who.get_by_role("button", expanded=False).first)
    visit.press(who.get_by_role("button", name="Try it out"))
    visit.press(who.get_by_role("button", name="Execute"))
    expect(who.locator(".live-responses-table")).to_contain_text('"username": "admin"')


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_a_book_is_sent_from_the_browsable_api(visiting: Visiting, site: Site, scheme: str, size: Any) -> None:
    isbn = "978-0-14-118280-3" if size == PHONE else "978-0-14-143971-6"
    visit = visiting(site, scheme, size)
    page = visit.page
    sign_in(visit, site)
    visit.go("/api/")
    visit.press(page.get_by_role("link", name="/api/v1/books/"))
    # DRF's template does not connect labels with their fields.
    for name, text in {"title": "Ulysses", "author": "James Joyce", "isbn": isbn}.items():
        visit.write(page.locator(f"#post-object-form [name={name}]"), text)
    visit.press(page.get_by_role("button", name="POST"))
    expect(page.get_by_text("HTTP 201 Created")).to_be_visible()
    # DRF's own template has inline styles, which the Content-Security-Policy blocks: some buttons are elsewhere.
    visit.errors = [error for error in visit.errors if "inline style" not in error]


def test_the_list_is_complete_without_javascript(visiting: Visiting, site: Site) -> None:
    visit = visiting(site, java_script_enabled=False)
    visit.go("/")
    expect(visit.page.get_by_role("listitem").filter(has_text="ISBN")).to_have_count(20)


def test_the_list_is_a_few_small_files(visiting: Visiting, site: Site) -> None:
    visit = visiting(site)
    sizes: list[int] = []
    network = visit.page.context.new_cdp_session(visit.page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    visit.go("/")
    visit.page.wait_for_load_state("networkidle")
    assert 2 <= len(sizes) <= 4
    assert 0 < sum(sizes) <= 30_000


def test_nothing_on_the_list_moves_while_it_loads(visiting: Visiting, site: Site) -> None:
    visit = visiting(site, size=PHONE)
    visit.page.add_init_script(
        "window.shifts = []; new PerformanceObserver(list => window.shifts.push(...list.getEntries()))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    visit.go("/")
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.evaluate("window.shifts.map(shift => shift.value)") == []


def test_the_list_makes_at_most_three_queries(site: Site) -> None:
    code = (
        "from django.db import connection; from django.test import Client;"
        "from django.test.utils import CaptureQueriesContext as Capture\n"
        "with Capture(connection, ) as queries: answer = Client(headers={'host': 'localhost'}).get('/?search=e')\n"
        "print(answer.status_code, len(queries))"
    )
    status, queries = site.project.manage("shell", "--verbosity", "0", "--command", code, **VARIABLES).split()
    assert status == "200"
    assert 1 <= int(queries) <= 3


def test_the_recipe_makes_the_pictures_of_the_readme(browser: Browser, tmp_path: Path) -> None:
    subprocess.run(["just", "pictures", str(tmp_path)], check=True, cwd=ROOT)
    made = {path.name for path in tmp_path.iterdir()}
    shown = set(re.findall(r'"docs/pictures/([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8")))
    assert made == shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert max(path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()) < 60_000
