"""What households paid in on chain, by the day: the crypto side of settlement.deposited."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from django.db.models import Sum
from django.db.models.functions import TruncDate

from accounts.fields import WeiField
from accounts.models import Site
from settlement.deposited import Movement, Way
from tokens.models import Deposit


def movements(*, site: Site) -> list[Movement]:
    """Return what final deposits brought to the funds of households in a site's book.

    The address may be another site's, where its household lived before.
    """
    rows = (
        Deposit.objects.filter(entry__book_id=site.book.pk, forwarder__household__isnull=False)
        .order_by()
        .annotate(day=TruncDate("credited_at", tzinfo=ZoneInfo(site.time_zone)))
        .values("day", "forwarder__household_id")
        .annotate(total=Sum("credited_wei", output_field=WeiField()))
    )
    return [
        Movement(
            way=Way.CRYPTO,
            day=row["day"],
            amount_wei=row["total"],
            household_id=row["forwarder__household_id"],
        )
        for row in rows
    ]
