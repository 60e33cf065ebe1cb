"""Every defect that a check looks for is found in a folder that has it, and in no other."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets import TableDataset
from reidzoo.errors import DatasetError
from reidzoo.inspection import Inspection, image_facts, open_data
from reidzoo.inspection.findings import ERROR, NOTE, WARNING
from reidzoo.inspection.page import page

from .conftest import picture, save

GUESSED = "cameras are guessed from files' names: 2 of them, 0, 1"


def found(folder):
    """Return title -> finding, but for the cameras that the names tell."""
    findings = Inspection(open_data(str(folder)), workers=2).findings
    return {finding.title: finding for finding in findings if finding.title != GUESSED}


def test_nothing_is_wrong(crops):
    inspection = Inspection(open_data(str(crops)))
    assert [finding.title for finding in inspection.findings] == [GUESSED] and not inspection.errors
    assert inspection.table()[1] == [
        ["train", "3", "12", "2", "4", "48 x 24"],
        ["query", "2", "2", "1", "1", "48 x 24"],
        ["gallery", "2", "6", "1", "3", "48 x 24"],
    ]
    assert "Nothing is wrong" in inspection.text()


def unreadable(folder):
    (folder / "train/anna/0_c0.png").write_bytes(b"")


def cut(folder):
    path = folder / "train/anna/0_c0.png"
    path.write_bytes(path.read_bytes()[:-200])


def blank(folder):
    Image.new("RGB", (24, 48), (9, 9, 9)).save(folder / "train/anna/0_c0.png")


def tiny(folder):
    Image.fromarray(picture(0, (20, 10))).save(folder / "train/anna/0_c0.png")


def turned(folder):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(picture(900)).rotate(90, expand=True).save(folder / "train/anna/9_c0.jpg", exif=exif)


def deep(folder):
    values = picture(901)[..., 0].astype(np.uint16) * 257
    Image.fromarray(values).save(folder / "train/anna/9_c0.png")


def grey(folder):
    Image.fromarray(picture(902)[..., 0]).save(folder / "train/anna/9_c0.png")


def not_read(folder):
    (folder / "train/anna/9_c0.heic").write_bytes(b"x")


def loose(folder):
    save(folder / "loose_c0.png", 907)
    save(folder / "train/anna/deeper/0_c0.png", 908)
    save(folder / "val/gallery/zoe/0_c0.png", 909)  # a test of its own


def empty(folder):
    (folder / "train/nobody/deeper").mkdir(parents=True)


def other_files(folder):
    (folder / "notes.txt").touch()
    (folder / "train/anna/Thumbs.db").touch()


def not_utf_8(folder):
    (folder / "train/anna/0_c0.png").rename(folder / os.fsdecode(b"train/anna/\xe9_c0.png"))


def two_names(folder):
    shutil.copy(folder / "train/anna/0_c0.png", folder / "train/bo/9_c0.png")


def nearly_two_names(folder):
    save(folder / "train/bo/9_c0.jpg", 0, quality=60)


def in_both(folder):
    save(folder / "gallery/kim/9_c1.jpg", 0, quality=60)


def two_cameras(folder):
    save(folder / "gallery/kim/9_c1.jpg", 110, quality=60)


def copied(folder):
    shutil.copy(folder / "train/anna/0_c0.png", folder / "train/anna/9_c0.png")


def one_image(folder):
    save(folder / "train/oda/0_c0.png", 903)


def one_camera(folder):
    for number in range(2):
        save(folder / f"train/oda/{number}_c0.png", 910 + number)


def shared(folder):
    save(folder / "train/ida/0_c0.png", 904)
    save(folder / "train/ida/1_c1.png", 905)


def no_match(folder):
    shutil.rmtree(folder / "gallery/kim")


def no_gallery(folder):
    shutil.rmtree(folder / "gallery")


def junk(folder):
    save(folder / "train/-1/0_c0.png", 906)


@pytest.mark.parametrize(
    ("spoil", "level", "title"),
    [
        (unreadable, ERROR, "1 of 20 images cannot be read"),
        (cut, ERROR, "1 of 20 images cannot be read"),
        (blank, WARNING, "1 of 20 images are blank, of one colour"),
        (tiny, WARNING, "1 of 20 images are tiny, below 32 pixels in height or 16 in width"),
        (turned, NOTE, "1 of 21 images are turned by EXIF"),
        (deep, NOTE, "1 of 21 images have 16 bits a pixel"),
        (grey, NOTE, "not all images are RGB: 1 grey"),
        (not_read, WARNING, "files that are not read: 1 .heic"),
        (loose, WARNING, "images that belong to no person: 2"),
        (empty, WARNING, "folders without an image: 1"),
        (other_files, NOTE, "other files, which are not read: 2 (notes.txt, train/anna/Thumbs.db)"),
        (not_utf_8, WARNING, "1 of 20 images have a path that is not UTF-8"),
        (two_names, WARNING, "1 pairs of images of different identities are the same picture (the same file)"),
        (nearly_two_names, WARNING,
         "1 pairs of images of different identities are the same picture (0 the same file, others nearly so)"),
        (in_both, WARNING,
         "1 pairs of images of training and test are the same picture (0 the same file, others nearly so)"),
        (two_cameras, WARNING, "1 pairs of images of one person by different cameras are the same picture "
         "(0 the same file, others nearly so)"),
        (copied, NOTE, "1 files are copies of another of the same person and split"),
        (one_image, WARNING, "1 of 4 training identities have one image"),
        (one_camera, NOTE, "1 of 4 training identities are seen by one camera"),
        (shared, WARNING, "1 people are in train and in query or gallery"),
        (no_match, WARNING, "1 of 2 queries have no match by the protocol market1501"),
        (no_gallery, ERROR, "there is no gallery"),
        (junk, WARNING, "1 training images have no identity (-1)"),
    ],
)  # fmt: skip
def test_a_defect_is_found(crops, spoil, level, title):
    spoil(crops)
    findings = found(crops)
    assert list(findings) == [title] and findings[title].level == level


def test_a_name_that_is_not_utf_8_can_be_printed_and_shown(crops):
    not_utf_8(crops)
    (crops / "train/bo").rename(crops / os.fsdecode(b"train/b\xf6"))
    inspection = Inspection(open_data(str(crops)))
    for text in (inspection.text(), page(inspection)):
        assert r"\udce9_c0.png" in text and text.encode()


def test_why_an_image_cannot_be_read_is_said_once(crops):
    unreadable(crops)
    (line,) = found(crops)["1 of 20 images cannot be read"].examples
    assert line == "train/anna/0_c0.png cannot be read (it is empty); copy it again, or remove it"


def test_what_lies_beside_people(crops):
    save(crops / "train/loose_c0.png", 907)
    findings = found(crops / "train")
    assert findings["images that belong to no person: 1"].examples == ["loose_c0.png"]


def test_sizes_are_those_that_people_see(crops):
    turned(crops)
    assert found(crops)["1 of 21 images are turned by EXIF"].examples == ["train/anna/9_c0.jpg (48 high, 24 wide)"]
    assert Inspection(open_data(str(crops))).table()[1][0][-1] == "48 x 24"


def test_without_cameras_a_query_must_not_be_its_own_answer(crops, tmp_path):
    for path in [*crops.rglob("*.png")]:
        path.rename(path.with_name(path.name.split("_")[0] + ".png"))
    assert list(found(crops)) == ["cameras are unknown"]
    save(crops / "gallery/kim/9.jpg", 110, quality=60)
    pair = "1 pairs of a query and an answer that counts are the same picture (0 the same file, others nearly so)"
    assert list(found(crops)) == [pair, "cameras are unknown"]


def test_folders_of_people_and_lists(crops, tmp_path, monkeypatch):
    title = "there is no test set, neither query nor gallery"
    findings = found(crops / "train")
    assert list(findings) == [title] and "reidzoo split" in findings[title].advice
    people = open_data(str(crops / "train"))
    assert GUESSED in [finding.title for finding in Inspection(people).findings]
    columns = {key: [getattr(record, key) for record in people.train] for key in ("path", "pid", "camid")}
    table = TableDataset({**columns, "split": ["train"] * len(people.train)}, people.folder)
    assert [finding.title for finding in Inspection(table).findings] == [title]  # its cameras are as they are given
    lines = [f"{path},{path.parent.name},{path.parents[1].name}" for path in sorted(crops.rglob("*.png"))]
    (tmp_path / "mine.csv").write_text("\n".join(["path,pid,split", *lines]))
    assert list(found(tmp_path / "mine.csv")) == ["cameras are unknown"]
    assert open_data(str(tmp_path / "mine.csv")).pid_of["kim"] == 4


def test_images_are_read_by_up_to_eight_threads(crops, monkeypatch):
    counts = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(64), raising=False)
    monkeypatch.setattr(image_facts, "ThreadPoolExecutor", lambda n: counts.append(n) or ThreadPoolExecutor(n))
    image_facts.read_facts([str(crops / "train/anna/0_c0.png")])
    assert counts == [8]


def test_a_published_dataset_is_known_by_its_folder_and_its_counts_are_compared(crops, tmp_path):
    market = tmp_path / "Market-1501-v15.09.15"
    for split, part in {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}.items():
        for path in (crops / split).rglob("*.png"):
            pid, (number, camera) = (
                {"anna": 1, "bo": 2, "eva": 3, "ida": 4, "kim": 5}[path.parent.name],
                path.stem.split("_c"),
            )
            (market / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, market / part / f"{pid:04d}_c{int(camera) + 1}s1_{number}.png")
    inspection = Inspection(open_data(str(market)))
    assert inspection.images.title == "Market1501" and inspection.table()[1][0][-1] == "751 of 12,936"
    assert len(inspection.findings) == 3 and all("are published" in f.title for f in inspection.findings)
    assert inspection.images.label(0) == "identity 1, camera 1"  # as its files have it
    other = market.rename(tmp_path / "mine")
    assert open_data(str(other)).name == "mine" and not open_data(str(other)).published


def test_nothing_there(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no folders of people with images; expected PERSON/IMAGE"):
        open_data(str(tmp_path / "empty"))
    with pytest.raises(DatasetError, match="has no image"):
        Inspection(TableDataset({"path": [], "pid": [], "split": []}, tmp_path))


def test_a_file_that_a_list_has_twice(crops):
    image = "train/anna/0_c0.png"
    rows = [
        (image, 1, "train"),
        (image, 2, "train"),
        ("train/bo/0_c0.png", 2, "train"),
        ("train/bo/0_c0.png", 2, "train"),
    ]
    (crops / "list.csv").write_text("path,pid,split\n" + "".join(f"{path},{pid},{part}\n" for path, pid, part in rows))
    findings = {finding.title: finding.level for finding in Inspection(open_data(str(crops / "list.csv"))).findings}
    assert findings["2 images of train are listed more than once"] == ERROR
    assert findings["1 pairs of images of different identities are the same picture (the same file)"] == WARNING
