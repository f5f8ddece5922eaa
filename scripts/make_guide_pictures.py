"""Makes the pictures of the guides in docs/pictures: lamp patterns, wiring, the card, and the labels of a first start.

.venv/bin/python scripts/make_guide_pictures.py
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from nacl.signing import SigningKey
from PIL import Image, ImageDraw

from kiosk import __version__, enrolment, seal, typeface
from kiosk.config import GpioPanel
from kiosk.notices import notice
from kiosk.panel import LAMPS, SLOT_MS, LampState, lit

PICTURES = Path(__file__).parent.parent / "docs/pictures"
LABEL_MM, DPI = (50, 30), 203
WHITE, INK, GREY, LINE = (255, 255, 255), (30, 30, 34), (120, 124, 132), (214, 217, 222)
DARK = (232, 234, 238)
COLOURS = {
    "stop": (204, 47, 38),
    "wait": (232, 160, 18),
    "go": (0, 158, 140),
    "release": (38, 98, 200),
    "alarm": (204, 47, 38),
    "fault": (232, 160, 18),
    "door": (204, 47, 38),
}
CAPTIONS = {
    "stop": "停",
    "wait": "请等",
    "go": "请走",
    "release": "放行",
    "alarm": "请处置",
    "fault": "故障",
    "door": "门口",
}
SLOTS = 20
"""Two seconds of a rhythm."""

Pattern = tuple[str, str, dict[str, LampState], int]
"""What is meant in Chinese and English, the lamps that are not off, lit steps of the bar."""
PATTERNS: tuple[Pattern, ...] = (
    ("正常，等下一位", "ready, next person", {}, 0),
    ("登记成功", "registered", {"go": "on"}, 4),
    ("登记了，请志愿者看", "registered; a volunteer looks", {"wait": "on"}, 3),
    ("请出示另一样", "show card or code, too", {"wait": "blink"}, 3),
    ("本轮已登记", "already registered", {"stop": "blink"}, 3),
    ("不能登记，找志愿者", "ask a volunteer", {"stop": "on"}, 3),
    ("没读清楚，再来一次", "once more", {"stop": "blink", "wait": "blink"}, 3),
    ("先扫管码，或换一管", "scan a tube, or another", {"stop": "blink", "wait": "on"}, 3),
    ("按钮现在不行", "the button cannot do that", {"stop": "on", "wait": "on"}, 3),
    ("一组已满，可放行", "group ready: press", {"release": "blink"}, 0),
    ("红码或黄码，请处置", "alarm: acknowledge", {"alarm": "blink"}, 3),
    ("设备掉线，能继续登记", "a device is missing", {"fault": "on"}, 3),
    ("等标签或缺纸", "groups wait for labels", {"stop": "on", "fault": "blink"}, 10),
    ("等候人数已满", "waiting area full", {"stop": "on", "door": "on"}, 3),
    ("有人等得太久", "somebody waits too long", {"release": "wink"}, 3),
    ("胸牌有效，可扫命令码", "badge: orders count", {"alarm": "wink"}, 3),
    ("演练", "drill: nothing counts", {"wait": "wink"}, 3),
    ("带教中，须有人看着", "supervised", {"fault": "wink"}, 3),
    ("启动中", "starting", {"stop": "on", "fault": "on"}, 0),
    ("未配置或配置有误", "not provisioned", {"stop": "on", "wait": "blink", "fault": "blink"}, 0),
    ("安全模式，见状态", "safe mode", {"stop": "on", "fault": "blink"}, 0),
)


def main() -> None:
    patterns().save(PICTURES / "lamps.png", optimize=True)
    wiring().save(PICTURES / "wiring.png", optimize=True)
    card().save(PICTURES / "card.png", optimize=True)
    for name, label in labels().items():
        large = label.convert("L").resize((label.width * 2, label.height * 2), Image.Resampling.NEAREST)
        ground = Image.new("L", (large.width + 40, large.height + 40), 200)
        ground.paste(large, (20, 20))
        ground.save(PICTURES / f"label-{name}.png", optimize=True)
    print(*sorted(path.name for path in PICTURES.iterdir()), file=sys.stderr)


def text(pen: ImageDraw.ImageDraw, at: tuple[int, int], words: str, size: int = 22, ink: Sequence[int] = INK) -> None:
    pen.text(at, words, tuple(ink), typeface.font(size), anchor="ls")


# Lamps ----------------------------------------------------------------------------------------------------------------


def patterns() -> Image.Image:
    """A row for each pattern: the lamps at the first moment, and the rhythm of each lamp that flashes."""
    row, left, first = 78, 330, 96
    bar_left = left + len(LAMPS) * 86 + 40
    image = Image.new("RGB", (bar_left + 234, first + row * len(PATTERNS) + 20), WHITE)
    pen = ImageDraw.Draw(image)
    for column, lamp in enumerate(LAMPS):
        text(pen, (left + column * 86 + 8, 44), CAPTIONS[lamp], 22)
        text(pen, (left + column * 86 + 8, 68), lamp, 15, GREY)
    text(pen, (bar_left, 44), "进度条", 22)
    text(pen, (bar_left, 68), "bar", 15, GREY)
    for number, (chinese, english, states, bar) in enumerate(PATTERNS):
        top = first + number * row
        pen.line((20, top, image.width - 20, top), fill=LINE)
        text(pen, (24, top + 34), chinese, 23)
        text(pen, (24, top + 60), english, 16, GREY)
        for column, lamp in enumerate(LAMPS):
            lamp_at(pen, left + column * 86 + 30, top, lamp, states.get(lamp, "off"))
        for step in range(10):
            x = bar_left + step * 21
            fill = INK if step < bar else WHITE
            pen.rectangle((x, top + 20, x + 15, top + 46), fill=fill, outline=GREY)
    return image


def lamp_at(pen: ImageDraw.ImageDraw, x: int, top: int, lamp: str, state: LampState) -> None:
    colour = COLOURS[lamp] if state != "off" else DARK
    pen.ellipse((x - 17, top + 10, x + 17, top + 44), fill=colour, outline=GREY)
    if state in ("blink", "wink"):
        for slot in range(SLOTS):
            burns = lit(lamp, state, slot * SLOT_MS)
            pen.rectangle((x - 30 + slot * 3, top + 54, x - 28 + slot * 3, top + 66), fill=colour if burns else DARK)


# Wiring ---------------------------------------------------------------------------------------------------------------


def wiring() -> Image.Image:
    """The header as it lies when the board's USB sockets point down, with the default pins."""
    pins = named_pins()
    image = Image.new("RGB", (900, 60 + 20 * 38), WHITE)
    pen = ImageDraw.Draw(image)
    text(pen, (40, 36), "40 针插座（USB 口朝下） 40-pin header, USB sockets down", 22)
    for row in range(20):
        y = 60 + row * 38
        for side, number in enumerate((2 * row + 1, 2 * row + 2)):
            x = 410 + side * 44
            use = pins.get(number, "")
            colour = (210, 60, 50) if "V" in use else INK if use == "GND" else (38, 98, 200) if use else (196, 200, 206)
            pen.ellipse((x, y, x + 30, y + 30), fill=colour)
            pen.text((x + 15, y + 15), str(number), WHITE, typeface.font(14), anchor="mm")
            if side:
                pen.text((x + 46, y + 15), use, INK, typeface.font(19), anchor="lm")
            else:
                pen.text((x - 16, y + 15), use, INK, typeface.font(19), anchor="rm")
    return image


