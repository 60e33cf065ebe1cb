"""Grouping of embedded images, on features whose groups are known."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.clustering import JaccardDBSCAN
from reidzoo.commands import call
from reidzoo.datasets import build_dataset
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


def lines_of(capsys):
    """The table's lines below its rule, in cells."""
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    start = next(number for number, row in enumerate(rows) if row and set(row[0]) == {"-"}) + 1
    return [row for row in rows[start:] if row and row[0].isdigit()]


def keep(folder, **columns):
    """Replace columns of the index by one value."""
    with open(folder / "index.csv", newline="") as file:
        rows = [{**row, **columns} for row in csv.DictReader(file)]
    with open(folder / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_each_setting_has_a_line_with_its_sizes_and_its_agreement_with_the_identities(write_features, capsys):
    call("cluster", write_features(), "--k1", 5, 8, 8, "--eps", 0.3, 0.6)
    lines = lines_of(capsys)
    assert [line[:2] for line in lines] == [["5", "0.3"], ["5", "0.6"], ["8", "0.3"], ["8", "0.6"]]
    assert lines[3][2:] == ["5", "0", "8", "8", "8", "100.0", "100.0", "100.0", "100.0"]


def test_the_shares_are_those_of_all_pairs_counted_one_by_one(write_features, tmp_path, capsys):
    folder = write_features(people=6, images=10)
    features = np.load(folder / "features.npy")
    np.save(folder / "features.npy", features + 0.25 * np.random.default_rng(1).normal(size=features.shape))
    call("cluster", folder, "--k1", 12, "--eps", 0.55, "--output", tmp_path / "groups.csv")
    with open(tmp_path / "groups.csv", newline="") as file:
        group = {row["path"]: row["pid"] for row in csv.DictReader(file)}
    with open(folder / "index.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    pairs = list(itertools.combinations(rows, 2))
    together = [group.get(a["path"], "a") == group.get(b["path"], "b") for a, b in pairs]
    same = [a["pid"] == b["pid"] for a, b in pairs]
    both = sum(t and s for t, s in zip(together, same))
    across = [s and a["camid"] != b["camid"] for s, (a, b) in zip(same, pairs)]
    found = sum(t and c for t, c in zip(together, across))
    shares = (both / sum(together), both / sum(same), found / sum(across), 2 * both / (sum(together) + sum(same)))
    assert lines_of(capsys)[0][-4:] == [f"{100 * share:.1f}" for share in shares]
    assert 0 < both < min(sum(together), sum(same))  # the groups are neither right nor empty


def test_an_outlier_is_in_no_pair(write_features, capsys):
    """Of one person's 40 images 4 are a group: of 780 pairs 6."""
    folder = write_features(people=1, images=40)
    features = np.random.default_rng(0).normal(size=(40, 64)).astype(np.float32)
    features[:4] = features[0]
    np.save(folder / "features.npy", features)
    call("cluster", folder, "--k1", 4, "--eps", 0.3)
    ((_, _, groups, outliers, *_, precision, recall, _, f1),) = lines_of(capsys)
    assert (groups, outliers, precision) == ("1", "36", "100.0")
    assert recall == f"{100 * 6 / 780:.1f}" and f1 == f"{200 * 6 / 786:.1f}"


def test_what_nothing_is_known_of_has_no_share(write_features, capsys):
    folder = write_features()
    keep(folder, camid="-1")
    call("cluster", folder, "--k1", 8, "--eps", 0.5)
    assert lines_of(capsys)[0][-4:] == ["100.0", "100.0", "-", "100.0"]
    keep(folder, pid=" -1")
    call("cluster", folder, "--k1", 8, "--eps", 0.5)
    assert lines_of(capsys)[0][-3:] == ["8", "8", "8"]
    np.save(folder / "features.npy", np.eye(40, dtype=np.float32))
    call("cluster", folder, "--k1", 3, "--eps", 0.1)
    assert lines_of(capsys) == [["3", "0.1", "0", "40", "-", "-", "-"]]


def test_of_each_named_person_some_images_can_be_drawn(write_features, tmp_path, capsys):
    folder, groups = write_features(), tmp_path / "groups.csv"
    options = ("--per-person", 3, "--k1", 3, "--k2", 2, "--min-samples", 2, "--eps", 0.5, "--output", groups)
    call("cluster", folder, *options)
    assert lines_of(capsys)[0][2:] == ["5", "0", "3", "3", "3", "100.0", "100.0", "100.0", "100.0"]
    drawn = groups.read_bytes()
    call("cluster", folder, *options)
    assert groups.read_bytes() == drawn
    call("cluster", folder, "--per-person", 99, "--k1", 8, "--eps", 0.5)
    assert capsys.readouterr().out.splitlines()[-8].startswith("40 images")
    keep(folder, pid="")
    with pytest.raises(UserError, match="no image has a known person"):
        call("cluster", folder, "--per-person", 3)


def test_the_groups_are_the_clusterers_and_a_dataset(write_features, tmp_path, capsys):
    folder = write_features(known=False)
    groups, picture = tmp_path / "groups.csv", tmp_path / "groups.JPG"
    options = ("--output", groups, "--picture", picture, "--rows", 3, "--top", 4)
    call("cluster", folder, "--k1", 8, "--eps", 0.5, *options)
    assert "F1" not in capsys.readouterr().out
    expected = JaccardDBSCAN(k1=8, eps=0.5).fit_predict(np.load(folder / "features.npy"))
    dataset = build_dataset({"type": "CSVDataset", "file": str(groups)}, root=tmp_path)
    assert [record.pid for record in dataset.train] == expected.tolist() and len(set(expected)) == 5
    with Image.open(picture) as image:
        assert image.height > 3 * 128 and image.width > 4 * 64


@pytest.mark.parametrize(
    "options, words",
    [
        (("--k1", 0), "take numbers from 1 up"),
        (("--k1", 40), "there are 40 images"),
        (("--eps", 1.0), "above 0 and below 1"),
        (("--eps", "nan"), "above 0 and below 1"),
        (("--eps", 0.3, 0.4, "--output", "groups.csv"), "of one setting"),
        (("--k1", 5, "--eps", 0.3, "--picture", "groups.gif"), "a .png or a .jpg is written"),
        (("--k1", 5, "--eps", 0.3, "--output", ""), "name another file"),
        (("--k1", 5, "--eps", 0.3, "--output", "a.png", "--picture", "a.png"), "name another file"),
        (("--rows", 0), "take numbers from 1 up"),
        (("--per-person", -1), "take numbers from 1 up"),
        (("--k1", 4, 3, "--k2", 4), "at most --k1, which is 3"),
    ],
)
def test_mistakes(write_features, options, words):
    with pytest.raises(UserError, match=words):
        call("cluster", write_features(), *options)


def test_what_is_read_is_not_written_over(write_features):
    folder = write_features()
    before = (folder / "index.csv").read_bytes()
    for place in (folder / "index.csv", folder / "index.csv" / "below.csv"):
        with pytest.raises(UserError, match="or a file that is read"):
            call("cluster", folder, "--k1", 8, "--eps", 0.5, "--output", place)
    assert (folder / "index.csv").read_bytes() == before


def test_what_is_no_folder_of_features_is_named(write_features, tmp_path):
    with pytest.raises(UserError, match="is not a folder that reidzoo extract has written"):
        call("cluster", tmp_path)
    folder = write_features()
    (folder / "features.npy").write_bytes(b"")
    with pytest.raises(UserError, match="is not a folder that reidzoo extract has written"):
        call("cluster", folder)
    np.save(folder / "features.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(UserError, match="has 40 images"):
        call("cluster", folder)
    with open(folder / "index.csv", "a") as file:
        file.write("40,cut.png\n")
    with pytest.raises(UserError, match=r"index.csv:42: no pid, camid"):
        call("cluster", folder)


def test_nothing_to_draw_and_an_image_that_is_gone(write_features, tmp_path):
    folder, picture = write_features(), tmp_path / "groups.png"
    (folder / "000.png").unlink()
    with pytest.raises(UserError, match="extract again"):
        call("cluster", folder, "--k1", 8, "--eps", 0.5, "--picture", picture, "--output", tmp_path / "groups.csv")
    np.save(folder / "features.npy", np.eye(40, dtype=np.float32))
    with pytest.raises(UserError, match="no group to draw"):
        call("cluster", folder, "--k1", 3, "--eps", 0.1, "--picture", picture, "--output", tmp_path / "groups.csv")
    assert not picture.exists() and not (tmp_path / "groups.csv").exists()
