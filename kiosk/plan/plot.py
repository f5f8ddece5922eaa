"""A planned day as a picture: who waits where, minute by minute, and how long."""

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from kiosk.plan.answer import Plan
from kiosk.plan.told import clock
from kiosk.typeface import font

WIDTH, HEIGHT = 1200, 800
LEFT, RIGHT, TOP, GAP, BOTTOM = 80, 1170, 70, 60, 750
MIDDLE = (TOP + BOTTOM) // 2
INK, PALE = "#202020", "#d8d8d8"
DESK, GATE, SWAB = "#4472a8", "#e0a030", "#4f9d5d"
P50, P95, WORST, LIMIT = "#4f9d5d", "#e0a030", "#b03a2e", "#808080"
TEXT = 18

Point = tuple[float, float]


def draw(plan: Plan) -> Image.Image:
    """Above: people who wait, stacked by where; below: waits by quarter of an hour of arrival."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    title = f"{plan.people} 人 people, {plan.tables} 台 tables, {plan.hours:g} h: p95 {plan.waits.p95} min"
    pen.text((LEFT, 12), title, INK, font(24))
    span_s = max(len(plan.minutes) * 60.0, len(plan.quarters) * 900.0, 900.0)
    x = _scale(0, span_s, LEFT, RIGHT)

    minutes = plan.minutes
    y = _axes(pen, TOP, MIDDLE - GAP // 2, max((minute.all for minute in minutes), default=1), x, span_s)
    for colour, heights in (
        (SWAB, [minute.all for minute in minutes]),
        (GATE, [minute.desk + minute.gate for minute in minutes]),
        (DESK, [minute.desk for minute in minutes]),
    ):
        points = [(x(60.0 * (n + 1)), y(height)) for n, height in enumerate(heights)]
        if points:
            pen.polygon([(points[0][0], y(0)), *points, (points[-1][0], y(0))], fill=colour)
    _legend(pen, TOP, [(DESK, "登记 desk"), (GATE, "放行 gate"), (SWAB, "采样 swab"), (INK, "等候人数 waiting")])

    waits = [(900.0 * n + 450, each.waits) for n, each in enumerate(plan.quarters) if each.arrived]
    worst = max([plan.limit_min, *(each.worst for _, each in waits)])
    y = _axes(pen, MIDDLE + GAP // 2, BOTTOM, worst, x, span_s)
    pen.line([(LEFT, y(plan.limit_min)), (RIGHT, y(plan.limit_min))], LIMIT, 2)
    _curve(pen, WORST, [(x(time), y(each.worst)) for time, each in waits])
    _curve(pen, P95, [(x(time), y(each.p95)) for time, each in waits])
    _curve(pen, P50, [(x(time), y(each.p50)) for time, each in waits])
    names = [(P50, "p50"), (P95, "p95"), (WORST, "最长 worst"), (LIMIT, "上限 limit"), (INK, "等候分钟 wait, min")]
    _legend(pen, MIDDLE + GAP // 2, names)
    return image


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) * (end - start) / ((high - low) or 1.0)


def _axes(
    pen: ImageDraw.ImageDraw, top: int, bottom: int, most: float, x: Callable[[float], float], span_s: float
) -> Callable[[float], float]:
    """Lines and numbers of one picture; what gives the height of a value."""
    y = _scale(0, max(most, 1), bottom, top + TEXT + 8)
    step = _step(max(most, 1))
    for n in range(int(max(most, 1) / step) + 1):
        pen.line([(LEFT, y(n * step)), (RIGHT, y(n * step))], PALE)
        pen.text((LEFT - 8, y(n * step)), f"{n * step:g}", INK, font(TEXT), anchor="rm")
    hours = max(1, round(span_s / 3600 / 12))
    for second in range(0, int(span_s) + 1, hours * 3600):
        pen.line([(x(second), bottom), (x(second), bottom + 5)], INK)
        pen.text((x(second), bottom + 8), clock(second), INK, font(TEXT), anchor="ma")
    pen.line([(LEFT, bottom), (RIGHT, bottom)], INK)
    return y


def _step(most: float) -> float:
    """1, 2 or 5 times a power of ten: at most six of them in ``most``."""
    step = 1.0
    while most / step > 6:
        step *= 2.5 if str(int(step))[0] == "2" else 2
    return step


def _curve(pen: ImageDraw.ImageDraw, colour: str, points: Sequence[Point]) -> None:
    if len(points) > 1:
        pen.line(points, colour, 3)
    elif points:
        pen.point(points, colour)


def _legend(pen: ImageDraw.ImageDraw, top: int, names: Sequence[tuple[str, str]]) -> None:
    across = float(LEFT)
    for colour, name in names:
        pen.text((across, top - 4), name, colour, font(TEXT))
        across += pen.textlength(name, font(TEXT)) + 24
