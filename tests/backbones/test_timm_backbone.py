"""timm's networks as backbones: maps, tokens, positions, patches and weights against timm itself."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from torch.nn import functional

from reidzoo.backbones import TimmBackbone
from reidzoo.engine.recompute import recompute_blocks
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.models import convert_batch_norm
from reidzoo.registry import BACKBONE
from reidzoo.testing import check_backbone

timm = pytest.importorskip("timm")

SWIN = {"depths": [1, 1, 1, 1], "embed_dim": 24, "num_heads": [1, 2, 3, 4]}
IMAGES = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def randomised(module):
    """Give parameters values that show: layer scales and norms begin as constants."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(1.0 if parameter.dim() == 1 else 0.0, 0.2, generator=generator)
    return module.eval()


@pytest.mark.parametrize(
    "node",
    [
        {"name": "test_vit"},
        {"name": "test_vit", "output": "token", "stride": 12, "size": [64, 32], "drop_path": 0.2},
        {"name": "test_vit", "output": "token_and_map"},
        {"name": "test_resnet", "options": {"output_stride": 16}},
        {"name": "mobilenetv3_small_050"},
        {"name": "swin_tiny_patch4_window7_224", "options": SWIN},
        {"name": "eva02_tiny_patch14_224", "options": {"depth": 1}},  # rotary positions, a side that divides no image
        {"name": "vit_tiny_patch14_dinov2", "options": {"depth": 1}},
    ],
    ids=lambda node: node["name"],
)
def test_the_contract_of_a_backbone_is_kept(node):
    if not timm.is_model(node["name"]):
        node = {**node, "name": "vit_small_patch14_dinov2"}
    check_backbone({"type": "TimmBackbone", **node})


def test_tokens_are_timms_in_their_places():
    theirs = randomised(timm.create_model("test_vit", num_classes=0, img_size=(64, 32)))
    with torch.no_grad():
        tokens = theirs.forward_features(IMAGES)  # (B, 1 + 4 x 2, C)
    maps = {}
    for output in ("map", "token", "token_and_map"):
        ours = TimmBackbone("test_vit", output=output, size=[64, 32]).eval()
        ours.net.load_state_dict(theirs.state_dict())
        with torch.no_grad():
            maps[output] = ours(IMAGES)
        assert maps[output].shape[1] == ours.out_channels
    assert maps["map"].shape == (2, 64, 4, 2) and maps["token"].shape == (2, 64, 1, 1)
    for row in range(4):
        for column in range(2):
            torch.testing.assert_close(maps["map"][:, :, row, column], tokens[:, 1 + 2 * row + column])
    torch.testing.assert_close(maps["token"][:, :, 0, 0], tokens[:, 0])
    pooled = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    torch.testing.assert_close(maps["token_and_map"].mean((2, 3)), pooled)


