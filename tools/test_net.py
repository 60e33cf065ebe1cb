"""Test trained models on many datasets: ``reidzoo test`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("test", prog="python tools/test_net.py")
