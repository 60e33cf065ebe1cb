"""A plot of lines, points and coloured bands as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

__all__ = ["COLOURS", "SVGPlot", "side_by_side"]

COLOURS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#66ccee", "#ccbb44", "#777777")
"""Colours that remain apart for colour-blind readers (Tol's "bright" scheme, grey darkened)."""
LEFT, RIGHT, TOP, BOTTOM = 62, 16, 34, 46
LEGEND_ROW = 18
HEADER = 24


class SVGPlot:
    """One pair of axes; what is drawn later lies over what was drawn before.

    Args:
        title: above the axes.
        x_label, y_label: beside them.
        x_range, y_range: the values at the ends of the axes.
        size: width and height in pixels, without the legend.
        x_names: what to write at x = 0, 1, 2, ... in the place of numbers.
    """

    def __init__(
        self,
        title: str,
        x_label: str,
        y_label: str,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        size: tuple[int, int] = (720, 360),
        x_names: Sequence[str] = (),
    ) -> None:
        self.title, self.x_label, self.y_label, self.x_names = title, x_label, y_label, x_names
        self.x_range, self.y_range, self.size = _widened(x_range), _widened(y_range), size
        self.shapes: list[str] = []
        self.legend: dict[str, tuple[str, str]] = {}
        self.names: list[tuple[float, float, str]] = []

    # ---- what can be drawn ------------------------------------------------------------------------------------------

    def band(self, start: float, end: float, colour: str, label: str = "") -> None:
        """Colour the strip between two values of x."""
        x, right = self._x(start), self._x(end)
        _, height = self.size
        place = f'x="{x:.1f}" y="{TOP}" width="{max(right - x, 0.5):.1f}" height="{height - TOP - BOTTOM}"'
        self.shapes.append(f'<rect {place} fill="{colour}" fill-opacity="0.18">{_tip(label)}</rect>')
        self._explain(label, colour, "rect")

    def line(
        self, xs: Sequence[float], ys: Sequence[float], colour: str, label: str = "", dashed: bool = False
    ) -> None:
        """Draw the line through the points."""
        points = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in zip(xs, ys))
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.shapes.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        self._explain(label, colour, "dashed" if dashed else "line")

    def interval(self, x: float, low: float, high: float, colour: str) -> None:
        """Draw a bar with ends from ``low`` to ``high``, as of a confidence interval."""
        left, ends = self._x(x), (self._y(low), self._y(high))
        path = f"M{left:.1f} {ends[0]:.1f}V{ends[1]:.1f}" + "".join(f"M{left - 4:.1f} {end:.1f}h8" for end in ends)
        self.shapes.append(f'<path d="{path}" fill="none" stroke="{colour}"/>')

    def point(
        self, x: float, y: float, colour: str, label: str = "", text: str = "", tip: str = "", hollow: bool = False
    ) -> None:
        """Draw a dot, with ``text`` beside it; a browser shows ``tip`` where the mouse is over it."""
        left, top = self._x(x), self._y(y)
        place = f'cx="{left:.1f}" cy="{top:.1f}" r="3.5"'
        self.shapes.append(f"<circle {place} {_fill(colour, hollow)}>{_tip(tip)}</circle>")
        self.names.append((left, top, text))
        self._explain(label, colour, "ring" if hollow else "circle")

    def _explain(self, label: str, colour: str, kind: str) -> None:
        if label:
            self.legend.setdefault(label, (colour, kind))

    # ---- the picture ------------------------------------------------------------------------------------------------

    def render(self) -> str:
        """Return the SVG file's text."""
        parts, height = self.draw()
        return _document(self.size[0], height, parts)

    def draw(self) -> tuple[list[str], int]:
        """Return the SVG elements of the picture, and its height in pixels with the legend."""
        legend, extra = self._legend()
        title = _text(self.size[0] / 2, 20, self.title, "middle", 'font-size="14"')
        return [title, *self._axes(), *self.shapes, *self._names(), *legend], self.size[1] + extra

    def _axes(self) -> list[str]:
        width, height = self.size
        right, bottom = width - RIGHT, height - BOTTOM
        parts = []
        named = dict(enumerate(self.x_names)) or {value: f"{value:g}" for value in ticks(*self.x_range)}
        for value, name in named.items():
            x = self._x(value)
            parts.append(f'<line x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 4}" stroke="black"/>')
            parts.append(_text(x, bottom + 17, name, "middle"))
        for value in ticks(*self.y_range):
            y = self._y(value)
            parts.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#dddddd"/>')
            parts.append(_text(LEFT - 7, y + 4, f"{value:g}", "end"))
        parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="black"/>')
        parts.append(_text((LEFT + right) / 2, bottom + 36, self.x_label, "middle"))
        middle = (TOP + bottom) / 2
        parts.append(_text(16, middle, self.y_label, "middle", f'transform="rotate(-90 16 {middle:.1f})"'))
        return parts

    def _names(self) -> list[str]:
        """Return the points' texts, each right, left, above or below of its point, where it is in nobody's way."""
        taken = [(x - 4, y - 4, x + 4, y + 4) for x, y, _ in self.names]
        parts = []
        for x, y, text in self.names:
            if not text:
                continue
            width = 6.6 * len(text)
            places = [(x + 8, y + 4), (x - 8 - width, y + 4), (x - width / 2, y - 8), (x - width / 2, y + 16)]
            boxes = [(left, base - 9, left + width, base + 2) for left, base in places]
            inside = [box[0] >= LEFT and box[2] <= self.size[0] for box in boxes]
            free = [ok and not any(_overlap(box, other) for other in taken) for ok, box in zip(inside, boxes)]
            chosen = free.index(True) if any(free) else inside.index(True) if any(inside) else 0
            taken.append(boxes[chosen])
            anchor, shift = [("start", 8), ("end", -8), ("middle", 0), ("middle", 0)][chosen]
            parts.append(_text(x + shift, places[chosen][1], text, anchor))
        return parts

    def _legend(self) -> tuple[list[str], int]:
        """Return the legend under the axes, and its height."""
        parts, x, row = [], LEFT, 0
        for label, (colour, kind) in self.legend.items():
            needed = 30 + 7 * len(label)
            if x > LEFT and x + needed > self.size[0] - RIGHT:
                x, row = LEFT, row + 1
            y = self.size[1] + row * LEGEND_ROW
            mark = {
                "rect": f'<rect x="{x}" y="{y - 3}" width="14" height="10" fill="{colour}" fill-opacity="0.3"/>',
                "line": f'<path d="M{x} {y + 2}h14" stroke="{colour}" stroke-width="2"/>',
                "dashed": f'<path d="M{x} {y + 2}h14" stroke="{colour}" stroke-width="2" stroke-dasharray="4 3"/>',
                "circle": f'<circle cx="{x + 7}" cy="{y + 2}" r="4.5" fill="{colour}"/>',
                "ring": f'<circle cx="{x + 7}" cy="{y + 2}" r="4" {_fill(colour, True)}/>',
            }[kind]
            parts += [mark, _text(x + 19, y + 6, label)]
            x += needed
        return parts, (row + 1) * LEGEND_ROW if parts else 0

    def _x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (self.size[0] - LEFT - RIGHT)

    def _y(self, value: float) -> float:
        low, high = self.y_range
        return self.size[1] - BOTTOM - (value - low) / (high - low) * (self.size[1] - TOP - BOTTOM)


