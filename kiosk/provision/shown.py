"""Provisioning codes that are shown to a kiosk at work: it collects them, and believes its own command post alone."""

import logging
import re

from nacl.signing import VerifyKey

from kiosk.domain import Reason
from kiosk.events import CodeScanned, Event, ProvisioningShown, Unusable
from kiosk.provision.codes import CodeError, Collector, DamagedError, unseal

log = logging.getLogger(__name__)

_OURS = re.compile(r"KP[0-9]{1,3}:", re.IGNORECASE)


class Shown:
    """``key``: the command post's."""

    def __init__(self, key: VerifyKey) -> None:
        self._key = key
        self._collector = Collector()

    def hear(self, event: Event) -> Event:
        """What the flows hear instead of a provisioning code; any other event as it is."""
        if not isinstance(event, CodeScanned) or not _OURS.match(event.text):
            return event
        try:
            envelope = self._collector.feed(event.text).data
            if envelope and unseal(envelope).key != bytes(self._key):
                raise CodeError("signature: not made by the command post this kiosk belongs to")
        except DamagedError as error:
            log.info("scanned: %s", error)
            return Unusable(Reason.UNREADABLE)
        except CodeError as error:
            log.warning("scanned: a provisioning that is refused: %s", error)
            return Unusable(Reason.NOT_NEEDED)
        return ProvisioningShown(envelope)
