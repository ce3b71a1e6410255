"""The paybill's statement beside its confirmations, over real HTTP with the sandbox's Daraja."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from accounts.models import Payment, Rail
from gateway.providers.models import StatementCursor
from gateway.providers.tasks import pull_payments
from tests.over_http import (
    Outside,
    demo,
    eventually,
    kisima,
    outside,
    worker,
    worker_thread,
)
from tests.village import Village

__all__ = ["demo", "kisima", "outside", "worker", "worker_thread"]

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "owner"]),
    pytest.mark.usefixtures("worker"),
]


def test_a_confirmation_does_not_hide_what_the_statement_showed_before_it(
    kisima: Village, outside: Outside
) -> None:
    """Asking for one payment must not move the cursor over hours nobody has read."""
    kisima.household("KIS0001")
    long_ago = timezone.now() - timedelta(hours=3)
    StatementCursor.objects.create(rail=Rail.objects.get(), read_until=long_ago)
    missed = requests.post(
        f"{outside.url}/daraja/simulator/phones/254711000001/paybill",
        json={
            "account": "KIS0001",
            "amount": "70",
            "at": (long_ago + timedelta(hours=1)).isoformat(),
            "silent": True,
        },
        timeout=10,
    ).json()
    told = outside.phone().paybill(account="KIS0001", amount="80")
    eventually(Payment.objects.filter(reference=told["receipt"]).exists)
    eventually(Payment.objects.filter(reference=missed["receipt"]).exists, beat=[pull_payments])
