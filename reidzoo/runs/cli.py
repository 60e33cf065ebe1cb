"""The entry of every command-line tool: a user's mistake is one message and exit code 2, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from reidzoo.errors import UserError

__all__ = ["run_tool"]


def run_tool(main: Callable[[], None]) -> None:
    """Call ``main`` and exit: 0 when it returns, 2 on a ``UserError``, 75 when paused, 130 when interrupted."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
