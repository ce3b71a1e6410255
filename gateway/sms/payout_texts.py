"""The messages to payees, from their parameters; part of gateway.sms.texts."""

from collections.abc import Callable
from typing import Any, Final

from gateway.sms.gsm import cut, to_gsm7
from gateway.sms.params import PayoutTold
from gateway.sms.voice import Voice
from gateway.texts import numbers
from gateway.texts.fit import Line

_SITE_NAME_SEPTETS: Final = 40


def _payout(key: str) -> Callable[[Voice, PayoutTold], list[Line]]:
    def lines(voice: Voice, params: PayoutTold) -> list[Line]:
        site = cut(to_gsm7(params["site_name"]), at_most_septets=_SITE_NAME_SEPTETS)
        told = [voice.line(key, site=site, amount=_amount(voice, params))]
        if receipt := params["receipt"]:
            told.append(voice.line("receipt_named", rank=1, receipt=receipt))
        return told

    return lines


def _amount(voice: Voice, params: PayoutTold) -> str:
    """Local money, or DAI where it was paid on chain."""
    minor = params["amount_minor"]
    if minor is None:
        return f"{numbers.dai(params['amount_wei'], language=voice.language)} DAI"
    return voice.paid(minor, params["currency"])


PAYOUT_KINDS: Final[dict[str, Callable[[Voice, Any], list[Line]]]] = {
    "payout_paid": _payout("payout_paid"),
    "payout_returned": _payout("payout_returned"),
}
