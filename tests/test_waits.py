"""A training step never waits for the device: what it calls holds no look at a tensor's values, and on CUDA no wait."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from reidzoo.engine.build import pick_device
from reidzoo.engine.host_copy import HostCopy
from reidzoo.hooks import LogHook, StopOnNaNHook
from reidzoo.hooks.hook import Hook, order_hooks
from reidzoo.registry import TRAINER
from reidzoo.testing import SOURCE, TARGET
from reidzoo.testing.tiny import tiny_arguments, tiny_config, write_images

ROOT = Path(__file__).parent.parent
STEP = [
    *sorted((ROOT / "reidzoo" / "trainers").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "losses").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "memories").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "heads").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "models").rglob("*.py")),
    *sorted((ROOT / "reidzoo" / "backbones").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "discriminators").glob("*.py")),
    *sorted((ROOT / "reidzoo" / "transforms").glob("*.py")),
    *(ROOT / "reidzoo" / "engine" / f"{name}.py" for name in ("optim", "loader", "image_table", "image_cache")),
    *(ROOT / "reidzoo" / "datasets" / f"{name}.py" for name in ("color_transfer", "style_folder")),
    ROOT / "reidzoo" / "distributed.py",
    *sorted(path for path in (ROOT / "projects").glob("*/*/*.py") if not path.stem.endswith("hook")),
]
"""What a step calls, the making of its batch among it, whole files."""
HOOKS = [*sorted((ROOT / "reidzoo" / "hooks").glob("*.py")), *sorted((ROOT / "projects").glob("*/*/*hook.py"))]
EVENTS = ("before_train_iter", "after_train_iter", "save_point")
"""Of hooks only what is called at every step, with the functions of the same file that it calls."""

LOOKS = {"item", "cpu", "tolist", "numpy", "nonzero", "masked_select", "new_tensor", "is_nonzero", "synchronize",
         "unique", "cuda", "bincount"}  # fmt: skip
"""Methods that fetch a tensor's values, or send some and wait."""
FUNCTIONS = {"nonzero", "tensor", "as_tensor", "unique", "masked_select", "argwhere", "isin", "bincount", "equal"}
"""Functions of torch that do."""
CASTS = {"float", "int", "bool"}

ALLOWED = {
    ("reidzoo/trainers/trainer.py", "relabel"): "between epochs",
    ("reidzoo/trainers/domain_adaptation.py", "relabel"): "between epochs",
    ("reidzoo/trainers/adversarial.py", "_domains"): "a number of a numpy array",
    ("reidzoo/trainers/nuisance.py", "build_discriminator"): "once",
    ("reidzoo/trainers/validation.py", "measure"): "between phases",
    ("reidzoo/trainers/validation.py", "_predict"): "between phases",
    ("reidzoo/backbones/vgg.py", "_take_normalised_rgb"): "once",
    ("reidzoo/models/embedder.py", "embedding_dim"): "a number, of numpy perhaps",
    ("reidzoo/memories/moved_rows.py", "_occurrences"): "of numpy arrays",
    ("reidzoo/losses/labels.py", "check_labels"): "on the CPU alone",
    ("reidzoo/losses/margin_softmax.py", "_check_cosines"): "on the CPU alone",
    ("reidzoo/memories/hybrid.py", "relabel"): "between epochs",
    ("reidzoo/memories/hybrid.py", "_scale_classes"): "between epochs",
    ("reidzoo/heads/classifier.py", "build_classifier"): "between epochs",
    ("reidzoo/transforms/decode.py", "read_picture"): "on the CPU alone",
    ("reidzoo/transforms/pieces.py", "cut_pieces"): "on the CPU alone",
    ("reidzoo/transforms/pieces.py", "gather_pieces"): "of numpy arrays",
    ("reidzoo/transforms/random_erasing.py", "__call__"): "of numpy arrays, and of tensors on the CPU alone",
    ("reidzoo/transforms/random_patch.py", "__call__"): "of numpy arrays",
    ("reidzoo/transforms/random_sized_rect_crop.py", "__call__"): "of numpy arrays",
    ("reidzoo/transforms/torchvision_transform.py", "__call__"): "where torch keeps no generator, on mps",
    ("reidzoo/transforms/torchvision_transform.py", "_apply"): "of numpy arrays",
    ("reidzoo/engine/image_table.py", "_missing"): "of numpy arrays",
    ("reidzoo/engine/image_table.py", "_taken"): "of numpy arrays",
    ("reidzoo/engine/image_table.py", "_collected"): "of numpy arrays",
    ("reidzoo/engine/image_cache.py", "_free_memory"): "of files",
    ("reidzoo/datasets/color_transfer.py", "_measure"): "of numpy arrays",
    ("reidzoo/datasets/style_folder.py", "_report"): "of numpy arrays",
    ("reidzoo/distributed.py", "start"): "of the environment",
    ("reidzoo/distributed.py", "any_rank"): "a number on the CPU",
    ("reidzoo/distributed.py", "agreed"): "two numbers on the CPU",
    ("reidzoo/memories/hybrid.py", "update"): "of numpy arrays",
    ("reidzoo/memories/moved_rows.py", "checked_rows"): "trainers give rows on the CPU",
    ("reidzoo/models/batch_norm/converted_batch_norm.py", "count_batch"): "momentum None, as torch's own batch norm",
    ("reidzoo/hooks/stop_on_nan.py", "_check"): "a HostCopy of the step before",
    ("reidzoo/hooks/tracker.py", "_sheet"): "the first step's images alone",
    ("reidzoo/hooks/log.py", "_flush"): "once in LOG.PERIOD steps",
    ("reidzoo/hooks/log.py", "_totals"): "once in LOG.PERIOD steps",
    ("projects/ViewAdaptation/view_adaptation/trainer.py", "_check_views"): "once an epoch on an accelerator",
    ("projects/CLIPReID/clip_reid/identity_prompts.py", "_places"): "once",
    ("projects/ECN/ecn/camera_oracle_trainer.py", "cameras"): "once",
    ("projects/ECN/ecn/oracle_trainer.py", "persons"): "once",
    ("projects/CamStyle/camstyle/write_styles.py", "after_train"): "after the training",
    ("projects/CamStyle/camstyle/write_styles.py", "_draw_as"): "after the training",
    ("projects/CamStyle/camstyle/write_styles.py", "_pixels"): "after the training",
    ("projects/MMT/mmt/adaptive_dbscan.py", "mean_of_smallest"): "between epochs",
}
"""File and function -> why it may look; each is in use."""


