"""Every registry of reidzoo, each with the contract that a registered thing keeps.

A third party adds a part without editing this package::

    from reidzoo.registry import LOSS

    @LOSS.register_module()
    class MyLoss(nn.Module): ...

and names its own package under ``PLUGINS`` in the YAML. A dotted ``type`` (``torch.nn.CrossEntropyLoss``) is imported
as it stands. Locations are lazy: nothing is imported before a registry is first asked, or first given a part of another
package, which could otherwise take the name of a part that is not there yet.

``reidzoo.testing`` checks what a contract says: ``check_loss({"type": "MyLoss"})`` is one line of its author's tests.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from mmengine.registry import Registry as MMEngineRegistry

from reidzoo.errors import ConfigError, UserError
from reidzoo.suggest import did_you_mean

__all__ = [
    "BACKBONE", "CLUSTERER", "DATASET", "DISCRIMINATOR", "HEAD", "HOOK", "LOSS", "MEMORY", "MODEL", "SAMPLER",
    "SCHEME", "SWITCH_RULE", "TRAINER", "TRANSFORM", "Registry",
]  # fmt: skip

MISFITS = (AssertionError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What a constructor raises that was given a value of the wrong kind or size."""

EXTRAS = {"pytorch_metric_learning": "reidzoo[metric-learning]"}
"""Packages whose classes configurations name by their dotted paths -> what installs them."""

Part = TypeVar("Part", bound=Callable[..., Any])


class Registry(MMEngineRegistry):
    """mmengine's registry with errors that help: the near miss, what is registered, and the parameters of a class.

    Args:
        name: for messages.
        *locations: the modules that register, imported when it is first asked.
        adapters: start of a dotted name -> the registered part that drives what has such a name and its argument's
            name: ``{type: torch.optim.lr_scheduler.StepLR, step_size: 20}`` is a HOOK by way of ``TorchSchedule``.
    """

    def __init__(self, name: str, *locations: str, adapters: Mapping[str, tuple[str, str]] | None = None) -> None:
        super().__init__(name, build_func=build_from_node, scope="reidzoo", locations=list(locations))
        self.adapters = dict(adapters or {})

    def adapted(self, node: Any) -> Any:
        """Return a node as it is, or that of the adapter of what it names."""
        kind = node.get("type") if isinstance(node, Mapping) else None
        for start, (adapter, argument) in self.adapters.items():
            if isinstance(kind, str) and kind.startswith(start):
                return {"type": adapter, argument: dict(node)}
        return node

    @overload
    def register_module(
        self, name: str | list[str] | None = None, force: bool = False, module: None = None
    ) -> Callable[[Part], Part]: ...
    @overload
    def register_module(self, name: str | list[str] | None = None, force: bool = False, *, module: Part) -> Part: ...
    def register_module(self, name: str | list[str] | None = None, force: bool = False, module: Any = None) -> Any:
        """Register ``module``, or as a decorator what follows, under its own name or another; return it.

        Args:
            name: the name, or several; the class's or function's own by default.
            force: whether to take the place of what has the name already.
            module: a class or a function.

        Raises:
            KeyError: the name is taken.
        """
        return super().register_module(name, force, module)

    def _register_module(self, module: Any, module_name: str | list[str] | None = None, force: bool = False) -> None:
        """Register ``module``, one of another package after this package's own, which its name could keep out."""
        if getattr(module, "__module__", "").partition(".")[0] != "reidzoo":
            self.import_from_location()
        super()._register_module(module, module_name, force)

    def build(self, node: Mapping[str, Any], /, **given: Any) -> Any:
        """Build what ``node["type"]`` names, by its adapter if it has one; see ``build_from_node``."""
        return self.build_func(self.adapted(node), registry=self, **given)

    def get(self, key: str) -> Any:
        """Return what is registered as ``key``, or what a dotted ``key`` imports.

        A ``key`` without a dot imports nothing beyond the registry's own locations: it may come from a model file.

        Raises:
            ConfigError: nothing has that name.
        """
        self.import_from_location()
        found = self.module_dict.get(key)
        if found is None and "." in key:
            try:
                found = super().get(key)
            except (RuntimeError, ValueError):
                found = None
        if found is None:
            names = sorted(self.module_dict)
            module, _, name = key.rpartition(".")
            if module in sys.modules:
                there = [item for item, value in vars(sys.modules[module]).items() if inspect.isclass(value)]
                raise ConfigError(f"{self.name}: {module} has no {name}.{did_you_mean(name, there, 0.7)}")
            raise ConfigError(
                f"{self.name}: nothing is registered as {key!r}.{did_you_mean(key, names)}{_not_installed(key)} "
                f"Registered: {', '.join(names) or 'nothing'}. "
                f"A part of your own is registered by the package named under PLUGINS; a dotted path is imported."
            )
        return found


