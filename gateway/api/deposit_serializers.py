"""Shapes of crypto money, as the schema declares them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.serializers import Amount


class DepositAsset(serializers.Serializer[Any]):
    """One asset that may be sent to the address."""

    asset = serializers.CharField()
    token = serializers.CharField(allow_null=True, help_text="contract; null: native currency")
    decimals = serializers.IntegerField()
    uri = serializers.CharField(help_text="EIP-681, for a wallet")
    is_ready = serializers.BooleanField(help_text="false: it must not be sent yet")
    least = Amount(help_text="less waits for a person")
    worth = Amount(allow_null=True, help_text="of one, as of `quoted_at`; null: not known now")
    quoted_at = serializers.DateTimeField(allow_null=True)


class DepositMade(serializers.Serializer[Any]):
    """What came."""

    amount = Amount()
    state = serializers.CharField(
        help_text="seen, credited, swept (credited, and at the treasury), review, dismissed"
    )
    blocks_to_go = serializers.IntegerField(allow_null=True, help_text="until it is final")
    credited = Amount(allow_null=True)
    transfer_hash = serializers.CharField()
    seen_at = serializers.DateTimeField()
    credited_at = serializers.DateTimeField(allow_null=True)


class DepositAddress(serializers.Serializer[Any]):
    """Where to send crypto money for a household, and what came there, newest first."""

    address = serializers.CharField(help_text="with its checksum (EIP-55)")
    chain_id = serializers.IntegerField()
    page = serializers.CharField(help_text="shows the same to whoever pays")
    assets = DepositAsset(many=True)
    deposits = DepositMade(many=True)
