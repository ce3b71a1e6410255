"""Shapes of the answer on a site's money."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.serializers import Amount, PaidOut, PoolFlow
from settlement.deposited import Way


class PaidIn(serializers.Serializer[Any]):
    """What households paid in over one way, as far as it is told."""

    way = serializers.ChoiceField(choices=[each.value for each in Way])
    amount = Amount(help_text="net of what was taken back")
    until = serializers.DateField(help_text="the last day that counts; later ones are not told yet")


class MoneyPool(PoolFlow):
    """received + corrected == held + reserved + set_aside + paid, to the wei."""

    corrected = Amount(help_text="by claims on payers that the operator bears")


class Money(serializers.Serializer[Any]):
    """A site's money. paid_in tells whole days on which enough households paid; the sum of its
    amounts == revenue + left, to the wei, and revenue == the sum of what the pools received."""

    booked_at = serializers.DateTimeField(allow_null=True, help_text="when the books moved last")
    paid_in = PaidIn(many=True)
    revenue = Amount()
    left = Amount(help_text="of paid_in; below zero: that much more came in and is not told yet")
    pools = MoneyPool(many=True)
    paid_out = PaidOut(many=True)
    donated = Amount(help_text="by donors, net of what was taken back")
