"""Both stages by hand: what moves, what stands still, and what the sentences say of an image."""

from __future__ import annotations

import pytest
import torch

from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.testing import check_trainer
from reidzoo.testing.tiny import tiny_arguments, tiny_config, write_images

PROMPTED = {
    "BACKBONE": {"type": "ResNet", "depth": 18, "width": 2, "last_stride": 1, "pretrained": ""},
    "HEAD": {"type": "CLIPReIDHead", "width": 6},
    "MODEL": {"type": "PromptedEmbedder", "prompts": {"width": 4, "heads": 1, "layers": 1}},
}
TEXT = {"type": "CrossEntropyLoss", "inputs": {"logits": "text_logits"}}
FIRST = {**PROMPTED, "LOSSES": {"id": None, "triplet": None, "contrast": {"type": "ImageTextLoss"}}}
SECOND = {**PROMPTED, "LOSSES": {"text": TEXT}}


@pytest.mark.parametrize(
    ("kind", "changes"), [("PromptTrainer", FIRST), ("PromptGuidedTrainer", SECOND)], ids=["first", "second"]
)
def test_the_contract_of_a_trainer_is_kept(kind, changes):
    check_trainer({"type": kind}, **changes)


@pytest.fixture
def build(tmp_path):
    """Return a function that builds a trainer by its name, with what differs from a baseline's configuration."""
    write_images(tmp_path)

    def build(kind, **changes):
        trainer = TRAINER.build({"type": kind}, **tiny_arguments(tiny_config(tmp_path, changes), tmp_path / "run"))
        trainer.parts.train()
        return trainer

    return build


def moved_by_a_step(trainer):
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train_step(next(trainer.loader.epoch(0)))
    return {name for name, value in trainer.model.named_parameters() if not torch.equal(value, before[name])}


def test_the_first_stage_moves_the_words_alone(build):
    trainer = build("PromptTrainer", **FIRST)
    statistics = {name: value.clone() for name, value in trainer.model.named_buffers()}
    assert moved_by_a_step(trainer) == {"prompts.contexts"}
    assert all(torch.equal(value, statistics[name]) for name, value in trainer.model.named_buffers())


def test_the_second_stage_moves_all_but_the_sentences(build):
    trainer = build("PromptGuidedTrainer", **SECOND)
    moved = moved_by_a_step(trainer)
    assert {"head.projection.weight", "head.classifier.token.weight", "backbone.conv1.weight"} <= moved
    assert not [name for name in moved if name.startswith("prompts")]
    assert not any(parameter.requires_grad for parameter in trainer.model.prompts.parameters())


def test_the_text_loss_is_cross_entropy_over_the_sentences(build):
    trainer = build("PromptGuidedTrainer", **SECOND)
    batch = next(trainer.loader.epoch(0))
    with torch.no_grad():
        sentences = trainer.model.prompts(torch.arange(trainer.num_classes))
        logits = trainer.model(batch["img"])["projected"] @ sentences.t()
        expected = torch.nn.functional.cross_entropy(logits, batch["pid"])
    torch.testing.assert_close(trainer.train_step(batch)["text"], expected, rtol=1e-4, atol=1e-5)


def test_the_sentences_are_those_of_the_state_that_was_loaded_each_of_them_once(build, monkeypatch):
    first, second = build("PromptGuidedTrainer", **SECOND), build("PromptGuidedTrainer", **SECOND)
    monkeypatch.setattr("clip_reid.prompt_guided_trainer.AT_ONCE", first.num_classes - 1)
    expected = first.model.prompts(torch.arange(first.num_classes)).detach()
    assert not torch.equal(second.texts(), expected)
    second.load_state_dict(first.state_dict())
    torch.testing.assert_close(second.texts(), expected)


def test_a_model_without_sentences_is_named(build):
    with pytest.raises(ConfigError, match="PromptedEmbedder"):
        build("PromptTrainer")
