"""Bodies of answers about epochs and proofs, as the schema declares them."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from gateway.api import shapes
from tokens import epochs
from tokens.models import Contract, Epoch, OutboxTransfer
from tokens.proofs import Proof
from tokens.queries import EnergyBalance, balance

FLOWS = ("generation", "battery_in", "battery_out", "feeder", "households", "losses", "paid")


def contracts(*, token: Contract, ledger: Contract) -> dict[str, Any]:
    """SiteContracts."""
    site = ledger.site
    assert site is not None  # noqa: S101 - a token and a ledger are always a site's
    return {
        "site": site.slug,
        "chain_id": ledger.chain_id,
        "token": token.address,
        "ledger": ledger.address,
        "wei_per_milliwatt_hour": str(epochs.wei_per_milliwatt_hour(site=site)),
        "deployed_in_block": ledger.block_number,
    }


def epoch(found: Epoch) -> dict[str, Any]:
    """EpochDetail."""
    address = reverse("api:epoch_dataset", args=[found.site.slug, found.number])
    return {
        "site": found.site.slug,
        "epoch": found.number,
        "attempt": found.attempt,
        "state": found.state,
        "starts_at": shapes.instant(found.starts_at),
        "ends_at": shapes.instant(found.ends_at),
        "closed_at": shapes.instant(found.closed_at),
        "proposed_at": shapes.instant_or_none(found.proposed_at),
        "active_at": shapes.instant_or_none(found.active_at),
        "energy_wh": shapes.watt_hours(found.milliwatt_hours),
        "tokens": shapes.impact_tokens(found.tokens_wei),
        "carry": {
            "energy_wh": shapes.watt_hours(found.carry_milliwatt_hours),
            "tokens": shapes.impact_tokens(found.carry_wei),
        },
        "book": {"height": found.book_height, "hash": found.book_hash},
        "root": found.root,
        "dataset": f"{address}?attempt={found.attempt}",
        "dataset_hash": found.dataset_hash,
        "chain_id": found.chain_id,
        "proposal": _hash(found.proposal),
        "activation": _hash(found.activation),
        "balance": _balance(balance(epoch=found)),
        "certificate": found.certificate or None,
        "claims_co2": not found.certificate,
    }


def proof(found: Proof, *, ledger: str, claimed_wei: int) -> dict[str, Any]:
    """Proof."""
    return {
        "site": found.epoch.site.slug,
        "epoch": found.epoch.number,
        "key": found.row.leaf.key,
        "wallet": found.row.wallet or None,
        "milliwatt_hours": str(found.row.milliwatt_hours),
        "tokens": str(found.row.tokens_wei),
        "path": [
            {
                "hash": "0x" + step.hash.hex(),
                "milliwatt_hours": str(step.milliwatt_hours),
                "tokens": str(step.tokens),
                "is_left": step.is_left,
            }
            for step in found.path
        ],
        "root": found.epoch.root,
        "ledger": ledger,
        "claimed": str(claimed_wei),
    }


def _balance(told: EnergyBalance) -> dict[str, Any]:
    flows = {f"{name}_wh": shapes.watt_hours(told.figures[name]) for name in FLOWS}
    return flows | {
        "solar_share_basis_points": told.solar_share_basis_points,
        "slots": told.slots,
        "slots_reported": told.slots_reported,
        "is_balanced": told.is_balanced,
    }


def _hash(transfer: OutboxTransfer | None) -> str | None:
    return None if transfer is None else transfer.mined_hash or None
