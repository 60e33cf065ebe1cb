"""Writes what a run says into its file and onto the screen."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

__all__ = ["RunLog"]

logger = logging.getLogger("reidzoo")


class _Screen(logging.Handler):
    """Prints above a progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)


class RunLog:
    """The log of one run. As a context it ends with the run, so that nothing said later gets into the run's file."""

    def __init__(self) -> None:
        self.handlers: list[logging.Handler] = []
        self.level = logging.NOTSET

    def start(self, path: Path) -> None:
        """Write to ``path``, behind what is there, and onto the screen."""
        self.level = logger.level
        logger.setLevel(logging.INFO)
        file, screen = logging.FileHandler(path), _Screen()
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        screen.setFormatter(logging.Formatter("%(asctime)s  %(message)s", datefmt="%H:%M:%S"))
        self.handlers = [file, screen]
        for handler in self.handlers:
            logger.addHandler(handler)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.handlers:
            logger.setLevel(self.level)
        while self.handlers:
            handler = self.handlers.pop()
            logger.removeHandler(handler)
            handler.close()
