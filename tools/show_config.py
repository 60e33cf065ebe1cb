"""Print the resolved configuration: ``reidzoo show-config`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("show-config", prog="python tools/show_config.py")
