"""A picture of a risk report: the changes, the VaR of each period, and the violations."""

from __future__ import annotations

from html import escape

import numpy as np

from affiant.verticals.finance.coverage import Floats
from affiant.verticals.finance.risk import RiskReport

WIDTH, HEIGHT = 960, 420
#: Room around the plot: left, right, top, bottom.
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 56, 32
#: Vertical strokes the changes are drawn with at most; each spans those it stands for.
STROKES = WIDTH - LEFT - RIGHT


def plot(told: RiskReport) -> str:
    """Return an SVG picture. It tells the tests as well: the numbers do not leave without them."""
    sign = -1 if told.position == "long" else 1
    changes, line = sign * told.forecasts.losses, sign * told.forecasts.var[:-1]
    top, bottom = float(max(changes.max(), line.max(), 0)), float(min(changes.min(), line.min(), 0))
    tall = HEIGHT - TOP - BOTTOM

    def across(place: float) -> float:
        return LEFT + place / max(len(changes) - 1, 1) * (WIDTH - LEFT - RIGHT)

    def down(value: float) -> float:
        return TOP + (top - value) / (top - bottom) * tall

    def label(x: float, y: float, words: str, anchor: str = "start") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'

    def path(values: Floats) -> str:
        return " ".join(f"{across(i):.1f},{down(v):.1f}" for i, v in enumerate(values.tolist()))

    tested, dates = told.backtest, told.forecasts.dates
    verdicts = ", ".join(f"{v.name} p {v.p:.3f}" for v in tested.verdicts)
    head = f"{told.name}, {told.position}: VaR {100 * told.level:g} % by {told.model}"
    strokes = []
    for part in np.array_split(np.arange(len(changes)), min(STROKES, len(changes))):
        x, values = across(float(part.mean())), changes[part]
        low, high = down(float(min(values.min(), 0))), down(float(max(values.max(), 0)))
        strokes.append(f"M{x:.1f} {low:.1f}V{high:.1f}")
    marks = [
        f'<circle cx="{across(i):.1f}" cy="{down(float(changes[i])):.1f}" r="2.5"><title>'
        f"{escape(dates[i])}: {changes[i]:.4g}</title></circle>"
        for i in told.violated
    ]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12" fill="#333"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f'<title>{escape(head)}</title><rect width="100%" height="100%" fill="#fff"/>',
            label(LEFT, 20, head),
            label(
                LEFT,
                40,
                f"{tested.violations} violations in {tested.periods:,} periods; {verdicts}",
            ),
            *(label(LEFT - 6, down(v) + 4, f"{v:.4g}", "end") for v in (top, 0.0, bottom)),
            label(LEFT, HEIGHT - 10, dates[0]),
            label(WIDTH / 2, HEIGHT - 10, f"changes in {told.unit}", "middle"),
            label(WIDTH - RIGHT, HEIGHT - 10, dates[-1], "end"),
            f'<path d="{"".join(strokes)}" stroke="#9ab" fill="none"/>',
            f'<polyline points="{path(line)}" stroke="#06c" stroke-width="0.7" fill="none"/>',
            f'<g fill="#c00">{"".join(marks)}</g>',
            "</svg>\n",
        ]
    )
