from __future__ import annotations

import importlib.util
import inspect

import pytest
import torch
from torch import nn

from reidzoo.errors import ConfigError
from reidzoo.losses import LossSet
from reidzoo.losses.loss_set import SIZES
from reidzoo.registry import LOSS

METRIC_LEARNING = "pytorch_metric_learning"


class Probe(nn.Module):
    """Remembers what it was given."""

    def forward(self, feat, pid, camid=None):
        self.seen = {"feat": feat, "pid": pid, "camid": camid}
        self.autocast = torch.is_autocast_enabled("cpu")
        return feat.sum()


class Rows(nn.Module):
    def forward(self, feat):
        return feat.sum(1)


class Plain(nn.Module):
    def forward(self, feat):
        return 1.0


class Anything(nn.Module):
    def forward(self, **tensors):
        return sum(value.sum() for value in tensors.values())


class Sized(nn.Module):
    """A loss with weights of each class and of each value of the embedding, which cannot have others."""

    def __init__(self, num_classes, dim):
        super().__init__()
        self.num_classes = num_classes

    def forward(self, pid, feat=None, logits=None):
        return torch.zeros(())


class Wrapped(nn.Module):
    def forward(self, *args):
        return args[0].sum()


OWN = [
    ({"type": "CrossEntropyLoss"}, {"logits": (5,)}),
    ({"type": "TripletLoss"}, {"feat": (4,)}),
    ({"type": "CircleLoss"}, {"feat": (4,)}),
    ({"type": "WeightedRegularizedTripletLoss"}, {"feat": (4,)}),
    ({"type": "InstanceLoss"}, {"feat": (4,)}),
    ({"type": "CenterLoss", "num_classes": 5, "dim": 4}, {"feat": (4,)}),
    ({"type": "LearntCenterLoss", "num_classes": 5, "dim": 4}, {"feat": (4,)}),
    ({"type": "SoftTripletLoss"}, {"feat": (2, 4), "teacher_feat": (2, 4)}),
    ({"type": "SymmetricKLLoss"}, {"domain_logits": (2,)}),
    (
        {"type": "torch.nn.MSELoss", "inputs": {"input": "feat", "target": "embedding"}},
        {"feat": (4,), "embedding": (4,)},
    ),
]


@pytest.mark.parametrize(("node", "shapes"), OWN, ids=[node["type"] for node, _ in OWN])
def test_a_loss_of_no_images_is_zero_with_a_graph(node, shapes):
    """A mask may leave none; the mean of nothing was NaN, which the sum of the losses then was, too."""
    tensors = {name: torch.ones(0, *shape, requires_grad=True) for name, shape in shapes.items()}
    losses = LossSet({"it": node})
    before = {key: value.clone() for key, value in losses.state_dict().items()}
    value = losses({**tensors, "pid": torch.zeros(0, dtype=torch.int64)})["it"]
    value.backward()
    assert value.item() == 0 and all(tensor.grad.shape == tensor.shape for tensor in tensors.values())
    assert all(torch.equal(losses.state_dict()[key], kept) for key, kept in before.items())


def test_a_loss_of_two_sets_of_which_one_is_empty_is_zero():
    """NaN in the other set stays out of it."""
    source, target = torch.full((3, 4), torch.nan, requires_grad=True), torch.ones(0, 4)
    value = LossSet({"mmd": {"type": "MMDLoss"}})({"source_feat": source, "target_feat": target})["mmd"]
    value.backward()
    assert value.item() == 0 and torch.equal(source.grad, torch.zeros(3, 4))


class NotAModule:
    def forward(self, feat):
        return feat.sum()


@pytest.fixture(autouse=True)
def registered():
    added = {"Probe": Probe, "Rows": Rows, "Plain": Plain, "Anything": Anything, "Wrapped": Wrapped}
    added["Sized"] = Sized
    added["NotAModule"] = NotAModule
    LOSS._module_dict.update(added)
    yield
    for name in added:
        del LOSS._module_dict[name]


@pytest.fixture
def tensors():
    generator = torch.Generator().manual_seed(0)
    return {
        "feat": torch.randn(6, 4, generator=generator),
        "logits": torch.randn(6, 3, generator=generator),
        "pid": torch.tensor([0, 0, 1, 1, 2, 2]),
    }


