"""Take the pictures of README.md: render the default project, serve it, and photograph it in light and dark.

The tests' own parts serve it and sign in. What the terminal shows is what the render really printed.
"""

import base64
import html
import re
import sys
import tempfile
from pathlib import Path
from typing import Literal

from baking import BakedProject
from browsing import MILLISECONDS, OPTIONS, Site, Visit, browser_program, serving, sign_in
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]

TERMINAL = """<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><style>
:root {{ background: light-dark(#f6f8fa, #16191d); color: light-dark(#1d2329, #e4e8ec); }}
pre {{ margin: 0; padding: 24px; font: 15px/1.5 monospace; white-space: pre-wrap; }}
</style><pre>{}</pre>"""


def main() -> None:
    """Run `just pictures [FOLDER]`: writes NAME-light.webp and NAME-dark.webp.

    Ends with a message if there is no browser.
    """
    program = browser_program() or sys.exit("Chromium is needed for this.")
    pictures = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        printed = render(folder)
        chromium = playwright.chromium.launch(executable_path=program, args=OPTIONS, timeout=MILLISECONDS)
        with serving(BakedProject(Path(folder) / "library", {})) as site:
            photograph(chromium, site, printed, "light", pictures)
            photograph(chromium, site, printed, "dark", pictures)
        chromium.close()


def render(folder: str) -> str:
    """Render the default project into the folder. What a terminal shows when each question is answered by Enter."""
    command = ["cookiecutter", str(ROOT), "--output-dir", folder]
    printed = BakedProject(Path(folder), {}).run("sh", "-c", 'yes "" | "$@"', "sh", *command, COLUMNS="100")
    # The answers are not echoed, so that the questions stand on one line.
    lines = re.sub(r"(?<=: )(?= *\[\d/\d\])", "\n", printed).rstrip()
    # A render from the address that the picture shows is linked already, one from a folder is told how to be.
    lines = re.sub(r"\nTo follow the template .*", "", lines)
    return f"$ uvx cookiecutter gh:OWNER/cookiecutter-drf-docker\n{lines}\n$ "


def photograph(browser: Browser, site: Site, printed: str, scheme: Literal["light", "dark"], pictures: Path) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 960, "height": 640})
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    page.set_content(TERMINAL.format(html.escape(printed)))
    save(page, pictures / f"render-{scheme}.webp")
    page.goto(site.address)
    save(page, pictures / f"list-{scheme}.webp")
    page.locator(".list li:has(.subtitle) a").first.click()
    save(page, pictures / f"detail-{scheme}.webp")
    page.goto(f"{site.address}/api/docs/")
    operation = page.locator(".opblock", has_text="Show a book")
    operation.get_by_role("button", expanded=False).first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("id").fill("1")
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table")).to_contain_text("Jane Eyre")
    operation.get_by_role("heading", name="Curl").evaluate("heading => heading.scrollIntoView()")
    save(page, pictures / f"swagger-{scheme}.webp")
    # The admin has three columns side by side.
    page.set_viewport_size({"width": 1380, "height": 760})
    sign_in(Visit(page, site.address), site)
    page.goto(f"{site.address}/admin/books/book/")
    save(page, pictures / f"admin-{scheme}.webp")
    context.close()


def save(page: Page, file: Path) -> None:
    """A WebP picture of the window; playwright itself only knows PNG and JPEG, which are several times larger."""
    page.wait_for_load_state("networkidle")
    devtools = page.context.new_cdp_session(page)
    picture = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    file.write_bytes(base64.b64decode(picture["data"]))


if __name__ == "__main__":
    main()
