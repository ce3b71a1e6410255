"""A village that votes: eight households with PINs and phones, donors, a grant pool of 0.4 DAI."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts import ledger, pins
from accounts.models import Donation, Donor, Household, LedgerAccount, Notice, Rail, Site, User
from settlement.models import Payee
from tests.epoch_village import EpochVillage
from tokens.models import Ballot, Proposal, Round
from tokens.voting import ballots, proposals, rounds

PIN = "4826"
HOUSEHOLDS = 8
DAI = 10**18
DAY = timedelta(days=1)
POOL_WEI = 4 * 10**17
"""A fifth of eight kWh at 0.25 DAI."""


@dataclass(kw_only=True)
class VotingVillage:
    """The village, and short words for what tests do in it."""

    life: EpochVillage
    user: User

    @classmethod
    def found(cls, *, at: datetime) -> VotingVillage:
        life = EpochVillage.found(at=at, households=0)
        user = User.objects.create_user(
            "vetter", password="vetter", operator=life.village.operator, is_staff=True
        )
        made = cls(life=life, user=user)
        for number in range(1, HOUSEHOLDS + 1):
            home = life.village.household(
                f"KIS{number:04d}",
                phone=f"+2547110000{number:02d}",
                pin_hash=pins.hash_pin(pin=PIN, pepper=settings.PIN_PEPPER, salt=b"0" * 16),
            )
            life.households[home.code] = home
            life.village.fund(home, amount_wei=10 * DAI, at=at)
        life.everybody_uses()
        return made

    @property
    def site(self) -> Site:
        return self.life.village.site

    @property
    def at(self) -> datetime:
        return self.life.at

    def home(self, number: int) -> Household:
        return self.life.households[f"KIS{number:04d}"]

    def donor(self, *, amount_wei: int = 10**20, days: int = 0) -> Donor:
        return self.life.donate(amount_wei=amount_wei, days=days).donor

    def donation_of(self, donor: Donor) -> Donation:
        return Donation.objects.get(donor=donor)

    def plan(self, *, budget_wei: int = POOL_WEI, **options: Any) -> Round:
        return rounds.plan(
            site=self.site,
            title="Dry season",
            title_fr="Saison sèche",
            budget_wei=budget_wei,
            opens_at=self.at,
            closes_at=self.at + 7 * DAY,
            at=self.at,
            **options,
        )

    def propose(self, round_: Round, title: str, cost_wei: int, **told: Any) -> Proposal:
        who = told or {"household": self.home(1)}
        return proposals.propose(round_=round_, title=title, cost_wei=cost_wei, at=self.at, **who)

    def admit(self, round_: Round, title: str, cost_wei: int, **told: Any) -> Proposal:
        """Put a project of somebody on the ballot."""
        named = {name: told.pop(name) for name in ("payee",) if name in told}
        proposers = round_.proposals.filter(state=Proposal.State.PROPOSED).count()
        who = told or {"household": self.home(1 + proposers % HOUSEHOLDS)}
        made = proposals.propose(round_=round_, title=title, cost_wei=cost_wei, at=self.at, **who)
        return proposals.admit(proposal=made, by=self.user, at=self.at, **named)

    def open(self, *costs: int, **options: Any) -> Round:
        """An open round with projects 1, 2, ... of these costs."""
        round_ = self.plan(**options)
        for number, cost in enumerate(costs, start=1):
            self.admit(round_, f"Project {number}", cost)
        return rounds.open_round(round_=round_, at=self.at)

    def cast(self, round_: Round, voter: Household | Donor, *numbers: int, **told: Any) -> Ballot:
        who: dict[str, Any] = (
            {"household": voter} if isinstance(voter, Household) else {"donor": voter}
        )
        channel = told.pop("channel", "ussd" if isinstance(voter, Household) else "web")
        return ballots.cast(
            round_=round_,
            numbers=numbers,
            channel=channel,
            key=told.pop("key", f"{channel}:{voter.pk}:{round_.pk}"),
            at=told.pop("at", self.at),
            **who,
            **told,
        ).ballot

    def count(self, round_: Round) -> Round:
        self.life.at = round_.closes_at
        return rounds.count(round_=round_, at=round_.closes_at)

    def payee(self, code: str = "fundi", **fields: Any) -> Payee:
        rail = Rail.objects.get(code="mpesa")
        return Payee.objects.create(
            **{
                "operator": self.life.village.operator,
                "code": code,
                "role": Payee.Role.GRANTEE,
                "public_name": "Fundi wa Kisima",
                "way": Payee.Way.MOBILE,
                "rail": rail,
                "phone": "+254722000001",
                "created_at": self.at,
                **fields,
            }
        )

    def held(self, kind: str, name: str = "") -> int:
        account = LedgerAccount.objects.filter(
            book_id=self.site.book.pk, kind=kind, name=name, asset=ledger.DAI
        ).first()
        return 0 if account is None else account.amount

    @property
    def pool_wei(self) -> int:
        return self.held("pool", "grant")

    @property
    def reserved_wei(self) -> int:
        return self.held("grant_reserved")

    def told(self, kind: str) -> list[Notice]:
        return list(Notice.objects.filter(kind=kind).order_by("pk"))
