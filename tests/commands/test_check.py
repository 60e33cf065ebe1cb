"""`reidzoo check` of data: what it prints, its page, and how it ends."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from reidzoo.commands import call, main
from reidzoo.errors import UserError

from ..inspection.conftest import crops, picture, save  # noqa: F401


class Page(HTMLParser):
    """Collects the tags that are open, and the attributes of pictures."""

    def __init__(self, text):
        super().__init__()
        self.open, self.pictures = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.pictures.append(dict(attributes))
        elif tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_folder(crops, tmp_path, capsys):  # noqa: F811
    save(crops / "train/bo/<b>_c1.jpg", 0, quality=60)
    call("check", crops, "--html", tmp_path / "check.html")
    printed = capsys.readouterr().out
    assert "Should be looked at:" in printed and "train/bo/<b>_c1.jpg (bo)" in printed
    text = (tmp_path / "check.html").read_text()
    page = Page(text)
    assert not page.open and "train/bo/&lt;b&gt;_c1.jpg" in text
    assert [picture["alt"] for picture in page.pictures][:3] == [
        "train/anna/0_c0.png: identity anna, camera 0",
        "train/bo/<b>_c1.jpg: identity bo, camera 1",
        "train/anna/0_c0.png: identity anna, camera 0",
    ], "a pair, and then the contact sheet"
    assert re.findall(r"Identity (\w+)<", text) == ["anna", "bo", "eva", "ida", "kim"] and ">camera 1<" in text
    assert not re.search(r"(?:src|href)=\"(?!data:image/jpeg;base64,)", text), "nothing is fetched"


def test_a_page_stretches_no_turned_image_and_names_no_camera_that_is_unknown(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    for person in "ab":
        for number in range(2):
            path = tmp_path / "people" / person / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(ord(person) + number)).rotate(90, expand=True).save(path, exif=exif)
    call("check", tmp_path / "people", "--html", tmp_path / "check.html")
    pictures = Page((tmp_path / "check.html").read_text()).pictures
    assert {(own["width"], own["height"]) for own in pictures} == {("64", "128")}
    assert "camera" not in pictures[0]["alt"]


def test_what_must_be_fixed_ends_with_2(crops, capsys):  # noqa: F811
    (crops / "train/bo/2_c0.png").write_bytes(b"no image")
    with pytest.raises(SystemExit) as end:
        main(["check", str(crops)])
    printed = capsys.readouterr()
    assert end.value.code == 2 and "1 of 20 images cannot be read" in printed.out
    assert printed.err == "error: 1 of these must be fixed before a run\n"


def test_a_name_and_a_node(tiny_root, capsys):
    call("check", "Market1501", "--data-root", tiny_root)
    assert capsys.readouterr().out.startswith(f"Market1501: {tiny_root}/Market-1501-v15.09.15\n")
    call("check", f"{{type: Market1501, root: {tiny_root}, keep_junk: true}}")
    assert "Nothing is wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Market150"], "Market150 is not a configuration, .* or a dataset. Did you mean Market1501?"),
        ([], "what is to be checked"),
        (["{type: "], "is not a node such as"),
        (["{type: CSVDataset, file: 2024-13-45}"], "no such file"),
        (["configs/own_data.yml", "--html", "page.html"], "--html is for a folder, a CSV or a dataset"),
        (["nowhere.csv"], "no such file"),
    ],
)
def test_mistakes(words, message):
    with pytest.raises(UserError, match=message):
        call("check", *words)
