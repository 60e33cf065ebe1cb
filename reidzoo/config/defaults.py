"""Declares every UPPER key of a configuration with its default, its meaning, its unit and the values it takes.

A ``free`` node holds what registered classes are built from: ``{type: Name, <constructor arguments>}``, or names
each with such an entry. Its lower-case keys belong to those classes and are not declared here; their defaults live in
the constructors. A plug-in declares UPPER keys of its own in ``add_config(cfg)``, with the functions of this file::

    def add_config(cfg):
        cfg.DOMAINMIX = CfgNode({"START_EPOCH": 5})
        cfg.TEACHERS = free()
"""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from reidzoo.checks import NODE_OR_NAME, PROBABILITY, TEXT, WEIGHTS, Rule, each, either, number, one_of, whole

__all__ = ["CHOICES", "HINTS", "LENGTHS", "MIXED", "NAMED_ENTRIES", "PLAIN_ENTRIES", "RANGES", "free", "get_cfg"]


def _names_some(pattern: Any) -> bool:
    return isinstance(pattern, str) and bool(pattern.strip("*?. "))


CHOICES: dict[str, tuple[str, ...]] = {
    "DEVICE": ("auto", "cpu", "cuda", "mps"),
    "DATALOADER.CACHE": ("auto", "on", "device", "off"),
    "INPUT.INTERPOLATION": ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"),
    "INPUT.TEST_INTERPOLATION": ("", "nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"),
    "SOLVER.COMPILE": ("", "graph", "default", "reduce-overhead", "max-autotune"),
    "SOLVER.PRECISION": ("fp32", "bf16", "fp16"),
    "TEST.METRIC": ("cosine", "euclidean"),
    "TEST.AP": ("step", "trapezoid"),
}
"""The values of the keys whose values are a closed list."""

LENGTHS: dict[str, int] = {"INPUT.SIZE": 2, "INPUT.MEAN": 3, "INPUT.STD": 3}
"""How many elements the lists of fixed length have."""

RANGES: dict[str, Rule] = {
    "SEED": whole(0),
    "SEED_OFFSET": whole(0),
    "STREAM": Rule("a text", lambda value: isinstance(value, str)),
    "OUTPUT_DIR": TEXT,
    "WEIGHTS_IGNORE": each(
        Rule("a pattern of names, such as head.classifier.*, that does not stand for all", _names_some)
    ),
    "DATASETS.ROOT": TEXT,
    "DATASETS.TESTS": each(NODE_OR_NAME),
    "INPUT.SIZE": each(whole(8, 4096), 2),
    "INPUT.MEAN": each(number(0, 1), 3),
    "INPUT.STD": each(number(above=0, most=1), 3),
    "INPUT.VIEWS": whole(1, 16),
    "DATALOADER.NUM_WORKERS": either(one_of("auto"), whole(0, 256)),
    "MODEL.BN_GROUP": either(one_of(0), whole(2, 65536)),
    "MODEL.BN_DOMAINS": whole(1, 16),
    "SOLVER.MAX_EPOCHS": whole(1, 10**6),
    "SOLVER.ITERS_PER_EPOCH": whole(0, 10**6),
    "SOLVER.IMS_PER_BATCH": whole(2, 65536),
    "SOLVER.GRAD_CLIP": number(0),
    "SOLVER.CHUNK": either(one_of(0), whole(2, 65536)),
    "SOLVER.CHECKPOINT_PERIOD": whole(1),
    "SOLVER.CHECKPOINT_ITERS": whole(0),
    "SOLVER.CHECKPOINT_SECONDS": whole(0),
    "TEST.EVAL_PERIOD": whole(0),
    "TEST.IMS_PER_BATCH": whole(1, 65536),
    "TEST.PROTOCOL": TEXT,
    "TEST.RERANK.K1": whole(1, 10**6),
    "TEST.RERANK.K2": whole(1, 10**6),
    "TEST.RERANK.LAMBDA": PROBABILITY,
    "TEST.QUERY_EXPANSION.K": whole(1, 10**6),
    "TEST.QUERY_EXPANSION.ALPHA": number(0, 100),
    "TEST.ROC.RATES": each(number(above=0, below=1), least=1),
    "LOG.PERIOD": whole(1),
}
"""What the values must be, beside their types, which are those of the defaults."""

