"""What is wrong is collected, and said once."""

from __future__ import annotations

import pytest

from reidzoo.errors import ConfigError, DatasetError, UserError
from reidzoo.runs import findings
from reidzoo.runs.findings import Findings


def collected(*errors):
    """Return findings of the stages one and two, with these (stage, error)."""
    found = Findings(["one", "two"])
    for stage, error in errors:
        with found.collect(stage):
            raise error
    return found


def test_an_error_is_said_once_with_its_stages_unless_it_is_all_of_them():
    found = collected(
        ("one", ConfigError("a")), ("two", ConfigError("a")), ("two", ConfigError("b")), ("", DatasetError("c"))
    )
    assert found.texts() == ["a", "stage two: b", "c"] and len(found) == 4
    with pytest.raises(UserError, match=r"^3 things are wrong:\n1\. a\n2\. stage two: b\n3\. c$"):
        found.raise_if_any()


def test_one_error_keeps_its_class_and_a_parts_has_its_place():
    with pytest.raises(DatasetError, match=r"^stage two: gone$"):
        collected(("two", DatasetError("gone"))).raise_if_any()
    with pytest.raises(UserError, match=r"^stage one: KeyError: 'x'\nin .*collected \(test_findings\.py:\d+\)$"):
        collected(("one", KeyError("x"))).raise_if_any()
    Findings([]).raise_if_any()


def test_what_other_processes_have_found_is_known_to_each(monkeypatch):
    found = collected(("one", ConfigError("a")))
    monkeypatch.setattr(findings, "gather_objects", lambda own: [own, [*own, ("two", "b", DatasetError)]])
    found.share()
    assert found.texts() == ["stage one: a", "stage two: b"]