def test_swins_map_is_timms():
    ours = randomised(TimmBackbone("swin_tiny_patch4_window7_224", options=SWIN))
    theirs = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, strict_img_size=False, **SWIN).eval()
    theirs.load_state_dict(ours.net.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(ours(IMAGES).mean((2, 3)), theirs(IMAGES))


@pytest.mark.parametrize("group", [0, 2])
def test_converted_batch_norms_keep_the_activation_behind_them(group):
    plain = TimmBackbone("test_efficientnet").double()  # its norms are timm's BatchNormAct2d
    converted = convert_batch_norm(copy.deepcopy(plain), group)
    for training in (True, False):
        maps = [backbone.train(training)(IMAGES.double()) for backbone in (plain, converted)]
        torch.testing.assert_close(*maps)
    assert plain.state_dict().keys() == converted.state_dict().keys()
    assert sum(isinstance(module, torch.nn.SiLU) for module in converted.modules()) > 5


def test_positions_are_interpolated_once_or_at_each_step_alike_and_it_is_said(caplog, tmp_path):
    torch.save(randomised(timm.create_model("test_vit")).state_dict(), tmp_path / "timm.pth")
    with caplog.at_level(logging.INFO, "reidzoo"):
        TimmBackbone("test_vit", size=[64, 32])
        assert not caplog.text  # of random numbers
        once = TimmBackbone("test_vit", str(tmp_path / "timm.pth"), size=[64, 32]).eval()
        assert "interpolated from 10 x 10 to 4 x 2 patches, for images of 64 x 32" in caplog.text
        caplog.clear()
        each = TimmBackbone("test_vit", str(tmp_path / "timm.pth")).eval()
        with torch.no_grad():
            maps = [network(IMAGES) for network in (each, once, each)]
    assert once.net.pos_embed.shape == (1, 9, 64) and once.net.pos_embed.requires_grad
    torch.testing.assert_close(maps[0], maps[1])
    assert caplog.text.count("interpolated at each step") == 1 and "size: [64, 32]" in caplog.text


def test_the_projection_of_the_token_stands_behind_it(tmp_path):
    theirs = randomised(timm.create_model("test_vit", num_classes=7))
    torch.save(theirs.state_dict(), tmp_path / "timm.pth")
    ours = TimmBackbone(
        "test_vit", str(tmp_path / "timm.pth"), output="token_and_projection", options={"num_classes": 7}
    )
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        found = ours.eval()(images)
        assert found.shape == (2, 64 + 7, 1, 1) and ours.out_channels == 71
        torch.testing.assert_close(found[:, 64:, 0, 0], theirs(images))
        torch.testing.assert_close(found[:, :64, 0, 0], theirs.forward_features(images)[:, 0])


def test_registers_are_averaged_behind_the_token_or_below_it():
    options = {"reg_tokens": 3, "depth": 1}
    beside = randomised(TimmBackbone("test_vit", output="token_and_registers", options=options))
    below = TimmBackbone("test_vit", output="token_over_registers", options=options).eval()
    below.load_state_dict(beside.state_dict())
    with torch.no_grad():
        tokens = beside.net.forward_features(IMAGES)
        found = beside(IMAGES), below(IMAGES)
    expected = torch.stack([tokens[:, 0], (tokens[:, 1] + tokens[:, 2] + tokens[:, 3]) / 3], dim=2)
    torch.testing.assert_close(found[1], expected[..., None])
    torch.testing.assert_close(found[0], torch.cat(expected.unbind(2), dim=1)[..., None, None])
    assert beside.out_channels == 128 and below.out_channels == 64


def test_rotary_positions_are_those_of_the_overlapping_patches():
    name, options = "vit_small_patch16_dinov3", {"depth": 1, "embed_dim": 24, "num_heads": 2}
    plain = randomised(TimmBackbone(name, options=options))
    same, dense = (TimmBackbone(name, stride=stride, options=options).eval() for stride in (16, 8))
    for other in (same, dense):
        other.load_state_dict(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(same(IMAGES), plain(IMAGES))
        assert dense(IMAGES).shape == (2, 24, 7, 3)
        _, rotary = dense.net._pos_embed(dense.net.patch_embed(IMAGES))
    assert torch.equal(rotary, dense.net.rope.get_embed(shape=(7, 3)))


def test_overlapping_patches_begin_at_every_stride():
    ours = TimmBackbone("test_vit", stride=12, size=[64, 32])
    patches = ours.net.patch_embed
    found = patches(IMAGES)
    assert found.shape == (2, 5, 2, 64) and patches.dynamic_feat_size((64, 32)) == (5, 2)
    assert ours.net.pos_embed.shape[1] == 1 + 10
    for row in range(5):
        for column in range(2):
            patch = IMAGES[:, :, 12 * row : 12 * row + 16, 12 * column : 12 * column + 16]
            expected = functional.linear(patch.flatten(1), patches.proj.weight.flatten(1), patches.proj.bias)
            torch.testing.assert_close(found[:, row, column], expected, rtol=1e-4, atol=1e-5)
    assert patches(torch.ones(1, 3, 9, 40)).shape == (1, 1, 3, 64)  # lower than a patch


def test_with_the_patches_own_stride_nothing_changes():
    plain = randomised(TimmBackbone("test_vit"))
    replaced = TimmBackbone("test_vit", stride=16).eval()
    replaced.load_state_dict(plain.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(replaced(IMAGES), plain(IMAGES))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_weights_in_timms_layout_load_strictly(name, tmp_path):
    theirs = randomised(timm.create_model(name))
    state = theirs.state_dict()
    torch.save(state, tmp_path / "timm.pth")
    ours = TimmBackbone(name, pretrained=str(tmp_path / "timm.pth"))
    assert all(torch.equal(value, state[key]) for key, value in ours.net.state_dict().items())
    gone, there = [key for key in ours.net.state_dict() if "num_batches" not in key][:2]
    strange = {**{key: value for key, value in state.items() if key != gone}, "strange": torch.ones(1)}
    strange[there] = torch.ones(3, 1)
    torch.save(strange, tmp_path / "strange.pth")
    with pytest.raises(WeightsError) as caught:
        TimmBackbone(name, pretrained=str(tmp_path / "strange.pth"))
    text = str(caught.value)
    assert f"1 missing: {gone}" in text and "1 unexpected: strange" in text and f"{there} [3, 1] in the file" in text
    assert "strange.pth" in text


def test_a_runs_backbone_loads_with_the_positions_that_it_has_learnt(tmp_path):
    node = {"type": "TimmBackbone", "name": "test_vit", "stride": 12, "size": [64, 32]}
    trained = randomised(BACKBONE.build(node))
    state = {f"backbone.{key}": value for key, value in trained.state_dict().items()}
    torch.save({"parts": {"model": {**state, "head.bn.weight": torch.ones(1)}}}, tmp_path / "last.pth")
    again = BACKBONE.build({**node, "pretrained": str(tmp_path / "last.pth")})
    assert all(torch.equal(a, b) for a, b in zip(trained.state_dict().values(), again.state_dict().values()))
    with pytest.raises(WeightsError, match=r"pos_embed \[1, 11, 64\] in the file, \[1, 101, 64\] in the model"):
        BACKBONE.build({"type": "TimmBackbone", "name": "test_vit", "pretrained": str(tmp_path / "last.pth")})


def test_the_original_layout_of_openais_clip_is_brought_into_timms(tmp_path):
    ours = randomised(TimmBackbone("vit_base_patch16_clip_224", options={"depth": 1, "embed_dim": 64, "num_heads": 2}))
    state = ours.net.state_dict()
    names = {
        "attn.qkv.": "attn.in_proj_",
        "attn.proj.": "attn.out_proj.",
        "norm": "ln_",
        "fc1": "c_fc",
        "fc2": "c_proj",
    }
    original = {
        "visual.class_embedding": state["cls_token"][0, 0], "visual.positional_embedding": state["pos_embed"][0],
        "visual.conv1.weight": state["patch_embed.proj.weight"], "visual.proj": torch.ones(64, 32),
    }  # fmt: skip
    for kind in ("weight", "bias"):
        original[f"visual.ln_pre.{kind}"] = state[f"norm_pre.{kind}"]
        original[f"visual.ln_post.{kind}"] = state[f"norm.{kind}"]
    for key, value in state.items():
        if key.startswith("blocks."):
            new = f"visual.transformer.res{key}"
            for theirs, clips in names.items():
                new = new.replace(theirs, clips)
            original[new] = value
    torch.save(original, tmp_path / "clip.pt")
    options = {"depth": 1, "embed_dim": 64, "num_heads": 2}
    again = TimmBackbone("vit_base_patch16_clip_224", str(tmp_path / "clip.pt"), options=options)
    assert all(torch.equal(value, state[key]) for key, value in again.net.state_dict().items())


def test_a_swins_images_are_filled_up_to_whole_patches():
    ours = randomised(TimmBackbone("swin_tiny_patch4_window7_224", options=SWIN))
    with torch.no_grad():
        found = ours(IMAGES[..., :62, :29])
        torch.testing.assert_close(found, ours(functional.pad(IMAGES[..., :62, :29], (0, 3, 0, 2))))


def test_drop_path_is_for_training_alone_and_none_unless_told():
    swin = TimmBackbone("swin_tiny_patch4_window7_224", options=SWIN)  # by itself timm's leaves blocks out
    assert torch.equal(swin(IMAGES), swin(IMAGES))
    torch.manual_seed(0)
    backbone = TimmBackbone("test_vit", drop_path=0.9)
    assert not torch.equal(backbone(IMAGES), backbone(IMAGES))
    backbone.eval()
    assert torch.equal(backbone(IMAGES), backbone(IMAGES))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "eva02_tiny_patch14_224"])
def test_blocks_computed_again_give_the_same_gradients(name):
    options = {"depth": 2, "embed_dim": 24, "num_heads": 2} if name.startswith("eva") else {}
    torch.manual_seed(0)
    plain, again = (convert_batch_norm(TimmBackbone(name, options=options)) for _ in range(2))
    again.load_state_dict(plain.state_dict())
    assert recompute_blocks(again) >= 2
    for backbone in (plain, again):
        backbone(IMAGES).square().mean().backward()
    for (key, one), two in zip(plain.named_parameters(), again.parameters()):
        torch.testing.assert_close(one.grad, two.grad, msg=key)
    for one, two in zip(plain.buffers(), again.buffers()):
        torch.testing.assert_close(one, two)  # batch norm's statistics move once


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "vit_smal_patch16_224"}, "Did you mean vit_small_patch16_224"),
        ({"name": "hf-hub:BVRA/MegaDescriptor-T-224"}, "named under pretrained, hf://OWNER/NAME/FILE"),
        ({"name": "test_resnet", "output": "token"}, "test_resnet has no class token"),
        ({"name": "test_resnet", "stride": 12}, "test_resnet is not a ViT of any number of patches"),
        ({"name": "test_resnet", "size": [64, 32]}, "no position embeddings to interpolate"),
        ({"name": "test_vit", "stride": 17}, "stride 17 is above the patch's side, 16"),
        (
            {"name": "test_vit", "output": "class"},
            "output must be one of map, token, token_and_map, token_and_projection",
        ),
        ({"name": "test_resnet", "output": "token_and_projection"}, "no linear layer behind its token"),
        ({"name": "test_vit", "options": {"depht": 2}}, "test_vit cannot be built with depht: 2"),
        ({"name": "test_vit", "options": {"depth": "four"}}, "test_vit cannot be built with depth: 'four'"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TimmBackbone(**arguments)


def test_a_network_of_one_size_says_so():
    backbone = TimmBackbone("cait_xxs24_224", options={"depth": 1})
    with pytest.raises(ConfigError, match=r"options: \{img_size: \[64, 32\]\}"):
        backbone(IMAGES)
    fitting = TimmBackbone("cait_xxs24_224", options={"depth": 1, "img_size": [64, 32]})
    assert fitting(IMAGES).shape == (2, 192, 4, 2)


@pytest.mark.parametrize(
    "name, options, found",
    [
        ("xcit_nano_12_p16_224", {"depth": 1, "embed_dim": 16, "num_heads": 2}, "grid_size.*; take another network"),
        ("convit_tiny", {"depth": 1}, r"Input height \(64\).*; of 224 x 224 it does: set INPUT.SIZE to \[224, 224\]"),
    ],
)
def test_what_a_network_does_not_take_is_said_with_what_it_was_tried_with(name, options, found):
    backbone = TimmBackbone(name, options=options)
    with pytest.raises(ConfigError, match=f"TimmBackbone: {name} makes no map of images of 64 x 32 .*{found}"):
        backbone(IMAGES)


def test_what_is_not_the_sizes_fault_is_raised_as_it_is(monkeypatch):
    backbone = TimmBackbone("test_resnet")
    monkeypatch.setattr(backbone.net, "forward_features", lambda images: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backbone(IMAGES)
