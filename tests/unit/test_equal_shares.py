"""Equal Shares on published examples, its ties, and two houses that share a budget."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.slow_count import SlowVoter
from tests.slow_count import equal_shares as slow_equal_shares
from tokens.voting import counting, equal_shares, houses, most_votes
from tokens.voting.houses import Malformed, Project, Rules, Vote, Voter

BIKE_PATH, GYM, PARK, PLAYGROUND, LIBRARY = 1, 2, 3, 4, 5
COSTS = {BIKE_PATH: 700, GYM: 400, PARK: 250, PLAYGROUND: 200, LIBRARY: 100}
# equalshares.net, "Explanation", Example 1: who of eleven voters voted for what.
EXAMPLE_1 = {
    BIKE_PATH: "XXXXXX....X",
    GYM: "XXXXXX.....",
    PARK: ".X.XX.X..X.",
    PLAYGROUND: "......XXXX.",
    LIBRARY: "......X.XX.",
}
EXAMPLE_2 = EXAMPLE_1 | {BIKE_PATH: "XXXXXX.....", GYM: "XXXXXX....X"}


def projects(costs: dict[int, int]) -> list[Project]:
    return [Project(number=number, cost_wei=cost) for number, cost in costs.items()]


def voters_of(table: dict[int, str], *, endowment: Fraction) -> list[Voter]:
    places = len(next(iter(table.values())))
    return [
        Voter(
            endowment=endowment,
            options=frozenset(number for number, row in table.items() if row[place] == "X"),
        )
        for place in range(places)
    ]


def household(*options: int, weight: int = 1) -> Vote:
    return Vote(house="households", weight=weight, options=frozenset(options))


def donor(*options: int, weight: int = 1) -> Vote:
    return Vote(house="donors", weight=weight, options=frozenset(options))


def rules(budget_wei: int, *, share: int = 8_000, support: int = 0) -> Rules:
    return Rules(
        budget_wei=budget_wei, household_share_basis_points=share, support_basis_points=support
    )


def funded(outcome: counting.Outcome) -> dict[int, str]:
    return {each.project.number: each.reason for each in outcome.decisions if each.is_funded}


def test_the_first_example_of_equalshares_net() -> None:
    bought = equal_shares.select(
        projects=projects(COSTS), voters=voters_of(EXAMPLE_1, endowment=Fraction(100))
    )
    assert [(p.project.number, p.effective_support / 100) for p in bought] == [
        (BIKE_PATH, Fraction(7)),
        (PLAYGROUND, Fraction(4)),
        (LIBRARY, Fraction(3)),
    ]
    assert bought[0].payments == dict.fromkeys([0, 1, 2, 3, 4, 5, 10], 100)
    assert bought[1].payments == dict.fromkeys([6, 7, 8, 9], 50)
    assert bought[2].payments == dict.fromkeys([6, 8, 9], Fraction(100, 3))


def test_the_second_example_of_equalshares_net() -> None:
    """Supporters who have too little left give all of it, and the others pay more."""
    gym, park, playground = equal_shares.select(
        projects=projects(COSTS), voters=voters_of(EXAMPLE_2, endowment=Fraction(100))
    )
    assert [p.project.number for p in (gym, park, playground)] == [GYM, PARK, PLAYGROUND]
    assert gym.payments == dict.fromkeys([0, 1, 2, 3, 4, 5, 10], Fraction(400, 7))
    rest = 100 - Fraction(400, 7)
    assert {park.payments[place] for place in (1, 3, 4)} == {rest}
    assert park.payments[6] == park.payments[9] == (250 - 3 * rest) / 2
    # 43 of 60.5 that others pay: "4.1" votes on the page, which rounds on its way.
    assert park.effective_support / 100 == Fraction(250) / park.payments[6]
    assert round(float(park.effective_support / 100), 1) == 4.1
    assert playground.payments[7] == playground.payments[8] == park.payments[6]


def test_what_the_second_example_leaves_over_goes_to_the_library() -> None:
    outcome = counting.count(
        method="equal_shares",
        projects=projects(COSTS),
        votes=[household(*v.options) for v in voters_of(EXAMPLE_2, endowment=Fraction(0))],
        rules=rules(1_100),
    )
    assert funded(outcome) == {
        GYM: "equal_shares",
        PARK: "equal_shares",
        PLAYGROUND: "equal_shares",
        LIBRARY: "completion",
    }
    assert (outcome.spent_wei, outcome.left_wei) == (950, 150)


def test_example_11_of_lackner_and_skowron() -> None:
    """ "Multi-Winner Voting with Approval Preferences": twelve voters, a third of a seat each."""
    ballots = ["ab"] * 3 + ["ac"] * 3 + ["ad"] * 2 + ["bcf", "e", "f", "g"]
    voters = [
        Voter(endowment=Fraction(1, 3), options=frozenset("abcdefgh".index(c) for c in ballot))
        for ballot in ballots
    ]
    (first,) = equal_shares.select(projects=projects(dict.fromkeys(range(8), 1)), voters=voters)
    assert first.project.number == 0
    assert first.payments == dict.fromkeys(range(8), Fraction(1, 8))
    assert Fraction(1, 3) - first.payments[0] == Fraction(5, 24)


def test_add1_of_wieliczka_ends_where_the_first_example_does() -> None:
    """Wieliczka raised each voter's share by one until nothing more fits: there, nothing does."""
    share = 100
    while True:
        chosen = slow_equal_shares(
            costs=COSTS,
            voters=[
                SlowVoter(endowment=v.endowment, options=v.options)
                for v in voters_of(EXAMPLE_1, endowment=Fraction(share))
            ],
        )
        numbers = [number for number, _ in chosen]
        left = 1_100 - sum(COSTS[number] for number in numbers)
        if all(cost > left for number, cost in COSTS.items() if number not in numbers):
            break
        share += 1
    outcome = counting.count(
        method="equal_shares",
        projects=projects(COSTS),
        votes=[household(*v.options) for v in voters_of(EXAMPLE_1, endowment=Fraction(0))],
        rules=rules(1_100),
    )
    assert share == 100
    assert {p.number for p in outcome.funded} == set(numbers)


