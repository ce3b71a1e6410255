"""Killed between the entry and the mark, a deposit is credited once all the same."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from accounts import deposits as ledger_side
from accounts import donors_index
from accounts.deposits import AlreadyCredited, FinalDeposit
from accounts.models import JournalEntry, Notice
from tests.chain_node import ChainNode
from tests.deposit_chain import WEI, Deployment, DepositChain, assert_books_hold, states
from tests.integration.deposit_fixtures import chain_node, chained, deployed
from tokens import quotes
from tokens.chain import final, watcher
from tokens.chain.client import Chain
from tokens.models import Deposit

__all__ = ["chain_node", "chained", "deployed"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "owner"])


@pytest.fixture
def here(
    deployed: Deployment, chained: ChainNode, transactional_db: None
) -> Iterator[DepositChain]:
    """Kisima in a database whose commits other processes see."""
    yield DepositChain.found(deployed=deployed, at=timezone.now())


def killed_when(saves: Any, *, chain: Chain) -> int:
    """Credit in a child process that kills itself where told; the signal it died of."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            saves()
            final.credit_final(chain=chain, at=timezone.now())
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _kill(*_args: Any, **_fields: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def before_the_mark() -> None:
    """The entry is posted, the deposit is not marked yet."""
    Deposit.save = _kill  # type: ignore[method-assign]


def after_the_entry_of_a_donation() -> None:
    """The entry is posted, the position is not opened yet."""
    setattr(donors_index, "donate", _kill)  # noqa: B010 - a module's function


@pytest.mark.parametrize("moment", [before_the_mark, after_the_entry_of_a_donation])
def test_who_dies_between_the_entry_and_the_mark_leaves_neither(
    here: DepositChain, moment: Any
) -> None:
    here.pay(here.forwarder(), 5 * WEI)
    here.pay(here.donors_forwarder(), 7 * WEI)
    here.node.finalize()
    here.watch()
    assert killed_when(moment, chain=here.chain) == signal.SIGKILL
    assert states().count("seen") >= 1
    assert JournalEntry.objects.filter(kind__startswith="deposit").count() == states().count(
        "credited"
    )
    here.credit()
    assert states() == ["credited", "credited"]
    assert here.funds() == 5 * WEI
    assert JournalEntry.objects.filter(kind__startswith="deposit").count() == 2
    assert Notice.objects.filter(kind="deposit_credited").count() == 1
    assert_books_hold()


def test_an_entry_that_is_there_already_is_not_posted_again(here: DepositChain) -> None:
    """A database that lost the mark, but not the entry: nothing that this service does itself."""
    here.pay(here.forwarder(), 5 * WEI)
    here.settle()
    deposit = Deposit.objects.get()
    told = FinalDeposit(
        chain_id=deposit.chain_id,
        transfer_hash=deposit.transfer_hash,
        log_index=deposit.log_index,
        asset=quotes.booked_as(deposit.asset),
        units=deposit.units,
        worth_wei=5 * WEI,
        came_at=deposit.seen_at,
    )
    with pytest.raises(AlreadyCredited):
        ledger_side.credit_household(
            deposit=told, household=here.household, site=here.site, at=timezone.now()
        )
    donor = here.donors_forwarder().donor
    assert donor is not None
    with pytest.raises(AlreadyCredited):
        ledger_side.credit_donation(deposit=told, donor=donor, site=here.site, at=timezone.now())
    assert here.funds() == 5 * WEI
    assert_books_hold()


def test_creditors_that_race_credit_each_deposit_once(here: DepositChain) -> None:
    forwarder = here.forwarder()
    for units in range(1, 7):
        here.pay(forwarder, units * WEI)
    here.node.finalize()
    here.watch()
    credited, failures = [], []
    barrier = threading.Barrier(3)

    def race() -> None:
        chain = Chain(rpc_url=here.node.url, chain_id=here.node.chain_id)
        try:
            barrier.wait()
            watcher.watch(chain=chain, at=timezone.now())
            credited.append(final.credit_final(chain=chain, at=timezone.now()))
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=race) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(credited) == 6
    assert here.funds() == 21 * WEI
    assert Notice.objects.filter(kind="deposit_credited").count() == 6
    assert_books_hold()