MIXED: tuple[str, ...] = ("DATALOADER.NUM_WORKERS",)
"""Keys whose values have several types; their ranges say which."""

HINTS: dict[str, str] = {
    "INPUT.MEAN": "pixels are in [0, 1] here: divide what belongs to 0..255 by 255",
    "INPUT.STD": "pixels are in [0, 1] here: divide what belongs to 0..255 by 255",
    "SOLVER.IMS_PER_BATCH": "batch norm and the losses compare images of a batch",
    "SOLVER.MAX_EPOCHS": "a run of no epochs trains nothing; --eval-only tests a model",
    "WEIGHTS_IGNORE": "nothing would be loaded",
}
"""What else helps where a value is out of its range."""

PLAIN_ENTRIES: dict[str, Rule] = {
    "WEIGHTS": WEIGHTS,
    "DATASETS.TRAIN": either(NODE_OR_NAME, each(NODE_OR_NAME, least=1)),
}
"""The free nodes whose entries may be plain values, and what these must be; in all others one is a mapping with a
``type``."""

NAMED_ENTRIES = (
    *PLAIN_ENTRIES, "INPUT.TRANSFORMS", "LOSSES", "MEMORIES", "DISCRIMINATORS", "OPTIMIZERS", "HOOKS",
)  # fmt: skip
"""The free nodes that give names to entries, and have no ``type`` of their own."""


def free(entries: dict[str, Any] | None = None) -> CfgNode:
    """Return a node that takes undeclared lower-case keys besides ``entries``."""
    return CfgNode(entries or {}, new_allowed=True)


def get_cfg() -> CfgNode:
    """Return a fresh, mutable copy of the defaults."""
    cfg = CfgNode()
    # Packages that register parts: an importable name, looked up next to the YAML first, or a path relative to it.
    cfg.PLUGINS = []
    # Start of every random number of the run.
    cfg.SEED = 0
    # Added to SEED.
    cfg.SEED_OFFSET = 0
    # Name of the stage's random numbers; "" is the stage's own name. Two stages of one name draw the same batches.
    cfg.STREAM = ""
    # auto (the GPU where there is one), cpu, cuda, or mps (Apple's).
    cfg.DEVICE = "auto"
    # Where the run writes, relative to the working directory; output/FOLDER/STEM for a file FOLDER/STEM.yml.
    cfg.OUTPUT_DIR = "output"
    # Stages of the run in their order: stage name -> what differs from the rest of the file. {}: one stage, "train".
    cfg.STAGES = free()
    # Part name -> the checkpoint it starts from: a path, zoo://NAME, or stage:NAME for that part of an earlier stage.
    cfg.WEIGHTS = free()
    # Patterns (fnmatch) of the weights that WEIGHTS need not have or must not load, such as "head.classifier.*".
    cfg.WEIGHTS_IGNORE = []
    # Further indexes of trained models, whose names are then known as zoo://NAME: YAML files, relative to the file that
    # names them, or https:// addresses.
    cfg.ZOO = CfgNode({"INDEXES": []})
    _add_data(cfg)
    _add_parts(cfg)
    _add_training(cfg)
    _add_solver(cfg)
    _add_test(cfg)
    # Iterations between log lines.
    cfg.LOG = CfgNode({"PERIOD": 50})
    return cfg


