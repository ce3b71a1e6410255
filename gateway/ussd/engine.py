"""The USSD session as pure functions: an input, a page, and what the service is asked to do.

    step = advance(state_or_none, text, Context(facts=facts, now=now))

`text` is the cumulative text of the session as the aggregator posts it. Effects come with
the page that ends the session and with no other, so a session whose state was lost goes on
from its text alone: what came before the last input asked for nothing.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from gateway.texts.fit import Line
from gateway.texts.languages import Language, language_of
from gateway.texts.ussd import USSD
from gateway.ussd.effects import Effect
from gateway.ussd.facts import Context
from gateway.ussd.page import Page, page
from gateway.ussd.registry import lines_of
from gateway.ussd.screen import Go, Move, Screen, Wrong
from gateway.ussd.screens import SCREENS
from gateway.ussd.screens.menus import chosen
from gateway.ussd.state import START, State

MAX_TEXT_CHARACTERS: Final = 500
MAX_HOPS: Final = 20
MAX_WRONG_TRIES: Final = 3

Refusal = Literal[
    "wrong_pin",
    "pin_locked",
    "prompt_open",
    "try_later",
    "cash_wrong_pin",
    "cash_not_booked",
    "vote_wrong_pin",
    "vote_closed",
]


@dataclass(frozen=True, slots=True)
class Step:
    """After one hop: where the session stands, the answer, and what to do before giving it."""

    state: State
    page: Page
    effects: tuple[Effect, ...] = ()


def inputs(text: str) -> tuple[str, ...]:
    """The inputs in a session's cumulative text; none in "".

    Some networks deliver an inverted exclamation mark for "@".
    """
    if not text:
        return ()
    return tuple(_cleaned(part) for part in text.split("*"))


def dial(context: Context) -> Step:
    """The first page: the menu, the choice of an account, or how to register."""
    households = context.facts.households
    begun = replace(START, agent_code=context.facts.agent_code)
    if len(households) == 1:
        return _shown("menu", chosen(begun, households[0]), context)
    state = replace(begun, language=language_of(context.facts.language))
    if not households:
        return _shown("menu" if state.agent_code else "unregistered", state, context)
    return _shown("accounts", replace(state, shared_phone=True), context)


def step(state: State, entered: str, context: Context) -> Step:
    """One hop: what was typed on the screen of `state`.

    context.earlier must hold the inputs before this one when the screen is a PIN screen:
    the state knows at which hop a PIN was typed, and never the PIN.
    """
    if state.screen == START.screen:
        state = dial(context).state
    if state.ended:
        return Step(state=state, page=_page(SCREENS["bye"], state, context))
    if state.hops >= MAX_HOPS:
        return _shown("too_long", state, context)
    screen, typed = SCREENS[state.screen], _cleaned(entered)
    move = _moved(screen, state, typed, context)
    if len(context.earlier) == state.hops:
        # What the next screen asks for may need what was typed just now.
        context = replace(context, earlier=(*context.earlier, typed))
    if isinstance(move, Go):
        after = replace(move.state, hops=state.hops + 1, wrong_tries=0)
        return _shown(move.screen, after, context, note=move.note)
    after = replace(state, hops=state.hops + 1, wrong_tries=state.wrong_tries + 1)
    if after.wrong_tries >= MAX_WRONG_TRIES:
        return _shown("too_many_tries", after, context)
    return _shown(move.screen or screen.name, after, context, note=move.note)


def advance(state: State | None, text: str, context: Context) -> Step:
    """From the stored state, or from none, to the end of `text`.

    Without a state every input is taken from the first on: the session was dialled with
    inputs, or its state was lost. A text that holds nothing new is shown without effects.
    """
    if _is_too_long(text):
        return _too_long(state, context)
    typed = inputs(text)
    if state is None or (state.screen not in SCREENS and state.screen != START.screen):
        return _run(dial(context), typed, context)
    if state.hops >= len(typed):
        return replay(text, context)
    return _run(Step(state=state, page=_NO_PAGE), typed, context)


def replay(text: str, context: Context) -> Step:
    """The state and page that `text` leads to, without any effect."""
    if _is_too_long(text):
        return _too_long(None, context)
    return replace(_run(dial(context), inputs(text), context), effects=())


def refusal(reason: Refusal, language: Language) -> Page:
    """The page to give instead of the last one when its effect could not be carried out."""
    return page([Line(USSD.say(language, f"refused_{reason}"))], ends=True)


_NO_PAGE: Final = Page(text="", ends=False)


def _cleaned(entered: str) -> str:
    return entered.replace("¡", "@").strip().removesuffix("#")


def _is_too_long(text: str) -> bool:
    return len(text) > MAX_TEXT_CHARACTERS or text.count("*") >= MAX_HOPS


def _too_long(state: State | None, context: Context) -> Step:
    return _shown("too_long", state or dial(context).state, context)


def _run(current: Step, typed: tuple[str, ...], context: Context) -> Step:
    for hop in range(current.state.hops, len(typed)):
        if current.state.ended:
            break
        context = replace(context, earlier=typed[:hop])
        current = step(current.state, typed[hop], context)
    if current.page is _NO_PAGE:
        return replay("*".join(typed), context)
    return current


def _moved(screen: Screen, state: State, entered: str, context: Context) -> Move:
    option = screen.options.get(entered)
    if option is not None and option.is_open_to(state):
        language = option.language or state.language
        return Go(option.screen, replace(state, language=language), option.note)
    if screen.read is not None:
        return screen.read(state, entered, context)
    return Wrong("wrong_choice")


def _shown(name: str, state: State, context: Context, *, note: str = "") -> Step:
    screen = SCREENS[name]
    while other := screen.divert(state, context):
        screen = SCREENS[other]
        note = note if note in screen.notes else ""
    state = replace(state, screen=screen.name, ended=screen.ends)
    return Step(
        state=state,
        page=_page(screen, state, context, note=note),
        effects=screen.effects(state, context),
    )


def _page(screen: Screen, state: State, context: Context, *, note: str = "") -> Page:
    return page(lines_of(screen, state, context, note=note), ends=screen.ends)
