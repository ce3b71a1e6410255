"""Bodies of votes, from their rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.api import shapes
from tokens.models import Proposal, Round


def summary(round_: Round) -> dict[str, Any]:
    """Round."""
    return {
        "number": round_.number,
        "id": str(round_.uid),
        "title": round_.title,
        "title_fr": round_.title_fr,
        "state": round_.state,
        "reason": round_.reason,
        "budget": shapes.dai(round_.budget_wei),
        "reserved": shapes.dai(round_.reserved_wei),
        "opens_at": shapes.instant(round_.opens_at),
        "closes_at": shapes.instant(round_.closes_at),
        "counted_at": shapes.instant_or_none(round_.counted_at),
        "method": round_.method,
        "household_share_basis_points": round_.household_share_basis_points,
        "support_basis_points": round_.support_basis_points,
        "household_weight": round_.household_weight,
        "donor_weight": round_.donor_weight,
        "result_hash": round_.result_hash,
    }


def detail(round_: Round, *, projects: Iterable[Proposal]) -> dict[str, Any]:
    """RoundDetail."""
    return {
        **summary(round_),
        "projects": [
            {
                "number": project.number,
                "title": project.title,
                "title_fr": project.title_fr,
                "text": project.text,
                "cost": shapes.dai(project.cost_wei),
                "state": project.state,
                "reason": project.reason,
                "what_became": project.what_became,
            }
            for project in projects
        ],
    }
