"""``python -m reidzoo COMMAND ...``, the same as the console script ``reidzoo``."""

from __future__ import annotations

from reidzoo.commands import main

if __name__ == "__main__":
    main()
