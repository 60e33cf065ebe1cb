"""Every argument of every registered part does something: with another value, what the part gives is another.

A part is built twice from one seed, with what it starts from and with another value, and used for a moment. The values
are those that ``test_value_ranges.py`` says make sense, so that an argument that is added to a part is a case here.
Whether an effect is the right one is asked by the part's own tests. Of hooks only schedules are used here; what other
hooks, trainers and datasets do takes more than a moment, and is tested where they are.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reidzoo import registry
from reidzoo.backbones.side_information import side_information
from reidzoo.hooks.hook import build_hooks
from reidzoo.hooks.schedule import Schedule
from reidzoo.testing.values import difference, noise
from reidzoo.transforms import BatchDraw, Compose

from .test_value_ranges import BEFORE_NORMALIZE, CASES, CLASSES, REQUIRED, SMALL, VALUES, Columns, makes_sense

OTHERS = {
    "name": ["vit_small_patch8_224"], "SemanticSwin.name": ["swin_base_patch4_window12_384"],
    "TorchvisionBackbone.name": ["shufflenet_v2_x0_5"], "TorchvisionBackbone.options": [{"width_mult": 0.2}],
    "options": [{"depth": 2, "embed_dim": 16, "num_heads": 1}],
    "BACKBONE.size": [[64, 32]], "sie": [{"cameras": 2}], "stride": [8], "output": ["token"],
    "depth": [34], "ibn": ["a"], "norm": ["ibn"], "net": ["vgg_m"], "stem_pool": ["ceil"], "last_stride": [2, 1],
    "non_local": [[0, 1, 0, 0]],
    "num_clusters": [5], "seed": [1, 2, 3, 4, 5],
    "widths": [[6]], "label": ["time"],
    "classifier": ["cosine"], "pooling": ["max", "avg"], "reduction": ["sum", "linear"], "embedding": ["pooled"],
    "JigsawHead.embedding": ["after"], "granularities": [[1, 3]],
    "num_classes": [11], "sigmas": [[3.0]], "loss": [{"type": "TripletLoss"}], "weighting": ["inv_freq"],
    "CalibratedNegativeEntropyLoss.form": ["cane_wt"], "form": ["code", "printed"],
    "neighbours_by": ["tested"],
    "prompts": [{"width": 8, "heads": 1, "layers": 1}], "encoder": ["layer4"], "reconstruct": ["image"],
    "image_widths": [[6, 3]], "kernels": [[5, 3, 1]], "strides": [[1, 2, 1]],
    "gallery_backbone": [{**SMALL, "ibn": "a"}], "gallery_head": [{"type": "BNNeck", "pooling": "max"}],
    "num_instances": [2], "SAMPLER.neighbours": [np.arange(32)[:, None]],
    "start": ["b"], "switches": [{"model": [{"measure": "identity", "above": 0.3, "next": "b"}]}],
    "policy": ["svhn"], "kernel_size": [[3, 3]], "sigma": [[4, 5]], "area": [[0.3, 0.35]], "aspect": [[0.9, 1.0]],
    "hue": [[0.3, 0.4]], "mean": [[0.1, 0.2, 0.3]], "std": [[0.1, 0.2, 0.3]], "RandomCrop.size": [[20, 10]],
    "fill": [[0.1, 0.2, 0.3]], "transform": [{"type": "RandomSolarize", "threshold": 100}],
    "optimizers": [["other"]], "milestones": [[2, 3]],
}  # fmt: skip
"""``Class.argument``, ``KIND.argument`` or an argument -> values to try before those of VALUES that make sense."""

TOGETHER = {
    "SemanticSwin.drop_path": {}, "drop_path": {"options": {"depth": 3, "embed_dim": 8, "num_heads": 1}},
    "image_widths": {"reconstruct": "image"}, "ColorJitter.p": {"brightness": 0.5},
    "gallery_head": {"normalise": False},
    "relative": {"switches": {"model": [{"measure": "identity", "above": 0.1, "next": "b"}]}},
    "max_rescues": {"max_rounds": 12}, "final_rescue": {"max_rounds": 3}, "warmup_factor": {"warmup_epochs": 2},
}  # fmt: skip
"""``Class.argument`` or an argument -> what it needs beside it."""

ELSEWHERE = ("pretrained", "vgg_m_input", "file")
"""Arguments of what is done with a file; see the parts' own tests."""

