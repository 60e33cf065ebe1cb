"""Layer-wise learning-rate decay: the nearer a layer is to the images, the less it moves."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from reidzoo.errors import ConfigError

__all__ = ["layer_factors", "parameter_layers"]


def layer_factors(where: str, decay: float, keys: Iterable[str], parts: nn.Module) -> dict[str, float]:
    """Return the factor on each parameter's learning rate, ``decay ** (L - l)`` in layer l of a backbone of L layers.

    Layers count from 0, next to the images; what is behind the backbone, a head, is layer L: its factor is 1 (Clark et
    al., "ELECTRA", ICLR 2020; Bao et al., "BEiT", ICLR 2022). A ViT's layers are numbered as timm numbers them: in
    BEiT's way, but with the last norm in the last block's layer.

    Args:
        where: how an error calls it.
        decay: in (0, 1].
        keys: names of parameters.
        parts: what they are in; every module called ``backbone`` is one.

    Raises:
        ConfigError: no parameter is in a backbone.
    """
    factors = dict.fromkeys(keys, 1.0)
    within = 0
    for name, module in parts.named_modules():
        if name.rpartition(".")[2] != "backbone":
            continue
        layers = parameter_layers(module)
        depth = max(layers.values(), default=-1) + 1
        for key, layer in layers.items():
            if f"{name}.{key}" in factors:
                factors[f"{name}.{key}"] = decay ** (depth - layer)
                within += 1
    if not within:
        raise ConfigError(f"{where}: layer_decay is about a backbone's layers, and it moves no backbone; leave it out")
    return factors


def parameter_layers(backbone: nn.Module) -> dict[str, int]:
    """Return the layer of each of a backbone's parameters, 0 next to the images.

    A backbone may say so itself by a method ``parameter_layers() -> {name: layer}``, as ``TimmBackbone`` does. Of
    others each block of an ``nn.Sequential`` child begins a layer, as residual blocks do, or each convolution where
    they stand alone; what is outside belongs to the layer before it.
    """
    if callable(own := getattr(backbone, "parameter_layers", None)):
        return own()
    layers = {name: 0 for name, _ in backbone.named_parameters(recurse=False)}
    layer = 0
    for prefix, module, is_block in _in_order(backbone):
        names = [f"{prefix}{name}" for name, _ in module.named_parameters()]
        layer += bool(is_block and layers and names)
        layers.update(dict.fromkeys(names, layer))
    return layers


def _in_order(backbone: nn.Module) -> Iterable[tuple[str, nn.Module, bool]]:
    """Yield the prefixes and modules of a backbone in their order, and whether each is a block."""
    for name, child in backbone.named_children():
        if not isinstance(child, nn.Sequential):
            yield f"{name}.", child, False
            continue
        for number, block in child.named_children():
            alone = not any(True for _ in block.children())
            yield f"{name}.{number}.", block, not alone or isinstance(block, nn.Conv2d)
