"""The shapes of epochs and proofs as the schema declares them, and the checks of what is asked."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.serializers import Amount, _Page

MOST_EPOCHS = 2_000_000_000


class SiteContracts(serializers.Serializer[Any]):
    """Where a site's contracts stand. Ask any node of the chain."""

    site = serializers.CharField(help_text="slug")
    chain_id = serializers.IntegerField()
    token = serializers.CharField(help_text="address")
    ledger = serializers.CharField(help_text="address")
    wei_per_milliwatt_hour = serializers.CharField(help_text="tokens that energy mints: w")
    deployed_in_block = serializers.IntegerField(help_text="nothing of the ledger lies before")


class BookHead(serializers.Serializer[Any]):
    """Up to where a site's ledger is in the epoch."""

    height = serializers.IntegerField()
    hash = serializers.CharField()


class Carry(serializers.Serializer[Any]):
    """What leaves stand above the ledger, after corrections: later energy uses it up."""

    energy_wh = serializers.CharField()
    tokens = Amount()


class EnergyBalance(serializers.Serializer[Any]):
    """Where the energy of the epoch's slots came from and went."""

    generation_wh = serializers.CharField(help_text="of the sun")
    battery_in_wh = serializers.CharField()
    battery_out_wh = serializers.CharField()
    feeder_wh = serializers.CharField()
    households_wh = serializers.CharField()
    losses_wh = serializers.CharField(help_text="below zero where something else fed in")
    paid_wh = serializers.CharField(help_text="of the households', when it was settled")
    solar_share_basis_points = serializers.IntegerField(help_text="of the energy charged")
    slots = serializers.IntegerField()
    slots_reported = serializers.IntegerField(help_text="of which the plant told")
    is_balanced = serializers.BooleanField(
        help_text="generation + discharge - charge >= feeder >= households, within 2 %"
    )


class EpochDetail(serializers.Serializer[Any]):
    """An epoch: everything settled by `closed_at`, and the energy balance of its span."""

    site = serializers.CharField(help_text="slug")
    epoch = serializers.IntegerField()
    attempt = serializers.IntegerField(help_text="counts what was vetoed or refused before")
    state = serializers.CharField(help_text="closed, proposed, active, vetoed or refused")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField()
    proposed_at = serializers.DateTimeField(allow_null=True)
    active_at = serializers.DateTimeField(allow_null=True)
    energy_wh = serializers.CharField(help_text="of all leaves, cumulative")
    tokens = Amount(help_text="of all leaves, cumulative: energy x w")
    carry = Carry()
    book = BookHead()
    root = serializers.CharField()  # type: ignore[assignment]
    dataset = serializers.CharField(help_text="address of the published bytes")
    dataset_hash = serializers.CharField(help_text="their SHA-256, told in the proposal")
    chain_id = serializers.IntegerField()
    proposal = serializers.CharField(allow_null=True, help_text="hash of the transfer, once mined")
    activation = serializers.CharField(
        allow_null=True, help_text="ours; anybody may have been faster"
    )
    balance = EnergyBalance()
    certificate = serializers.CharField(
        allow_null=True, help_text="the D-REC or I-REC that claimed this epoch"
    )
    claims_co2 = serializers.BooleanField(help_text="false once a certificate claimed it")


class Epochs(_Page):
    """A page of epochs, newest first."""

    results = EpochDetail(many=True)


class ProofStep(serializers.Serializer[Any]):
    """A sibling on the way up to the root."""

    hash = serializers.CharField()
    milliwatt_hours = serializers.CharField()
    tokens = serializers.CharField(help_text="wei")
    is_left = serializers.BooleanField(help_text="the sibling stands left")


class Proof(serializers.Serializer[Any]):
    """A leaf and the path from it to its epoch's root; arguments of the ledger's `claim`."""

    site = serializers.CharField(help_text="slug")
    epoch = serializers.IntegerField()
    key = serializers.CharField()
    wallet = serializers.CharField(allow_null=True, help_text="where a claim pays to")
    milliwatt_hours = serializers.CharField()
    tokens = serializers.CharField(help_text="wei, cumulative")
    path = ProofStep(many=True)
    root = serializers.CharField()  # type: ignore[assignment]
    ledger = serializers.CharField(help_text="address")
    claimed = serializers.CharField(help_text="wei that were paid out so far, as we read the chain")


class AskedAttempt(serializers.Serializer[Any]):
    """Which attempt of an epoch."""

    attempt = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_EPOCHS, help_text="the last one if left out"
    )


class AskedEpoch(serializers.Serializer[Any]):
    """Which epoch to prove a leaf in."""

    epoch = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_EPOCHS, help_text="the active one if left out"
    )


class AskedLeaf(AskedEpoch):
    """Which epoch, and what a household's link carries besides its key."""

    c = serializers.CharField(required=False, default="", allow_blank=True, max_length=64)
