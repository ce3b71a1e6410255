"""Votes by e-mail: who is told of a round, and that a person's gifts vote once, for all of them."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts import addresses, links
from accounts.models import Donor, DonorContact, Letter
from tests.integration.test_ballots import CENT, WALLET, link, weights_of
from tests.integration.test_voting_web import vote
from tests.voting_village import VotingVillage
from tokens.models import Ballot, Round, WalletLink
from tokens.voting import queries, weights
from tokens.voting.refusals import AlreadyVoted

pytestmark = pytest.mark.django_db

ASHA = "asha@example.org"


@pytest.fixture
def voting(now: datetime) -> VotingVillage:
    return VotingVillage.found(at=now)


def named(voting: VotingVillage, *, email: str = ASHA, days: int = 0, **contact: str) -> Donor:
    """Somebody who gave, with an address."""
    donor = voting.donor(days=days)
    DonorContact.objects.create(donor=donor, email=email, **contact)
    return donor


def proved(*donors: Donor, email: str = ASHA) -> list[Donor]:
    addresses.prove(donors=donors, email=email)
    return list(donors)


def weight(voting: VotingVillage, donor: Donor) -> int:
    return weights.donor_weight(site=voting.site, rule="tokens", donor_id=donor.pk, at=voting.at)


class TestTelling:
    """Donors whose gift weighs something, one letter an address, if they like."""

    def test_an_open_round_is_told_to_donors_with_vested_gifts(self, voting: VotingVillage) -> None:
        first = named(voting)
        named(voting)
        named(voting, email="late@example.org", days=120)
        french = named(voting, email="zoe@example.org", language="fr")
        gone = named(voting, email="gone@example.org")
        voting.life.withdraw(voting.donation_of(gone))
        quiet = named(voting, email="quiet@example.org")
        addresses.opt_out(email="quiet@example.org", at=voting.at)
        voting.donor()
        round_ = voting.open(CENT)
        told = Letter.objects.filter(kind="round_opened").order_by("pk")
        assert [letter.donor for letter in told] == [first, french]
        assert quiet not in [letter.donor for letter in told]
        assert told[0].params == {
            "site": "kisima",
            "site_name": "Kisima",
            "round": str(round_.uid),
            "number": round_.number,
            "title": "Dry season",
            "title_fr": "Saison sèche",
            "day": told[0].params["day"],
        }

    def test_a_counted_round_is_told_with_what_it_funds(self, voting: VotingVillage) -> None:
        donor = named(voting)
        round_ = voting.open(CENT)
        for number in range(1, 5):
            voting.cast(round_, voting.home(number), 1)
        voting.count(round_)
        told = Letter.objects.get(kind="round_counted")
        assert (told.donor, told.params["titles"]) == (donor, ["Project 1"])


class TestOneVoter:
    """Gifts of one proved address are one voter, as those of one wallet are."""

    def test_gifts_of_one_proved_address_vote_once_for_all(self, voting: VotingVillage) -> None:
        first, second = proved(named(voting), named(voting, email="ASHA@example.org"))
        other = named(voting, email="other@example.org")
        voting.life.everybody_uses()
        round_ = voting.open(CENT)
        ballot = voting.cast(round_, first, 1)
        with pytest.raises(AlreadyVoted) as refused:
            voting.cast(round_, second, 1)
        assert refused.value.receipt_code == ballot.receipt_code
        alone = voting.cast(round_, other, 1)
        voting.count(round_)
        weighed = weights_of(round_)
        assert weighed[ballot.receipt_code] == 2 * weighed[alone.receipt_code] > 0

    def test_naming_somebodys_address_is_not_proving_it(self, voting: VotingVillage) -> None:
        victim = proved(named(voting))[0]
        impostor = named(voting)
        voting.life.everybody_uses()
        assert weights.one_voter(donor_id=victim.pk) == {victim.pk}
        assert weights.one_voter(donor_id=impostor.pk) == {impostor.pk}

    def test_whose_gift_names_a_strangers_address_never_votes_for_the_stranger(
        self, voting: VotingVillage
    ) -> None:
        """The stranger logs in, which proves the address of both; the giver has a wallet."""
        victim, impostor = proved(named(voting), named(voting))
        voting.life.everybody_uses()
        own = weight(voting, impostor)
        link(impostor, WALLET, voting.at)
        assert weights.one_voter(donor_id=impostor.pk) == {impostor.pk}
        assert weights.one_voter(donor_id=victim.pk) == {victim.pk}
        assert weight(voting, impostor) == own // 2

    def test_an_address_that_was_changed_since_joins_nobody(self, voting: VotingVillage) -> None:
        first, second = proved(named(voting), named(voting))
        DonorContact.objects.filter(donor=second).update(email="new@example.org")
        assert weights.one_voter(donor_id=first.pk) == {first.pk}
        assert weights.one_voter(donor_id=second.pk) == {second.pk}

    def test_who_became_one_voter_after_two_votes_is_counted_once(
        self, voting: VotingVillage
    ) -> None:
        first, second = proved(named(voting), named(voting))
        link(second, WALLET, voting.at)
        voting.life.everybody_uses()
        round_ = voting.open(CENT)
        early, late = voting.cast(round_, first, 1), voting.cast(round_, second, 1)
        WalletLink.objects.update(unlinked_at=voting.at)
        both = weight(voting, first)
        voting.count(round_)
        assert weights_of(round_) == {early.receipt_code: both, late.receipt_code: 0}


def test_who_logged_in_by_a_link_votes_once_on_the_page(client: Client) -> None:
    cache.clear()
    voting = VotingVillage.found(at=timezone.now())
    donors = [named(voting), named(voting)]
    round_ = voting.open(CENT, CENT)
    token = links.issue(donor=donors[0], email=ASHA, at=timezone.now())
    client.post(f"/donor/link/{token}/")
    vote(client, round_, 1)
    # The page offers no form any more; who kept an old one sends it again.
    path, kept = f"/vote/{round_.uid}/", {"options": [2], "nonce": "n" * 32}
    assert client.post(path, kept)["Location"] == f"{path}?again=1"
    (ballot,) = Ballot.objects.filter(round=round_)
    assert ballot.donor == donors[0]
    assert [choice.proposal.number for choice in ballot.choices.all()] == [1]
    assert queries.ballot_of(round_=Round.objects.get(), donor=donors[1]) == ballot
