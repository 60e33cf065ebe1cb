"""The plan of an export, decided and checked before any work."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from reidzoo.deployment.consumers import CONSUMERS, Consumer
from reidzoo.deployment.feed import Feed
from reidzoo.deployment.formats import FORMATS, Format
from reidzoo.deployment.resizing import Resize, by_pil
from reidzoo.errors import UserError
from reidzoo.inference.ready_model import ReadyModel
from reidzoo.suggest import did_you_mean

__all__ = ["INPUTS", "ExportPlan"]

INPUTS = ("normalised", "unit", "uint8")
"""What a graph can be given: normalised pixels; pixels in [0, 1]; bytes. The latter two have the pipeline within."""
SIDES = ("query", "gallery")


@dataclass(frozen=True)
class ExportPlan:
    """The decisions of one export.

    Attributes:
        model: the trained model.
        name: what the files are called.
        format: the file format.
        feed: what the graph is given.
        resize: how the program that feeds it resizes a crop.
        precision: ``fp32``, ``fp16`` or ``int8``.
        consumer: the program that it is made for, None for any.
        views: the model's networks to write: "" for one that embeds all images alike.
    """

    model: ReadyModel
    name: str
    format: Format
    feed: Feed
    resize: Resize
    precision: str = "fp32"
    consumer: Consumer | None = None
    views: tuple[str, ...] = field(default=("",))

    @classmethod
    def make(
        cls, model: ReadyModel, name: str, *, to: str = "", consumer: str = "", given: str = "normalised",
        size: tuple[int, int] | None = None, precision: str = "fp32", view: str = "",
    ) -> ExportPlan:  # fmt: skip
        """Decide and check.

        Args:
            model: the trained model.
            name: what the files are called.
            to: a format; "" for the consumer's usual one, or onnx.
            consumer: a program out of ``CONSUMERS``, or "".
            given: one of ``INPUTS``; a consumer decides for itself.
            size: H and W of what is fed; None for the model's own.
            precision: ``fp32``, ``fp16`` or ``int8``.
            view: of a model of two networks, ``query``, ``gallery`` or "" for both.

        Raises:
            UserError: something of it does not exist, or does not go together.
        """
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise UserError(f"name (--name) {name!r}: a file's name is made of letters, digits, _, - and .")
        _known(consumer, ["", *CONSUMERS], "consumer (--for)")
        program = CONSUMERS.get(consumer)
        to = to or (program.formats[0] if program else "onnx")
        _known(to, FORMATS, "format (--to)")
        _known(given, INPUTS, "input (--input)")
        if program and to not in program.formats:
            raise UserError(f"{consumer} takes {', '.join(program.formats)}, not {to}")
        FORMATS[to].check(precision)
        fed = size or model.size
        inputs = model.config.INPUT
        own = Feed.normalised(fed, inputs.MEAN, inputs.STD)
        feeds = {"normalised": own, "unit": Feed.unit(fed), "uint8": Feed.uint8(fed)}
        feed = program.feed(model, fed) if program else feeds[given]
        resize = program.resize(model) if program else by_pil(model.interpolation)
        return cls(model, name, FORMATS[to], feed, resize, precision, program, _views(model, view, consumer))

    def stem(self, view: str) -> str:
        """Return the name of one network's file, without its suffix."""
        return f"{self.name}-{view}" if view else self.name

    def files(self) -> list[str]:
        """Return the names of the files, or folders, of the networks."""
        return [f"{self.stem(view)}{self.format.suffix}" for view in self.views]

    def check_free(self, folder: Path, overwrite: bool) -> None:
        """Check that nothing is in the way.

        Raises:
            UserError: a file of the name is there, and ``overwrite`` is false.
        """
        there = [file for file in self.files() if (folder / file).exists()]
        if there and not overwrite:
            raise UserError(f"{folder / there[0]} is there already; take another name (--name), or --overwrite")


def _known(value: str, values: Iterable[str], what: str) -> None:
    names = [name for name in values if name]
    if value and value not in names:
        hint = did_you_mean(value, names)
        raise UserError(f"{what} {value}: there is no such thing.{hint} It is one of {', '.join(names)}")


def _views(model: ReadyModel, view: str, consumer: str) -> tuple[str, ...]:
    if not hasattr(model.module, "embed_query"):
        if view:
            raise UserError("a view (--view) is for models of two networks; this one embeds all images alike")
        return ("",)
    _known(view, SIDES, "view (--view)")
    if consumer and not view:
        raise UserError(
            f"this model has a network for queries and one for the gallery, and {consumer} takes one network for all "
            f"crops; say which (--view): query or gallery"
        )
    return (view,) if view else SIDES
