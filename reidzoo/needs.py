"""Imports the packages of the extras, and says which one is missing."""

from __future__ import annotations

import importlib
from typing import Any

from reidzoo.errors import UserError

__all__ = ["need"]


def need(module: str, extra: str, who: str = "this", error_type: type[Exception] = UserError) -> Any:
    """Return a module of an extra.

    Args:
        module: its dotted name.
        extra: of this package.
        who: what needs it, for the message.
        error_type: what is raised.

    Raises:
        UserError: it is not installed; the message says how to get it. With ``error_type`` that error instead.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise error_type(
            f"{who} needs {module.partition('.')[0]} ({error}); install it: pip install 'reidzoo[{extra}]'"
        ) from None
