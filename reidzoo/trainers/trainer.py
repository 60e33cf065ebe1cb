"""The training loop of one stage: parts, phases, hooks, and a state that resumes bit for bit."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from yacs.config import CfgNode

from reidzoo import distributed
from reidzoo.backbones.side_information import SideInformation, side_information
from reidzoo.datasets import TrainSet
from reidzoo.engine.backends import backends
from reidzoo.engine.build import build_loader, build_model
from reidzoo.engine.cameras import check_cameras
from reidzoo.engine.compilation import compile_backbones
from reidzoo.engine.cosine_logits import check_cosine_logits
from reidzoo.engine.loss_parameters import place_loss_parameters
from reidzoo.engine.optim import Optimizer, build_optimizers
from reidzoo.engine.phases import step_phases
from reidzoo.engine.precision import autocast
from reidzoo.engine.recompute import check_chunks, forward_in_chunks, recompute_blocks
from reidzoo.engine.run_folder import StageFolder
from reidzoo.engine.seed import load_random_state, random_state
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.hooks.hook import build_hooks
from reidzoo.losses import LossSet
from reidzoo.models import deferred_statistics, load_weights, safe_read
from reidzoo.registry import CLUSTERER, DISCRIMINATOR, MEMORY

__all__ = ["Trainer", "needs"]

logger = logging.getLogger("reidzoo")

Step = TypeVar("Step", bound=Callable[..., dict[str, Tensor]])


def needs(*phases: str, optimizer: str = "") -> Callable[[Step], Step]:
    """Declare on a ``step_<phase>`` the losses and the optimizer it needs, so that a run without them never begins.

    Args:
        phases: whose losses the step takes.
        optimizer: which it calls; that of the first phase's name by default. A step of two has the decorator twice.
    """

    def declare(step: Step) -> Step:
        vars(step)["needs"] = ((phases, optimizer or phases[0]), *getattr(step, "needs", ()))
        return step

    return declare


class Trainer:
    """Trains one stage. A method is a subclass with one ``step_<phase>`` for each of its phases.

    ``train_step`` calls ``step_<phase>``, and only a hook assigns ``phase``. Everything that a step does to weights is
    visible in the step, most of which end with ``minimize``. Hooks may use what ``engine/runner.py`` lists, and nothing
    private.
    """

    def __init__(self, cfg: CfgNode, sets: Mapping[str, TrainSet], output_dir: Path, device: torch.device) -> None:
        self.cfg, self.sets, self.output_dir, self.device = cfg, dict(sets), Path(output_dir), device
        self.files = StageFolder(self.output_dir)
        self.phase = "model"
        self.epoch = self.step = self.iter = 0
        self.max_epochs = cfg.SOLVER.MAX_EPOCHS
        self.scalars: dict[str, Tensor] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.stop = False
        self.relabelled: set[str] = set()
        self.loader = build_loader(cfg, self.sets, device)
        self.parts = self.build_parts().to(device)
        if cfg.SOLVER.CHANNELS_LAST:
            self.parts.to(memory_format=torch.channels_last)
        self._set_up_networks()
        self.optims = self._build_optimizers()
        self.clusterer = CLUSTERER.build(cfg.CLUSTERER) if cfg.CLUSTERER else None
        self.hooks = build_hooks(cfg.HOOKS)
        self._check_everything_is_trained()
        check_cameras(cfg, self.parts, self.sets)
        check_cosine_logits(self.model, cast(Mapping[str, LossSet], self.losses))

    # ---- parts ------------------------------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        """The part that embeds images: an ``nn.Module`` with what MODEL's contract asks for."""
        return self.parts["model"]

    @property
    def extractor(self) -> Any:
        """What embeds the training images for pseudo labels and memories, by its ``embed``: the model."""
        return self.model

    @property
    def losses(self) -> nn.ModuleDict:
        """Phase -> its losses; none where a trainer's own ``build_parts`` makes no ``losses``."""
        return cast(nn.ModuleDict, self.parts["losses"]) if "losses" in self.parts else nn.ModuleDict()

    @property
    def loss_phases(self) -> tuple[str, ...]:
        """Phases that a loss may belong to: those of the ``step_`` methods, unless a trainer says otherwise."""
        return step_phases(type(self))

    @property
    def num_classes(self) -> int:
        """How many identities the classifier tells apart; 0 for a method without one."""
        return sum(data.num_classes for data in self.sets.values())

    def build_parts(self) -> nn.ModuleDict:
        """Build the model, the named discriminators and memories, and the losses of each phase."""
        cfg = self.cfg
        parts = nn.ModuleDict(self.build_models())
        model: Any = parts["model"]
        dim: int = model.embedding_dim
        for name, node in cfg.DISCRIMINATORS.items():
            self._add_part(parts, name, self.build_discriminator(name, node, dim))
        for name, node in cfg.MEMORIES.items():
            self._add_part(parts, name, self.build_memory(node, dim))
        phases: dict[str, dict] = {}
        for name, node in cfg.LOSSES.items():
            phase = node.get("phase", "model")
            if phase not in self.loss_phases:
                raise ConfigError(
                    f"LOSSES.{name}: {type(self).__name__} has no phase {phase!r}, so that this loss would never be "
                    f"computed; its phases are {', '.join(self.loss_phases)}"
                )
            phases.setdefault(phase, {})[name] = node
        given = {"num_classes": self.num_classes, "dim": dim}
        losses = {phase: LossSet(nodes, distributed.gather, given) for phase, nodes in phases.items()}
        self._add_part(parts, "losses", nn.ModuleDict(losses))
        self._load_initial_weights(parts)
        return parts

    def build_models(self) -> dict[str, nn.Module]:
        """Build the networks; a trainer of several overrides this. ``model`` is the one that is tested and kept."""
        return {"model": build_model(self.cfg, self.num_classes)}

    def _load_initial_weights(self, parts: nn.ModuleDict) -> None:
        """Load what WEIGHTS names for other parts than the model, which ``build_model`` has loaded."""
        for name, path in self.cfg.WEIGHTS.items():
            if name not in parts:
                raise ConfigError(f"WEIGHTS: there is no part {name!r}; the parts are {', '.join(parts)}")
            if name != "model":
                content = safe_read(path)
                saved = content.get("parts", {}).get(name, content) if isinstance(content, dict) else content
                load_weights(parts[name], saved, ignore=tuple(self.cfg.WEIGHTS_IGNORE))

    def build_discriminator(self, name: str, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build one DISCRIMINATOR; a trainer whose discriminator depends on the training sets overrides this."""
        return DISCRIMINATOR.build(node, in_channels=dim)

    def build_memory(self, node: Mapping[str, Any], dim: int) -> nn.Module:
        """Build one MEMORY; a trainer whose memory needs to know the training sets' sizes overrides this."""
        return MEMORY.build(node, dim=dim)

    @staticmethod
    def _add_part(parts: nn.ModuleDict, name: str, part: nn.Module) -> None:
        if name in parts:
            raise ConfigError(f"two parts are called {name!r}; names of discriminators and memories must differ")
        try:
            parts[name] = part
        except KeyError as error:  # torch's, of a name with a dot or of one of its own, such as keys
            raise ConfigError(f"a part cannot be called {name!r} ({error.args[0]}); give it another name") from None

    def _build_optimizers(self, moved: Sequence[nn.Parameter] = ()) -> dict[str, Optimizer]:
        solver, phases = self.cfg.SOLVER, cast(Mapping[str, LossSet], self.losses)
        nodes, along = place_loss_parameters(self.cfg.OPTIMIZERS, phases, self._minimizers())
        optims = build_optimizers(nodes, self.parts, solver.GRAD_CLIP, solver.PRECISION, moved)
        for name, main in along.items():
            optims[main].companions.append(optims[name])
        return optims

    def _minimizers(self) -> dict[str, list[str]]:
        """Return the optimizers that steps declare for the losses of phases; one has its phase's name otherwise.

        A trainer's only step minimises the losses of all phases, by the optimizer of its own name.
        """
        steps = step_phases(type(self))
        declared = [need for phase in steps for need in getattr(getattr(type(self), f"step_{phase}"), "needs", ())]
        if len(steps) == 1:
            declared.append((self.loss_phases, steps[0]))
        return {phase: [name for phases, name in declared if phase in phases] for phase in self.loss_phases}

    def _set_up_networks(self) -> None:
        """Let backbones be computed again or compiled, as SOLVER says."""
        solver = self.cfg.SOLVER
        check_chunks(self.cfg)
        if solver.RECOMPUTE and not sum(
            recompute_blocks(module) for name, module in self.parts.named_modules() if name.split(".")[-1] == "backbone"
        ):
            raise ConfigError("SOLVER.RECOMPUTE: no part has a backbone of blocks; set it to false")
        if solver.COMPILE and (solver.RECOMPUTE or solver.CHUNK):
            raise ConfigError("SOLVER.COMPILE: what is forwarded twice is not compiled; set it, or RECOMPUTE or CHUNK")
        if solver.COMPILE and any(isinstance(module, SideInformation) for module in self.parts.modules()):
            raise ConfigError("SOLVER.COMPILE: a backbone with sie asks for cameras, and is not compiled; set it to ''")
        self.compiled = compile_backbones(self.parts, solver.COMPILE) if solver.COMPILE else []

    def _check_everything_is_trained(self) -> None:
        trained = {id(p) for optim in self.optims.values() for p in optim.parameters}
        idle = [key for key, p in self.parts.named_parameters() if p.requires_grad and id(p) not in trained]
        if idle:
            raise ConfigError(
                f"no optimizer trains {idle[0]}{f' and {len(idle) - 1} more' if idle[1:] else ''}: "
                f"add an entry to OPTIMIZERS, or name it under an entry's 'params'"
            )

    # ---- the loop ---------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Train until ``max_epochs``, or until a hook asks to stop."""
        with backends(self.cfg):
            self.call("before_train")
            self.parts.train()
            while self.epoch < self.max_epochs and not self.stop:
                self._train_epoch()
            if not self.stop:
                self.call("after_train")

    def _train_epoch(self) -> None:
        if self.step == 0:  # an epoch resumed half-way has begun already
            self.call("before_train_epoch")
        for batch in self.loader.epoch(self.epoch, self.step):
            self.call("before_train_iter", batch_idx=self.step, data_batch=batch)
            self.scalars = self.train_step(batch)
            self.step, self.iter = self.step + 1, self.iter + 1
            self.call("after_train_iter", batch_idx=self.step - 1, data_batch=batch, outputs=self.scalars)
            self.call("save_point")
            if self.stop:
                return
        self.call("after_train_epoch")
        self.epoch, self.step = self.epoch + 1, 0
        self.call("save_point")

    def train_step(self, batch: dict) -> dict[str, Tensor]:
        """Take the current phase's step; returns detached scalars for the log."""
        for backbone in self.compiled:
            backbone.begin_step()
        with deferred_statistics(), side_information(batch.get("camid"), batch.get("viewid")):
            return getattr(self, f"step_{self.phase}")(batch)

    def forward(self, images: Tensor, part: str = "model") -> dict[str, Tensor]:
        """Return the outputs of the model, of another part, or of a part's sub-module (``model.gallery``).

        They are computed in the configured precision, and with SOLVER.CHUNK in chunks of the batch.
        """
        if self.cfg.SOLVER.CHANNELS_LAST:
            images = images.contiguous(memory_format=torch.channels_last)
        network = self.parts.get_submodule(part)

        def run(chunk: Tensor) -> dict[str, Tensor]:
            with autocast(self.device, self.cfg.SOLVER.PRECISION):
                return network(chunk)

        if not self.cfg.SOLVER.CHUNK:
            return run(images)
        return forward_in_chunks(run, images, self.cfg.SOLVER.CHUNK, list(network.parameters()))

    def minimize(
        self, *phases: str, tensors: Mapping[str, Tensor], optimizer: str = "", **options: bool
    ) -> dict[str, Tensor]:
        """Minimise the sum of the losses of ``phases`` by one step of an optimizer; return them detached, for the log.

        Args:
            phases: whose losses, all computed on ``tensors``.
            tensors: what losses find by name: the batch and what the step has made of it.
            optimizer: its name; that of the first phase by default.
            **options: what else ``LossSet.forward`` takes: ``whole``.

        Raises:
            ConfigError: there is no loss of a phase, or no such optimizer.
        """
        optimizer = optimizer or phases[0]
        self._require(self.phase, phases, optimizer)
        losses: dict[str, Tensor] = {}
        for phase in phases:
            losses |= self.losses[phase](tensors, **options)
        return self.minimize_sum(losses, optimizer)

    def minimize_sum(self, losses: Mapping[str, Tensor], optimizer: str) -> dict[str, Tensor]:
        """Minimise the sum of scalar ``losses`` by one step of an optimizer; return them detached, for the log."""
        self.optims[optimizer].minimize(reduce(add, losses.values()))
        return {name: loss.detach() for name, loss in losses.items()}

    def check_phase(self, phase: str) -> None:
        """Check that there is a step for ``phase``, and every loss and optimizer that the step ``needs``.

        Raises:
            ConfigError: there is not.
        """
        step = getattr(self, f"step_{phase}", None)
        if step is None:
            known = list(step_phases(type(self)))
            raise ConfigError(f"HOOKS: {type(self).__name__} has no phase {phase!r}; it has {known}")
        for phases, optimizer in getattr(step, "needs", ()):
            self._require(phase, phases, optimizer)

    def _require(self, phase: str, loss_phases: Sequence[str], optimizer: str) -> None:
        missing = [f"LOSSES: a loss of phase {name}" for name in loss_phases if name not in self.losses]
        if optimizer not in self.optims:
            missing.append(f"OPTIMIZERS.{optimizer}")
        if missing:
            raise ConfigError(
                f"{type(self).__name__} lacks {' and '.join(missing)}, which its phase {phase!r} takes; add what is "
                f"missing, or give the phase no turn in HOOKS"
            )

    def call(self, event: str, **arguments: Any) -> None:
        """Call ``event`` on every hook that has it."""
        for hook in self.hooks.values():
            method = getattr(hook, event, None)
            if method is not None:
                method(self, **arguments)

    # ---- labels -----------------------------------------------------------------------------------------------------

    def relabel(self, name: str, labels: Tensor, centroids: Tensor | None = None) -> None:
        """Give training set ``name`` new labels, int64 (N,), -1 for images to leave out, and make the classifier fit.

        The classifier is replaced by one of ``centroids`` (num_classes, D) or of random weights; the old one's moments
        are dropped.
        """
        self.sets[name].relabel(labels.cpu().numpy())
        self.relabelled.add(name)
        self.renew_classifier(centroids)

    def renew_classifier(self, centroids: Tensor | None = None) -> None:
        """Replace the classifier by one with ``num_classes`` rows, and rebuild the optimizers for it."""
        self.model.reset_classifier(self.num_classes, centroids)
        self.renew_for_classes()

    def renew_for_classes(self) -> None:
        """Make the losses and the optimizers fit the present classes; what is new goes to the device in between."""
        self.renew_losses()
        self.parts.to(self.device)
        self.renew_optimizers()

    def renew_losses(self) -> None:
        """Tell the losses that the classes have changed: centres and memories of features begin anew."""
        for losses in self.losses.values():
            cast(LossSet, losses).reset_classes(self.num_classes)

    def renew_optimizers(self, keep: bool = True) -> None:
        """Rebuild the optimizers for the present parameters; with ``keep`` they keep the state of those that stayed.

        A first classifier gets its optimizer in this way, too: only the configuration says which one. What is frozen at
        the moment stays with its optimizer, which does not move it before it is trained again.
        """
        moved = [parameter for optim in self.optims.values() for parameter in optim.parameters]
        old, self.optims = self.optims, self._build_optimizers(moved)
        for name, optim in self.optims.items():
            optim.scaler = old[name].scaler  # which has learnt the size of the gradients
            if keep:
                optim.take_over(old[name])

    # ---- state ------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return all that it takes to continue from here: tensors and plain values only. Every rank must call it."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "iter": self.iter,
            "phase": self.phase,
            "labels": {name: torch.from_numpy(self.sets[name].pids.copy()) for name in sorted(self.relabelled)},
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "optims": {name: optim.state_dict() for name, optim in self.optims.items()},
            "clusterer": _state_of(self.clusterer),
            "hooks": {name: _state_of(hook) for name, hook in self.hooks.items()},
            "random": random_state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            WeightsError: the state is of another configuration; the message names what does not fit.
        """
        for name, labels in state["labels"].items():
            if name not in self.sets or len(labels) != len(self.sets[name]):
                found = f"it has {len(self.sets[name])} images" if name in self.sets else "there is none"
                raise WeightsError(
                    f"the checkpoint has labels of {len(labels)} images of the training set {name!r}, and {found} now: "
                    f"resume with the data that the run was started with"
                )
            self.relabel(name, labels)
        for kind, ours in (("parts", self.parts), ("optims", self.optims)):
            if set(state[kind]) != set(ours):
                raise WeightsError(
                    f"the checkpoint's {kind} are {sorted(state[kind])}, this configuration's {sorted(ours)}: "
                    f"resume with the configuration the run was started with"
                )
            for name, saved in state[kind].items():
                _load(f"{kind}.{name}", ours[name], saved)
        for name, saved in state["hooks"].items():
            if name in self.hooks and saved is not None:
                _load(f"hooks.{name}", self.hooks[name], saved)
        if self.clusterer is not None and state["clusterer"] is not None:
            _load("clusterer", self.clusterer, state["clusterer"])
        self.epoch, self.step, self.iter, self.phase = state["epoch"], state["step"], state["iter"], state["phase"]
        load_random_state(state["random"])


def _state_of(stateful: Any) -> Any:
    return stateful.state_dict() if hasattr(stateful, "state_dict") else None


def _load(name: str, stateful: Any, saved: Mapping[str, Any]) -> None:
    try:
        stateful.load_state_dict(saved)
    except (RuntimeError, ValueError, TypeError, AttributeError, LookupError) as error:
        raise WeightsError(
            f"the checkpoint's {name} does not fit this configuration; resume with the one the run was started with. "
            f"{error}"
        ) from None
