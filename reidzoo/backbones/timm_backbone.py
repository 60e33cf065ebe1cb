"""Any network of timm as a backbone: CNNs, vision transformers, Swin."""

from __future__ import annotations

import itertools
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reidzoo.backbones.overlapping_patches import OverlappingPatches
from reidzoo.backbones.side_information import SideInformation
from reidzoo.checks import ARGUMENTS, DROPOUT, FLAG, TEXT, WEIGHTS, check, each, either, one_of, optional, whole
from reidzoo.errors import ConfigError, WeightsError
from reidzoo.needs import need
from reidzoo.registry import BACKBONE, MISFITS
from reidzoo.suggest import did_you_mean
from reidzoo.weights.cache import fetch
from reidzoo.weights.imagenet import OURS
from reidzoo.weights.loading import load_weights, local_file, safe_read, unwrap_state

__all__ = ["TimmBackbone"]

logger = logging.getLogger("reidzoo")

ANY_SIZE: tuple[dict[str, bool], ...] = (
    {"strict_img_size": False},
    {"dynamic_img_size": True, "dynamic_img_pad": True},
    {},
)
"""What makes a network of timm take images of any size: a Swin, a ViT, a CNN. Older Swins swallow what a ViT takes."""
NO_DROP_PATH: tuple[dict[str, float], ...] = ({"drop_path_rate": 0.0}, {})
"""Some networks of timm, Swin among them, leave blocks out if not told otherwise; others have no such option."""
BEHIND_THE_MAP = ("head", "fc", "classifier", "fc_norm", "attn_pool", "head_dist", "last_linear")
BEHIND_MOBILENET_V3 = ("conv_head", "norm_head")
"""What timm's networks have behind the feature map: pooling, norms and classifiers, which a HEAD has of its own."""
OUTPUTS = ("map", "token", "token_and_map", "token_and_projection", "token_and_registers", "token_over_registers")
DOUBLED = ("token_and_map", "token_and_registers")
"""Outputs of twice the channels."""


