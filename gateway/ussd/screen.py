"""What a screen is: its text, where its choices lead, how it reads what is typed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.texts.fit import Line
from gateway.texts.languages import Language
from gateway.ussd.effects import Effect
from gateway.ussd.facts import Context
from gateway.ussd.state import State


@dataclass(frozen=True, slots=True)
class Option:
    """A choice: the screen it leads to, a note to show there, what it settles on the way."""

    screen: str
    note: str = ""
    language: Language | None = None
    shared_phone_only: bool = False
    agent_only: bool = False

    @property
    def is_for_some(self) -> bool:
        """Whether only some phones have this choice."""
        return self.shared_phone_only or self.agent_only

    def is_open_to(self, state: State) -> bool:
        """Whether the phone of this session has the choice."""
        return (state.shared_phone or not self.shared_phone_only) and (
            bool(state.agent_code) or not self.agent_only
        )


@dataclass(frozen=True, slots=True)
class Go:
    """What was typed is right: show `screen` from `state`, with the sentence `note` above."""

    screen: str
    state: State
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was typed is wrong: say why and show the same screen, or `screen`, again."""

    note: str
    screen: str = ""


Move = Go | Wrong
Show = Callable[[State, Context], Sequence[Line]]
Read = Callable[[State, str, Context], Move]


def _nothing(state: State, context: Context) -> Mapping[str, str]:
    return {}


def _no_effects(state: State, context: Context) -> tuple[Effect, ...]:
    return ()


def _stay(state: State, context: Context) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Screen:
    """One page of the tree.

    show        its lines
    options     what can be typed, and where that leads
    read        for everything else that is typed; may go to `leads_to` only
    divert      the screen to show instead, one of `diverts_to`, or ""
    notes       keys of the sentences that can stand above it, with values from `note_values`
    effects     what arriving here asks for; only on a screen that ends the session
    is_secret   what is typed here is a PIN
    takes_amount    four digits typed here are money, not a PIN
    takes_code      what is typed here is an account code, which has letters
    """

    name: str
    show: Show
    options: Mapping[str, Option] = field(default_factory=dict)
    read: Read | None = None
    leads_to: tuple[str, ...] = ()
    divert: Callable[[State, Context], str] = _stay
    diverts_to: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    note_values: Callable[[State, Context], Mapping[str, str]] = _nothing
    effects: Callable[[State, Context], tuple[Effect, ...]] = _no_effects
    ends: bool = False
    is_secret: bool = False
    takes_amount: bool = False
    takes_code: bool = False

    @property
    def has_effects(self) -> bool:
        """Whether arriving here can ask for anything."""
        return self.effects is not _no_effects

    @property
    def next_screens(self) -> frozenset[str]:
        """Every screen that can follow or replace this one."""
        chosen = (option.screen for option in self.options.values())
        return frozenset((*chosen, *self.leads_to, *self.diverts_to))
