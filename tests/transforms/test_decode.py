from __future__ import annotations

import struct

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, PngImagePlugin

from reidzoo.errors import ConfigError, DatasetError
from reidzoo.transforms import check_header, read_image, read_images, resize_image
from reidzoo.transforms.decode import UnfitImageError, as_stored, upright_size


def picture(width, height, mode="RGB"):
    y, x = np.mgrid[:height, :width]
    values = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=2).astype(np.uint8)
    return Image.fromarray(values).convert(mode)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
@pytest.mark.parametrize("size", [(64, 32), (256, 128)])
def test_equals_decoding_in_full_and_resizing_by_pil(tmp_path, interpolation, size):
    path = tmp_path / "person.png"
    noise = np.random.default_rng(0).normal(0, 20, (200, 90, 3))
    Image.fromarray((np.asarray(picture(90, 200)) + noise).clip(0, 255).astype(np.uint8)).save(path)
    with Image.open(path) as file:
        expected = np.asarray(file.convert("RGB").resize(size[::-1], Image.Resampling[interpolation.upper()]))
    image = read_image(str(path), size, interpolation)
    assert image.dtype == torch.uint8 and image.is_contiguous()
    difference = abs(image.permute(1, 2, 0).numpy().astype(int) - expected)
    assert difference.max() <= 2 and difference.mean() <= 0.2  # the last rounding
    if interpolation not in ("bilinear", "bicubic"):
        assert not difference.any()


def test_images_together_are_what_each_is_alone(tmp_path, monkeypatch):
    sizes = [(90, 200), (32, 64), (90, 200), (31, 77), (90, 200), (400, 300), (32, 64)]
    paths = [tmp_path / f"{n}.png" for n in range(len(sizes))]
    for n, (path, size) in enumerate(zip(paths, sizes)):
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
    for interpolation in ("bicubic", "bilinear", "lanczos"):
        together = read_images(paths, (64, 32), interpolation)
        assert torch.equal(together, torch.stack([read_image(path, (64, 32), interpolation) for path in paths]))
    for most in (0, 20_000, 60_000, 150_000):  # some wait for each other, some do not
        monkeypatch.setattr("reidzoo.transforms.decode.TOGETHER", most)
        assert torch.equal(read_images(paths, (64, 32), "lanczos"), together)
    assert read_images([], (64, 32)).shape == (0, 3, 64, 32)


def test_its_own_size_is_not_resampled(tmp_path):
    picture(32, 64).save(tmp_path / "person.png")
    expected = np.asarray(picture(32, 64))
    assert (read_image(tmp_path / "person.png", (64, 32)).permute(1, 2, 0).numpy() == expected).all()


def test_large_jpegs_are_decoded_small_and_look_the_same(tmp_path):
    path = tmp_path / "large.jpg"
    picture(320, 640).save(path, quality=95)
    with Image.open(path) as file:
        expected = np.asarray(file.convert("RGB").resize((32, 64), Image.Resampling.BICUBIC)).astype(int)
    difference = abs(read_image(path, (64, 32)).permute(1, 2, 0).numpy().astype(int) - expected)
    assert difference.mean() < 1.5


def read(path, like):
    """Return a file as an array (H, W, 3), at the size of the picture ``like``."""
    return read_image(path, (like.height, like.width)).permute(1, 2, 0).numpy()


@pytest.mark.parametrize("name", ["normal.png", "normal.jpg", "grey.jpg", "grey.png"])
def test_ordinary_files_are_what_pil_makes_of_them(tmp_path, name):
    plain = picture(20, 40, "L" if "grey" in name else "RGB")
    plain.save(tmp_path / name)
    with Image.open(tmp_path / name) as file:
        expected = np.asarray(file.convert("RGB"))
    assert (read(tmp_path / name, plain) == expected).all()


# What lies otherwise than it is seen


def exif(orientation):
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags


