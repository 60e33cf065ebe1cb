"""Imports the packages of the extras, and says which one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from reidzoo.errors import UserError

__all__ = ["need"]


def need(module: str, extra: str) -> Any:
    """Return a module of an extra.

    Raises:
        UserError: it is not installed; the message says how to get it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UserError(
            f"this needs {module.partition('.')[0]} ({error}); install it: pip install 'reidzoo[{extra}]'"
        ) from None
