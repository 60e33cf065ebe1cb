"""The jigsaw branch against a plain transcription of its figure and of the authors' shift."""

from __future__ import annotations

import pytest
import torch

from reidzoo.backbones import JigsawViT
from reidzoo.engine.recompute import recompute_blocks
from reidzoo.errors import ConfigError

timm = pytest.importorskip("timm")

IMAGES = torch.randn(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))


def shuffled(patches, shift, groups):
    """Return the patches in TransReID's order: shifted by m - 1, then dealt from the groups in turn."""
    patches = patches[shift - 1 :] + patches[: shift - 1]
    if len(patches) % groups:
        patches.append(patches[-2])
    size = len(patches) // groups
    return [patches[group * size + n] for n in range(size) for group in range(groups)]


@pytest.mark.parametrize("size, shift, groups, parts", [((64, 32), 5, 2, 4), ((72, 24), 3, 2, 3), ((64, 32), 1, 4, 2)])
def test_global_and_local_features(size, shift, groups, parts):
    torch.manual_seed(1)
    options = {"depth": 2, "patch_size": 8}
    ours = JigsawViT("test_vit", size=size, parts=parts, shift=shift, groups=groups, options=options).eval()
    for parameter in ours.parameters():
        parameter.data.normal_(0.0 if parameter.dim() > 1 else 1.0, 0.1)
    images = torch.nn.functional.interpolate(IMAGES, size)
    seen = []
    hook = ours.net.blocks[-1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        found = ours(images)
        hook.remove()
        (tokens,) = seen
        features = [ours.net.norm(ours.net.blocks[-1](tokens))[:, 0]]
        order = shuffled(list(tokens[:, 1:].unbind(1)), shift, groups)
        length = (tokens.shape[1] - 1) // parts
        for part in range(parts):
            group = torch.stack([tokens[:, 0], *order[part * length : (part + 1) * length]], dim=1)
            features.append(ours.jigsaw(group)[:, 0])
        torch.testing.assert_close(features[0], ours.net.forward_features(images)[:, 0])
    assert found.shape == (2, 64, 1 + parts, 1)
    torch.testing.assert_close(found[..., 0], torch.stack(features, dim=2))


def test_the_branch_starts_as_a_copy_and_is_loaded_with_the_rest(tmp_path):
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "timm.pth")
    ours = JigsawViT("test_vit", str(tmp_path / "timm.pth"), size=[64, 32])
    for name, value in ours.jigsaw[0].state_dict().items():
        assert torch.equal(value, ours.net.blocks[-1].state_dict()[name])
    ours.jigsaw[0].mlp.fc1.weight.data.zero_()
    torch.save({f"backbone.{name}": value for name, value in ours.state_dict().items()}, tmp_path / "run.pth")
    again = JigsawViT("test_vit", str(tmp_path / "run.pth"), size=[64, 32])
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), again.state_dict().values()))
    layers = ours.parameter_layers()
    assert layers.keys() == {name for name, _ in ours.named_parameters()}
    assert layers["jigsaw.0.mlp.fc1.weight"] == layers["net.norm.weight"] == max(layers.values())


def test_the_blocks_of_both_branches_are_computed_again():
    assert recompute_blocks(JigsawViT("test_vit", options={"depth": 3})) == 4


def test_mistakes_are_named():
    with pytest.raises(ConfigError, match="too few for 4 parts and a shift of 5"):
        JigsawViT("test_vit")(IMAGES[:, :, :32])
    with pytest.raises(ConfigError, match="test_resnet has no class token"):
        JigsawViT("test_resnet")
    with pytest.raises(ConfigError, match="groups: 5 do not divide"):
        JigsawViT("test_vit", groups=5)(torch.zeros(1, 3, 64, 64))
