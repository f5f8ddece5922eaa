"""Code cards of paper: a token, whole or noticed to be broken."""

from kiosk import paper_card
from kiosk.recognise import BadPaperCard, PaperCard, recognise

TOKEN = bytes(range(16))
TEXT = "KI1:AAAQEAYEAUDAOCAJBIFQYDIOB5S35NQY"


def test_the_text_of_a_token() -> None:
    assert paper_card.text(TOKEN) == TEXT
    assert recognise(TEXT, "360481", ()) == PaperCard(TEXT)


def test_every_misread_character_is_noticed() -> None:
    for place in range(4, len(TEXT)):
        wrong = TEXT[:place] + ("A" if TEXT[place] != "A" else "B") + TEXT[place + 1 :]
        assert recognise(wrong, "360481", ()) == BadPaperCard()
        assert recognise(TEXT[:place] + TEXT[place + 1 :], "360481", ()) == BadPaperCard()


def test_what_only_begins_like_one_is_none() -> None:
    for text in ("KI1:", "KI1:é", TEXT.lower().replace("ki1", "KI1"), TEXT + "A" * 300):
        assert recognise(text, "360481", ()) == BadPaperCard()
