"""Messages stay in the GSM-7 alphabet and cost what we think they cost."""

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sms.gsm import BASIC, EXTENSION, cut, not_gsm7, segments, septets, to_gsm7

GSM = gsm0338.Codec()


def test_the_alphabet_is_the_one_of_the_standard_without_its_control_characters() -> None:
    assert len(BASIC) == 126
    assert sorted(EXTENSION) == sorted("[]{}\\|^~€")


@pytest.mark.parametrize("character", ["ç", "â", "ê", "î", "ô", "û", "ë", "ï", "œ", "À", "ɛ", "ŋ",
                                       "’", "\u00a0", "\u202f", "\x1b", "\x0c"])  # fmt: skip
def test_the_traps_of_the_trade_are_not_in_the_alphabet(character: str) -> None:
    assert not_gsm7(f"a{character}b") == character
    assert not not_gsm7(to_gsm7(f"a{character}b"))


@pytest.mark.parametrize("character", "éèàùìòñüöäåÇÉ@£$¥_§¿¡ÆØß\n")
def test_what_the_alphabet_has_is_left_alone(character: str) -> None:
    assert to_gsm7(character) == character


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("français à la fenêtre", "francais à la fenetre"),
        ("l’œuvre", "l'oeuvre"),
        ("1\u202f234\u00a0FCFA", "1 234 FCFA"),
        ("Wanjikũ Ɲaɲa", "Wanjiku Nana"),
        ("e\u0301te\u0301", "été"),
        ("«Oui» – 5…", '"Oui" - 5...'),
        ("a\u200bb\x00c\x1bd", "abcd"),
        ("a\r\nb\tc", "a\nb c"),
        ("½ kWh", "1/2 kWh"),
        ("王 😀", "? ?"),
    ],
)
def test_what_it_lacks_is_written_in_what_it_has(text: str, written: str) -> None:
    assert to_gsm7(text) == written


@given(st.text())
def test_any_text_becomes_sendable_and_stays_so(text: str) -> None:
    sendable = to_gsm7(text)
    assert len(GSM.encode(sendable)[0]) == septets(sendable)
    assert to_gsm7(sendable) == sendable


def test_a_text_outside_the_alphabet_has_no_length() -> None:
    with pytest.raises(ValueError, match="not in GSM-7: 'ç'"):
        septets("ça")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("[" * 80, 1),
        ("[" * 81, 2),
        # An escape does not straddle two parts: 152 + 1 left, so the bracket moves on.
        ("a" * 152 + "[" + "a" * 151, 2),
        ("a" * 152 + "[" + "a" * 152, 3),
    ],
)
def test_segments_are_counted_as_they_are_billed(text: str, parts: int) -> None:
    assert segments(text) == parts


@given(st.text(alphabet="ab[é"), st.integers(0, 40))
def test_a_cut_is_the_longest_beginning_that_fits(text: str, limit: int) -> None:
    shortened = cut(text, at_most_septets=limit)
    assert text.startswith(shortened)
    assert septets(shortened) <= limit
    assert shortened == text or septets(text[: len(shortened) + 1]) > limit
