"""A count step by step, for whoever wants to follow it by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from accounts.money import dai_string
from tokens.voting import houses
from tokens.voting.counting import Decision, Outcome
from tokens.voting.equal_shares import Purchase
from tokens.voting.houses import HOUSES
from tokens.voting.published import Record

REASONS = {
    "equal_shares": "bought by its supporters' shares",
    "completion": "taken by most votes, out of what the shares left",
    "most_votes": "taken by most votes",
    "too_few_households": "supported by too few of the voting households",
    "no_money_left": "costs more than is left for it, or nobody's vote supports it",
}


def lines(*, record: Record, outcome: Outcome) -> Iterator[str]:
    """Yield what the count does, from the money to the last project. Amounts in DAI, cut at wei."""
    yield from _money(record)
    yield from _support(record)
    if record.heading.method == "equal_shares":
        yield "Method of Equal Shares:"
        for step, purchase in enumerate(outcome.purchases, start=1):
            yield f"  {step}. {_bought(purchase)}"
        if not outcome.purchases:
            yield "  no project can be paid by its supporters' shares"
    yield "Result:"
    titles = {project.number: project.title for project in record.projects}
    for decision in outcome.decisions:
        yield f"  {_decided(decision, title=titles[decision.project.number])}"
    yield f"Spent {dai_string(outcome.spent_wei)} DAI, left {dai_string(outcome.left_wei)} DAI."


def _money(record: Record) -> Iterator[str]:
    heading, rules = record.heading, record.heading.rules
    yield f"Round {heading.number} of {heading.site}: {heading.title}"
    yield (
        f"Budget {dai_string(rules.budget_wei)} DAI: the round's {dai_string(heading.budget_wei)},"
        f" no more than the grant pool's {dai_string(heading.grant_pool_wei)}."
    )
    voters = houses.voters(votes=record.votes, rules=rules)
    for house in HOUSES:
        counting = [
            voter
            for vote, voter in zip(record.votes, voters, strict=True)
            if vote.house == house and vote.weight
        ]
        share = sum((voter.endowment for voter in counting), start=Fraction(0))
        yield f"  {house}: {len(counting)} votes that count, {_dai(share)} DAI between them"


def _support(record: Record) -> Iterator[str]:
    rules, votes = record.heading.rules, record.votes
    yield (
        f"Support of {rules.support_basis_points} in 10,000 of"
        f" {houses.voting_households(votes=votes)} voting households is needed:"
    )
    for project in record.in_order:
        households = houses.supporting_households(number=project.number, votes=votes)
        is_enough = houses.is_supported(number=project.number, votes=votes, rules=rules)
        yield (
            f"  project {project.number}: {households} households,"
            f" {'enough' if is_enough else 'too few'}"
        )


def _bought(purchase: Purchase) -> str:
    project = purchase.project
    paid = sorted(set(purchase.payments.values()))
    each = f"{_dai(paid[-1])} DAI each"
    if len(paid) > 1:
        each = f"from {_dai(paid[0])} to {_dai(paid[-1])} DAI each"
    return (
        f"project {project.number} for {dai_string(project.cost_wei)} DAI:"
        f" {len(purchase.payments)} voters pay {each};"
        f" effective support {_dai(purchase.effective_support)} DAI"
    )


def _decided(decision: Decision, *, title: str) -> str:
    verdict = "FUNDED" if decision.is_funded else "not funded"
    return (
        f"project {decision.project.number}, {title},"
        f" {dai_string(decision.project.cost_wei)} DAI: {verdict},"
        f" {REASONS[decision.reason]}; support {_dai(decision.support)} DAI"
    )


def _dai(wei: Fraction) -> str:
    return dai_string(int(wei // 1))
