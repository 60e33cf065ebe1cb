"""COCO files as CVAT, mmtracking and others write them become sequences; tracks say who somebody is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from reidzoo.datasets.annotations.annotated_crops import CropRules, cut_crops
from reidzoo.datasets.annotations.coco_sequence import read_coco
from reidzoo.errors import DatasetError

PEOPLE = [{"id": 1, "name": "car"}, {"id": 2, "name": "Person"}]


def picture(path, size=(100, 60), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.linear_gradient("L").resize(size).convert("RGB").save(path, **options)


def annotation(image, track=None, box=(10, 5, 20, 50), category=2, **more):
    keys = {} if track is None else {"attributes": {"occluded": False, "track_id": track, "keyframe": True}}
    return {"id": 1, "image_id": image, "category_id": category, "bbox": list(box), "iscrowd": 0, **keys, **more}


def write(path, annotations, images=None, **more):
    """Write a COCO file of three frames as CVAT exports a task: ``annotations/instances_default.json``."""
    if images is None:
        names = [f"frame_{n:06d}.PNG" for n in (0, 9, 10)]
        for name in names:
            picture(path.parent.parent / "images" / "default" / name)
        images = [{"id": n, "file_name": name, "width": 100, "height": 60} for n, name in enumerate(names, 1)]
    data = {"images": images, "annotations": annotations, "categories": PEOPLE, **more}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8-sig")
    return path


def test_what_cvat_exports(tmp_path):
    boxes = [annotation(1, 0), annotation(2, 0), annotation(3, 4), annotation(1), annotation(1, 7, category=1)]
    boxes += [annotation(1, 5, iscrowd=1), annotation(2, -1), annotation(3, 6, box=(1, 1, 0, 9))]
    path = write(tmp_path / "annotations" / "instances_default.json", boxes)
    (sequence,) = read_coco(path)
    assert [(box.frame, box.person) for box in sequence.boxes()] == [(0, 0), (9, 0), (10, 4)]
    assert sequence.sizes()[9] == (100, 60) and sequence.frames()[9].is_file() and not sequence.is_test
    assert [box.person for box in read_coco(path, "car")[0].boxes()] == [7]
    counts = cut_crops(tmp_path, tmp_path / "crops", CropRules(every=1, divide=False, shared_ids=True))
    assert counts == {"": (2, 3)}
    assert (tmp_path / "crops" / "00000" / "c1_frame_f000009.jpg").is_file()


def test_what_coco_video_says(tmp_path):
    """As mmtracking converts MOT17: videos with frames of the same numbers, ``instance_id``, visibility."""
    images = []
    for n, (video, frame) in enumerate([(1, 0), (1, 1), (2, 0)], 1):
        name = f"MOT17-0{video}/img1/{frame + 1:06d}.jpg"
        picture(tmp_path / "val2017" / name)
        images.append({"id": n, "file_name": name.replace("/", "\\"), "video_id": video, "frame_id": frame})
    boxes = [
        annotation(1, instance_id=3, visibility=0.25),
        annotation(2, instance_id="3"),
        annotation(3, instance_id=8.0),
    ]
    path = write(
        tmp_path / "instances_val2017.json", boxes, images, videos=[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    )
    first, second = read_coco(path)
    assert [(first.name, first.is_test), (second.name, second.is_test)] == [("a", True), ("b", True)]
    assert [(box.frame, box.person, box.visibility) for box in first.boxes()] == [(0, 3, 0.25), (1, 3, 1.0)]
    assert [(box.frame, box.person) for box in second.boxes()] == [(0, 8)]


def test_cameras_by_key_or_by_name(tmp_path):
    names = ["gate_2.jpg", "gate_10.jpg", "door_1.jpg"]
    for name in names:
        picture(tmp_path / name)
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    boxes = [annotation(n, "Ann B.") for n in range(3)]
    door, gate = read_coco(write(tmp_path / "a.json", boxes, images))
    assert list(gate.frames()) == [2, 10] and gate.name == "gate" and door.name == "door"
    images = [{**image, "camera": 7} for image in images]
    (one,) = read_coco(write(tmp_path / "b.json", boxes, images))
    assert [path.name for path in one.frames().values()] == ["door_1.jpg", "gate_2.jpg", "gate_10.jpg"]
    assert {box.person for box in one.boxes()} == {"Ann B."}


def test_who_it_is_under_another_key_or_as_the_class(tmp_path):
    path = tmp_path / "annotations" / "instances_default.json"
    boxes = [annotation(1, attributes={"player": "Ann"}), annotation(2, attributes={"player": "Bob"})]
    with pytest.raises(DatasetError, match=r"no annotation says in track_id, .*CVAT.*--identity KEY \(.*player"):
        read_coco(write(path, boxes))
    assert [box.person for box in read_coco(path, identity="player")[0].boxes()] == ["Ann", "Bob"]
    boxes = [annotation(1, category=5), annotation(3, category=6)]
    write(path, boxes, categories=[{"id": 5, "name": "Ann"}, {"id": 6, "name": "Bob"}])
    assert [box.person for box in read_coco(path, identity="class")[0].boxes()] == ["Ann", "Bob"]
    with pytest.raises(DatasetError, match=r"which class. There are Ann, Bob"):
        read_coco(path)


def test_boxes_beyond_the_border(tmp_path):
    edges = [
        annotation(1, 1, box=(90, 5, 12, 50)),
        annotation(1, 2, box=(95, 5, 20, 50)),
        annotation(1, 3, box=(120, 5, 9, 50)),
    ]
    write(tmp_path / "annotations" / "instances_default.json", [*edges, annotation(1, 4, box=(-2, -4, 20, 70))])
    cut_crops(tmp_path, tmp_path / "crops", CropRules(every=1, divide=False, shared_ids=True))
    sizes = {path.parent.name: Image.open(path).size for path in (tmp_path / "crops").rglob("*.jpg")}
    assert sizes == {"00001": (10, 50), "00004": (18, 60)}, "a quarter of 2 is in the picture, nothing of 3"
    cut_crops(tmp_path, tmp_path / "more", CropRules(every=1, visibility=0, divide=False, shared_ids=True))
    assert sorted(path.name for path in (tmp_path / "more").iterdir()) == ["00001", "00002", "00004"]


def test_images_of_another_size_and_on_their_side(tmp_path):
    path = write(tmp_path / "annotations" / "instances_default.json", [annotation(1, 1, box=(0, 0, 40, 60))])
    image = tmp_path / "images" / "default" / "frame_000000.PNG"
    exif = Image.Exif()
    exif[274] = 6  # as people see it, it is 60 wide and 100 high; the boxes are of the pixels as they are stored
    picture(image, exif=exif)
    cut_crops(path, tmp_path / "a", CropRules(every=1, divide=False))
    with Image.open(next((tmp_path / "a").rglob("*.jpg"))) as crop:
        assert crop.size == (40, 60)
    picture(image, size=(50, 30))
    with pytest.raises(DatasetError, match=r"50 x 30 pixels, and its boxes are of one of 100 x 60"):
        cut_crops(path, tmp_path / "b", CropRules(every=1, divide=False))
    image.unlink()
    with pytest.raises(DatasetError, match=r"frame_000000.PNG"):
        cut_crops(path, tmp_path / "b", CropRules(every=1, divide=False))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_of_stored_pixels_are_cut_out_of_these(tmp_path, suffix, orientation):
    images = [{"id": 1, "file_name": f"a{suffix}", "width": 100, "height": 60}]
    path = write(tmp_path / "annotations" / "instances_default.json", [annotation(1, 1, box=(0, 0, 40, 60))], images)
    image = Image.new("RGB", (100, 60), "blue")
    image.paste("red", (0, 0, 40, 60))
    exif = Image.Exif()
    exif[274] = orientation
    (tmp_path / "images" / "default").mkdir(parents=True)
    image.save(tmp_path / "images" / "default" / f"a{suffix}", exif=exif)
    cut_crops(path, tmp_path / "crops", CropRules(every=1, divide=False))
    with Image.open(next((tmp_path / "crops").rglob("*.jpg"))) as crop:
        assert crop.size == (40, 60)
        assert np.abs(np.asarray(crop).astype(int) - (254, 0, 0)).max() < 10


def test_names_that_would_be_one_folder(tmp_path):
    path = write(tmp_path / "annotations" / "a_default.json", [annotation(1, "A B"), annotation(2, "A.B")])
    with pytest.raises(DatasetError, match=r"'A B' and 'A.B' would be one folder, A_B"):
        cut_crops(path, tmp_path / "crops", CropRules(every=1))


@pytest.mark.parametrize(
    "text, message",
    [("[]", "a COCO file is an object"), ('{"images": []}', "annotations"), ("{", "JSONDecodeError"),
     ("[" * 100_000, "RecursionError"),
     ('{"images": [], "annotations": []}', "there is no annotation of the class")],
)  # fmt: skip
def test_what_is_no_coco_file(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_coco(tmp_path / "a.json")


@pytest.mark.parametrize("wrong", [{"width": "wide"}, {"width": float("inf")}, {"id": [1]}])
def test_images_that_say_nonsense(tmp_path, wrong):
    picture(tmp_path / "x.png")
    path = write(tmp_path / "a.json", [annotation(1, 1)], [{"id": 1, "file_name": "x.png", "height": 60, **wrong}])
    with pytest.raises(DatasetError, match=r"a.json: a COCO file is an object"):
        read_coco(path)


def test_images_that_are_not_there(tmp_path):
    path = write(tmp_path / "a.json", [annotation(1, 1)], [{"id": 1, "file_name": "x/none.jpg"}])
    with pytest.raises(DatasetError, match=r"its image x/none.jpg is in none of .*images"):
        read_coco(path)