def looks(function: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and words of what may look at a tensor's values in a function."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute):
                of_torch = isinstance(called.value, ast.Name) and called.value.id == "torch"
                sent = called.attr == "to" and ("from_numpy" in ast.unparse(called) or "'cpu'" in ast.unparse(node))
                bare = of_torch and called.attr == "where" and len(node.args) == 1
                if sent or bare or called.attr in (FUNCTIONS if of_torch else LOOKS):
                    yield node.lineno, ast.unparse(node)
            elif isinstance(called, ast.Name) and called.id in CASTS and _may_be_tensor(node.args):
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Subscript) and _is_mask(node.slice):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.If | ast.While) and any(
            word in ast.unparse(node.test) for word in (".any()", ".all()")
        ):
            yield node.lineno, f"if {ast.unparse(node.test)}"


def _may_be_tensor(arguments: list[ast.expr]) -> bool:
    """Return whether what is cast has a call in it, ``x.sum()`` say, other than ``len``, or is an attribute."""
    calls = (n for a in arguments for n in ast.walk(a) if isinstance(n, ast.Call))
    return any(ast.unparse(n.func) != "len" for n in calls) or any(isinstance(a, ast.Attribute) for a in arguments)


def _is_mask(index: ast.expr) -> bool:
    """Return whether an index is a comparison, a negated mask, or is called a mask."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    inverted = [p for p in parts if isinstance(p, ast.UnaryOp) and isinstance(p.op, ast.Invert)]
    named = [p for p in parts if isinstance(p, ast.Name) and "mask" in p.id]
    return bool(inverted or named or any(isinstance(p, ast.Compare) for p in parts))


def functions(tree: ast.AST) -> dict[str, ast.AST]:
    """Return the functions and methods of a file by name, without constructors and what describes an object."""
    left_out = ("__init__", "extra_repr", "state_dict", "load_state_dict", "_load_from_state_dict")
    found: dict[str, ast.Module] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in left_out:  # of several classes, too
            found.setdefault(node.name, ast.Module([], [])).body.append(node)
    return found


def called_at_every_step(tree: ast.AST) -> dict[str, ast.AST]:
    """Return a hook's events of each step and the functions of its file that they call."""
    known, found = functions(tree), {}
    waiting = [name for name in EVENTS if name in known]
    while waiting:
        name = waiting.pop()
        found[name] = known[name]
        words = {n.attr if isinstance(n, ast.Attribute) else n.id for n in ast.walk(known[name])
                 if isinstance(n, ast.Attribute | ast.Name)}  # fmt: skip
        waiting += sorted((words & known.keys()) - found.keys())
    return found


def found_looks() -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for path in dict.fromkeys([*STEP, *HOOKS]):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        file = path.relative_to(ROOT).as_posix()
        for name, node in (called_at_every_step(tree) if path in HOOKS else functions(tree)).items():
            for line, text in looks(node):
                found.setdefault((file, name), []).append(f"{file}:{line} in {name}: {text}")
    return found


