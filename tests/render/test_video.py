"""The rendered video: its tracks are true, its bytes depend on the seed alone."""

from __future__ import annotations

import configparser

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets.annotations.find_sequences import find_sequences
from reidzoo.errors import DatasetError
from reidzoo.render import render_video
from reidzoo.render.people.filmer import FRAME_SIZE, Filmer
from reidzoo.render.people.walks import FAR, NEAR, plan_walks

from .test_twins import digest

pytestmark = pytest.mark.slow
FRAMES = 24


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    render_video(root, scale=0.3, jobs=1, frames=FRAMES)
    return root / "MOT-twin"


def test_the_layout_is_that_of_the_challenge(video):
    sequences = find_sequences(video)
    places = [sequence.folder.relative_to(video).as_posix() for sequence in sequences]
    assert places == [f"{split}/twin-c{camera}" for split in ("test", "train") for camera in (1, 2, 3)]
    for sequence in sequences:
        assert sorted(sequence.frames()) == list(range(1, FRAMES + 1))
        info = configparser.ConfigParser()
        info.read(sequence.folder / "seqinfo.ini")
        assert int(info["Sequence"]["seqLength"]) == FRAMES
        with Image.open(sequence.frames()[1]) as image:
            assert image.size == FRAME_SIZE
        boxes = sequence.boxes()
        assert boxes and all(box.left >= 0 and box.left + box.width <= FRAME_SIZE[0] + 0.1 for box in boxes)
        assert len({(box.frame, box.person) for box in boxes}) == len(boxes)


def test_one_person_is_one_number_and_nobody_is_in_both_splits(video):
    people = {}
    for sequence in find_sequences(video):
        people.setdefault(sequence.folder.parent.name, []).append({box.person for box in sequence.boxes()})
    assert not set.union(*people["train"]) & set.union(*people["test"])
    assert set.intersection(*people["train"]), "cameras share people"


def test_the_detector_is_near_the_truth(video):
    sequence = find_sequences(video)[0]
    found = np.loadtxt(sequence.folder / "det" / "det.txt", delimiter=",")
    truth = {}
    for box in sequence.boxes():
        truth.setdefault(box.frame, []).append((box.left, box.top, box.width, box.height))
    for row in found:
        nearest = min(np.abs(np.array(box) - row[2:6]).max() for box in truth[int(row[0])])
        assert nearest < 20
    assert found[:, 6].min() > 0.3 and found[:, 6].max() <= 1


def test_a_box_holds_its_person_and_people_hide_each_other():
    filmer = Filmer(3, [2, 4, 6, 8, 10, 12], 60)
    seen = [one for frame in range(10, 50, 8) for one in filmer.film(0, frame)[1]]
    assert all(0 < one.visibility <= 1 for one in seen)
    assert any(one.visibility < 0.9 for one in seen) and any(one.visibility == 1 for one in seen)
    # A person's colours are the same wherever they walk: the box of the true track is where the person is.
    person = seen[0].person
    alone = Filmer(3, [2, 4, 6, 8, 10, 12], 60)
    assert alone.person(person)[0] == filmer.person(person)[0]


def test_walks_cross_the_view_both_ways():
    walks = plan_walks(np.random.default_rng(0), list(range(40)), 0, 100, 880)
    assert {walk.direction for walk in walks} == {1, -1} and len(walks) > 40
    for walk in walks:
        assert FAR <= walk.feet <= NEAR and 0.39 < walk.zoom < 0.63
        first, last = walk.x(walk.start), walk.x(walk.end)
        assert min(first, last) < 0 and max(first, last) > 880, "it begins and ends outside of the view"
        middle = walk.start + walk.stop[0] + 1
        if walk.stop[1] > 2:
            assert walk.stands(middle) and walk.x(middle) == walk.x(middle + 1)


def test_the_same_seed_gives_the_same_bytes(video, tmp_path):
    render_video(tmp_path, scale=0.3, jobs=2, frames=FRAMES)
    assert digest(tmp_path / "MOT-twin") == digest(video)
    assert not render_video(tmp_path, scale=0.3, frames=FRAMES).rendered, "what is there is left alone"


def test_what_is_in_the_way_is_not_touched(video, tmp_path):
    with pytest.raises(DatasetError, match="something else"):
        render_video(video.parent, scale=0.3, seed=1, frames=FRAMES)
    (tmp_path / "MOT-twin").mkdir()
    with pytest.raises(DatasetError, match=r"no twin\.json"):
        render_video(tmp_path, frames=FRAMES)
    with pytest.raises(DatasetError, match="frames"):
        render_video(tmp_path / "x", frames=1)
