"""Looking at a page: its width, what axe-core says of it, and a picture of it to keep.

Pictures are kept under var/screenshots (git ignores var).
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

from launcher.places import ROOT

PAGE_SECONDS = 60
NARROW, WIDE = 320, 1280
WIDTHS = (NARROW, WIDE)
LEAST_TARGET_PIXELS = 44


def resize(browser: webdriver.Chrome, width: int) -> None:
    """A window of this width inside; a headless one has a least width of its own."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600},
    )


def prefer(browser: webdriver.Chrome, *, language: str, is_dark: bool) -> None:
    """What the browser's owner reads and how bright they like it."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd(
        "Network.setExtraHTTPHeaders", {"headers": {"Accept-Language": language}}
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def fold(browser: webdriver.Chrome, *, is_open: bool) -> None:
    """Open what is folded away, or close it."""
    browser.execute_script(
        "for (const each of document.querySelectorAll('details')) each.open = arguments[0]", is_open
    )


def problems(browser: webdriver.Chrome, *, width: int) -> list[str]:
    """What is wrong with the page that is open: too wide, too small to hit, and axe's findings."""
    fold(browser, is_open=True)
    found = violations(browser)
    scrolled = browser.execute_script("return document.documentElement.scrollWidth")
    if scrolled > width:
        found.append(f"{scrolled} pixels wide on a screen of {width}")
    for target in browser.find_elements(
        By.CSS_SELECTOR, "main button, main .button, .choice, main input:not([type=hidden])"
    ):
        is_box = target.get_attribute("type") in ("checkbox", "radio")
        if target.is_displayed() and not is_box and target.size["height"] < LEAST_TARGET_PIXELS:
            found.append(f"a target of {target.size['height']} pixels: {target.text[:40]}")
    fold(browser, is_open=False)
    return found


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe-core complains about, by its rules of WCAG 2.1 A and AA and its best practices."""
    found = find_spec("axe_core_python")
    assert found is not None
    assert found.origin is not None
    browser.set_script_timeout(PAGE_SECONDS)
    browser.execute_script((Path(found.origin).parent / "axe.min.js").read_text())
    told = browser.execute_async_script(
        "const done = arguments[arguments.length - 1]; axe.run().then(done)"
    )
    return [
        f"{each['id']}: {node['html'][:120]}"
        for each in told["violations"]
        for node in each["nodes"]
    ]


def keep(browser: webdriver.Chrome, name: str) -> None:
    """Keep a picture of what the window shows."""
    folder = ROOT / "var" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    browser.save_screenshot(str(folder / f"{name}.png"))


def keep_whole(browser: webdriver.Chrome, name: str, *, width: int) -> None:
    """Keep a picture of the whole page, however long."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    keep(browser, name)
    resize(browser, width)
