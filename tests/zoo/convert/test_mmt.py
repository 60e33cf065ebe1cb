from __future__ import annotations

import pytest
import torch

from reidzoo.errors import WeightsError
from reidzoo.zoo.convert import FAMILIES, convert_state

NO_RELU = ("conv1", "bn1", "maxpool")


@pytest.mark.parametrize("stem, ibn, last", [(NO_RELU, False, 6), ((*NO_RELU[:2], "relu", "maxpool"), True, 7)])
@pytest.mark.slow
def test_embeds_as_the_original_with_its_stem(originals, images, check, stem, ibn, last):
    original = originals.make(originals.Sequential, stem, ibn=ibn, classes=9)
    with torch.no_grad():
        expected = original(images)
    assert max(int(name.split(".")[1]) for name in original.state_dict() if name.startswith("base.")) == last
    file = check("mmt", original.state_dict(), expected)
    assert file.config["BACKBONE"]["stem_relu"] is ibn and file.config["BACKBONE"]["ibn"] == ("a" if ibn else "none")
    assert file.config["INPUT"]["SIZE"] == [256, 128]
    assert file.info["dropped"] == {"identity classifier": 1}
    assert any("no ReLU" in note for note in file.info["notes"]) != ibn


def test_exactness(originals, check_exactness):
    state = originals.make(originals.Sequential, NO_RELU, depth=18, classes=9).state_dict()
    check_exactness("mmt", state, "base.3.0.conv1.weight")


def test_files_of_its_relatives_are_told_apart(originals):
    relative = originals.make(originals.Sequential, depth=18).state_dict()
    with pytest.raises(WeightsError, match=r"base\.4 to base\.7, as SpCL's and DomainMix's"):
        convert_state(FAMILIES["mmt"], relative, {})
    own = originals.make(originals.Sequential, NO_RELU, depth=18).state_dict()
    with pytest.raises(WeightsError, match=r"2, 2, 2, 0 blocks .* that --from names"):
        convert_state(FAMILIES["domainmix"], own, {})
