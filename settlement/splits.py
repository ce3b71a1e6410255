"""Publishing split versions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import Site
from settlement.models import SplitLine, SplitVersion
from settlement.split import BadSplit, check_shares

LAST_LINE = "operator"
TOTAL = "revenue"


def check(*, lines: Sequence[tuple[str, int]]) -> None:
    """Raise BadSplit unless the lines sum to 10,000 and end with the operator."""
    check_shares(shares_basis_points=[share for _, share in lines])
    names = [name for name, _ in lines]
    if names[-1] != LAST_LINE or len(set(names)) != len(names):
        raise BadSplit("each line needs a name of its own, and the last one is the operator's")
    if TOTAL in names:
        raise BadSplit(f"a line can't be named {TOTAL}: that is what all lines sum to")


def publish(
    *, site: Site, lines: Sequence[tuple[str, int]], valid_from: datetime, at: datetime
) -> SplitVersion:
    """Publish ordered (name, basis points of what is paid) lines; the operator's is the last.

    Raises BadSplit unless they sum to 10,000 and end with the operator.
    """
    check(lines=lines)
    with transaction.atomic():
        version = SplitVersion.objects.create(
            site=site,
            version=SplitVersion.objects.filter(site=site).count() + 1,
            valid_from=valid_from,
            created_at=at,
        )
        SplitLine.objects.bulk_create(
            SplitLine(version=version, position=position, name=name, share_basis_points=share)
            for position, (name, share) in enumerate(lines, start=1)
        )
    return version
