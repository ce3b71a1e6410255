"""Sending credited money on to the treasury, in batches, once it is worth the gas.

A flush moves everything of one asset that lies on a forwarder; the contract knows one place to send
it to. That it arrived, the watcher sees in the forwarder's own logs (tokens.chain.balances).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from accounts import alarms
from accounts.models import Alarm
from accounts.money import WEI_PER_DAI
from tokens.chain import forwarders, outbox
from tokens.chain.artifacts import artifact
from tokens.chain.calls import encode_call
from tokens.models import Deposit, OutboxTransfer

LEAST_WORTH_WEI = WEI_PER_DAI
"""Less than this waits until more has come, or until it has waited for OLDEST."""
OLDEST = timedelta(days=7)
MOST_A_RUN = 20
AGAIN_AFTER = timedelta(hours=6)
"""A flush that reverted is tried again after this long: a token may be paused."""

State = Deposit.State


@dataclass(frozen=True, kw_only=True, slots=True)
class Heap:
    """Credited deposits of one asset that lie on one forwarder."""

    deposits: tuple[Deposit, ...]

    @property
    def worth_wei(self) -> int:
        """What they were credited with."""
        return sum(each.credited_wei or 0 for each in self.deposits)

    def is_worth_it(self, *, at: datetime) -> bool:
        """Whether to move them now."""
        oldest = min(each.credited_at or at for each in self.deposits)
        return self.worth_wei >= LEAST_WORTH_WEI or oldest + OLDEST <= at


def queue_worthwhile(*, chain_id: int, at: datetime) -> int:
    """Queue flushes of what is worth it, the most valuable first; return how many."""
    heaps = [heap for heap in _heaps(chain_id=chain_id, at=at) if heap.is_worth_it(at=at)]
    heaps.sort(key=lambda heap: -heap.worth_wei)
    for heap in heaps[:MOST_A_RUN]:
        _queue(heap=heap, at=at)
    return min(len(heaps), MOST_A_RUN)


def watch_reverted(*, chain_id: int, at: datetime) -> None:
    """Raise and clear the alarms of flushes that reverted: money that can't be moved."""
    stuck = _stuck(chain_id=chain_id)
    for key, deposit in stuck.items():
        assert deposit.sweep is not None  # noqa: S101 - of the query
        text = f"{deposit.asset.code} can't be moved off {deposit.forwarder}: "
        alarms.raise_alarm(
            kind=Alarm.Kind.DEPOSIT, key=key, text=f"{text}{deposit.sweep.failure}", at=at
        )
    for alarm in Alarm.objects.filter(key__startswith="sweep:", cleared_at=None):
        if alarm.key not in stuck:
            alarms.clear(key=alarm.key, at=at)


def _heaps(*, chain_id: int, at: datetime) -> list[Heap]:
    """What lies there credited and is not on its way; what reverted only after a while."""
    found: dict[tuple[int, int], list[Deposit]] = {}
    under_way: set[tuple[int, int]] = set()
    lying = Deposit.objects.filter(chain_id=chain_id, state=State.CREDITED).select_related(
        "forwarder", "asset", "sweep"
    )
    for deposit in lying.order_by("id"):
        place = (deposit.forwarder_id, deposit.asset_id)
        found.setdefault(place, []).append(deposit)
        if deposit.sweep is not None and not _may_again(deposit.sweep, at=at):
            under_way.add(place)
    return [
        Heap(deposits=tuple(deposits))
        for place, deposits in found.items()
        if place not in under_way
    ]


def _may_again(sweep: OutboxTransfer, *, at: datetime) -> bool:
    """A flush that is final moved all that was there: the watcher has yet to see it."""
    return (
        sweep.state == OutboxTransfer.State.REVERTED
        and sweep.finished_at is not None
        and sweep.finished_at + AGAIN_AFTER <= at
    )


@transaction.atomic
def _queue(*, heap: Heap, at: datetime) -> OutboxTransfer:
    last = heap.deposits[-1]
    tries = OutboxTransfer.objects.filter(
        chain_id=last.chain_id, intent__startswith=f"sweep:{last.pk}:"
    ).count()
    queued = outbox.queue(
        chain_id=last.chain_id,
        intent=f"sweep:{last.pk}:{tries + 1}",
        to=forwarders.factory_address(),
        data=encode_call(
            artifact=artifact(forwarders.FACTORY),
            function="flush",
            arguments=[last.forwarder.salt, last.asset.address or forwarders.NATIVE_ADDRESS],
        ),
        at=at,
        sender=forwarders.sweeper(),
    )
    Deposit.objects.filter(pk__in=[each.pk for each in heap.deposits], state=State.CREDITED).update(
        sweep=queued
    )
    return queued


def _stuck(*, chain_id: int) -> dict[str, Deposit]:
    rows = Deposit.objects.filter(
        chain_id=chain_id, state=State.CREDITED, sweep__state=OutboxTransfer.State.REVERTED
    ).select_related("forwarder", "asset", "sweep")
    return {f"sweep:{each.forwarder_id}:{each.asset_id}": each for each in rows.order_by("id")}