def _not_installed(key: str) -> str:
    """Return that the package of a dotted ``key`` is not there, "" if it is or there is no dot."""
    package, dot, _ = key.partition(".")
    if not dot or not package.isidentifier() or importlib.util.find_spec(package) is not None:
        return ""
    extra = EXTRAS.get(package)
    return f" There is no package {package} here{f': pip install {extra!r}' if extra else ''}."


def build_from_node(node: Mapping[str, Any], /, *, registry: Registry, **given: Any) -> Any:
    """Build what ``node["type"]`` names, with the node's other entries and ``given`` as keyword arguments.

    Args:
        node: a mapping with ``type``; every other key is a constructor argument.
        registry: where ``type`` is looked up.
        given: arguments that the framework supplies, such as ``num_classes``. The node may not repeat them.

    Raises:
        ConfigError: no ``type``, an unknown ``type``, arguments that the class does not take, or values that make its
            constructor fail; or the node repeats what is ``given``.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        shown = dict(node) if isinstance(node, Mapping) else node
        raise ConfigError(f"{registry.name}: expected an entry with a 'type', got {shown!r}")
    cls = registry.get(node["type"])
    own = {key: value for key, value in node.items() if key != "type"}
    arguments = {**own, **given}
    if repeated := [name for name in own.keys() & given.keys() if own[name] is not given[name]]:
        raise ConfigError(
            f"{registry.name}: {node['type']} is given its {', '.join(sorted(repeated))} by the framework; remove it"
        )
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
    shown = ", ".join(f"{name}: {values[name]!r}" for name in named) or "no arguments"
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
"""``Backbone(...)``, an ``nn.Module``: ``forward(images (B, 3, H, W)) -> feature map (B, C, h, w)``, for images of any
size; attribute ``out_channels`` = C. A map that is those of n branches, one after the other along the channels, is
announced by an attribute ``num_maps`` = n, and a HEAD that takes it apart has the same.

All that it has learnt is in parameters and buffers. In evaluation mode it draws no random numbers, and an image's map
depends on that image alone.

An argument ``pretrained`` is optional. Where there is one, ``""`` has to mean random weights: a trained model is built
so, before its own weights are loaded. A constructor that fetches weights and has no such argument fetches them each
time that a trained model is loaded.

