"""The web application: a page, and the JSON API that it uses."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from reidzoo.errors import UserError
from reidzoo.gallery.gallery import Gallery
from reidzoo.gallery.server.guard import Guard
from reidzoo.gallery.server.limits import Limits
from reidzoo.needs import need
from reidzoo.version import __version__

__all__ = ["LOOPBACK", "create_app"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
STATIC = Path(__file__).parent / "static"
OVERHEAD = 64 * 1024  # of a form around its pictures


def create_app(
    gallery: Gallery,
    limits: Limits | None = None,
    hosts: Collection[str] | None = LOOPBACK,
    prior: float | None = None,
) -> Guard:
    """Return the ASGI application that serves a gallery.

    Nothing is loaded from elsewhere, nothing is kept of what is uploaded, and of the machine's files the gallery's
    pictures alone can be seen.

    Args:
        gallery: its model is loaded now.
        limits: of what is uploaded.
        hosts: names by which it may be called; None for any.
        prior: what all probabilities are for, as ``ReadyModel.same`` takes it.

    Raises:
        UserError: fastapi is not installed, the model cannot be loaded, or the prior does not fit it.
    """
    for module in ("fastapi", "python_multipart"):
        need(module, "serve")
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse
    from fastapi.staticfiles import StaticFiles

    from reidzoo.gallery.server.routes import add_routes
    from reidzoo.gallery.server.service import Service

    limits = limits or Limits()
    service = Service(gallery, limits, prior)
    # fastapi's own pages of the API load their scripts from elsewhere; /openapi.json is all that is needed.
    app = FastAPI(title="reidzoo gallery", version=__version__, docs_url=None, redoc_url=None)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.exception_handler(UserError)
    def refuse(request: Any, error: UserError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(LookupError)
    def not_found(request: Any, error: LookupError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 404)

    add_routes(app, service, limits, STATIC)
    return Guard(app, hosts, 2 * limits.bytes + OVERHEAD)
