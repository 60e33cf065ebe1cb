"""The rule that repeats a record: the same actions whatever is measured, and a record that is none."""

from __future__ import annotations

import json

import pytest

from reidzoo.errors import ConfigError
from reidzoo.hooks import RecordedActions

TAKEN = ["penalty", "penalty", "rescue", "end"]


def test_it_takes_the_recorded_actions_whatever_is_measured(tmp_path):
    file = tmp_path / "alternation.json"
    rule = RecordedActions(str(file))  # which another stage has yet to write
    file.write_text(json.dumps({"rule": {}, "switches": [{"to": action, "number": 1} for action in TAKEN]}))
    rule.begin({"identity": 0.9})
    assert [rule.decide({"identity": value}) for value in (0.9, 0.1, 0.5)] == TAKEN[:3]
    file.unlink()  # a resumed run does not read it again
    resumed = RecordedActions(str(file))
    resumed.load_state_dict(json.loads(json.dumps(rule.state_dict())))
    assert [resumed.decide({}), resumed.decide({})] == ["end", "end"]


@pytest.mark.parametrize("text", [None, "[", "[]", "{}", '{"switches": [{}]}'])
def test_what_is_no_record_is_named(tmp_path, text):
    file = tmp_path / "alternation.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=r"RecordedActions: .*alternation\.json is not a record of an alternation"):
        RecordedActions(str(file)).begin({})
