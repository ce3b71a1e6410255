"""Counting, against the definition tried out slowly, and what must hold of every count."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.slow_count import SlowVoter
from tests.slow_count import equal_shares as slow_equal_shares
from tokens.voting import counting, equal_shares, houses
from tokens.voting.houses import HOUSES, Project, Rules, Vote, Voter

NUMBERS = range(1, 6)

costs_by_number = st.dictionaries(st.sampled_from(NUMBERS), st.integers(1, 60), min_size=1)
choices = st.frozensets(st.sampled_from(NUMBERS))


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[Project], list[Vote], Rules]:
    costs = draw(costs_by_number)
    votes = draw(
        st.lists(
            st.builds(
                Vote,
                house=st.sampled_from(HOUSES),
                weight=st.integers(0, 5) | st.just(10**18),
                options=st.frozensets(st.sampled_from(sorted(costs))),
            ),
            max_size=7,
        )
    )
    rules = Rules(
        budget_wei=draw(st.integers(0, 120)),
        household_share_basis_points=draw(st.sampled_from([0, 2_500, 8_000, 10_000])),
        support_basis_points=draw(st.sampled_from([0, 2_500, 5_000])),
    )
    return [Project(number=n, cost_wei=c) for n, c in costs.items()], votes, rules


voters = st.lists(
    st.builds(
        Voter,
        endowment=st.fractions(min_value=0, max_value=20, max_denominator=6),
        options=choices,
    ),
    max_size=6,
)


@given(costs_by_number, voters)
def test_equal_shares_buys_what_the_definition_says(
    costs: dict[int, int], electorate: list[Voter]
) -> None:
    fast = equal_shares.select(
        projects=[Project(number=n, cost_wei=c) for n, c in costs.items()], voters=electorate
    )
    slow = slow_equal_shares(
        costs=costs,
        voters=[SlowVoter(endowment=v.endowment, options=v.options) for v in electorate],
    )
    assert [(p.project.number, dict(p.payments)) for p in fast] == slow


@given(costs_by_number, voters)
def test_supporters_alone_pay_exactly_and_within_their_means(
    costs: dict[int, int], electorate: list[Voter]
) -> None:
    """The bought projects are priceable, and what is left would pay for no other one."""
    projects = [Project(number=n, cost_wei=c) for n, c in costs.items()]
    bought = equal_shares.select(projects=projects, voters=electorate)
    left = [voter.endowment for voter in electorate]
    for purchase in bought:
        assert sum(purchase.payments.values()) == purchase.project.cost_wei
        for place, paid in purchase.payments.items():
            assert purchase.project.number in electorate[place].options
            assert 0 < paid <= purchase.part * electorate[place].endowment
            left[place] -= paid
    assert min(left, default=Fraction(0)) >= 0
    for project in set(projects) - {purchase.project for purchase in bought}:
        friends = (p for p, v in enumerate(electorate) if project.number in v.options)
        assert sum(left[p] for p in friends) < project.cost_wei


@given(elections())
def test_the_budget_is_never_exceeded(
    election: tuple[list[Project], list[Vote], Rules],
) -> None:
    projects, votes, rules = election
    for method in counting.METHODS:
        outcome = counting.count(method=method, projects=projects, votes=votes, rules=rules)
        spent = sum(project.cost_wei for project in outcome.funded)
        assert spent == outcome.spent_wei <= rules.budget_wei
        assert outcome.left_wei == rules.budget_wei - spent
        assert {d.project for d in outcome.decisions} == set(projects)


@given(elections())
def test_what_is_funded_has_its_support(
    election: tuple[list[Project], list[Vote], Rules],
) -> None:
    projects, votes, rules = election
    for method in counting.METHODS:
        outcome = counting.count(method=method, projects=projects, votes=votes, rules=rules)
        for project in outcome.funded:
            households = [v for v in votes if v.house == "households" and v.weight]
            supporting = sum(project.number in v.options for v in households)
            assert supporting * 10_000 >= rules.support_basis_points * len(households)
            assert any(project.number in v.options and v.weight for v in votes)


@given(elections())
def test_nothing_that_is_wanted_and_fits_is_left_out(
    election: tuple[list[Project], list[Vote], Rules],
) -> None:
    projects, votes, rules = election
    for method in counting.METHODS:
        outcome = counting.count(method=method, projects=projects, votes=votes, rules=rules)
        for each in outcome.decisions:
            if each.reason == "no_money_left":
                assert each.project.cost_wei > outcome.left_wei or each.support == 0


@given(elections(), st.randoms(use_true_random=False))
def test_the_order_of_ballots_and_projects_does_not_matter(
    election: tuple[list[Project], list[Vote], Rules], shuffler: object
) -> None:
    projects, votes, rules = election
    before = counting.count(method="equal_shares", projects=projects, votes=votes, rules=rules)
    projects, votes = projects.copy(), votes.copy()
    shuffler.shuffle(projects)  # type: ignore[attr-defined]
    shuffler.shuffle(votes)  # type: ignore[attr-defined]
    after = counting.count(method="equal_shares", projects=projects, votes=votes, rules=rules)
    assert after.decisions == before.decisions


@given(elections(), st.integers(1, 4))
def test_twice_the_ballots_change_nothing(
    election: tuple[list[Project], list[Vote], Rules], times: int
) -> None:
    projects, votes, rules = election
    one, many = (
        counting.count(method="equal_shares", projects=projects, votes=cast, rules=rules)
        for cast in (votes, votes * times)
    )
    assert one.decisions == many.decisions


@given(elections(), st.frozensets(st.sampled_from(NUMBERS), min_size=1))
def test_a_cohesive_group_gets_its_share(
    election: tuple[list[Project], list[Vote], Rules], wanted: frozenset[int]
) -> None:
    """EJR up to one project, with costs as utilities: of a group whose money pays for all that it
    wants together, somebody gets at least as much of it, but for one project."""
    projects, votes, rules = election
    rules = Rules(
        budget_wei=rules.budget_wei,
        household_share_basis_points=rules.household_share_basis_points,
        support_basis_points=0,
    )
    costs = {project.number: project.cost_wei for project in projects}
    if not wanted <= costs.keys():
        return
    electorate = houses.voters(votes=votes, rules=rules)
    group = [v for v in electorate if wanted <= v.options and v.endowment]
    wish = sum(costs[number] for number in wanted)
    if not group or sum(v.endowment for v in group) < wish:
        return
    outcome = counting.count(method="equal_shares", projects=projects, votes=votes, rules=rules)
    bought = {purchase.project.number for purchase in outcome.purchases}
    assert any(
        wanted <= bought
        or any(
            sum(costs[n] for n in v.options & (bought | {one_more})) > wish
            for one_more in wanted - bought
        )
        for v in group
    )


@given(
    st.dictionaries(st.sampled_from(NUMBERS), st.integers(1, 60), min_size=1),
    st.lists(st.sampled_from(NUMBERS), max_size=8),
    st.integers(0, 120),
    st.integers(0, 60),
)
def test_where_each_voter_wants_one_project_more_money_buys_no_less(
    costs: dict[int, int], wishes: list[int], budget_wei: int, more_wei: int
) -> None:
    """In general it may: whom a project is bought with changes. Not where voters share nothing."""
    projects = [Project(number=n, cost_wei=c) for n, c in costs.items()]
    votes = [
        Vote(house="households", weight=1, options=frozenset({wish}))
        for wish in wishes
        if wish in costs
    ]

    def bought(budget: int) -> set[int]:
        rules = Rules(
            budget_wei=budget, household_share_basis_points=10_000, support_basis_points=0
        )
        outcome = counting.count(method="equal_shares", projects=projects, votes=votes, rules=rules)
        return {purchase.project.number for purchase in outcome.purchases}

    assert bought(budget_wei) <= bought(budget_wei + more_wei)
