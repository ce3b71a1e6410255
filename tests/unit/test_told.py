"""What came in is told by whole days, and of at least five households together."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from settlement.deposited import Movement, Told, Way, told

FIRST = date(2026, 3, 1)
AFTER = date(2026, 4, 1)


def moved(day: int, household: int, amount_wei: int = 10, way: Way = Way.MOBILE) -> Movement:
    return Movement(
        way=way,
        day=FIRST + timedelta(days=day),
        amount_wei=amount_wei,
        household_id=household,
    )


def of_five(*movements: Movement, before: date = AFTER) -> list[Told]:
    return told(movements=movements, before=before, fewest=5)


def test_five_households_on_one_day_are_told() -> None:
    found = of_five(*(moved(0, household) for household in range(5)))

    assert found == [Told(way=Way.MOBILE, amount_wei=50, until=FIRST)]


def test_four_households_are_not_however_often_they_pay() -> None:
    assert of_five(*(moved(day, household) for day in range(9) for household in range(4))) == []


def test_days_wait_for_each_other_until_five_households_moved() -> None:
    found = of_five(*(moved(day, household=day) for day in range(7)))

    # The sixth and seventh day wait for three more households.
    assert found == [Told(way=Way.MOBILE, amount_wei=50, until=FIRST + timedelta(days=4))]


def test_a_day_that_is_not_over_is_not_told() -> None:
    movements = [moved(0, household) for household in range(5)]

    assert of_five(*movements, before=FIRST) == []
    assert len(of_five(*movements, before=FIRST + timedelta(days=1))) == 1


def test_what_is_taken_back_comes_off_once_five_households_moved() -> None:
    paid = [moved(0, household) for household in range(5)]
    back = moved(1, 0, amount_wei=-10)
    others = [moved(2, household) for household in range(1, 5)]

    assert of_five(*paid, back)[0].amount_wei == 50
    assert of_five(*paid, back, *others)[0].amount_wei == 80


def test_each_way_counts_for_itself_in_the_order_of_the_ways() -> None:
    cash = [moved(1, household, way=Way.CASH) for household in range(6)]
    cards = [moved(0, household, way=Way.CARD) for household in range(4)]
    mobile = [moved(0, household) for household in range(5)]

    assert [each.way for each in of_five(*cash, *cards, *mobile)] == [Way.MOBILE, Way.CASH]


def test_households_without_a_name_count_as_so_many_but_as_the_same_every_day() -> None:
    given_to = [
        Movement(way=Way.COMPENSATION, day=FIRST + timedelta(days=day), amount_wei=7, households=3)
        for day in range(4)
    ]
    enough = Movement(
        way=Way.COMPENSATION, day=FIRST + timedelta(days=9), amount_wei=7, households=5
    )

    assert of_five(*given_to) == []
    assert of_five(*given_to, enough)[0].amount_wei == 35


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7), st.integers(-50, 100)), max_size=60),
    st.integers(0, 10),
)
def test_what_a_later_day_adds_always_hides_at_least_five_households(
    paid: list[tuple[int, int, int]], day: int
) -> None:
    movements = [moved(*each) for each in paid]
    before = FIRST + timedelta(days=day)
    early = told(movements=movements, before=before, fewest=5)
    late = told(movements=movements, before=before + timedelta(days=1), fewest=5)

    since = early[0].until if early else FIRST - timedelta(days=1)
    until = late[0].until if late else since
    between = [each for each in movements if since < each.day <= until]
    assert until == since or len({each.household_id for each in between}) >= 5
    assert sum(each.amount_wei for each in late) - sum(each.amount_wei for each in early) == sum(
        each.amount_wei for each in between
    )
