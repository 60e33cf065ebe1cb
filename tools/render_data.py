"""Draw small twins of the datasets: ``reidzoo render`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("render", prog="python tools/render_data.py")
