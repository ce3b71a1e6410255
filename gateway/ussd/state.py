"""Where a USSD session stands; small, and safe to keep in a cache: it never holds a PIN."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Final, Self

from gateway.texts.languages import FALLBACK, LANGUAGES, Language

_VERSION: Final = 1
_MAX_NAME_CHARACTERS: Final = 64


class BadState(ValueError):
    """Stored bytes that are not a state of this version: replay the session instead."""


@dataclass(frozen=True, slots=True)
class State:
    """One session after `hops` inputs.

    screen is the one shown; hops also the index of the next input in the cumulative text;
    old_pin_hop, new_pin_hop, agent_pin_hop and vote_pin_hop say at which hop a PIN was typed, never
    which; agent_code names the agent who works from this phone, payee_code whom they take cash for;
    choices are digits, each the number of a project that is voted for.
    """

    screen: str
    language: Language = FALLBACK
    household_code: str = ""
    shared_phone: bool = False
    accounts_page: int = 0
    amount_minor: int = 0
    currency: str = ""
    old_pin_hop: int | None = None
    new_pin_hop: int | None = None
    agent_code: str = ""
    payee_code: str = ""
    agent_pin_hop: int | None = None
    round_number: int = 0
    projects_page: int = 0
    choices: str = ""
    vote_pin_hop: int | None = None
    wrong_tries: int = 0
    hops: int = 0
    ended: bool = False

    def to_json(self) -> str:
        """Compact JSON that from_json reads back."""
        return json.dumps({"v": _VERSION, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The state written by to_json; BadState for anything else, such as an older version."""
        try:
            stored = json.loads(text)
        except ValueError as error:
            raise BadState("not JSON") from error
        if not isinstance(stored, dict) or stored.pop("v", None) != _VERSION:
            raise BadState("not a state of this version")
        if stored.keys() != {field.name for field in fields(cls)}:
            raise BadState("fields differ")
        _check(stored)
        return cls(**stored)


def _check(stored: dict[str, object]) -> None:
    for name, value in stored.items():
        wanted = State.__annotations__[name]
        if wanted is bool:
            right = isinstance(value, bool)
        elif wanted is str:
            right = isinstance(value, str) and len(value) <= _MAX_NAME_CHARACTERS
        elif wanted is Language:
            right = value in LANGUAGES
        else:
            right = type(value) is int or (value is None and wanted == (int | None))
            right = right and (value is None or int(str(value)) >= 0)
        if not right:
            raise BadState(f"{name} is not right")


START: Final = State(screen="start")
