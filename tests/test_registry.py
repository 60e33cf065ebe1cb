"""What ``build_from_node`` makes of a constructor that fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reidzoo.errors import ClusteringError, ConfigError
from reidzoo.registry import Registry

PARTS = Registry("PART", "reidzoo.losses")


@PARTS.register_module()
class Halves:
    """A part that checks nothing."""

    def __init__(self, width=4, names=("a",), dim=0):
        self.half = width // 2
        self.names = {name.upper(): dim for name in names}


@PARTS.register_module()
class Broken:
    """A part with a bug."""

    def __init__(self, width=4, dim=0):
        raise TypeError("a bug")


@PARTS.register_module()
class Refuses:
    """A part that refuses everything, as ours do."""

    def __init__(self, width=4):
        raise ClusteringError("not this width")


def test_a_failing_constructor_is_the_users_to_look_at():
    with pytest.raises(
        ConfigError, match=r"PART: Halves cannot be built with width: 'four'.* TypeError: .*test_registry"
    ) as info:
        PARTS.build({"type": "Halves", "width": "four"}, dim=2)
    assert isinstance(info.value.__cause__, TypeError)
    with pytest.raises(ConfigError, match=r"width: 4, names: \[1\]: AttributeError"):
        PARTS.build({"type": "Halves", "width": 4, "names": [1]})


def test_what_the_user_gave_no_value_to_is_a_bug():
    with pytest.raises(TypeError, match="a bug"):
        PARTS.build({"type": "Broken"}, dim=2)
    with pytest.raises(ConfigError, match=r"TypeError: a bug \(test_registry.py:\d+\)"):
        PARTS.build({"type": "Broken", "width": 1}, dim=2)


def test_an_error_that_is_the_users_already_passes():
    with pytest.raises(ClusteringError, match=r"^not this width$"):
        PARTS.build({"type": "Refuses", "width": 1})


def test_a_node_may_not_repeat_what_the_framework_gives():
    with pytest.raises(ConfigError, match="PART: Halves is given its dim by the framework"):
        PARTS.build({"type": "Halves", "dim": 3}, dim=2)
    assert PARTS.build({"type": "Halves", "dim": 2}, dim=2).names == {"A": 2}


@pytest.mark.parametrize("node", ["Halves", None, [], {"width": 3}, {"type": 3}])
def test_a_node_without_a_type(node):
    with pytest.raises(ConfigError, match="PART: expected an entry with a 'type'"):
        PARTS.build(node)


def test_a_name_that_a_package_has_not_is_answered_with_the_packages():
    with pytest.raises(ConfigError, match=r"^parts: collections has no OrderedDic. Did you mean OrderedDict\?$"):
        Registry("parts").get("collections.OrderedDic")


FOREIGN = """
from reidzoo.registry import LOSS
class TripletLoss: ...
try:
    LOSS.register_module()(TripletLoss)
except KeyError as error:
    print(error)
print(LOSS.get("TripletLoss").__module__, LOSS.get("CircleLoss").__module__)
LOSS.register_module(force=True)(TripletLoss)
print(LOSS.get("TripletLoss").__module__, LOSS.get("CircleLoss").__module__)
"""
FORCED = """
from reidzoo.registry import LOSS
@LOSS.register_module(force=True)
class TripletLoss: ...
print(LOSS.get("TripletLoss").__module__, LOSS.get("CircleLoss").__module__)
"""


def test_a_name_that_is_taken_is_said_where_it_is_taken_again():
    def said(code):
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    lines = said(FOREIGN).splitlines()
    assert "TripletLoss is already registered in LOSS at reidzoo.losses.triplet" in lines[0]
    assert lines[1:] == ["reidzoo.losses.triplet reidzoo.losses.circle", "__main__ reidzoo.losses.circle"]
    assert said(FORCED) == "__main__ reidzoo.losses.circle\n"
