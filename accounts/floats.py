"""What lies on a rail by our books: the floats of all books together, and how to speak of it."""

from __future__ import annotations

from django.db.models import Q, Sum

from accounts.fields import WeiField
from accounts.models import Book, LedgerAccount, Rail
from accounts.money import CURRENCY_DECIMALS, decimal_string

NAMES = {
    Rail.Provider.DARAJA: "M-Pesa",
    Rail.Provider.MOMO: "MTN MoMo",
    Rail.Provider.PAWAPAY: "pawaPay",
    Rail.Provider.STRIPE: "Stripe",
    Rail.Provider.CASH: "Cash",
}


def alarm_key(*, rail: Rail) -> str:
    """Return the key of the alarm that a rail's float differs."""
    return f"float:{rail.code}"


def held_minor(*, rail: Rail) -> int:
    """Return what our floats say lies on the rail: over all books, in its currency's minor units.

    Money taken back from a payer but not paid out yet (payback_due) still lies there.
    """
    books = Book.objects.filter(Q(operator=rail.operator_id) | Q(site__operator=rail.operator_id))
    accounts = LedgerAccount.objects.filter(
        book_id__in=books.values("pk"),
        household_id__isnull=True,
        kind=LedgerAccount.Kind.FLOAT,
        name=rail.code,
        asset=rail.currency,
    )
    total = accounts.aggregate(total=Sum("amount", output_field=WeiField()))["total"]
    return -(total or 0)


def of_book_minor(*, rail: Rail, book_id: int) -> int:
    """Return what the float of one book says lies on the rail, in minor units."""
    account = LedgerAccount.objects.filter(
        book_id=book_id,
        household_id__isnull=True,
        kind=LedgerAccount.Kind.FLOAT,
        name=rail.code,
        asset=rail.currency,
    ).first()
    return 0 if account is None else -account.amount


def rail_words(*, rail: Rail) -> str:
    """Name a rail to a person: "M-Pesa 174379"."""
    return f"{NAMES[Rail.Provider(rail.provider)]} {rail.merchant_account}"


def money_words(*, amount_minor: int, currency: str) -> str:
    """Write an amount to a person: "KES 500.00"."""
    decimals = CURRENCY_DECIMALS[currency]
    return f"{currency} {decimal_string(amount=amount_minor, decimals=decimals)}"


def difference_words(*, rail: Rail, difference_minor: int, currency: str) -> str:
    """Say by how much a provider's balance differs from our floats; above zero it has more."""
    amount = money_words(amount_minor=abs(difference_minor), currency=currency)
    side = "more" if difference_minor > 0 else "less"
    return f"{rail_words(rail=rail)}: the provider has {amount} {side} than our float"
