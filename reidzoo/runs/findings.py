"""Collects what is wrong with the stages of a run, so that all of it can be said at once."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reidzoo.distributed import gather_objects
from reidzoo.errors import UserError

__all__ = ["Findings"]

FRAMES = 3
"""How many calls are named for an error that is not a user's: of a part that is broken."""


class Findings:
    """Errors by stage; the same error in several stages is one.

    Args:
        stages: the names of all stages.
    """

    def __init__(self, stages: Sequence[str]) -> None:
        self.stages = list(stages)
        self._found: list[tuple[str, str, type[UserError]]] = []

    def __len__(self) -> int:
        return len(self._found)

    @contextmanager
    def collect(self, stage: str = "") -> Iterator[None]:
        """Note down an exception that ends the block."""
        try:
            yield
        except Exception as error:
            self._found.append((stage, _describe(error), type(error) if isinstance(error, UserError) else UserError))

    def share(self) -> None:
        """Take over what other processes of the run have found; each has to call it."""
        self._found = list(dict.fromkeys(item for found in gather_objects(self._found) for item in found))

    def texts(self) -> list[str]:
        """Return every error once, with the stages that have it unless it is all of them."""
        stages_of: dict[str, list[str]] = {}
        for stage, text, _ in self._found:
            stages_of.setdefault(text, []).append(stage)
        return [self._located(text, stages) for text, stages in stages_of.items()]

    def raise_if_any(self) -> None:
        """Raise what was found.

        Raises:
            UserError: the error itself, if it is one; else one with a list of all.
        """
        texts = self.texts()
        if len(texts) == 1:
            raise self._found[0][2](texts[0])
        if texts:
            numbered = [f"{number}. {text}".replace("\n", "\n   ") for number, text in enumerate(texts, 1)]
            raise UserError("\n".join([f"{len(texts)} things are wrong:", *numbered]))

    def _located(self, text: str, stages: Sequence[str]) -> str:
        named = [stage for stage in dict.fromkeys(stages) if stage]
        if not named or set(named) == set(self.stages):
            return text
        return f"stage{'s' if named[1:] else ''} {', '.join(named)}: {text}"


def _describe(error: Exception) -> str:
    """Return the message of a user's error; of another one its class, its message and where it was raised."""
    if isinstance(error, UserError):
        return str(error)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/torch/" not in frame.filename]
    places = [f"{frame.name} ({Path(frame.filename).name}:{frame.lineno})" for frame in frames[-FRAMES:]]
    return f"{type(error).__name__}: {error}\nin {', '.join(places)}"
