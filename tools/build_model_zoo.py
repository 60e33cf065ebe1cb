"""Write model_zoo.md, the page of all models, from the files that say what they are."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidzoo.errors import UserError
from reidzoo.files import write_text
from reidzoo.publishing.model_zoo_page import render_page
from reidzoo.runs.cli import run_tool

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 2 if the page is stale")
    parser.add_argument("--root", type=Path, default=REPOSITORY, metavar="DIR", help="the repository")
    args = parser.parse_args()
    page = args.root / "model_zoo.md"
    text = render_page(args.root)
    stale = not page.is_file() or page.read_text(encoding="utf-8") != text
    if args.check and stale:
        raise UserError(f"{page} is stale; write it anew with tools/build_model_zoo.py")
    if not args.check:
        write_text(page, text)
    print(f"{page}: {'written' if stale else 'up to date'}")


if __name__ == "__main__":
    run_tool(main)