PIXELS = torch.randint(0, 256, (6, 3, 32, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
IMAGES = noise(4, 3, 64, 32)


# ---- what a part gives --------------------------------------------------------------------------------------------


def given(module, *inputs):
    """Return what a module learns and returns, in training and in testing."""
    trained = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    with torch.no_grad():
        return [trained, shapes, module.train()(*inputs), module.eval()(*inputs)]


def of_backbone(node):
    backbone = registry.BACKBONE.build(node)
    for parameter in backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.1)  # those that begin at zero would hide what they multiply
    with side_information(torch.arange(2), torch.zeros(2, dtype=torch.int64)):
        return given(backbone, noise(2, 3, 64, 32))


def of_clusterer(node):
    centres = noise(6, 8).repeat(8, 1)
    return registry.CLUSTERER.build(node).fit_predict(centres + 0.6 * noise(48, 8, seed=1))


def of_discriminator(node):
    if node["type"] == "StarGANDiscriminator":
        return given(registry.DISCRIMINATOR.build(node, num_cameras=3, size=(32, 16)), noise(2, 3, 32, 16))
    further = {"num_classes": 3} if node["type"] == "NuisanceDiscriminator" else {}
    discriminator = registry.DISCRIMINATOR.build(node, in_channels=12, **further)
    feat = [noise(4, 12, seed=n).requires_grad_() for n in range(1 + (node["type"] == "SimilarityDiscriminator"))]
    torch.manual_seed(1)
    scores = discriminator.train()(*feat)
    scores.square().sum().backward()
    return [feat[0].grad, getattr(discriminator, "label", ""), given(discriminator, *feat)]


def of_head(node):
    head = registry.HEAD.build(node, in_channels=8, num_classes=3)
    return given(head, noise(4, 8, 6, 2))


NUMBERS = torch.arange(8)
TENSORS = {
    "logits": noise(8, 8).tanh(), "pid": NUMBERS // 2, "nuisance_logits": noise(8, 3), "nuisance_label": NUMBERS % 3,
    "nuisance_prior": torch.tensor([0.5, 0.3, 0.2]).expand(8, 3), "similarity": noise(4, 4),
    "squared_distance": noise(4, 4, seed=1).square(), "match": torch.eye(4, dtype=torch.bool),
}  # fmt: skip


def of_loss(node):
    loss = registry.LOSS.build(node).train()
    names = [name for name, taken in inspect.signature(loss.forward).parameters.items() if taken.default is taken.empty]
    feats = {name: noise(8, node.get("dim", 6), seed=seed) + seed for seed, name in enumerate(names)}
    tensors = {name: TENSORS.get(name, feats[name]).clone() for name in names}
    learnt = [tensor.requires_grad_() for tensor in tensors.values() if tensor.is_floating_point()]
    values = [loss(**tensors) for _ in range(2)]  # some keep what they have seen
    sum(values).backward()
    shapes = {name: tuple(value.shape) for name, value in loss.state_dict().items()}
    return [shapes, *(value.detach() for value in values), *(tensor.grad for tensor in learnt)]


def of_memory(node):
    hybrid = node["type"] == "HybridMemory"
    memory = registry.MEMORY.build(node, dim=6, **({"num_source": 4, "num_target": 8} if hybrid else {"size": 12}))
    feat, index = torch.nn.functional.normalize(noise(12, 6)), torch.arange(12)
    if hybrid:
        memory.initialise(noise(4, 6), noise(8, 6))
        memory.relabel(torch.arange(8) // 2)
        memory.update(feat, index)
        return memory(feat, index)
    outcome = []
    for epoch in (0, 3, 6):
        if hasattr(memory, "update"):
            memory.update(feat.roll(epoch, 0), index, epoch)
        if getattr(memory, "neighbours_of", None) is not None:
            memory.take_neighbours((index[:, None] + torch.arange(memory.neighbours)) % 12)
        scores = memory(feat, index, epoch) if "MiniBatch" in node["type"] else memory(feat, index)
        outcome += [scores, *memory.targets(scores, index, epoch)]
    return outcome


def of_model(node):
    if node["type"] == "StarGANGenerator":
        return given(registry.MODEL.build(node, num_cameras=3), noise(2, 3, 16, 8), torch.arange(2))
    head = {"type": "CLIPReIDHead", "width": 4} if node["type"] == "PromptedEmbedder" else {"type": "BNNeck"}
    model = registry.MODEL.build(node, backbone=SMALL, head=head, num_classes=3)
    outcome = given(model, IMAGES)
    with torch.no_grad():
        return [
            outcome,
            [getattr(model, name)(IMAGES) for name in ("embed_query", "embed_gallery") if hasattr(model, name)],
        ]


def of_sampler(node):
    data = Columns()
    if node["type"] in ("NeighbourSampler", "ShuffleSampler"):
        data.pids = np.where(np.arange(32) < 8 * (node["type"] == "ShuffleSampler"), data.pids, -1)
    size = 16 if node["type"] == "ViewPairSampler" else 8
    return registry.SAMPLER.build(node, data=data, batch_size=size).batches(0, 0)


def of_switch_rule(node):
    """Return what a rule decides on five random sequences of measures, and its thresholds."""
    decided = []
    for sequence in range(5):
        rule, rng = registry.SWITCH_RULE.build(node), np.random.default_rng(sequence)
        rule.begin({"identity": 0.5, "nuisance": 0.9})
        for _ in range(60):
            decided.append((rule.decide(dict(zip(("identity", "nuisance"), rng.uniform(0, 1, 2)))), rule.thresholds))
            if decided[-1][0] == "end":
                break
    return decided


def of_transform(node):
    nodes = {"normalize": {"type": "Normalize"}, "x": node}
    if node["type"] in BEFORE_NORMALIZE:
        nodes = {"x": node, "normalize": {"type": "Normalize"}}
    if node["type"] == "Normalize":
        nodes = {"x": node}
    return Compose(nodes, [0.5] * 3, [0.5] * 3)(PIXELS, BatchDraw(0, 0, 0, 6))


def of_hook(node):
    rates = []

    def optimizer(name):
        return SimpleNamespace(scale_lr=lambda factor: rates.append((name, factor)))

    runner = SimpleNamespace(optims={name: optimizer(name) for name in ("model", "other")}, max_epochs=6)
    runner.loader = SimpleNamespace(length=2)
    hook = build_hooks({"x": node})["x"]
    for runner.epoch, step in itertools.product(range(6), range(2)):
        hook.before_train_iter(runner, step)
    return rates


GIVES = {
    "BACKBONE": of_backbone, "CLUSTERER": of_clusterer, "DISCRIMINATOR": of_discriminator, "HEAD": of_head,
    "HOOK": of_hook, "LOSS": of_loss, "MEMORY": of_memory, "MODEL": of_model, "SAMPLER": of_sampler,
    "SWITCH_RULE": of_switch_rule, "TRANSFORM": of_transform,
}  # fmt: skip


# ---- the cases ----------------------------------------------------------------------------------------------------


def looked_up(table, kind, key, argument, default):
    return next((table[k] for k in (f"{key}.{argument}", f"{kind}.{argument}", argument) if k in table), default)


def outcome(kind, node):
    torch.manual_seed(0)
    return GIVES[kind](copy.deepcopy(node))


EFFECTS = [
    case
    for case in CASES
    if case[0] in GIVES
    and case[2] not in ELSEWHERE
    and (case[0] != "HOOK" or (issubclass(CLASSES[case[:2]], Schedule) and case[1] != "PlateauSchedule"))
]


@pytest.mark.parametrize(("kind", "key", "argument"), EFFECTS, ids=[".".join(case) for case in EFFECTS])
def test_another_value_gives_something_else(kind, key, argument):
    node = {"type": key, **REQUIRED.get(key, {}), **looked_up(TOGETHER, kind, key, argument, {})}
    plain = outcome(kind, node)
    assert not difference(plain, outcome(kind, node)), "from one seed it gives the same"
    sensible = makes_sense(key, argument)
    values = [*looked_up(OTHERS, kind, key, argument, []), *(value for value in VALUES if sensible(value))]
    tried = []
    for value in values:
        try:
            if difference(plain, outcome(kind, {**node, argument: value})):
                return
        except Exception as error:
            tried.append(f"{value!r}: {error}"[:200])
        else:
            tried.append(f"{value!r}: the same")
    pytest.fail("\n".join(tried))
