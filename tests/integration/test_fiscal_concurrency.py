"""Payers and signers at once: numbers without gaps, every receipt signed once."""

from __future__ import annotations

import time
from threading import Event

import pytest
from django.utils import timezone

from accounts.models import Household
from gateway.fiscal import delivery
from tests.integration.fiscal_village import at_etims, receipts, taxed
from tests.integration.sandboxed import World, home, hooks, today, world
from tests.integration.test_concurrency import run_together
from tests.village import Village

__all__ = ["home", "hooks", "taxed", "today", "world"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])

PAYERS, PAYMENTS, SIGNERS = 2, 12, 3


def test_payers_and_signers_at_once_leave_no_gap_and_sign_nothing_twice(
    world: World, taxed: Village, home: Household
) -> None:
    paid = Event()

    def pay(payer: int) -> None:
        for number in range(PAYMENTS):
            taxed.pay(
                home.code,
                amount_minor=10_000 + number,
                at=timezone.now(),
                reference=f"P{payer}N{number}",
            )

    def pay_all() -> None:
        try:
            run_together(*(lambda payer=payer: pay(payer) for payer in range(PAYERS)))
        finally:
            paid.set()

    def sign() -> None:
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline:
            was_all = paid.is_set()
            done = delivery.sign_due(clock=timezone.now)
            if was_all and not done and all(r.state == "signed" for r in receipts()):
                return
        raise AssertionError("receipts stay open")

    run_together(pay_all, *(sign for _ in range(SIGNERS)))
    total = PAYERS * PAYMENTS
    assert [r.number for r in receipts()] == list(range(1, total + 1))
    signed = at_etims(world)
    assert [row["invcNo"] for row in signed] == list(range(1, total + 1))
    assert len({row["body"]["trdInvcNo"] for row in signed}) == total
    by_reference = {row["body"]["trdInvcNo"]: row["rcptSign"] for row in signed}
    assert {f"kisima/{r.number}": r.signature for r in receipts()} == by_reference
