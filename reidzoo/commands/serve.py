"""Search a gallery from a browser: rank it for a picture, filter by camera, compare two pictures; with a JSON API."""

from __future__ import annotations

import argparse
import math
import socket
import sys

from reidzoo.commands.gallery import add_gallery_arguments, open_gallery
from reidzoo.errors import UserError

__all__ = ["EXAMPLE", "add_arguments", "run"]

EXAMPLE = """reidzoo serve people
then open http://127.0.0.1:8000 in a browser; pip install 'reidzoo[serve]'"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_gallery_arguments(parser)
    parser.add_argument(
        "--host", default="127.0.0.1",
        help="the address to listen at (default: 127.0.0.1, which other machines cannot reach). There is no password: "
        "with another address everybody who reaches it sees the gallery",
    )  # fmt: skip
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0 takes a free one (default: 8000)")
    parser.add_argument(
        "--index", choices=("exact", "faiss"), default="exact",
        help="what searches: faiss for millions of images, which may miss some of the nearest (pip install "
        "'reidzoo[faiss]'; default: exact)",
    )  # fmt: skip
    parser.add_argument(
        "--max-megabytes", type=float, default=10, metavar="N", help="of an uploaded picture's file (default: 10)"
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=50, metavar="N", help="of an uploaded picture (default: 50)"
    )


def run(args: argparse.Namespace) -> None:
    """Serve until interrupted."""
    from reidzoo.needs import need

    if not (0 < args.max_megabytes < math.inf and 0 < args.max_megapixels < math.inf):
        raise UserError("--max-megabytes and --max-megapixels take numbers above 0, and no infinite ones")
    uvicorn = need("uvicorn", "serve")
    from reidzoo.gallery.server import LOOPBACK, Limits, create_app

    gallery = open_gallery(args, args.index)
    limits = Limits(bytes=int(args.max_megabytes * 1024**2), pixels=int(args.max_megapixels * 10**6))
    local = args.host in LOOPBACK
    app = create_app(gallery, limits, LOOPBACK if local else None, args.prior)
    with _listening(args.host, args.port) as listener:
        port = listener.getsockname()[1]
        if not local:
            print("warning: there is no password; everybody who reaches this address sees the gallery", file=sys.stderr)
        shown = f"[{args.host}]" if ":" in args.host else args.host
        print(f"{args.gallery}: {len(gallery):,} images at http://{shown}:{port} (Ctrl-C stops)", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens, so that the address is known to be free before the model's work is told of."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)  # who connects from now on waits until the server answers
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(f"cannot listen at {host}, port {port}: {error}; name another --port or --host") from None
    return listener
