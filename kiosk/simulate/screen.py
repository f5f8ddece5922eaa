"""Where a simulation is watched: plain lines, or a live picture of the site when stdout is a terminal and rich is
there."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Iterator
from typing import Protocol

from kiosk.simulate.scene import Line, Scene

REFRESH_S = 0.1
LEAST_COLUMNS, LEAST_ROWS = 80, 24


class View(Protocol):
    def note(self, text: str) -> None:
        """Something to know before it begins."""

    def tell(self, line: Line) -> None:
        """A new line of the log."""

    def open(self, scene: Scene) -> contextlib.AbstractContextManager[None]: ...

    async def follow(self, scene: Scene) -> None:
        """Shows the scene as it changes, until cancelled."""


class PlainView:
    """One line for each thing that happens."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def tell(self, line: Line) -> None:
        print(f"{line.at_s:5.1f} s  {line.text}", flush=True)

    @contextlib.contextmanager
    def open(self, scene: Scene) -> Iterator[None]:
        print(f"{scene.site}: {scene.total} residents, broker {scene.broker}", flush=True)
        yield

    async def follow(self, scene: Scene) -> None:
        while True:
            scene.look()
            await asyncio.sleep(2 * REFRESH_S)


class LiveView:
    """The whole terminal."""

    def note(self, text: str) -> None:
        print(text, flush=True)

    def tell(self, line: Line) -> None:
        """The picture has its own log."""

    @contextlib.contextmanager
    def open(self, scene: Scene) -> Iterator[None]:
        from rich.live import Live

        from kiosk.simulate.picture import Picture

        picture = Picture(scene)
        with Live(picture, screen=True, auto_refresh=False) as live:
            self._live = live
            yield

    async def follow(self, scene: Scene) -> None:
        while True:
            scene.look()
            self._live.refresh()
            await asyncio.sleep(REFRESH_S)


def choose_view() -> View:
    """Plain lines unless a terminal of a useful size looks on."""
    columns, rows = shutil.get_terminal_size()
    if not sys.stdout.isatty() or columns < LEAST_COLUMNS or rows < LEAST_ROWS:
        return PlainView()
    try:
        import rich  # noqa: F401
    except ImportError:
        return PlainView()
    return LiveView()
