"""What does not go together is said before any work."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from reidzoo.deployment.metadata import metadata_of
from reidzoo.deployment.plan import ExportPlan
from reidzoo.errors import UserError


@pytest.fixture
def model(make_model):
    return make_model()


@pytest.fixture
def two_views(make_model):
    return make_model(model={"type": "TwoViewEmbedder"})


@pytest.mark.parametrize(
    "options, message",
    [
        ({"to": "onx"}, r"format \(--to\) onx.*Did you mean onnx\?"),
        ({"to": "tensorrt"}, "one of onnx, torchscript, openvino, pt2"),
        ({"consumer": "ultralytic"}, r"consumer \(--for\) ultralytic: .*ultralytics\?"),
        ({"given": "bytes"}, r"input \(--input\) bytes.*uint8"),
        ({"consumer": "ultralytics", "to": "openvino"}, "ultralytics takes onnx, not openvino"),
        ({"to": "pt2", "precision": "int8"}, "pt2 files are written in fp32"),
        ({"to": "torchscript", "precision": "fp16"}, "torchscript files are written in fp32"),
        ({"view": "query"}, "one embeds all images alike"),
    ],
)
def test_mistakes(model, options, message):
    with pytest.raises(UserError, match=message):
        ExportPlan.make(model, "tiny", **options)


def test_a_name_is_no_path(model):
    with pytest.raises(UserError, match="letters, digits"):
        ExportPlan.make(model, "../tiny")


def test_a_tracker_needs_one_network(two_views):
    with pytest.raises(UserError, match=r"which \(--view\): query or gallery"):
        ExportPlan.make(two_views, "tiny", consumer="boxmot")
    assert ExportPlan.make(two_views, "tiny", consumer="boxmot", view="gallery").files() == ["tiny-gallery.onnx"]
    assert ExportPlan.make(two_views, "tiny").files() == ["tiny-query.onnx", "tiny-gallery.onnx"]


def test_a_program_has_its_usual_format_and_size(model, tmp_path):
    plan = ExportPlan.make(model, "tiny", consumer="roboflow")
    assert plan.files() == ["tiny.torchscript"] and plan.feed.size == (32, 16)
    assert ExportPlan.make(model, "tiny", consumer="boxmot", size=(256, 128)).feed.size == (256, 128)
    (tmp_path / "tiny.torchscript").write_text("")
    with pytest.raises(UserError, match="--overwrite"):
        plan.check_free(tmp_path, overwrite=False)
    plan.check_free(tmp_path, overwrite=True)


@pytest.mark.parametrize("consumer", ["", "norfair", "roboflow"])
def test_crops_are_resized_as_test_images_are(make_model, consumer, tmp_path):
    """The training's interpolation is another."""
    model = make_model(INPUT_INTERPOLATION="lanczos", INPUT_TEST_INTERPOLATION="nearest")
    same = make_model(INPUT_INTERPOLATION="nearest")
    plan, other = (ExportPlan.make(one, "tiny", consumer=consumer) for one in (model, same))
    Image.effect_noise((50, 40), 90).save(tmp_path / "a.png")
    assert torch.equal(*(one.resize(str(tmp_path / "a.png"), (32, 16)) for one in (plan, other)))
    assert metadata_of(plan)["interpolation"] == "nearest"
    if plan.consumer:
        texts, others = (one.consumer.companions("tiny", "tiny.onnx", one.model, one.feed) for one in (plan, other))
        assert texts == others and "nearest" in "".join(texts.values()).lower()