BCM_TO_PIN = {
    2: 3,
    3: 5,
    4: 7,
    14: 8,
    15: 10,
    17: 11,
    18: 12,
    27: 13,
    22: 15,
    23: 16,
    24: 18,
    10: 19,
    9: 21,
    25: 22,
    11: 23,
    8: 24,
    7: 26,
    0: 27,
    1: 28,
    5: 29,
    6: 31,
    12: 32,
    13: 33,
    19: 35,
    16: 36,
    26: 37,
    20: 38,
    21: 40,
}


def named_pins() -> dict[int, str]:
    """Pin of the header to what is wired to it."""
    panel = GpioPanel()
    uses = {pin: f"{CAPTIONS[lamp]} {lamp}" for lamp in LAMPS if (pin := getattr(panel, lamp)) is not None}
    uses |= {pin: f"进度 bar {step}" for step, pin in enumerate(panel.bar, 1)}
    uses |= {panel.buzzer: "蜂鸣器 buzzer", panel.release_button: "放行按钮 release", panel.ack_button: "确认按钮 ack"}
    pins = {BCM_TO_PIN[bcm]: use for bcm, use in uses.items()}
    pins |= {1: "3.3 V", 2: "5 V", 4: "5 V", 17: "3.3 V", 3: "时钟 SDA clock", 5: "时钟 SCL clock"}
    return pins | dict.fromkeys((6, 9, 14, 20, 25, 30, 34, 39), "GND")


# The card -------------------------------------------------------------------------------------------------------------


def card() -> Image.Image:
    """What a laptop shows of the card, and what a technician does there."""
    image = Image.new("RGB", (1000, 330), WHITE)
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((20, 20, 520, 310), 14, outline=GREY, width=2)
    text(pen, (44, 62), "KIOSK (64 MB)", 26)
    files = (
        ("README.txt", "先看 read me", GREY),
        ("kiosk-provision.example.toml", "样本 example", GREY),
        ("kiosk-provision.toml", "← 复制、改名、填写 yours", COLOURS["release"]),
        ("kiosk-provision-error.txt", "← 有错时出现 if wrong", COLOURS["stop"]),
        ("autoboot.txt  bootcode.bin", "不要动 leave alone", GREY),
    )
    for number, (name, said, ink) in enumerate(files):
        y = 108 + number * 42
        text(pen, (60, y), name, 21)
        text(pen, (540, y), said, 21, ink)
    return image


# Labels ---------------------------------------------------------------------------------------------------------------


def labels() -> dict[str, Image.Image]:
    key = SigningKey(bytes(range(32)))
    code = enrolment.code("360481", 1, key)
    lines = (f"360481 朝阳门社区 03号点 · 1 号机 No. 1 · {__version__}", seal.fingerprint(key.verify_key))
    refused = "kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99"
    again = "改正后重新上电 Correct it and switch on again"
    return {
        "enrolment": notice("登记标签 Enrolment", lines, LABEL_MM, DPI, code=code),
        "refused": notice("配置有误 Provisioning refused", (refused, again), LABEL_MM, DPI),
    }


if __name__ == "__main__":
    main()
