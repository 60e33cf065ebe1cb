from __future__ import annotations

import pytest
import torch

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

# The authors' ResNet-50 has its ReLU behind the pooling.
STEMS = {False: ("conv1", "bn1", "maxpool", "relu"), True: ("conv1", "bn1", "relu", "maxpool")}


@pytest.mark.parametrize("ibn", [False, True])
@pytest.mark.slow
def test_embeds_as_the_original(originals, images, check, ibn):
    original = originals.make(originals.Sequential, STEMS[ibn], ibn=ibn, classes=20, discriminator=True)
    with torch.no_grad():
        expected = original(images)
    state = {f"module.{name}": value for name, value in original.state_dict().items()}
    assert "module.base.7.2.bn3.running_var" in state and "module.classifier_D.9.bias" in state
    assert ("module.base.4.0.bn1.IN.weight" in state) == ibn
    file = check("domainmix", original.state_dict(), expected)
    assert file.config["BACKBONE"]["ibn"] == ("a" if ibn else "none")
    inputs = file.config["INPUT"]
    assert (inputs["SIZE"], inputs["INTERPOLATION"]) == ([256, 128], "bicubic")
    assert inputs["MEAN"] == [0.485, 0.456, 0.406] and inputs["STD"] == [0.229, 0.224, 0.225]
    assert file.config["TEST"]["AP"] == "step" and file.config["HEAD"] == {"type": "BNNeck"}
    # 4 linear layers of weight and bias, 3 batch norms of five tensors
    assert file.info["dropped"] == {"identity classifier": 1, "domain discriminator": 23}
    assert file.info["licence"] == "MIT" and "WangWenhao0716" in file.info["source"]


@pytest.mark.slow
def test_exactness(originals, check_exactness):
    state = originals.make(originals.Sequential, STEMS[False], depth=18, classes=5, discriminator=True).state_dict()
    check_exactness("domainmix", state, "base.7.1.bn2.running_mean")
    check_exactness("domainmix", state, "feat_bn.bias")


@pytest.mark.slow
def test_old_files_lack_counters(originals, load, images):
    original = originals.make(originals.Sequential, depth=18)
    state = {name: value for name, value in original.state_dict().items() if "num_batches" not in name}
    file = convert_state(FAMILIES["domainmix"], state, {})
    with torch.no_grad():
        torch.testing.assert_close(load(file).embed(images), original(images))


@pytest.mark.parametrize("rows, name", [(40621, "MSMT17"), (20936, "Market-1501"), (15365, "CUHK03-NP"), (9, "")])
def test_the_classifier_tells_the_real_set(originals, rows, name):
    state = {**originals.make(originals.Sequential, depth=18).state_dict(), "classifier.weight": torch.zeros(rows, 1)}
    notes = convert_state(FAMILIES["domainmix"], state, {}).info["notes"]
    expected = f"Its classifier's {rows} rows say that it was trained on RandPerson and {name}."
    assert notes == ([expected] if name else [])


def test_an_embedding_layer_is_refused(originals):
    state = originals.make(originals.Sequential, depth=18).state_dict()
    with pytest.raises(WeightsError, match=r"fully connected layer between pooling and batch norm.*'feat\.weight'"):
        convert_state(FAMILIES["domainmix"], {**state, "feat.weight": torch.zeros(4, 512)}, {})
