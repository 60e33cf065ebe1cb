"""The rule that repeats another run's actions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidzoo.checks import TEXT, check
from reidzoo.errors import ConfigError
from reidzoo.files import show_path
from reidzoo.hooks.switch_rule import SwitchRule
from reidzoo.registry import SWITCH_RULE

__all__ = ["RecordedActions"]


@SWITCH_RULE.register_module()
class RecordedActions(SwitchRule):
    """Takes the actions that another run took, whatever is measured.

    A run without a loss has then as many steps of each phase as the run with it, though the loss decided on them: what
    that run has more is the loss's.

    Args:
        file: the other run's ``alternation.json``; in a table ``row:NAME/alternation.json``.

    Raises:
        ConfigError: in the dry run or when training begins, the file is not there or is not a record of an alternation.
    """

    def __init__(self, file: str) -> None:
        check(self, TEXT, file=file)
        self.file = file
        self.taken: list[str] = []
        self.count = 0

    @property
    def actions(self) -> list[str]:  # type: ignore[override]  # known when the record is read
        """The actions that the other run took."""
        return [action for action in dict.fromkeys(self.taken) if action != "end"]

    def rehearse(self) -> None:
        """Read the record, so that its actions are known."""
        self._read()

    def begin(self, measured: Mapping[str, float]) -> None:
        """Read the record."""
        self._read()

    def _read(self) -> None:
        try:
            record = json.loads(Path(self.file).read_text(encoding="utf-8"))
            self.taken = [str(switch["to"]) for switch in record["switches"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"SWITCH_RULE: RecordedActions: {show_path(Path(self.file))} is not a record of an alternation "
                f"({error}); it is the alternation.json of a stage with an AlternationHook"
            ) from None

    def decide(self, measured: Mapping[str, float]) -> str:
        """Return the next recorded action; ``end`` after the last."""
        self.count += 1
        return self.taken[self.count - 1] if self.count <= len(self.taken) else "end"

    def state_dict(self) -> dict[str, Any]:
        """Return the recorded actions and how many are taken."""
        return {"taken": list(self.taken), "count": self.count}
