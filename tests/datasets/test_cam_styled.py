from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from reidzoo.datasets import ColorTransfer, Market1501, StyleFolder, TrainSet, build_dataset
from reidzoo.engine.image_table import ImageTable
from reidzoo.engine.loader import TrainLoader
from reidzoo.errors import ConfigError, DatasetError

WRAPPED = {"type": "Unlabeled", "dataset": {"type": "Market1501"}}
FOLDER = "bounding_box_train_camstyle"


@pytest.fixture
def root(tiny_root, tmp_path):
    shutil.copytree(tiny_root / "Market-1501-v15.09.15", tmp_path / "Market-1501-v15.09.15")
    return tmp_path


@pytest.fixture
def styled_root(root):
    """A dataset whose style images are flat: the level tells the camera, 40 x its number."""
    folder = root / "Market-1501-v15.09.15" / FOLDER
    folder.mkdir()
    for record in Market1501(root).train:
        stem = record.path.rsplit("/", 1)[-1].removesuffix(".jpg")
        for other in {0, 1, 2} - {record.camid}:
            name = f"{stem}_fake_{record.camid + 1}to{other + 1}.png"
            Image.new("RGB", (16, 32), (40 * (other + 1),) * 3).save(folder / name)
    return root


def build(root, **arguments):
    return build_dataset({"type": "CamStyled", "dataset": WRAPPED, **arguments}, root=root)


def loader_of(sets, workers=0, seed=0, share=None):
    paths = [path for data in sets.values() for path in data.paths]
    paths += [path for data in sets.values() for path in data.style_paths]
    table, sampler = ImageTable(paths, (32, 16), "bilinear"), {"type": "ShuffleSampler", "unlabelled": True}
    loader = TrainLoader(
        sets, sampler, lambda images, draw: images, table,
        batch_size=24, iters=3, seed=seed, workers=workers, device=torch.device("cpu"),
    )  # fmt: skip
    if share is not None:
        loader.slice = share
    return loader


def cameras_seen(batch):
    """Return the camera of each image: flat ones tell their own, real ones have that of their record."""
    level = batch["img"].float().amax((1, 2, 3))
    flat = batch["img"].float().std((1, 2, 3)) < 1
    return torch.where(flat, (level / 40).round().long() - 1, batch["camid"]), flat


def test_records_are_those_of_the_dataset(styled_root):
    dataset = build(styled_root)
    assert dataset.train == build_dataset(WRAPPED, root=styled_root).train
    assert dataset.query and dataset.query == Market1501(styled_root).query
    assert isinstance(dataset.styles, StyleFolder) and dataset.no_styles_because == ""
    assert isinstance(build(styled_root, styles="color_transfer").styles, ColorTransfer)
    assert build(styled_root, styles="none").styles is None


def test_colours_are_transferred_in_the_space_that_is_named(root):
    """In RGB a channel is scaled by itself, in Lab with the others: the same images under the same camera differ."""
    images, row = torch.randint(0, 256, (1, 3, 32, 16), dtype=torch.uint8), np.array([0])
    styles = [build(root, styles="color_transfer", space=space).styles for space in ("lab", "rgb")]
    lab, rgb = (style.restyle(images, row, np.array([0.99])) for style in styles)
    assert not torch.equal(lab, rgb) and not torch.equal(lab, images)


@pytest.mark.slow
def test_each_camera_is_drawn_equally_often(styled_root):
    sets = {"source": TrainSet([Market1501(styled_root)]), "target": TrainSet([build(styled_root)])}
    loader = loader_of(sets)
    counts, real = torch.zeros(3, 3), 0
    for epoch in range(60):
        for batch in loader.epoch(epoch):
            seen, flat = cameras_seen(batch["target"])
            counts.index_put_((batch["target"]["camid"], seen), torch.ones(24), accumulate=True)
            assert torch.equal(flat, seen != batch["target"]["camid"])
            real += int((~flat).sum())
            assert not cameras_seen(batch["source"])[1].any()  # the source is as it was
    share = counts / counts.sum(1, keepdim=True)
    assert (share - 1 / 3).abs().max() < 4 * (2 / 9 / counts.sum(1).min()) ** 0.5
    assert real / counts.sum() == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("styles", ["folder", "color_transfer"])
