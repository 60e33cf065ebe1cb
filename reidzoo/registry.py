"""Every registry of reidzoo, each with the contract that a registered thing keeps.

A third party adds a part without editing this package::

    from reidzoo.registry import LOSS

    @LOSS.register_module()
    class MyLoss(nn.Module): ...

and names its own package under ``PLUGINS`` in the YAML. A dotted ``type`` (``torch.nn.CrossEntropyLoss``) is imported
as it stands. Locations are lazy: nothing is imported before a registry is first asked.
"""

from __future__ import annotations

import inspect
import os
import re
import traceback
from collections.abc import Mapping
from typing import Any

from mmengine.registry import Registry as MMEngineRegistry

from reidzoo.errors import ConfigError, UserError
from reidzoo.suggest import did_you_mean

__all__ = [
    "BACKBONE", "CLUSTERER", "DATASET", "DISCRIMINATOR", "HEAD", "HOOK", "LOSS", "MEMORY", "MODEL", "SAMPLER",
    "SCHEME", "TRAINER", "TRANSFORM", "Registry",
]  # fmt: skip

MISFITS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What a constructor raises that was given a value of the wrong kind or size."""


class Registry(MMEngineRegistry):
    """mmengine's registry with errors that help: the near miss, what is registered, and the parameters of a class."""

    def __init__(self, name: str, *locations: str) -> None:
        super().__init__(name, build_func=build_from_node, scope="reidzoo", locations=list(locations))

    def build(self, node: Mapping[str, Any], /, **given: Any) -> Any:
        """Build what ``node["type"]`` names; see ``build_from_node``."""
        return self.build_func(node, registry=self, **given)

    def get(self, key: str) -> Any:
        """Return what is registered as ``key``, or what a dotted ``key`` imports.

        Raises:
            ConfigError: nothing has that name.
        """
        try:
            found = super().get(key)
        except (RuntimeError, ValueError):
            found = None
        if found is None:
            names = sorted(self.module_dict)
            raise ConfigError(
                f"{self.name}: nothing is registered as {key!r}.{did_you_mean(key, names)} Registered: "
                f"{', '.join(names) or 'nothing'}. "
                f"A part of your own is registered by the package named under PLUGINS; a dotted path is imported."
            )
        return found


def build_from_node(node: Mapping[str, Any], /, *, registry: Registry, **given: Any) -> Any:
    """Build what ``node["type"]`` names, with the node's other entries and ``given`` as keyword arguments.

    Args:
        node: a mapping with ``type``; every other key is a constructor argument.
        registry: where ``type`` is looked up.
        given: arguments that the framework supplies, such as ``num_classes``. The node may not repeat them.

    Raises:
        ConfigError: no ``type``, an unknown ``type``, arguments that the class does not take, or values that make its
            constructor fail.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        raise ConfigError(f"{registry.name}: expected an entry with a 'type', got {dict(node) if node else node!r}")
    cls = registry.get(node["type"])
    own = {key: value for key, value in node.items() if key != "type"}
    arguments = {**own, **given}
    try:
        inspect.signature(cls).bind(**arguments)
    except (TypeError, ValueError) as error:
        names = ", ".join(f"{name}=..." for name in dict.fromkeys([*given, *arguments]))
        raise ConfigError(
            f"{registry.name}: {describe(cls)} cannot take these arguments: {error}. It is called as "
            f"{getattr(cls, '__name__', node['type'])}({names})"
        ) from None
    try:
        return cls(**arguments)
    except UserError:
        raise
    except MISFITS as error:
        if not own:
            raise  # no value of the user's can be the cause
        raise ConfigError(f"{registry.name}: {misfit(cls, own, error)}") from error


def misfit(cls: Any, values: Mapping[str, Any], error: Exception) -> str:
    """Return a message on a constructor that failed: the values it was given, and what went wrong where."""
    named = [name for name in values if re.search(rf"\b{re.escape(name)}\b", str(error))] or list(values)
    shown = ", ".join(f"{name}: {values[name]!r}" for name in named)
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    return f"{getattr(cls, '__name__', cls)} cannot be built with {shown}: {type(error).__name__}: {error} ({place})"


def describe(cls: Any) -> str:
    """Return ``name(parameters) in file`` for an error message."""
    try:
        return f"{cls.__name__}{inspect.signature(cls)} in {inspect.getsourcefile(cls)}"
    except (TypeError, ValueError):
        return repr(cls)


BACKBONE = Registry("BACKBONE", "reidzoo.backbones")
"""``forward(images (B, 3, H, W)) -> feature map (B, C, h, w)``; attribute ``out_channels`` = C."""

HEAD = Registry("HEAD", "reidzoo.heads")
"""``Head(in_channels, num_classes, ...)``; ``forward(feature map) -> dict``: ``feat`` (B, D) for metric losses,
``embedding`` (B, D) for retrieval, and while training with ``num_classes > 0`` also ``logits`` (B, num_classes)."""

MODEL = Registry("MODEL", "reidzoo.models")
"""``forward(images) -> dict`` as its head returns it; ``embed(images) -> (B, D)`` L2-normalised, for retrieval. A model
that embeds the two sides of a test differently has ``embed_query(images)`` and ``embed_gallery(images)`` beside it: the
evaluation calls them in its place, and they may leave the norm as it is for ``TEST.METRIC euclidean``. Weights that
embedding does not need are named in ``training_only``, patterns such as ``decoder.*``: model files leave them out."""

LOSS = Registry("LOSS", "reidzoo.losses")
"""An ``nn.Module`` whose ``forward`` parameter *names* say which tensors it takes, e.g. ``forward(self, feat, pid)``;
returns a scalar. Inputs arrive in float32 and hold the whole batch, also when several processes share it."""

MEMORY = Registry("MEMORY", "reidzoo.memories")
"""An ``nn.Module`` with its state in buffers; ``forward(feat, index) -> scores``; ``update(feat, index)`` under
``no_grad``, called by the trainer after the optimizer's step."""