def test_no_step_looks_at_the_values_of_a_tensor():
    found = found_looks()
    assert [line for key, lines in found.items() if key not in ALLOWED for line in lines] == []
    assert sorted(set(ALLOWED) - set(found)) == [], "these are no longer there"


@pytest.mark.parametrize(
    "line",
    [
        "x.item()", "x.cpu().numpy()", "float(x.sum())", "int(x.max())", "rows[x > 0]", "rows[~keep]", "rows[mask]",
        "torch.nonzero(x)", "torch.tensor([1.0], device=d)", "torch.from_numpy(x).to(d)", "bool(x.any())",
        "x.new_tensor([1.0])", "torch.from_numpy(x).to(d, non_blocking=True)", "x.to('cpu')", "x.unique()", "x.cuda()",
        "torch.where(x)", "torch.bincount(x)", "torch.equal(x, y)",
    ],
)  # fmt: skip
def test_the_check_sees_a_look(line):
    assert len(list(looks(ast.parse(f"def step(x):\n    return {line}")))) >= 1


@pytest.mark.parametrize("line", ["float(len(x))", "to_device(x, d)", "torch.where(x, y, z)", "x[1:, 0]", "x[i]"])
def test_the_check_lets_others_pass(line):
    assert list(looks(ast.parse(f"def step(x):\n    return {line}"))) == []


def test_a_host_copy_on_the_cpu_is_the_tensor():
    values = torch.arange(3.0)
    assert torch.equal(HostCopy(values).get(), values)


class _NoWaits(Hook):
    """Lets every step but the first and the last of an epoch fail if it waits: those fill caches, and write a log line.

    The batch is there when it begins; how the loader makes it is the loader's own.
    """

    priority = -1000

    def __init__(self) -> None:
        self.steps = 0

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if 0 < batch_idx < runner.loader.length - 1:
            torch.cuda.set_sync_debug_mode("error")
            self.steps += 1


class _Waits(Hook):
    priority = 1000

    def save_point(self, runner):
        torch.cuda.set_sync_debug_mode("default")


SCORES = {name: {"type": "CrossEntropyLoss", "inputs": {"logits": f"{name}_scores", "pid": f"{name}_label"}}
          for name in ("source", "target")}  # fmt: skip
METHODS = {
    "baseline": {},
    "fp16": {"SOLVER": {"PRECISION": "fp16"}},
    "ghost": {"MODEL": {"BN_GROUP": 4}, "HOOKS": {"ema": {"type": "EMAHook"}}},
    "memory": {
        "DATASETS": {"TRAIN": {"train": None, "source": SOURCE, "target": {"type": "Unlabeled", "dataset": TARGET}}},
        "TRAINER": {"type": "DomainAdaptationTrainer"},
        "MEMORIES": {"memory": {"type": "HybridMemory"}},
        "CLUSTERER": {"type": "SelfPacedDBSCAN", "k1": 8, "k2": 3, "eps": 0.7, "min_samples": 2},
        "LOSSES": {"id": None, "triplet": None, **SCORES},
        "HOOKS": {
            "memory": {"type": "MemoryHook"},
            "cluster": {"type": "PseudoLabelHook", "features": "memory", "outliers": "singletons"},
        },
    },
}


def train_tiny(folder: Path, method: str, device: torch.device, **hooks: Hook) -> dict[str, torch.Tensor]:
    """Train a method for two epochs of four steps and return the weights."""
    write_images(folder)
    run = {"SOLVER": {"ITERS_PER_EPOCH": 4}, "LOG": {"PERIOD": 50}}
    changes = METHODS[method]
    changes = {**changes, **run, "SOLVER": {**run["SOLVER"], **changes.get("SOLVER", {})}}
    torch.manual_seed(0)
    cfg = tiny_config(folder, changes)
    trainer = TRAINER.build(cfg.TRAINER, **{**tiny_arguments(cfg, folder / "run"), "device": device})
    trainer.hooks = order_hooks({**trainer.hooks, "stop_on_nan": StopOnNaNHook(), "log": LogHook(), **hooks})
    trainer.train()
    return {name: value.detach().cpu() for name, value in trainer.model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("method", [m for m in METHODS if m != "fp16"])
def test_the_methods_below_train(tmp_path, method):
    weights = train_tiny(tmp_path, method, torch.device("cpu"))
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("method", METHODS)
def test_no_step_waits_on_cuda(tmp_path, method):
    watch = _NoWaits()
    try:
        train_tiny(tmp_path, method, pick_device("cuda"), watch=watch, end=_Waits())
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert watch.steps == 4
