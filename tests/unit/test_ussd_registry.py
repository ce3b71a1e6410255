"""The check at start finds every way in which the screens could fail a household."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from gateway.texts.catalogue import Catalogue, CatalogueError
from gateway.texts.fit import Line
from gateway.texts.languages import LANGUAGES, Language
from gateway.ussd.facts import Context
from gateway.ussd.page import HARD_LIMIT_SEPTETS, page
from gateway.ussd.registry import Registry, RegistryError, lines_of
from gateway.ussd.screen import Option, Screen
from gateway.ussd.screens import SCREENS
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State
from gateway.ussd.worst import CURRENCIES, worst_context, worst_state

END = Screen(name="end", show=says("bye"), ends=True)


def home(state: State, context: Context) -> Sequence[Line]:
    return [Line("1 Leave")]


HOME = Screen(name="home", show=home, options={"1": Option("end")}, notes=("wrong_choice",))


def check(*screens: Screen) -> None:
    Registry(screens=screens, entrances=("home",))


def test_two_linked_screens_are_right() -> None:
    check(HOME, END)


@pytest.mark.parametrize(
    ("screens", "complaint"),
    [
        ((HOME,), "leads to no screen"),
        ((END,), "entrance home is not a screen"),
        ((HOME, END, replace(END, name="attic")), "no way leads to"),
        ((HOME, END, END), "two screens are called end"),
        ((replace(HOME, options={"1": Option("home")}),), "no way out of"),
        ((HOME, replace(END, options={"1": Option("home")})), "ends the session but takes input"),
        ((replace(HOME, notes=()), END), "says nothing to a wrong choice"),
        ((replace(HOME, notes=("wrong_choice", "shout")), END), "no sentence for"),
        ((replace(HOME, options={"2": Option("end")}), END), r"shows \['1'\]"),
        ((replace(HOME, options={"1": Option("end", note="cancelled")}), END), "has no cancelled"),
        ((HOME, replace(END, show=lambda state, context: [])), "empty"),
        ((HOME, replace(END, show=lambda state, context: [Line("x" * 157)])), "161 septets"),
        ((replace(HOME, leads_to=("end",)), END), "read and leads_to"),
        ((replace(HOME, effects=lambda state, context: ()), END), "does not end the session"),
    ],
)
def test_a_broken_tree_stops_the_start(screens: tuple[Screen, ...], complaint: str) -> None:
    with pytest.raises(RegistryError, match=complaint):
        check(*screens)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SCREENS)
def test_every_page_fits_with_the_worst_figures(name: str, language: Language) -> None:
    screen = SCREENS[name]
    for currency in CURRENCIES:
        state = worst_state(screen=name, currency=currency, language=language)
        context = worst_context(currency=currency, language=language)
        for note in ("", *screen.notes):
            lines = lines_of(screen, state, context, note=note)
            assert page(lines, ends=screen.ends).septets <= 160


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_worst_balance_loses_nothing_but_its_age(language: Language) -> None:
    state = worst_state(screen="balance", currency="KES", language=language)
    context = worst_context(currency="KES", language=language)
    lines = lines_of(SCREENS["balance"], state, context, note="")
    shown = page(lines, ends=True).text.split("\n")
    assert [line.text for line in lines if line.rank == 0] == shown


def test_a_page_that_cannot_fit_is_cut_at_the_hard_limit() -> None:
    assert page([Line("[" * 200)], ends=True).septets == HARD_LIMIT_SEPTETS


def test_a_catalogue_with_a_character_outside_gsm7_is_refused() -> None:
    with pytest.raises(CatalogueError, match="fr ok: not in GSM-7: 'ç'"):
        Catalogue(name="x", texts={"en": {"ok": "a"}, "fr": {"ok": "ça"}, "sw": {"ok": "a"}})


def test_a_catalogue_that_misses_a_sentence_is_refused() -> None:
    with pytest.raises(CatalogueError, match="sw: keys differ"):
        Catalogue(name="x", texts={"en": {"ok": "a"}, "fr": {"ok": "a"}, "sw": {}})


def test_a_catalogue_that_misses_a_value_is_refused() -> None:
    with pytest.raises(CatalogueError, match="values differ"):
        Catalogue(name="x", texts={"en": {"ok": "{a}"}, "fr": {"ok": "{b}"}, "sw": {"ok": "{a}"}})
