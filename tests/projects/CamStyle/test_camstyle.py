"""StarGAN: its networks against the paper's tables, its terms against plain formulas, and what it writes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from reidzoo.config import dump, load_config
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.seed import seed_everything, seed_of
from reidzoo.errors import ConfigError
from reidzoo.registry import TRAINER
from reidzoo.runs.pipeline import Pipeline

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[3] / "projects" / "CamStyle"
SMALL = ["INPUT.SIZE", "[36, 20]", "INPUT.TRANSFORMS.crop.size", "[32, 16]", "SOLVER.IMS_PER_BATCH", "8"]
SMALL += ["SOLVER.ITERS_PER_EPOCH", "5", "SOLVER.MAX_EPOCHS", "2", "MODEL.width", "4"]
SMALL += ["DISCRIMINATORS.discriminator.width", "4", "DISCRIMINATORS.discriminator.layers", "3", "DEVICE", "cpu"]


@pytest.fixture
def camstyle():
    load_config(PROJECT / "mini.yml")  # imports the plug-in
    import camstyle

    return camstyle


def config(tiny_root, folder, *more):
    opts = [*SMALL, "DATASETS.ROOT", str(tiny_root), "OUTPUT_DIR", str(folder), *more]
    return load_config(PROJECT / "mini.yml", opts=opts)


def trainer_of(cfg, folder):
    return TRAINER.build(
        cfg.TRAINER, cfg=cfg, sets=build_train_sets(cfg), output_dir=folder, device=torch.device("cpu")
    )


def test_networks_have_the_papers_sizes(camstyle):
    generator = camstyle.StarGANGenerator(num_cameras=5)
    critic = camstyle.StarGANDiscriminator(num_cameras=5, size=(128, 128))
    norms = 2 * (64 + 128 + 256 + 12 * 256 + 128 + 64)
    convolutions = 49 * 64 * (3 + 5) + 16 * (64 * 128 + 128 * 256) * 2 + 12 * 9 * 256 * 256 + 49 * 64 * 3
    assert sum(p.numel() for p in generator.parameters()) == convolutions + norms == 8_430_528
    widths = [3, 64, 128, 256, 512, 1024, 2048]
    trunk = sum(16 * a * b + b for a, b in pairwise(widths))
    assert sum(p.numel() for p in critic.parameters()) == trunk + 9 * 2048 + 4 * 2048 * 5
    images = torch.rand(2, 3, 128, 128) * 2 - 1
    fake = generator(images, torch.tensor([0, 4]))
    assert fake.shape == images.shape and fake.abs().max() <= 1
    realness, cameras = critic(images)
    assert realness.shape == (2, 1, 2, 2) and cameras.shape == (2, 5)


def test_generator_obeys_the_camera_and_does_not_mix_images(camstyle):
    generator = camstyle.StarGANGenerator(num_cameras=3, width=4, residual_blocks=1)
    images = torch.randn(2, 3, 16, 8)
    both = generator(images, torch.tensor([1, 2]))
    alone = torch.cat([generator(images[i : i + 1], torch.tensor([i + 1])) for i in range(2)])
    assert torch.allclose(both, alone, atol=1e-6)
    assert not torch.allclose(both, generator(images, torch.tensor([0, 0])), atol=1e-3)


def test_gradient_penalty_of_a_linear_critic(camstyle):
    from camstyle.losses import gradient_penalty, mix, realness_gap

    weight = torch.randn(3 * 4 * 2, dtype=torch.float64, requires_grad=True)
    images = torch.randn(5, 3, 4, 2, dtype=torch.float64)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, images)
    assert torch.isclose(penalty, (weight.norm() - 1) ** 2)  # the gradient of a linear critic is its weight everywhere
    (found,) = torch.autograd.grad(penalty, weight)
    assert torch.allclose(found, 2 * (weight.norm() - 1) * weight.detach() / weight.norm())
    real, fake, share = torch.rand(2, 3, 1, 1), torch.rand(2, 3, 1, 1), torch.tensor([1.0, 0.25])
    assert torch.allclose(mix(real, fake, share), torch.stack([real[0], 0.25 * real[1] + 0.75 * fake[1]]))
    assert realness_gap(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 1.0])) == -2.0


def test_gradient_penalty_by_finite_differences(camstyle):
    from camstyle.losses import gradient_penalty

    critic = nn.Sequential(nn.Conv2d(3, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(2 * 2 * 2, 1)).double()
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64)

    def penalty(bias):
        critic[0].bias.data = bias.detach()
        return gradient_penalty(lambda x: torch.func.functional_call(critic, {"0.bias": bias}, x), images)

    assert torch.autograd.gradcheck(penalty, torch.randn(2, dtype=torch.float64, requires_grad=True))


def test_discriminator_wants_whole_halvings(camstyle):
    with pytest.raises(ConfigError, match="divisible by 16"):
        camstyle.StarGANDiscriminator(num_cameras=2, size=(64, 40), layers=4)


def test_steps_move_what_they_say(tiny_root, tmp_path):
    trainer = trainer_of(config(tiny_root, tmp_path), tmp_path)
    (batch, *_) = trainer.loader.epoch(0)
    for phase, moved in (("discriminator", {"discriminator"}), ("both", {"discriminator", "model"})):
        before = {key: value.clone() for key, value in trainer.parts.state_dict().items()}
        trainer.phase = phase
        scalars = trainer.train_step(batch)
        changed = {
            key.split(".")[0] for key, value in trainer.parts.state_dict().items() if (value != before[key]).any()
        }
        assert changed == moved and all(torch.isfinite(value) for value in scalars.values())


def test_weights_of_the_terms(tiny_root, tmp_path):
    """Each term is its weight times what it is at weight 1, and a part that only weighted terms train knows."""
    names = {"camera_weight": ("camera", "fake_camera"), "reconstruction_weight": ("reconstruction",)}
    names["penalty_weight"] = ("penalty",)
    found = {}
    for option in ("", *names):
        weights = {name: 0.5 if name == option else 1.0 for name in names}
        opts = [text for name, value in weights.items() for text in (f"TRAINER.{name}", str(value))]
        torch.manual_seed(0)
        trainer = trainer_of(config(tiny_root, tmp_path, *opts), tmp_path)
        trainer.phase = "both"
        trainer.optims["discriminator"].scale_lr(0.0)  # the generator's terms are of the same one then
        found[option] = trainer.train_step(next(trainer.loader.epoch(0)))
    for option, terms in names.items():
        for term, value in found[""].items():
            assert found[option][term] == pytest.approx(float(value) * (0.5 if term in terms else 1.0), rel=1e-4), term


def test_what_is_written_where_and_how(tiny_root, tmp_path, camstyle):
    from camstyle.write_styles import WriteStylesHook

    trainer = trainer_of(config(tiny_root, tmp_path), tmp_path)
    for options in ({"folder": "coarse", "quality": 5, "rows": 3}, {"rows": 5}):
        WriteStylesHook(**options).after_train(trainer)
        assert Image.open(tmp_path / "styles.jpg").size == (16 * 4, 32 * options["rows"])
    sizes = [sum(path.stat().st_size for path in (tmp_path / name).iterdir()) for name in ("coarse", "styles")]
    assert sizes[0] < 0.8 * sizes[1]
    (tmp_path / "linked.jpg").hardlink_to(tmp_path / "styles.jpg")
    before = (tmp_path / "linked.jpg").read_bytes()
    WriteStylesHook(rows=1).after_train(trainer)
    assert (tmp_path / "linked.jpg").read_bytes() == before  # the sheet is replaced, not written over


def test_target_cameras_do_not_depend_on_processes(tiny_root, tmp_path, monkeypatch):
    trainer = trainer_of(config(tiny_root, tmp_path), tmp_path)
    (batch, *_) = trainer.loader.epoch(0)
    whole = trainer._draw(batch)
    halves = []
    for rank in (0, 1):
        monkeypatch.setattr("reidzoo.distributed.rank", lambda rank=rank: rank)
        halves.append(trainer._draw({key: value[4 * rank : 4 * rank + 4] for key, value in batch.items()}))
    for everything, first, second in zip(whole, *halves, strict=True):
        assert torch.equal(everything, torch.cat([first, second]))
    monkeypatch.setattr("reidzoo.distributed.rank", lambda: 0)
    shares = [whole[3]]
    for trainer.epoch, trainer.step in ((0, 1), (1, 0)):
        shares.append(trainer._draw(batch)[3])
    assert len({tuple(share.tolist()) for share in shares}) == 3  # each step draws its own


def test_writes_every_style_once_and_resumes(tiny_root, tmp_path):
    cfg = config(tiny_root, tmp_path)
    Pipeline(cfg).train()
    records = build_train_sets(cfg)["train"].records
    names = {
        f"{Path(record.path).stem}_fake_{record.camid + 1}to{other}.jpg"
        for record in records for other in (1, 2, 3) if other != record.camid + 1
    }  # fmt: skip
    found = {path.name: path for path in (tmp_path / "styles").iterdir()}
    assert set(found) == names
    assert Image.open(next(iter(found.values()))).size == (16, 32)
    assert Image.open(tmp_path / "styles.jpg").size == (16 * 4, 32 * 8)
    name, path = next(iter(found.items()))
    before = path.read_bytes()
    path.unlink()
    other = sorted(found.values())[-1]
    other.write_bytes(b"kept")
    trainer = trainer_of(cfg, tmp_path)
    from reidzoo.engine.checkpoint import resume

    resume(trainer, trainer.files.checkpoint)
    trainer.hooks["write"].after_train(trainer)
    assert (tmp_path / "styles" / name).read_bytes() == before and other.read_bytes() == b"kept"


def test_names_of_msmt17(tiny_root, tmp_path):
    node = "{train: {type: Unlabeled, dataset: {type: MSMT17}}}"
    cfg = config(tiny_root, tmp_path, "HOOKS.write.names", "target", "DATASETS.TRAIN", node)
    Pipeline(cfg).train()
    stems = [path.stem for path in (tmp_path / "styles").iterdir()]
    assert stems and all(stem.rsplit("_fake_")[1].isdigit() for stem in stems)


@pytest.mark.parametrize("opts", [["SOLVER.PRECISION", "bf16"], ["SOLVER.CHUNK", "4"]])
def test_what_the_steps_do_not_heed_is_refused(camstyle, tiny_root, tmp_path, opts):
    with pytest.raises(ConfigError, match=r"SOLVER\.PRECISION fp32, CHUNK 0"):
        trainer_of(config(tiny_root, tmp_path, *opts), tmp_path)


def test_one_camera_is_an_error(tiny_root, tmp_path):
    cfg = config(tiny_root, tmp_path)
    sets = build_train_sets(cfg)
    sets["train"].camids[:] = 1
    with pytest.raises(ConfigError, match="one camera only"):
        TRAINER.build(cfg.TRAINER, cfg=cfg, sets=sets, output_dir=tmp_path, device=torch.device("cpu"))


def test_a_killed_run_resumes_bit_for_bit(tiny_root, tmp_path):
    Pipeline(config(tiny_root, tmp_path / "whole")).train()
    cfg = config(tiny_root, tmp_path / "parts", "SOLVER.CHECKPOINT_ITERS", "2")
    stage = Pipeline(cfg)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "config.yml").write_text(dump(cfg))
    seed_everything(seed_of(stage.stages["train"]))
    stopped = trainer_of(stage.stages["train"], tmp_path / "parts")
    stopped.call("before_train")
    stopped.parts.train()
    batches = stopped.loader.epoch(0)
    stopped.call("before_train_epoch")
    for step in range(2):
        batch = next(batches)
        stopped.call("before_train_iter", batch_idx=step, data_batch=batch)
        stopped.scalars = stopped.train_step(batch)
        stopped.step, stopped.iter = stopped.step + 1, stopped.iter + 1
        stopped.call("save_point")
    assert (tmp_path / "parts" / "last.pth").exists()
    Pipeline(cfg).train(go_on=True)
    states = [
        torch.load(tmp_path / name / "model_final.pth", weights_only=True)["parts"] for name in ("whole", "parts")
    ]
    for part in states[0]:
        for key, value in states[0][part].items():
            assert torch.equal(value, states[1][part][key]), key
    assert json.loads((tmp_path / "whole" / "results.json").read_text()) == {}
    assert np.array_equal(*(np.array(Image.open(tmp_path / name / "styles.jpg")) for name in ("whole", "parts")))