``reidzoo.testing.check_backbone`` checks this contract."""

HEAD = Registry("HEAD", "reidzoo.heads")
"""``Head(in_channels, num_classes, ...)``, an ``nn.Module``: ``forward(feature map (B, C, h, w)) -> dict``: ``feat``
(B, D') for metric losses, ``embedding`` (B, D) for retrieval, and while training with ``num_classes > 0`` also
``logits``, (B, num_classes), or (B, n, num_classes) of n branches.

The attribute ``embedding_dim`` = D: discriminators and memories are built for it. The attribute ``classifier`` holds
all the weights that depend on the identities, and is None for ``num_classes=0``, which is how a trained model is
loaded: ``head.classifier.*`` is left out of model files, and the embedding may not need it.

``reset_classifier(num_classes, centroids=None)`` gives it another classifier, always of new parameters, when pseudo
labels change the identities: a random one, or one that begins with the class means ``centroids`` (num_classes, D). A
head that cannot begin with them raises ``ValueError``.

In evaluation mode it draws no random numbers, and an image's embedding depends on that image alone.
``reidzoo.testing.check_head`` checks this contract."""

MODEL = Registry("MODEL", "reidzoo.models")
"""``Model(backbone, head, num_classes, ...)`` with the nodes BACKBONE and HEAD: ``forward(images) -> dict`` as its head
returns it; ``embed(images) -> (B, D)`` L2-normalised, for retrieval; attribute ``embedding_dim`` = D;
``reset_classifier`` as a HEAD has it, where pseudo labels are used.

A model that embeds the two sides of a test differently has ``embed_query(images)`` and ``embed_gallery(images)`` beside
it: the evaluation calls them in its place, and they may leave the norm as it is for ``TEST.METRIC euclidean``. Weights
that embedding does not need are named in ``training_only``, patterns such as ``decoder.*``: model files leave them
out."""

LOSS = Registry("LOSS", "reidzoo.losses")
"""An ``nn.Module`` whose ``forward`` parameter *names* say which tensors it takes, e.g. ``forward(self, feat, pid)``;
returns a scalar, finite and with a gradient. Inputs arrive in float32 and hold the whole batch, also when several
processes share it; they are left as they are, since other losses take them too.

A batch may hold one image of each identity, or one identity alone: a loss is finite there as well. An image of identity
-1 is nobody's: a loss that takes ``pid`` raises an error or leaves the image out, and does not count all of them as one
person (``reidzoo.losses.labels.check_labels`` raises). What it keeps between calls is in buffers.

``num_classes`` and the embedding's size, as ``dim``, ``embedding_size``, ``embedding_dim``, ``feat_dim`` or
``descriptors_dim``, are given to a constructor that has them, or whose base's has where it takes ``**kwargs``. What it
then takes has to be of that size. Parameters are moved by the optimizer of the loss's phase, or by one of OPTIMIZERS
that has the loss's name. ``reset_classes(num_classes)`` is optional: it is called when pseudo labels change the
classes.

``reidzoo.testing.check_loss`` checks this contract."""

MEMORY = Registry("MEMORY", "reidzoo.memories")
"""``Memory(dim=D, ...)``, an ``nn.Module`` with all its state in buffers, so that checkpoints hold it: ``forward(feat
(B, D), index (B,)) -> scores`` with gradient for ``feat``; ``update(feat, index)`` under ``no_grad``, called by the
trainer after the optimizer's step. Trainers may give both further arguments, such as ``epoch``.

``update`` changes the rows ``index`` and no others; a row that occurs several times is moved as often, in the order of
the batch; a row that does not exist, be it -1, is an ``IndexError``.

Several processes: each has the whole memory. A memory does not communicate. *The trainer* gathers the batch and
gives every process all of it, ``memory.update(gather(feat), gather(index))`` with ``reidzoo.distributed.gather``; with
the process's own share alone the memories drift apart, which is found out when the run is saved.

``reidzoo.testing.check_memory`` checks this contract, in two processes too."""

DISCRIMINATOR = Registry("DISCRIMINATOR", "reidzoo.discriminators")
"""``Discriminator(in_channels=D, ...)``, an ``nn.Module``: ``forward(feat (B, D)) -> logits (B, classes)``, or (B, n,
classes) of n branches, with gradient for ``feat`` and for its own parameters. In evaluation mode it draws no random
numbers, and an image's logits depend on that image alone.

A batch norm in it has statistics of the process's own share of the batch, unless the trainer gives the discriminator to
``reidzoo.models.convert_batch_norm``. ``reidzoo.testing.check_discriminator`` checks this contract."""

CLUSTERER = Registry("CLUSTERER", "reidzoo.clustering")
"""``fit_predict(features (N, D)) -> labels``: a numpy array, int64 (N,), -1 = outlier, clusters 0, 1, ... numbered by
their first member. Features are float32 and left as they are. They are on the CPU, or with an attribute ``on_device``
that is true on the training device where they fit. The labels follow from the features and from what the clusterer
remembers, never from global random numbers; what it remembers, such as a threshold that it chose once, is in
``state_dict`` and ``load_state_dict``, plain values and tensors. Rank 0 alone calls it.
``reidzoo.testing.check_clusterer`` checks this contract."""

DATASET = Registry("DATASET", "reidzoo.datasets")
"""``Dataset(root, ...)`` with ``train``, ``query`` and ``gallery``, lists of ``Record``, which ``records("train")`` and
so on return too. Raises ``DatasetError`` saying what is missing, where it was looked for and where to get it.

What it says of itself: ``name`` for logs and tables; ``folder``, which the paths of label files are relative to;
``protocol``, the evaluation protocol, by name or a ``Protocol`` class; ``is_twin``, whether the images are rendered in
place of the real ones, which results then say; ``repeats``, which may be missing: how often a protocol with random
galleries draws them, None for its own number. A subclass of ``reidzoo.datasets.Dataset`` has all of it and writes
``scan(split)`` alone.

Records come in the same order each time, each file once in a split; pid is -1 for no identity, camid is 0 or more.
Query and gallery are both there or both empty. ``reidzoo.testing.check_dataset`` checks this contract."""

SAMPLER = Registry("SAMPLER", "reidzoo.samplers")
"""``Sampler(data, batch_size, ...)`` for a training set with the columns ``pids``, ``camids`` and ``domains`` (N,),
built anew before each epoch, since labels may have changed. ``batches(seed, epoch, count)`` returns a list of index
arrays (batch_size,) of integers below N, from its arguments alone: the same call gives the same batches in any process.

``count`` is how many batches; the sampler starts over as often as that takes. ``count=0`` means one pass, as many as
the sampler thinks right, at least one. ``batch_size`` is of all processes together. Images of identity -1 are not
drawn, except by a sampler for unlabelled images. ``reidzoo.testing.check_sampler`` checks this contract."""

TRANSFORM = Registry(
    "TRANSFORM", "reidzoo.transforms", adapters={"torchvision.transforms.": ("TorchvisionTransform", "transform")}
)
"""``transform(images (B, 3, H, W), draw) -> images``: whole batches, uint8 or float32, on any device; every random
number comes from ``draw.uniform(count)``, (B, count) numbers in [0, 1) from (seed, epoch, position) alone, so that an
image's result does not depend on the other images or on how many processes share the batch. uint8 images are left as
they are, since a second view starts from them; floating ones may be written in place. A constructor's parameters
``mean`` and ``std`` are filled from INPUT.MEAN and INPUT.STD.

``out_size(size) -> size``, both (height, width), is optional, for a transform that changes the images' size: it is the
size that a model is tested at. ``mixes``, true where an image's result depends on others of the batch, is optional,
too: such a transform gathers the batch of several processes. ``reidzoo.testing.check_transform`` checks this contract.

A class of ``torchvision.transforms``, by its dotted name, is driven by ``TorchvisionTransform``."""

TRAINER = Registry("TRAINER", "reidzoo.trainers")
"""A subclass of ``reidzoo.trainers.Trainer``, built with ``cfg``, ``sets``, ``output_dir``, ``device`` and what its
node says. It has a ``step_<phase>(batch) -> dict of detached scalars`` for each of its phases, ``model`` if there is
one alone, and what ``needs`` declares of a phase's losses and optimizer is checked before the training.

A step moves parameters through ``minimize`` and leaves ``phase`` to hooks. What it keeps between steps is in parts
(buffers of a module), so that a resumed run ends as one that was never stopped. What several processes have to agree
on, such as a memory's rows, it computes from the gathered batch. Optional are ``validation_loss(batch)``, by which
``EarlyStopHook`` stops, and ``validator(dataset)``, by which ``AlternationHook`` decides.
``reidzoo.testing.check_trainer`` checks this contract."""

HOOK = Registry("HOOK", "reidzoo.hooks", adapters={"torch.optim.lr_scheduler.": ("TorchSchedule", "scheduler")})
"""Methods named after moments, those of ``reidzoo.hooks.Hook`` with their signatures: ``before_train(runner)``,
``before_train_epoch``, ``before_train_iter(runner, batch_idx, data_batch)``, ``after_train_iter(runner, batch_idx,
data_batch, outputs)``, ``after_train_epoch``, ``after_train``, ``save_point``; any of them may be missing. The names
and signatures are mmengine's, the ``Runner`` is that of ``engine/runner.py``, so that mmengine's own hooks, which
expect its ``Runner``, do not fit.

One more, ``rehearse(runner)``, is called in the dry run before a run's first step, alone, on a trainer that is thrown
away: it checks what the hook needs, so that a mistake in a late stage does not come up late, and brings about what
steps need of it, such as labels, from made-up numbers. A hook that assigns the phase returns all that it may assign
from ``phases()``.

``priority``, a whole number or a name of mmengine's such as ``LOW``, orders the hooks, smallest first; 50 if there is
none. ``state_dict`` and ``load_state_dict`` are optional, both or neither: plain values and tensors, kept in every
checkpoint under the hook's name. Every process calls every hook. ``reidzoo.testing.check_hook`` checks this
contract.

A scheduler of torch, by its dotted name, is driven by ``TorchSchedule``."""

SWITCH_RULE = Registry("SWITCH_RULE", "reidzoo.hooks")
"""What decides by measures on held-out images which action ``AlternationHook`` takes next; ``reidzoo.hooks.SwitchRule``
is the base. ``begin(measured)`` is called once with the measures before the first action, a mapping of names to
numbers; ``decide(measured)`` after each action, and once right after ``begin``: it returns the next action's name, or
``end``. ``actions`` and ``measures`` name what it may return, without ``end``, and what it looks up: both are checked
before the training. ``thresholds``, a mapping of names to numbers, goes into the record of each decision.

The decision follows from the measures and from what the rule remembers, which is in ``state_dict`` and
``load_state_dict``, plain values that JSON can hold. ``reidzoo.testing.check_switch_rule`` checks this contract."""

SCHEME = Registry("SCHEME", "reidzoo.zoo.lookup", "reidzoo.engine.run_folder")
"""A function ``scheme(name) -> Path``: the file on this machine that ``SCHEME://name`` means wherever weights are
named, such as ``zoo://domainmix_mini``. Raises ``WeightsError``, ``UnknownModelError`` for a name it does not know."""
