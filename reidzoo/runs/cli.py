"""The entry of every command-line tool: a user's mistake is one message and exit code 2, never a traceback."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from reidzoo.errors import UserError

__all__ = ["run_tool"]

_ADVICE = {
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT), "Make room; what was there before is whole, and a run goes on with --resume"
    ),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a place that you may read and write"),
    **dict.fromkeys((errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG), "Choose another name"),
    errno.ENOENT: "Look whether the path is spelled right, and its folder is there",
}
"""What to do about errors of the system that are seldom a mistake in the code; others keep their traceback."""


def run_tool(main: Callable[[], None]) -> None:
    """Call ``main`` and exit: 0 when it returns, 75 when paused, 130 when interrupted, 141 when nobody reads on.

    A ``UserError``, a full disk, or a place that may not be written to is a message and 2.
    """
    try:
        try:
            main()
        finally:
            sys.stdout.flush()  # here, where it is looked after if nobody reads on
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # who read our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if error.errno not in _ADVICE:
            raise
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror}. {_ADVICE[error.errno]}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
