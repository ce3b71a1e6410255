"""The messages of votes, from their parameters; part of gateway.sms.texts."""

from collections.abc import Callable
from typing import Any, Final

from gateway.sms.params import (
    ProjectNews,
    ProposalMade,
    RoundCancelled,
    RoundCounted,
    RoundOpened,
    VoteHow,
    VoteReceived,
)
from gateway.sms.voice import TWO_PARTS_SEPTETS, Voice
from gateway.texts.fit import Line
from gateway.texts.sms import SMS

_SHORT_TITLE_CHARACTERS: Final = 12


def _round_opened(voice: Voice, params: RoundOpened) -> list[Line]:
    _, month, day = params["day"].split("-")
    number = params["round_number"]
    lines = [
        voice.line("round_opened", number=number, title=voice.title(params), day=f"{day}/{month}")
    ]
    if ussd_code := params.get("ussd_code"):
        lines.append(voice.line("round_dial", rank=1, ussd_code=ussd_code))
    return [*lines, voice.line("round_sms", rank=2, number=number)]


def _round_counted(voice: Voice, params: RoundCounted) -> list[Line]:
    number = params["round_number"]
    titles = params["titles_fr" if voice.language == "fr" else "titles"]
    if not titles:
        return [voice.line("round_nothing", number=number)]
    short = ", ".join(title[:_SHORT_TITLE_CHARACTERS].rstrip() for title in titles)
    full = SMS.say(voice.language, "round_counted", number=number, titles=", ".join(titles))
    shortened = SMS.say(voice.language, "round_counted", number=number, titles=short)
    return [Line(full, rank=1, short=shortened)]


def _round_cancelled(voice: Voice, params: RoundCancelled) -> list[Line]:
    news = _ended(params["news"])
    return [voice.line("round_cancelled", number=params["round_number"], news=news)]


def _vote_received(key: str) -> Callable[[Voice, VoteReceived], list[Line]]:
    def lines(voice: Voice, params: VoteReceived) -> list[Line]:
        return [
            voice.line(
                key,
                code=params["household_code"],
                number=params["round_number"],
                receipt=params["receipt_code"],
            ),
            voice.line("vote_stays", rank=1),
        ]

    return lines


def _vote_how(voice: Voice, params: VoteHow) -> list[Line]:
    projects = params["projects"]
    full = ", ".join(f"{each['number']} {voice.title(each)}" for each in projects)
    short = ", ".join(
        f"{each['number']} {voice.title(each)[:_SHORT_TITLE_CHARACTERS].rstrip()}"
        for each in projects
    )
    number = params["round_number"]
    told = [
        SMS.say(voice.language, "vote_how", number=number, projects=listed)
        for listed in (full, short)
    ]
    return [
        Line(told[0], rank=1, short=told[1]),
        voice.line("vote_send", number=number, example=projects[0]["number"]),
    ]


def _news(key: str) -> Callable[[Voice, ProjectNews], list[Line]]:
    def lines(voice: Voice, params: ProjectNews) -> list[Line]:
        title, number = voice.title(params), params["round_number"]
        return [voice.line(key, number=number, title=title, news=_ended(params["news"]))]

    return lines


def _ended(news: str) -> str:
    """What a person wrote, with a full stop at its end."""
    return news if news.endswith((".", "!", "?")) else f"{news.rstrip()}."


def _proposal_made(voice: Voice, params: ProposalMade) -> list[Line]:
    made = voice.line("proposal_made", code=params["household_code"], title=params["title"])
    return [made, voice.line("proposal_stranger", rank=1)]


VOTE_KINDS: Final[dict[str, Callable[[Voice, Any], list[Line]]]] = {
    "round_opened": _round_opened,
    "round_counted": _round_counted,
    "round_cancelled": _round_cancelled,
    "vote_received": _vote_received("vote_received"),
    "vote_again": _vote_received("vote_again"),
    "vote_how": _vote_how,
    "project_news": _news("project_news"),
    "project_vetoed": _news("project_vetoed"),
    "proposal_made": _proposal_made,
}

VOTE_LIMITS: Final = dict.fromkeys(
    ("round_counted", "round_cancelled", "vote_how", "project_news", "project_vetoed"),
    TWO_PARTS_SEPTETS,
)
