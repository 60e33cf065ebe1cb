"""The JSON that the server answers with; fastapi makes OpenAPI of it."""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ["ComparisonAnswer", "GalleryAnswer", "MatchAnswer", "SearchAnswer"]


class GalleryAnswer(BaseModel):
    """Facts of what is served."""

    images: int
    identities: int = Field(description="known ones")
    cameras: list[str]
    model: str
    sha256: str
    calibrated: bool = Field(description="whether similarities have probabilities")
    threshold: float | None = Field(description="the similarity that ``far`` of the pairs of two identities reach")
    far: float | None = Field(description="the rate of false accepts that the threshold is of")
    prior: float | None = Field(description="the share of pairs of one identity that all probabilities are for")
    max_bytes: int = Field(description="of an uploaded picture")
    max_pixels: int
    max_matches: int


class MatchAnswer(BaseModel):
    """One picture of the gallery as an answer."""

    rank: int
    name: str = Field(
        description="within the folder that holds all files; what GET /api/picture shows, and POST /api/compare takes"
    )
    file: str = Field(description="the last part of the name")
    identity: str | None
    camera: str | None
    similarity: float = Field(description="cosine, in [-1, 1]")
    probability: float | None = Field(description="of the query's identity, at the prior; null if not calibrated")
    distance: float | None = Field(description="by which re-ranked matches are ordered; null without re-ranking")


class SearchAnswer(BaseModel):
    """The gallery's most similar pictures, most similar first."""

    matches: list[MatchAnswer]


class ComparisonAnswer(BaseModel):
    """What a model makes of two pictures."""

    similarity: float
    probability: float | None = Field(description="of one identity, at the prior; null if not calibrated")
    side: str | None = Field(description='of the threshold: "above" or "below"; null if not calibrated')
    reasons: list[str] = Field(description="in words, what weighs most first")
    influence: list[list[list[float]]] = Field(
        description="for either picture rows of cells from the top: the similarity less what it is with a cell covered"
    )
