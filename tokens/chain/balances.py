"""What lies on a forwarder on chain, against what its logs say: nothing came unseen.

A node may leave logs out, and native money may come without one (before the forwarder stands
there, by a block's maker, by a contract that destroys itself). So a difference is doubted first:
the blocks are read again. What is left then is native money without a log, which a person has to
look at, or an alarm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Sum

from accounts import alarms
from accounts.fields import WeiField
from accounts.models import Alarm
from accounts.money import decimal_string
from tokens.chain.artifacts import artifact
from tokens.chain.calls import Undecodable, decode_result, encode_call
from tokens.chain.client import Block, CallReverted, Chain, ChainLies
from tokens.chain.incoming import TOKEN
from tokens.chain.reorgs import UNLOGGED
from tokens.models import ChainAsset, Deposit, Forwarder, Outflow, StrayTransfer

State = Deposit.State


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """An asset of which more lies on a forwarder than its logs say, or less (below zero)."""

    asset: ChainAsset
    units: int


def compare(
    *, chain: Chain, forwarder: Forwarder, assets: list[ChainAsset], final: Block, at: datetime
) -> bool:
    """Compare a forwarder's amounts in a final block; whether its deposits may be credited.

    Where not, it is in doubt up to `forwarder.doubted_block`: blocks are read again up to there.
    """
    if forwarder.doubted_block is not None and final.number < forwarder.doubted_block:
        return False
    was_read_again = forwarder.doubted_block is not None
    differing = [
        each
        for asset in assets
        if (each := _difference(chain=chain, forwarder=forwarder, asset=asset, final=final)).units
    ]
    if differing and was_read_again:
        differing = [
            each
            for each in differing
            if not _explained(forwarder=forwarder, difference=each, final=final, at=at)
        ]
    key = alarm_key(forwarder=forwarder)
    if not differing:
        forwarder.watched_block, forwarder.doubted_block = final.number, None
        alarms.clear(key=key, at=at)
    else:
        if was_read_again:
            text = f"{forwarder}: {'; '.join(map(_words, differing))}. Nothing is credited."
            alarms.raise_alarm(kind=Alarm.Kind.DEPOSIT, key=key, text=text, at=at)
        forwarder.doubted_block = final.number
    forwarder.watched_at = at
    forwarder.save(update_fields=["watched_at", "watched_block", "doubted_block"])
    return not differing


def alarm_key(*, forwarder: Forwarder) -> str:
    """Return the key of the alarm that a forwarder's amounts differ."""
    return f"forwarder:{forwarder.pk}"


def on_chain(*, chain: Chain, address: str, asset: ChainAsset, block: int) -> int:
    """Return what lies at an address in a block, in smallest units of the asset.

    Nothing where the token was not there yet.
    """
    if not asset.address:
        return chain.balance(address=address, tag=block)
    data = encode_call(artifact=artifact(TOKEN), function="balanceOf", arguments=[address])
    try:
        told = chain.call(to=asset.address, data=data, tag=block)
        if not told:
            return 0
        return int(decode_result(artifact=artifact(TOKEN), function="balanceOf", data=told))
    except (CallReverted, Undecodable) as error:
        raise ChainLies(f"{asset} at {asset.address} is no token: {error}") from error


def known(*, forwarder: Forwarder, asset: ChainAsset, block: int) -> int:
    """Return what should lie on a forwarder in a block: what came less what left."""
    came = _sum(
        Deposit.objects.filter(forwarder=forwarder, asset=asset, block_number__lte=block).exclude(
            state=State.VANISHED
        )
    )
    # Of before the asset was taken.
    came += _sum(
        StrayTransfer.objects.filter(
            forwarder=forwarder, token_address=asset.address, block_number__lte=block
        )
    )
    return came - _left(forwarder=forwarder, asset=asset, block=block)


def mark_swept(*, chain_id: int, block: int, at: datetime) -> int:
    """Mark credited deposits that went to the treasury by a final block; return how many.

    A flush takes everything, so what came first has left first.
    """
    left = Outflow.objects.filter(
        forwarder=OuterRef("forwarder"),
        token_address=OuterRef("asset__address"),
        block_number__lte=block,
    )
    places = (
        Deposit.objects.filter(Exists(left), chain_id=chain_id, state=State.CREDITED)
        .order_by("forwarder_id", "asset_id")
        .distinct("forwarder_id", "asset_id")
        .select_related("forwarder", "asset")
    )
    return sum(
        _mark_swept(forwarder=each.forwarder, asset=each.asset, block=block, at=at)
        for each in places
    )


def _mark_swept(*, forwarder: Forwarder, asset: ChainAsset, block: int, at: datetime) -> int:
    left = _left(forwarder=forwarder, asset=asset, block=block)
    came = Deposit.objects.filter(
        forwarder=forwarder, asset=asset, block_number__lte=block
    ).exclude(state=State.VANISHED)
    gone, total = [], 0
    for pk, units in came.order_by("block_number", "log_index").values_list("pk", "units"):
        total += units
        if total > left:
            break
        gone.append(pk)
    return Deposit.objects.filter(pk__in=gone, state=State.CREDITED).update(
        state=State.SWEPT, finished_at=at
    )


def _difference(
    *, chain: Chain, forwarder: Forwarder, asset: ChainAsset, final: Block
) -> Difference:
    lies = on_chain(chain=chain, address=forwarder.address, asset=asset, block=final.number)
    should = known(forwarder=forwarder, asset=asset, block=final.number)
    return Difference(asset=asset, units=lies - should)


def _explained(*, forwarder: Forwarder, difference: Difference, final: Block, at: datetime) -> bool:
    """Native money that came without a log: for a person to look at. Its log came: not any more."""
    if difference.asset.address:
        return False
    if difference.units > 0:
        told = hashlib.sha256(f"{final.hash}:{forwarder.address}".encode()).hexdigest()
        Deposit.objects.get_or_create(
            chain_id=forwarder.chain_id,
            transfer_hash=f"0x{told}",
            log_index=UNLOGGED,
            defaults={
                "block_number": final.number,
                "block_hash": final.hash,
                "forwarder": forwarder,
                "asset": difference.asset,
                "units": difference.units,
                "sender": "",
                "state": State.REVIEW,
                "reason": "native money without a log: sent before the forwarder was deployed?",
                "seen_at": at,
            },
        )
        return True
    waiting = Deposit.objects.filter(
        forwarder=forwarder, asset=difference.asset, log_index=UNLOGGED, state=State.REVIEW
    ).order_by("id")
    found = next((each for each in waiting if each.units == -difference.units), None)
    if found is None:
        return False
    return bool(
        Deposit.objects.filter(pk=found.pk, state=State.REVIEW).update(
            state=State.VANISHED, reason="its log was found", finished_at=at
        )
    )


def _words(difference: Difference) -> str:
    amount = decimal_string(amount=abs(difference.units), decimals=difference.asset.decimals)
    side = "more" if difference.units > 0 else "less"
    return f"{amount} {difference.asset.code} {side} on chain than its logs say"


def _left(*, forwarder: Forwarder, asset: ChainAsset, block: int) -> int:
    return _sum(
        Outflow.objects.filter(
            forwarder=forwarder, token_address=asset.address, block_number__lte=block
        )
    )


def _sum(rows: Any) -> int:
    total: int | None = rows.aggregate(total=Sum("units", output_field=WeiField()))["total"]
    return total or 0