LAID = {  # orientation -> how a camera laid the pixels of what people see
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, *LAID])
def test_exif_orientation(tmp_path, orientation, suffix):
    upright, path = picture(24, 48), tmp_path / f"camera.{suffix}"
    laid = upright.transpose(LAID[orientation]) if orientation > 1 else upright
    laid.save(path, exif=exif(orientation), **({"quality": 95} if suffix in ("jpg", "webp") else {}))
    assert abs(read(path, upright).astype(int) - np.asarray(upright)).mean() < 3
    if suffix == "png":  # no losses
        assert (read(path, upright) == np.asarray(upright)).all()
    assert upright_size(path) == upright.size
    with Image.open(path) as file:
        assert torch.equal(resize_image(file, (48, 24)), read_image(path, (48, 24)))
    with Image.open(path) as file:
        stored = as_stored(file)
    assert stored.size == laid.size and abs(np.asarray(stored).astype(int) - np.asarray(laid)).mean() < 3


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


def test_orientation_in_xmp(tmp_path):
    upright, path = picture(24, 48), tmp_path / "camera.jpg"
    segment = b"http://ns.adobe.com/xap/1.0/\0" + XMP  # of JPEG's marker APP1
    segment = b"\xff\xe1" + (2 + len(segment)).to_bytes(2, "big") + segment
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, extra=segment)
    assert abs(read(path, upright).astype(int) - np.asarray(upright)).mean() < 3


def raw_profile(data):
    """EXIF as ImageMagick writes it into a PNG: its length, and its bytes in hexadecimal digits."""
    return f"\nexif\n{len(data):8}\n{data.hex()}\n"


@pytest.mark.parametrize(
    "key, text", [("XML:com.adobe.xmp", XMP.decode()), ("Raw profile type exif", raw_profile(exif(6).tobytes()))]
)
def test_orientation_in_the_texts_of_a_png(tmp_path, key, text):
    upright, texts = picture(24, 48), PngImagePlugin.PngInfo()
    texts.add_itxt(key, text) if "xmp" in key else texts.add_text(key, text, zip=True)
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "camera.png", pnginfo=texts)
    assert (read(tmp_path / "camera.png", upright) == np.asarray(upright)).all()


def test_a_large_jpeg_on_its_side_is_decoded_small_by_its_own_sides(tmp_path):
    path, stripes = tmp_path / "large.jpg", (np.arange(128) // 2 % 2 * 255).astype(np.uint8)
    upright = Image.fromarray(np.repeat(stripes[:, None], 640, axis=1)).convert("RGB")
    upright.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif(6))
    expected = np.asarray(upright.resize((8, 64), Image.Resampling.BICUBIC)).astype(int)
    assert expected.std() > 80  # taken for 128 x 640, it would be decoded at a quarter, and grey
    assert abs(read_image(path, (64, 8)).permute(1, 2, 0).numpy() - expected).mean() < 1.5


def test_damaged_metadata_of_a_whole_picture_is_passed_over(tmp_path):
    plain = picture(24, 48)
    plain.save(tmp_path / "a.png", exif=b"Exif\0\0no tags at all")
    assert (read(tmp_path / "a.png", plain) == np.asarray(plain)).all()


# Depth, transparency, colour


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, suffix):
    values = np.arange(32 * 64, dtype=np.uint16).reshape(64, 32) * 31 + 100  # up to 63,557
    values[0, 0], values[0, 1] = 0, 65535
    if suffix == "pgm":  # which older Pillows read and do not write
        (tmp_path / "deep.pgm").write_bytes(b"P5 32 64 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / f"deep.{suffix}")
    image = read_image(tmp_path / f"deep.{suffix}", (64, 32)).numpy()
    expected = np.rint(values / 65535 * 255)
    assert (image == expected).all() and expected.max() == 255 and expected.min() == 0


@pytest.mark.parametrize("tag, value", [(262, 0), (258, 12)], ids=["0 is white", "12 bits"])
def test_other_grey_than_of_sixteen_bits_from_black_is_refused(tmp_path, tag, value):
    path = tmp_path / "deep.tif"
    Image.fromarray(np.full((8, 4), 1000, np.uint16)).save(path)
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HHI", tag, 3, 1))  # PhotometricInterpretation or BitsPerSample, one SHORT
    data[entry + 8 : entry + 10] = struct.pack("<H", value)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match=r"deep\.tif has pixels of PIL's mode I;16"):
        read_image(path, (8, 4))