def test_weights_and_names(tensors):
    losses = LossSet({"id": {"type": "CrossEntropyLoss", "weight": 10}, "metric": {"type": "TripletLoss"}})(tensors)
    once = LossSet({"id": {"type": "CrossEntropyLoss", "phase": "model"}})(tensors)
    assert list(losses) == ["id", "metric"]
    assert losses["id"].item() == pytest.approx(10 * once["id"].item())


def test_inputs_map_a_dotted_type(tensors):
    node = {"type": "torch.nn.CrossEntropyLoss", "inputs": {"input": "logits", "target": "pid"}, "label_smoothing": 0.1}
    losses = LossSet({"ce": node})
    assert losses.needs == {"logits", "pid"}
    assert losses.inputs_of("ce") == {"input": "logits", "target": "pid"}
    expected = nn.functional.cross_entropy(tensors["logits"], tensors["pid"], label_smoothing=0.1)
    assert torch.equal(losses(tensors)["ce"], expected)


def test_optional_parameters(tensors):
    losses = LossSet({"probe": {"type": "Probe"}})
    assert losses.needs == {"feat", "pid"}
    losses(tensors)
    assert losses.losses["probe"].seen["camid"] is None
    losses({**tensors, "camid": tensors["pid"]})
    assert losses.losses["probe"].seen["camid"] is tensors["pid"]
    mapped = LossSet({"probe": {"type": "Probe", "inputs": {"camid": "domain"}}})
    assert mapped.needs == {"feat", "pid", "domain"}
    with pytest.raises(ConfigError, match="'domain'"):
        mapped(tensors)


def test_any_keyword(tensors):
    losses = LossSet({"any": {"type": "Anything", "inputs": {"x": "feat"}}})
    assert torch.equal(losses(tensors)["any"], tensors["feat"].sum())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_float32_and_no_autocast(tensors, dtype):
    losses = LossSet({"probe": {"type": "Probe"}})
    with torch.autocast("cpu", torch.bfloat16):
        losses({**tensors, "feat": tensors["feat"].to(dtype)})
    probe = losses.losses["probe"]
    assert probe.seen["feat"].dtype == torch.float32
    assert probe.seen["pid"].dtype == torch.int64
    assert not probe.autocast


def test_gathers_each_tensor_once_with_gradient(tensors):
    gathered = []

    def gather(tensor):
        gathered.append(tensor.shape[1:])
        return torch.cat([tensor, tensor])

    nodes = {"a": {"type": "Probe"}, "b": {"type": "TripletLoss"}, "c": {"type": "CrossEntropyLoss"}}
    losses = LossSet(nodes, gather)
    tensors["feat"].requires_grad_()
    losses({**tensors, "img": torch.zeros(6, 3, 8, 4)})["a"].backward()
    assert gathered == [(4,), (), (3,)]
    assert len(losses.losses["a"].seen["feat"]) == 12
    assert torch.equal(tensors["feat"].grad, torch.full((6, 4), 2.0))


def test_missing_tensor_says_the_way_out(tensors):
    with pytest.raises(ConfigError) as error:
        LossSet({"id": {"type": "CrossEntropyLoss"}})({"feat": tensors["feat"], "pid": tensors["pid"], "path": ["a"]})
    message = str(error.value)
    for part in (
        "'id'",
        "CrossEntropyLoss.forward",
        "'logits'",
        "available: feat, pid.",
        "`inputs: {logits: <tensor>}`",
    ):
        assert part in message


@pytest.mark.parametrize(("kind", "said"), [("Rows", r"shape \(6,\)"), ("Plain", "float")])
def test_result_must_be_scalar(tensors, kind, said):
    with pytest.raises(ConfigError, match=said):
        LossSet({"bad": {"type": kind}})(tensors)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ({"x": {"type": "TripletLos"}}, "Did you mean TripletLoss"),
        ({"x": {"type": "TripletLoss", "margn": 1}}, "loss 'x'.*margn"),
        ({"x": {"type": "TripletLoss", "inputs": {"features": "feat"}}}, "no parameter features; it has: feat, pid"),
        ({"x": {"type": "TripletLoss", "inputs": ["feat"]}}, "must be a mapping"),
        ({"x": {"type": "TripletLoss", "weight": "1"}}, "weight must be a number"),
        ({"x": {"type": "TripletLoss", "weight": True}}, "weight must be a number"),
        ({"x": {"type": "NotAModule"}}, "torch.nn.Module"),
        ({"x": {"type": "torch.nn.functional.cross_entropy"}}, "wrap a function"),
        ({"x": {"type": "Wrapped"}}, "names no tensors"),
        ({"x": {"weight": 1.0}}, "'type'"),
        ({"x": None}, "'type'"),
        ({"a.b": {"type": "TripletLoss"}}, "dot"),
        ({"keys": {"type": "TripletLoss"}}, "taken"),
    ],
)
def test_wrong_nodes(nodes, said):
    with pytest.raises(ConfigError, match=said):
        LossSet(nodes)


