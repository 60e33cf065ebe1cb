"""``Gallery``: built from a folder, a dataset or images; searched by images; bound to its model."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reidzoo
from reidzoo.datasets import build_dataset
from reidzoo.errors import ClusteringError, DatasetError, GalleryError
from reidzoo.evaluation import KReciprocal, rerank_k_reciprocal
from reidzoo.evaluation.calibration import Calibration
from reidzoo.gallery import Entry, Gallery
from reidzoo.gallery.local_store import LocalStore
from reidzoo.gallery.records import Hit, ModelRecord
from reidzoo.gallery.sources import read_source
from reidzoo.weights.model_file import read_model_file, write_model_file


def test_a_program_whose_tensors_are_float64_finds_the_same(model, people, tmp_path, float64_default):
    query, ways = people / "Bob" / "Bob_c10.jpg", ({}, {"rerank": True}, {"camera": "0"})
    kept = Gallery.build(model, people, tmp_path / "kept")
    usual = [kept.search(query, k=3, **way) for way in ways]
    float64_default()
    again = reidzoo.load(model.found_by)
    assert again.embed(query).dtype == again.embed([]).dtype == torch.float32
    assert again.fingerprint == model.fingerprint
    for gallery in (kept, Gallery.load(tmp_path / "kept"), Gallery.build(again, people)):
        assert [gallery.search(query, k=3, **way) for way in ways] == usual
    assert torch.get_default_dtype() == torch.float64


def test_build_search_save_and_load(model, people, tmp_path):
    gallery = Gallery.build(model, people)
    query = people / "Bob" / "Bob_c10.jpg"
    found = gallery.search([query, people / "Cleo" / "Cleo_c0.jpg"], k=6)
    assert [len(matches) for matches in found] == [6, 6]
    first = found[0][0]
    assert (first.name, first.identity, first.camera) == (str(query), "Bob", "10")
    assert first.similarity == pytest.approx(1, abs=1e-5) and first.distance is None
    names = [entry.name for entry in gallery]
    expected = model.embed(query)[0] @ model.embed(names).T
    assert sorted(match.name for match in found[0]) == sorted(names)
    for match in found[0]:
        assert match.similarity == pytest.approx(float(expected[names.index(match.name)]), abs=1e-5)
    assert [match.similarity for match in found[0]] == sorted((match.similarity for match in found[0]), reverse=True)
    gallery.save(tmp_path / "kept")
    (again,) = Gallery.load(tmp_path / "kept", model).search([query], k=6)
    assert {match.name: match.similarity for match in again} == pytest.approx(
        {match.name: match.similarity for match in found[0]}, abs=1e-5
    )
    assert Gallery.load(tmp_path / "kept").search(query, k=6)[0][0].name == str(query)  # finds its model by itself


def test_a_folder_keeps_every_change(model, people, tmp_path):
    Gallery.build(model, people / "Ann", tmp_path / "kept")
    gallery = Gallery.load(tmp_path / "kept", model)
    assert {entry.identity for entry in gallery} == {None}  # whom the top folder's own images show is not known
    assert gallery.add(people / "Bob" / "Bob_c0.jpg", identities=7, cameras="door").added == 1
    again = gallery.add(people)
    assert (again.added, again.known) == (3, 3)
    gallery.remove(identity="Cleo")
    gallery.remove([people / "Ann" / "Ann_c0.jpg"][0].as_posix())
    left = [(entry.identity, entry.camera) for entry in Gallery.load(tmp_path / "kept", model)]
    assert left == [(None, "10"), ("7", "door"), ("Bob", "10")]
    assert Gallery.load(tmp_path / "kept", model).cameras == ["10", "door"]


def test_a_dataset(model, tiny_root):
    dataset = build_dataset("Market1501", root=tiny_root)
    gallery = Gallery.build(model, dataset)
    assert len(gallery) == len(dataset.gallery) and gallery.cameras == ["1", "2", "3"]
    assert all(f"_c{entry.camera}s" in entry.name for entry in gallery)  # as the files and the report call them
    assert len(Gallery.build(model, dataset, split="query")) == len(dataset.query)
    assert {entry.identity for entry in gallery} == {str(record.pid) for record in dataset.gallery}
    dataset.gallery[0] = dataset.gallery[0]._replace(pid=0)  # a distractor
    dataset.gallery[1] = dataset.gallery[1]._replace(pid=-1)  # junk
    assert next(iter(Gallery.build(model, dataset))).identity is None
    assert len(Gallery.build(model, dataset)) == len(gallery) - 1
    crops = Gallery.build(model, build_dataset({"type": "FolderDataset", "folder": "crops"}, root=tiny_root))
    assert {entry.identity for entry in crops} == {f"other{number}" for number in range(1, 13)}


def test_rounding_leaves_no_similarity_beyond_1(model, people, monkeypatch):
    gallery = Gallery.build(model, people)
    hits = [Hit(0, next(iter(gallery)), value) for value in (1.0000002, -1.0000002)]
    monkeypatch.setattr(gallery.store, "search", lambda *_: [hits])
    assert [match.similarity for match in gallery.search(people / "Ann" / "Ann_c0.jpg")[0]] == [1, -1]


def test_images_without_files(model):
    images = [Image.new("RGB", (16, 32), colour) for colour in ("red", "green", "blue")]
    gallery = Gallery.build(model, images, names=["r", "g", "b"], cameras=["x", None, "y"], identities="me")
    assert gallery.search(images[1], 1)[0][0].name == "g"
    assert [match.name for match in gallery.search(images[1], 3, camera="y")[0]] == ["b"]
    assert {match.name for match in gallery.search(images[1], 3, camera=["x", "y"])[0]} == {"r", "b"}
    with pytest.raises(GalleryError, match=r"no image is of camera 'z'.* There are: x, y"):
        gallery.search(images[1], camera="z")
    assert gallery.remove(["r", "nothing"]) == 1 and gallery.cameras == ["y"]
    assert gallery.remove(["g", "b"]) == 2 and gallery.search(images[1]) == [[]] and len(gallery) == 0
    assert gallery.search([]) == []


def test_another_model_is_refused(model, people, write_tiny, tmp_path):
    Gallery.build(model, people, tmp_path / "kept")
    torch.manual_seed(1)
    other = reidzoo.load(write_tiny("other", info={"name": "other"})[0])
    with pytest.raises(GalleryError, match=r"embeddings of tiny \(sha256 \w{12}.*another model"):
        Gallery.load(tmp_path / "kept", other)
    gallery = Gallery.load(tmp_path / "kept")
    entry = [Entry("x")]
    with pytest.raises(GalleryError, match="another model"):
        gallery.add_embeddings(torch.ones(1, model.embedding_dim), entry, other.info["sha256"])
    with pytest.raises(GalleryError, match="5 values, the gallery's"):
        gallery.add_embeddings(torch.ones(1, 5), entry, model.info["sha256"])
    with pytest.raises(ClusteringError, match="NaN"):
        gallery.add_embeddings(torch.full((1, model.embedding_dim), torch.nan), entry, model.info["sha256"])
    assert gallery.add_embeddings(np.ones((1, model.embedding_dim)), entry, model.info["sha256"]).added == 1
    shutil.copyfile(tmp_path / "other.safetensors", tmp_path / "tiny.safetensors")  # the model's place holds another
    with pytest.raises(GalleryError, match="another model"):
        gallery.search(people / "Ann" / "Ann_c0.jpg")
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(GalleryError, match=r"(?s)cannot be loaded from .*tiny\.safetensors.*--weights"):
        gallery.search(people / "Ann" / "Ann_c0.jpg")


def test_labels_of_embeddings_become_texts(model, tmp_path):
    gallery = Gallery.new(model, tmp_path / "g")
    features, sha256 = torch.eye(2, model.embedding_dim), model.info["sha256"]
    entries = [Entry(Path("a.jpg"), 3, np.int64(2)), Entry("b.jpg", None, 0)]
    assert gallery.add_embeddings(features, entries, sha256).added == 2
    assert gallery.add_embeddings(features, entries, sha256).known == 2
    for one in (gallery, Gallery.load(tmp_path / "g")):
        assert list(one) == [("a.jpg", "3", "2"), ("b.jpg", None, "0")] and one.cameras == ["0", "2"]
    with pytest.raises(GalleryError, match="2 embeddings and 2 records"):
        gallery.add_embeddings(features, [Entry("5"), Entry(5)], sha256)
    with pytest.raises(GalleryError, match="has no name"):
        gallery.add_embeddings(features, [Entry("c.jpg"), Entry(None)], sha256)


def test_a_calibrated_copy_is_the_same_model(model, people, write_tiny, tmp_path):
    """``reidzoo calibrate`` writes another file; what was embedded before is still good, and gets probabilities."""
    gallery = Gallery.build(model, people, tmp_path / "kept")
    content = read_model_file(model.found_by)
    settings = {
        "far": 0.01,
        "interval": (0.6, 0.8),
        "prior": 0.5,
        "method": "isotonic",
        "slope": 9.0,
        "intercept": -4.0,
    }
    calibration = Calibration(0.7, **settings, knots=(0.0, 1.0), values=(0.05, 0.95)).to_dict()
    path = tmp_path / "calibrated.safetensors"
    write_model_file(path, content.state, content.config, {**content.info, "calibration": calibration})
    calibrated = reidzoo.load(path)
    assert calibrated.info["sha256"] != model.info["sha256"] and calibrated.fingerprint == model.fingerprint
    query = people / "Bob" / "Bob_c10.jpg"
    assert gallery.search(query, k=1)[0][0].probability is None
    with pytest.raises(GalleryError, match=r"prior=0\.1: .*not calibrated"):
        gallery.search(query, k=1, prior=0.1)
    with pytest.raises(GalleryError, match="not calibrated"):  # nor one that was not loaded yet
        Gallery.load(tmp_path / "kept").search_embeddings(model.embed_query(query), k=1, prior=0.1)
    assert Gallery.load(tmp_path / "kept", calibrated).search(query, k=1)[0][0].probability > 0.5
    for config in ({"INPUT": {"MEAN": [0.1, 0.1, 0.1]}}, {"TEST": {"FLIP": True}}):
        changed = {**content.config, **{key: {**content.config.get(key, {}), **node} for key, node in config.items()}}
        write_model_file(tmp_path / "other.safetensors", content.state, changed, content.info)
        with pytest.raises(GalleryError, match="another model"):
            Gallery.load(tmp_path / "kept", reidzoo.load(tmp_path / "other.safetensors"))
    manifest = json.loads((tmp_path / "kept" / "gallery.json").read_text())
    del manifest["model"]["fingerprint"]  # as an older version wrote it
    (tmp_path / "kept" / "gallery.json").write_text(json.dumps(manifest))
    assert len(Gallery.load(tmp_path / "kept", model)) == 6
    with pytest.raises(GalleryError, match="another model"):
        Gallery.load(tmp_path / "kept", calibrated)


def test_re_ranking_is_that_of_the_evaluation(fill, model):
    store = fill(40, dim=model.embedding_dim)
    store.model = ModelRecord.of(model)
    gallery = Gallery(store, model)
    queries = torch.randn(3, model.embedding_dim)
    names = [entry.name for entry in gallery]
    features = torch.cat([part.features() for part in store.parts])
    for query, matches in zip(queries, gallery.search_embeddings(queries, 40, rerank=True)):
        expected = rerank_k_reciprocal(query[None], features)[0]
        assert [match.distance for match in matches] == sorted(match.distance for match in matches)
        for match in matches:
            assert match.distance == pytest.approx(expected[names.index(match.name)], abs=1e-5)
    assert gallery.search_embeddings(queries, 40, rerank=True) != gallery.search_embeddings(queries, 40)


def test_unreadable_files_are_named_before_any_work_or_left_out(model, people, tmp_path):
    (people / "Bob" / "broken.jpg").write_text("no image")
    with pytest.raises(DatasetError, match=r"broken\.jpg cannot be read"):
        Gallery.build(model, people, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    gallery = Gallery.build(model, people, tmp_path / "kept", skip_unreadable=True)
    added = gallery.add(people, skip_unreadable=True)
    assert len(gallery) == 6 and (added.added, added.known) == (0, 6) and "broken.jpg" in added.unreadable[0]


def test_a_name_that_is_not_utf_8_is_refused_before_any_work(model, people, tmp_path):
    os.rename(people / "Bob", os.fsencode(people) + b"/B\xf6b")
    for source in (people, [os.fsdecode(path) for path in Path(people).rglob("*.jpg")]):
        with pytest.raises(DatasetError, match=r"have a path that is not UTF-8.*B\\udcf6b"):
            Gallery.build(model, source, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_what_was_embedded_before_an_error_is_kept(model, people, tmp_path, monkeypatch):
    gallery = Gallery.build(model, people / "Ann", tmp_path / "kept")
    monkeypatch.setattr("reidzoo.gallery.gallery.BATCH", 1)
    embed, calls = model.embed_gallery, []

    def fail(images):
        calls.append(images)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return embed(images)

    monkeypatch.setattr(model, "embed_gallery", fail)
    with pytest.raises(KeyboardInterrupt):
        gallery.add(people)
    assert len(Gallery.load(tmp_path / "kept")) == 4
    assert gallery.add(people).added == 2


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"names": ["a"]}, "names are 1, the images 2"),
        ({"names": ["a", "a"]}, "names holds 'a' twice"),
        ({"names": ["a", ""]}, "has no name"),
        ({"names": ["a", "b"], "cameras": [1]}, "cameras are 1, the images 2"),
        ({}, "have no name"),
    ],
)
def test_labels_that_do_not_fit(model, arguments, message):
    with pytest.raises(GalleryError, match=message):
        Gallery.build(model, [Image.new("RGB", (8, 8))] * 2, **arguments)


def test_places_that_do_not_fit(model, people, tmp_path):
    with pytest.raises(GalleryError, match="is not a gallery: there is no such folder"):
        Gallery.load(tmp_path / "nothing")
    with pytest.raises(GalleryError, match="not empty and not a gallery"):
        Gallery.build(model, people, people)
    with pytest.raises(GalleryError, match="says itself whom"):
        Gallery.build(model, people, cameras=1)
    with pytest.raises(DatasetError, match="holds no image"):
        Gallery.build(model, tmp_path / "home" if (tmp_path / "home").mkdir() is None else "")
    gallery = Gallery.build(model, people, tmp_path / "kept")
    with pytest.raises(GalleryError, match="holds a gallery already"):
        Gallery.build(model, people, tmp_path / "kept")
    other = Gallery.load(tmp_path / "kept", model)
    other.remove(identity="Ann")
    with pytest.raises(GalleryError, match="changed by somebody else"):
        gallery.remove(identity="Bob")
    small = Gallery.build(model, people / "Ann")
    with pytest.raises(GalleryError, match="holds a gallery already"):
        small.save(tmp_path / "kept")
    small.save(tmp_path / "kept", replace=True)
    assert len(Gallery.load(tmp_path / "kept")) == 2
    for k in (0, 1.0, True, "1"):
        with pytest.raises(GalleryError, match="k="):
            small.search(people / "Ann" / "Ann_c0.jpg", k=k)
    assert len(small.search(people / "Ann" / "Ann_c0.jpg", k=np.int64(1))[0]) == 1


def test_damaged_files_are_named(fill, tmp_path):
    store = fill(6)
    store.save(tmp_path / "kept")
    manifest, records, features = (
        tmp_path / "kept" / name for name in ("gallery.json", "000001.json", "000001.safetensors")
    )
    assert {path.name for path in (tmp_path / "kept").iterdir()} - {".lock"} == {
        manifest.name,
        records.name,
        features.name,
    }
    for path, content in [
        (manifest, b"{"),
        (manifest, json.dumps({**json.loads(manifest.read_text()), "parts": [["../x", 6]]}).encode()),
        (records, b'[["a", 1, 2]]'),
        (features, features.read_bytes()[:-1]),
    ]:
        whole = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(GalleryError, match=r"is damaged .*copy the gallery again"):
            LocalStore.load(tmp_path / "kept")
        path.write_bytes(whole)
    features.unlink()
    with pytest.raises(GalleryError, match=r"000001\.safetensors is missing"):
        LocalStore.load(tmp_path / "kept")


def test_an_array_is_one_image_and_not_its_rows(model):
    picture = np.zeros((32, 16, 3), np.uint8)
    images, entries = read_source(picture, names=["a"])
    assert len(images) == 1 and images[0] is picture and entries == [Entry("a")]
    assert len(read_source(np.stack([picture] * 2), names=["a", "b"])[0]) == 2
    with pytest.raises(ValueError, match="an array, which does not say in which order its channels are"):
        Gallery.build(model, picture, names=["a"])


def test_the_distance_of_an_image_from_itself_is_no_negative_zero(model, people):
    gallery = Gallery.build(model, people)
    for matches in gallery.search(sorted(people.rglob("*.jpg")), rerank=KReciprocal(2, 1, 1.0)):
        distances = [match.distance for match in matches]
        assert all(0 <= value <= 1 and math.copysign(1, value) == 1 for value in distances), distances


def test_arrays_are_added_and_searched_with(model, people):
    pixels = [np.array(Image.open(path)) for path in sorted(people.rglob("*.jpg"))]
    gallery = Gallery.new(model)
    with pytest.raises(ValueError, match="channels='': there is an array, which does not say in which order"):
        gallery.add(pixels, names=list("abcdef"), skip_unreadable=True)
    with pytest.raises(ValueError, match=r"^channels='gbr': 'bgr' \(OpenCV\) or 'rgb'$"):
        gallery.add([Image.open(path) for path in people.rglob("*.jpg")], names=list("abcdef"), channels="gbr")
    gallery.add([image[..., ::-1] for image in pixels], names=list("abcdef"), channels="bgr")
    found = gallery.search(pixels, k=1, channels="rgb")
    assert [matches[0].name for matches in found] == list("abcdef")


def test_an_image_that_is_none_is_called_by_its_name_or_left_out(model, people):
    image = Image.open(people / "Ann" / "Ann_c0.jpg")
    source, names = [image, image.convert("F"), None, people / "gone.jpg"], ["good", "odd", "unread", "gone"]
    with pytest.raises(DatasetError, match=r"gone\.jpg does not exist"):
        Gallery.build(model, source, names=names)
    with pytest.raises(DatasetError, match=r"^odd: image 0 has pixels of PIL.s mode F"):
        Gallery.build(model, source[:3], names=names[:3])
    gallery = Gallery.new(model)
    added = gallery.add(source, names=names, skip_unreadable=True)
    assert [entry.name for entry in gallery] == ["good"] and added.added == 1
    assert [reason.split(":")[0] for reason in added.unreadable] == ["odd", "unread", "gone"]


def test_what_the_model_raises_is_no_images_fault(model, people, monkeypatch):
    image = Image.open(people / "Ann" / "Ann_c0.jpg")
    monkeypatch.setattr(model.module, "embed", lambda pixels: int("x"))
    with pytest.raises(ValueError, match=r"^invalid literal"):
        Gallery.new(model).add([image], names=["a"], skip_unreadable=True)


def test_labels_as_a_table_holds_them(model, people):
    image = Image.open(people / "Ann" / "Ann_c0.jpg")
    gallery = Gallery.new(model)
    unknown = [math.nan, None, ""]
    gallery.add([image] * 6, names=list("abcdef"), identities=[*unknown, np.float64(4), torch.tensor(4), "4"])
    gallery.add([image], names=["g"], identities=np.int64(5), cameras=(camera for camera in np.array([1])))
    assert [entry.identity for entry in gallery] == [None, None, None, "4", "4", "4", "5"]
    assert gallery.cameras == ["1"] and len(gallery.search(image, camera=np.int64(1))[0]) == 1
    with pytest.raises(GalleryError, match=r"^h: the label \\udce9 is not UTF-8"):
        gallery.add([image], names=["h"], identities="\udce9")
    with pytest.raises(GalleryError, match="names are 1, the images 2"):
        gallery.add([image] * 2, names="xy")
    assert len(gallery.search(image, camera=torch.tensor(1))[0]) == 1  # of no dimension, so that it is no list
    assert gallery.remove(identity=4.0) == 3 and gallery.remove(identity=np.int64(5)) == 1


def test_names_that_are_numbers_are_removed_as_they_were_added(model):
    gallery = Gallery.new(model)
    gallery.add_embeddings(torch.eye(4, model.embedding_dim), [Entry(n) for n in (1.0, 2, 3, 4)], model.info["sha256"])
    assert gallery.remove(1.0) == gallery.remove(torch.tensor(2)) == 1 and gallery.remove(torch.tensor([3, 4])) == 2
    assert gallery.remove(["", None]) == 0


def test_what_to_remove_may_be_a_path_a_record_or_a_match(model, people):
    gallery = Gallery.build(model, people)
    first, second, *rest = gallery
    assert gallery.remove(Path(first.name)) == gallery.remove([second]) == gallery.remove(rest[0]) == 1
    (matches,) = gallery.search(rest[1].name, k=2)
    assert gallery.remove(matches) == 2 and gallery.remove([7, b"none"]) == 0 and len(gallery) == 1


def test_names_alone_are_records_and_nothing_is_added_as_nothing(model):
    gallery, sha256 = Gallery.new(model), model.info["sha256"]
    assert gallery.add_embeddings(torch.zeros(0, model.embedding_dim), [], sha256).added == 0
    gallery.add_embeddings(torch.eye(2, model.embedding_dim), ["a1", Path("b2")], sha256)
    assert list(gallery) == [Entry("a1"), Entry("b2")]
    with pytest.raises(GalleryError, match=r"3 is no record of an image; give Entry\(name, identity, camera\)"):
        gallery.add_embeddings(torch.eye(1, model.embedding_dim), [3], sha256)
    with pytest.raises(DatasetError, match=r"a path that is not UTF-8.*caf\\udce9"):
        gallery.add_embeddings(torch.eye(1, model.embedding_dim), ["caf\udce9.jpg"], sha256)


def test_what_is_no_way_to_search_is_named(model, people, tmp_path):
    gallery = Gallery.build(model, people, tmp_path / "kept")
    for rerank in (1, "yes", {"k1": 3}):
        with pytest.raises(GalleryError, match=r"rerank=.*: expected True, False or KReciprocal"):
            gallery.search(people / "Ann" / "Ann_c0.jpg", rerank=rerank)
    with pytest.raises(GalleryError, match="index=3: there are exact and faiss"):
        Gallery.load(tmp_path / "kept", index=3)
    again = Gallery.load(tmp_path / "kept", model.found_by)
    assert again.model.fingerprint == model.fingerprint


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_embedded(model, people, tmp_path, monkeypatch):
    def never(*args, **options):
        raise AssertionError("embedded")

    (tmp_path / "file").write_text("")
    with monkeypatch.context() as patch:
        patch.setattr(type(model), "embed_gallery", never)
        for folder in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(GalleryError, match="file is a file; name a new folder"):
                Gallery.build(model, people, folder)
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(GalleryError, match=f"{tmp_path} may not be written to"):
            Gallery.build(model, people, tmp_path / "new")


def test_a_full_disk_leaves_the_gallery_as_it_was(model, people, tmp_path, monkeypatch):
    gallery = Gallery.build(model, people / "Ann", tmp_path / "kept")

    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "000002.safetensors")

    with monkeypatch.context() as patch:
        patch.setattr("reidzoo.gallery.folder.write_whole", full)
        with pytest.raises(GalleryError, match=r"kept cannot be changed and stays as it was: No space left.*000002"):
            gallery.add(people / "Bob")
    assert len(gallery) == len(Gallery.load(tmp_path / "kept")) == 2
    assert gallery.add(people / "Bob").added == 2 and len(Gallery.load(tmp_path / "kept")) == 4


def test_a_program_with_another_default_device_finds_the_same(model, people, tmp_path):
    query, ways = people / "Bob" / "Bob_c10.jpg", ({}, {"rerank": True}, {"camera": "0"})
    gallery = Gallery.build(model, people, tmp_path / "kept")
    usual = [gallery.search(query, k=3, **way) for way in ways]
    with torch.device("meta"):  # as set_default_device("cuda") does; whatever were made there could not be used
        again = reidzoo.load(model.found_by)
        kept = Gallery.load(tmp_path / "kept", again)
        for same in (kept, Gallery.build(again, people)):
            assert [same.search(query, k=3, **way) for way in ways] == usual
        assert kept.remove(identity="Ann") == 2 and kept.add(people / "Ann").added == 2
        assert float(again.similarity(query, query)) == pytest.approx(1)
        kept.save(tmp_path / "copy")
    assert len(Gallery.load(tmp_path / "copy")) == 6
