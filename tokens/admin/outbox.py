"""The outbox: what is to happen on chain, and how far it has come. Only the service writes here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from accounts.admin.base import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import when
from tokens.models import OutboxTransfer, SignedTransfer

WEI_PER_GWEI = 10**9


def gwei(amount_wei: int) -> str:
    """Write a fee with three decimals of a gwei, rounded down."""
    return f"{amount_wei // WEI_PER_GWEI}.{amount_wei % WEI_PER_GWEI // 10**6:03} gwei"


class SignedTransferInline(ReadOnlyInline):
    """The bytes that were signed for it, the last with the most gas."""

    model = SignedTransfer
    fields = (
        "transfer_hash",
        "max_fee",
        "priority_fee",
        when("signed_at"),
        when("broadcast_at"),
    )
    show_change_link = False

    @admin.display(description="max fee")
    def max_fee(self, signed: SignedTransfer) -> str:
        return gwei(signed.max_fee_wei)

    @admin.display(description="priority fee")
    def priority_fee(self, signed: SignedTransfer) -> str:
        return gwei(signed.priority_fee_wei)


@admin.register(OutboxTransfer)
class OutboxTransferAdmin(ReadOnlyAdmin):
    """One intent each. The keys are everybody's, so only those who see everything see them."""

    list_display = (
        "intent",
        "state",
        "nonce",
        "sender",
        "block_number",
        "failure",
        when("created_at"),
        when("finished_at"),
    )
    list_filter = ("state", "chain_id", "sender", "created_at")
    search_fields = ("intent__istartswith", "mined_hash", "signed__transfer_hash")
    inlines = (SignedTransferInline,)
    fields = (
        "intent",
        "state",
        "failure",
        "chain_id",
        "sender",
        "nonce",
        "to_address",
        "value",
        "data",
        "gas_limit",
        "gas_used",
        "mined_hash",
        "block_number",
        "block_hash",
        "contract_address",
        when("created_at"),
        when("refused_since"),
        when("next_look_at"),
        when("finished_at"),
    )

    @admin.display(description="value")
    def value(self, row: OutboxTransfer) -> str:
        return f"{row.value_wei} wei of the native currency"

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        return rows.none()
