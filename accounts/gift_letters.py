"""Letters about a gift's money: its receipt, and the credit letter of what went back.

Each is written in the transaction that credits the gift or takes it back. What stands in it is kept
with it, so that its PDF never changes.
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum

from accounts import letters
from accounts.fields import WeiField
from accounts.models import CryptoReturn, Donation, DonorContact, Letter, Payment, Site, TakeBack
from accounts.money import CURRENCY_DECIMALS, decimal_string

REASONS = {"payment_refunded": "refund", "payment_reversed": "taken_back"}
"""Why it went back, by the notice that a household would get: we gave it, or a bank took it."""


def receipt_number(*, donation: Donation) -> str:
    """Return the number of a gift's receipt: one per gift, for ever."""
    return f"{donation.site.slug.upper()}-{donation.pk:06d}"


def received(*, payment: Payment, donation: Donation, at: datetime) -> Letter | None:
    """Write the receipt of a gift that a payment paid."""
    return _received(
        donation=donation,
        amount=_local(payment.amount_minor, currency=payment.currency),
        currency=payment.currency,
        reference=payment.reference,
        paid_at=payment.paid_at,
        at=at,
    )


def came_on_chain(
    *, donation: Donation, units: int, decimals: int, asset: str, reference: str, at: datetime
) -> Letter | None:
    """Write the receipt of a gift in crypto money: units of 10^-decimals of an asset."""
    return _received(
        donation=donation,
        amount=_trimmed(decimal_string(amount=units, decimals=decimals)),
        currency=asset,
        reference=reference,
        paid_at=donation.donated_at,
        at=at,
    )


def given_back(*, take_back: TakeBack, kind: str, at: datetime) -> Letter | None:
    """Write the credit letter of what was taken back of a gift; kind is a household's notice's.

    A payment that never became a gift (it lay in suspense) has none.
    """
    payment = take_back.payment
    gift = payment.donations.select_related("site__operator", "donor").order_by("id").first()
    if gift is None:
        return None
    left_wei = payment.donations.filter(withdrawn_at__isnull=True).aggregate(
        left=Sum("amount_wei", output_field=WeiField())
    )["left"]
    number = receipt_number(donation=gift)
    return letters.write(
        donor=gift.donor,
        kind="donation_given_back",
        key=_credit_key(take_back),
        params={
            **_who(gift),
            "number": f"{number}-R{take_back.pk}",
            "of_number": number,
            "amount": _local(take_back.amount_minor, currency=payment.currency),
            "currency": payment.currency,
            "amount_wei": str(take_back.taken_wei),
            "left_wei": str(left_wei or 0),
            "reference": payment.reference,
            "reason": REASONS[kind],
            "taken_at": take_back.taken_at.isoformat(),
        },
        at=at,
    )


def sent_back(*, crypto_return: CryptoReturn, at: datetime) -> Letter | None:
    """Write the credit letter of crypto money that was sent back; none where no receipt was."""
    gift = crypto_return.donation
    receipt = Letter.objects.filter(key=f"donation_received:{gift.pk}").first()
    if receipt is None:
        return None
    dai = _trimmed(decimal_string(amount=crypto_return.amount_wei, decimals=18))
    is_same = bool(crypto_return.asset)
    return letters.write(
        donor=gift.donor,
        kind="donation_given_back",
        key=f"donation_given_back:crypto:{crypto_return.pk}",
        params={
            **_who(gift),
            "number": f"{receipt.params['number']}-C{crypto_return.pk}",
            "of_number": receipt.params["number"],
            "amount": receipt.params["amount"] if is_same else dai,
            "currency": receipt.params["currency"] if is_same else "DAI",
            "amount_wei": str(crypto_return.amount_wei),
            "left_wei": "0",
            "reference": crypto_return.reference,
            "reason": "refund",
            "taken_at": crypto_return.recorded_at.isoformat(),
        },
        at=at,
    )


def counts_again(*, take_back: TakeBack, at: datetime) -> Letter | None:
    """Tell that what was taken back came again: the credit letter is void, the receipt holds.

    Nothing to tell where no credit letter was written: the money had never left.
    """
    payment = take_back.payment
    credit = Letter.objects.filter(key=_credit_key(take_back)).first()
    if credit is None:
        return None
    return letters.write(
        donor=credit.donor,
        kind="donation_counts_again",
        key=f"donation_counts_again:{take_back.pk}",
        params={
            "site": credit.params["site"],
            "site_name": credit.params["site_name"],
            "of_number": credit.params["of_number"],
            "void_number": credit.params["number"],
            "amount": _local(take_back.amount_minor, currency=payment.currency),
            "currency": payment.currency,
        },
        at=at,
    )


def _received(
    *,
    donation: Donation,
    amount: str,
    currency: str,
    reference: str,
    paid_at: datetime,
    at: datetime,
) -> Letter | None:
    return letters.write(
        donor=donation.donor,
        kind="donation_received",
        key=f"donation_received:{donation.pk}",
        params={
            **_who(donation),
            "number": receipt_number(donation=donation),
            "amount": amount,
            "currency": currency,
            "amount_wei": str(donation.amount_wei),
            "reference": reference,
            "paid_at": paid_at.isoformat(),
        },
        at=at,
    )


def _credit_key(take_back: TakeBack) -> str:
    return f"donation_given_back:{take_back.pk}"


def _who(donation: Donation) -> dict[str, str]:
    site: Site = donation.site
    contact = DonorContact.objects.filter(donor=donation.donor_id).first()
    return {
        "site": site.slug,
        "site_name": site.name,
        "operator": site.operator.legal_name or site.operator.name,
        "name": "" if contact is None else contact.name,
    }


def _local(amount_minor: int, *, currency: str) -> str:
    return decimal_string(amount=amount_minor, decimals=CURRENCY_DECIMALS[currency])


def _trimmed(text: str) -> str:
    """A decimal without noughts at its end."""
    return text.rstrip("0").rstrip(".") if "." in text else text