def test_no_losses(tensors):
    losses = LossSet({})
    assert losses(tensors) == {}
    assert losses.needs == set()


def test_tensors_of_the_whole_batch_are_not_gathered_again(tensors):
    def refuse(value):
        raise AssertionError("gathered")

    losses = LossSet({"triplet": {"type": "TripletLoss"}}, gather=refuse)
    assert losses(tensors, whole=True)["triplet"] == LossSet({"triplet": {"type": "TripletLoss"}})(tensors)["triplet"]
    with pytest.raises(AssertionError, match="gathered"):
        losses(tensors)


def losses_with_sizes():
    """Return the losses of pytorch-metric-learning that some constructor of theirs gives a size, but for the memory."""
    if importlib.util.find_spec(METRIC_LEARNING) is None:
        return []
    found = vars(importlib.import_module(f"{METRIC_LEARNING}.losses"))
    classes = [cls for cls in found.values() if inspect.isclass(cls) and issubclass(cls, nn.Module)]
    sized = [cls.__name__ for cls in classes if any(_sizes(base) for base in cls.__mro__)]
    return sorted(set(sized) - {"CrossBatchMemory"})


def _sizes(cls):
    return SIZES.keys() & inspect.signature(cls.__init__).parameters.keys()


@pytest.mark.parametrize("kind", losses_with_sizes())
def test_losses_of_another_package_are_given_their_sizes(tensors, kind):
    losses = LossSet({"x": {"type": f"{METRIC_LEARNING}.losses.{kind}"}}, given={"num_classes": 3, "dim": 4})
    losses({**tensors, "feat": tensors["feat"].requires_grad_()})["x"].backward()
    assert all(weights.grad.abs().sum() > 0 for weights in losses.parameters())
    assert list(losses.parameters()) or kind == "MarginLoss"


def test_what_nodes_describe_is_built_for_another_package(tensors):
    package = pytest.importorskip(METRIC_LEARNING)
    norm = {"type": f"{METRIC_LEARNING}.distances.LpDistance", "p": 1}
    pairs = {"type": f"{METRIC_LEARNING}.losses.ContrastiveLoss", "distance": norm, "neg_margin": 2}
    node = {"type": f"{METRIC_LEARNING}.losses.CrossBatchMemory", "loss": pairs, "memory_size": 9}
    wanted = package.losses.ContrastiveLoss(neg_margin=2, distance=package.distances.LpDistance(p=1))
    wanted = package.losses.CrossBatchMemory(wanted, 4, 9)(tensors["feat"], tensors["pid"])
    assert LossSet({"x": node}, given={"dim": 4})(tensors)["x"] == wanted


def test_a_tensor_of_another_size_than_the_embedding(tensors):
    given = {"num_classes": 3, "dim": 6}
    losses = LossSet({"x": {"type": "LearntCenterLoss"}}, given=given)
    with pytest.raises(ConfigError, match=r"'x'.*dim 6.*'feat' has the shape \(6, 4\).*embedding}`.*`dim: 4`"):
        losses(tensors)
    with pytest.raises(ConfigError, match=r"'x'.*shape \(6, 2, 2\).*embedding}`$"):
        losses({**tensors, "feat": tensors["feat"].view(6, 2, 2)})
    assert torch.isfinite(LossSet({"x": {"type": "LearntCenterLoss", "dim": 4}}, given=given)(tensors)["x"])


def test_one_tensor_of_the_embeddings_size_is_enough_and_labels_have_none(tensors):
    losses = LossSet({"x": {"type": "Sized"}}, given={"num_classes": 3, "dim": 4})
    assert losses(tensors)["x"] == 0  # its logits have three values
    assert losses({"pid": tensors["pid"]})["x"] == 0


def test_a_tensor_whose_own_name_ends_in_a_number(tensors):
    losses = LossSet({"x": {"type": "Rows", "inputs": {"feat": "scores.0"}}})
    with pytest.raises(ConfigError, match=r"no tensor 'scores\.0'"):
        losses({"scores": tensors["logits"]})
    with pytest.raises(ConfigError, match=r"shape \(6,\)"):  # which Rows makes of six
        losses({"scores.0": tensors["logits"]})
