"""(i) The manifest of a box of 80 tubes, from the journal's facts to what the laboratory and the printer get."""

from pathlib import Path

from kiosk import box_label, manifest
from kiosk.config import TsplPrinter
from kiosk.drivers.printer.languages import language_of
from kiosk.notices import notice
from tests.bench.measure import MS, Samples, Section, Target, interleave, times
from tests.test_manifest import HEX, KEY, PLACE, box

ABOUT = """\
A box of 80 tubes in four bags, some short, some of households: listed, compressed and signed; cut into codes; and all
of its labels (box label, codes read back by a barcode reader, list) drawn and encoded as a TSPL printer's bytes. The
laboratory's side is the same way back: codes put together, signature verified, tubes unfolded."""


def run(_folder: Path, scale: float) -> Section:
    count = max(5, round(20 * scale))
    handover, codec = box(80), language_of(TsplPrinter(port="-"))
    signing, printing, reading = Samples("signed bytes"), Samples("all labels"), Samples("read")
    signed = manifest.pack(handover, "360481", PLACE, 1, KEY)
    codes = manifest.pieces(signed)

    def paper() -> None:
        data = manifest.pack(handover, "360481", PLACE, 1, KEY)
        for page in box_label.pages(handover, "360481-01-3", PLACE, data, 240, drill=False):
            codec.job(notice(page.title, page.lines, (50, 30), 203, code=page.code))

    interleave(
        count,
        (signing, lambda: manifest.pack(handover, "360481", PLACE, 1, KEY)),
        (printing, paper),
        (reading, lambda: manifest.unpack(manifest.join(codes), [HEX]).unfold()),
    )
    rows = [
        (f"80 tubes to {len(signed)} signed bytes", str(count), *times(signing)[:2]),
        (f"the same to {len(codes)} codes and all labels as the printer's bytes", str(count), *times(printing)[:2]),
        ("codes to 80 verified tubes", str(count), *times(reading)[:2]),
    ]
    targets = [
        Target("manifest to signed bytes, median", signing.median * MS, 500, " ms"),
        Target("manifest to the printer's bytes, median", printing.median * MS, 500, " ms"),
    ]
    return Section("(j) Manifest", ABOUT, ("path", "n", "median ms", "p99 ms"), rows, targets)
