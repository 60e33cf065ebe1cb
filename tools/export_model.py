"""Keep the model of a finished run: ``reidzoo export`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("export", prog="python tools/export_model.py")
