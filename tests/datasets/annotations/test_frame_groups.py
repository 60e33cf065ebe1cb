"""Names of images tell the cameras apart and order their frames."""

from __future__ import annotations

import pytest

from reidzoo.datasets.annotations.frame_groups import frame_number, group_frames, number_frames


@pytest.mark.parametrize(
    "stem, expected",
    [("gate_0012", ("gate", 12)), ("0012", ("", 12)), ("gate", ("gate", None)), ("v2-cam1 7", ("v2-cam1", 7))],
)
def test_the_number_at_the_end(stem, expected):
    assert frame_number(stem) == expected


def test_numbers_are_kept_only_if_each_frame_has_its_own():
    assert number_frames([3, 7]) == [3, 7]
    assert number_frames([3, 3]) == number_frames([3, None]) == number_frames([None, None]) == [1, 2]


def test_frames_are_in_the_order_of_numbers_not_of_letters():
    images = [("a", name, name) for name in ("gate_10", "gate_9", "door_1", "door_01", "door_2")]
    groups = group_frames(images)
    assert groups["a", "gate"] == {9: "gate_9", 10: "gate_10"}
    assert groups["a", "door"] == {1: "door_01", 2: "door_1", 3: "door_2"}, "two frames of one number are in order"
    assert list(groups) == [("a", "door"), ("a", "gate")]


def test_names_without_anything_in_common_are_one_sequence():
    assert group_frames(("a", name, name) for name in ("x8f", "b3c1", "e")) == {
        ("a", ""): {1: "b3c1", 2: "e", 3: "x8f"}
    }
