"""From a card that was just written to the first label, a group of ten, and the command post's books."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence

import zxingcpp

from kiosk.provision import make
from kiosk.seal import PrivateKeys
from kiosk.tube import TubeNumber
from tests.appliance.board import Board
from tests.appliance.card import TECHNICIAN
from tests.appliance.site import FAULT, GO, SECRET, STOP, Site, status
from tests.support.vm import VmError, until

GROUP = 10
SCANS, SCAN_SEEN_S = 5, 120.0


async def labelled(site: Site, count: int) -> str:
    """The text of the barcode on the label that came out as number ``count``."""

    async def out() -> bool:
        return len(site.labels) >= count

    await until(out, f"label {count}", within=900)
    codes = zxingcpp.read_barcodes(site.labels[count - 1])
    return codes[0].text if codes else ""


async def show(board: Board, codes: Sequence[str]) -> None:
    """Scans provisioning codes until they are taken: one of which a busy board lost a key has to be scanned again."""

    async def taken() -> bool:
        return await board.shell("systemctl is-active kiosk-provision-wait.service || true") != "active"

    for _ in range(SCANS):
        for code in codes:
            await board.scan(code)
        with contextlib.suppress(VmError):
            await until(taken, "the codes are taken", within=SCAN_SEEN_S)
            return
    raise VmError(f"scanned {SCANS} times and not taken")


async def failed_units(board: Board) -> str:
    return await board.shell("systemctl --failed --no-legend --no-pager")


async def test_a_file_on_the_card_makes_a_kiosk_and_ten_people_get_a_tube(site: Site) -> None:
    await site.open_post()
    site.provision()
    began = time.monotonic()
    async with site.power() as board:
        enrolment = await labelled(site, 1)
        print(f"power on to enrolment label: {time.monotonic() - began:.0f} s", flush=True)
        assert enrolment.startswith("KE1:360481:1:")
        await site.accepting(board)
        print(f"power on to the first person: {time.monotonic() - began:.0f} s", flush=True)
        await board.up()
        assert await failed_units(board) == ""
        assert (await status(board))["devices"] == dict.fromkeys(("card", "code", "printer", "panel"), "online")

        await board.network(up=False)
        await board.scan("HC1:0:green-code")
        for _ in range(GROUP):
            await site.green(board)
        tube = await labelled(site, 2)
        assert str(TubeNumber.parse(tube)) == tube
        await site.release(board)
        assert (await status(board))["people"] == GROUP

        await board.network(up=True)

        async def all_there() -> bool:
            journal = (await status(board))["journal"]
            return bool(journal["acked"] == journal["seq"])

        await until(all_there, "the command post has everything", within=900)
        await board.shell("sync")
    assert SECRET.encode() not in site.card.cut(TECHNICIAN, site.folder / "fat").read_bytes()
    report = subprocess.run(
        [sys.executable, "-m", "hub", "report", "--db", site.database], capture_output=True, text=True
    )
    assert report.returncode == 0, report.stdout
    assert f"people {GROUP}, tubes 1, groups 1 (released 1)" in report.stdout


async def test_a_wrong_file_is_told_on_the_card_and_a_code_makes_it_good(site: Site) -> None:
    site.provision(site.provisioning(number=100))
    private = PrivateKeys.parse((site.keys / "private.key").read_text())
    shared = site.folder / "site.toml"
    shared.write_text(site.provisioning().replace("[kiosk]\nnumber = 1\n", ""), "utf-8")
    (right,) = make.one(shared, 1, private)
    async with site.power() as board:
        await until(lambda: board.lamp(FAULT), "the fault lamp", within=900)
        await board.up()
        assert await board.shell("systemctl is-active kiosk-provision-wait.service") == "active"
        assert await board.lamp(STOP)
        assert not await board.lamp(GO)
        assert await failed_units(board) == ""
        await show(board, right.codes)
        await site.accepting(board)
        assert (await labelled(site, 1)).startswith("KE1:")
        await board.shell("sync")
    told = site.card.read(TECHNICIAN, "kiosk-provision-error.txt").decode("utf-8-sig")
    assert "kiosk.number: found 100, expected a whole number ≥ 1 ≤ 99" in told
