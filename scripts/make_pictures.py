"""Makes the pictures of docs/pictures: the labels, and the demonstration's screen out of a real run.

.venv/bin/python scripts/make_pictures.py
"""

import asyncio
import io
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw
from rich.cells import cell_len
from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from kiosk import typeface
from kiosk.domain import Stamp
from kiosk.labels import TubeLabel, render, verify
from kiosk.simulate.brokers import open_broker
from kiosk.simulate.evidence import Traces
from kiosk.simulate.main import POLICY
from kiosk.simulate.picture import Picture
from kiosk.simulate.plan import DEMO_RESIDENTS, PowerCut, Visit, plan
from kiosk.simulate.rig import Rig
from kiosk.simulate.scene import Scene
from kiosk.simulate.story import Story
from kiosk.tube import TubeNumber

PICTURES = Path(__file__).parent.parent / "docs/pictures"
COLUMNS, ROWS = 100, 30
CELL = (11, 24)  # dots
TEXT = 19  # dots of a hanzi
MOMENT = 24
"""The screen is taken after so many residents: group 2 waits for its label, the uplink is cut."""

THEME = TerminalTheme(
    (24, 26, 31),
    (222, 224, 228),
    [
        *((24, 26, 31), (205, 60, 60), (60, 160, 90), (200, 150, 40)),
        *((70, 120, 200), (160, 90, 180), (70, 190, 200), (222, 224, 228)),
    ],
    [
        *((90, 95, 105), (255, 107, 104), (90, 214, 130), (255, 208, 77)),
        *((110, 160, 255), (200, 130, 220), (105, 214, 232), (255, 255, 255)),
    ],
)
_MARKS = "─│╭╮╰╯━╸╺■□●○◎×"


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for name, label in labels().items():
        image = render(label, (50, 30), 203)
        verify(image, label.tube)
        framed(image).save(PICTURES / f"label-{name}.png", optimize=True)
    asyncio.run(demo()).save(PICTURES / "demo.png", optimize=True)
    print(*sorted(path.name for path in PICTURES.iterdir()), file=sys.stderr)


def labels() -> dict[str, TubeLabel]:
    pool = TubeLabel(
        site="朝阳门社区 03号点",
        tube=str(TubeNumber("360481", 1, 75, 1)),
        members=10,
        size=10,
        at=Stamp(wall=1_647_410_700_000, mono=0),
        specimen="咽拭子",
    )
    later = Stamp(wall=1_647_414_300_000, mono=0)
    short, single = str(TubeNumber("360481", 1, 75, 4)), str(TubeNumber("360481", 1, 75, 5))
    return {
        "pool": pool,
        "short": msgspec.structs.replace(pool, tube=short, members=4, at=later),
        "single": msgspec.structs.replace(pool, tube=single, members=1, size=1, at=later, name="张三"),
    }


def framed(label: Image.Image) -> Image.Image:
    """The label twice as large, on a grey ground, so that its edge shows."""
    large = label.convert("L").resize((label.width * 2, label.height * 2), Image.Resampling.NEAREST)
    ground = Image.new("L", (large.width + 40, large.height + 40), 200)
    ground.paste(large, (20, 20))
    return ground


# The screen -----------------------------------------------------------------------------------------------------------


async def demo() -> Image.Image:
    """A demonstration until it gets interesting."""
    steps = plan(DEMO_RESIDENTS, 1, demo=True)
    traces = Traces(step.visitor for step in steps if isinstance(step, Visit | PowerCut))
    with tempfile.TemporaryDirectory() as folder:
        async with open_broker() as broker, Rig(Path(folder), {"policy": POLICY}, mqtt_port=broker.port) as rig:
            scene = Scene(rig, DEMO_RESIDENTS, broker.kind, lambda _: None)
            story = Story(rig, broker, scene, 1.0, traces)
            await rig.start_hub()
            await story.start()
            playing = asyncio.create_task(story.play(steps))
            while scene.people < MOMENT or scene.panel.lamps["go"] != "on":
                await asyncio.sleep(0.02)
                scene.look()
            image = draw(Picture(scene))
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
    return image


