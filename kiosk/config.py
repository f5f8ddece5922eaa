"""The whole configuration on one page. The tagged unions at ``driver`` are the registry of drivers."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kiosk.domain import Category, Colour, DocumentKind


class ConfigError(Exception):
    """The configuration cannot be used; the text is the one line a technician needs."""


Positive = Annotated[float, Meta(gt=0, le=3600)]
Baud = Literal[9600, 19200, 38400, 57600, 115200]
Pin = Annotated[int, Meta(ge=0, le=27)]
Where = Annotated[str, Meta(min_length=1)]
Argument = Annotated[str, Meta(min_length=1, max_length=40)]
"""What a command code can say."""
TableName = Annotated[str, Meta(min_length=1, max_length=12)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every table: a key that is not listed is an error."""


class Site(Table, frozen=True):
    code: Annotated[str, Meta(pattern=r"^[0-9]{6}$")]
    name: Annotated[str, Meta(min_length=1, max_length=40)]
    table: TableName | None = None  # 采样台 this kiosk sends people to


class Kiosk(Table, frozen=True):
    number: Annotated[int, Meta(ge=1, le=99)]
    data_dir: Path = Path("/var/lib/kiosk")
    runtime_dir: Path = Path("/run/kiosk")
    beacon: bool = True  # says on the local network who this kiosk is, so that a number used twice shows
    enrolment_label: bool = False  # printed at the first start with this site, number and device key


class Policy(Table, frozen=True):
    group_size: Annotated[int, Meta(ge=1, le=100)] = 10
    pool_size: Literal[1, 5, 10, 20] = 10
    health_code: Literal["required", "optional", "off"] = "optional"
    unknown_code: Literal["flag", "single", "refuse"] = "flag"
    verdict_s: Positive = 1.5  # so long a person waits for what the command post says of an opaque code
    yellow: Literal["refuse", "isolate"] = "refuse"  # "isolate": a tube of their own in the isolation lane
    require_phone: bool = False  # a person without phone number is heard at the desk (rule G8)
    single_documents: tuple[DocumentKind, ...] = ()  # whose holders count as returnees (旅外人员)
    round: Literal["daily", "manual"] = "daily"
    pair_window_s: Positive = 10.0  # card and code belong together when they come within this time
    card_alone_after_s: Positive = 1.5  # health_code = "optional": how long a card waits for a code
    unlabelled_groups: Annotated[int, Meta(ge=1, le=10)] = 2  # full groups that may wait for the printer
    specimen: Annotated[str, Meta(min_length=1, max_length=12)] = "咽拭子"
    household_size: Annotated[int, Meta(ge=2, le=20)] = 10  # people of one household in a tube
    single_for: tuple[Category, ...] = (
        Category.KEY,
        Category.CONTACT,
        Category.RETURNEE,
        Category.RECOVERED,
        Category.YELLOW,
    )  # they never share a tube
    label_at: Literal["open", "close"] = "close"  # "open": the first person carries the labelled tube
    tube_source: Literal["print", "preprinted"] = "print"  # "preprinted": the tube's own barcode is scanned first
    tube_pattern: str = ""  # of such barcodes, a regular expression
    every_days: dict[Category, Annotated[int, Meta(ge=1, le=255)]] = {}  # rule P3; a row of the roster goes before it
    slot: Literal["hint", "refuse"] = "hint"  # somebody who is on the roster for another hour (rule Q4)


class Queue(Table, frozen=True):
    """The people between registration and release."""

    waiting_cap: Annotated[int, Meta(ge=0, le=1000)] = 130  # rule Q1; 0: none
    oldest_wait_min: Annotated[int, Meta(ge=0, le=240)] = 15  # rule Q3: staff are told; 0: never
    tables: tuple[TableName, ...] = ()  # groups are sent to them in turn, instead of to site.table
    priority: tuple[Category, ...] = (Category.CONTACT, Category.RETURNEE, Category.KEY)  # go first, rule Q10


class CustodyRules(Table, frozen=True):
    """``pick_up_min``, ``pick_up_tubes``: when a courier is due, 0 never (T1, T2); ``warn_min``, ``limit_min``: the age
    of a tube since its first swab (T3); ``labs``, ``permits``: empty where they are not asked for (T10, T11);
    ``day_end``: local time after which no tube may be left, "" never (T4)."""

    pick_up_min: Annotated[int, Meta(ge=0, le=1440)] = 120
    pick_up_tubes: Annotated[int, Meta(ge=0, le=5000)] = 0
    warn_min: Annotated[int, Meta(ge=1, le=1440)] = 120
    limit_min: Annotated[int, Meta(ge=1, le=1440)] = 240
    bag_size: Annotated[int, Meta(ge=1, le=100)] = 20
    labs: tuple[Argument, ...] = ()
    permits: tuple[Argument, ...] = ()
    day_end: Annotated[str, Meta(pattern=r"^(|([01][0-9]|2[0-3]):[0-5][0-9])\Z")] = "22:00"


class Voice(Table, frozen=True):
    """How the speaker speaks. ``folder``: recordings that are used instead of the kiosk's own clips."""

    volume: Annotated[int, Meta(ge=0, le=100)] = 80  # 0: silent
    languages: tuple[Literal["zh", "en"], ...] = ("zh", "en")
    folder: Path | None = None


class HealthCodeFormat(Table, frozen=True):
    """``pattern`` may name the groups ``colour``, ``token``, ``id`` (a document number), ``name`` and ``phone``.
    ``ask``: the command post is asked for the colour. A "registration" code has no colour: it tells who somebody is."""

    name: str
    pattern: str
    colours: dict[str, Colour] = {}
    ask: bool = False
    kind: Literal["health", "registration"] = "health"