def test_sixteen_bits_with_a_transparent_grey_are_refused(tmp_path):
    Image.fromarray(np.full((8, 4), 1000, np.uint16)).save(tmp_path / "clear.png", transparency=1000)
    with pytest.raises(DatasetError, match=r"clear\.png has pixels of PIL's mode I"):
        read_image(tmp_path / "clear.png", (8, 4))


@pytest.mark.parametrize("dtype, mode", [(np.float32, "F"), (np.int32, "I")])
def test_numbers_without_a_range_are_refused(tmp_path, dtype, mode):
    Image.fromarray(np.ones((8, 4), dtype)).save(tmp_path / "a.tif")
    with pytest.raises(DatasetError, match=rf"a\.tif has pixels of PIL's mode {mode}, .* save it as 8-bit RGB"):
        read_image(tmp_path / "a.tif", (8, 4))
    with pytest.raises(DatasetError, match=rf"a\.tif has pixels of PIL's mode {mode}"):
        check_header(tmp_path / "a.tif")
    with pytest.raises(UnfitImageError, match=f"has pixels of PIL's mode {mode}"):
        resize_image(Image.fromarray(np.ones((8, 4), dtype)), (8, 4))


def on_white(colour, alpha):
    return np.rint((np.asarray(colour) * alpha + 255.0 * (255 - alpha)) / 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
@pytest.mark.parametrize("alpha", [0, 90, 255])
def test_transparent_pixels_lie_on_white(tmp_path, mode, alpha):
    colour = (200, 200, 200) if mode == "LA" else (200, 30, 90)
    image = Image.new("RGBA", (4, 8), (*colour, alpha))
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    found = resize_image(image, (8, 4))
    assert abs(found.permute(1, 2, 0).numpy() - on_white(colour, alpha)).max() <= (alpha not in (0, 255))
    if mode != "PA":  # which no file keeps
        image.save(tmp_path / "a.png")
        assert torch.equal(read_image(tmp_path / "a.png", (8, 4)), found)


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_palette_with_a_transparent_colour(tmp_path, suffix):
    image = Image.new("P", (4, 8), 0)
    image.putpalette([200, 30, 90, 10, 20, 30])
    image.paste(1, (0, 0, 4, 4))
    image.save(tmp_path / f"plain.{suffix}")
    image.save(tmp_path / f"clear.{suffix}", transparency=0)
    plain, clear = (read(tmp_path / f"{name}.{suffix}", image) for name in ("plain", "clear"))
    assert (plain[:4] == [10, 20, 30]).all() and (plain[4:] == [200, 30, 90]).all()
    assert (clear[:4] == [10, 20, 30]).all() and (clear[4:] == 255).all()


@pytest.mark.parametrize("mode, key", [("L", 7), ("RGB", (7, 8, 9))])
def test_a_transparent_colour_without_a_palette(tmp_path, mode, key):
    image = Image.new(mode, (4, 8), key)
    image.paste(0, (0, 0, 4, 4))
    image.save(tmp_path / "a.png", transparency=key)
    found = read(tmp_path / "a.png", image)
    assert (found[:4] == 0).all() and (found[4:] == 255).all()


def test_a_palette_without_transparency_and_black_and_white(tmp_path):
    for name, image in {"p.png": picture(20, 40, "P"), "one.png": picture(20, 40, "1")}.items():
        image.save(tmp_path / name)
        assert (read(tmp_path / name, image) == np.asarray(image.convert("RGB"))).all()


@pytest.mark.parametrize("suffix", ["jpg", "tif"])  # PIL writes such a JPEG as Adobe does, inverted
def test_cmyk(tmp_path, suffix):
    inks = Image.new("CMYK", (4, 8), (255, 0, 0, 0))
    inks.paste((0, 0, 0, 255), (0, 0, 4, 4))
    inks.resize((16, 32), Image.Resampling.NEAREST).save(tmp_path / f"a.{suffix}", quality=95)
    found = read(tmp_path / f"a.{suffix}", Image.new("L", (16, 32))).astype(int)
    assert abs(found[:15]).max() < 8 and abs(found[17:] - [0, 255, 255]).max() < 8


def test_ycbcr_and_hsv():
    for mode in ("YCbCr", "HSV"):
        image = picture(20, 40, mode)
        found = resize_image(image, (40, 20)).permute(1, 2, 0).numpy()
        assert (found == np.asarray(image.convert("RGB"))).all()


# Several pictures, none, and half of one


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_an_animation_is_refused_and_one_frame_is_a_picture(tmp_path, suffix):
    frames = [Image.new("RGB", (4, 8), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(tmp_path / f"three.{suffix}", save_all=True, append_images=frames[1:], **options)
    frames[0].save(tmp_path / f"one.{suffix}", save_all=True, **options)
    with pytest.raises(DatasetError, match=rf"three\.{suffix} holds 3 frames or pages; save the one that is meant"):
        read_image(tmp_path / f"three.{suffix}", (8, 4))
    assert (read(tmp_path / f"one.{suffix}", frames[0]) == [255, 0, 0]).all()
    with Image.open(tmp_path / f"three.{suffix}") as file:  # in Python one says which by going there
        file.seek(1)
        assert (resize_image(file, (8, 4)).permute(1, 2, 0).numpy() == [0, 255, 0]).all()


def test_a_cameras_mpo_is_the_picture_in_front(tmp_path):
    front, depth = picture(24, 48), Image.new("RGB", (24, 48))
    front.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[depth], quality=95)
    assert abs(read(tmp_path / "phone.jpg", front).astype(int) - np.asarray(front)).mean() < 3


@pytest.mark.parametrize("size", [(0, 8), (4, 0), (0, 0)])
def test_an_image_without_pixels(size):
    with pytest.raises(UnfitImageError, match=f"has no pixels: it is {size[0]} wide and {size[1]} high"):
        resize_image(Image.new("RGB", size), (8, 4))


@pytest.mark.parametrize("suffix, options", [("jpg", {}), ("jpg", {"progressive": True}), ("png", {}), ("gif", {})])
def test_a_file_cut_anywhere_is_whole_or_refused(tmp_path, suffix, options):
    plain, path = picture(60, 120), tmp_path / f"cut.{suffix}"
    plain.save(path, **options)
    data, whole = path.read_bytes(), read(path, plain)
    for length in {*range(0, len(data), max(1, len(data) // 40)), len(data) - 1, len(data) - 2}:
        path.write_bytes(data[:length])
        try:
            found = read(path, plain)
        except DatasetError as error:
            assert f"cut.{suffix} cannot be read" in str(error)
        else:
            assert (found == whole).all(), f"{length} of {len(data)} bytes"


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match=r"nobody.jpg does not exist"):
        read_image(tmp_path / "nobody.jpg", (64, 32))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cut.jpg", "OSError: "),
        ("cut.png", "OSError: "),
        ("text.jpg", "it is of no known format"),
        ("empty.jpg", "it is empty"),
    ],
)
def test_broken_files_are_named(tmp_path, name, why):
    path = tmp_path / name
    picture(60, 120).save(tmp_path / f"whole{path.suffix}")
    whole = (tmp_path / f"whole{path.suffix}").read_bytes()
    path.write_bytes({"text.jpg": b"not an image", "empty.jpg": b""}.get(name, whole[: len(whole) // 2]))
    with pytest.raises(DatasetError, match=rf"{name} cannot be read \({why}"):
        read_image(path, (64, 32))


def test_a_tiff_whose_second_page_has_no_width_is_named(tmp_path):
    picture(60, 120).save(tmp_path / "a.tif")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    (first,) = struct.unpack_from("<L", data, 4)
    (tags,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<L", data, first + 2 + 12 * tags, len(data))  # where the next page's tags are
    (tmp_path / "a.tif").write_bytes(data + bytes(6))
    with pytest.raises(DatasetError, match=r"a\.tif cannot be read \(TypeError"):
        read_image(tmp_path / "a.tif", (64, 32))


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(DatasetError, match="is a folder; name the images in it"):
        read_image(tmp_path, (64, 32))


def test_unknown_interpolation(tmp_path):
    with pytest.raises(ConfigError, match=r"bicubc.*bicubic"):
        read_image(tmp_path / "person.jpg", (64, 32), "bicubc")