def draw(picture: Picture) -> Image.Image:
    console = Console(
        width=COLUMNS,
        height=ROWS,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        legacy_windows=False,
    )
    lines = console.render_lines(picture, console.options.update(height=ROWS))
    image = Image.new("RGB", (COLUMNS * CELL[0], ROWS * CELL[1]), THEME.background_color)
    for row, line in enumerate(lines):
        column = 0
        for segment in line:
            if segment.cell_length:
                _draw_text(image, segment.text, segment.style or Style(), column, row)
            column += segment.cell_length
    return image.quantize(128)


def _draw_text(image: Image.Image, text: str, style: Style, column: int, row: int) -> None:
    pen = ImageDraw.Draw(image)
    ink, ground = _rgb(style.color, foreground=True), _rgb(style.bgcolor, foreground=False)
    for word, at, cells in _words(text):
        x, y = (column + at) * CELL[0], row * CELL[1]
        box = (x, y, x + cells * CELL[0], y + CELL[1])
        if ground != THEME.background_color:
            pen.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), fill=ground)
        if word in _MARKS:
            _draw_mark(pen, word, box, ink)
        elif not word.isspace():
            _draw_word(image, word, box, ink)


def _words(text: str) -> Iterator[tuple[str, int, int]]:
    """Text in pieces that are drawn as one: the piece, its first cell, its cells."""
    at = 0
    for piece in re.findall(rf"[{_MARKS}]|\s+|[\u2e80-\uffef]+|[^\s{_MARKS}\u2e80-\uffef]+", text):
        yield piece, at, cell_len(piece)
        at += cell_len(piece)


def _draw_word(image: Image.Image, word: str, box: tuple[int, int, int, int], ink: tuple[int, int, int]) -> None:
    """In natural width where its cells suffice, else squeezed into them."""
    natural, room = max(1, typeface.width(word, TEXT)), box[2] - box[0]
    mask = Image.new("L", (natural, CELL[1]), 0)
    baseline = 1 + round(typeface.BASELINE * TEXT)
    ImageDraw.Draw(mask).text((0, baseline), word, 255, typeface.font(TEXT), anchor="ls")
    if natural > room or ord(word[0]) > 0x2E80:
        mask = mask.resize((room, CELL[1]), Image.Resampling.LANCZOS)
    image.paste(ink, (box[0], box[1]), mask)


def _draw_mark(pen: ImageDraw.ImageDraw, mark: str, box: tuple[int, int, int, int], ink: tuple[int, int, int]) -> None:
    left, top, right, bottom = box
    x, y = (left + right) // 2, (top + bottom) // 2
    lines = {
        "─": [(left, y, right, y)],
        "│": [(x, top, x, bottom)],
        "╭": [(x, y, right, y), (x, y, x, bottom)],
        "╮": [(left, y, x, y), (x, y, x, bottom)],
        "╰": [(x, y, right, y), (x, top, x, y)],
        "╯": [(left, y, x, y), (x, top, x, y)],
    }
    thick = {"━": (left, right), "╸": (left, x), "╺": (x, right)}
    for line in lines.get(mark, ()):
        pen.line(line, fill=ink, width=1)
    if mark in thick:
        pen.rectangle((thick[mark][0], y - 2, thick[mark][1], y + 2), fill=ink)
    round_ = (x - 6, y - 6, x + 6, y + 6)
    match mark:
        case "■":
            pen.rectangle(round_, fill=ink)
        case "×":
            pen.line((x - 5, y - 5, x + 5, y + 5), fill=ink, width=3)
            pen.line((x - 5, y + 5, x + 5, y - 5), fill=ink, width=3)
        case "□":
            pen.rectangle(round_, outline=ink, width=2)
        case "●":
            pen.ellipse(round_, fill=ink)
        case "○":
            pen.ellipse(round_, outline=ink, width=2)
        case "◎":
            pen.ellipse(round_, outline=ink, width=2)
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=ink)


def _rgb(colour: Color | None, *, foreground: bool) -> tuple[int, int, int]:
    if colour is None:
        return THEME.foreground_color if foreground else THEME.background_color
    return tuple(colour.get_truecolor(THEME, foreground=foreground))


if __name__ == "__main__":
    main()
