"""The default project in a real browser: by keyboard alone, on phone and desktop, in light and dark."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from baking import ROOT
from browsing import PHONE, SCREENS, TWO_SCREENS, VARIABLES, Site, Visiting, sign_in, violations
from playwright.sync_api import Browser, expect

# Pages of the project's own templates; the last one is an error page.
OWN_PAGES = [
    *("/", "/?search=jane", "/?search=nothing-has-this-name", "/books/1/"),
    *("/accounts/login/", "/accounts/password_reset/", "/no-such-page/"),
]


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
    visit.write(page.get_by_role("searchbox"), "bronte")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Wuthering Heights")).to_be_visible()
    expect(page.get_by_role("link", name="Anna Karenina")).to_have_count(0)
    expect(page.get_by_text("2 books")).to_be_visible()
    visit.press(page.get_by_role("link", name="Jane Eyre"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Jane Eyre")
    expect(page.get_by_text("9780141441146")).to_be_visible()


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_the_links_to_other_pages_work_by_keyboard(visiting: Visiting, site: Site, scheme: str, size: Any) -> None:
    visit = visiting(site, scheme, size)
    page = visit.page
    visit.go("/")
    first = page.get_by_role("link", name="Anna Karenina")
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
    dialog = page.locator(".auth-container", has_text="The token that a login returns")
    visit.write(dialog.get_by_role("textbox"), token)
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
        "window.shifts = []; window.observer = new PerformanceObserver(list => shifts.push(...list.getEntries()));"
        "observer.observe({type: 'layout-shift', buffered: true})"
    )
    visit.go("/")
    visit.page.wait_for_load_state("networkidle")
    # The second frame begins when the first one, with all that was loaded, has been drawn.
    drawn = "new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
    shifts = "[...shifts, ...observer.takeRecords()].map(shift => shift.value)"
    assert visit.page.evaluate(f"{drawn}.then(() => {shifts})") == []


def test_the_list_makes_at_most_four_queries(site: Site) -> None:
    code = (
        "from django.db import connection; from django.test import Client;"
        "from django.test.utils import CaptureQueriesContext as Capture\n"
        "with Capture(connection, ) as queries: answer = Client(headers={'host': 'localhost'}).get('/?search=th')\n"
        "print(answer.status_code, len(queries))"
    )
    status, queries = site.project.manage("shell", "--verbosity", "0", "--command", code, **VARIABLES).split()
    assert status == "200"
    assert 1 <= int(queries) <= 4


def test_the_recipe_makes_the_pictures_of_the_readme(browser: Browser, tmp_path: Path) -> None:
    subprocess.run(["just", "pictures", str(tmp_path)], check=True, cwd=ROOT)
    made = {path.name for path in tmp_path.iterdir()}
    shown = set(re.findall(r'"docs/pictures/([^"]+)"', (ROOT / "README.md").read_text(encoding="utf-8")))
    assert made == shown == {path.name for path in (ROOT / "docs" / "pictures").iterdir()}
    assert max(path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()) < 60_000
