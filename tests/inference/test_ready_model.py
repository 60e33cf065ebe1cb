"""A model that takes images as they are, prepared as its file says."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from torch.nn import functional

import reidzoo
from reidzoo.config import get_cfg
from reidzoo.errors import ConfigError, DatasetError, EvaluationError, UserError
from reidzoo.evaluation import Calibration
from reidzoo.inference.fingerprint import fingerprint
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.models import TwoViewEmbedder
from reidzoo.transforms import resize_image


@pytest.fixture
def pictures(tmp_path):
    """Write three images of several sizes and modes; returns their paths."""
    paths = []
    for number, (size, mode) in enumerate([((16, 32), "RGB"), ((40, 80), "RGBA"), ((30, 20), "L")]):
        pixels = np.random.default_rng(number).integers(0, 255, (size[1], size[0], len(mode)), np.uint8).squeeze()
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels, mode).save(paths[-1])
    return paths


def on_white(path):
    layer = Image.open(path).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def reference(model, path):
    """Embed one image by the letter: lay on white, resize, divide, normalise, embed, L2."""
    pixels = resize_image(on_white(path), (32, 16), "bilinear").double() / 255
    mean, std = (
        torch.tensor(values).double()[:, None, None] for values in (model.config.INPUT.MEAN, model.config.INPUT.STD)
    )
    return functional.normalize(model.module(((pixels - mean) / std).float()[None])["embedding"], dim=1)


def test_images_in_any_form_give_one_embedding(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    assert model.size == (32, 16) and model.info["name"] == "tiny" and model.embedding_dim == 32
    expected = torch.cat([reference(model, path) for path in pictures])
    found = model.embed(pictures)
    assert found.shape == (3, 32) and found.dtype == torch.float32 and found.device.type == "cpu"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    opened = [Image.open(path) for path in pictures]
    tensors = [torch.from_numpy(np.array(on_white(path))).permute(2, 0, 1) for path in pictures]
    for images in (map(str, pictures), opened, tensors, [pictures[0], opened[1], tensors[2]]):
        assert torch.equal(model.embed(list(images)), found)
    for single in (pictures[0], str(pictures[0]), opened[0], tensors[0], tensors[0][None]):
        torch.testing.assert_close(model.embed(single), found[:1], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.embed(pictures, batch_size=2), found, rtol=1e-4, atol=1e-6)
    many = torch.stack([tensors[0]] * 3)
    torch.testing.assert_close(model.embed(many), found[[0, 0, 0]], rtol=1e-4, atol=1e-6)
    assert model.embed([]).shape == (0, 32)


def test_half_precision_files_are_computed_in_float(write_tiny, pictures):
    model = reidzoo.load(write_tiny(half=True)[0])
    assert {p.dtype for p in model.module.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in model.module.parameters()) and not model.module.training
    torch.testing.assert_close(model.embed(pictures[0]), reference(model, pictures[0]), rtol=1e-4, atol=1e-5)


def test_the_mirrored_image_counts_where_the_configuration_says_so(write_tiny, pictures):
    plain = reidzoo.load(write_tiny()[0])
    flipped = ReadyModel(plain.module, plain.config.clone(), {})
    flipped.config.defrost()
    flipped.config.TEST.FLIP = True
    mirrored = [Image.open(path).convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT) for path in pictures[:1]]
    expected = functional.normalize(plain.embed(pictures[:1]) + plain.embed(mirrored))
    torch.testing.assert_close(flipped.embed(pictures[:1]), expected, rtol=1e-3, atol=1e-4)


def test_two_views(pictures):
    cfg = get_cfg()
    cfg.INPUT.SIZE, cfg.INPUT.INTERPOLATION = [32, 16], "bilinear"
    network = TwoViewEmbedder({"type": "ResNet", "depth": 18, "width": 4}, {"type": "BNNeck"}, normalise=False)
    model = ReadyModel(network, cfg, {})
    query, gallery = model.embed_query(pictures), model.embed_gallery(pictures)
    assert not torch.allclose(query, gallery) and not torch.allclose(query.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(model.embed(pictures), functional.normalize(query))
    opened = torch.from_numpy(np.array(Image.open(pictures[0]))).permute(2, 0, 1)
    mean, std = (torch.tensor(values)[:, None, None] for values in (cfg.INPUT.MEAN, cfg.INPUT.STD))
    torch.testing.assert_close(
        gallery[:1], network.embed_gallery(((opened / 255 - mean) / std)[None]), rtol=1e-4, atol=1e-5
    )
    expected = functional.cosine_similarity(query[:2], gallery[1:])
    torch.testing.assert_close(model.similarity(pictures[:2], pictures[1:]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wanted", [False, True])
def test_the_weights_have_the_configured_layout(wanted):
    cfg = get_cfg()
    cfg.SOLVER.CHANNELS_LAST = wanted
    network = ReadyModel(TwoViewEmbedder({"type": "ResNet", "depth": 18, "width": 4}, {"type": "BNNeck"}), cfg, {})
    weights = [weight for weight in network.module.parameters() if weight.dim() == 4 and weight.shape[2] > 1]
    assert weights and all(w.is_contiguous(memory_format=torch.channels_last) == wanted for w in weights)


def test_as_many_images_at_a_time_as_the_caller_or_else_the_configuration_says(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    embed, sizes = model.module.embed, []
    model.module.embed = lambda images: sizes.append(len(images)) or embed(images)
    model.config.defrost()
    for asked, configured, wanted in ((2, 1, [2, 1]), (0, 3, [3])):
        sizes.clear()
        model.config.TEST.IMS_PER_BATCH = configured
        model.embed(pictures, batch_size=asked)
        assert sizes == wanted


def test_the_precision_is_the_configurations(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    exact = model.embed(pictures)
    model.config.defrost()
    model.config.SOLVER.PRECISION = "bf16"
    rough = model.embed(pictures)
    assert not torch.equal(rough, exact)
    torch.testing.assert_close(rough, exact, rtol=0.1, atol=0.1)


def test_a_model_of_one_network_embeds_both_sides_alike(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    assert torch.equal(model.embed_query(pictures), model.embed(pictures))
    assert torch.equal(model.embed_gallery(pictures), model.embed(pictures))


def test_what_is_no_image(write_tiny, tmp_path):
    model = reidzoo.load(write_tiny()[0])
    with pytest.raises(DatasetError, match=r"gone\.jpg does not exist"):
        model.embed(tmp_path / "gone.jpg")
    with pytest.raises(TypeError, match=r"image 1: expected a path, a PIL image, a uint8 tensor .* got int"):
        model.embed([torch.zeros(3, 8, 8, dtype=torch.uint8), 3])
    with pytest.raises(TypeError, match=r"image 0: .* got NoneType, which OpenCV's imread gives"):
        model.embed(None, channels="bgr")
    with pytest.raises(TypeError, match=r"image 0: .* got bytes; open a file's content with PIL.Image.open"):
        model.embed(b"content")
    for shape in ((64, 32), (2, 2, 64, 32, 3)):
        wanted = r"image 0: .* uint8 array \(H, W, 3\), got uint8 of shape "
        with pytest.raises(ValueError, match=wanted + re.escape(str(shape))):
            model.embed(np.zeros(shape, np.uint8), channels="rgb")
    for wrong in (torch.zeros(3, 8, 8), torch.zeros(1, 8, 8, dtype=torch.uint8), torch.zeros(2, 8, 8, 3).byte()):
        with pytest.raises(ValueError, match="expected RGB pixels"):
            model.embed(wrong)


def test_a_photo_on_its_side_gives_the_embedding_of_the_upright_one(write_tiny, pictures, tmp_path):
    model = reidzoo.load(write_tiny()[0])
    exif, upright = Image.Exif(), Image.open(pictures[0])
    exif[ExifTags.Base.Orientation] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    expected = model.embed(upright)
    for image in (tmp_path / "side.png", Image.open(tmp_path / "side.png")):
        torch.testing.assert_close(model.embed(image), expected)


def test_what_has_no_pixels(write_tiny):
    model = reidzoo.load(write_tiny()[0])
    whole = torch.zeros(3, 32, 16, dtype=torch.uint8)
    for shape in ((3, 0, 16), (3, 32, 0), (3, 0, 0)):
        with pytest.raises(ValueError, match=r"image 1: expected RGB pixels .* got torch.uint8 of shape"):
            model.embed([whole, torch.zeros(shape, dtype=torch.uint8)])
    with pytest.raises(ValueError, match="image 1 has no pixels: it is 0 wide and 8 high"):
        model.embed([whole, Image.new("RGB", (0, 8))])


def test_pixels_that_nobody_can_show(write_tiny, tmp_path):
    model = reidzoo.load(write_tiny()[0])
    with pytest.raises(ValueError, match="image 0 has pixels of PIL's mode F"):
        model.embed(Image.new("F", (16, 32)))
    Image.new("F", (16, 32)).save(tmp_path / "depth.tif")
    with pytest.raises(DatasetError, match=r"depth\.tif has pixels of PIL's mode F"):
        model.embed(tmp_path / "depth.tif")


def test_an_embedding_that_is_not_finite_names_its_image(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    module = model.module.embed
    model.module.embed = lambda images: module(images) * torch.tensor([1.0, torch.inf, torch.nan])[: len(images), None]
    with pytest.raises(EvaluationError, match=rf"the embedding of {pictures[1]} holds NaN .* 1 more of 3"):
        model.embed(pictures)
    with pytest.raises(EvaluationError, match="the embedding of image 1 holds NaN"):
        model.embed([Image.open(path) for path in pictures])


CALIBRATION = Calibration(
    threshold=0.5, far=0.01, interval=(0.4, 0.6), prior=0.5, method="logistic", slope=8.0, intercept=-4.0,
    knots=(0.0, 1.0), values=(0.1, 0.9),
)  # fmt: skip


def test_a_calibrated_file_says_whether_two_images_show_one_identity(write_tiny, pictures):
    model = reidzoo.load(write_tiny(info={"name": "tiny", "calibration": CALIBRATION.to_dict()})[0])
    assert model.threshold == 0.5 and model.calibration == CALIBRATION
    similarity = functional.cosine_similarity(model.embed(pictures[:1]), model.embed(pictures[1:]))
    torch.testing.assert_close(model.similarity(pictures[0], pictures[1:]), similarity)
    expected = 1 / (1 + torch.exp(4 - 8 * similarity.double()))
    torch.testing.assert_close(model.same(pictures[:1], pictures[1:]), expected)
    one = model.same(pictures[0], pictures[1])
    assert isinstance(one, float) and one == pytest.approx(float(expected[0]), rel=1e-5)
    assert model.same(pictures[0], pictures[1], prior=0.01) < one
    for pair in ((pictures[0], pictures[1:2]), (pictures[:1], pictures[1])):
        torch.testing.assert_close(model.same(*pair), expected[:1])
    first, second = (np.array(on_white(path))[..., ::-1] for path in pictures[:2])
    assert model.same(first, second, channels="bgr") == pytest.approx(one, rel=1e-5)
    with pytest.raises(ValueError, match="2 images cannot be compared pair by pair with 3"):
        model.same(pictures[:2], pictures)


def test_a_model_without_a_calibration_says_how_to_get_one(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    assert model.calibration is None
    for ask in (lambda: model.threshold, lambda: model.same(pictures[0], pictures[1])):
        with pytest.raises(UserError, match=r"tiny is not calibrated.*reidzoo calibrate"):
            ask()


def test_arrays_say_in_which_order_their_channels_are(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    arrays = [np.array(on_white(path)) for path in pictures]
    expected = model.embed(pictures)
    assert torch.equal(model.embed(arrays, channels="rgb"), expected)
    opencv = [np.ascontiguousarray(array[..., ::-1]) for array in arrays]
    assert torch.equal(model.embed(opencv, channels="bgr"), expected)
    assert torch.equal(model.embed_gallery([pictures[0], opencv[1]], channels="bgr"), expected[:2])
    batch = model.embed(np.stack([opencv[0]] * 2), channels="bgr")
    torch.testing.assert_close(batch, expected[[0, 0]], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(model.embed(opencv[0], channels="bgr"), expected[:1], rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match=r"image 0 is an array.*channels='bgr'"):
        model.embed(opencv)
    with pytest.raises(ValueError, match="channels='brg'"):
        model.embed(opencv, channels="brg")
    for wrong in (arrays[0][..., 0], arrays[0] / 255, np.zeros((2, 0, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"expected pixels 0\.\.255"):
            model.embed([wrong], channels="rgb")


def test_boxes_are_cut_out_of_the_image_as_it_is_seen(write_tiny, pictures, tmp_path):
    model = reidzoo.load(write_tiny()[0])
    frame = on_white(pictures[1])  # 40 wide, 80 high
    boxes = [[3, 5, 20.4, 61.7], [-9, 70, 55, 200]]
    crops = [frame.crop((3, 5, 20, 62)), frame.crop((0, 70, 40, 80))]
    expected = model.embed(crops)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    frame.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "side.png", exif=exif)
    bgr = np.array(frame)[..., ::-1]
    side = tmp_path / "side.png"
    for image in (frame, side, Image.open(side), torch.from_numpy(np.array(frame)).permute(2, 0, 1)):
        torch.testing.assert_close(model.embed(image, boxes=boxes), expected, rtol=1e-4, atol=1e-6)
    found = model.embed(bgr, boxes=torch.tensor(boxes), channels="bgr")
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    several = model.embed([frame, frame, pictures[1]], boxes=[boxes[:1], [], boxes[1:]], batch_size=1)
    torch.testing.assert_close(several, expected, rtol=1e-4, atol=1e-5)
    assert model.embed(frame, boxes=np.empty((0, 4))).shape == (0, 32)
    for wrong, message in (
        ([[5, 5, 5, 9]], r"image 0, box 0 .* has no pixels in a picture 40 wide"),
        ([[50, 0, 60, 9]], "no pixels"),
        ([[1, 2, 3]], "left, top, right, bottom"),
        ([[0, 0, 9, np.nan]], "finite"),
    ):
        with pytest.raises(ValueError, match=message):
            model.embed(frame, boxes=wrong)
    with pytest.raises(ValueError, match="boxes of 1 images, and 2 images"):
        model.embed([frame, frame], boxes=[boxes])


def test_a_column_of_paths_and_an_iterator_are_several_images(write_tiny, pictures):
    model, paths = reidzoo.load(write_tiny()[0]), list(map(str, pictures))
    expected = model.embed(pictures)
    for images in (np.array(paths), np.array(paths, object), iter(paths)):
        assert torch.equal(model.embed(images), expected)
    boxes = [[(0, 0, *Image.open(path).size)] for path in paths]
    assert torch.equal(model.embed(iter(paths), boxes=iter(boxes)), expected)
    assert model.similarity(np.array(paths), paths[0]).shape == (3,)


def test_what_is_neither_an_image_nor_several_is_named(write_tiny, pictures, tmp_path):
    model = reidzoo.load(write_tiny()[0])
    with pytest.raises(TypeError, match=r"image 0: .* got int$"):
        model.embed(3)
    with open(pictures[0], "rb") as file, pytest.raises(TypeError, match=r"got BufferedReader; open it with PIL"):
        model.embed(file)
    with pytest.raises(DatasetError, match=rf"image {tmp_path} is a folder; name the images in it"):
        model.embed(tmp_path)
    for size in (-1, 1.5, "2"):
        with pytest.raises(ConfigError, match="embed: batch_size must be a whole number of at least 0"):
            model.embed(pictures, size)
    for boxes in ([["a", 0, 1, 1]], [[1, 2, 3, 4], [1, 2, 3]]):
        with pytest.raises(ValueError, match=rf"{pictures[0]}: boxes are finite numbers \(N, 4\).*got \[\["):
            model.embed(pictures[0], boxes=boxes)


def test_an_opened_image_that_cannot_be_read_is_named(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    content = pictures[1].read_bytes()
    for boxes in (None, [[], [(0, 0, 5, 5)]]):
        cut = Image.open(io.BytesIO(content[: len(content) // 2]))
        with pytest.raises(DatasetError, match=r"image 1 cannot be read \(OSError: .*\); was it closed, or cut short"):
            model.embed([Image.open(pictures[0]), cut], boxes=boxes)


def test_a_model_that_was_trained_in_the_meantime_embeds_as_before_and_stays_in_its_mode(write_tiny, pictures):
    model = reidzoo.load(write_tiny()[0])
    expected, before = model.embed(pictures), model.fingerprint
    model.module.train()
    assert torch.equal(model.embed(pictures), expected)
    assert torch.equal(model.embed(pictures[:1]), model.embed(pictures[:1]))
    assert model.module.training and fingerprint(model.module, model.config) == before


def test_a_model_that_is_ready_is_not_touched_so_that_threads_can_share_it(write_tiny, pictures, monkeypatch):
    model = reidzoo.load(write_tiny()[0])
    expected = model.embed(pictures)

    def never(mode=True):
        raise AssertionError("another thread would see it")

    monkeypatch.setattr(model.module, "train", never)
    assert torch.equal(model.embed(pictures, np.int64(3)), expected)


@pytest.mark.parametrize("what", [None, "", 3, b"domainmix_mini"])
def test_what_can_name_no_model_is_named(what):
    with pytest.raises(ConfigError, match=r"reidzoo\.load: what must be a model's name or a path, got"):
        reidzoo.load(what)
