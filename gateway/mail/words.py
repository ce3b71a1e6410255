"""What each kind of letter says. Called with the letter's language active."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from gateway.mail import figures

Params = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """A letter's subject, paragraphs, figures (name and value) and what to open (words, URL)."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    link: tuple[str, str] | None = None


def login_link(*, token: str) -> Words:
    """The only letter with a secret: its token is made for this one sending."""
    return Words(
        subject=_("Your link to log in"),
        paragraphs=(
            _("Open this page and press the button on it to see your gifts."),
            _("The link is good once, and for 30 minutes."),
            _("You did not ask for it? Then do nothing: nobody gets in without this letter."),
        ),
        link=(_("Log in"), url("donors:link", token)),
    )


def url(name: str, *arguments: Any) -> str:
    """The full address of a page of ours."""
    return settings.PUBLIC_URL + reverse(name, args=arguments)


def _donation_received(told: Params) -> Words:
    return Words(
        subject=_("Receipt %(number)s: your gift to %(site)s")
        % {"number": told["number"], "site": told["site_name"]},
        paragraphs=(
            _("Thank you. Your gift has arrived, and the receipt hangs on this letter."),
            _(
                "It is a gift without return: no loan, no deposit and no investment. From now on "
                "impact tokens show what the sun does with it."
            ),
            _("Log in with this e-mail address to see them."),
        ),
        facts=(
            (_("Receipt number"), told["number"]),
            (_("You paid"), figures.amount(told["amount"], currency=told["currency"])),
            (_("Counted as"), figures.dai(told["amount_wei"])),
            (_("For"), told["site_name"]),
            (_("Paid at"), figures.instant(told["paid_at"])),
            (_("Reference of the payment"), told["reference"]),
        ),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _donation_given_back(told: Params) -> Words:
    money = figures.amount(told["amount"], currency=told["currency"])
    named = {"amount": money, "site": told["site_name"]}
    if told["reason"] == "refund":
        said = _("%(amount)s of your gift to %(site)s is on its way to the source that paid it.")
    else:
        said = _("%(amount)s of your gift to %(site)s was taken back through your bank.")
    return Words(
        subject=_("%(amount)s of your gift to %(site)s went back") % named,
        paragraphs=(
            said % named,
            _("It counts no more, nor do the tokens that had not vested yet."),
        ),
        facts=(
            (_("Credit letter"), told["number"]),
            (_("Takes back"), told["of_number"]),
            (_("Given back"), money),
            (_("Counted as"), figures.dai(told["amount_wei"])),
            (_("Still counts"), figures.dai(told["left_wei"])),
            (_("Taken back at"), figures.instant(told["taken_at"])),
            (_("Reference of the payment"), told["reference"]),
        ),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _donation_counts_again(told: Params) -> Words:
    money = figures.amount(told["amount"], currency=told["currency"])
    named = {"amount": money, "site": told["site_name"]}
    return Words(
        subject=_("%(amount)s of your gift to %(site)s counts again") % named,
        paragraphs=(
            _("What had been taken back came to the site after all. Thank you."),
            _("The credit letter is void, and the receipt holds again."),
        ),
        facts=(
            (_("Receipt number"), told["of_number"]),
            (_("Void credit letter"), told["void_number"]),
            (_("Counts again"), money),
        ),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _campaign_failed(told: Params) -> Words:
    return Words(
        subject=_("%(site)s did not reach its goal: your money comes back")
        % {"site": told["site_name"]},
        paragraphs=(
            _("The campaign “%(title)s” is over and its goal was missed.")
            % {"title": _title(told)},
            _(
                "Everything you gave to it goes back to the source that paid. A letter tells you "
                "when it has left; a bank may take some days more."
            ),
        ),
        facts=_campaign_facts(told),
        link=_site_link(told),
    )


def _campaign_succeeded(told: Params) -> Words:
    return Words(
        subject=_("%(site)s reached its goal") % {"site": told["site_name"]},
        paragraphs=(
            _("The campaign “%(title)s” has what it needs. Thank you.") % {"title": _title(told)},
            _("The page of the site shows every step, from ordered to commissioned."),
        ),
        facts=_campaign_facts(told),
        link=_site_link(told),
    )


def _plan_started(told: Params) -> Words:
    return Words(
        subject=_("Your monthly gift to %(site)s has begun") % {"site": told["site_name"]},
        paragraphs=(
            _("Each month's payment gets a receipt of its own. You can end it whenever you like."),
        ),
        facts=_plan_facts(told),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _plan_failed(told: Params) -> Words:
    return Words(
        subject=_("This month's gift to %(site)s was not paid") % {"site": told["site_name"]},
        paragraphs=(
            _("Your card did not pay it. It is tried again in some days; nothing else changes."),
            _("Is the card an old one? Then end this gift and begin a new one with the new card."),
        ),
        facts=_plan_facts(told),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _plan_ended(told: Params) -> Words:
    return Words(
        subject=_("Your monthly gift to %(site)s has ended") % {"site": told["site_name"]},
        paragraphs=(_("Nothing more is taken. What you gave keeps earning. Thank you."),),
        facts=_plan_facts(told),
        link=(_("Your gifts"), url("wallet:donor")),
    )


def _round_opened(told: Params) -> Words:
    return Words(
        subject=_("%(site)s votes: say what its grants are for") % {"site": told["site_name"]},
        paragraphs=(
            _("Round %(number)d, “%(title)s”, is open until %(day)s.")
            % {
                "number": told["number"],
                "title": _title(told),
                "day": figures.day(told["day"]),
            },
            _("Whoever gave to the site has a vote. Log in with this e-mail address, or sign."),
        ),
        link=(_("Vote"), url("voting:vote", told["round"])),
    )


def _round_counted(told: Params) -> Words:
    titles = told["titles_fr"] if get_language() == "fr" else told["titles"]
    named = {"number": told["number"], "title": _title(told)}
    funded = [f"– {title}" for title in titles] or [_("Nothing was funded.")]
    return Words(
        subject=_("%(site)s has voted") % {"site": told["site_name"]},
        paragraphs=(
            _("Round %(number)d, “%(title)s”, was counted. It funds:") % named
            if titles
            else _("Round %(number)d, “%(title)s”, was counted.") % named,
            *funded,
            _("Anybody can count it again: the page shows how."),
        ),
        link=(_("The result"), url("voting:round", told["site"], told["number"])),
    )


def _campaign_facts(told: Params) -> tuple[tuple[str, str], ...]:
    return (
        (_("Goal"), figures.dai(told["goal_wei"])),
        (_("Raised"), figures.dai(told["raised_wei"])),
    )


def _plan_facts(told: Params) -> tuple[tuple[str, str], ...]:
    money = figures.minor(told["amount_minor"], currency=told["currency"])
    return ((_("Every month"), money), (_("For"), told["site_name"]))


def _site_link(told: Params) -> tuple[str, str]:
    return told["site_name"], url("dashboard:site", told["site"])


def _title(told: Params) -> str:
    french = told["title_fr"] if get_language() == "fr" else ""
    return str(french or told["title"])


WORDS: dict[str, Callable[[Params], Words]] = {
    "donation_received": _donation_received,
    "donation_given_back": _donation_given_back,
    "donation_counts_again": _donation_counts_again,
    "campaign_failed": _campaign_failed,
    "campaign_succeeded": _campaign_succeeded,
    "plan_started": _plan_started,
    "plan_failed": _plan_failed,
    "plan_ended": _plan_ended,
    "round_opened": _round_opened,
    "round_counted": _round_counted,
}
