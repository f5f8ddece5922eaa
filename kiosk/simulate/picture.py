"""The live picture of a site at work: lamps by position, symbol and word, bar, tubes, groups, backlog, log.

A lamp is never told by its colour alone: ● is lit, ◎ blinks, ○ is dark, and each says so in words.
"""

import time

from rich.cells import set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.layout import Layout
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kiosk.panel import BAR_STEPS, STARTING, LampState, Physical
from kiosk.simulate.scene import Group as People
from kiosk.simulate.scene import Scene, Tube, grouped

_LAMPS = {  # word and colour when it burns
    "stop": ("停 STOP", "black on bright_red"),
    "wait": ("请等 WAIT", "black on bright_yellow"),
    "go": ("请走 GO", "black on bright_green"),
    "release": ("放行 RELEASE", "black on bright_cyan"),
    "alarm": ("请处置 ALARM", "black on bright_red"),
    "fault": ("故障 FAULT", "black on bright_white"),
}
_STATES: dict[LampState, tuple[str, str]] = {
    "on": ("●", "亮 lit"),
    "blink": ("◎", "闪 blinks"),
    "wink": ("◌", "慢闪 winks"),
    "off": ("○", "灭 dark"),
}
_DARK = "grey62 on grey15"
_LAMP_WIDTH, _NARROW_LAMP = 19, 15
_WIDE = 100
_DESK_HEIGHT = 15
_KINDS = {"person": "white", "mishap": "bright_yellow", "staff": "bright_cyan", "kiosk": "grey62"}
_BACKLOG_MARKS = 20


class Picture:
    """A rich renderable; each rendering shows the scene as it is at that moment."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._lamps = Physical()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        lamp = _LAMP_WIDTH if options.max_width >= _WIDE else _NARROW_LAMP
        whole = Layout()
        whole.split_column(
            Layout(self._head(), size=2),
            Layout(name="middle", size=_DESK_HEIGHT),
            Layout(self._log(height - 2 - _DESK_HEIGHT - 2), name="log"),
        )
        whole["middle"].split_row(Layout(self._desk(lamp), size=2 * lamp + 5), Layout(name="right"))
        whole["right"].split_column(
            Layout(self._tubes(), size=7), Layout(self._groups(), size=3), Layout(self._post(), size=5)
        )
        yield whole

    # The desk -------------------------------------------------------------------------------------------------------

    def _head(self) -> Group:
        scene = self._scene
        minutes, seconds = divmod(int(scene.elapsed_s), 60)
        title = Table.grid(expand=True)
        title.add_column()
        title.add_column(justify="right")
        title.add_row(f" 采样点 sampling site: {scene.site}", f"{minutes}:{seconds:02} ", style="bold black on cyan")
        people = Table.grid(expand=True, padding=(0, 1))
        people.add_column(no_wrap=True)
        people.add_column(ratio=1)
        people.add_column(no_wrap=True)
        people.add_row(
            f" 人 people {scene.people}/{scene.total}",
            ProgressBar(total=scene.total, completed=scene.people, complete_style="bright_green"),
            f"拒 refused {scene.refused} ",
        )
        return Group(title, people)

    def _desk(self, width: int) -> Box:
        scene = self._scene
        panel = scene.panel if scene.lit else STARTING
        out = self._lamps.step(panel, time.monotonic_ns() // 1_000_000)
        lamps = Table.grid(padding=(0, 1))
        lamps.add_row(Text("居民 resident\n", "bold"), Text("志愿 volunteer\n", "bold"))
        for left, right in (("stop", "release"), ("wait", "alarm"), ("go", "fault")):
            states = (panel.lamps[left], panel.lamps[right])
            burning = (out.lamps[left], out.lamps[right])
            lamps.add_row(
                *(
                    _lamp(name, state if scene.lit else "off", width, burns=burns and scene.lit)
                    for name, state, burns in zip((left, right), states, burning, strict=True)
                )
            )
        steps = Text("本组", "bold")
        for number, burns in enumerate(out.bar, 1):
            gap = "  " if number == BAR_STEPS else " "
            colour = "bright_green" if number <= panel.bar else "green" if burns else "grey62"
            steps.append(gap).append("■" if burns and scene.lit else "□", colour)
        steps.append(f"  {panel.bar}/{BAR_STEPS}" if scene.lit else "")
        tone = "–" if panel.buzzer == "off" else panel.buzzer
        buzzer = Text.assemble(("蜂鸣 buzzer ", "bold"), tone if scene.lit else "全灭 no power")
        return _box("面板 the kiosk's panel", lamps, steps, buzzer)

    def _tubes(self) -> Box:
        rows = [_tube(tube) for tube in list(self._scene.tubes.values())[-5:]]
        return _box("试管 tubes and their labels", *rows)

    def _groups(self) -> Box:
        words = Text(no_wrap=True, overflow="ellipsis")
        for group in self._scene.groups[-3:]:
            words.append("  " if words else "").append(*_group(group))
        return _box("组 groups", words)

    def _post(self) -> Box:
        scene = self._scene
        up = ("● up", "bright_green") if scene.broker_up else ("× CUT 断", "bold bright_red")
        line = Text.assemble("broker ", up, f" ({scene.broker})")
        marks = "■" * min(_BACKLOG_MARKS, scene.backlog)
        backlog = Text.assemble(f"积压 backlog {scene.backlog} of {scene.facts} facts ", (marks, "bright_yellow"))
        devices = Text("设备 ")
        for name, state in scene.devices.items():
            devices.append(
                f"{'●' if state == 'online' else '×'} {name}  ", "" if state == "online" else "bold bright_red"
            )
        if not scene.devices:
            devices.append("the daemon is not running", "bold bright_red")
        return _box("指挥部 command post", line, backlog, devices)

    def _log(self, height: int) -> Box:
        rows = []
        for line in self._scene.log[-max(1, height) :]:
            text = Text(f"{line.at_s:5.1f}  ", "grey62", no_wrap=True, overflow="ellipsis")
            rows.append(text.append(line.text, _KINDS[line.kind]))
        return _box("经过 what happens", *rows)


def _box(title: str, *rows: Text | Table) -> Box:
    for row in rows:
        if isinstance(row, Text):
            row.no_wrap, row.overflow = True, "ellipsis"
    return Box(Group(*rows), title=title, title_align="left", border_style="grey50", padding=(0, 1))


def _lamp(name: str, state: LampState, width: int, *, burns: bool) -> Text:
    word, colour = _LAMPS[name]
    symbol, meaning = _STATES[state]
    lines = (f" {symbol} {word}", f"   {meaning}")
    style = f"bold {colour}" if burns else _DARK
    return Text("\n").join(Text(set_cell_size(line, width), style) for line in lines).append("\n")


def _tube(tube: Tube) -> Text:
    state = {
        "": ("○ 收 filling", "white"),
        "wanted": ("◎ 标签 label due", "bright_yellow"),
        "failed": (f"× {tube.why}", "bold bright_red"),
        "printed": ("● 已贴 labelled", "bright_green"),
    }[tube.label]
    short = " 不足" if tube.label and tube.members < tube.size else ""
    return Text.assemble(f"{grouped(tube.number)} {tube.members:2}/{tube.size}{short} ", state)


def _group(group: People) -> tuple[str, str]:
    if group.released:
        return f"{group.number} ● 放行 released", "bright_green"
    if group.closed:
        return f"{group.number} ◎ 待 waits", "bright_yellow"
    return f"{group.number} ○ {group.people} people", "white"