class NoDevice(Table, frozen=True, tag_field="driver", tag="none"):
    pass


class SdtCard(Table, frozen=True, tag_field="driver", tag="sdt"):
    """Resident-ID-card reader module, SDT protocol."""

    port: Where
    baud: Baud = 115200
    poll_s: Positive = 0.3
    same_card_s: Positive = 2.0  # a card left on the reader is not read again for this long
    newest_address: bool = True


class SerialCode(Table, frozen=True, tag_field="driver", tag="serial"):
    port: Where
    baud: Baud = 9600
    idle_s: Positive = 0.1  # a text without terminator ends after this silence


class HidCode(Table, frozen=True, tag_field="driver", tag="hid"):
    """Keyboard wedge."""

    device: Where
    gap_s: Positive = 0.15  # a longer gap between two keys throws the half code away


class HidKeypad(Table, frozen=True, tag_field="driver", tag="hid"):
    """A numeric USB keypad."""

    device: Where
    pause_s: Positive = 30.0  # what was typed before a longer pause is thrown away


class Printer(Table, frozen=True):
    """What all label printers share. ``port``: a tty, /dev/usb/lp0, a plain file, or tcp://host:port."""

    port: Where
    baud: Baud = 115200
    label_mm: tuple[int, int] = (50, 30)
    dpi: Literal[203, 300] = 203
    copies: Annotated[int, Meta(ge=1, le=3)] = 1
    timeout_s: Positive = 10.0
    confirm: Literal["sent", "scan"] = "sent"  # "scan": a volunteer scans each fresh label


class TsplPrinter(Printer, frozen=True, tag_field="driver", tag="tspl"):
    gap_mm: Annotated[float, Meta(ge=0, le=20)] = 2.0
    density: Annotated[int, Meta(ge=0, le=15)] = 10
    speed: Annotated[int, Meta(ge=1, le=12)] = 4
    invert: bool = False  # some clones burn 1 bits
    mode: Literal[0, 1, 2] = 0


class EscposPrinter(Printer, frozen=True, tag_field="driver", tag="escpos"):
    profile: str = "TM-L90"
    end_of_label: str = "1d0c"  # hex bytes that feed to the next label


class ZplPrinter(Printer, frozen=True, tag_field="driver", tag="zpl"):
    darkness: Annotated[int, Meta(ge=0, le=30)] = 15


class GpioPanel(Table, frozen=True, tag_field="driver", tag="gpio"):
    """Pins by BCM number. ``factory`` is never guessed; ``chip``: N of /dev/gpiochipN, None for the board's own, whose
    number differs between boards and kernels."""

    factory: Literal["lgpio", "mock"] = "lgpio"
    chip: Annotated[int, Meta(ge=0, le=15)] | None = None
    stop: Pin = 17
    wait: Pin = 27
    go: Pin = 22
    release: Pin = 23
    alarm: Pin = 24
    fault: Pin = 25
    door: Pin | None = None  # at the entrance: as many people wait as may
    bar: Annotated[tuple[Pin, ...], Meta(min_length=10, max_length=10)] = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13)
    buzzer: Pin = 18
    release_button: Pin = 16
    ack_button: Pin = 26


class SocketPanel(Table, frozen=True, tag_field="driver", tag="socket"):
    path: Where


class AlsaSpeaker(Table, frozen=True, tag_field="driver", tag="alsa"):
    """``device``: a PCM as `aplay -L` names it."""

    device: Where = "default"


class Devices(Table, frozen=True):
    card: SdtCard | NoDevice = NoDevice()
    code: SerialCode | HidCode | NoDevice = NoDevice()
    printer: TsplPrinter | EscposPrinter | ZplPrinter | NoDevice = NoDevice()
    panel: GpioPanel | SocketPanel | NoDevice = NoDevice()
    speaker: AlsaSpeaker | NoDevice = NoDevice()
    keypad: HidKeypad | NoDevice = NoDevice()


class Mqtt(Table, frozen=True):
    host: Where
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    tls: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 30


class Neighbours(Table, frozen=True):
    """A broker on the site's own network, through which its kiosks tell each other whom they have registered."""

    host: Where
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883


class Report(Table, frozen=True):
    """``at``: local time at which the figures of the day go up, "" never (rule D1)."""

    at: Annotated[str, Meta(pattern=r"^(|([01][0-9]|2[0-3]):[0-5][0-9])\Z")] = "23:30"


class Stock(Table, frozen=True):
    """``warn_min``: when labels or tubes will not do for so long, staff are told (rule Q16)."""

    warn_min: Annotated[int, Meta(ge=1, le=1440)] = 60


class Seal(Table, frozen=True):
    """``digest_key``: where the key of "seen before" lives: in RAM, where it outlives the daemon but not the power;
    the same, brought by a staff badge for each round; or in a file on the card (for demonstrations). ``token``: the
    one-time id this kiosk was provisioned with; it proves by it that it is the one the command post has sent out."""

    public_key: str
    digest_key: Literal["ram", "badge", "file"] = "ram"
    digest_key_file: Path | None = None
    token: str = ""


class Config(Table, frozen=True):
    site: Site
    kiosk: Kiosk
    seal: Seal
    policy: Policy = Policy()
    custody: CustodyRules | None = None  # without it no tube is watched; couriers are served all the same
    queue: Queue = Queue()
    report: Report = Report()
    stock: Stock = Stock()
    voice: Voice = Voice()
    health_code_formats: tuple[HealthCodeFormat, ...] = ()
    devices: Devices = Devices()
    mqtt: Mqtt | None = None  # without it the kiosk exports to files only
    neighbours: Neighbours | None = None
