"""The contract of providers: a rig for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import PaymentAttempt
from tests.contracts.rigs import RIGS, Rig
from tests.contracts.rigs.opening import opened


@pytest.fixture(params=RIGS)
def rig(db: None, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """One provider after the other, over a sandbox of its own."""
    with opened(RIGS[request.param]) as rig:
        yield rig


@pytest.fixture
def attempt(rig: Rig) -> PaymentAttempt:
    """The household wants to pay; not submitted yet."""
    return rig.asked()
