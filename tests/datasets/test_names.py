"""What a dataset's identities and cameras are called."""

from __future__ import annotations

from types import SimpleNamespace

from reidzoo.datasets.names import UNNAMED, Names


def test_a_published_dataset_counts_cameras_from_1():
    assert Names.of(SimpleNamespace()) == UNNAMED
    assert (UNNAMED.person(147), UNNAMED.camera(0)) == ("147", "1")


def test_your_own_images_have_names():
    names = Names.of(SimpleNamespace(pid_of={"Ann": 0}, camid_of={"door": 0}))
    assert (names.person(0), names.person(1)) == ("Ann", "1")
    assert (names.camera(0), names.camera(1)) == ("door", "unknown")
