"""Figures as SVG and PNG, in one style."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "colour_of", "marker_of", "png_bytes", "svg_text"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#66ccee", "#ccbb44", "#777777")
"""Tol's "bright" scheme, grey darkened: colours that remain apart for colour-blind readers."""
MARKERS = ("o", "s", "^", "D", "v")
"""As many as have no divisor in common with the colours: colour and marker together tell 35 things apart."""

_STYLE = {
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
    "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#dddddd", "axes.axisbelow": True,
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "legend.handlelength": 1.5,
    "font.size": 9, "figure.titlesize": "medium", "lines.markersize": 5,
    "svg.fonttype": "none", "svg.hashsalt": "reidzoo", "text.parse_math": False,
}  # fmt: skip


def colour_of(number: int) -> str:
    """Return the colour of the ``number``-th thing that is drawn, as matplotlib calls it."""
    return f"C{number % len(COLOURS)}"


def marker_of(number: int) -> str:
    """Return the marker of the ``number``-th thing that is drawn."""
    return MARKERS[number % len(MARKERS)]


def svg_text(draw: Callable[[Figure], None], title: str, description: str, height: int = 300, width: int = 640) -> str:
    """Return the SVG of a figure with ``title`` above and a legend of all its axes below.

    Its bytes depend on what is drawn and on matplotlib's version, and on no setting of the user's.

    Args:
        draw: adds axes to the empty figure that it gets; ``"C0"`` to ``"C6"`` are the style's colours.
        title: also the title of the file.
        description: what the picture shows, its figures included, for those who cannot see it: the SVG's ``<desc>``.
        height: in pixels.
        width: in pixels; 640 is as wide as a README shows.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(width / 96, height / 96), layout="constrained")
        figure.suptitle(title, wrap=True)
        draw(figure)
        _add_legend(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": title})
    lines = "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"
    return lines.replace("</title>", f"</title>\n <desc>{escape(description)}</desc>", 1)


def png_bytes(draw: Callable[[Figure], None], width: int, height: int) -> bytes:
    """Return the PNG of a figure of photographs, which an SVG would hold as pixels, too.

    Args:
        draw: adds axes to the empty figure that it gets.
        width, height: in pixels.
    """
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.context(["default", _STYLE]):
        figure = Figure(figsize=(width / 96, height / 96), dpi=96)
        FigureCanvasAgg(figure)
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _add_legend(figure: Figure) -> None:
    """Put one legend below all axes, each label once, in as many columns as fit."""
    marks = {label: mark for axes in figure.axes for mark, label in zip(*axes.get_legend_handles_labels())}
    for columns in (4, 3, 2, 1):
        legend = figure.legend(marks.values(), marks.keys(), loc="outside lower center", ncols=columns)
        if columns == 1 or legend.get_window_extent().width < figure.bbox.width:
            return
        legend.remove()
