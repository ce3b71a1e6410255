"""Voting: the projects of the open round, one digit for each that is chosen, then the PIN."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from gateway.texts import numbers
from gateway.texts.fit import Line
from gateway.texts.languages import Language
from gateway.texts.ussd import USSD
from gateway.ussd.effects import CastVote, Effect
from gateway.ussd.facts import Context, ProjectFacts, VoteFacts
from gateway.ussd.page import Page, page
from gateway.ussd.screen import Go, Move, Option, Screen, Wrong
from gateway.ussd.screens.menus import says
from gateway.ussd.state import State

PROJECTS_PER_PAGE: Final = 4
_TITLE_CHARACTERS: Final = 18
_SHORT_TITLE_CHARACTERS: Final = 8
_CHOICES: Final = re.compile(r"[1-8]([ ,.+]*[1-8])*")
_PIN: Final = re.compile(r"[0-9]{4}")


def taken(*, language: Language, code: str, round_number: int, receipt_code: str) -> Page:
    """The receipt: the same whenever the household asks or votes again."""
    return page(
        [
            Line(
                USSD.say(
                    language, "vote_done", code=code, number=round_number, receipt=receipt_code
                )
            )
        ],
        ends=True,
    )


def _open(context: Context, state: State) -> VoteFacts:
    found = context.facts.vote(state.household_code)
    if found is None:
        raise LookupError("these screens are shown only while a vote is open")
    return found


def _divert(state: State, context: Context) -> str:
    found = context.facts.vote(state.household_code)
    if found is None:
        return "vote_closed"
    return "vote_done" if found.receipt_code else ""


def _show_projects(state: State, context: Context) -> Sequence[Line]:
    language, found = state.language, _open(context, state)
    first = state.projects_page * PROJECTS_PER_PAGE
    lines = [Line(USSD.say(language, "vote", number=found.round_number), rank=1)]
    for project in found.projects[first : first + PROJECTS_PER_PAGE]:
        short = f"{project.number} {project.title_in(language)[:_TITLE_CHARACTERS].rstrip()}"
        lines.append(Line(_told(project, found, language), rank=2, short=short))
    has_more = len(found.projects) > PROJECTS_PER_PAGE
    lines.append(Line(USSD.say(language, "vote_more" if has_more else "vote_back")))
    return lines


def _told(project: ProjectFacts, found: VoteFacts, language: Language) -> str:
    title = project.title_in(language)
    if project.cost_minor is None:
        return f"{project.number} {title}"
    cost = numbers.money(project.cost_minor, found.currency, language=language)
    return USSD.say(language, "vote_project", number=project.number, title=title, cost=cost)


def _read_choices(state: State, entered: str, context: Context) -> Move:
    found = _open(context, state)
    if entered == "9" and len(found.projects) > PROJECTS_PER_PAGE:
        pages = -(-len(found.projects) // PROJECTS_PER_PAGE)
        return Go("vote", replace(state, projects_page=(state.projects_page + 1) % pages))
    chosen = {digit for digit in entered if digit.isdigit()}
    known = {str(project.number) for project in found.projects}
    if not _CHOICES.fullmatch(entered) or not chosen <= known:
        return Wrong("vote_no_project")
    after = replace(state, round_number=found.round_number, choices="".join(sorted(chosen)))
    return Go("vote_pin", after)


def _show_pin(state: State, context: Context) -> Sequence[Line]:
    language, found = state.language, _open(context, state)
    lines = [Line(USSD.say(language, "vote_pin"), rank=1)]
    for project in found.projects:
        if str(project.number) in state.choices:
            title = project.title_in(language)
            short = f"{project.number} {title[:_SHORT_TITLE_CHARACTERS].rstrip()}"
            lines.append(Line(f"{project.number} {title}", rank=2, short=short))
    lines.append(Line(USSD.say(language, "vote_pin_type")))
    return lines


def _read_pin(state: State, entered: str, context: Context) -> Move:
    if not _PIN.fullmatch(entered):
        return Wrong("pin_not_four")
    return Go("vote_sent", replace(state, vote_pin_hop=state.hops))


def _cast_vote(state: State, context: Context) -> tuple[Effect, ...]:
    pin = context.typed_at(state.vote_pin_hop)
    if pin is None:
        raise ValueError("a vote is cast only with the PIN in the text of the session")
    return (
        CastVote(
            household_code=state.household_code,
            round_number=state.round_number,
            numbers=tuple(int(digit) for digit in state.choices),
            language=state.language,
            pin=pin,
        ),
    )


def _show_done(state: State, context: Context) -> Sequence[Line]:
    found = _open(context, state)
    told = USSD.say(
        state.language,
        "vote_done",
        code=state.household_code,
        number=found.round_number,
        receipt=found.receipt_code,
    )
    return [Line(told)]


SCREENS = (
    Screen(
        name="vote",
        show=_show_projects,
        options={"0": Option("menu")},
        read=_read_choices,
        leads_to=("vote", "vote_pin"),
        divert=_divert,
        diverts_to=("vote_closed", "vote_done"),
        notes=("vote_no_project",),
    ),
    Screen(
        name="vote_pin",
        show=_show_pin,
        options={"0": Option("vote")},
        read=_read_pin,
        leads_to=("vote_sent",),
        divert=_divert,
        diverts_to=("vote_closed", "vote_done"),
        notes=("pin_not_four",),
        is_secret=True,
    ),
    Screen(name="vote_sent", show=says("vote_sent"), effects=_cast_vote, ends=True),
    Screen(name="vote_closed", show=says("vote_not_open"), ends=True),
    Screen(name="vote_done", show=_show_done, ends=True),
)
