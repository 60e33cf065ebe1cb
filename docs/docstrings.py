"""Brings the docstrings' reStructuredText to the Markdown that mkdocstrings renders."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["MarkdownDocstrings"]


class MarkdownDocstrings(griffe.Extension):
    """Turns ``::`` before an indented block into a colon, and roles such as ``:func:`name``` into the name."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of an object that griffe has read."""
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text: str) -> str:
    """Return a docstring without the two marks that Markdown does not know."""
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    return re.sub(r":(?:attr|class|func|meth|mod):`~?([^`]+)`", r"`\1`", text)
