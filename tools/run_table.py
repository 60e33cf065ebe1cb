"""Run the rows of a paper's table: ``reidzoo table`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("table", prog="python tools/run_table.py")
