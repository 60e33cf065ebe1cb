"""Print every registered part: ``reidzoo registry`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("registry", prog="python tools/list_registry.py")
