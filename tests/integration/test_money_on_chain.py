"""Crypto money that households paid in is part of what came in, to the wei."""

from __future__ import annotations

import pytest

from accounts.models import Posting
from settlement.deposited import Way
from tests.deposit_chain import WEI, DepositChain
from tests.integration.deposit_fixtures import chain_node, chained, deployed, here
from tokens import deposited

__all__ = ["chain_node", "chained", "deployed", "here"]

pytestmark = pytest.mark.django_db


def test_final_deposits_of_households_came_in_and_nothing_else_did(here: DepositChain) -> None:
    here.pay(here.forwarder(), 5 * WEI + 7)
    here.pay(here.donors_forwarder(), 3 * WEI)
    here.settle()
    here.pay(here.forwarder(), 2 * WEI)
    here.watch()
    found = deposited.movements(site=here.site)

    legs = Posting.objects.filter(entry__kind="deposit", account__household__isnull=False)
    assert sum(legs.values_list("amount", flat=True)) == 5 * WEI + 7
    assert [(each.way, each.amount_wei) for each in found] == [(Way.CRYPTO, 5 * WEI + 7)]
    assert found[0].household_id == here.household.pk
