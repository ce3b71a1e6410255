"""Votes of the demo: one that is counted, and one that is open with votes in it already.

Accounts 0001 to 0009 are left to whoever tries the demo; the others vote here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from accounts.models import Household, Operator, Site, User
from gateway.demo.villages import DemoVillage
from settlement.models import Payee
from tokens.models import Ballot, Round
from tokens.voting import ballots, proposals, rounds

OPEN_FOR = timedelta(days=7)
STEP_WEI = 10**15
PAYEE_CODE = "fundi-wa-kisima"
HUNDREDTHS = 100

FIRST = (
    ("Lamp at the well", "Lampe au puits", 40),
    ("Radio for the school", "Radio pour l'école", 35),
    ("Tree nursery", "Pépinière", 45),
)
"""Titles, and what they cost in hundredths of the budget."""
SECOND = (
    ("Cool box for vaccines", "Glacière pour vaccins", 55),
    ("Phone charging desk", "Station de recharge", 30),
    ("Second water pump", "Deuxième pompe à eau", 70),
    ("Lights for the market", "Eclairage du marché", 25),
)
VOTES_1: Mapping[int, tuple[int, ...]] = {
    **dict.fromkeys(range(10, 15), (1, 2)),
    **dict.fromkeys(range(15, 19), (2,)),
    **dict.fromkeys(range(19, 22), (1, 3)),
}
VOTES_2: Mapping[int, tuple[int, ...]] = {
    **dict.fromkeys(range(10, 14), (1, 4)),
    **dict.fromkeys(range(14, 17), (2,)),
    17: (3, 4),
}
"""The projects that households choose, by the households' numbers."""

Tell = Callable[[str], None]


def hold(*, village: DemoVillage, site: Site, at: datetime, tell: Tell) -> None:
    """Hold both rounds, once; each on a third of what the grant pool holds."""
    if Round.objects.filter(site=site).exists():
        return
    third_wei = rounds.grant_pool_wei(site=site) // 3 // STEP_WEI * STEP_WEI
    if not third_wei:
        tell(f"{site.name}: too little in the grant pool to vote on")
        return
    began_at = at - timedelta(hours=1)
    first = _open(village, site, title=("For everybody", "Pour tous"), budget_wei=third_wei,
                  projects=FIRST, opens_at=began_at, closes_at=at)  # fmt: skip
    _vote(village, first, votes=VOTES_1, at=began_at)
    rounds.count(round_=first, at=at)
    second = _open(village, site, title=("Dry season", "Saison sèche"), budget_wei=third_wei,
                   projects=SECOND, opens_at=at, closes_at=at + OPEN_FOR)  # fmt: skip
    _vote(village, second, votes=VOTES_2, at=at)
    tell(f"{site.name}: vote {first.number} counted, vote {second.number} open")


def _open(
    village: DemoVillage,
    site: Site,
    *,
    title: tuple[str, str],
    budget_wei: int,
    projects: tuple[tuple[str, str, int], ...],
    opens_at: datetime,
    closes_at: datetime,
) -> Round:
    """Plan a round, let households propose, admit all of it, and open it."""
    vetter = User.objects.get(username="operator")
    payee = _payee(site.operator, at=opens_at)
    round_ = rounds.plan(
        site=site,
        title=title[0],
        title_fr=title[1],
        budget_wei=budget_wei,
        opens_at=opens_at,
        closes_at=closes_at,
        at=opens_at,
    )
    for number, (name, name_fr, hundredths) in enumerate(projects, start=10):
        made = proposals.propose(
            round_=round_,
            title=name,
            title_fr=name_fr,
            cost_wei=budget_wei * hundredths // HUNDREDTHS,
            household=Household.objects.get(code=village.code(number)),
            at=opens_at,
        )
        proposals.admit(proposal=made, by=vetter, payee=payee, at=opens_at)
    return rounds.open_round(round_=round_, at=opens_at)


def _vote(
    village: DemoVillage, round_: Round, *, votes: Mapping[int, tuple[int, ...]], at: datetime
) -> None:
    for number, chosen in votes.items():
        ballots.cast(
            round_=round_,
            household=Household.objects.get(code=village.code(number)),
            numbers=chosen,
            channel=Ballot.Channel.USSD,
            key=f"demo:{round_.uid}:{village.code(number)}",
            at=at,
        )


def _payee(operator: Operator, *, at: datetime) -> Payee:
    """Who builds what is voted for."""
    known = Payee.objects.filter(code=PAYEE_CODE).first()
    if known is not None:
        return known
    rail = operator.rails.get(code="mpesa")
    return Payee.objects.create(
        operator=operator,
        code=PAYEE_CODE,
        role=Payee.Role.GRANTEE,
        public_name="Fundi wa Kisima",
        way=Payee.Way.MOBILE,
        rail=rail,
        phone="+254711000020",
        created_at=at,
    )
