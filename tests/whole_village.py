"""A village with something on every public page, and everything private that must be on none.

Names, phones, addresses and places are unlike anything else, so that a search for them means what
it finds.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.test import Client
from django.utils import timezone
from PIL import Image

from accounts import campaign_photos
from accounts import links as log_ins
from accounts.models import (
    Campaign,
    Donor,
    DonorContact,
    Household,
    HouseholdName,
    HouseholdPlace,
    Milestone,
    Operator,
    PaymentAttempt,
    Site,
)
from gateway.donors import news
from settlement import payouts, service_tokens
from settlement.models import Payee, ServiceToken, WeatherHour
from tests.integration.test_ballots import link
from tests.paybacks import donate, quote
from tests.paying_out import person
from tests.signing import AMINA
from tests.voting_village import DAI, HOUSEHOLDS, VotingVillage
from tokens import wallets
from tokens.models import Epoch, Leaf, Round, ShareCard, Verification
from tokens.voting import rounds

CENT = 10**16
GIVEN_NAMES = ("Zawadi", "Makena", "Otieno", "Wanjiru", "Barasa", "Nafula", "Kiprop", "Akinyi")
SURNAME = "Mwangalizi"
DONOR_NAMES = ("Brunhilde Hohenzollerer", "Ekaterina Vasilyevskaya")
DONOR_ADDRESSES = ("brunhilde@private.example", "ekaterina@private.example")
PUBLIC_NAME = "A friend of the sun"


@dataclass(kw_only=True)
class WholeVillage:
    """Kisima as it stands now, with votes, donors, a payout and an epoch that was checked."""

    voting: VotingVillage
    secrets: dict[str, str] = field(default_factory=dict)
    """What nobody may read in public, by what it is."""

    @classmethod
    def found(cls) -> WholeVillage:
        """Found the village some hours ago and live until now."""
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        made = cls(voting=VotingVillage.found(at=hour - timedelta(hours=3)))
        Operator.objects.update(crypto_licence="Licence 1 of the tests")
        made._name_households()
        made._place_households()
        made._campaign()
        made._give()
        made._use_power()
        made._vote()
        made._pay_out()
        made._close_epoch()
        made._tell_weather()
        made._share()
        made._note_secrets()
        return made

    @property
    def site(self) -> Site:
        return self.voting.site

    @property
    def at(self) -> datetime:
        return self.voting.at

    def households(self) -> list[Household]:
        return list(self.voting.life.households.values())

    def epoch(self) -> Epoch:
        return Epoch.objects.get(state=Epoch.State.ACTIVE)

    def links(self) -> list[str]:
        """Pages that only somebody with a link of their own finds."""
        return [
            "/nowhere/",
            "/donate/kisima/crypto/",
            "/donor/link/",
            *(f"/donor/card/{card.key}/" for card in ShareCard.objects.all()),
            *(f"/pay/{attempt.token}/" for attempt in PaymentAttempt.objects.all()),
            *(f"/donor/gift/{attempt.token}/" for attempt in PaymentAttempt.objects.all()),
            *self._proofs(),
            *self._by_mail(),
        ]

    def _by_mail(self) -> list[str]:
        """What letters lead to."""
        donor = Donor.objects.filter(contact__email=DONOR_ADDRESSES[0]).get()
        token = log_ins.issue(donor=donor, email=DONOR_ADDRESSES[0], at=timezone.now())
        unwanted = news.url_of(donor=donor).removeprefix(settings.PUBLIC_URL)
        return [f"/donor/link/{token}/", unwanted]

    def _proofs(self) -> list[str]:
        """A donation's proof is public; a household's needs its code."""
        return [
            f"/proof/{leaf.key}/?c={wallets.code_of(leaf=leaf)}"
            for leaf in Leaf.objects.filter(kind__in=(Leaf.Kind.HOUSEHOLD, Leaf.Kind.DONATION))
        ]

    def _name_households(self) -> None:
        """Each has a name and tops up."""
        for home, given in zip(self.households(), GIVEN_NAMES, strict=True):
            HouseholdName.objects.create(household=home, name=f"{given} {SURNAME}")
            self.voting.life.village.pay(home.code, amount_minor=50_000, at=self.at)

    def _place_households(self) -> None:
        """All live near one another, at places like no other number."""
        for number, home in enumerate(self.households()):
            HouseholdPlace.objects.create(
                household=home,
                site=self.site,
                easting_metres=31_417 + 3 * number,
                northing_metres=-27_181 - 2 * number,
            )

    def _campaign(self) -> None:
        """Open, with a step that was photographed."""
        campaign = Campaign.objects.create(
            site=self.site,
            title="A container for Kisima",
            title_fr="Un conteneur pour Kisima",
            story="It gives **light** to [the school](https://school.example).",
            goal_wei=500 * DAI,
            opens_at=self.at,
            deadline_at=self.at + timedelta(days=90),
            state=Campaign.State.OPEN,
            created_at=self.at,
        )
        picture = io.BytesIO()
        Image.new("RGB", (640, 480), "orange").save(picture, "PNG")
        photo = campaign_photos.made_small(data=picture.getvalue())
        Milestone.objects.create(
            campaign=campaign,
            kind=Milestone.Kind.ORDERED,
            note="Ordered from the works",
            reached_on=self.at.date(),
            photo=photo.jpeg,
            photo_hash=photo.hash,
            photo_words="The container on a lorry",
        )

    def _tell_weather(self) -> None:
        """Hours that were and hours to come."""
        for number in range(-12, 24):
            starts_at = self.at.replace(minute=0) + timedelta(hours=number)
            WeatherHour.objects.create(
                site=self.site,
                kind=WeatherHour.Kind.RECENT if number < 0 else WeatherHour.Kind.FORECAST,
                starts_at=starts_at,
                temperature_tenths_celsius=245,
                cloud_cover_percent=30,
                irradiance_watts_per_square_metre=400,
                fetched_at=self.at,
            )

    def _share(self) -> None:
        """A donor makes a card for everybody."""
        token = PaymentAttempt.objects.get(pledge__public_name=PUBLIC_NAME).token
        answer = Client().post(f"/donor/gift/{token}/cards/", {"site": self.site.slug})
        assert answer["Location"].endswith("#cards")
        assert "refused" not in answer["Location"]

    def _give(self) -> None:
        """Two by card, one by somebody who is to be named; two that vested, one with a wallet."""
        village, at = self.voting.life.village, self.at
        quote(at=village.founded_at, currency="USD", local_per_dai="1.0003")
        names = zip(DONOR_NAMES, DONOR_ADDRESSES, ("", PUBLIC_NAME), strict=True)
        for number, (name, address, public_name) in enumerate(names, start=1):
            payment = donate(village, amount_minor=2_500 * number, at=at, reference=f"pi_{number}")
            pledge = payment.pledge
            assert pledge is not None
            pledge.public_name = public_name
            pledge.save(update_fields=["public_name"])
            pledge.attempts.update(state=PaymentAttempt.State.SUCCEEDED)
            DonorContact.objects.create(donor=pledge.donor, name=name, email=address)
        holder, _ = self.voting.donor(), self.voting.donor()
        link(holder, AMINA.address, at)

    def _use_power(self) -> None:
        life = self.voting.life
        for charge in (6_000_000, 9_000_000, 12_000_000, 11_000_000):
            life.plant(sun=charge, into=500_000, feeder=9_500_000, starts_at=life.at)
            life.everybody_uses()

    def _vote(self) -> None:
        """A round that was counted, one that is open, one in the making."""
        voting = self.voting
        round_ = voting.open(20 * CENT, 15 * CENT, budget_wei=30 * CENT)
        for number in range(1, HOUSEHOLDS - 1):
            voting.cast(round_, voting.home(number), 1 + number % 2)
        at = voting.at
        rounds.count(round_=round_, at=round_.closes_at)
        voting.life.at = at
        voting.open(5 * CENT, 4 * CENT, 6 * CENT, budget_wei=6 * CENT)
        voting.cast(Round.objects.get(state=Round.State.OPEN), voting.home(2), 1)
        voting.plan(budget_wei=2 * CENT)

    def _pay_out(self) -> None:
        """A contractor's token, proposed by one and approved by another."""
        token = service_tokens.earn(
            site=self.site,
            payee=self.voting.payee(
                "jua-works", role="contractor", public_name="Jua Works", phone="+254733987001"
            ),
            reason=ServiceToken.Reason.MILESTONE,
            subject="milestone:whole",
            amount_wei=CENT,
            accepted_by=self.voting.user,
            at=self.at,
        )
        village = self.voting.life.village
        payout = payouts.propose(
            service_token=token,
            pool="contractor",
            proposed_by=person(village, "mwandishi-proposer"),
            at=self.at,
        )
        payouts.approve(payout=payout, approved_by=person(village, "mwidhini-approver"), at=self.at)

    def _close_epoch(self) -> None:
        self.voting.life.deploy()
        epoch = self.voting.life.closed_and_active()
        Verification.objects.create(
            site=self.site,
            epoch_number=epoch.number,
            exit_code=0,
            checks=[{"name": "supply", "state": "ok", "text": "0x" + "ab" * 32}],
            ran_at=timezone.now(),
        )

    def _note_secrets(self) -> None:
        for home in self.households():
            phone = home.phones.get().phone
            # With the country's code, and as people write it at home.
            self.secrets |= {
                f"phone of {home}": phone[1:],
                f"local phone of {home}": f"0{phone[4:]}",
                f"uid of {home}": str(home.uid),
                f"easting of {home}": str(home.place.easting_metres),
                f"northing of {home}": str(abs(home.place.northing_metres)),
            }
        self.secrets |= {f"name {name}": name for name in (*GIVEN_NAMES, SURNAME)}
        for name in DONOR_NAMES:
            self.secrets |= {f"donor's name {part}": part for part in name.split()}
        self.secrets |= {f"e-mail {each}": each for each in DONOR_ADDRESSES}
        self.secrets |= {f"uid of donor {each.pk}": str(each.uid) for each in Donor.objects.all()}
        for attempt in PaymentAttempt.objects.all():
            self.secrets[f"token of attempt {attempt.pk}"] = attempt.token
        for payee in Payee.objects.all():
            self.secrets[f"phone of payee {payee.code}"] = payee.phone[1:]
        self.secrets |= {
            "who proposed": "mwandishi-proposer",
            "who approved": "mwidhini-approver",
            "who vets": self.voting.user.username,
        }
