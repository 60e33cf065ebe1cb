"""Write the files of a new paper's project: ``reidzoo new-project`` under the name that a checkout has for it."""

from __future__ import annotations

from reidzoo.commands import run_command

if __name__ == "__main__":
    run_command("new-project", prog="python tools/new_project.py")
