"""The parameters of the answers to BAL, USE and LAST, from the same facts as the screens."""

from collections.abc import Sequence

from django.conf import settings

from gateway.sms.params import (
    AmountWrong,
    BalanceReply,
    FiscalReceiptReply,
    LastPaymentsReply,
    PeriodUse,
    ProofReply,
    UsageReply,
)
from gateway.texts.numbers import exponent, nearest
from gateway.texts.receipts import shown
from gateway.ussd.facts import AccountFacts, PaymentFacts, Period, ReceiptFacts, UsageFacts


def balance(account: AccountFacts) -> BalanceReply:
    """For kind "balance_reply"."""
    price = account.price_units_per_kwh
    price_minor = None if price is None else nearest(price * 10 ** exponent(account.currency))
    return {
        "household_code": account.code,
        "currency": account.currency,
        "funds_minor": account.funds_minor,
        "funds_wei": account.funds_wei,
        "arrears_minor": account.arrears_minor,
        "days_left": account.days_left,
        "energy_milliwatt_hours": account.energy_left_milliwatt_hours,
        "price_minor_per_kwh": price_minor,
    }


def usage(household_code: str, facts: UsageFacts) -> UsageReply:
    """For kind "usage_reply": today, yesterday, 7 and 30 days."""

    def use(period: Period) -> PeriodUse:
        energy, cost = facts.of(period).energy_milliwatt_hours, facts.cost_minor(period)
        if period in ("today", "yesterday"):
            return {"period": period, "energy_milliwatt_hours": energy, "cost_minor": cost}
        days = 7 if period == "days_7" else 30
        return {
            "period": "days",
            "days": days,
            "energy_milliwatt_hours": energy,
            "cost_minor": cost,
        }

    return {
        "household_code": household_code,
        "currency": facts.currency,
        "periods": [use("today"), use("yesterday"), use("days_7"), use("days_30")],
    }


def last_payments(household_code: str, payments: Sequence[PaymentFacts]) -> LastPaymentsReply:
    """For kind "last_payments_reply"."""
    return {
        "household_code": household_code,
        "payments": [
            {
                "day": payment.at.date().isoformat(),
                "amount_minor": payment.amount_minor,
                "currency": payment.currency,
                "receipt": shown(payment.reference),
            }
            for payment in payments
        ],
    }


def fiscal_receipt(household_code: str, receipt: ReceiptFacts | None) -> FiscalReceiptReply:
    """For kind "fiscal_receipt_reply"."""
    if receipt is None:
        return {"household_code": household_code, "number": None}
    return {
        "household_code": household_code,
        "number": receipt.number,
        "is_credit_note": receipt.is_credit_note,
        "day": receipt.at.date().isoformat(),
        "gross_minor": receipt.gross_minor,
        "currency": receipt.currency,
        "taxes": [
            {
                "name": tax.name,
                "rate_basis_points": tax.rate_basis_points,
                "amount_minor": tax.amount_minor,
            }
            for tax in receipt.taxes
        ],
        "signing": receipt.signing,
        "device": receipt.device,
        "device_number": receipt.device_number,
        "signature": receipt.signature,
        "url": receipt.url,
    }


def proof(household_code: str, *, leaf_key: str, secret: str) -> ProofReply:
    """For kind "proof_reply": key and secret as short as the page takes them."""
    url = f"{settings.PUBLIC_URL}/proof/{leaf_key.removeprefix('0x')}/?c={secret}"
    return {"household_code": household_code, "proof_url": url}


def amount_wrong(account: AccountFacts) -> AmountWrong:
    """For kind "amount_wrong"."""
    return {
        "currency": account.currency,
        "min_top_up_minor": account.min_top_up_minor,
        "max_top_up_minor": account.max_top_up_minor,
    }