def _add_data(cfg: CfgNode) -> None:
    cfg.DATASETS = CfgNode()
    # Folder of all datasets, relative to the working directory.
    cfg.DATASETS.ROOT = "datasets"
    # Name of a training set -> a dataset name, a list of them (joined), or {type: ...}.
    # With one set a batch is that set's; with several it is a dict by these names.
    cfg.DATASETS.TRAIN = free()
    # Datasets to evaluate on, each by name or as {type: ...}.
    cfg.DATASETS.TESTS = []

    cfg.INPUT = CfgNode()
    # Height and width that images are resized to, in pixels.
    cfg.INPUT.SIZE = [256, 128]
    # Mean and standard deviation per channel (R, G, B) of pixels in [0, 1]; the defaults are ImageNet's.
    cfg.INPUT.MEAN = [0.485, 0.456, 0.406]
    cfg.INPUT.STD = [0.229, 0.224, 0.225]
    # How images are resized: nearest, bilinear, bicubic, lanczos, box or hamming.
    cfg.INPUT.INTERPOLATION = "bicubic"
    # How they are resized for tests; "" for the same way.
    cfg.INPUT.TEST_INTERPOLATION = ""
    # Independently augmented copies of each image in a batch: img, img2, ...
    cfg.INPUT.VIEWS = 1
    # Training transforms in their order, after the resize. Normalize takes MEAN and STD from above.
    cfg.INPUT.TRANSFORMS = free(
        {
            "flip": {"type": "RandomHorizontalFlip", "p": 0.5},
            "crop": {"type": "PadCrop", "pad": 10},
            "normalize": {"type": "Normalize"},
            "erase": {"type": "RandomErasing"},
        }
    )

    cfg.DATALOADER = CfgNode()
    # Worker processes that decode images; 0 decodes in the main process, auto asks the machine: on a GPU one a core, 8
    # at most; on a CPU half as many, none on two cores.
    cfg.DATALOADER.NUM_WORKERS = "auto"
    # Keep decoded images, training and test, for the whole run: auto (in memory, where they take a quarter of what is
    # free or less), on, off, or device (on the GPU, where they take half of what is free or less; else as auto).
    cfg.DATALOADER.CACHE = "auto"

    # Which images make a batch.
    cfg.SAMPLER = free({"type": "IdentitySampler", "num_instances": 4})


def _add_parts(cfg: CfgNode) -> None:
    cfg.MODEL = free({"type": "Embedder"})
    # Checkpoint that the whole model starts from, a path or zoo://NAME; "" for none.
    cfg.MODEL.WEIGHTS = ""
    # Images that share batch-norm statistics while training (ghost batch norm); 0: the whole batch, over all processes.
    cfg.MODEL.BN_GROUP = 0
    # Sets of batch-norm statistics, one per domain; 1: shared.
    cfg.MODEL.BN_DOMAINS = 1
    cfg.BACKBONE = free({"type": "ResNet", "depth": 50, "last_stride": 1, "pretrained": "imagenet"})
    cfg.HEAD = free({"type": "BNNeck"})

    # Name -> loss: {type, <arguments>, weight: 1.0, inputs: {parameter: tensor}, phase: model}.
    cfg.LOSSES = free()
    # Name -> memory.
    cfg.MEMORIES = free()
    # Name -> discriminator.
    cfg.DISCRIMINATORS = free()
    # How pseudo labels are made; {}: not at all.
    cfg.CLUSTERER = free()


def _add_training(cfg: CfgNode) -> None:
    # Part name -> optimizer.
    cfg.OPTIMIZERS = free({"model": {"type": "Adam", "lr": 3.5e-4, "weight_decay": 5e-4}})
    cfg.TRAINER = free({"type": "BaselineTrainer"})
    # Name -> hook. These every run has unless it sets one to null; a learning-rate schedule is a hook too.
    cfg.HOOKS = free(
        {
            "stop_on_nan": {"type": "StopOnNaNHook"},
            "evaluate": {"type": "EvaluateHook"},
            "log": {"type": "LogHook"},
            "progress": {"type": "ProgressHook"},
            "checkpoint": {"type": "CheckpointHook"},
        }
    )


