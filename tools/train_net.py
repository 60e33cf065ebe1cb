"""Train what a configuration describes: ``reidzoo train`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("train", prog="python tools/train_net.py")