def test_half_and_half_is_where_most_votes_would_give_all_to_the_larger_half() -> None:
    red, blue = range(1, 11), range(11, 21)
    votes = [household(*red)] * 51 + [household(*blue)] * 49
    costs = dict.fromkeys((*red, *blue), 100)
    by_shares, by_votes = (
        counting.count(
            method=method, projects=projects(costs), votes=votes, rules=rules(1_000)
        ).funded
        for method in counting.METHODS
    )
    # The blue half has money for 4.9 projects; its tenth share completes with a red one.
    assert [sum(p.number in colour for p in by_shares) for colour in (red, blue)] == [6, 4]
    assert all(p.number in red for p in by_votes)


def test_ties_go_to_the_lower_cost_then_to_the_greater_support_then_to_the_lower_number() -> None:
    (first, *_rest) = equal_shares.select(
        projects=projects({1: 20, 2: 10}),
        voters=[Voter(endowment=Fraction(30), options=frozenset({1, 2}))],
    )
    assert first.project.number == 2
    # Both are worth one voter's endowment now; 2 had the supporter who spent everything on 3.
    bought = equal_shares.select(
        projects=projects({1: 10, 2: 10, 3: 10}),
        voters=[
            Voter(endowment=Fraction(5), options=frozenset({2, 3})),
            Voter(endowment=Fraction(5), options=frozenset({3})),
            Voter(endowment=Fraction(10), options=frozenset({1, 2})),
        ],
    )
    assert [p.project.number for p in bought] == [2]
    (first, *_rest) = equal_shares.select(
        projects=projects({2: 10, 1: 10}),
        voters=[Voter(endowment=Fraction(20), options=frozenset({1, 2}))],
    )
    assert first.project.number == 1


def test_a_weight_may_be_divided_among_several_without_any_difference() -> None:
    whole = [donor(1, weight=6), donor(2, weight=3), household(1, 3), household(2, 3)]
    parts = [
        *[donor(1, weight=2)] * 3,
        donor(2, weight=1),
        donor(2, weight=2),
        household(1, 3),
        household(2, 3),
    ]
    costs = {1: 300, 2: 200, 3: 450}
    one, other = (
        counting.count(
            method="equal_shares", projects=projects(costs), votes=votes, rules=rules(1_000)
        )
        for votes in (whole, parts)
    )
    assert one.decisions == other.decisions
    assert [p.effective_support for p in one.purchases] == [
        p.effective_support for p in other.purchases
    ]


