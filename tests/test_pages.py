"""The pages that people see first, of a project with books, of an API alone and of a project with neither."""

import html
import re
import shutil
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from baking import Bake, BakedProject, free_port, http_get, need, running
from browsing import PHONE, TWO_SCREENS, VARIABLES, Site, Visiting, serving, sign_in
from playwright.sync_api import Browser, Page, expect

LOGIN = ["/accounts/login/", "/admin/login/"]
API = ["/api/", "/api/v1/auth/user/", "/api/v1/auth/token/", "/api/docs/"]
BOOKS = ["/?search=e", "/?search=nothing-has-this-name", "/?ordering=no-such-order", "/books/1/"]
BOOKS_API = ["/api/v1/books/", "/api/v1/books/?search=bronte", "/api/v1/books/?no=such", "/api/v1/books/1/"]
FOR_STAFF = ["/admin/", "/admin/books/book/", "/admin/books/book/add/", "/admin/apis/token/"]


@pytest.fixture(scope="module")
def site_with_neither(bake: Bake, browser: Browser) -> Any:
    with serving(bake(include_books=False, include_apis=False)) as served:
        yield served


def look_at(page: Page, address: str, *, fits: bool = True) -> None:
    """Open a page and wait for all that it loads. It has a title, and nothing reaches beyond the window."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    assert page.title()
    if fits:
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert width == 0, f"{address} is {width} pixels too wide"


# The fixture `visiting` fails for any error or warning in the console, such as a refused inline style.


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_every_page_for_visitors_fits_and_has_a_clean_console(
    visiting: Visiting, site: Site, scheme: str, size: Any
) -> None:
    page = visiting(site, scheme, size).page
    for path in ["/", "/no-such-page/", *LOGIN, *API, *BOOKS, *BOOKS_API]:
        look_at(page, site.address + path)


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_every_page_for_staff_fits_and_has_a_clean_console(
    visiting: Visiting, site: Site, scheme: str, size: Any
) -> None:
    visit = visiting(site, scheme, size)
    sign_in(visit, site)
    for path in [*FOR_STAFF, *API, *BOOKS_API]:
        # The lists of Django's admin scroll on a phone.
        look_at(visit.page, site.address + path, fits=not path.startswith("/admin"))


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_every_page_of_an_api_without_books_fits_and_has_a_clean_console(
    visiting: Visiting, site_without_books: Site, scheme: str, size: Any
) -> None:
    page = visiting(site_without_books, scheme, size).page
    for path in ["/", "/no-such-page/", *LOGIN, *API]:
        look_at(page, site_without_books.address + path)


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_every_page_of_a_project_with_neither_fits_and_has_a_clean_console(
    visiting: Visiting, site_with_neither: Site, scheme: str, size: Any
) -> None:
    page = visiting(site_with_neither, scheme, size).page
    for path in ["/", "/no-such-page/", *LOGIN]:
        look_at(page, site_with_neither.address + path)


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
@pytest.mark.parametrize("path", ["/api/", "/api/v1/books/1/", "/api/v1/books/?no=such", "/api/docs/"])
def test_the_pages_of_the_api_are_readable_in_the_preferred_color_scheme(
    visiting: Visiting, site: Site, path: str, scheme: str, size: Any
) -> None:
    visit = visiting(site, scheme, size)
    sign_in(visit, site)
    look_at(visit.page, site.address + path)
    colour = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert (brightness > 128) == (scheme == "light"), colour
    if path != "/api/docs/":
        # DRF's labels and tabs are its own matter, the colors are ours.
        options = {"runOnly": ["color-contrast"]}
        found = Axe().run(visit.page, options=options).response["violations"]
        assert [node["html"] for rule in found for node in rule["nodes"]] == []


@pytest.mark.parametrize(("scheme", "size"), TWO_SCREENS)
def test_the_browsable_api_leads_to_logging_in_and_out_and_back_to_the_site(
    visiting: Visiting, site: Site, scheme: str, size: Any
) -> None:
    visit = visiting(site, scheme, size)
    page = visit.page
    visit.go("/api/v1/books/?search=bronte")
    visit.press(page.get_by_role("link", name="Log in"))
    visit.write(page.get_by_role("textbox", name="Username"), "admin")
    visit.write(page.get_by_label("Password"), site.password)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{site.address}/api/v1/books/?search=bronte")
    visit.press(page.get_by_role("button", name="Log out admin"))
    expect(page.get_by_role("link", name="Log in")).to_be_visible()
    expect(page).to_have_url(f"{site.address}/api/v1/books/?search=bronte")
    visit.press(page.get_by_role("link", name="Library"))
    expect(page).to_have_url(f"{site.address}/")


def test_the_filters_of_the_browsable_api_open_and_search(visiting: Visiting, site: Site) -> None:
    visit = visiting(site, "dark", PHONE)
    page = visit.page
    visit.go("/api/v1/books/")
    page.get_by_role("button", name="Filters").click()
    # Bootstrap moves the focus to the dialog when it has appeared.
    expect(page.locator("#filtersModal")).to_be_focused()
    search = page.locator("#filtersModal input[name=search]")
    search.fill("capek")
    search.press("Enter")
    expect(page.locator(".response-info")).to_contain_text("R.U.R.")


def test_swagger_ui_shows_success_before_errors(visiting: Visiting, site: Site) -> None:
    visit = visiting(site)
    page = visit.page
    visit.go("/api/docs/")
    for summary, codes in {"Show a book": ["200", "default"], "Add a book": ["201", "default"]}.items():
        operation = page.locator(".opblock", has_text=summary)
        operation.get_by_role("button", expanded=False).first.click()
        expect(operation.locator("tr.response > .response-col_status")).to_have_text(codes)


def commands(page: str) -> list[str]:
    """The commands for a terminal that a page shows."""
    return [html.unescape(command) for command in re.findall(r"<code>(curl .+?)</code>", page)]


@pytest.mark.parametrize("script_name", ["", "/library"])
def test_the_commands_of_the_home_page_work_when_they_are_copied(bake: Bake, script_name: str) -> None:
    need(shutil.which("curl"), "curl")
    project, port = bake(include_books=False), free_port()
    variables = {**VARIABLES, "SCRIPT_NAME": script_name}
    project.manage("collectstatic", "--noinput", **variables)
    project.manage("migrate", **variables)
    password = re.search(r"password: (\S+)", project.manage("demo", **variables))
    assert password
    address = f"http://127.0.0.1:{port}{script_name}"
    command = ["gunicorn", "django_project.wsgi", "--bind", f"127.0.0.1:{port}"]
    with running(command, project.path, f"{address}/health/live", **variables):
        root, token, user, ready = commands(http_get(f"{address}/").text)
        assert f'"docs":"{address}/api/docs/"' in curl(project, root)
        issued = re.search(r'"token":"(\S+?)"', curl(project, token.replace("PASSWORD", password[1])))
        assert issued
        assert '"username":"admin"' in curl(project, user.replace("TOKEN", issued[1]))
        assert '"database": "ok"' in curl(project, ready)


def curl(project: BakedProject, command: str) -> str:
    return project.run("sh", "-c", f"{command} --silent --show-error --fail")
