"""A kiosk makes itself known: the code, the proof, the label and when it is printed."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from kiosk import config_file, data_folder, enrolment, introduction, seal
from kiosk.cli import main
from kiosk.enrolment import Enrolment, EnrolmentError
from kiosk.notices import read
from kiosk.simulate.rig import Rig

KEY = SigningKey(bytes(range(32)))


@given(st.from_regex(r"[0-9]{6}", fullmatch=True), st.integers(1, 99))
def test_the_code_says_who_and_proves_it(site: str, number: int) -> None:
    code = enrolment.code(site, number, KEY)
    assert (
        enrolment.parse(code) == enrolment.parse(f" {code.lower()}\n") == Enrolment(site, number, bytes(KEY.verify_key))
    )


def test_every_character_counts() -> None:
    code = enrolment.code("360481", 3, KEY)
    for place in range(len(code)):
        for other in "A7Z2":
            damaged = code[:place] + other + code[place + 1 :]
            if damaged != code:
                with pytest.raises(EnrolmentError):
                    enrolment.parse(damaged)
    with pytest.raises(EnrolmentError):
        enrolment.parse(code[:-1])


@given(st.text(max_size=250))
def test_noise_is_no_code(text: str) -> None:
    with pytest.raises(EnrolmentError):
        enrolment.parse(text)


def test_a_proof_serves_for_one_id_and_one_key() -> None:
    proof = enrolment.proof("ABCDEFGHIJKLMNOP", KEY.verify_key)
    assert len(proof) == 16
    assert proof != enrolment.proof("ABCDEFGHIJKLMNOQ", KEY.verify_key)
    assert proof != enrolment.proof("ABCDEFGHIJKLMNOP", SigningKey.generate().verify_key)
    assert enrolment.proof("", KEY.verify_key) == b""


# The label ----------------------------------------------------------------------------------------------------------

KIOSK = {"kiosk": {"enrolment_label": True}}


async def labels(rig: Rig, count: int) -> list[str]:
    """The codes on all labels, once so many are out."""
    async with asyncio.timeout(30):
        while len(rig.labels) < count:
            await asyncio.sleep(0.02)
    return [code for image in rig.labels for code in read(image)]


def expected(rig: Rig) -> str:
    key = seal.device_key(rig.config.kiosk.data_dir / "device.key")
    return enrolment.code(rig.config.site.code, rig.config.kiosk.number, key)


async def marked(rig: Rig) -> None:
    """Until the daemon keeps that the label is out."""
    from kiosk.journal import Journal

    async with asyncio.timeout(30):
        while True:
            with Journal.open_readonly(data_folder.journal(rig.config.kiosk.data_dir)) as journal:
                if journal.mark("enrolment label"):
                    return
            await asyncio.sleep(0.02)


async def test_it_is_printed_at_the_first_start_and_when_the_identity_changes(tmp_path: Path) -> None:
    async with Rig(tmp_path, KIOSK) as rig:
        await rig.start()
        assert await labels(rig, 1) == [expected(rig)]
        await marked(rig)
        await rig.stop()
        await rig.start()
        assert await asyncio.to_thread(main, ["enrolment-label", "--config", str(rig.config_path)]) == 0
        assert await labels(rig, 2) == [expected(rig)] * 2, "the second one was asked for"
        await rig.stop()
        text = rig.config_path.read_text("utf-8")
        rig.config_path.write_text(text.replace("number = 1\n", "number = 2\n"), "utf-8")
        rig.config = config_file.load(rig.config_path)
        await rig.start()
        assert (await labels(rig, 3))[2] == expected(rig)


async def test_it_comes_once_the_printer_does(tmp_path: Path) -> None:
    async with Rig(tmp_path, KIOSK) as rig:
        rig.printer.unplug()
        await rig.start()
        await rig.kill()
        rig.printer.plug()
        await rig.start()
        assert await labels(rig, 1) == [expected(rig)]


async def test_it_is_not_printed_unless_wanted_and_nobody_is_kept_waiting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["enrolment-label", "--config", str(tmp_path / "kiosk.toml")]
    async with Rig(tmp_path, {"devices.printer": {"driver": "none"}}) as rig:
        assert main(command) == 3
        await rig.start()
        assert await asyncio.to_thread(main, command) == 1
        assert "this kiosk has no printer" in capsys.readouterr().err
        assert main([*command, "--png", str(tmp_path / "label.png")]) == 0
        assert read(introduction.label(rig.config, seal.device_key(rig.config.kiosk.data_dir / "device.key"))) == [
            expected(rig)
        ]
        assert (tmp_path / "label.png").stat().st_size > 100
    assert rig.labels == []
