"""What the command line asks of the running kiosk (`kiosk.control`), and what it is answered."""

from collections.abc import Callable
from typing import Any

import msgspec

from kiosk import control
from kiosk.config import Config, Printer
from kiosk.devices import PrinterDriver
from kiosk.events import RoundRequested
from kiosk.frames import FrameError
from kiosk.intake import Intake
from kiosk.introduction import Introduction
from kiosk.roster.clerk import Clerk, Piece, Wanted
from kiosk.runner import Runner


class Counter:
    """``printer_trouble``: why the printer can print nothing now, or ""."""

    def __init__(
        self,
        config: Config,
        runner: Runner,
        intake: Intake,
        introduction: Introduction,
        printer: PrinterDriver | None,
        printer_trouble: Callable[[], str],
        roster: Clerk,
    ) -> None:
        self._config = config
        self._runner = runner
        self._intake = intake
        self._introduction = introduction
        self._printer = printer
        self._printer_trouble = printer_trouble
        self._roster = roster

    async def answer(self, request: str, args: dict[str, Any]) -> dict[str, Any]:
        match request:
            case "enrolment-label":
                return {"ok": True} if self._introduction.print() else {"error": "this kiosk has no printer"}
            case "command":
                return await self._command_by_hand(msgspec.convert(args, control.SignedCommand).envelope)
            case "print-notice":
                return self._print_notice(msgspec.convert(args, control.Notice))
            case "roster-piece":
                return await self._roster.take(msgspec.convert(args, Piece))
            case "roster-coverage":
                return await self._roster.coverage(self._runner.site.registration)
            case "roster-missing":
                return await self._roster.missing(msgspec.convert(args, Wanted), self._runner.site.registration)
            case "round-new":
                return await self._new_round()
        raise KeyError(request)

    async def _new_round(self) -> dict[str, Any]:
        before = self._runner.site.rounds.round
        self._runner.post(RoundRequested())
        await self._runner.answer()
        now = self._runner.site.rounds.round
        return {"round": now} if now != before else {"error": "the journal cannot be written: the round goes on"}

    def _print_notice(self, wanted: control.Notice) -> dict[str, Any]:
        from kiosk.notices import notice

        config = self._config.devices.printer
        if self._printer is None or not isinstance(config, Printer):
            return {"error": "this kiosk has no printer"}
        if trouble := self._printer_trouble():
            return {"error": f"the printer is off line: {trouble}"}
        image = notice(wanted.title, wanted.lines, config.label_mm, config.dpi, code=wanted.code)
        self._printer.submit(f"notice:{wanted.kind}", 1, image)
        return {"ok": True}

    async def _command_by_hand(self, envelope: bytes) -> dict[str, Any]:
        try:
            command = self._intake.command(envelope, "file")
        except FrameError as error:
            return {"error": str(error)}
        self._runner.post(command)
        await self._runner.answer()
        kept = self._runner.site.commands.last.get(command.to)
        if kept is None or kept.digest != command.digest:
            return {"error": "not obeyed: for another kiosk, expired, or older than the last one; the log says which"}
        return {"ok": True, "outcome": kept.outcome, "text": kept.text}
