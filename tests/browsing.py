"""A page in Chromium, opened from disk, with everything noted that should not happen."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


def chromium() -> str | None:
    """Where Chromium is, as `scripts/setup-browser` finds or installs it."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, fragment: str = "#lang=en", **options: object) -> Iterator[Page]:
    """Open a page from disk; it must raise no error, show no dialog and ask for nothing but itself."""
    wrong: list[str] = []
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, "locale": "en-GB", **options})
    page = context.new_page()
    page.on("console", lambda message: message.type in ("error", "warning") and wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    own = path.as_uri()
    page.on(
        "request",
        lambda request: (
            request.url.split("#")[0] not in (own,)
            and not request.url.startswith(("data:", "blob:"))
            and wrong.append(request.url)
        ),
    )
    page.goto(own + fragment)
    yield page
    context.close()
    assert wrong == []


def table(page: Page, selector: str) -> list[list[str]]:
    """Rows of a table as text: the exact value of each cell where it has one."""
    return page.eval_on_selector(
        selector,
        """table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => {
            const data = cell.querySelector("data");
            return data && data.getAttribute("value") !== "" ? data.getAttribute("value") : cell.firstChild.textContent;
        }))""",
    )


def numbers(page: Page, selector: str, columns: slice = slice(1, None)) -> dict[str, list[float]]:
    """Numbers of a table by the name of the row."""
    return {row[0]: [float(cell) for cell in row[columns]] for row in table(page, selector)}
