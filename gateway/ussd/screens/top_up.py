"""Paying: amount, confirmation, and the prompt that the provider then sends."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gateway.texts import numbers
from gateway.texts.amounts import whole_units
from gateway.texts.fit import Line
from gateway.texts.ussd import USSD
from gateway.ussd.effects import Effect, StartTopUp
from gateway.ussd.facts import Context
from gateway.ussd.screen import Go, Move, Option, Screen, Wrong
from gateway.ussd.screens.account import paybill_line
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State


def _limits(state: State, context: Context) -> Mapping[str, str]:
    account = context.facts.account(state.household_code)
    return {
        "least": numbers.money(account.min_top_up_minor, account.currency, language=state.language),
        "most": numbers.money(account.max_top_up_minor, account.currency, language=state.language),
    }


def _divert(state: State, context: Context) -> str:
    account = context.facts.account(state.household_code)
    if account.site_closed:
        return "site_closed"
    return "" if account.rail_available else "no_prompts"


def _show_amount(state: State, context: Context) -> Sequence[Line]:
    limits = _limits(state, context)
    return [Line(USSD.say(state.language, "top_up", code=state.household_code, **limits))]


def _read_amount(state: State, entered: str, context: Context) -> Move:
    units = whole_units(entered)
    if units is None:
        return Wrong("amount_not_number")
    account = context.facts.account(state.household_code)
    amount_minor = units * 10 ** numbers.exponent(account.currency)
    if amount_minor < max(account.min_top_up_minor, 1):
        return Wrong("amount_too_small")
    if amount_minor > account.max_top_up_minor:
        return Wrong("amount_too_large")
    return Go(
        "top_up_confirm",
        replace(state, amount_minor=amount_minor, currency=account.currency),
    )


def _show_confirm(state: State, context: Context) -> Sequence[Line]:
    language = state.language
    amount = numbers.money(state.amount_minor, state.currency, language=language)
    lines = [Line(USSD.say(language, "confirm", amount=amount, code=state.household_code))]
    to_arrears_minor = context.facts.account(state.household_code).arrears_part_minor(
        state.amount_minor
    )
    if to_arrears_minor > 0:
        arrears = numbers.money(to_arrears_minor, state.currency, language=language)
        lines.append(Line(USSD.say(language, "confirm_arrears", arrears=arrears)))
    lines.append(Line(USSD.say(language, "confirm_choices")))
    return lines


def _show_prompt_sent(state: State, context: Context) -> Sequence[Line]:
    amount = numbers.money(state.amount_minor, state.currency, language=state.language)
    return [Line(USSD.say(state.language, "prompt_sent", amount=amount))]


def _start_top_up(state: State, context: Context) -> tuple[Effect, ...]:
    return (
        StartTopUp(
            household_code=state.household_code,
            amount_minor=state.amount_minor,
            currency=state.currency,
        ),
    )


def _show_no_prompts(state: State, context: Context) -> Sequence[Line]:
    account = context.facts.account(state.household_code)
    return [
        Line(USSD.say(state.language, "no_prompts"), rank=1),
        Line(paybill_line(state.language, account)),
    ]


SCREENS = (
    Screen(
        name="top_up",
        show=_show_amount,
        read=_read_amount,
        leads_to=("top_up_confirm",),
        divert=_divert,
        diverts_to=("site_closed", "no_prompts"),
        notes=("amount_not_number", "amount_too_small", "amount_too_large"),
        note_values=_limits,
        takes_amount=True,
    ),
    Screen(
        name="top_up_confirm",
        show=_show_confirm,
        options={
            "1": Option("top_up_sent"),
            "0": Option("menu", note="cancelled"),
        },
        notes=("wrong_choice",),
    ),
    Screen(name="top_up_sent", show=_show_prompt_sent, effects=_start_top_up, ends=True),
    Screen(name="no_prompts", show=_show_no_prompts, ends=True),
    Screen(name="site_closed", show=says("site_closed"), ends=True),
)
