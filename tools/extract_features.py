"""Embed images of a folder, a CSV or a dataset: ``reidzoo extract`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("extract", prog="python tools/extract_features.py")
