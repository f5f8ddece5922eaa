"""What the flows order is carried out here, after the commit: labels, and what others must be told or given."""

import logging

from nacl.signing import SigningKey

from kiosk import commands, files, requests
from kiosk.clock import Clock
from kiosk.config import Config, Printer
from kiosk.devices import PrinterDriver
from kiosk.drivers.base import Post
from kiosk.events import PrintFailed, PrintSucceeded
from kiosk.facts import Obey, Order, PrintLabel, Provision, TellResult
from kiosk.intake import Intake
from kiosk.provision.apply import REQUEST
from kiosk.uplink import Uplink

log = logging.getLogger(__name__)


class Hands:
    """Does what is ordered. ``provisioned_anew``: root has been handed another configuration."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        intake: Intake,
        device_key: SigningKey,
        printer: PrinterDriver | None,
        uplink: Uplink | None,
        post: Post,
    ) -> None:
        self._config = config
        self._clock = clock
        self._intake = intake
        self._device_key = device_key
        self._printer = printer
        self._uplink = uplink
        self._post = post
        self.provisioned_anew = False

    def carry_out(self, order: Order) -> None:
        match order:
            case PrintLabel():
                self._print(order)
            case Obey():
                self._hand_over(order)
            case TellResult():
                self._tell(order)
            case Provision():
                self._provision(order)
            case _:
                raise TypeError(f"no one carries out {type(order).__name__}")

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
        from kiosk.labels import TubeLabel, render, verify

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
            specimen=self._config.policy.specimen,
            name=(self._intake.name(order.name_of) or "") if order.size == 1 else "",
            reprint=order.attempt > 1,
        )
        try:
            image = render(label, config.label_mm, config.dpi)
            verify(image, order.tube)
            self._printer.submit(order.tube, order.attempt, image)
        except ValueError as error:
            log.error("label of tube %s: %s", order.tube, error)
            self._post(PrintFailed(order.tube, order.attempt, "the label cannot be drawn"))
