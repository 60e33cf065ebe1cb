"""The report of a run: all its pictures, the page in a browser, and what is said where something is missing."""

from __future__ import annotations

import re
import shutil

import pytest
from PIL import Image

from reidzoo.commands import call
from reidzoo.errors import UserError
from reidzoo.reporting import RETRIEVAL_PICTURES, STRIPS, TRAINING_PICTURES

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip
BROKEN = "return [...document.images].filter(i => !i.complete || !i.naturalWidth).length"
OVERFLOWING = """
const wide = document.documentElement.clientWidth + 1, found = [];
for (const e of document.querySelectorAll("body *:not(svg *)")) {
  if (e.closest(".scroll, pre")) continue;
  const outside = e.getBoundingClientRect().right > wide || e.clientWidth && e.scrollWidth > e.clientWidth + 1;
  if (outside) found.push(e.outerHTML.slice(0, 90));
}
for (const e of document.querySelectorAll("figure svg text")) {
  const text = e.getBoundingClientRect(), svg = e.closest("svg").getBoundingClientRect();
  if (text.right > svg.right + 2 || text.left < svg.left - 2) found.push(e.textContent);
}
return found;
"""


@pytest.fixture
def page(run_folder, capsys):
    """The report of a run."""
    call("report", run_folder)
    assert f"{run_folder / 'report' / 'report.html'}" in capsys.readouterr().out
    return run_folder / "report" / "report.html"


@pytest.fixture
def browser(tmp_path):
    """A browser without a window."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    yield browser
    browser.quit()


@pytest.mark.slow
def test_the_page_has_every_picture_and_a_browser_shows_it_whole(page, browser):
    html = page.read_text()
    kinds = re.findall(r'<figure data-kind="([a-z-]+)"', html)
    assert sorted(kinds) == sorted([*RETRIEVAL_PICTURES, *TRAINING_PICTURES])
    assert page.stat().st_size < 20e6 and len(list(page.parent.iterdir())) == len(kinds) + 1
    assert not re.search(r'(?:src|href)="(?!data:|#)', html) and not re.search(r"url\((?!#)", html)
    assert "reidzoo train &lt;&amp;&gt;" in html and "<&>" not in html
    assert "Twins are rendered drawings" in html
    images = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(images) > 60 and all(images) and any("true match, identity" in words for words in images)
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    for width in (1180, 390):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(page.as_uri())
        assert browser.execute_script(BROKEN) == 0
        for folded in (False, True):
            browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = arguments[0])", folded)
            assert browser.execute_script(OVERFLOWING) == [], f"at {width} pixels"
    assert [entry["message"] for entry in browser.get_log("browser")] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["confusions", "distances", "clusters", "losses"])
def test_every_picture_by_itself_with_the_same_bytes_each_time(run_folder, tmp_path, kind):
    output = tmp_path / f"x{'.png' if kind in STRIPS else '.svg'}"
    found = []
    for _ in range(2):
        call("draw", kind, "--weights", run_folder, "--output", output)
        found.append(output.read_bytes())
    assert found[0] == found[1]
    if output.suffix == ".png":
        assert min(Image.open(output).size) > 128


@pytest.mark.slow
def test_a_picture_of_chosen_queries(run_folder, tmp_path, capsys):
    output = tmp_path / "x.png"
    call("draw", "attention", "--weights", run_folder, "--output", output, "--query", "2")
    assert Image.open(output).height < 240, "one strip"
    with pytest.raises(UserError, match=r"query no\.jpg is not among the"):
        call("draw", "rank-lists", "--weights", run_folder, "--output", tmp_path / "y.png", "--query", "no.jpg")
    with pytest.raises(UserError, match="cmc takes no --query: rank-lists and attention do"):
        call("draw", "cmc", "--weights", run_folder, "--output", tmp_path / "y.svg", "--query", "2")


@pytest.mark.slow
def test_the_curves_of_a_run_without_model_and_data(run_folder, tmp_path, monkeypatch, capsys):
    for path in run_folder.glob("*/model_final.pth"):
        path.unlink()
    output = tmp_path / "out"
    call("report", run_folder, "--output-dir", output, "DATASETS.ROOT", "nowhere")
    html = (output / "report.html").read_text()
    assert re.findall(r'data-kind="([a-z-]+)"', html) == [kind for kind in TRAINING_PICTURES if kind != "clusters"]
    assert "Left out: clusters" in html
    with pytest.raises(UserError, match="no stage is finished"):
        call("draw", "cmc", "--weights", run_folder, "--output", tmp_path / "x.svg")


@pytest.mark.slow
def test_what_is_missing_is_said_before_anything_is_written(run_folder, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(UserError, match="--curves-only draws the training"):
        call("report", run_folder, "--output-dir", output, "DATASETS.ROOT", "nowhere")
    with pytest.raises(UserError, match="stage"):
        call("report", run_folder, "--output-dir", output, "--stage", "lst")
    with pytest.raises(UserError):
        call("report", "no_such_model", "--output-dir", output)
    for path in run_folder.glob("*/metrics.jsonl"):
        path.unlink()
    with pytest.raises(UserError, match="nothing to report yet"):
        call("report", run_folder, "--output-dir", output, "--curves-only")
    for words in (["losses", "x.png"], ["rank-lists", "x.svg"], ["losses", "x.svg"]):
        with pytest.raises(UserError, match=r"writes \.|no losses to draw"):
            call("draw", words[0], "--weights", run_folder, "--output", tmp_path / words[1])
    assert not output.exists() and not list(tmp_path.glob("x.*"))