def _add_solver(cfg: CfgNode) -> None:
    cfg.SOLVER = CfgNode()
    cfg.SOLVER.MAX_EPOCHS = 20
    # Iterations of an epoch; 0: one pass of the sampler.
    cfg.SOLVER.ITERS_PER_EPOCH = 0
    # Images in a batch of each training set, over all processes.
    cfg.SOLVER.IMS_PER_BATCH = 64
    # fp32, bf16 or fp16 (autocast; fp16 scales the loss, and leaves out a step whose gradient overflows).
    cfg.SOLVER.PRECISION = "fp32"
    # How backbones are trained faster on a GPU, in one process: graph records their kernels (CUDA graphs: two launches
    # a step in place of a thousand; nothing else changes); default, reduce-overhead and max-autotune are modes of
    # torch.compile, which fuses kernels, too, and takes minutes to begin; "" for none.
    cfg.SOLVER.COMPILE = ""
    # Let cuDNN time its algorithms and take the fastest; two runs may then differ in the last bits.
    cfg.SOLVER.CUDNN_BENCHMARK = False
    # Deterministic kernels on the GPU: a run repeats itself, and resumes, bit by bit.
    cfg.SOLVER.DETERMINISTIC = False
    # Images of a process that are forwarded at once; 0: its whole batch. Losses are over the whole batch all the same.
    # Batch norm has a chunk's statistics, or those of MODEL.BN_GROUP, of which a chunk is a multiple.
    cfg.SOLVER.CHUNK = 0
    # Compute the backbones' activations again in the backward pass instead of keeping them (gradient checkpointing).
    cfg.SOLVER.RECOMPUTE = False
    # Channels-last memory layout: faster convolutions.
    cfg.SOLVER.CHANNELS_LAST = True
    # Largest norm of the gradient; 0: not clipped.
    cfg.SOLVER.GRAD_CLIP = 0.0
    # Epochs between checkpoints; the last epoch's is always written.
    cfg.SOLVER.CHECKPOINT_PERIOD = 1
    # Least seconds between them, for short epochs: writing a large model would take a share of each.
    cfg.SOLVER.CHECKPOINT_SECONDS = 60
    # Iterations between further checkpoints in the middle of an epoch; 0: none.
    cfg.SOLVER.CHECKPOINT_ITERS = 0


def _add_test(cfg: CfgNode) -> None:
    cfg.TEST = CfgNode()
    # Epochs between evaluations; 0: only at the end of the stage.
    cfg.TEST.EVAL_PERIOD = 0
    # Images in a batch of the evaluation.
    cfg.TEST.IMS_PER_BATCH = 128
    # Distance between embeddings: cosine or euclidean.
    cfg.TEST.METRIC = "cosine"
    # Average precision as a step sum (scikit-learn) or by trapezoids (the first Market-1501 code).
    cfg.TEST.AP = "step"
    # auto (the dataset's own), or a protocol's name.
    cfg.TEST.PROTOCOL = "auto"
    # Sum the embeddings of an image and its mirror image.
    cfg.TEST.FLIP = False
    # k-reciprocal re-ranking (Zhong et al., CVPR 2017) with its k1, k2 and lambda.
    cfg.TEST.RERANK = CfgNode({"ENABLED": False, "K1": 20, "K2": 6, "LAMBDA": 0.3})
    # Average query expansion (Chum et al., ICCV 2007): a query becomes the mean of itself and its K nearest gallery
    # images, each with the weight cosine^ALPHA; before the re-ranking. For METRIC cosine.
    cfg.TEST.QUERY_EXPANSION = CfgNode({"ENABLED": False, "K": 5, "ALPHA": 0.0})
    # Verification: the true positive rate of all pairs at these false positive rates, as TPR@FPR=RATE in the results.
    cfg.TEST.ROC = CfgNode({"ENABLED": False, "RATES": [1e-4, 1e-3, 1e-2]})
