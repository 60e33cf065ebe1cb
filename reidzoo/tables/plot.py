"""Draws a sweep: our mean with its interval at each value, and the paper's figures, a panel for each metric, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["Panel", "Point", "draw_panels", "sweep_plot"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito: told apart by the colour-blind
_WIDTH, _HEIGHT = 380, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 34, 46


@dataclass(frozen=True)
class Point:
    """One value of a sweep: ``x`` counts the values from 0; ``low`` and ``high`` are the interval's ends, if any."""

    x: int
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Panel:
    """One plot: what it shows, and its curves by name, in pairs of ours and the paper's; either may be empty."""

    title: str
    curves: Mapping[str, Sequence[Point]]


def sweep_plot(results: Mapping[str, Any], name: str) -> str:
    """Return the SVG of one sweep of a table's results, as ``report.collect`` gives them."""
    sweep = results["sweeps"][name]
    rows = {row["name"]: row for row in results["rows"]}
    swept = [rows[row] for row in sweep["rows"].values()]
    panels = [Panel(metric, _curves(results["variants"], swept, metric)) for metric in results["metrics"]]
    return draw_panels(f"{results['title']}: {sweep['label']}", list(sweep["rows"]), panels)


def _curves(variants: Sequence[str], rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, list[Point]]:
    curves: dict[str, list[Point]] = {}
    for variant in variants:
        ours, paper = [], []
        for x, row in enumerate(rows):
            found = row["variants"][variant]
            summary = found["metrics"][metric]
            if summary["mean"] is not None:
                ours.append(Point(x, summary["mean"], *(summary["interval"] or ())))
            if metric in found["paper"]:
                paper.append(Point(x, found["paper"][metric]))
        curves[variant or "ours"] = ours
        curves[f"{variant}, paper" if variant else "paper"] = paper
    return curves


def draw_panels(title: str, values: Sequence[str], panels: Sequence[Panel]) -> str:
    """Return panels side by side as an SVG document.

    Args:
        title: what stands above them.
        values: the labels of the x axis, at equal distances.
        panels: the panels; a pair of curves has one colour, and the paper's is dashed.
    """
    width, height = _WIDTH * len(panels), _HEIGHT + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(width / 2, 18, title, size=13),
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate({number * _WIDTH} 24)">')
        parts += _draw(panel, values)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _draw(panel: Panel, values: Sequence[str]) -> list[str]:
    points = [point for curve in panel.curves.values() for point in curve]
    ends = [end for p in points for end in (p.y, p.low, p.high) if end is not None]
    ticks = _ticks(min(ends, default=0.0), max(ends, default=1.0))
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    step = (right - _LEFT) / max(1, len(values))

    def x_of(x: int) -> float:
        return _LEFT + step * (x + 0.5)

    def y_of(y: float) -> float:
        return bottom - (bottom - _TOP) * (y - ticks[0]) / (ticks[-1] - ticks[0])

    parts = [_text((_LEFT + right) / 2, _HEIGHT - 8, panel.title, size=12)]
    for tick in ticks:
        parts.append(_line(_LEFT, y_of(tick), right, y_of(tick), "#dddddd"))
        parts.append(_text(_LEFT - 6, y_of(tick) + 4, f"{tick:g}", anchor="end"))
    parts += [_text(x_of(x), bottom + 16, value) for x, value in enumerate(values)]
    parts.append(_line(_LEFT, bottom, right, bottom, "#444444"))
    pairs = (len(panel.curves) + 1) // 2
    shown = [(number, name) for number, (name, curve) in enumerate(panel.curves.items()) if curve]
    for place, (number, name) in enumerate(shown):
        colour, dashed = _COLOURS[number // 2 % len(_COLOURS)], number % 2 == 1
        aside = 6 * (number // 2 - (pairs - 1) / 2)  # so that the intervals of variants do not cover one another
        parts += _curve([(x_of(p.x) + aside, p) for p in panel.curves[name]], y_of, colour, dashed)
        start = _LEFT + place * (right - _LEFT) / len(shown)
        parts.append(_line(start, 16, start + 18, 16, colour, dashed))
        parts.append(_text(start + 22, 20, name, anchor="start"))
    return parts


def _curve(points: Sequence[tuple[float, Point]], y_of: Any, colour: str, dashed: bool) -> list[str]:
    path = " ".join(f"{x:.1f},{y_of(point.y):.1f}" for x, point in points)
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    parts = [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>']
    for x, point in points:
        parts.append(f'<circle cx="{x:.1f}" cy="{y_of(point.y):.1f}" r="2.6" fill="{colour}"/>')
        if point.low is not None and point.high is not None:
            low, high = y_of(point.low), y_of(point.high)
            parts.append(_line(x, low, x, high, colour))
            parts += [_line(x - 4, end, x + 4, end, colour) for end in (low, high)]
    return parts


def _ticks(low: float, high: float) -> list[float]:
    """Return about five round numbers that enclose ``low`` to ``high``."""
    span = max(high - low, 1e-3 * max(1.0, abs(high)))
    raw = span / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(number * step, 10) for number in range(first, max(last, first + 1) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
