"""Numbers as households write them: integers and fractions in, GSM-7 text out.

No library formatter: Django's French puts U+00A0 between thousands and Babel's U+202F, and
one such character turns a message of 160 characters into one of 70.
"""

from fractions import Fraction
from typing import Final

from gateway.texts.languages import Language

WEI_PER_DAI: Final = 10**18
MILLIWATT_HOURS_PER_KWH: Final = 10**6

# ISO 4217 currencies of the region without a minor unit in use; all others have two decimals.
_WITHOUT_DECIMALS: Final = frozenset({"XOF", "XAF", "UGX", "RWF", "BIF", "GNF", "KMF", "DJF"})
_SIGNS: Final = {"XOF": "FCFA", "XAF": "FCFA"}
_EXACT_BELOW_UNITS: Final = 100
_CRYPTO_DECIMALS: Final = 6


def exponent(currency: str) -> int:
    """Decimals of a currency: 2 for KES, 0 for XOF (ISO 4217)."""
    return 0 if currency in _WITHOUT_DECIMALS else 2


def whole(number: int, *, language: Language) -> str:
    """1234 -> "1,234", in French "1 234" with a plain space."""
    text = f"{number:,}"
    return text.replace(",", " ") if language == "fr" else text


def decimal(number: int, *, decimals: int, language: Language) -> str:
    """An integer of 10^-decimals: (123456, decimals=2) -> "1,234.56", in French "1 234,56"."""
    sign = "-" if number < 0 else ""
    units, rest = divmod(abs(number), 10**decimals)
    text = sign + whole(units, language=language)
    if not decimals:
        return text
    point = "," if language == "fr" else "."
    return f"{text}{point}{rest:0{decimals}d}"


def nearest(value: Fraction) -> int:
    """The nearest integer, halves up."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def money(minor: int, currency: str, *, language: Language, exact: bool = False) -> str:
    """Minor units as "KES 1,234", in French "1 234 KES"; XOF is written FCFA.

    From 100 units on the decimals are left out (nobody pays in cents), unless `exact`,
    which is for amounts that somebody paid. Then they are left out only when zero.
    """
    decimals = exponent(currency)
    units, rest = divmod(abs(minor), 10**decimals)
    if rest and (exact or units < _EXACT_BELOW_UNITS):
        number = decimal(minor, decimals=decimals, language=language)
    else:
        number = ("-" if minor < 0 and units else "") + whole(units, language=language)
    return _with_sign(number, currency, language)


def unit_price(units: Fraction, currency: str, *, language: Language) -> str:
    """A price in units of the currency: "KES 9.05", "42,5 FCFA"; decimals below 1,000 only."""
    decimals = exponent(currency) or (1 if units < _EXACT_BELOW_UNITS else 0)
    if units >= 1000:
        decimals = 0
    number = decimal(nearest(units * 10**decimals), decimals=decimals, language=language)
    return _with_sign(number, currency, language)


def rate(units: Fraction, currency: str, *, language: Language) -> str:
    """What a DAI is worth, always with two decimals: "KES 129.87", "604.50 FCFA"."""
    number = decimal(nearest(units * 100), decimals=2, language=language)
    return _with_sign(number, currency, language)


def kwh(energy_milliwatt_hours: int, *, language: Language) -> str:
    """Energy in kWh without its unit: "0.005", "0.35", "1.20", "12.4", "1,234"."""
    value = Fraction(energy_milliwatt_hours, MILLIWATT_HOURS_PER_KWH)
    if value <= 0:
        return "0"
    for below, decimals in ((Fraction(1, 10), 3), (Fraction(10), 2), (Fraction(100), 1)):
        if value < below:
            rounded = nearest(value * 10**decimals)
            if not rounded:
                return "<" + decimal(1, decimals=decimals, language=language)
            return decimal(rounded, decimals=decimals, language=language)
    return whole(nearest(value), language=language)


def percent(basis_points: int, *, language: Language) -> str:
    """A rate: 1600 -> "16%", 1875 -> "18.75%", in French "16 %"."""
    decimals = 0 if basis_points % 100 == 0 else 1 if basis_points % 10 == 0 else 2
    number = decimal(basis_points // 10 ** (2 - decimals), decimals=decimals, language=language)
    return f"{number} %" if language == "fr" else f"{number}%"


def dai(amount_wei: int, *, language: Language) -> str:
    """DAI without its name, cut (never rounded up) to 2 decimals, below 1 DAI to 4."""
    decimals = 2 if abs(amount_wei) >= WEI_PER_DAI else 4
    cut = abs(amount_wei) * 10**decimals // WEI_PER_DAI
    return decimal(-cut if amount_wei < 0 else cut, decimals=decimals, language=language)


def crypto(units: int, *, decimals: int, language: Language) -> str:
    """Smallest units of a crypto asset as the asset, without its name: "12.5", "<0.000001".

    Cut to six decimals, zeros at the end left out.
    """
    kept = min(decimals, _CRYPTO_DECIMALS)
    cut = units // 10 ** (decimals - kept)
    if units and not cut:
        return "<" + decimal(1, decimals=kept, language=language)
    while kept and cut % 10 == 0:
        kept, cut = kept - 1, cut // 10
    return decimal(cut, decimals=kept, language=language)


def _with_sign(number: str, currency: str, language: Language) -> str:
    sign = _SIGNS.get(currency, currency)
    return f"{number} {sign}" if language == "fr" else f"{sign} {number}"
