"""What the pages say when something is refused, by its code."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

_ANEW = _("This message is not for this page. Begin again.")
REFUSALS = {
    "malformed": _("The message or the signature is incomplete. Copy both as they are."),
    "domain": _ANEW,
    "uri": _ANEW,
    "purpose": _ANEW,
    "nonce": _ANEW,
    "chain": _("This message is for another chain. Begin again."),
    "used": _("This message was used already. Begin again."),
    "expired": _("This message is older than 15 minutes. Begin again."),
    "not_yet": _("This message is not valid yet. Begin again."),
    "address": _(
        "This is no wallet address, or it is mistyped. It begins with 0x and has 42 characters."
    ),
    "signature": _("This wallet did not sign the message."),
    "no_answer": _("The wallet's contract could not be asked. Begin again later."),
    "has_one": _("A wallet is linked already. Sign in with it to link another one."),
    "same": _("This wallet is linked already."),
    "too_many": _(
        "This household asked for a new wallet three times this week. Wait, or ask the operator."
    ),
    "too_often": _("That was too often. Wait a minute."),
    "nothing": _("There is nothing to claim now."),
    "no_wallet": _(
        "No wallet is in the active epoch yet. A wallet counts from the epoch after it was linked."
    ),
    "no_epoch": _("No epoch is active yet."),
    "reverted": _("The contract refused this claim. Try again after the next epoch."),
    "busy": _("Too many claims are on their way. Try again in some minutes."),
    "card_nothing": _("Your gifts stand for less than one kWh so far. Make a card later."),
    "card_too_many": _("Five cards are there already. Take one back first."),
    "card_site": _("None of your gifts went to this site."),
    "away": _("This cannot be taken on right now. Try again in some minutes."),
}


def refusal(code: str) -> str:
    """Return what to say to a person."""
    return str(REFUSALS.get(code, REFUSALS["malformed"]))
