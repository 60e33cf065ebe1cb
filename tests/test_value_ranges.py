"""Every argument of every registered class, and every declared key, is given what nobody means.

A value is either refused with a ``UserError`` or makes sense. What makes sense is said here once more, by the names of
the arguments and without a look at the rules that the constructors have; an argument without a line here fails. Each
case goes through what a run's start calls: ``load_config``, the registries' ``build``, ``build_hooks``, ``LossSet``,
``Compose``, ``build_optimizers``; and what is accepted is used once. ``-s`` prints the counts.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from reidzoo import registry
from reidzoo.config import get_cfg, load_config
from reidzoo.datasets import build_dataset, write_pseudo_labels
from reidzoo.datasets.nodes import train_nodes
from reidzoo.engine.build import build_train_sets
from reidzoo.engine.optim import build_optimizers
from reidzoo.errors import UserError
from reidzoo.hooks.hook import build_hooks
from reidzoo.hooks.schedule import WarmUp
from reidzoo.losses import LossSet
from reidzoo.runs.pipeline import Pipeline
from reidzoo.trainers import Trainer
from reidzoo.transforms import BatchDraw, Compose
from reidzoo.weights.download import TransferError

REPOSITORY = Path(__file__).parent.parent
NAN, INF = math.nan, math.inf
REGISTRIES = (
    "BACKBONE", "CLUSTERER", "DATASET", "DISCRIMINATOR", "HEAD", "HOOK", "LOSS", "MEMORY", "MODEL", "SAMPLER",
    "SWITCH_RULE", "TRAINER", "TRANSFORM",
)  # fmt: skip

VALUES = [
    None, True, False, 0, 1, 2, 3, 7, -1, -7, 10**9, 10**30, -(10**30), 0.0, 0.5, 1.0, 1.5, -0.5, 1e-9, 1e9, 1e300, NAN,
    INF, -INF, "", " ", "four", "0.5", "nan", "*", [], [0], [1], [-1], [0.5], [3, "x"], [NAN], [2, 1], [0, 32], [-1, 0],
    [0.5, 0.5, 0.5], [123.7, 116.3, 103.5], [1, 2, 3], ["four"], [[1]], [None], {}, {"a": 1}, {"a": -1}, {"a": NAN},
    {"a": "b"}, {"type": "Nothing"}, {"type": 3}, [{"type": "Nothing"}],
]  # fmt: skip


# ---- what makes sense ---------------------------------------------------------------------------------------------


def is_number(value):
    return type(value) in (int, float) and math.isfinite(float(value)) if not is_huge(value) else False


def is_huge(value):
    return type(value) in (int, float) and (abs(value) > 1e12 or math.isinf(value))


def real(low, high):
    return lambda value: is_number(value) and low <= value <= high


def whole(low, high=10**10):
    return lambda value: type(value) is int and low <= value <= high


def choice(*choices):
    return lambda value: any(type(value) is type(one) and value == one for one in choices)


def listed(element, low=0, high=100):
    return lambda value: isinstance(value, list) and low <= len(value) <= high and all(map(element, value))


def named(element, low=0):
    return lambda value: isinstance(value, dict) and len(value) >= low and all(map(element, value.values()))


def rising(low, high):
    return lambda value: listed(real(low, high), 2, 2)(value) and value[0] <= value[1]


def maybe(rule):
    return lambda value: value is None or rule(value)


def some(*rules):
    return lambda value: any(rule(value) for rule in rules)


def name(value):
    return isinstance(value, str) and bool(value.strip())


def flag(value):
    return isinstance(value, bool)


def nothing(value):
    return False


def unchanged(value):
    """Whether it is a mapping without entries, which is merged into what is there."""
    return value == {}


share = real(0, 1)
positive = real(1e-300, 1e7)
not_negative = real(0, 1e7)
width = whole(1, 10**5)
slope = share


def dropout(value):
    return real(0, 0.9999)(value)


def widths(value):
    return listed(width)(value)


ARGUMENTS = {
    # a class's own line, "Class.argument", comes before that of the name alone
    "alpha": share, "area": rising(1e-9, 1), "aspect": rising(1e-9, 1e3), "adaptive": flag,
    "batch_norm": flag, "batches": whole(0, 10**6), "before": name, "begin": not_negative, "begin_epoch": whole(0),
    "bias_frozen": flag, "boxes": choice("labeled", "detected"), "branches": whole(1, 100),
    "camera_weight": not_negative, "cameras": choice("field", "scene"), "classifier": choice("random", "means"),
    "count_self": flag, "dataset": nothing, "datasets": listed(name), "decay_at": share, "decay_factor": share,
    "depth": choice(18, 34, 50, 101), "dim": width, "discriminator_norm": choice("train", "eval"),
    "model_norm": choice("train", "eval"),
    "domain": maybe(whole(0)), "domain_labels": choice("dataset", "literal"), "dropout": dropout,
    "embedding_dim": whole(0, 10**5), "encoder": choice("fcn", "layer4"), "end": share, "epochs": maybe(named(nothing)),
    "eps": real(1e-9, 1), "eps_gap": real(0, 1), "evaluate": flag, "exemplar": flag, "features": width, "file": nothing,
    "fit_batches": whole(1, 10**6), "fit_steps": whole(1, 10**6),
    "fill": some(real(-1e7, 1e7), listed(real(-1e7, 1e7), 3, 3)), "folder": maybe(nothing), "form": nothing,
    "full_batch": flag, "gallery_backbone": maybe(nothing), "gallery_head": maybe(nothing), "gamma": not_negative,
    "held_out": whole(1), "ibn": choice("none", "a", "b"), "image_widths": lambda v: widths(v) and v[-1:] == [3],
    "images": whole(1), "incomplete": choice("error", "allow"), "k1": whole(1), "k2": whole(1), "keep_junk": flag,
    "keep_moments": flag, "kept": whole(0), "kernels": listed(some(whole(1, 64), listed(whole(1, 64), 2, 2)), 3, 3),
    "l2": not_negative, "label": nothing, "labels": nothing, "last_stride": choice(1, 2), "layers": whole(1, 20),
    "log_sum": flag, "margin": positive, "max_iters": whole(1), "max_size": whole(0),
    "brightness": some(real(0, 100), rising(0, 100)), "contrast": some(real(0, 100), rising(0, 100)),
    "saturation": some(real(0, 100), rising(0, 100)), "hue": some(real(0, 0.5), rising(-0.5, 0.5)),
    "policy": choice("imagenet", "cifar10", "svhn"), "severity": whole(1, 10), "mixture_width": whole(1, 100),
    "chain_depth": some(choice(-1), whole(1, 100)), "AugMix.alpha": real(1e-3, 1e3), "all_ops": flag,
    "kernel_size": lambda v: listed(whole(1, 99), 2, 2)(v) and all(n % 2 for n in v), "sigma": rising(1e-9, 100),
    "MixStyleHook.layers": listed(name, 1), "MixStyleHook.alpha": real(1e-3, 1e3),
    "MixStyleHook.partners": choice("random", "crossed"),
    "flip": share, "rotate": share, "transform": nothing,
    "power": real(1e-300, 100), "rise": share, "OneCycleSchedule.start": share,
    "scheduler": nothing, "interval": choice("epoch", "step"),
    "figure": name, "PlateauSchedule.mode": choice("", "min", "max"), "PlateauSchedule.gamma": real(0, 0.99999),
    "PlateauSchedule.patience": whole(0), "threshold": share, "cooldown": whole(0), "least": share,
    "end_epoch": whole(0),
    "milestones": listed(not_negative), "min_samples": whole(1), "min_size": whole(0), "modules": listed(name, 1),
    "momentum": share, "momentum_per_epoch": share, "momentum_start": share, "moving_norms": listed(name),
    "names": choice("pair", "target"), "neighbours": whole(0), "neighbours_from": whole(0),
    "net": choice("vgg_16", "vgg_m"), "non_local": listed(whole(0, 23), 4, 4), "norm": flag, "normalise": flag,
    "normalise_weights": flag, "num_classes": whole(2, 10**6), "num_clusters": whole(1),
    "num_instances": whole(1, 8), "optimizers": listed(name),
    "oracle": choice("none", "split", "merge"), "order": listed(name, 1),
    "outliers": choice("drop", "singletons"), "p": share, "pad": whole(0, 4096), "pairs": whole(1), "part": name,
    "patience": whole(1), "penalty_weight": not_negative, "per_class": flag,
    "per_identity": whole(1), "period": whole(0), "private": flag,
    "pooling": choice("avg", "max", "gem", "avg+max", "gem+max"),
    "pretrained": some(choice("", None), nothing), "protocol": maybe(name), "quality": whole(1, 100),
    "reconstruct": choice("feature", "image"), "reconstruction_weight": not_negative,
    "reduction": choice("mean", "sum", "conv", "linear"), "residual_blocks": whole(0, 1000), "reversal": not_negative,
    "root": flag, "rows": whole(1, 10**4), "seed": whole(0), "share": real(1e-12, 1),
    "sigmas": listed(positive, 1), "size": listed(whole(1, 5000), 2, 2), "slope": slope, "smoothing": real(0, 0.99999),
    "standardise": flag, "uniform": flag, "unpaired": flag, "vgg_m_input": choice("listed", "bgr", "rgb"),
    "ViewAdaptationTrainer.norm": choice("eval", "train"), "ProbeHook.part": choice("train", "val"),
    "space": choice("lab", "rgb"), "split": whole(0), "start": name, "std": listed(real(1e-9, 10), 3, 3),
    "mean": listed(share, 3, 3), "steps": named(whole(0, 10**6), 1), "stem_pool": choice("padded", "ceil"),
    "stem_relu": flag, "strides": listed(some(whole(1, 64), listed(whole(1, 64), 2, 2)), 3, 3),
    "style_folder": maybe(nothing), "styles": choice("folder", "color_transfer", "none"), "target": name,
    "target_dropout": dropout, "target_weight": share, "temperature": positive,
    "test_identities": whole(1), "test_size": choice(800, 1600, 2400, 3200, 6000, 13164), "unlabelled": flag,
    "validation": name, "views": choice("random", "camera"), "warmup_epochs": not_negative, "warmup_factor": share,
    "weighting": choice("freq", "inv_freq"), "width": width, "widths": widths, "wn_inside": flag, "wn_printed": flag,
    "ContrastiveLoss.form": choice("hadsell", "code"), "DifferenceLoss.form": choice("dsn", "dsn_code", "eq4", "code"),
    "SimilarityLoss.form": choice("printed", "corrected"), "MultiStepSchedule.gamma": share,
    "CalibratedNegativeEntropyLoss.form": choice("cane_sample", "cane_batch", "cane_all"),
    "NuisanceDiscriminator.label": choice("camera", "time", "joint"),
    "ProbeHook.label": choice("domain", "camid", "view"),
    "PseudoLabelHook.features": choice("model", "memory"), "ExportPseudoLabelsHook.features": choice("model", "memory"),
    "TripletLoss.margin": maybe(not_negative), "OSNet.norm": choice("bn", "ibn", "ain"),
    "OSNet.width": lambda v: is_number(v) and 64 * v >= 2 and 64 * v % 2 == 0 and v < 100,
    "MobileNetV2.width": lambda v: is_number(v) and 0 < v <= 4,
    "DualBranchMobileNetV2.width": lambda v: is_number(v) and 0 < v <= 4,
    "ResNet.width": lambda v: width(v) and v % 2 == 0, "DualBranchResNet.width": lambda v: width(v) and v % 2 == 0,
    "VGG.width": lambda v: width(v) and v % 2 == 0, "CUHK03NP.split": choice("detected", "labeled"),
    "HoldOut.part": choice("train", "val"), "HoldOutIdentities.part": choice("train", "val"),
    "EarlyStopHook.validation": maybe(name), "KeepBestHook.validation": maybe(name),
    "KeepBestHook.figure": choice("mAP", "rank-1", "rank-5", "rank-10", "rank-20", "mINP"),
    "KeepBestHook.patience": whole(0), "KeepBestHook.period": whole(1),
    "TensorBoardHook.images": whole(0), "WandbHook.images": whole(0), "MLflowHook.images": whole(0),
    "WandbHook.mode": choice("", "online", "offline", "disabled"), "WandbHook.project": name,
    "WandbHook.entity": some(choice(""), name), "MLflowHook.uri": some(choice(""), name), "MLflowHook.experiment": name,
    "WriteStylesHook.folder": name, "EarlyStopHook.part": name,
    "PseudoLabelHook.period": whole(1),
    "ViewPairSampler.num_instances": lambda v: whole(2, 8)(v) and v % 2 == 0,
    "NeighbourSampler.neighbours": maybe(nothing), "FolderDataset.camera": maybe(nothing),
    "UnlabeledFolder.camera": maybe(nothing),
    "Normalize.mean": listed(share, 3, 3), "PadCrop.pad": whole(0, 4096),
    "rule": nothing, "turns": named(listed(name, 1), 1), "lasting": maybe(named(whole(0))),
    "resets": maybe(named(name)),
    "AlternationHook.steps": maybe(named(whole(1, 10**6))), "AlternationHook.validation": maybe(name),
    "identity_margin": share, "nuisance_drop": share, "stop_nuisance": share, "stop_identity": share,
    "max_rounds": whole(1), "max_rescues": whole(0), "final_rescue": flag, "relative": flag, "max_actions": whole(0),
    "neighbours_by": choice("scores", "tested"), "switches": unchanged, "GeM.p": positive,
    "BNNeck.classifier": choice("linear", "cosine"), "LinearHead.classifier": choice("linear", "cosine"),
    "PCBHead.classifier": choice("linear", "cosine"), "RPPHead.classifier": choice("linear", "cosine"),
    "MGNHead.classifier": choice("linear", "cosine"), "MLPHead.classifier": choice("linear", "cosine"),
    "DualBranchHead.classifier": choice("linear", "cosine"), "parts": whole(1, 64), "shared": flag, "one_map": flag,
    "embedding": choice("reduced", "pooled"), "granularities": listed(whole(1, 64), 1),
    "MultiBranchResNet.branches": whole(2, 8), "MultiBranchResNet.width": lambda v: width(v) and v % 2 == 0,
    "shares": listed(real(1e-300, 1e7), 1), "CenterLoss.num_classes": whole(0, 10**7),
    "JigsawViT.name": nothing, "JigsawViT.pretrained": choice("", None, False), "JigsawViT.stride": whole(0, 16),
    "JigsawViT.size": maybe(listed(whole(1, 5000), 2, 2)), "JigsawViT.parts": whole(1, 64), "shift": whole(1, 64),
    "groups": whole(1, 64), "JigsawHead.parts": whole(1, 64), "JigsawHead.embedding": choice("before", "after"),
    "JigsawHead.classifier": choice("linear", "cosine"),
    "TimmBackbone.name": nothing, "TorchvisionBackbone.name": nothing, "options": maybe(unchanged),
    "TimmBackbone.pretrained": choice("", None, False), "TorchvisionBackbone.pretrained": choice("", None, False),
    "SemanticSwin.name": nothing, "SemanticSwin.pretrained": choice("", None, False), "semantic_weight": maybe(share),
    "LastTokens.name": nothing, "LastTokens.pretrained": choice("", None, False), "prompts": maybe(unchanged),
    "LastTokens.size": maybe(listed(whole(1, 5000), 2, 2)), "LastTokens.stride": whole(0, 16),
    "TimmBackbone.size": maybe(listed(whole(1, 5000), 2, 2)), "TimmBackbone.stride": whole(0, 16),
    "output": choice("map", "token", "token_and_map", "token_and_projection"), "drop_path": dropout,
    "sie": maybe(unchanged),
    "LearntCenterLoss.num_classes": whole(0, 10**7), "scale": positive, "ArcFaceLoss.margin": real(0, 1.5),
    "CosFaceLoss.margin": share, "CircleLoss.margin": real(0, 0.99999), "CircleSoftmaxLoss.margin": real(0, 0.99999),
    "memory_weight": not_negative, "CrossBatchMemoryLoss.begin": whole(0),
    "CrossBatchMemoryLoss.size": whole(1, 10**7), "loss": nothing,
}  # fmt: skip
"""Argument -> whether a value of it makes sense. ``nothing`` of VALUES does, say, as a name of a file that is there."""

LOSS_KEYS = {"weight": not_negative, "inputs": named(nothing)}
OPTIMIZER_KEYS = {
    "lr": real(1e-300, 1e4), "weight_decay": share, "betas": listed(real(0, 0.99999), 2, 2), "eps": real(1e-300, 1),
    "amsgrad": flag, "foreach": maybe(flag), "maximize": flag, "capturable": flag, "differentiable": flag,
    "fused": maybe(flag), "decoupled_weight_decay": flag, "momentum": real(0, 0.99999), "dampening": share,
    "nesterov": flag, "params": listed(nothing), "lr_mult": named(nothing), "layer_decay": choice(1, 1.0),
    "groups": unchanged,
}  # fmt: skip

size = listed(whole(8, 5000), 2, 2)
KEYS = {
    "SEED": whole(0), "SEED_OFFSET": whole(0), "STREAM": lambda v: isinstance(v, str),
    "DEVICE": choice("auto", "cpu"), "OUTPUT_DIR": name,
    "WEIGHTS_IGNORE": listed(lambda value: name(value) and value != "*"), "DATASETS.ROOT": name,
    "DATASETS.TESTS": listed(name), "INPUT.SIZE": size, "INPUT.MEAN": listed(share, 3, 3),
    "INPUT.STD": listed(real(1e-9, 10), 3, 3), "INPUT.INTERPOLATION": nothing, "INPUT.VIEWS": whole(1, 100),
    "INPUT.TEST_INTERPOLATION": choice(""),
    "DATALOADER.NUM_WORKERS": some(choice("auto"), whole(0, 1000)), "DATALOADER.CACHE": nothing,
    "MODEL.WEIGHTS": choice(""),
    "MODEL.BN_GROUP": some(choice(0), whole(2, 10**5)), "MODEL.BN_DOMAINS": whole(1, 100),
    "SOLVER.MAX_EPOCHS": whole(1, 10**6), "SOLVER.ITERS_PER_EPOCH": whole(0, 10**6),
    "SOLVER.IMS_PER_BATCH": whole(2, 10**5), "SOLVER.PRECISION": nothing, "SOLVER.CHANNELS_LAST": flag,
    "SOLVER.GRAD_CLIP": not_negative, "SOLVER.CHECKPOINT_PERIOD": whole(1), "SOLVER.CHECKPOINT_ITERS": whole(0),
    "SOLVER.CHECKPOINT_SECONDS": whole(0),
    "SOLVER.CHUNK": some(choice(0), whole(2, 10**5)), "SOLVER.COMPILE": choice(""), "SOLVER.CUDNN_BENCHMARK": flag,
    "SOLVER.DETERMINISTIC": flag, "SOLVER.RECOMPUTE": flag,
    "TEST.EVAL_PERIOD": whole(0), "TEST.IMS_PER_BATCH": whole(1, 10**5), "TEST.METRIC": nothing, "TEST.AP": nothing,
    "TEST.PROTOCOL": nothing, "TEST.FLIP": flag, "TEST.RERANK.ENABLED": flag, "TEST.RERANK.K1": whole(1, 10**7),
    "TEST.RERANK.K2": whole(1, 10**7), "TEST.RERANK.LAMBDA": share, "TEST.QUERY_EXPANSION.ENABLED": flag,
    "TEST.QUERY_EXPANSION.K": whole(1, 10**7), "TEST.QUERY_EXPANSION.ALPHA": real(0, 1e3), "TEST.ROC.ENABLED": flag,
    "TEST.ROC.RATES": listed(real(1e-12, 0.99999), 1), "LOG.PERIOD": whole(1), "PLUGINS": listed(nothing),
    "ZOO.INDEXES": listed(nothing), "DATASETS.TRAIN": unchanged, "LOSSES": unchanged, "OPTIMIZERS": unchanged,
    "STAGES": some(unchanged, choice(None), listed(nothing)), "WEIGHTS": maybe(unchanged), "SAMPLER": unchanged,
    "INPUT.TRANSFORMS": unchanged, "MODEL": unchanged, "BACKBONE": unchanged, "HEAD": unchanged, "TRAINER": unchanged,
    "MEMORIES": maybe(unchanged), "DISCRIMINATORS": maybe(unchanged), "CLUSTERER": maybe(unchanged),
    "HOOKS": maybe(unchanged),
}  # fmt: skip
"""Key -> whether a value makes sense."""


# ---- what there is ------------------------------------------------------------------------------------------------


def load_projects():
    for package in sorted((REPOSITORY / "projects").glob("*/*/__init__.py")):
        sys.path.insert(0, str(package.parent.parent))
        importlib.import_module(package.parent.name)
        sys.path.pop(0)


load_projects()
GIVEN = {
    "BACKBONE": {}, "CLUSTERER": {}, "DATASET": {"root"}, "DISCRIMINATOR": {"in_channels", "num_cameras", "size"},
    "HEAD": {"in_channels", "num_classes"}, "HOOK": set(), "LOSS": {"args", "kwargs"},
    "MEMORY": {"dim", "size", "num_source", "num_target"}, "MODEL": {"backbone", "head", "num_classes", "num_cameras"},
    "SAMPLER": {"data", "batch_size"}, "SWITCH_RULE": set(),
    "TRAINER": {"cfg", "sets", "output_dir", "device", "framework", "given"},
    "TRANSFORM": set(),
}  # fmt: skip


def registered(kind):
    found = getattr(registry, kind)
    with pytest.raises(UserError):
        found.get("Nothing at all")  # which makes it import its own
    return dict(sorted(found.module_dict.items()))


def arguments_of(kind, cls):
    """Return the arguments that a configuration gives, those of ``**warmup`` too."""
    names = [n for n in inspect.signature(cls).parameters if n not in GIVEN[kind]]
    if cls.__name__ == "NuisanceDiscriminator":
        names.remove("num_classes")
    if "warmup" in names:
        names.remove("warmup")
        names += list(inspect.signature(WarmUp).parameters)
    return names


CLASSES = {(kind, key): cls for kind in REGISTRIES for key, cls in registered(kind).items()}
CASES = [(kind, key, argument) for (kind, key), cls in CLASSES.items() for argument in arguments_of(kind, cls)]
CASES = [case for case in CASES if CLASSES[case[:2]].__module__.split(".")[0] != "tests"]


def makes_sense(cls, argument):
    return ARGUMENTS[f"{cls}.{argument}" if f"{cls}.{argument}" in ARGUMENTS else argument]


# ---- how it is built and used -------------------------------------------------------------------------------------

SMALL = {"type": "ResNet", "depth": 18, "width": 4, "pretrained": ""}
REQUIRED = {
    "TorchvisionTransform": {"transform": {"type": "RandomInvert"}},
    "TorchSchedule": {"scheduler": {"type": "StepLR", "step_size": 2}},
    "KMeans": {"num_clusters": 3}, "MultiStepSchedule": {"milestones": [1]}, "RandomCrop": {"size": [24, 12]},
    "EpochPhaseHook": {"order": ["model"]}, "IterationPhaseHook": {"steps": {"model": 1}},
    "FreezeHook": {"modules": ["backbone"]}, "ConstantThresholds": {"start": "model", "switches": {}},
    "RecordedActions": {"file": "alternation.json"},
    "AlternationHook": {
        "rule": {"type": "ConstantThresholds", "start": "a", "switches": {}}, "turns": {"a": ["model"]},
    },
    "CenterLoss": {"num_classes": 4, "dim": 6}, "LearntCenterLoss": {"num_classes": 4, "dim": 6},
    "CrossBatchMemoryLoss": {"loss": {"type": "ContrastiveLoss"}, "dim": 6, "size": 8},
    "FolderDataset": {"folder": "people"}, "UnlabeledFolder": {"folder": "people"},
    "CSVDataset": {"file": "list.csv"},
    "TwoViews": {"dataset": "Market1501"},
    "Thinned": {"dataset": "Market1501", "shares": [1, 1, 1]}, "HoldOut": {"dataset": "Market1501"},
    "Unlabeled": {"dataset": "Market1501"},
    "HoldOutIdentities": {"dataset": "Market1501"}, "CamStyled": {"dataset": "Market1501"},
    "PseudoLabeled": {"dataset": "Market1501", "labels": "written"}, "CUHK03": {"test_identities": 4},
    "ResNet": {"depth": 18, "width": 4}, "DualBranchResNet": {"depth": 18, "width": 4}, "VGG": {"width": 4},
    "OSNet": {"width": 0.25}, "MobileNetV2": {"width": 0.1}, "DualBranchMobileNetV2": {"width": 0.1},
    "LastTokens": {"name": "test_vit", "options": {"depth": 2, "embed_dim": 8, "num_heads": 1}},
    "CLIPReIDHead": {"width": 4}, "PromptedEmbedder": {"prompts": {"width": 4, "heads": 1, "layers": 1}},
    "TimmBackbone": {"name": "test_vit", "options": {"depth": 1, "embed_dim": 8, "num_heads": 1}},
    "SemanticSwin": {"options": {"embed_dim": 8, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}},
    "JigsawViT": {"name": "test_vit", "options": {"depth": 1, "embed_dim": 8, "num_heads": 1}},
    "TorchvisionBackbone": {"name": "mobilenet_v2"},
    "SharedPrivateNetwork": {"features": 8, "width": 4, "image_widths": [4, 3]},
    "StarGANGenerator": {"width": 4, "residual_blocks": 1}, "StarGANDiscriminator": {"width": 4, "layers": 2},
    "DualBranchHead": {"width": 4}, "MultiBranchResNet": {"depth": 18, "width": 4},
    "PCBHead": {"width": 4}, "RPPHead": {"width": 4}, "MGNHead": {"width": 4, "granularities": [1, 2]},
    "TwoPathHead": {"features": 8}, "MLPDiscriminator": {"widths": [4]},
    "SimilarityDiscriminator": {"widths": [4]}, "JaccardDBSCAN": {"k1": 6, "k2": 2},
    "SelfPacedDBSCAN": {"k1": 6, "k2": 2},
    "AdaptiveDBSCAN": {"k1": 6, "k2": 2, "share": 0.1},
}  # fmt: skip


@pytest.fixture(scope="module")
def root(tiny_root):
    """The tiny datasets, and one of each kind that has no layout of its own."""
    records = build_dataset("Market1501", root=tiny_root).train
    lines = [f"{record.path},{record.pid},{record.camid},train" for record in records]
    (tiny_root / "list.csv").write_text("\n".join(["path,pid,camid,split", *lines]) + "\n")
    folder = tiny_root / "people" / "train"
    for pid in ("1", "2"):
        (folder / pid).mkdir(parents=True, exist_ok=True)
        (folder / pid / "c1_1.jpg").write_bytes(Path(records[0].path).read_bytes())
    return tiny_root


def write_labels(node, root):
    """Write pseudo labels of a dataset, three images each, and return the file's path."""
    dataset = build_dataset(node, root=root)
    path = root / f"{dataset.name}.csv"
    write_pseudo_labels(path, dataset.train, np.arange(len(dataset.train)) // 3, dataset.folder)
    return str(path)


class Columns:
    pids = np.repeat(np.arange(8), 4)
    camids = np.tile([0, 0, 1, 1], 8)
    domains = np.repeat([0, 1], 16)


def seen(module, *tensors):
    with torch.no_grad():
        return module.eval()(*tensors)


def use_loss(node, root=None):
    keys = {name: node.pop(name) for name in LOSS_KEYS if name in node}
    LossSet({"x": {**node, **keys}})


BEFORE_NORMALIZE = {
    "AugMix", "AutoAugment", "ColorJitter", "GaussianBlur", "LocalGrayscale", "RandomGrayscale", "TorchvisionTransform",
}  # fmt: skip


def use_transform(node, root):
    nodes = {"normalize": {"type": "Normalize"}, "x": node}
    if node["type"] in BEFORE_NORMALIZE:
        nodes = {"x": node, "normalize": {"type": "Normalize"}}
    pipeline = Compose(nodes if node["type"] != "Normalize" else {"x": node}, [0.5] * 3, [0.5] * 3)
    pipeline(torch.zeros(2, 3, 32, 16, dtype=torch.uint8), BatchDraw(0, 0, 0, 2))


def use_sampler(node, root):
    registry.SAMPLER.build(node, data=Columns(), batch_size=16).batches(0, 0)


def use_clusterer(node, root):
    registry.CLUSTERER.build(node).fit_predict(np.random.default_rng(0).normal(size=(24, 8)))


def use_dataset(node, root):
    if node.get("labels") == "written":
        node["labels"] = write_labels("Market1501", root)
    build_dataset(node, root=root).records("train")


def use_hook(node, root):
    hook = build_hooks({"x": node})["x"]
    if hasattr(hook, "factor"):
        assert 0 <= hook.factor(0.5, 3) <= 1


def use_switch_rule(node, root):
    if node.get("file") == "alternation.json":
        node = {**node, "file": str(Path(root) / "alternation.json")}
        Path(node["file"]).write_text('{"switches": []}')
    rule = registry.SWITCH_RULE.build(node)
    rule.begin(dict.fromkeys(rule.measures, 0.5))


def use_head(node, root):
    seen(registry.HEAD.build(node, in_channels=8, num_classes=3), torch.zeros(2, 8, 4, 2))


def use_backbone(node, root):
    seen(registry.BACKBONE.build(node), torch.zeros(2, 3, 128, 128))


def use_model(node, root):
    if node["type"] == "StarGANGenerator":
        registry.MODEL.build(node, num_cameras=3)
        return
    head = {"type": "CLIPReIDHead" if node["type"] == "PromptedEmbedder" else "BNNeck"}
    seen(registry.MODEL.build(node, backbone=SMALL, head=head, num_classes=3), torch.zeros(2, 3, 64, 32))


def use_memory(node, root):
    sizes = {"num_source": 4, "num_target": 8} if node["type"] == "HybridMemory" else {"size": 8}
    registry.MEMORY.build(node, dim=6, **sizes)


def use_discriminator(node, root):
    given = {"in_channels": 12}
    if node["type"] == "StarGANDiscriminator":
        given = {"num_cameras": 3, "size": (32, 16)}
    if node["type"] == "NuisanceDiscriminator":
        given["num_classes"] = 3
    registry.DISCRIMINATOR.build(node, **given)


@functools.cache
def data_of(trainer, root):
    """Return the stage, made small, and the training sets of a configuration that trains with it."""
    opts = [
        "DATASETS.ROOT", str(root), "DEVICE", "cpu", "INPUT.SIZE", [64, 32], "DATALOADER.CACHE", "off",
        "SOLVER.IMS_PER_BATCH", 16, "BACKBONE.pretrained", "",
    ]  # fmt: skip
    stages = Pipeline(
        load_config(REPOSITORY / TRAINED_BY[trainer], opts=[*opts, *CHANGED.get(trainer, [])])
    ).stages.values()
    cfg = next(cfg for cfg in stages if cfg.TRAINER.type == trainer).clone()
    cfg.defrost()
    if cfg.BACKBONE.type == "ResNet":
        cfg.BACKBONE.depth, cfg.BACKBONE.width = 18, 4
    cfg.WEIGHTS.clear()
    for data in train_nodes(cfg.DATASETS.TRAIN):
        if "labels" in data:
            data["labels"] = write_labels(data["dataset"], root)
    return cfg, build_train_sets(cfg)


def use_trainer(node, root):
    cfg, sets = data_of(node["type"], root)
    registry.TRAINER.build(node, cfg=cfg, sets=sets, output_dir=root, device=torch.device("cpu"))


USES = {
    "BACKBONE": use_backbone, "CLUSTERER": use_clusterer, "DATASET": use_dataset, "DISCRIMINATOR": use_discriminator,
    "HEAD": use_head, "HOOK": use_hook, "LOSS": use_loss, "MEMORY": use_memory, "MODEL": use_model,
    "SAMPLER": use_sampler, "SWITCH_RULE": use_switch_rule, "TRAINER": use_trainer, "TRANSFORM": use_transform,
}  # fmt: skip
TRAINED_BY = {
    "AdversarialTrainer": "projects/DomainMix/mini.yml", "NuisanceTrainer": "projects/ADIN/mini.yml",
    "ECNTrainer": "projects/ECN/mini.yml", "MiniBatchTrainer": "projects/ECN/mini_batch.yml",
    "MutualMeanTrainer": "projects/MMT/mini.yml", "ViewAdaptationTrainer": "projects/ViewAdaptation/mini.yml",
    "StarGANTrainer": "projects/CamStyle/mini.yml", "OracleTrainer": "projects/ECN/mini.yml",
    "CameraOracleTrainer": "projects/ECN/mini.yml",
}  # fmt: skip
CHANGED = {
    name: ["STAGES.adapt.TRAINER.type", name, "STAGES.adapt.MEMORIES.exemplar.neighbours", 0]
    for name in ("OracleTrainer", "CameraOracleTrainer")
}
"""What a configuration needs to train with a class that no file has."""


# ---- the cases ----------------------------------------------------------------------------------------------------

COUNTS: Counter[str] = Counter()


@pytest.fixture(scope="module", autouse=True)
def tally():
    yield
    counted = ", ".join(f"{COUNTS[kind]} {kind}" for kind in ("refused", "sensible", "senseless", "tracebacks"))
    print(f"\n{sum(COUNTS.values())} values: {counted}")


def try_each(use, sensible):
    """Call ``use`` with each of VALUES; fail with all that ends in a traceback, or is accepted and makes no sense."""
    wrong = [complaint for value in VALUES if (complaint := try_one(use, sensible, value))]
    assert not wrong, "\n".join(wrong)


def try_one(use, sensible, value):
    try:
        use(copy.deepcopy(value))
    except UserError:
        COUNTS["refused"] += 1
        return ""
    except Exception as error:
        COUNTS["tracebacks"] += 1
        return f"{value!r}: {type(error).__name__}: {str(error)[:80]}"
    right = sensible(value)
    COUNTS["sensible" if right else "senseless"] += 1
    return "" if right else f"{value!r} was accepted"


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    """Let nothing be downloaded, wherever the tests run."""

    def refuse(*_):
        raise TransferError("no network")

    monkeypatch.setattr("reidzoo.weights.cache._transfer", refuse)
    monkeypatch.setenv("REIDZOO_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize(("kind", "key", "argument"), CASES, ids=[".".join(case) for case in CASES])
def test_arguments(root, kind, key, argument):
    node = {"type": key, **REQUIRED.get(key, {})}
    try_each(lambda value: USES[kind]({**node, argument: value}, root), makes_sense(key, argument))


@pytest.mark.parametrize(("kind", "key"), [case for case in CLASSES if case[0] != "TRAINER" or case[1] in TRAINED_BY])
def test_what_the_cases_start_from_is_accepted(root, kind, key):
    USES[kind]({"type": key, **REQUIRED.get(key, {})}, root)


@pytest.mark.parametrize("key", LOSS_KEYS)
def test_keys_of_a_loss(key):
    node = {"type": "CrossEntropyLoss"}
    try_each(lambda value: use_loss({**node, key: value}), LOSS_KEYS[key])


OPTIMIZERS = {"Adam": {}, "AdamW": {}, "SGD": {"momentum": 0.9}}
OPTIMIZER_CASES = [
    (name, key)
    for name in OPTIMIZERS
    for key in [*inspect.signature(getattr(torch.optim, name)).parameters, "lr_mult", "layer_decay", "groups"]
]


@pytest.mark.parametrize(("kind", "key"), OPTIMIZER_CASES)
def test_keys_of_an_optimizer(kind, key):
    parts = nn.ModuleDict({"model": nn.Linear(2, 2)})
    node = {"type": kind, "lr": 0.1, **OPTIMIZERS[kind]}
    try_each(lambda value: build_optimizers({"model": {**node, key: value}}, parts, 0.0), OPTIMIZER_KEYS[key])


def declared(node, path=""):
    for key, value in node.items():
        if key.isupper():
            full = f"{path}{key}"
            if not isinstance(value, dict) or value.is_new_allowed():
                yield full
            if isinstance(value, dict):
                yield from declared(value, f"{full}.")


@pytest.fixture
def start(root, tmp_path, monkeypatch):
    """Return a function that does with overrides what a run does, up to the first step of every stage."""
    config = {
        "OUTPUT_DIR": str(tmp_path / "run"),
        "DATASETS": {"ROOT": str(root), "TRAIN": {"train": "Market1501"}, "TESTS": ["Market1501"]},
        "INPUT": {"SIZE": [32, 16], "TRANSFORMS": {"crop": {"pad": 2}}},
        "BACKBONE": SMALL,
        "SOLVER": {"IMS_PER_BATCH": 16},
        "LOSSES": {"id": {"type": "CrossEntropyLoss"}},
        "DEVICE": "cpu",
    }
    path = tmp_path / "tiny.yml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))

    def first_step(trainer):
        trainer.parts.train()
        trainer.max_epochs = 0
        trainer.call("before_train")
        if len(trainer.loader.plan(0)) and trainer.loader.workers == 0 and trainer.loader.length < 1000:
            trainer.train_step(next(trainer.loader.epoch(0)))
        trainer.stop = True  # or a final checkpoint would make the next values' run a finished one

    monkeypatch.setattr(Trainer, "train", first_step)
    monkeypatch.setattr(Pipeline, "_open_folder", lambda *_: lambda: None)

    def run(key, value):
        for part in reversed(key.split(".")):
            value = {part: value}
        pipeline = Pipeline(load_config(path, overlays=[value]))
        for cfg in pipeline.stages.values():
            pipeline.folder.path.mkdir(exist_ok=True)
            cfg.defrost()
        try:
            pipeline.train()
        except UserError as error:
            if "stopped in stage" not in str(error):
                raise

    return run


@pytest.mark.parametrize("key", sorted(declared(get_cfg())))
@pytest.mark.slow
def test_declared_keys(start, key, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    try_each(lambda value: start(key, value), KEYS[key])


@pytest.mark.slow
def test_phase_of_a_loss(start):
    try_each(lambda value: start("LOSSES.id.phase", value), choice("model"))


def arguments_in_files():
    for path in [*REPOSITORY.glob("configs/**/*.yml"), *REPOSITORY.glob("projects/**/*.yml")]:
        yield from arguments_below(yaml.safe_load(path.read_text()))


def arguments_below(tree):
    below = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    if isinstance(tree, dict) and isinstance(tree.get("type"), str):
        yield from ((tree["type"], key) for key in tree if key != "type" and key.islower())
    for child in below:
        yield from arguments_below(child)


@pytest.mark.slow
def test_every_argument_of_every_file_is_a_case():
    cases = {(key, argument) for _, key, argument in CASES} | set(OPTIMIZER_CASES)
    named = {key for _, key, _ in CASES} | {key for _, key in CLASSES} | set(OPTIMIZERS)
    mine = {*LOSS_KEYS, "phase"}
    missing = {(key, a) for key, a in arguments_in_files() if key in named and a not in mine} - cases
    assert not missing
    assert {key for key, _ in arguments_in_files()} - named <= {"torch.nn.MSELoss", "torch.nn.L1Loss"}