def side_by_side(title: str, plots: Sequence[SVGPlot]) -> str:
    """Return one SVG file's text with plots in a row, ``title`` above them."""
    parts, x, highest = [], 0, 0
    for plot in plots:
        drawn, height = plot.draw()
        parts += [f'<svg x="{x}" y="{HEADER}" width="{plot.size[0]}" height="{height}">', *drawn, "</svg>"]
        x, highest = x + plot.size[0], max(highest, height)
    heading = _text(x / 2, 20, title, "middle", 'font-size="14"')
    return _document(x, HEADER + highest, [heading, *parts])


def _document(width: int, height: int, parts: Sequence[str]) -> str:
    """Return the text of an SVG file of elements on white."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
    )
    ground = f'<rect width="{width}" height="{height}" fill="white"/>'
    return "\n".join([head, ground, *parts, "</svg>"]) + "\n"


def ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return about ``count`` round values in [low, high]."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _widened(values: tuple[float, float]) -> tuple[float, float]:
    """Return a range that is not empty."""
    low, high = map(float, values)
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two boxes (left, top, right, bottom) overlap."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _fill(colour: str, hollow: bool) -> str:
    return f'fill="white" stroke="{colour}" stroke-width="1.6"' if hollow else f'fill="{colour}" fill-opacity="0.85"'


def _text(x: float, y: float, text: str, anchor: str = "start", attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor={quoteattr(anchor)} {attributes}>{escape(text)}</text>'


def _tip(text: str) -> str:
    return f"<title>{escape(text)}</title>" if text else ""
