"""Cash: an agent types whose account, how much, confirms, and types the PIN.

The account code alone decides whose the money is, whatever household the phone belongs to.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.texts import numbers
from gateway.texts.amounts import whole_units
from gateway.texts.fit import Line
from gateway.texts.languages import Language
from gateway.texts.ussd import USSD
from gateway.ussd.effects import Effect, TakeCash
from gateway.ussd.facts import Context
from gateway.ussd.page import Page, page
from gateway.ussd.screen import Go, Move, Option, Screen, Wrong
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State

_PIN: Final = re.compile(r"[0-9]{4}")


def booked(
    *,
    language: Language,
    code: str,
    amount_minor: int,
    currency: str,
    reference: str,
    left_minor: int,
) -> Page:
    """The receipt: what was booked for whom, and what the float holds now."""
    amount, left = (
        numbers.money(minor, currency, language=language, exact=True)
        for minor in (amount_minor, left_minor)
    )
    return page(
        [
            Line(USSD.say(language, "cash_booked", amount=amount, code=code, reference=reference)),
            Line(USSD.say(language, "agent_float", left=left), rank=1),
        ],
        ends=True,
    )


def float_too_small(*, language: Language, currency: str, left_minor: int) -> Page:
    """Somebody else took from the same float meanwhile."""
    left = numbers.money(left_minor, currency, language=language, exact=True)
    return page([Line(USSD.say(language, "cash_float_gone", left=left))], ends=True)


def _money(state: State, context: Context) -> Mapping[str, str]:
    agent = context.facts.agent()

    def told(minor: int, *, exact: bool = False) -> str:
        return numbers.money(minor, agent.currency, language=state.language, exact=exact)

    return {
        "least": told(agent.min_cash_minor),
        "most": told(agent.max_cash_minor),
        "left": told(agent.float_minor, exact=True),
    }


def _closed(state: State, context: Context) -> str:
    return "" if context.facts.agent().is_open else "cash_closed"


def _show_float(state: State, context: Context) -> Sequence[Line]:
    left = _money(state, context)["left"]
    return [Line(USSD.say(state.language, "agent_float", left=left))]


def _read_code(state: State, entered: str, context: Context) -> Move:
    code = context.facts.cash_household(entered)
    if not code:
        return Wrong("cash_no_account")
    return Go("cash_amount", replace(state, payee_code=code))


def _show_amount(state: State, context: Context) -> Sequence[Line]:
    limits = _money(state, context)
    told = USSD.say(
        state.language,
        "cash_amount",
        code=state.payee_code,
        least=limits["least"],
        most=limits["most"],
    )
    return [Line(told)]


def _read_amount(state: State, entered: str, context: Context) -> Move:
    units = whole_units(entered)
    if units is None:
        return Wrong("amount_not_number")
    agent = context.facts.agent()
    amount_minor = units * 10 ** numbers.exponent(agent.currency)
    if amount_minor < max(agent.min_cash_minor, 1):
        return Wrong("amount_too_small")
    if amount_minor > agent.max_cash_minor:
        return Wrong("amount_too_large")
    if context.facts.float_after(amount_minor) < 0:
        return Wrong("cash_float_small")
    return Go("cash_confirm", replace(state, amount_minor=amount_minor, currency=agent.currency))


def _amount(state: State) -> str:
    return numbers.money(state.amount_minor, state.currency, language=state.language)


def _show_confirm(state: State, context: Context) -> Sequence[Line]:
    language, amount = state.language, _amount(state)
    after_minor = max(context.facts.float_after(state.amount_minor), 0)
    left = numbers.money(after_minor, state.currency, language=language, exact=True)
    return [
        Line(USSD.say(language, "cash_confirm", amount=amount, code=state.payee_code)),
        Line(USSD.say(language, "cash_float_after", left=left)),
        Line(USSD.say(language, "cash_choices")),
    ]


def _show_pin(state: State, context: Context) -> Sequence[Line]:
    told = USSD.say(state.language, "cash_pin", amount=_amount(state), code=state.payee_code)
    return [Line(told)]


def _read_pin(state: State, entered: str, context: Context) -> Move:
    if not _PIN.fullmatch(entered):
        return Wrong("pin_not_four")
    return Go("cash_sent", replace(state, agent_pin_hop=state.hops))


def _show_sent(state: State, context: Context) -> Sequence[Line]:
    return [Line(USSD.say(state.language, "cash_sent", code=state.payee_code))]


def _take_cash(state: State, context: Context) -> tuple[Effect, ...]:
    pin = context.typed_at(state.agent_pin_hop)
    if pin is None:
        raise ValueError("cash is taken only with the PIN in the text of the session")
    return (
        TakeCash(
            household_code=state.payee_code,
            amount_minor=state.amount_minor,
            currency=state.currency,
            language=state.language,
            pin=pin,
        ),
    )


SCREENS = (
    Screen(name="agent_float", show=_show_float, ends=True),
    Screen(
        name="cash_code",
        show=says("cash_code"),
        options={"0": Option("menu")},
        read=_read_code,
        leads_to=("cash_amount",),
        divert=_closed,
        diverts_to=("cash_closed",),
        notes=("cash_no_account",),
        takes_code=True,
    ),
    Screen(
        name="cash_amount",
        show=_show_amount,
        read=_read_amount,
        leads_to=("cash_confirm",),
        notes=("amount_not_number", "amount_too_small", "amount_too_large", "cash_float_small"),
        note_values=_money,
        takes_amount=True,
    ),
    Screen(
        name="cash_confirm",
        show=_show_confirm,
        options={
            "1": Option("cash_pin"),
            "0": Option("menu", note="cancelled"),
        },
        notes=("wrong_choice",),
    ),
    Screen(
        name="cash_pin",
        show=_show_pin,
        options={"0": Option("menu", note="cancelled")},
        read=_read_pin,
        leads_to=("cash_sent",),
        notes=("pin_not_four",),
        is_secret=True,
    ),
    Screen(name="cash_sent", show=_show_sent, effects=_take_cash, ends=True),
    Screen(name="cash_closed", show=says("cash_closed"), ends=True),
)
