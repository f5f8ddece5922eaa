"""Provisioning codes at a kiosk that works: taken from its own command post, handed to root, and it begins anew."""

import asyncio
from pathlib import Path

import pytest
from nacl.signing import SigningKey

from kiosk.domain import Reason
from kiosk.events import CodeScanned, ProvisioningShown, Tick, Unusable
from kiosk.provision import codes
from kiosk.provision.shown import Shown
from kiosk.seal import PrivateKeys
from kiosk.simulate.rig import Rig, exit_of
from tests.support.provisioning import ID, POST, text


def shown(key: SigningKey = POST.sign) -> list[str]:
    return codes.split(codes.seal(text(id=ID), key), ID)


def test_the_whole_comes_with_the_last_code() -> None:
    shows = Shown(POST.public.verify)
    heard = [shows.hear(CodeScanned(code)) for code in shown()]
    assert {type(event) for event in heard} == {ProvisioningShown}
    assert [event.envelope for event in heard[:-1]] == [b""] * (len(heard) - 1)
    assert heard[-1].envelope == codes.seal(text(id=ID), POST.sign)
    assert ID not in repr(heard[-1])


def test_other_events_pass() -> None:
    shows = Shown(POST.public.verify)
    for event in (Tick(), CodeScanned("HC1:0:abc"), CodeScanned("KP"), CodeScanned("KPA:")):
        assert shows.hear(event) is event


@pytest.mark.parametrize(
    ("scanned", "reason"),
    [
        ([shown()[0][:-9]], Reason.UNREADABLE),
        (["kp2:newer"], Reason.NOT_NEEDED),
        ([f"KP1:{ID}:9/2:AAAA"], Reason.NOT_NEEDED),
        (shown(PrivateKeys.generate().sign), Reason.NOT_NEEDED),
    ],
)
def test_what_is_wrong_is_a_signal(scanned: list[str], reason: Reason) -> None:
    shows = Shown(POST.public.verify)
    assert [shows.hear(CodeScanned(code)) for code in scanned][-1] == Unusable(reason)


async def test_a_kiosk_at_work_takes_them_and_begins_anew(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        own = PrivateKeys.parse((rig.keys / "private.key").read_text())
        scanned = codes.split(codes.seal(text(id=ID), own.sign), ID)
        await rig.start()
        since = len(rig.panel.history)
        for number, code in enumerate(scanned, 1):
            await rig.scanner.scan(code)
            panel = await rig.panel.wait_for(lambda p, n=number: p.buzzer == "held" and p.signal == n, since=since)
            assert panel.lamps["wait"] == "blink"
        request = tmp_path / "run" / "provision.kp1"
        async with asyncio.timeout(30):
            while not request.exists():
                await asyncio.sleep(0.02)
        assert request.read_bytes() == codes.seal(text(id=ID), own.sign)
        assert request.stat().st_mode & 0o777 == 0o600
        request.unlink()  # root has done with it
        assert await asyncio.wait_for(exit_of(rig.kiosk), 30) == 0


async def test_a_strangers_codes_are_refused_at_work(tmp_path: Path) -> None:
    async with Rig(tmp_path) as rig:
        await rig.start()
        for code in shown(PrivateKeys.generate().sign):
            await rig.scanner.scan(code)
        await rig.panel.wait_for(lambda p: p.buzzer == "refused", since=0)
        assert not (tmp_path / "run" / "provision.kp1").exists()