DISCRIMINATOR = Registry("DISCRIMINATOR", "reidzoo.discriminators")
"""``Discriminator(in_channels, ...)``; ``forward(feat (B, D)) -> logits (B, classes)``."""

CLUSTERER = Registry("CLUSTERER", "reidzoo.clustering")
"""``fit_predict(features (N, D)) -> labels``: int64 (N,), -1 = outlier, clusters numbered by their first member."""

DATASET = Registry("DATASET", "reidzoo.datasets")
"""``Dataset(root, ...)`` with ``train``, ``query`` and ``gallery``: lists of ``Record``. Raises ``DatasetError`` saying
what is missing, where it was looked for and where to get it."""

SAMPLER = Registry("SAMPLER", "reidzoo.samplers")
"""``Sampler(data, batch_size, ...)`` for a training set with the columns ``pids``, ``camids`` and ``domains`` (N,);
``batches(seed, epoch, count)`` returns a list of index arrays, from its arguments alone: the same call gives the same
batches in any process."""

TRANSFORM = Registry("TRANSFORM", "reidzoo.transforms")
"""``transform(images (B, 3, H, W), draw) -> images``: whole batches, uint8 or float32, on any device; every random
number comes from ``draw.uniform(count)``, (B, count) numbers in [0, 1) from (seed, epoch, position) alone. A transform
that changes the images' size has ``out_size(size) -> size``, both (height, width): it is the size that a model is
tested at."""

TRAINER = Registry("TRAINER", "reidzoo.trainers")
"""``train_step(batch) -> dict of detached scalars``; owns the named parts, their optimizers and the phase."""

HOOK = Registry("HOOK", "reidzoo.hooks")
"""mmengine's event names and signatures (``before_train_epoch(runner)`` ...), with a ``Runner`` of
``engine/runner.py``, so that mmengine's own hooks, which expect its ``Runner``, do not fit; a ``priority``, and
optionally ``state_dict`` / ``load_state_dict`` of plain values and tensors, kept in every checkpoint under the hook's
name."""

SCHEME = Registry("SCHEME", "reidzoo.zoo.lookup", "reidzoo.engine.run_folder")
"""A function ``scheme(name) -> Path``: the file on this machine that ``SCHEME://name`` means wherever weights are
named, such as ``zoo://domainmix_mini``. Raises ``WeightsError``, ``UnknownModelError`` for a name it does not know."""
