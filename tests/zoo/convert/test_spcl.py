from __future__ import annotations

import pytest
import torch
from torch import nn

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state


class PerDomain(nn.Module):
    """A batch norm for each domain; in test, that of ``domain``."""

    def __init__(self, norm, domain):
        super().__init__()
        self.BN_S, self.BN_T = type(norm)(norm.num_features), type(norm)(norm.num_features)
        self.domain = domain

    def forward(self, maps):
        return (self.BN_T if self.domain == "target" else self.BN_S)(maps)


def split(module, domain):
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            setattr(module, name, PerDomain(child, domain))
        else:
            split(child, domain)
    return module


@pytest.mark.parametrize("ibn, domain, depth", [(False, "target", 50), (False, "source", 18), (True, "target", 50)])
@pytest.mark.slow
def test_embeds_as_the_original_of_either_domain(originals, images, check, ibn, domain, depth):
    original = originals.make(lambda: split(originals.Sequential(ibn=ibn, depth=depth), domain))
    assert "base.1.BN_T.running_mean" in original.state_dict()
    assert ("base.4.0.bn1.BN.BN_S.weight" in original.state_dict()) == ibn
    with torch.no_grad():
        expected = original(images)
    options = {"bn": domain} if domain == "source" else {}
    file = check("spcl", original.state_dict(), expected, size="256x128", **options)
    other = {"target": "source", "source": "target"}[domain]
    norms = sum(isinstance(module, PerDomain) for module in original.modules())
    assert file.info["dropped"] == {f"batch norm of the {other}": 5 * norms}
    assert file.info["notes"] == [f"It normalises as images of the {domain} domain are normalised."]
    assert file.config["HEAD"] == {"type": "BNNeck", "bias_frozen": False}


@pytest.mark.slow
def test_unsupervised_models_have_one_norm(originals, images, check):
    original = originals.make(originals.Sequential, depth=18)
    with torch.no_grad():
        expected = original(images)
    file = check("spcl", original.state_dict(), expected, size="224x224")
    assert file.config["INPUT"]["SIZE"] == [224, 224] and file.info["dropped"] == {}
    with pytest.raises(WeightsError, match="one batch norm for all domains"):
        convert_state(FAMILIES["spcl"], original.state_dict(), {"size": "256x128", "bn": "target"})


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    state = originals.make(lambda: split(originals.Sequential(depth=18), "target")).state_dict()
    check_exactness("spcl", state, "base.6.1.bn2.BN_T.weight", size="256x128")
    check_exactness("spcl", state, "base.6.1.conv2.weight", size="256x128", bn="source")


def test_the_size_has_to_be_given(originals):
    state = originals.make(originals.Sequential, depth=18).state_dict()
    with pytest.raises(WeightsError, match="256x128 for persons, 224x224 for vehicles"):
        convert_state(FAMILIES["spcl"], state, {})
    with pytest.raises(WeightsError, match="height x width in pixels"):
        convert_state(FAMILIES["spcl"], state, {"size": "256"})
