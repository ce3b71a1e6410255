"""A village with its model beside it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.twin import Twin


@pytest.fixture
def twin(db: None, now: datetime) -> Twin:
    """Kisima with a price and one household, KIS0001 with meter SM0001, that has no funds."""
    twin = Twin.found(at=now)
    twin.price(ticks=3_000, starts_at=twin.village.founded_at)
    twin.household("KIS0001")
    return twin


@pytest.fixture
def slot(now: datetime) -> datetime:
    """A slot that ended: 11:15 to 11:30 in Nairobi."""
    return now - timedelta(minutes=45)