def test_each_house_has_its_share_by_weight() -> None:
    votes = [household(1), household(1, weight=3), donor(1, weight=10**18), donor(1, weight=0)]
    endowed = houses.voters(votes=votes, rules=rules(1_001, share=8_000))
    assert [voter.endowment for voter in endowed] == [
        Fraction(1_001 * 8, 40),
        Fraction(1_001 * 24, 40),
        Fraction(1_001, 5),
        0,
    ]
    assert sum(voter.endowment for voter in endowed) == 1_001


@pytest.mark.parametrize("votes", [[household(1), donor(1, weight=0)], [donor(1), donor(1)]])
def test_a_house_without_a_vote_that_counts_leaves_its_share_to_the_other(
    votes: list[Vote],
) -> None:
    endowed = houses.voters(votes=votes, rules=rules(1_000))
    assert sum(voter.endowment for voter in endowed) == 1_000


def test_without_any_vote_nothing_is_funded() -> None:
    for votes in ([], [household(1, weight=0)]):
        outcome = counting.count(
            method="equal_shares",
            projects=projects({1: 10}),
            votes=votes,
            rules=rules(1_000, support=2_500),
        )
        assert outcome.funded == ()
        assert outcome.left_wei == 1_000


def test_a_project_needs_a_quarter_of_the_voting_households() -> None:
    votes = [household(1), household(2), household(2), household(2), donor(1, weight=9)]
    outcome = counting.count(
        method="equal_shares",
        projects=projects({1: 200, 2: 500}),
        votes=votes,
        rules=rules(1_000, support=2_500),
    )
    assert set(funded(outcome)) == {1, 2}
    outcome = counting.count(
        method="equal_shares",
        projects=projects({1: 200, 2: 500}),
        votes=[*votes, household(2)],
        rules=rules(1_000, support=2_500),
    )
    assert set(funded(outcome)) == {2}
    assert outcome.decisions[-1].reason == "too_few_households"


def test_a_household_whose_vote_weighs_nothing_is_no_voting_household() -> None:
    votes = [household(1), household(2, weight=0), household(2, weight=0), household(1)]
    assert houses.voting_households(votes=votes) == 2
    assert houses.supporting_households(number=2, votes=votes) == 0


def test_donors_alone_fund_nothing_where_households_have_to_support_it() -> None:
    outcome = counting.count(
        method="most_votes",
        projects=projects({1: 10}),
        votes=[donor(1)],
        rules=rules(1_000, support=1),
    )
    assert outcome.funded == ()


def test_most_votes_passes_over_what_costs_too_much_and_goes_on() -> None:
    chosen = most_votes.select(
        projects=projects({1: 60, 2: 60, 3: 40, 4: 1}),
        voters=[
            Voter(endowment=Fraction(2), options=frozenset({1, 2, 3})),
            Voter(endowment=Fraction(1), options=frozenset({1})),
        ],
        budget_wei=100,
    )
    assert [p.number for p in chosen] == [1, 3]


def test_more_money_can_buy_another_project_instead() -> None:
    """So it is for the method as published: what voters pay for first leaves them with less."""
    votes = [household(1), household(1, 2)]
    bought = [
        [
            purchase.project.number
            for purchase in counting.count(
                method="equal_shares",
                projects=projects({1: 7, 2: 3}),
                votes=votes,
                rules=rules(budget, share=10_000),
            ).purchases
        ]
        for budget in (6, 7, 10, 13)
    ]
    assert bought == [[2], [1], [1], [1, 2]]


@pytest.mark.parametrize(
    ("listed", "votes", "told"),
    [
        ([(1, 5), (1, 6)], [], "same number"),
        ([(1, 0)], [], "costs nothing"),
        ([(1, 5)], [household(2)], "no project 2"),
        ([(1, 5)], [household(1, weight=-1)], "below zero"),
        ([(1, 5)], [Vote(house="guests", weight=1, options=frozenset())], "no house"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_vote_is_refused(
    listed: list[tuple[int, int]], votes: list[Vote], told: str
) -> None:
    with pytest.raises(Malformed, match=told):
        counting.count(
            method="equal_shares",
            projects=[Project(number=n, cost_wei=c) for n, c in listed],
            votes=votes,
            rules=rules(100),
        )


@pytest.mark.parametrize(("share", "support", "budget"), [(10_001, 0, 1), (0, -1, 1), (0, 0, -1)])
def test_rules_that_make_no_sense_are_refused(share: int, support: int, budget: int) -> None:
    with pytest.raises(Malformed):
        counting.count(
            method="most_votes",
            projects=[],
            votes=[],
            rules=rules(budget, share=share, support=support),
        )
