"""The cards and bank accounts that test mode knows (docs.stripe.com/testing), and what they do."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Decline:
    """Why a payment is refused: error code, the issuer's reason, and what the payer reads."""

    code: str
    decline_code: str | None
    message: str
    advice: str = "try_again_later"


@dataclass(frozen=True, slots=True)
class Means:
    """Something to pay with, and how it behaves.

    kind: `card`, `sepa_debit` or `us_bank_account`; the last two are told of later, after
    `delay_seconds` (None: never by itself). dispute: reason of the dispute that follows a
    successful payment; inquiry: it asks first and withdraws nothing. refunds: `succeed`,
    `pend` (succeed later) or `fail` (seem to succeed, fail later).
    """

    number: str
    kind: str = "card"
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: Decline | None = None
    dispute: str | None = None
    inquiry: bool = False
    refunds: str = "succeed"
    available_at_once: bool = False
    delay_seconds: float | None = 0.0

    @property
    def last4(self) -> str:
        """The digits a payer recognises it by."""
        return self.number[-4:]


GENERIC = Decline("card_declined", "generic_decline", "Your card was declined.")
INSUFFICIENT = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.", "do_not_try_again")
INCORRECT_CVC = Decline(
    "incorrect_cvc",
    "incorrect_cvc",
    "Your card's security code is incorrect.",
    "confirm_card_data",
)
INCORRECT_NUMBER = Decline(
    "incorrect_number", None, "Your card number is incorrect.", "confirm_card_data"
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. For"
    " a list of valid test cards, visit: https://stripe.com/docs/testing.",
)

_CARDS = (
    Means("4242424242424242"),
    Means("4000056655665556", funding="debit"),
    Means("5555555555554444", brand="mastercard"),
    Means("378282246310005", brand="amex"),
    Means("4000008260000000", country="GB"),
    Means("4000000000000002", decline=GENERIC),
    Means("4000000000009995", decline=INSUFFICIENT),
    Means("4000000000009987", decline=Decline("card_declined", "lost_card", GENERIC.message)),
    Means("4000000000009979", decline=Decline("card_declined", "stolen_card", GENERIC.message)),
    Means("4000000000000069", decline=EXPIRED),
    Means("4000000000000127", decline=INCORRECT_CVC),
    # Can be kept for later, and refuses every charge: for months of a subscription that fail.
    Means("4000000000000341", decline=GENERIC),
    Means(
        "4000000000000119",
        decline=Decline(
            "processing_error",
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        ),
    ),
    Means("4000000000000259", dispute="fraudulent"),
    Means("4000000000002685", dispute="product_not_received"),
    Means("4000000000001976", dispute="product_not_received", inquiry=True),
    Means("4000000000007726", refunds="pend"),
    Means("4000000000005126", refunds="fail"),
    Means("4000000000000077", available_at_once=True),
)
_SOON, _LATER = 2.0, 180.0


def _refused(code: str, message: str) -> Decline:
    return Decline(code, None, message)


_NO_MONEY = "The customer's account has insufficient funds to cover this payment."
_ACCOUNTS = (
    Means("AT611904300234573201", kind="sepa_debit", country="AT", delay_seconds=_SOON),
    Means("AT321904300235473204", kind="sepa_debit", country="AT", delay_seconds=_LATER),
    Means(
        "AT861904300235473202",
        kind="sepa_debit",
        country="AT",
        delay_seconds=_SOON,
        decline=_refused("generic_decline", "The debit was refused by the customer's bank."),
    ),
    Means(
        "AT051904300235473205",
        kind="sepa_debit",
        country="AT",
        delay_seconds=_LATER,
        decline=_refused("generic_decline", "The debit was refused by the customer's bank."),
    ),
    Means(
        "AT591904300235473203",
        kind="sepa_debit",
        country="AT",
        delay_seconds=_SOON,
        dispute="bank_cannot_process",
    ),
    Means("000123456789", kind="us_bank_account", delay_seconds=_SOON),
    Means("000000000009", kind="us_bank_account", delay_seconds=None),
    Means(
        "000111111113",
        kind="us_bank_account",
        delay_seconds=_SOON,
        decline=_refused("account_closed", "The customer's bank account has been closed."),
    ),
    Means(
        "000111111116",
        kind="us_bank_account",
        delay_seconds=_SOON,
        decline=_refused("no_account", "The customer's bank account could not be located."),
    ),
    Means(
        "000222222227",
        kind="us_bank_account",
        delay_seconds=_SOON,
        decline=_refused("insufficient_funds", _NO_MONEY),
    ),
    Means(
        "000333333335",
        kind="us_bank_account",
        delay_seconds=_SOON,
        decline=_refused("debit_not_authorized", "The customer has not authorized this debit."),
    ),
)
KNOWN = {means.number: means for means in (*_CARDS, *_ACCOUNTS)}
# Currency -> kind of bank account that pays in it.
BANK_CURRENCIES = {"eur": "sepa_debit", "usd": "us_bank_account"}
# Payment methods that exist in every test account.
PAYMENT_METHODS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_createDisputeProductNotReceived": "4000000000002685",
    "pm_card_createDisputeInquiry": "4000000000001976",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_bypassPending": "4000000000000077",
}


def card(number: str) -> Means:
    """The card with this number, spaces and dashes aside; unknown ones are declined."""
    digits = re.sub(r"[\s-]", "", number)
    means = KNOWN.get(digits)
    if means is not None and means.kind == "card":
        return means
    if not digits.isascii() or not digits.isdigit() or not _luhn(digits):
        return Means(f"{0:012}{digits[-4:]}", decline=INCORRECT_NUMBER)
    # Perhaps somebody's own: no more of it is kept than a receipt shows.
    return Means(f"{0:012}{digits[-4:]}", decline=LIVE_CARD)


def account(number: str, *, currency: str) -> Means | None:
    """The test bank account with this number or IBAN, None if none such pays in the currency."""
    means = KNOWN.get(re.sub(r"\s", "", number).upper())
    if means is None or BANK_CURRENCIES.get(currency) != means.kind:
        return None
    return means


def _luhn(digits: str) -> bool:
    if not 12 <= len(digits) <= 19:
        return False
    doubled = (int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0
