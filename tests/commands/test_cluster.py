"""Grouping of embedded images, on features whose groups are known."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.clustering import JaccardDBSCAN
from reidzoo.commands import call
from reidzoo.datasets import read_pseudo_labels
from reidzoo.errors import UserError


@pytest.fixture
def write_features(tmp_path):
    """``write_features()`` writes what ``reidzoo extract`` leaves: people far apart, their images near."""

    def write(people=5, images=8, known=True):
        torch.manual_seed(0)
        centres = torch.nn.functional.normalize(torch.randn(people, 64), dim=1).repeat_interleave(images, 0)
        features = centres + 0.02 * torch.randn(people * images, 64)
        np.save(tmp_path / "features.npy", features.numpy())
        with open(tmp_path / "index.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("row", "path", "pid", "camid", "split"))
            for row in range(people * images):
                path = tmp_path / f"{row:03d}.png"
                Image.new("RGB", (8, 16), (row * 5 % 256, 90, 90)).save(path)
                writer.writerow((row, path, row // images if known else "", row % 2 if known else "", ""))
        return tmp_path

    return write


def test_each_setting_has_a_line_with_its_sizes_and_its_agreement_with_the_identities(write_features, capsys):
    call("cluster", write_features(), "--k1", 5, 8, "--eps", 0.3, 0.6)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["40", "images"] and [line[:2] for line in lines[3:7]] == [
        ["5", "0.3"],
        ["5", "0.6"],
        ["8", "0.3"],
        ["8", "0.6"],
    ]
    assert lines[6][2:] == ["5", "0", "8", "8", "8", "100.0", "100.0", "100.0", "100.0"]


def test_an_outlier_is_in_no_pair(write_features, capsys):
    """Of one person's 40 images 4 are a group: of 780 pairs 6."""
    folder = write_features(people=1, images=40)
    features = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    features[:4] = features[0]
    np.save(folder / "features.npy", features)
    call("cluster", folder, "--k1", 4, "--eps", 0.3)
    *_, line, _ = capsys.readouterr().out.splitlines()
    _, _, groups, outliers, *_, precision, recall, _, f1 = line.split()
    assert (groups, outliers, precision) == ("1", "36", "100.0")
    assert recall == f"{100 * 6 / 780:.1f}" and f1 == f"{200 * 6 / 786:.1f}"


def test_images_without_names_have_sizes_alone_and_the_labels_are_the_clusterers(write_features, tmp_path, capsys):
    folder = write_features(known=False)
    labels, picture = tmp_path / "labels.csv", tmp_path / "groups.png"
    options = ("--output", labels, "--picture", picture, "--rows", 3, "--top", 4)
    call("cluster", folder, "--k1", 8, "--eps", 0.5, *options)
    out = capsys.readouterr().out
    assert "F1" not in out and "identities" not in out
    expected = JaccardDBSCAN(k1=8, eps=0.5).fit_predict(np.load(folder / "features.npy"))
    assert list(read_pseudo_labels(labels).values()) == expected.tolist()
    with Image.open(picture) as image:
        assert image.height > 3 * 128 and image.width > 4 * 64


@pytest.mark.parametrize(
    "options, words",
    [
        (("--k1", 0), "k1: expected a whole number of at least 1"),
        (("--eps", 1.5), "eps: expected a distance in"),
        (("--eps", 0.3, 0.4, "--output", "labels.csv"), "of one setting"),
        (("--k1", 5, "--eps", 0.3, "--picture", "groups.gif"), "a .png or a .jpg is written"),
        (("--rows", 0), "a number from 1 up"),
    ],
)
def test_mistakes(write_features, options, words):
    with pytest.raises(UserError, match=words):
        call("cluster", write_features(), *options)


def test_what_is_no_folder_of_features_is_named(tmp_path):
    with pytest.raises(UserError, match="is not a folder that reidzoo extract has written"):
        call("cluster", tmp_path)
    np.save(tmp_path / "features.npy", np.zeros((3, 4), np.float32))
    (tmp_path / "index.csv").write_text("row,path,pid,camid,split\n0,a.jpg,,,\n")
    with pytest.raises(UserError, match="has 1 images"):
        call("cluster", tmp_path)


def test_nothing_to_draw(write_features, tmp_path):
    folder = write_features()
    np.save(folder / "features.npy", np.eye(40, dtype=np.float32))
    with pytest.raises(UserError, match="no group to draw"):
        call("cluster", folder, "--k1", 3, "--eps", 0.1, "--picture", tmp_path / "groups.png")
