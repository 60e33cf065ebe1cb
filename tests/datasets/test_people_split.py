"""People are divided so that nobody is on two sides, every query has an answer, and nothing is left half-written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from reidzoo.datasets import CSVDataset, FolderDataset
from reidzoo.datasets.people_folder import PersonImage, find_people
from reidzoo.datasets.people_split import PARTS, SplitRules, split_people, write_folders, write_lists
from reidzoo.errors import DatasetError


def make(cameras, person):
    """Return a person's images, one by each of ``cameras``; None tells none."""
    return [PersonImage(f"/x/{person}/{n}", person, camera, f"{n}_c{camera}.jpg") for n, camera in enumerate(cameras)]


def people(*kinds):
    return [image for number, cameras in enumerate(kinds) for image in make(cameras, f"p{number:03d}")]


def names(images):
    return {image.person for image in images}


def test_nobody_is_on_two_sides_and_every_query_has_an_answer():
    draw = np.random.default_rng(0)
    images = people(*[draw.integers(0, 4, draw.integers(1, 9)).astype(str).tolist() for _ in range(80)])
    parts = split_people(images, SplitRules(val_share=0.1, test_share=0.25))
    assert sorted(image for part in PARTS for image in parts[part]) == sorted(images)
    sides = [names(parts["train"]), names(parts["val/query"]), names(parts["query"])]
    assert [len(side) for side in sides[1:]] == [8, 20] and len(set().union(*sides)) == sum(map(len, sides))
    for kind in ("", "val/"):
        assert names(parts[f"{kind}query"]) == names(parts[f"{kind}gallery"])
        for query in parts[f"{kind}query"]:
            own = [image for image in parts[f"{kind}gallery"] if image.person == query.person]
            assert any(image.camera != query.camera for image in own)


def test_the_draw_depends_on_the_seed_and_on_little_else():
    images = people(*[["0", "1"]] * 40)
    first = split_people(images, SplitRules())
    assert split_people(images[::-1], SplitRules())["query"] == first["query"][::-1]
    assert names(split_people(images, SplitRules(seed=1))["query"]) != names(first["query"])
    without = [image for image in images if image.person != sorted(names(first["train"]))[0]]
    kept = names(split_people(without, SplitRules(test_share=12 / 39, val_share=4 / 39))["query"])
    assert kept == names(first["query"]), "one person less to learn from changes nothing"


def test_who_cannot_be_searched_for_is_learnt_from():
    images = people(*[["0", "0", "1"]] * 3, *[["0", "0"]] * 3, *[["0"]] * 4)
    parts = split_people(images, SplitRules(0.1, 0.2))
    assert names(parts["query"] + parts["val/query"]) == {"p000", "p001", "p002"}
    with pytest.raises(DatasetError, match=r"4 people are wanted .* 3 of 10 have images by two cameras.*--no-cameras"):
        split_people(images, SplitRules(0.1, 0.3))
    assert len(names(split_people(images, SplitRules(0.1, 0.3, cameras=False))["query"])) == 3
    with pytest.raises(DatasetError, match="at least two must be left to learn from"):
        split_people(people(["0", "1"], ["0", "1"], ["0", "1"]), SplitRules(0.1, 0.3))
    with pytest.raises(DatasetError, match=r"1 of 3 images name no camera \(/x/p000/1\), and others do"):
        split_people(people(["0", None, "1"]), SplitRules())


@pytest.fixture
def folder(tmp_path, touch):
    files = [
        f"{person}/c{camera}/{n}.jpg" for person in ("anna", "bo", "eva", "ida") for camera in (1, 2) for n in (1, 2)
    ]
    touch(tmp_path / "people", [*files, "anna/c1_1.jpg", ".trash/x/a.jpg", "anna/notes.txt"])
    for path in (tmp_path / "people").rglob("*.jpg"):
        path.write_text(str(path))
    return tmp_path / "people"


def records(dataset):
    return {
        split: sorted((Path(r.path).read_text(), r.pid, r.camid) for r in dataset.records(split))
        for split in ("train", "query", "gallery")
    }


def test_copies_links_and_lists_are_one_dataset(folder, tmp_path):
    images = find_people(folder)
    assert len(images) == 17 and len({(image.person, image.name) for image in images}) == 17
    parts = split_people(images, SplitRules(0.25, 0.25))
    write_folders(parts, tmp_path / "copies")
    write_folders(parts, tmp_path / "deep" / "links", link=True)
    write_lists(parts, tmp_path / "lists")
    (tmp_path / "deep").rename(tmp_path / "here")
    found = [FolderDataset(tmp_path, "copies"), FolderDataset(tmp_path, "here/links")]
    assert os.path.islink(found[1].train[0].path)
    listed = CSVDataset(tmp_path, "lists/split.csv")
    assert records(found[0]) == records(found[1]) == records(listed) and len(listed.query) == 2
    assert {p: listed.pid_of[p] for p in listed.pid_of} == found[0].pid_of
    val = FolderDataset(tmp_path, "copies/val")
    assert (
        len(val.query) == 2 and not val.train and len(CSVDataset(tmp_path, "lists/val.csv").gallery) == len(val.gallery)
    )
    with pytest.raises(DatasetError, match="copies is there already"):
        write_folders(parts, tmp_path / "copies")


def test_an_archive_that_was_unpacked_into_a_folder_of_its_own_name(folder):
    inner = folder / folder.name
    inner.mkdir()
    for person in [path for path in folder.iterdir() if path != inner]:
        person.rename(inner / person.name)
    (folder / "__MACOSX" / folder.name).mkdir(parents=True)
    assert find_people(folder) == find_people(inner) and len(find_people(folder)) == 17


def test_a_failure_leaves_nothing(folder, tmp_path):
    parts = split_people(find_people(folder), SplitRules(0.25, 0.25))
    os.unlink(parts["gallery"][-1].path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        write_folders(parts, tmp_path / "copies")
    assert sorted(tmp_path.iterdir()) == before
