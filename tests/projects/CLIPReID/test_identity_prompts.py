"""Sentences with learnt words against the text tower on real words; weights in open_clip's layout."""

from __future__ import annotations

import open_clip
import pytest
import torch
from clip_reid import IdentityPrompts, PromptedEmbedder

from reidzoo.errors import ConfigError, WeightsError
from reidzoo.models import load_weights
from reidzoo.publishing.portable_config import embedding_state

SMALL = {"width": 8, "heads": 2, "layers": 2}
BACKBONE = {"type": "ResNet", "depth": 18, "width": 2, "last_stride": 1}
HEAD = {"type": "CLIPReIDHead", "width": 6}


@pytest.fixture(scope="module")
def prompts():
    return IdentityPrompts(3, 6, "A photo of a X X person.", **SMALL)


def test_words_in_the_place_of_x_are_read_as_words(prompts):
    sentences = ["A photo of a tall man person.", "A photo of a red car person.", "A photo of a blue bag person."]
    ids = open_clip.tokenize(sentences)
    expected = prompts.tower(ids)
    with torch.no_grad():
        prompts.contexts.copy_(prompts.tower.token_embedding(ids[:, 5:7]))
    torch.testing.assert_close(prompts(torch.tensor([2, 0])), expected[[2, 0]])
    torch.testing.assert_close(prompts.tower(ids), expected)  # it reads plain sentences as before


def test_only_the_words_of_the_identities_in_the_batch_are_learnt(prompts):
    prompts(torch.tensor([1, 1])).square().sum().backward()
    assert prompts.contexts.grad[1].abs().max() > 0
    assert prompts.contexts.grad[[0, 2]].abs().max() == 0
    assert [name for name, p in prompts.named_parameters() if p.requires_grad] == ["contexts"]


@pytest.mark.parametrize("prefix", ["", "text."])
def test_a_file_gives_the_tower_and_the_projection(prompts, prefix, tmp_path):
    channels = 8  # half of the backbone's
    state = {f"{prefix}{name}": value for name, value in prompts.tower.state_dict().items()}
    state |= {"visual.proj": torch.randn(channels, 6), "visual.class_embedding": torch.zeros(channels)}
    path = tmp_path / "clip.pth"
    torch.save({**state, "logit_scale": torch.tensor(4.6)}, path)
    model = PromptedEmbedder(BACKBONE, HEAD, 2, {**SMALL, "pretrained": str(path)})
    for name, value in model.prompts.tower.state_dict().items():
        assert torch.equal(value, prompts.tower.state_dict()[name])
    assert torch.equal(model.head.projection.weight, state["visual.proj"].t())
    del state[f"{prefix}ln_final.weight"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"ln_final\.weight"):
        IdentityPrompts(2, 6, **SMALL, pretrained=str(path))


def test_a_model_embeds_without_its_sentences():
    model = PromptedEmbedder(BACKBONE, HEAD, 3, SMALL).eval()
    bare = PromptedEmbedder(BACKBONE, HEAD).eval()
    load_weights(bare, model.state_dict(), ignore=("head.classifier.*", *model.training_only))
    kept = embedding_state(model.state_dict(), bare, "a checkpoint")  # what a model file has
    assert kept and not [name for name in kept if name.startswith(("prompts.", "head.classifier."))]
    images = torch.randn(2, 3, 32, 16)
    assert bare.prompts is None and torch.equal(bare.embed(images), model.embed(images))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sentence": "A photo of a person."}, "an X for each learnt word"),
        ({"sentence": "A X photo of a X person."}, "in a row"),
        ({"heads": 3}, "multiple of the heads"),
        ({"words": 4}, "cannot take these arguments"),
    ],
)
def test_mistakes_are_named(arguments, said):
    with pytest.raises(ConfigError, match=said):
        PromptedEmbedder(BACKBONE, HEAD, 2, {**SMALL, **arguments})


def test_a_head_without_a_projection_is_named():
    with pytest.raises(ConfigError, match="CLIPReIDHead"):
        PromptedEmbedder(BACKBONE, {"type": "BNNeck"}, 2, SMALL)


def test_pseudo_labels_are_refused():
    with pytest.raises(ConfigError, match="pseudo labels"):
        PromptedEmbedder(BACKBONE, HEAD, 2, SMALL).reset_classifier(3)
