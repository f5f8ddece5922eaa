"""What is written in an ID card: the 256-byte text block of all four card types, both ways. No I/O.

The type flag at offset 248 decides which layout applies. Text is UTF-16LE, filled up with blanks. Photo and
fingerprints are left where they are: nothing here looks at them.
"""

from kiosk.domain import DocumentKind, Person
from kiosk.identity import normalise

TEXT_BYTES = 256
ADDRESS_BYTES = 70
PHOTO_BYTES = 1024
LONG_TERM = "长期"

_FLAG = slice(248, 250)
_KINDS = {
    "": DocumentKind.RESIDENT,
    "J": DocumentKind.PERMIT,
    "I": DocumentKind.FOREIGNER_2017,
    "Y": DocumentKind.FOREIGNER_2023,
}
_FLAGS = {kind: flag for flag, kind in _KINDS.items()}

_COMMON = {
    "name": (slice(0, 30),),
    "sex": (slice(30, 32),),
    "birth": (slice(36, 52),),
    "number": (slice(122, 158),),
    "valid_from": (slice(188, 204),),
    "valid_to": (slice(204, 220),),
}
_LAYOUTS: dict[DocumentKind, dict[str, tuple[slice, ...]]] = {
    DocumentKind.RESIDENT: _COMMON
    | {"nation": (slice(32, 36),), "address": (slice(52, 122),), "authority": (slice(158, 188),)},
    DocumentKind.PERMIT: _COMMON
    | {"address": (slice(52, 122),), "authority": (slice(158, 188),), "permit_number": (slice(220, 238),)},
    DocumentKind.FOREIGNER_2017: {
        "latin_name": (slice(0, 120),),
        "sex": (slice(120, 122),),
        "number": (slice(122, 152),),
        "nationality": (slice(152, 158),),  # three letters, GB/T 2659
        "name": (slice(158, 188),),
        "valid_from": (slice(188, 204),),
        "valid_to": (slice(204, 220),),
        "birth": (slice(220, 236),),
        "authority": (slice(240, 248),),  # a code
    },
    DocumentKind.FOREIGNER_2023: _COMMON
    | {"latin_name": (slice(52, 122), slice(220, 242)), "nationality": (slice(242, 248),)},  # letters or digits
}


class CardError(ValueError):
    """The card's contents are not what the layout says. The text never repeats any of them."""


def text_block(payload: bytes) -> bytes:
    """The text of what READ (two lengths) or READ_FINGERPRINT (three lengths) answered. Raises CardError if the lengths
    do not add up or the text is short."""
    text, photo, fingerprint = (int.from_bytes(payload[i : i + 2]) for i in (0, 2, 4))
    for header, size in ((4, text + photo), (6, text + photo + fingerprint)):
        if len(payload) == header + size and text >= TEXT_BYTES:
            return payload[header : header + TEXT_BYTES]
    raise CardError(f"lengths do not add up in {len(payload)} bytes")


def decode_text(block: bytes) -> Person:
    """The holder of a card, from its text block. Raises CardError.

    A check digit is not looked at. A sex code outside GB/T 2261.1 counts as unknown; a foreigner without a Chinese
    name goes by the Latin one.
    """
    if len(block) != TEXT_BYTES:
        raise CardError(f"a text block has {TEXT_BYTES} bytes, not {len(block)}")
    kind = _KINDS.get(_decode("type flag", block[_FLAG]))
    if kind is None:
        raise CardError("unknown type of card")
    fields = {name: _decode(name, b"".join(map(block.__getitem__, parts))) for name, parts in _LAYOUTS[kind].items()}
    if fields["valid_to"].startswith(LONG_TERM):
        fields["valid_to"] = ""
    for name in ("birth", "valid_from", "valid_to"):
        if fields[name] and not (len(fields[name]) == 8 and fields[name].isascii() and fields[name].isdigit()):
            raise CardError(f"{name} is no date")
    if not fields["number"]:
        raise CardError("no number")
    return Person(
        document=kind,
        number=normalise(fields.pop("number")),
        name=fields.pop("name") or fields.get("latin_name", ""),
        sex=sex if (sex := fields.pop("sex")) in ("1", "2", "9") else "0",
        **fields,
    )


def decode_address(data: bytes) -> str:
    """What NEWEST_ADDRESS answered. Raises CardError."""
    if len(data) != ADDRESS_BYTES:
        raise CardError(f"a newest address has {ADDRESS_BYTES} bytes, not {len(data)}")
    return _decode("newest address", data)


def encode_text(person: Person) -> bytes:
    """The text block of this person's card. Raises CardError for a field that does not fit."""
    block = bytearray(" ".encode("utf-16-le") * (TEXT_BYTES // 2))
    for name, parts in _LAYOUTS[person.document].items():
        value = getattr(person, name)
        if name == "valid_to":
            value = value or LONG_TERM
        elif name == "name" and value == person.latin_name:
            value = ""
        data = _encode(name, value, sum(part.stop - part.start for part in parts))
        for part in parts:
            width = part.stop - part.start
            block[part], data = data[:width], data[width:]
    block[_FLAG] = _encode("type flag", _FLAGS[person.document], 2)
    return bytes(block)


def encode_address(address: str) -> bytes:
    """What NEWEST_ADDRESS answers. Raises CardError if it does not fit."""
    return _encode("newest address", address, ADDRESS_BYTES)


def encode_payload(text: bytes, photo: bytes, fingerprint: bytes | None = None) -> bytes:
    """What READ answers, or with ``fingerprint`` (which may be empty) what READ_FINGERPRINT does."""
    parts = [text, photo] + ([] if fingerprint is None else [fingerprint])
    return b"".join(len(part).to_bytes(2) for part in parts) + b"".join(parts)


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-16-le").strip(" \0")
    except UnicodeDecodeError:
        raise CardError(f"{name} is no text") from None


def _encode(name: str, value: str, width: int) -> bytes:
    data = value.encode("utf-16-le")
    if len(data) > width:
        raise CardError(f"{name} does not fit into {width} bytes")
    return data + " ".encode("utf-16-le") * ((width - len(data)) // 2)
