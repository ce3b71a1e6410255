"""What the pages say of votes, by code."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

REFUSALS = {
    "closed": _("This round takes no votes now."),
    "not_of_site": _("Only households of the site and donors who gave to it can do that."),
    "nothing_chosen": _("Choose one project or more."),
    "no_project": _("One of these projects is not on the ballot."),
    "nonce": _("This was asked for another vote. Choose again."),
    "expired": _("What you signed is older than 15 minutes. Choose again."),
    "malformed": _(
        "This is no signature. Copy all of it: it begins with 0x and has 132 characters."
    ),
    "signature": _(
        "No donor of this site has linked the wallet that signed. Sign with the wallet that you"
        " linked, and exactly what is shown."
    ),
    "not_now": _("No round takes proposals now."),
    "too_many": _("Two of your proposals wait already. Wait until the operator has read them."),
    "too_dear": _("That is more than the round has to give."),
    "too_often": _("That was too often. Wait a minute."),
}

STATES = {
    "draft": _("proposals are collected"),
    "open": _("open"),
    "counted": _("counted"),
    "cancelled": _("ended without a count"),
}
PROJECT_STATES = {
    "admitted": _("on the ballot"),
    "refused": _("not put to the vote"),
    "funded": _("funded"),
    "not_funded": _("not funded"),
    "vetoed": _("vetoed after the vote"),
}
REASONS = {
    "equal_shares": _("paid for by its supporters' shares"),
    "completion": _("by most votes, out of what the shares left"),
    "most_votes": _("by most votes"),
    "too_few_households": _("too few of the voting households"),
    "no_money_left": _("not enough money for it"),
}
METHODS = {
    "equal_shares": _("Method of Equal Shares, completed by most votes"),
    "most_votes": _("most votes"),
}
WEIGHTS = {
    "one": _("one vote each"),
    "tokens": _("by earned impact tokens"),
    "root": _("by the square root of earned impact tokens"),
}
HOUSES = {"households": _("household"), "donors": _("donor")}


def refusal(code: str) -> str:
    """Return what to say to a person."""
    return str(REFUSALS.get(code, REFUSALS["closed"]))
