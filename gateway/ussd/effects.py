"""What a session asks the service to do; only its last page carries any."""

from dataclasses import dataclass, field

from gateway.texts.languages import Language


@dataclass(frozen=True, slots=True)
class StartTopUp:
    """Ask the household's mobile money for amount_minor (a whole number of units)."""

    household_code: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """Speak to the household in this language from now on."""

    household_code: str
    language: Language


@dataclass(frozen=True, slots=True)
class ChangePin:
    """Check old_pin and set new_pin; both are four digits and exist in memory only."""

    household_code: str
    old_pin: str = field(repr=False)
    new_pin: str = field(repr=False)

    def __repr__(self) -> str:
        return f"ChangePin({self.household_code!r}, old_pin=****, new_pin=****)"


@dataclass(frozen=True, slots=True)
class TakeCash:
    """Check the PIN of the agent who works from the phone and book cash for the household.

    The answer is told in `language`, as it depends on what was booked.
    """

    household_code: str
    amount_minor: int
    currency: str
    language: Language
    pin: str = field(repr=False)

    def __repr__(self) -> str:
        return f"TakeCash({self.household_code!r}, {self.amount_minor} {self.currency}, pin=****)"


@dataclass(frozen=True, slots=True)
class CastVote:
    """Check the household's PIN and cast its vote for projects (numbers) of its site's round.

    The answer is told in `language`, as the receipt is made when the vote is cast.
    """

    household_code: str
    round_number: int
    numbers: tuple[int, ...]
    language: Language
    pin: str = field(repr=False)

    def __repr__(self) -> str:
        return f"CastVote({self.household_code!r}, round {self.round_number}, pin=****)"


Effect = StartTopUp | SetLanguage | ChangePin | TakeCash | CastVote