@pytest.mark.slow
def test_draws_do_not_depend_on_workers_processes_or_where_an_epoch_is_resumed(styled_root, styles):
    def sets():
        return {"target": TrainSet([build(styled_root, styles=styles)])}

    whole = list(loader_of(sets()).epoch(1))
    for batch, other in zip(whole, loader_of(sets(), workers=2).epoch(1), strict=True):
        assert torch.equal(batch["img"], other["img"])
    assert torch.equal(whole[2]["img"], next(loader_of(sets()).epoch(1, 2))["img"])
    halves = [loader_of(sets(), share=share).epoch(1) for share in (slice(0, 12), slice(12, 24))]
    for batch, first, second in zip(whole, *halves, strict=True):
        assert torch.equal(batch["img"], torch.cat([first["img"], second["img"]]))
    assert not torch.equal(whole[0]["img"], next(loader_of(sets(), seed=1).epoch(1))["img"])


def test_real_images_are_what_they_are_without_styles(styled_root):
    plain = loader_of({"target": TrainSet([build_dataset(WRAPPED, root=styled_root)])})
    for styles in ("folder", "color_transfer", "none"):
        loader = loader_of({"target": TrainSet([build(styled_root, styles=styles)])})
        for batch, other in zip(loader.epoch(0), plain.epoch(0), strict=True):
            same = (batch["img"] == other["img"]).flatten(1).all(1)
            assert same.all() if styles == "none" else 0 < same.sum() < 24
            assert torch.equal(batch["index"], other["index"])


def test_without_a_folder_there_are_no_styles(root):
    dataset = build(root)
    assert dataset.styles is None and FOLDER in dataset.no_styles_because
    assert TrainSet([dataset]).styles is None and TrainSet([dataset]).style_paths == ()
    with pytest.raises(DatasetError, match=r"no folder of style images .*my_styles.*projects/CamStyle"):
        build(root, style_folder="my_styles")


def test_a_half_missing_folder_is_an_error_unless_allowed(styled_root):
    gone = sorted((styled_root / "Market-1501-v15.09.15" / FOLDER).iterdir())[::2]
    for file in gone:
        file.unlink()
    with pytest.raises(DatasetError, match=r"72 of the 144 style images of 72 images and 3 cameras are missing"):
        TrainSet([build(styled_root)])
    assert TrainSet([build(styled_root, incomplete="allow")]).styles.missing == 72


def test_an_empty_folder_that_may_be_incomplete_is_none(root):
    (root / "elsewhere").mkdir()
    dataset = build(root, style_folder=str(root / "elsewhere"), incomplete="allow")
    assert dataset.styles is None and "holds no style image" in dataset.no_styles_because


def test_it_is_the_outermost_wrapper_and_alone(styled_root):
    inside = {"type": "Unlabeled", "dataset": {"type": "CamStyled", "dataset": {"type": "Market1501"}}}
    with pytest.raises(DatasetError, match="outermost"):
        TrainSet([build_dataset(inside, root=styled_root)])
    shutil.copytree(styled_root / "Market-1501-v15.09.15", styled_root / "copy")
    other = Market1501(styled_root, folder="copy")
    with pytest.raises(DatasetError, match="only one"):
        TrainSet([build(styled_root), other])


def test_a_camera_that_appears_once(root):
    train = root / "Market-1501-v15.09.15" / "bounding_box_train"
    first = sorted(train.iterdir())[0]
    shutil.copy(first, train / "0099_c6s1_000000_00.jpg")
    data = TrainSet([build(root, styles="color_transfer")])
    assert np.bincount(data.camids)[5] == 1
    for batch in loader_of({"target": data}).epoch(0):
        assert batch["img"].dtype == torch.uint8 and batch["img"].shape == (24, 3, 32, 16)


@pytest.mark.parametrize("arguments", [{"styles": "stargan"}, {"incomplete": "maybe"}])
def test_wrong_arguments(root, arguments):
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        build(root, **arguments)
