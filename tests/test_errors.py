"""``reidzoo.errors``: every error stands among its public names."""

from __future__ import annotations

import inspect

from reidzoo import errors


def test_every_error_is_a_public_name():
    own = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and value.__module__ == errors.__name__
    }
    assert set(errors.__all__) == {name for name in own if not name.startswith("_")}
