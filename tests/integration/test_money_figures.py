"""The money of a site adds up to the wei: what came in, what was collected, pools and payouts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.db.models import Sum
from django.utils import timezone

import tokens.deposited
from accounts import amounts, claims, rollover, site_rates, take_backs
from accounts.fields import WeiField
from accounts.intents import Reason
from accounts.models import LedgerAccount, PayerClaim, Posting, Rail, User
from dashboard import flow, money_figures
from dashboard.money_figures import Money
from settlement import deposited, queries, settle
from settlement.deposited import Movement, Way
from tests.living_village import live
from tests.paybacks import pay
from tests.paying_out import approved, earn_revenue, reserve_grants
from tests.village import RATE, Village
from tests.worked_village import WorkedVillage, work

pytestmark = pytest.mark.django_db

FUNDS = ("household_funds", "household_repayment")
KNOWN = ("top_up", "take_back", "put_back", "deposit", rollover.ENTRY_KIND)
"""Kinds of entries that move money to and from households' funds, but for what is collected."""


@pytest.fixture
def at() -> datetime:
    return timezone.now()


@pytest.fixture
def worked(now: datetime) -> WorkedVillage:
    return work(at=now)


def moved(village: Village) -> list[Movement]:
    site = village.site
    return [*deposited.movements(site=site), *tokens.deposited.movements(site=site)]


def posted(village: Village, *, kinds: tuple[str, ...] | None = None) -> int:
    """What entries (of some kinds) moved on households' funds, by the ledger itself."""
    rows = Posting.objects.filter(
        book_id=village.site.book.pk, account__kind__in=FUNDS, asset="DAI"
    )
    if kinds is not None:
        rows = rows.filter(entry__kind__in=kinds)
    return rows.aggregate(total=Sum("amount", output_field=WeiField()))["total"] or 0


def stands(village: Village) -> int:
    rows = LedgerAccount.objects.filter(book_id=village.site.book.pk, kind__in=FUNDS)
    return sum(rows.values_list("amount", flat=True))


def assert_it_adds_up(village: Village) -> None:
    came = sum(each.amount_wei for each in moved(village))
    found = queries.flow(site=village.site)

    assert came == posted(village, kinds=KNOWN)
    other = stands(village) - posted(village, kinds=(*KNOWN, "settlement", "rebate"))
    assert came + other == found.revenue_wei + stands(village)
    assert found.revenue_wei == sum(pool.received_wei for pool in found.pools)
    due = amounts.of_site(site=village.site).get(("payout_due", "", "DAI"), 0)
    assert due == sum(pool.due_wei for pool in found.pools)
    for pool in found.pools:
        paid = sum(each.amount_wei for each in found.paid_out if each.pool == pool.name)
        assert paid == pool.paid_wei


def test_what_came_in_is_what_was_collected_and_what_households_have_left(
    worked: WorkedVillage,
) -> None:
    assert_it_adds_up(worked.village)
    assert {each.way for each in moved(worked.village)} == {Way.MOBILE, Way.CASH}


def test_only_the_operators_pool_is_corrected_by_what_it_bears_of_claims(
    worked: WorkedVillage,
) -> None:
    found = {pool.name: pool for pool in queries.flow(site=worked.village.site).pools}
    claims = Posting.objects.filter(entry__kind__in=("claim_settled", "claim_written_off"))
    borne = sum(claims.filter(account__kind="pool").values_list("amount", flat=True))

    assert found["operator"].corrected_wei == borne < 0
    assert {name for name, pool in found.items() if pool.corrected_wei} == {"operator"}


def test_compensation_for_a_change_of_the_rate_comes_in_too(
    worked: WorkedVillage, now: datetime
) -> None:
    village = worked.village
    site_rates.publish(
        site=village.site, local_per_dai=RATE / 2, starts_at=now + timedelta(days=1), at=now
    )
    rollover.run_due(at=now + timedelta(days=1))

    given = [each for each in moved(village) if each.way == Way.COMPENSATION]
    assert sum(each.amount_wei for each in given) > 0
    assert_it_adds_up(village)


@pytest.mark.parametrize("close", [None, claims.settle, claims.write_off])
def test_what_was_taken_back_and_came_again_is_counted_as_the_ledger_has_it(
    village: Village, now: datetime, close: Callable[..., PayerClaim] | None
) -> None:
    """A payer takes back what was used already, and puts it back: whose the claim was matters."""
    household = village.household("KIS0001")
    village.price(ticks=5_000, starts_at=village.founded_at)
    payment = pay(village, "KIS0001", at=now, amount_minor=2_000, fee_minor=0)
    village.read(
        "SM0001",
        starts_at=now - timedelta(minutes=15),
        energy_milliwatt_hours=1_000_000,
        at=now,
    )
    settle.run_all(site_id=village.site.pk, at=now)
    taken = take_backs.take(
        payment=payment,
        amount_minor=payment.amount_minor,
        reason=Reason.REVERSAL,
        key="back",
        occurred_at=now,
        at=now,
    )
    assert taken.claim_wei > 0
    assert_it_adds_up(village)
    if close is not None:
        by = User.objects.create_user("clerk", is_staff=True, operator=village.operator)
        close(claim=taken.claim, note="by hand", by=by, at=now)
    take_backs.put_back(take_back=taken, occurred_at=now, at=now)

    assert_it_adds_up(village)
    came = sum(each.amount_wei for each in moved(village))
    made_good_wei = taken.claim_wei if close is claims.settle else 0
    assert came == payment.credited_wei + made_good_wei
    assert {each.household_id for each in moved(village)} == {household.pk}


