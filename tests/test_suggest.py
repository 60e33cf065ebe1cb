"""The name that was probably meant."""

from __future__ import annotations

from reidzoo.suggest import closest, did_you_mean, suggestion


def test_closest():
    assert closest("triplt", ["id", "triplet"], 0.5) == "triplet"
    assert closest("xyz", ["id", "triplet"], 0.5) is None


def test_did_you_mean():
    assert did_you_mean("triplt", ["id", "triplet"]) == " Did you mean triplet?"
    assert did_you_mean("xyz", ["id", "triplet"]) == ""


def test_suggestion():
    assert (
        suggestion("triplt", ["id", "triplet"], "losses: id, triplet", prefix="LOSSES.")
        == "did you mean LOSSES.triplet?"
    )
    assert suggestion("xyz", ["id", "triplet"], "losses: id, triplet") == "losses: id, triplet"
