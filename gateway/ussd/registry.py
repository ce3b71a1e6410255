"""The screens by name, with proof that no household can get stuck or see half a sentence."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.sms.gsm import septets
from gateway.texts.fit import Line
from gateway.texts.languages import LANGUAGES
from gateway.texts.ussd import USSD
from gateway.ussd.facts import Context
from gateway.ussd.page import SAFE_LIMIT_SEPTETS, Page, compose
from gateway.ussd.screen import Screen
from gateway.ussd.state import State
from gateway.ussd.worst import CURRENCIES, worst_context, worst_state

_CHOICE: Final = re.compile(r"^([0-9]) ", re.MULTILINE)


class RegistryError(ValueError):
    """The screens do not make a tree that can be walked; says where."""


class Registry(Mapping[str, Screen]):
    """Screens by name. Raises RegistryError unless

    every choice leads to a screen there is, every screen can be reached from an entrance,
    every screen can reach an end, effects happen at ends only, and every page exists in
    every language, within 160 septets at the worst figures, showing exactly its choices.
    """

    def __init__(self, *, screens: Iterable[Screen], entrances: Sequence[str]) -> None:
        self._screens: Final[dict[str, Screen]] = {}
        for screen in screens:
            if screen.name in self._screens:
                raise RegistryError(f"two screens are called {screen.name}")
            self._screens[screen.name] = screen
        self.entrances: Final = tuple(entrances)
        self._check_links()
        self._check_reachable()
        self._check_no_dead_end()
        for screen in self._screens.values():
            _check_shape(screen)
            _check_pages(screen)

    def __getitem__(self, name: str) -> Screen:
        return self._screens[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._screens)

    def __len__(self) -> int:
        return len(self._screens)

    def _check_links(self) -> None:
        for name in self.entrances:
            if name not in self._screens:
                raise RegistryError(f"entrance {name} is not a screen")
        for screen in self._screens.values():
            if missing := screen.next_screens - self._screens.keys():
                raise RegistryError(f"{screen.name} leads to no screen: {sorted(missing)}")
            for option in screen.options.values():
                if option.note and option.note not in self._screens[option.screen].notes:
                    raise RegistryError(f"{screen.name}: {option.screen} has no {option.note}")

    def _check_reachable(self) -> None:
        reached: set[str] = set()
        ahead = list(self.entrances)
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead.extend(self._screens[name].next_screens)
        if lost := self._screens.keys() - reached:
            raise RegistryError(f"no way leads to {sorted(lost)}")

    def _check_no_dead_end(self) -> None:
        ending = {screen.name for screen in self._screens.values() if screen.ends}
        while True:
            more = {
                screen.name
                for screen in self._screens.values()
                if screen.name not in ending and screen.next_screens & ending
            }
            if not more:
                break
            ending |= more
        if stuck := self._screens.keys() - ending:
            raise RegistryError(f"no way out of {sorted(stuck)}")


def _check_shape(screen: Screen) -> None:
    if screen.ends and (screen.options or screen.read):
        raise RegistryError(f"{screen.name} ends the session but takes input")
    if screen.has_effects and not screen.ends:
        raise RegistryError(f"{screen.name} has effects but does not end the session")
    if bool(screen.read) != bool(screen.leads_to):
        raise RegistryError(f"{screen.name}: read and leads_to go together")
    if unknown := set(screen.notes) - USSD.keys:
        raise RegistryError(f"{screen.name}: no sentence for {sorted(unknown)}")
    if not screen.ends and screen.read is None and "wrong_choice" not in screen.notes:
        raise RegistryError(f"{screen.name} says nothing to a wrong choice")


def _check_pages(screen: Screen) -> None:
    for language in LANGUAGES:
        for currency in CURRENCIES:
            context = worst_context(currency=currency, language=language)
            state = worst_state(screen=screen.name, currency=currency, language=language)
            for note in ("", *screen.notes):
                _check_page(screen, state, context, note=note)
            _check_choices(screen, state, context)


def _check_page(screen: Screen, state: State, context: Context, *, note: str) -> None:
    where = f"{screen.name} in {state.language}, note {note or 'none'}"
    text = compose(lines_of(screen, state, context, note=note))
    length = septets(Page(text=text, ends=screen.ends).body)
    if not text.strip():
        raise RegistryError(f"{where}: empty")
    if length > SAFE_LIMIT_SEPTETS:
        raise RegistryError(f"{where}: {length} septets: {text!r}")


def _check_choices(screen: Screen, state: State, context: Context) -> None:
    if screen.read is not None or screen.ends:
        return
    shown = _CHOICE.findall(compose(screen.show(state, context)))
    if sorted(shown) != sorted(screen.options):
        raise RegistryError(f"{screen.name} in {state.language} shows {shown}")


def lines_of(screen: Screen, state: State, context: Context, *, note: str) -> list[Line]:
    """The lines of a screen with the sentence `note` (a key, or "") above them."""
    lines = list(screen.show(state, context))
    if note:
        values = screen.note_values(state, context) if USSD.values_of(note) else {}
        lines.insert(0, Line(USSD.say(state.language, note, **values)))
    return lines
