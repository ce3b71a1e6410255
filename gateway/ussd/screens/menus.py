"""Who is calling, and the menus they choose from."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.texts.fit import Line
from gateway.texts.languages import language_of
from gateway.texts.ussd import USSD
from gateway.ussd.facts import Context, HouseholdFacts
from gateway.ussd.screen import Go, Move, Option, Screen, Show, Wrong
from gateway.ussd.state import State

ACCOUNTS_PER_PAGE = 6
_NAME_CHARACTERS = 8


def says(key: str) -> Show:
    """A screen that is one sentence of the catalogue without values."""

    def show(state: State, context: Context) -> Sequence[Line]:
        return [Line(USSD.say(state.language, key))]

    return show


def chosen(state: State, household: HouseholdFacts) -> State:
    """The state once it is clear which household is meant."""
    return replace(state, household_code=household.code, language=language_of(household.language))


def _show_unregistered(state: State, context: Context) -> Sequence[Line]:
    phone = context.facts.help_phone
    if phone is None:
        return [Line(USSD.say(state.language, "unregistered"))]
    return [Line(USSD.say(state.language, "unregistered_call", phone=phone))]


def _accounts_shown(state: State, context: Context) -> Sequence[HouseholdFacts]:
    first = state.accounts_page * ACCOUNTS_PER_PAGE
    return context.facts.households[first : first + ACCOUNTS_PER_PAGE]


def _show_accounts(state: State, context: Context) -> Sequence[Line]:
    lines = [Line(USSD.say(state.language, "accounts"))]
    for number, household in enumerate(_accounts_shown(state, context), start=1):
        numbered = f"{number} {household.code}"
        named = f"{numbered} {household.name[:_NAME_CHARACTERS]}".strip()
        lines.append(Line(named, rank=1, short=numbered))
    more = len(context.facts.households) > ACCOUNTS_PER_PAGE
    lines.append(Line(USSD.say(state.language, "accounts_more" if more else "accounts_exit")))
    return lines


def _read_account(state: State, entered: str, context: Context) -> Move:
    households = context.facts.households
    if entered == "9" and len(households) > ACCOUNTS_PER_PAGE:
        pages = -(-len(households) // ACCOUNTS_PER_PAGE)
        page = (state.accounts_page + 1) % pages
        return Go("accounts", replace(state, accounts_page=page))
    shown = _accounts_shown(state, context)
    if entered in {str(number) for number in range(1, len(shown) + 1)}:
        return Go("menu", chosen(state, shown[int(entered) - 1]))
    # The code itself is as good as its number.
    for household in households:
        if household.code.casefold() == entered.casefold():
            return Go("menu", chosen(state, household))
    return Wrong("wrong_choice")


def _show_menu(state: State, context: Context) -> Sequence[Line]:
    menu = Line(USSD.say(state.language, "menu_agent" if state.agent_code else "menu"))
    return [Line(state.household_code), menu] if state.shared_phone else [menu]


def _without_household(state: State, context: Context) -> str:
    """An agent whose phone no household has sees what agents can do, under the same digits."""
    return "" if state.household_code else "agent_menu"


def _show_my_account(state: State, context: Context) -> Sequence[Line]:
    key = "my_account_shared" if state.shared_phone else "my_account"
    return [Line(USSD.say(state.language, key))]


SCREENS = (
    Screen(name="unregistered", show=_show_unregistered, ends=True),
    Screen(
        name="accounts",
        show=_show_accounts,
        options={"0": Option("bye")},
        read=_read_account,
        leads_to=("menu", "accounts"),
        notes=("wrong_choice",),
    ),
    Screen(
        name="menu",
        show=_show_menu,
        options={
            "1": Option("balance"),
            "2": Option("usage"),
            "3": Option("top_up"),
            "4": Option("vote"),
            "5": Option("my_account"),
            "6": Option("cash_code", agent_only=True),
            "7": Option("agent_float", agent_only=True),
            "0": Option("bye"),
        },
        divert=_without_household,
        diverts_to=("agent_menu",),
        notes=("wrong_choice", "cancelled"),
    ),
    Screen(
        name="agent_menu",
        show=says("agent_menu"),
        options={
            "6": Option("cash_code"),
            "7": Option("agent_float"),
            "0": Option("bye"),
        },
        notes=("wrong_choice", "cancelled"),
    ),
    Screen(
        name="my_account",
        show=_show_my_account,
        options={
            "1": Option("languages"),
            "2": Option("pin_old"),
            "3": Option("payments"),
            "4": Option("paybill"),
            "5": Option("receipt"),
            "9": Option("accounts", shared_phone_only=True),
            "0": Option("menu"),
        },
        notes=("wrong_choice",),
    ),
    Screen(name="bye", show=says("bye"), ends=True),
    Screen(name="too_many_tries", show=says("too_many_tries"), ends=True),
    Screen(name="too_long", show=says("too_long"), ends=True),
)