def test_money_outside_any_way_is_the_only_thing_that_is_missing(at: datetime) -> None:
    village = live(now=at).village
    household = village.household("KIS0077", phone="+254711000077")
    village.fund(household, amount_wei=12_345, at=at)

    came = sum(each.amount_wei for each in moved(village))
    collected = queries.flow(site=village.site).revenue_wei
    assert collected + stands(village) - came == 12_345


@pytest.fixture
def paying(at: datetime) -> Village:
    """200 DAI collected: 10 on their way to a contractor, 7 reserved for a vote's projects."""
    village = Village.found(at=at)
    earn_revenue(village)
    approved(village)
    reserve_grants(village, dai=7)
    return village


def test_every_pool_holds_what_it_received_less_what_is_reserved_or_on_its_way(
    paying: Village,
) -> None:
    found = {pool.name: pool for pool in queries.flow(site=paying.site).pools}

    assert found["contractor"].due_wei == found["contractor"].received_wei - (
        found["contractor"].held_wei
    )
    assert found["grant"].reserved_wei == 7 * 10**18
    assert not any(pool.corrected_wei for pool in found.values())
    assert_it_adds_up(paying)


def drawn(money: Money) -> dict[str, int]:
    """The sums of the picture by node; laying it out refuses what does not add up."""
    nodes, links = money_figures.diagram(money)
    picture = flow.lay_out(nodes=nodes, links=links)
    return {bar.node.key: bar.amount_wei for bar in picture.bars}


def test_the_picture_of_a_worked_village_adds_up(worked: WorkedVillage, now: datetime) -> None:
    money = money_figures.gather(site=worked.village.site, at=now + timedelta(days=1))
    sums = drawn(money)

    assert sums["revenue"] == money.flow.revenue_wei
    assert sums["returned:operator"] == -money.flow.pools[3].corrected_wei


def test_too_few_households_are_not_told_though_what_was_collected_is(paying: Village) -> None:
    tomorrow = timezone.now() + timedelta(days=1)
    money = money_figures.gather(site=paying.site, at=tomorrow)

    assert money.ways == ()
    assert drawn(money)["untold"] == money.flow.revenue_wei


def test_enough_households_are_told_from_the_next_day_on(at: datetime) -> None:
    village = live(now=at).village
    today = money_figures.gather(site=village.site, at=at - timedelta(hours=6))
    later = money_figures.gather(site=village.site, at=at + timedelta(days=1))

    assert today.ways == ()
    assert [each.way for each in later.ways] == [Way.MOBILE]
    assert later.told_wei == stands(village) + later.flow.revenue_wei
    assert drawn(later)["left"] == stands(village)


def test_a_pool_below_zero_is_borne_by_the_operator() -> None:
    pool = queries.PoolFlow(name="operator", received_wei=10, held_wei=-5, paid_wei=9)
    paid = queries.PaidOut(
        pool="operator",
        role="operator",
        public_name="Jua",
        amount_wei=9,
        payouts=1,
        last_paid_at=timezone.now(),
    )
    reserve = queries.PoolFlow(name="reserve", received_wei=20, held_wei=20)
    sums = drawn(_money(pools=(pool, reserve), revenue_wei=30, told_wei=40, paid_out=(paid,)))

    assert sums["corrected:operator"] == 5
    assert sums["returned:operator"] == 6
    assert sums["left"] == 10


def test_an_operator_whose_share_of_revenue_is_below_zero_bears_it() -> None:
    pool = queries.PoolFlow(name="operator", received_wei=-5, held_wei=-5)
    reserve = queries.PoolFlow(name="reserve", received_wei=20, held_wei=20)
    sums = drawn(_money(pools=(pool, reserve), revenue_wei=15, told_wei=40))

    assert sums["borne"] == 5
    assert sums["revenue"] == 20


def test_a_way_that_gave_back_more_than_it_brought_takes_it_from_the_others() -> None:
    reserve = queries.PoolFlow(name="reserve", received_wei=20, held_wei=20)
    money = _money(pools=(reserve,), revenue_wei=20, told_wei=40, taken_wei=15)
    sums = drawn(money)

    assert sums["taken"] == 15
    assert sums["left"] == 5


def test_payees_beyond_the_third_of_a_pool_are_one_node(at: datetime) -> None:
    paid = tuple(
        queries.PaidOut(
            pool="contractor",
            role="contractor",
            public_name=f"Jua {number}",
            amount_wei=10 - number,
            payouts=1,
            last_paid_at=at,
        )
        for number in range(5)
    )
    pool = queries.PoolFlow(name="contractor", received_wei=40, held_wei=0, paid_wei=40)
    sums = drawn(_money(pools=(pool,), revenue_wei=40, told_wei=40, paid_out=paid))

    assert sums["paid:contractor:"] == 7 + 6
    assert sums["paid:contractor:Jua 0"] == 10


def test_the_rails_that_there_are_each_belong_to_a_way() -> None:
    assert set(deposited.WAY_OF) == set(Rail.Provider)


def _money(
    *,
    pools: tuple[queries.PoolFlow, ...],
    revenue_wei: int,
    told_wei: int,
    taken_wei: int = 0,
    paid_out: tuple[queries.PaidOut, ...] = (),
) -> Money:
    until = date(2026, 3, 1)
    ways = [deposited.Told(way=Way.MOBILE, amount_wei=told_wei, until=until)]
    if taken_wei:
        ways.append(deposited.Told(way=Way.CARD, amount_wei=-taken_wei, until=until))
    return Money(
        ways=tuple(ways),
        flow=queries.Flow(revenue_wei=revenue_wei, pools=pools, paid_out=paid_out),
        donated_wei=0,
        booked_at=None,
    )
