"""Side information embeddings: what camera and viewpoint add to a transformer's tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import nn

from reidzoo.checks import check, number, one_of, whole
from reidzoo.errors import ConfigError

__all__ = ["SideInformation", "side_information"]

_current: ContextVar[tuple[torch.Tensor, torch.Tensor] | None] = ContextVar("side_information", default=None)


@contextmanager
def side_information(camid: torch.Tensor | None, viewid: torch.Tensor | None) -> Iterator[None]:
    """Set the cameras and viewpoints, int64 (B,), of the images forwarded inside the block, in their order.

    Both have to be there, -1 for what is not known; with None for one of them nothing is told.
    """
    token = _current.set(None if camid is None or viewid is None else (camid, viewid))
    try:
        yield
    finally:
        _current.reset(token)


class SideInformation(nn.Module):
    """Adds an embedding of an image's camera and viewpoint to its tokens (SIE; He et al., ICCV 2021, Sec. 3.3, Eq. 4).

    ``Z + weight * S[camera * views + view]``, as the authors' code has it. The trainer tells the cameras of a batch,
    and the evaluation those of the test images, see ``side_information``. An image whose camera or viewpoint is not
    known, or is not among those trained with, as on another dataset, gets the mean of all embeddings: it is then
    embedded as of an unknown camera, and not as of the first.

    Args:
        behind: what follows the position embeddings, a dropout.
        dim: C of the tokens.
        cameras: how many there are, counted from 0; 0 for no camera embedding.
        views: how many viewpoints there are, 0 for none.
        weight: lambda of Eq. 4; 3.0 in the authors' configurations.
        tokens: "all", as in TransReID; "class" for the class token alone, as in CLIP-ReID (Li et al., AAAI 2023).

    Attributes:
        embedding: S, (cameras * views, C), or as many as there are of the one that is not 0.

    Raises:
        ConfigError: an argument is out of its range, or there are neither cameras nor views.
    """

    def __init__(
        self, behind: nn.Module, dim: int, cameras: int = 0, views: int = 0, weight: float = 3.0, tokens: str = "all"
    ) -> None:
        super().__init__()
        check("sie", whole(0, 100000), cameras=cameras, views=views)
        check("sie", number(0, 1000), weight=weight)
        check("sie", one_of("all", "class"), tokens=tokens)
        if not cameras and not views:
            raise ConfigError("sie: give it cameras, views, or both, such as {cameras: 6}")
        self.behind, self.cameras, self.views, self.weight = behind, cameras, views, weight
        self.tokens = tokens
        self.embedding = nn.Parameter(torch.empty(max(cameras, 1) * max(views, 1), dim))
        nn.init.trunc_normal_(self.embedding, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, N, C) -> (B, N, C).

        Raises:
            ConfigError: the cameras that were told are of another number of images.
        """
        side = self.weight * self._embeddings(len(tokens))[:, None].to(tokens.dtype)
        if self.tokens == "class":
            return self.behind(torch.cat([tokens[:, :1] + side, tokens[:, 1:]], dim=1))
        return self.behind(tokens + side)

    def _embeddings(self, count: int) -> torch.Tensor:
        """Return the embedding of each of ``count`` images, (count, C)."""
        unknown = self.embedding.mean(0, keepdim=True)
        if (told := _current.get()) is None:
            return unknown.expand(count, -1)
        camid, viewid = (ids.to(self.embedding.device) for ids in told)
        if len(camid) != count:
            raise ConfigError(
                f"sie: the cameras of {len(camid)} images are known, and {count} are forwarded at once. It needs "
                f"a trainer that forwards a batch as it comes, such as BaselineTrainer, and SOLVER.CHUNK 0"
            )
        known = torch.ones_like(camid, dtype=torch.bool)
        index = torch.zeros_like(camid)
        for ids, number_of in ((camid, self.cameras), (viewid, self.views)):
            if number_of:
                known &= (ids >= 0) & (ids < number_of)
                index = index * number_of + ids.clamp(0, number_of - 1)
        return torch.where(known[:, None], self.embedding[index], unknown)
