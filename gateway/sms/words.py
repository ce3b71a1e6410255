"""What a household asks for by SMS: one word, in its own language, however it is typed."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.texts.amounts import whole_units
from gateway.texts.languages import Language

MAX_TEXT_CHARACTERS: Final = 480
MAX_USE_DAYS: Final = 90


@dataclass(frozen=True, slots=True)
class Balance:
    """BAL [code]."""

    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Use:
    """USE [days] [code]; days 1 to 90, None if not given."""

    days: int | None = None
    household_code: str = ""


@dataclass(frozen=True, slots=True)
class TopUp:
    """TOPUP <amount> [code]; whole units, None if it could not be read for sure.

    currency is ISO 4217 if one was written (KES 500), else "": refuse one that is not the site's.
    """

    amount_units: int | None
    currency: str = ""
    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Vote:
    """VOTE <round> <option> [more options] [code]; None or empty for what is missing.

    Options are projects' numbers, which have one digit: 13 is 1 and 3, as on the USSD screen.
    """

    round_number: int | None
    options: frozenset[int] = frozenset()
    household_code: str = ""


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """LANG <EN|FR|SW> [code]; None if the language is missing or not one of ours."""

    language: Language | None
    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Last:
    """LAST [code]: the last payments."""

    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """RECEIPT [code]: the last fiscal receipt."""

    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """PROOF [code]: the page of a household's tokens. PROOF NO: refuses a wallet that waits."""

    is_refusal: bool = False
    household_code: str = ""


@dataclass(frozen=True, slots=True)
class Float:
    """FLOAT: what an agent may still take."""


@dataclass(frozen=True, slots=True)
class Help:
    """HELP."""


@dataclass(frozen=True, slots=True)
class Start:
    """START: messages again after STOP."""


@dataclass(frozen=True, slots=True)
class Stop:
    """STOP: no more messages."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything else. Its text is not kept: it may hold a PIN."""


Command = (
    Balance
    | Use
    | TopUp
    | Vote
    | SetLanguage
    | Last
    | Receipt
    | Proof
    | Float
    | Help
    | Start
    | Stop
    | Unknown
)

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "balance": ("BAL", "BALANCE", "BALA", "SOLDE", "SALIO"),
    "use": ("USE", "USAGE", "USED", "CONSO", "CONSOMMATION", "MATUMIZI", "UTUMIZI"),
    "top_up": (
        *("TOPUP", "TOP", "PAY", "RECHARGE", "RECHARGER", "PAYER"),
        *("ONGEZA", "LIPA", "WEKA"),
    ),
    "vote": ("VOTE", "VOTER", "VOTEZ", "KURA", "PIGAKURA"),
    "language": ("LANG", "LANGUAGE", "LANGUE", "LUGHA"),
    "last": ("LAST", "PAYMENTS", "PAIEMENT", "PAIEMENTS", "DERNIER", "DERNIERS", "MALIPO"),
    "receipt": ("RECEIPT", "RECU", "RISITI"),
    "proof": ("PROOF", "TOKENS", "PREUVE", "PREUVES", "JETONS", "UTHIBITISHO", "USHAHIDI"),
    "float": ("FLOAT", "FLOTI", "FLOTTE", "AVANCE"),
    "help": ("HELP", "INFO", "AIDE", "MSAADA", "USAIDIZI"),
    "start": ("START", "COMMENCER", "DEBUT", "REPRENDRE", "ANZA"),
    "stop": ("STOP", "STOPALL", "UNSUBSCRIBE", "ARRET", "ARRETER", "ACHA", "SIMAMA", "SITISHA"),
}
_MEANINGS: Final = {word: meaning for meaning, words in _WORDS.items() for word in words}

_LANGUAGES: Final[dict[str, Language]] = {
    **dict.fromkeys(("EN", "ENG", "ENGLISH", "ANGLAIS", "KIINGEREZA"), "en"),
    **dict.fromkeys(("FR", "FRE", "FRA", "FRENCH", "FRANCAIS", "KIFARANSA"), "fr"),
    **dict.fromkeys(("SW", "SWA", "SWAHILI", "KISWAHILI"), "sw"),
}
_NO: Final = frozenset({"NO", "NON", "HAPANA"})
_ISO_CURRENCIES: Final = frozenset(
    {"KES", "XOF", "XAF", "UGX", "TZS", "RWF", "USD", "EUR", "GHS", "NGN", "SLE", "ZMW", "MWK"}
)
# Said of more than one currency, except KSH; so they name none.
_CURRENCY_SIGNS: Final = {"KSH": "KES", "KSHS": "KES", "SH": "", "SHS": "", "F": "", "FCFA": "",
                          "CFA": "", "BOB": "", "FRANCS": "", "SHILLINGS": ""}  # fmt: skip

