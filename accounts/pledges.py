"""Pledges: a donor's wish to pay, before anything was paid."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from accounts import attempts, campaigns
from accounts.models import Donor, DonorContact, PaymentAttempt, Pledge, Rail, Site


def request(
    *,
    site: Site,
    rail: Rail,
    amount_minor: int,
    idempotency_key: str,
    at: datetime,
    donor: Donor | None = None,
    name: str = "",
    email: str = "",
    language: str = "en",
    public_name: str = "",
) -> PaymentAttempt:
    """Store a donor's wish to pay and the attempt at it; the same key returns the first.

    It belongs to the campaign that is open at the site, if any. A new donor is made, with name,
    email and language as contact, where none is given; public_name is shown among the donors, ""
    is anonymous. The provider is called later, by a task. Raises attempts.BadAmount outside the
    rail's limits.
    """
    attempts.check_amount(rail=rail, amount_minor=amount_minor)
    with transaction.atomic():
        known = Pledge.objects.filter(idempotency_key=idempotency_key).first()
        if known is not None:
            return known.attempts.latest("id")
        if donor is None:
            donor = Donor.objects.create(created_at=at)
            DonorContact.objects.create(donor=donor, name=name, email=email, language=language)
        pledge, is_new = Pledge.objects.get_or_create(
            idempotency_key=idempotency_key,
            defaults={
                "donor": donor,
                "site": site,
                "rail": rail,
                "campaign": campaigns.open_campaign(site=site, at=at),
                "public_name": public_name,
                "amount_minor": amount_minor,
                "currency": rail.currency,
                "created_at": at,
            },
        )
        return attempts.open_for(intent=pledge, at=at) if is_new else pledge.attempts.latest("id")
