"""What the flows order is carried out here, after the commit: labels, and what others must be told or given."""

import asyncio
import itertools
import logging
from collections.abc import Iterable

from nacl.signing import SigningKey

from kiosk import box_label, commands, files, manifest, requests
from kiosk.clock import Clock
from kiosk.config import Config, CustodyRules, Printer
from kiosk.devices import PrinterDriver
from kiosk.domain import Handover, Specimen
from kiosk.drivers.base import Post
from kiosk.events import PrintFailed, PrintSucceeded
from kiosk.facts import (
    AskVerdict,
    MintCard,
    Obey,
    Order,
    PrintCard,
    PrintLabel,
    PrintManifest,
    PrintMissing,
    Provision,
    TellResult,
    UseKey,
)
from kiosk.intake import Intake
from kiosk.provision.apply import REQUEST
from kiosk.uplink import Uplink

log = logging.getLogger(__name__)

CARD_LINES = ("以后采样请出示此码", "Show it at each sampling")
"""On a code card of paper (rule F7)."""


class Hands:
    """Does what is ordered. ``provisioned_anew``: root has been handed another configuration. ``drill``: every label
    says so."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        intake: Intake,
        device_key: SigningKey,
        printer: PrinterDriver | None,
        uplink: Uplink | None,
        post: Post,
        *,
        drill: bool = False,
    ) -> None:
        self._config = config
        self._clock = clock
        self._intake = intake
        self._device_key = device_key
        self._printer = printer
        self._uplink = uplink
        self._post = post
        self._drawing: set[asyncio.Task[None]] = set()
        self._drill = drill
        self._cards = itertools.count(1)
        self.provisioned_anew = False

    def carry_out(self, order: Order) -> None:
        match order:
            case PrintLabel():
                self._print(order)
            case UseKey():
                self._intake.use_key(order.key)
            case AskVerdict():
                if self._uplink is not None:
                    self._uplink.ask(order.code)
            case MintCard():
                self._post(self._intake.new_card())
            case PrintCard():
                self._print_card(order.text)
            case PrintManifest():
                self._print_manifest(order.handover)
            case PrintMissing():
                pages = box_label.missing(order.tubes, order.needs)
                self._print_pages(f"missing {order.consignment}", pages)
            case Obey():
                self._hand_over(order)
            case TellResult():
                self._tell(order)
            case Provision():
                self._provision(order)
            case _:
                raise TypeError(f"no one carries out {type(order).__name__}")

    def _print_card(self, text: str) -> None:
        card = box_label.Page("登记码卡 Code card", CARD_LINES, text)
        if not self._print_page(f"notice:card {next(self._cards)}", card):
            log.error("a code card cannot be printed: this kiosk has no printer")

    def _print_page(self, job: str, page: box_label.Page) -> bool:
        """Whether there is a printer."""
        from kiosk.notices import notice

        config = self._config.devices.printer
        if self._printer is None or not isinstance(config, Printer):
            return False
        title = f"演练 DRILL {page.title}" if self._drill and "演练" not in page.title else page.title
        self._printer.submit(job, 1, notice(title, page.lines, config.label_mm, config.dpi, code=page.code))
        return True

    def _hand_over(self, order: Obey) -> None:
        try:
            requests.hand_over(self._config.kiosk.runtime_dir, order.do, order.envelope)
        except OSError as error:  # the next start tries again
            log.error("the command %s cannot be handed over: %s", order.do, error)

    def _provision(self, order: Provision) -> None:
        try:
            files.put(self._config.kiosk.runtime_dir / REQUEST, order.envelope, 0o600)
            self.provisioned_anew = True
        except OSError as error:
            log.error("a provisioning cannot be handed over: %s", error)

    def _tell(self, order: TellResult) -> None:
        log.info("command %d for %d: %s %s", order.n, order.to, order.outcome, order.text)
        if self._uplink is not None:
            self._uplink.tell(
                commands.pack_result(
                    commands.Result(
                        site=self._config.site.code,
                        kiosk=self._config.kiosk.number,
                        to=order.to,
                        n=order.n,
                        outcome=order.outcome,
                        text=order.text,
                        at=self._clock.now().wall,
                    ),
                    self._device_key,
                )
            )

    def _print(self, order: PrintLabel) -> None:
        from kiosk.labels import NASAL, TubeLabel, render, verify

        config = self._config.devices.printer
        if self._printer is None or not isinstance(config, Printer):
            self._post(PrintSucceeded(order.tube, order.attempt, confirmed=False))
            return
        label = TubeLabel(
            site=self._config.site.name,
            tube=order.tube,
            members=order.members,
            size=order.size,
            at=order.at,
            specimen=NASAL if order.specimen is Specimen.NASAL else self._config.policy.specimen,
            name=(self._intake.name(order.name_of) or "") if order.size == 1 else "",
            reprint=order.attempt > 1,
            household=order.household,
            isolation=order.isolation,
            drill=self._drill,
        )
        try:
            image = render(label, config.label_mm, config.dpi)
            verify(image, order.tube)
            self._printer.submit(order.tube, order.attempt, image)
        except ValueError as error:
            log.error("label of tube %s: %s", order.tube, error)
            self._post(PrintFailed(order.tube, order.attempt, "the label cannot be drawn"))

    def _print_manifest(self, handover: Handover) -> None:
        site, number = self._config.site, 0 if self._drill else self._config.kiosk.number
        rules = self._config.custody or CustodyRules()
        signed = manifest.pack(handover, site.code, site.name, number, self._device_key)
        name = manifest.box_name(site.code, number, handover.number)
        pages = box_label.pages(handover, name, site.name, signed, rules.limit_min, drill=self._drill)
        self._print_pages(f"box {name}", pages)

    def _print_pages(self, job: str, pages: Iterable[box_label.Page]) -> None:
        """One page after the other, so that who comes meanwhile is not kept waiting."""
        task = asyncio.get_running_loop().create_task(self._draw(job, pages))
        self._drawing.add(task)
        task.add_done_callback(self._drawing.discard)

    async def _draw(self, job: str, pages: Iterable[box_label.Page]) -> None:
        for number, page in enumerate(pages, 1):
            if not self._print_page(f"{job}:{number}", page):
                return
            await asyncio.sleep(0)
