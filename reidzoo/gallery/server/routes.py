"""The paths that the web application answers, and what they take.

Annotations are not postponed here: fastapi reads them, and they name the limits.
"""

from pathlib import Path, PurePath
from typing import Annotated

from fastapi import FastAPI, File, Form, Query, UploadFile
from fastapi.responses import FileResponse, Response
from PIL import Image

from reidzoo.errors import UserError
from reidzoo.gallery.server.answers import ComparisonAnswer, GalleryAnswer, SearchAnswer
from reidzoo.gallery.server.limits import Limits
from reidzoo.gallery.server.pictures import open_picture
from reidzoo.gallery.server.service import Service

__all__ = ["add_routes"]

TAKEN = File(description="JPEG, PNG, WebP, BMP or TIFF")


def add_routes(app: FastAPI, service: Service, limits: Limits, static: Path) -> None:
    """Add the page, and the API.

    Args:
        app: the application.
        service: what answers.
        limits: of what is uploaded.
        static: the folder of the page.
    """

    def opened(upload: UploadFile) -> Image.Image:
        return open_picture(upload.file.read(), limits, PurePath(upload.filename or "the picture").name)

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(static / "index.html")

    @app.get("/api/gallery")
    def about() -> GalleryAnswer:
        """Say what is served."""
        return service.about

    @app.post("/api/search")
    def search(
        picture: Annotated[UploadFile, TAKEN],
        camera: Annotated[list[str], Form(default_factory=list, description="only of these cameras")],
        k: Annotated[int, Form(ge=1, le=limits.matches)] = 20,
        rerank: Annotated[bool, Form(description="k-reciprocal re-ranking of the nearest 1000")] = False,
    ) -> SearchAnswer:
        """Return the gallery's most similar pictures."""
        return service.search(opened(picture), k, camera, rerank)

    @app.post("/api/compare")
    def compare(
        first: Annotated[UploadFile, TAKEN],
        second: Annotated[UploadFile | None, File(description="another picture")] = None,
        name: Annotated[str | None, Form(description="or the name of one of the gallery")] = None,
    ) -> ComparisonAnswer:
        """Say what the model makes of two pictures, and what in them makes it say so."""
        other = name if second is None else opened(second)
        if other is None or (name is not None and second is not None):
            raise UserError("give a second picture, or the name of one of the gallery")
        return service.compare(opened(first), other)

    @app.get("/api/picture", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
    def picture(name: Annotated[str, Query(description="of a picture of the gallery")]) -> Response:
        """Return one of the gallery's pictures, small."""
        return Response(service.picture(name), media_type="image/jpeg")
