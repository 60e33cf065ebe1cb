"""The page of a gallery in a real browser: chromium without a display, driven by Selenium."""

from __future__ import annotations

import shutil
import threading
import time

import pytest
import torch
from PIL import Image

from reidzoo.gallery import Gallery
from reidzoo.gallery.server import create_app

from ..conftest import draw_person

for module, extra in (("fastapi", "serve"), ("uvicorn", "serve"), ("python_multipart", "serve"), ("selenium", "dev")):
    pytest.importorskip(module, reason=f"{module} is missing: pip install 'reidzoo[{extra}]'")
BINARIES = [shutil.which("chromium"), shutil.which("chromedriver")]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        None in BINARIES, reason="no chromium or no chromedriver: apt-get install chromium chromium-driver"
    ),
]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1180,900"
)


@pytest.fixture
def browser(tmp_path):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BINARIES[0]
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(BINARIES[1]))
    yield driver
    driver.quit()


@pytest.fixture
def address(model, people):
    """The address of a served gallery, in which one file is gone."""
    import uvicorn

    draw_person(people / "Dora" / "Dora_c10.jpg", 3, 10, 0)
    gallery = Gallery.build(model, people)
    (people / "Dora" / "Dora_c10.jpg").unlink()
    server = uvicorn.Server(uvicorn.Config(create_app(gallery), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(20)


@pytest.fixture
def find(browser):
    """Return a function that waits until what a CSS selector finds passes a test."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def find(selector, passes=bool):
        def passing(_):
            found = browser.find_elements(By.CSS_SELECTOR, selector)
            return found if found and passes(found) else None  # the page may not be there yet

        return WebDriverWait(browser, 60, ignored_exceptions=[]).until(passing, f"waited for {selector}")

    return find


def test_search_filter_and_compare(browser, find, address, people, tmp_path):
    torch.set_num_threads(1)
    browser.get(address)
    (about,) = find("#about", lambda found: "7 pictures" in found[0].text)
    assert "4 identities" in about.text and "not calibrated: similarities, no probabilities" in about.text
    find("#file")[0].send_keys(str(people / "Bob" / "Bob_c10.jpg"))
    cards = find(".match", lambda found: len(found) == 7)
    assert cards[0].text.splitlines() == ["identity Bob", "no. 1, camera 10", "similarity 1.00"]
    find(".match small", lambda found: any(one.text == "its file is gone" for one in found))
    assert len(find(".match img", lambda found: all(one.get_property("naturalWidth") for one in found))) == 6

    assert all(part.get_property("open") for part in find("aside details"))
    find("#cameras input")[0].click()  # camera 0 alone
    cards = find(".match", lambda found: len(found) == 3)
    assert all("camera 0" in card.text for card in cards)

    cards[-1].click()
    (verdict,) = find("#verdict", lambda found: found[0].text != "")
    assert verdict.text == "Not calibrated" and "similarity" in find("#figures")[0].text
    assert "This model is not calibrated" in find("#reasons li")[0].text
    drawn = "const c = document.getElementById('second-map'); return [c.width * c.height, Math.max(..."
    drawn += "c.getContext('2d').getImageData(0, 0, c.width, c.height).data)]"
    cells, strongest = browser.execute_script(drawn)
    assert cells >= 16 and strongest > 100
    find("#second")[0].send_keys(str(people / "Bob" / "Bob_c10.jpg"))  # with itself
    find("#figures", lambda found: found[0].text == "similarity 1.00")

    (tmp_path / "text.jpg").write_text("no picture")
    find("#file")[0].send_keys(str(tmp_path / "text.jpg"))
    (message,) = find("#message", lambda found: found[0].is_displayed())
    assert "not a picture that can be read" in message.text
    assert_clean(browser, address)


def test_a_narrow_screen_and_a_large_picture(browser, find, address, tmp_path):
    browser.set_window_size(500, 800)
    browser.get(address)
    Image.effect_noise((4000, 4000), 90).save(tmp_path / "large.png")  # more bytes than are taken
    find("#about", lambda found: "7 pictures" in found[0].text)
    find("#file")[0].send_keys(str(tmp_path / "large.png"))
    (message,) = find("#message", lambda found: found[0].is_displayed())
    assert "bytes; 10,485,760 are taken" in message.text
    assert not any(part.get_property("open") for part in find("aside details"))  # filters leave room for the matches
    Image.new("RGB", (16, 32), "red").save(tmp_path / "red.tif")
    find("#file")[0].send_keys(str(tmp_path / "red.tif"))
    matches = find(".match", lambda found: len(found) == 7)
    assert matches[0].location["y"] < 480
    find("#hint", lambda found: found[0].text == "red.tif (this browser cannot show it)")
    overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(overflow) <= 0


def assert_clean(browser, address):
    """Check that the page had no error but those that the test made, and asked no other server."""
    import json

    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert [text for text in errors if "/api/picture" not in text and "/api/search" not in text] == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    ours = (address, "blob:", "data:", "chrome://", "chrome-untrusted://")  # the last of the tab that it opened with
    assert any(url.startswith(address) for url in asked) and [url for url in asked if not url.startswith(ours)] == []
