"""Changing the PIN. A PIN stands only in the text of the session, never in the state."""

import re
from dataclasses import replace
from typing import Final

from accounts.pins import is_weak
from gateway.ussd.effects import ChangePin, Effect
from gateway.ussd.facts import Context
from gateway.ussd.screen import Go, Move, Option, Screen, Wrong
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State

_PIN: Final = re.compile(r"[0-9]{4}")


def _read_old(state: State, entered: str, context: Context) -> Move:
    if not _PIN.fullmatch(entered):
        return Wrong("pin_not_four")
    return Go("pin_new", replace(state, old_pin_hop=state.hops))


def _read_new(state: State, entered: str, context: Context) -> Move:
    if not _PIN.fullmatch(entered):
        return Wrong("pin_not_four")
    if is_weak(entered):
        return Wrong("pin_weak")
    if entered == context.typed_at(state.old_pin_hop):
        return Wrong("pin_same")
    return Go("pin_again", replace(state, new_pin_hop=state.hops))


def _read_again(state: State, entered: str, context: Context) -> Move:
    if not _PIN.fullmatch(entered) or entered != context.typed_at(state.new_pin_hop):
        return Wrong("pin_mismatch", screen="pin_new")
    if context.typed_at(state.old_pin_hop) is None:
        return Wrong("pin_mismatch", screen="pin_new")
    return Go("pin_changed", state)


def _change_pin(state: State, context: Context) -> tuple[Effect, ...]:
    old_pin = context.typed_at(state.old_pin_hop)
    new_pin = context.typed_at(state.new_pin_hop)
    if old_pin is None or new_pin is None:
        raise ValueError("a PIN changes only with both PINs in the text of the session")
    return (ChangePin(household_code=state.household_code, old_pin=old_pin, new_pin=new_pin),)


SCREENS = (
    Screen(
        name="pin_old",
        show=says("pin_old"),
        options={"0": Option("my_account")},
        read=_read_old,
        leads_to=("pin_new",),
        notes=("pin_not_four",),
        is_secret=True,
    ),
    Screen(
        name="pin_new",
        show=says("pin_new"),
        options={"0": Option("my_account")},
        read=_read_new,
        leads_to=("pin_again",),
        notes=("pin_not_four", "pin_weak", "pin_same", "pin_mismatch"),
        is_secret=True,
    ),
    Screen(
        name="pin_again",
        show=says("pin_again"),
        options={"0": Option("my_account")},
        read=_read_again,
        leads_to=("pin_changed", "pin_new"),
        is_secret=True,
    ),
    Screen(name="pin_changed", show=says("pin_changed"), effects=_change_pin, ends=True),
)
