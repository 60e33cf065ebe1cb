"""Convert another toolkit's checkpoint: ``reidzoo convert`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("convert", prog="python tools/convert_weights.py")
