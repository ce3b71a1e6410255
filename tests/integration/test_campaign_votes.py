"""A gift that is given back after its giver voted: the ballot stays, and weighs nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from accounts import campaigns
from accounts.models import Refund
from gateway.checkout import endings
from tests.campaigning import given, opened
from tests.voting_village import POOL_WEI, VotingVillage
from tokens.models import Ballot, Weight
from tokens.voting import weights

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_given_back", [False, True])
def test_a_ballot_stays_and_weighs_what_its_giver_still_gives(
    now: datetime, is_given_back: bool
) -> None:
    voting = VotingVillage.found(at=now)
    site = voting.site
    began = now - timedelta(days=80)
    campaign = opened(site, at=began, deadline_at=now + timedelta(days=1))
    payment = given(voting.life.village, dollars=10, at=began, reference="ch_1")
    assert payment.pledge is not None
    round_ = voting.open(POOL_WEI, donor_weight=Weight.ONE)
    cast = voting.cast(round_, payment.pledge.donor, 1)
    code = cast.receipt_code
    if is_given_back:
        campaigns.close(campaign=campaign, at=now)
        assert endings.give_back(clock=lambda: now) == 1
        assert Refund.objects.get().amount_minor == 1_000
    # Counted when the gift has vested, forty days on.
    vested = now + timedelta(days=41)
    ballot = Ballot.objects.get()
    assert (ballot.donor, ballot.receipt_code) == (payment.pledge.donor, code)
    found = weights.of_ballots(round_=round_, ballots=[ballot], at=vested)
    assert found == {ballot.pk: 0 if is_given_back else 1}
    assert voting.count(round_).result_hash
