"""What the tests of votes over hooks and pages share: a village of today with an open round."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from tests.voting_village import VotingVillage
from tokens.models import Round

CENT = 10**16


def some_while_ago() -> datetime:
    """The start of a slot an hour or more ago."""
    return timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)


@pytest.fixture
def voting(db: None) -> VotingVillage:
    """The village as it stands today; wrong PINs of other tests are forgotten."""
    cache.clear()
    return VotingVillage.found(at=some_while_ago())


@pytest.fixture
def round_(voting: VotingVillage) -> Round:
    """Open, with three projects."""
    return voting.open(20 * CENT, 15 * CENT, 10 * CENT)