# Apart from its letters a code's number must begin with 0, or "TOPUP FOR 500" would hold one.
_CODE: Final = re.compile(r"\b(?P<letters>[A-Z]{2,6})(?P<digits>[0-9]{3,8}|[ ]0[0-9]{3,7})\b")
# A PIN written with its name must not be taken for a household's code and kept.
_NOT_CODES: Final = (
    _ISO_CURRENCIES | _CURRENCY_SIGNS.keys() | _LANGUAGES.keys() | {"PIN", "NIP", "CODE", "NAMBA"}
)
_KEYWORD: Final = re.compile(r"(?P<word>[A-Z]+)(?P<rest>.*)", re.DOTALL)
_CURRENCY: Final = re.compile(
    r"(?<![A-Z])(?P<name>" + "|".join((*sorted(_ISO_CURRENCIES), *_CURRENCY_SIGNS)) + r")(?![A-Z])"
)
_NUMBER: Final = re.compile(r"(?<![0-9.,-])[0-9]{1,3}(?![0-9.,])")
_AMOUNT: Final = re.compile(
    r"(?<![0-9A-Z.,-])(?:[0-9]{1,3}(?: [0-9]{3})+(?![0-9])|[0-9][0-9.,]*[0-9]|[0-9])"
)


def parse(text: str) -> Command:
    """The command in an inbound SMS; Unknown if its first word is none of ours.

    Case, accents, spaces and punctuation do not matter; "TOP UP", "TOPUP500" and "Bal." work.
    Numbers that a command has no use for, such as a PIN, are ignored and kept nowhere.
    """
    plain = _plain(text[:MAX_TEXT_CHARACTERS])
    match = _KEYWORD.match(plain)
    if match is None:
        return Unknown()
    word, rest = match["word"], match["rest"].strip()
    if word == "TOP" and rest.startswith("UP"):
        rest = rest.removeprefix("UP").strip()
    if word in _LANGUAGES and not rest:
        return SetLanguage(language=_LANGUAGES[word])
    return _command(_MEANINGS.get(word, ""), rest)


def _command(meaning: str, rest: str) -> Command:
    code, others = _household_code(rest)
    read = _READERS.get(meaning)
    return read(others, code) if read else Unknown()


def _plain(text: str) -> str:
    """Upper case A-Z, digits, and what stands inside numbers; one space between."""
    without_accents = "".join(
        character
        for character in unicodedata.normalize("NFKD", text).upper()
        if not unicodedata.combining(character)
    )
    return " ".join(re.sub(r"[^A-Z0-9.,-]+", " ", without_accents).split()).lstrip("., -")


def _household_code(rest: str) -> tuple[str, str]:
    """The household code in the arguments, and the arguments without it."""
    for match in _CODE.finditer(rest):
        letters = match["letters"]
        if letters not in _NOT_CODES:
            without = f"{rest[: match.start()]} {rest[match.end() :]}"
            return letters + match["digits"].strip(), " ".join(without.split())
    return "", rest


def _numbers(rest: str) -> list[int]:
    """Numbers of one to three digits: four look like a PIN."""
    return [int(number) for number in _NUMBER.findall(rest)]


def _days(rest: str) -> int | None:
    days = next(iter(_numbers(rest)), None)
    return None if days is None or days < 1 else min(days, MAX_USE_DAYS)


def _proof(rest: str, code: str) -> Proof:
    return Proof(is_refusal=bool(_NO.intersection(rest.split())), household_code=code)


def _language(rest: str) -> Language | None:
    return next((_LANGUAGES[word] for word in rest.split() if word in _LANGUAGES), None)


def _vote(rest: str, code: str) -> Vote:
    # "1, 4" and "1,4" are two choices; what else has a comma is an amount or a slip.
    numbers = _numbers(re.sub(r"\b([0-9]),(?= |[0-9]\b)", r"\1 ", rest))
    digits = "".join(str(number) for number in numbers[1:])
    return Vote(
        round_number=numbers[0] if numbers else None,
        options=frozenset(int(digit) for digit in digits),
        household_code=code,
    )


def _top_up(rest: str, code: str) -> TopUp:
    currency = ""
    if named := _CURRENCY.search(rest):
        name = named["name"]
        currency = _CURRENCY_SIGNS.get(name, name)
        rest = _CURRENCY.sub(" ", rest)
    # "500/=" and "500.-" are how shillings and francs are written by hand.
    amount = _AMOUNT.search(re.sub(r"[.,]?-(?=\s|$)", " ", rest))
    units = whole_units(amount[0].rstrip(".,")) if amount else None
    return TopUp(amount_units=units or None, currency=currency, household_code=code)


_READERS: Final[dict[str, Callable[[str, str], Command]]] = {
    "balance": lambda others, code: Balance(household_code=code),
    "use": lambda others, code: Use(days=_days(others), household_code=code),
    "top_up": _top_up,
    "vote": _vote,
    "language": lambda others, code: SetLanguage(language=_language(others), household_code=code),
    "last": lambda others, code: Last(household_code=code),
    "receipt": lambda others, code: Receipt(household_code=code),
    "proof": _proof,
    "float": lambda others, code: Float(),
    "help": lambda others, code: Help(),
    "start": lambda others, code: Start(),
    "stop": lambda others, code: Stop(),
}
