"""``reidzoo draw``: every picture on tiny data, and what is refused before anything is written."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.commands import call
from reidzoo.datasets import Market1501, write_pseudo_labels
from reidzoo.errors import UserError
from reidzoo.visualization import RIGHT, WRONG, image_sheet


@pytest.fixture
def said(monkeypatch):
    """The words above the columns and left of the rows of each sheet, which is drawn without them."""
    words = []
    monkeypatch.setattr(
        "reidzoo.visualization.image_sheet",
        lambda rows, heads=(), labels=(): words.append((list(heads), list(labels))) or image_sheet(rows),
    )
    return words


def draw(root, what, output, *words, dataset="Market1501"):
    call("draw", what, "--dataset", dataset, "--data-root", root, "--output", output, *words)
    return output


@pytest.mark.slow
def test_imbalance(tiny_root, tmp_path, read_svg, capsys):
    title, description, words = read_svg(draw(tiny_root, "imbalance", tmp_path / "x.svg", dataset="MSMT17").read_text())
    assert "images of an identity: 6 to 6, 6.0 on average" in description
    assert "times of day of an identity: 3 to 3" in capsys.readouterr().out
    assert title == "MSMT17 (rendered twin): the training identities" and "cameras of an identity" in words


class Halves:
    """Stands for a model: an image's embedding is the mean colour of its two halves, which are the person's."""

    def embed(self, paths):
        images = [np.asarray(Image.open(path)).astype(np.float32) for path in paths]
        return torch.tensor(np.stack([[image[:16].mean((0, 1)), image[16:].mean((0, 1))] for image in images])).flatten(
            1
        )

    embed_query = embed_gallery = embed


def test_ranking_frames_what_is_right_and_leaves_out_what_the_protocol_does(tiny_root, tmp_path, monkeypatch, said):
    monkeypatch.setattr("reidzoo.inference.load", lambda *words, **options: Halves())
    words = ["--weights", "a", "--weights", "b", "--rows", 3, "--top", 2, "--size", 32, 16]
    sheet = np.asarray(Image.open(draw(tiny_root, "ranking", tmp_path / "x.png", *words)))
    assert sheet.shape == (6 * 40 - 2, 3 * 24 - 2, 3)  # three queries of two models, with the query and two others
    queries = [Market1501(tiny_root).query[row] for row in (0, 11, 23)]
    for number, query in enumerate(queries):
        for row in (2 * number, 2 * number + 1):
            cell = sheet[row * 40 + 3 : row * 40 + 35, 3:19]
            assert np.array_equal(cell, np.asarray(Image.open(query.path)))
            assert tuple(sheet[row * 40, 24]) == RIGHT  # the colours tell the people apart
    assert said == [(["query", "1", "2"], ["a", "b"] * 3)]


def test_ranking_follows_the_datasets_own_protocol(tiny_root, tmp_path, monkeypatch, said):
    """Unknown cameras leave out nothing but junk, here the query's own image; CUHK03 shows a draw of its gallery."""
    monkeypatch.setattr("reidzoo.inference.load", lambda *words, **options: Halves())
    data = Market1501(tiny_root)
    rows = [f"{record.path},{record.pid},{split}" for split in ("query", "gallery") for record in data.records(split)]
    junk = [f"{record.path},-1,gallery" for record in data.query]
    (tmp_path / "own.csv").write_text("\n".join(["path,pid,split", *rows, *junk]))
    own = f"{{type: CSVDataset, file: {tmp_path / 'own.csv'}}}"
    for dataset, columns, right in ((own, 49, 4), ("CUHK03", 5, 1), ("VehicleID", 13, 1)):
        words = ["--weights", "a", "--rows", 3, "--top", 99, "--size", 32, 16]
        sheet = np.asarray(Image.open(draw(tiny_root, "ranking", tmp_path / "x.png", *words, dataset=dataset)))
        assert sheet.shape[1] == columns * 24 - 2
        for row in range(3):
            colours = [tuple(sheet[row * 40 + 2, 24 * column + 2]) for column in range(1, columns)]
            assert [colours.count(colour) for colour in (RIGHT, WRONG)] == [right, columns - 1 - right]


def test_labels_are_rows_with_their_main_identity_in_green(tiny_root, tmp_path, capsys, said):
    """The first label has a person's six images and two of another; the second one person's six; the rest has none."""
    dataset = Market1501(tiny_root)
    people = sorted({record.pid for record in dataset.train})
    of_second = 0
    labels = []
    for record in dataset.train:
        of_second += record.pid == people[1]
        kept = record.pid == people[0] or (record.pid == people[1] and of_second <= 2)
        labels.append(0 if kept else 1 if record.pid == people[2] else -1)
    write_pseudo_labels(tmp_path / "labels.csv", dataset.train, labels, dataset.folder)
    words = ["--labels", tmp_path / "labels.csv", "--rows", 5, "--top", 8, "--size", 32, 16]
    sheet = np.asarray(Image.open(draw(tiny_root, "labels", tmp_path / "x.png", *words)))
    assert sheet.shape == (2 * 40 - 2, 8 * 24 - 2, 3)  # two labels, of eight images and of six
    assert [tuple(sheet[0, 24 * column]) == RIGHT for column in range(8)] == [True] * 6 + [False] * 2
    printed = capsys.readouterr().out
    assert "clusters: 2" in printed and f"purity: {12 / 14:.4g}" in printed
    assert said == [([], ["label 0: 8 images, 2 people", "label 1: 6 images, 1 person"])]


def test_styles_of_statistics_and_of_folders(tiny_root, tmp_path, said):
    folder = tmp_path / "styles"
    folder.mkdir()
    for record in Market1501(tiny_root).train:
        for other in {0, 1, 2} - {record.camid}:
            stem = record.path.rsplit("/", 1)[-1].removesuffix(".jpg")
            shutil.copy(record.path, folder / f"{stem}_fake_{record.camid + 1}to{other + 1}.jpg")
    words = ["--rows", 2, "--size", 32, 16, "--style-folder", folder]
    sheet = np.asarray(Image.open(draw(tiny_root, "styles", tmp_path / "x.png", *words)))
    assert sheet.shape == (4 * 40 - 2, 4 * 24 - 2, 3)  # two images by two ways: the real one, then three cameras
    real, own, others = sheet[3:35, 3:19], sheet[3:35, 27:43], sheet[3:35, 51:67]
    assert np.array_equal(real, own) and not np.array_equal(real, others)
    assert np.array_equal(sheet[43:75, 3:19], sheet[43:75, 51:67])  # the folder's are copies
    assert said == [(["itself", "camera 1", "camera 2", "camera 3"], ["colours", "styles"] * 2)]


@pytest.mark.parametrize(
    "words, message",
    [
        (["ranking", "x.png"], "takes --weights"),
        (["imbalance", "x.png"], "writes .svg"),
        (["imbalance", "x.svg", "--dataset", "{type: UnlabeledFolder, folder: crops}"], "no training images of"),
        (["styles", "x.svg"], "writes .jpg or .png"),
        (["labels", "x.png"], "takes --labels CSV"),
        (["styles", "x.png", "--rows", 0], "numbers from 1 up"),
        (["styles", "x.png", "--style-folder", "."], "style images"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(tiny_root, tmp_path, words, message):
    with pytest.raises(UserError, match=message):
        draw(tiny_root, words[0], tmp_path / words[1], *words[2:])
    assert not list(tmp_path.iterdir())
