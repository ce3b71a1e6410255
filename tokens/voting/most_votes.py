"""Most votes first, as long as the money lasts; also what completes Equal Shares. Pure; exact.

Projects are taken by weighted support (the endowments of those who support them), ties by lower
cost, then by lower number. One that costs more than is left is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokens.voting.houses import Project, Voter, support


def select(
    *, projects: Iterable[Project], voters: Sequence[Voter], budget_wei: int
) -> tuple[Project, ...]:
    """Return what the budget is spent on, in the order of being chosen.

    A project that nobody with money supports is not chosen.
    """
    supports = {project: support(number=project.number, voters=voters) for project in set(projects)}
    chosen, left_wei = [], budget_wei
    for project in sorted(supports, key=lambda p: (-supports[p], p.cost_wei, p.number)):
        if supports[project] and project.cost_wei <= left_wei:
            chosen.append(project)
            left_wei -= project.cost_wei
    return tuple(chosen)
