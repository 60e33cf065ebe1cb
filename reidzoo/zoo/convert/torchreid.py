"""The family of torchreid's checkpoints: OSNets (also IBN and AIN, all widths) and ResNets (also with an FC layer)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from reidzoo.backbones.osnet import map_torchreid
from reidzoo.errors import WeightsError
from reidzoo.zoo.convert.dropped import Dropped
from reidzoo.zoo.convert.family import Family
from reidzoo.zoo.convert.layout import Layout
from reidzoo.zoo.convert.names import RESNET_REFUSED, describe_resnet, map_prefixes, refuse

__all__ = ["TORCHREID"]

HEAD_NAMES: dict[str, str | Dropped] = {"fc.": "head.fc.", "classifier.": Dropped("identity classifier")}


def _layout(state: Mapping[str, Tensor], options: Mapping[str, str]) -> Layout:
    layers = {name.split(".")[1] for name in state if name.startswith("fc.")}
    if layers - {"0", "1"}:
        raise WeightsError("the file's model has several fully connected layers (fc_dims); no head of reidzoo has")
    first = state.get("fc.0.weight")
    dims = (len(first) if first is not None else 512) if layers else 0
    head = {"type": "LinearHead", "embedding_dim": dims}
    note = "torchreid ranks by the Euclidean distance of features that it does not normalise, except for OSNet-AIN."
    if any(name.startswith("conv1.conv.") for name in state):
        return _osnet(state, options, head, note)
    refuse(state, RESNET_REFUSED)
    names = map_prefixes(state, {"": "backbone.", **HEAD_NAMES})
    # resnet50_fc512 is the one with the fully connected layer, and the one whose last stride is 1.
    asked = options.get("last_stride", "auto")
    stride = int(asked) if asked != "auto" else 1 if dims else 2
    return Layout(names, describe_resnet(names.values(), stride), head, notes=[note])


def _osnet(state: Mapping[str, Tensor], options: Mapping[str, str], head: Mapping[str, object], note: str) -> Layout:
    if options.get("last_stride", "auto") != "auto":
        raise WeightsError("OSNet has no last_stride; leave the option out")
    names: dict[str, str | Dropped] = {}
    for name in state:
        ours = map_torchreid(name)
        names[name] = f"backbone.{ours}" if ours is not None else map_prefixes([name], HEAD_NAMES)[name]
    norm = "bn"
    if any(name.startswith("conv2.0.IN.") for name in state):
        norm = "ain" if any(name.startswith("pool2.") for name in state) else "ibn"
    stem = next((tensor for name, tensor in state.items() if name.startswith("conv1.bn.")), None)
    stem = state.get("conv1.conv.weight", stem)
    width = len(stem) / 64 if stem is not None and stem.dim() else 1.0
    return Layout(names, {"type": "OSNet", "width": width, "norm": norm}, head, notes=[note])


TORCHREID = Family(
    name="torchreid",
    title="torchreid: OSNet, OSNet-IBN, OSNet-AIN of every width; ResNet-18 to 101, resnet50_fc512, ResNet-50-IBN",
    repository="https://github.com/KaiyangZhou/deep-person-reid",
    licence="MIT",
    layout=_layout,
    size=(256, 128),
    interpolation="bilinear",
    options={"last_stride": ("auto", "1", "2")},
)
