"""Collects what is warned of, for those who say it elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["warned"]

logger = logging.getLogger("reidzoo")


class _Texts(logging.Handler):
    """Keeps the texts of warnings."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


@contextmanager
def warned() -> Iterator[list[str]]:
    """Yield the list of what is warned of meanwhile; nothing that is logged gets anywhere else."""
    texts, handlers, propagate = _Texts(), list(logger.handlers), logger.propagate
    logger.handlers, logger.propagate = [texts], False
    try:
        yield texts.found
    finally:
        logger.handlers, logger.propagate = handlers, propagate