@BACKBONE.register_module()
class TimmBackbone(nn.Module):
    """A network of timm, by timm's name, without what follows its feature map (``pip install 'reidzoo[timm]'``).

    Images may be of any size. A ViT's position embeddings are interpolated (bicubically) to the patches that an image
    has, at each step, and with ``size`` once, as TransReID does: then they are learnt at that size. Either is logged.
    A network that takes one size alone says which, or that it is told it by ``options: {img_size: [256, 128]}``.

    The names of the weights are timm's behind ``net.``. Weights are loaded strictly: every name and shape has to fit.

    **The class token** of a ViT reaches a head by ``output``. ``token``: it is the map, of one row and column, which
    any pooling but GeM (tokens are negative, too) leaves as it is: ``{type: BNNeck}`` is then TransReID's baseline.
    ``map``: the patches' tokens, in their places. ``token_and_map``: both, one behind the other along the channels, as
    ``DualBranchResNet`` returns its branches; the token is the same at every place, so that average pooling gives the
    token and the patches' mean. ``token_and_projection``: the token and, behind it, what the network's own linear layer
    (``net.head``) makes of it, CLIP's projection into the space of texts; CLIP-ReID compares both.
    ``token_and_registers``: the token and the mean of the registers, further tokens that a network may have (``options:
    {reg_tokens: 3}``), PASS's part tokens for example; ``token_over_registers``: as a map of two rows.

    Args:
        name: timm's name, as ``timm.list_models()`` has it, with or without the tag of its weights: ``resnet50``,
            ``vit_small_patch16_224.dino``, ``vit_base_patch14_dinov2``, ``vit_base_patch16_clip_224.openai``. The
            weights of MegaDescriptor are in ``hf://BVRA/MegaDescriptor-T-224/pytorch_model.bin``, for the name
            ``swin_tiny_patch4_window7_224``.
        pretrained: "" or false for random weights; "timm" or true for those that timm names, downloaded once; or the
            path of a file in timm's layout, or in the original layout where timm converts it (DINOv2, OpenAI's CLIP),
            of a run's checkpoint, ``zoo://NAME``, or ``hf://OWNER/NAME/FILE``.
        size: (height, width) that a ViT's position embeddings are made for; null for those of the published weights.
        stride: pixels between the patches of a ViT, up to their side; 0 for the side. See ``OverlappingPatches``.
        output: one of those above: "map", "token", ...
        drop_path: probability of the last block's branch to be left out of an image's pass in training, smaller for
            earlier blocks (Huang et al., ECCV 2016).
        sie: cameras, views and more for ``SideInformation``, which adds embeddings of them to a ViT's tokens, such as
            ``{cameras: 6, weight: 3.0}``; null for none. ``pretrained`` weights may have one of this size or none.
        options: further arguments of ``timm.create_model``, such as ``{output_stride: 16}`` for a CNN, which keeps the
            last map at 1/16 of the image.

    Attributes:
        net: timm's network.
        num_maps: 2 with ``token_and_map`` and ``token_and_registers``, 1 otherwise.
        out_channels: its ``num_features``; twice as many with ``token_and_map`` and ``token_and_registers``, and those
            of the projection more with ``token_and_projection``.

    Raises:
        ConfigError: timm is not installed, or has no such network, or the network has not what an option is about.
        WeightsError: ``pretrained`` names weights that do not exist, cannot be had, or do not fit.
    """

    def __init__(
        self,
        name: str,
        pretrained: str | bool = "",
        size: Sequence[int] | None = None,
        stride: int = 0,
        output: str = "map",
        drop_path: float = 0.0,
        sie: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check(self, TEXT, name=name)
        check(self, either(FLAG, WEIGHTS), pretrained=pretrained)
        check(self, optional(each(whole(1, 4096), 2)), size=size)
        check(self, whole(0, 64), stride=stride)
        check(self, one_of(*OUTPUTS), output=output)
        check(self, DROPOUT, drop_path=drop_path)
        check(self, ARGUMENTS, sie=sie, options=options)
        self.name, self.output, self.options = name, output, dict(options or {})
        project = output == "token_and_projection"
        self.net = _create(name, {**self.options, **({"drop_path_rate": drop_path} if drop_path else {})}, project)
        self.num_maps = 2 if output in DOUBLED else 1
        self.out_channels: int = self.net.num_features * self.num_maps
        if project:
            self.out_channels += self.net.head.out_features
        self._check_tokens(size, stride, sie)
        self._told: set[tuple[int, int]] = set()
        state = {} if pretrained in ("", None, False) else self._read(pretrained)
        ours, native = any(key.startswith("net.") for key in state), _made_for(self.net, state)
        if state and native and not ours:
            self._load(state, pretrained)
        if sie:
            self.net.pos_drop = _side_information(self.net, sie)
        if stride:
            self.net.patch_embed = OverlappingPatches(self.net.patch_embed, stride)
        if size is not None:
            self._resize_positions((size[0], size[1]), tell=bool(state) and not ours)
        if state and not native and not ours:
            self._load(state, pretrained)
        self._finish()
        if ours:
            self._load(state, pretrained, self)

    def _finish(self) -> None:
        """Add what a subclass has beside the network, once that has its weights."""

    def _translate(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a state under our names (``net.``), if a subclass knows its layout; as it is otherwise."""
        return state

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature map, for a ViT as ``output`` says.

        Args:
            images: (B, 3, H, W) float, normalised as the weights were trained.

        Returns:
            (B, out_channels, h, w); h and w are H and W by the network's last stride, or the rows and columns of a
            ViT's patches, or 1 with ``output`` "token".

        Raises:
            ConfigError: the network does not take images of this size, or makes no map of them.
        """
        try:
            return self._map(images)
        except MISFITS as error:
            self._explain(error, (images.shape[2], images.shape[3]))
            raise

    def _map(self, images: torch.Tensor) -> torch.Tensor:
        features = self.net.forward_features(images)
        if features.dim() == 3:
            return self._from_tokens(features, images)
        return features.permute(0, 3, 1, 2) if getattr(self.net, "output_fmt", "NCHW") == "NHWC" else features

    def _explain(self, error: Exception, size: tuple[int, int]) -> None:
        """Raise ConfigError if the network takes no images of ``size``, with what it takes; each is found by trying."""
        (height, width), own = size, tuple(self.net.default_cfg["input_size"][1:])
        if self._takes(size):
            return
        if self._takes(size, img_size=list(size)):
            advice = f"build it for them by options: {{img_size: [{height}, {width}]}}"
        elif self._takes(own):
            advice = f"of {own[0]} x {own[1]} it does: set INPUT.SIZE to [{own[0]}, {own[1]}], or take another network"
        else:
            advice = "take another network; docs/recipes/timm.md names families that were tried"
        raise ConfigError(
            f"TimmBackbone: {self.name} makes no map of images of {height} x {width} "
            f"({type(error).__name__}: {error}); {advice}"
        ) from error

    def _takes(self, size: tuple[int, int], **options: Any) -> bool:
        """Return whether the network, with further ``options``, makes a map of an image of ``size``."""
        try:
            trial = TimmBackbone(self.name, output=self.output, options={**self.options, **options}).eval()
            with torch.no_grad():
                return trial._map(torch.zeros(1, 3, *size)).shape[:2] == (1, trial.out_channels)
        except (ConfigError, *MISFITS):
            return False

    def parameter_layers(self) -> dict[str, int]:
        """Return the layer of each parameter, by timm's grouping: embeddings or stem 0, then the blocks."""
        from timm.models import group_parameters

        layers = group_parameters(self.net, self.net.group_matcher(coarse=False), reverse=True)
        first = {name for name in layers if name.startswith("pos_drop.")}  # side information, of the embeddings
        return {f"net.{name}": 0 if name in first else layer for name, layer in layers.items()}

    def _from_tokens(self, tokens: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Return the map of a ViT's tokens (B, 1 + h w, C), the class token and registers first."""
        token = tokens[:, 0, :, None, None]
        if self.output == "token":
            self._tell_of_positions(images)
            return token
        if self.output == "token_and_projection":
            self._tell_of_positions(images)
            return torch.cat([token, self.net.head(tokens[:, 0])[:, :, None, None]], dim=1)
        rows, columns = self._tell_of_positions(images)
        if self.output.endswith("registers"):
            registers = tokens[:, 1 : self.net.num_prefix_tokens].mean(1)[:, :, None, None]
            return torch.cat([token, registers], dim=1 if self.output in DOUBLED else 2)
        maps = tokens[:, tokens.shape[1] - rows * columns :].transpose(1, 2).unflatten(2, (rows, columns))
        return maps if self.output == "map" else torch.cat([token.expand_as(maps), maps], dim=1)

    def _tell_of_positions(self, images: torch.Tensor) -> tuple[int, int]:
        """Return rows and columns of an image's patches; log once if the positions are interpolated to them."""
        size = (images.shape[2], images.shape[3])
        patches = self.net.patch_embed
        grid = tuple(patches.dynamic_feat_size(size) if hasattr(patches, "dynamic_feat_size") else patches.grid_size)
        if _positions(self.net) is not None and grid not in self._told and not torch.compiler.is_compiling():
            self._told.add(grid)
            if grid != (stored := tuple(patches.grid_size)):
                logger.info(
                    "TimmBackbone: %s has position embeddings for %d x %d patches; those of %d x %d, of images of %d x "
                    "%d, are interpolated at each step. With size: [%d, %d] they are so once, and learnt as they are.",
                    self.name, *stored, *grid, *size, *size,
                )  # fmt: skip
        return grid[0], grid[1]

    def _check_tokens(self, size: Sequence[int] | None, stride: int, sie: Mapping | None) -> None:
        """Raise ConfigError for an option about tokens that the network does not have."""
        has_token = getattr(self.net, "cls_token", None) is not None
        if self.output != "map" and not has_token:
            raise ConfigError(f"TimmBackbone: {self.name} has no class token; output: {self.output} needs one, set map")
        if self.output.endswith("registers") and self.net.num_prefix_tokens < 2:
            raise ConfigError(
                f"TimmBackbone: {self.name} has no registers; set output to token, or options: {{reg_tokens: 3}}"
            )
        is_dynamic = getattr(self.net, "dynamic_img_size", False)
        if size is not None and not (is_dynamic and _positions(self.net) is not None):
            raise ConfigError(f"TimmBackbone: {self.name} has no position embeddings to interpolate; leave size out")
        if sie and not (has_token and isinstance(getattr(self.net, "pos_drop", None), nn.Module)):
            raise ConfigError(f"TimmBackbone: {self.name} is not a ViT with a class token; leave sie out")
        if stride:
            patches: Any = getattr(self.net, "patch_embed", None)
            if not (isinstance(getattr(patches, "proj", None), nn.Conv2d) and is_dynamic):
                raise ConfigError(f"TimmBackbone: {self.name} is not a ViT of any number of patches; leave stride out")
            if stride > min(patches.patch_size):
                raise ConfigError(f"TimmBackbone: stride {stride} is above the patch's side, {min(patches.patch_size)}")

    def _resize_positions(self, size: tuple[int, int], tell: bool) -> None:
        """Interpolate the position embeddings to the patches of images of ``size``, once; ``tell`` logs it."""
        from timm.layers import resample_abs_pos_embed

        net, patches = self.net, self.net.patch_embed
        old, new = tuple(patches.grid_size), tuple(patches.dynamic_feat_size(size))
        prefix = 0 if net.no_embed_class else net.num_prefix_tokens
        resized = resample_abs_pos_embed(net.pos_embed.detach(), list(new), list(old), prefix)
        net.pos_embed = nn.Parameter(resized)
        patches.grid_size = new
        if tell and old != new:
            logger.info(
                "TimmBackbone: %s, position embeddings interpolated from %d x %d to %d x %d patches, for images of %d "
                "x %d", self.name, *old, *new, *size,
            )  # fmt: skip

    def _read(self, pretrained: str | bool) -> dict[str, torch.Tensor]:
        """Return the state that ``pretrained`` names, under timm's names, or under ours (``net.``) if it is a run's."""
        path = _published(self.name) if pretrained in (True, "timm") else local_file(str(pretrained))
        state = unwrap_state(safe_read(path), str(path))
        if any(key.startswith(OURS) for key in state):
            state = {key.removeprefix(OURS): value for key, value in state.items() if key.startswith(OURS)}
        if any(key.startswith("net.") for key in state):
            return state
        state = self._translate(state)
        if any(key.startswith("net.") for key in state) or set(self.net.state_dict()) <= set(state):
            return state
        convert = getattr(sys.modules[type(self.net).__module__], "checkpoint_filter_fn", None)
        try:
            return state if convert is None else convert(state, self.net)
        except MISFITS:  # it is of no layout that timm knows; strict loading says by name what does not fit
            return state

    def _load(self, state: Mapping[str, torch.Tensor], pretrained: str | bool, whole: nn.Module | None = None) -> None:
        """Load a state in timm's layout strictly, without what is behind the map; or one of the ``whole`` backbone."""
        where = self.name if pretrained is True else str(pretrained)
        kept = "head" if self.output == "token_and_projection" else ""
        dropped = tuple(f"{name}." for name in _behind(self.net) if name != kept)
        try:
            load_weights(whole or self.net, state, key_map=lambda n: None if n.startswith(dropped) else n)
        except WeightsError as error:
            raise WeightsError(f"{where}: {error}") from None


def _create(name: str, options: Mapping[str, Any], head: bool = False) -> Any:
    """Return timm's network ``name`` for images of any size, without what is behind its map; or with ``head``."""
    timm = _timm()
    if ":" in name or not timm.is_model(name):
        hint = did_you_mean(name.partition(".")[0], timm.list_models())
        more = " A hub's weights are named under pretrained, hf://OWNER/NAME/FILE." if ":" in name else ""
        raise ConfigError(f"TimmBackbone: timm {timm.__version__} has no {name!r}.{hint}{more}")
    for any_size, rates in itertools.product(ANY_SIZE, NO_DROP_PATH):
        implied = {**any_size, **rates}
        given: dict[str, Any] = {**({} if head else {"num_classes": 0}), **implied, **options}
        try:
            net = _build(timm, name, given)
        except TypeError as error:
            if any(f"'{key}'" in str(error) for key in implied.keys() - options.keys()):
                continue  # a network of another kind
            raise _misfit(name, options, error) from error
        except MISFITS as error:
            raise _misfit(name, options, error) from error
        if head and not isinstance(getattr(net, "head", None), nn.Linear):
            raise ConfigError(f"TimmBackbone: {name} has no linear layer behind its token; set output to token")
        if not any_size.get("strict_img_size", True) and hasattr(getattr(net, "patch_embed", None), "dynamic_img_pad"):
            net.patch_embed.dynamic_img_pad = True  # a Swin's patches, which otherwise have to divide an image
        for part in _behind(net):
            if getattr(net, part, None) is not None and not (head and part == "head"):
                setattr(net, part, nn.Identity())
        return net
    raise ConfigError(f"TimmBackbone: {name} cannot be built with {dict(options)}")


def _build(timm: Any, name: str, given: Mapping[str, Any]) -> Any:
    """Return timm's network; on the meta device also from a timm that looks at tensors' values while it builds."""
    try:
        return timm.create_model(name, pretrained=False, **given)
    except (NotImplementedError, RuntimeError):
        if torch.empty(0).device.type != "meta":
            raise
        with torch.device("cpu"):  # timm 1.0.15, for the rates of its drop paths
            return timm.create_model(name, pretrained=False, **given).to("meta")


def _misfit(name: str, options: Mapping[str, Any], error: Exception) -> ConfigError:
    given = ", ".join(f"{key}: {value!r}" for key, value in options.items()) or "its defaults"
    return ConfigError(f"TimmBackbone: {name} cannot be built with {given}: {type(error).__name__}: {error}")


def _behind(net: nn.Module) -> tuple[str, ...]:
    """Return the names of the parts that ``forward_features`` does not use, where a network has them."""
    return (*BEHIND_THE_MAP, *(BEHIND_MOBILENET_V3 if type(net).__name__ == "MobileNetV3" else ()))


def _side_information(net: Any, sie: Mapping[str, Any]) -> SideInformation:
    try:
        return SideInformation(net.pos_drop, net.embed_dim, **sie)
    except TypeError as error:
        raise ConfigError(f"TimmBackbone: sie has cameras, views, weight and tokens, got {dict(sie)}") from error


def _timm() -> Any:
    return need("timm", "timm", "TimmBackbone", ConfigError)


def _positions(net: Any) -> torch.Tensor | None:
    """Return a ViT's position embeddings (1, tokens, C), None for a network without."""
    positions = getattr(net, "pos_embed", None)
    return positions if isinstance(positions, torch.Tensor) and positions.dim() == 3 else None


def _made_for(net: nn.Module, state: Mapping[str, torch.Tensor]) -> bool:
    """Return whether a state's position embeddings are as many as the network has as it is published."""
    ours, theirs = _positions(net), state.get("pos_embed")
    return ours is None or theirs is None or ours.shape == theirs.shape


def _published(name: str) -> Path:
    """Return the local copy of the weights that timm names, and say how images are normalised for them."""
    cfg = _timm().get_pretrained_cfg(name)
    addresses = []
    if cfg is not None and cfg.hf_hub_id:
        files = [cfg.hf_hub_filename] if cfg.hf_hub_filename else ["model.safetensors", "pytorch_model.bin"]
        addresses += [f"hf:{cfg.hf_hub_id}/{file}" for file in files]
    if cfg is not None and cfg.url and not str(cfg.url).endswith(".npz"):
        addresses.append(cfg.url)
    if not addresses:
        raise WeightsError(f"TimmBackbone: timm names no weights for {name}; give pretrained: '' or a file's path")
    logger.info("TimmBackbone: the weights of %s were trained with INPUT.MEAN %s and STD %s", name, cfg.mean, cfg.std)
    full = f"{cfg.architecture}.{cfg.tag}" if cfg.tag else name
    return fetch(addresses, f"timm/{full}.bin", title=f"timm's {full}")
