"""Scheduled work of the chain. Each task makes one call of the domain; without a node it rests."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from tokens import claims, minting, payouts_on_chain, verification, wallets
from tokens.chain import deposits, look, outbox
from tokens.models import Leaf
from tokens.voting import rounds


@shared_task
def advance_outbox() -> None:
    """Sign, send and follow what is to happen on chain."""
    if settings.CHAIN_RPC_URL:
        outbox.run(at=timezone.now())


@shared_task
def decide_sign_in(sign_in_id: int) -> None:
    """Ask a wallet's contract about one sign-in."""
    wallets.decide(sign_in_id=sign_in_id, at=timezone.now())


@shared_task
def decide_sign_ins() -> None:
    """Ask about every sign-in that still waits."""
    wallets.decide_waiting(at=timezone.now())


@shared_task
def let_wallets_take_effect() -> None:
    """Let wallets that waited long enough take effect, and give new leaves theirs."""
    wallets.take_effect(at=timezone.now())


@shared_task
def forget_sign_ins() -> None:
    """Delete what was signed in with long ago."""
    wallets.forget(at=timezone.now())


@shared_task
def claim_tokens(leaf_id: int) -> None:
    """Queue what pays a leaf's tokens to its wallet, once an epoch."""
    claims.claim_asked(leaf=Leaf.objects.select_related("site").get(pk=leaf_id), at=timezone.now())


@shared_task
def read_claims() -> None:
    """Read what was claimed on chain. Any number may run: the cursor is guarded."""
    if settings.CHAIN_RPC_URL:
        claims.read_new(at=timezone.now())


@shared_task
def verify_sites() -> None:
    """Run verify.py on the sites whose last run is old, one worker at a time."""
    if settings.CHAIN_RPC_URL:
        verification.run_due(at=timezone.now())


@shared_task
def run_rounds() -> None:
    """Open and count the votes that are due. Any number may run: each is done behind its lock."""
    rounds.run_due(at=timezone.now())


@shared_task
def watch_chain() -> None:
    """Read what came to our addresses. Any number may run: the cursor is guarded."""
    if settings.CHAIN_RPC_URL:
        deposits.watch(at=timezone.now())


@shared_task
def credit_deposits() -> None:
    """Credit what came and is final. Any number may run: each deposit is credited once."""
    if settings.CHAIN_RPC_URL:
        deposits.credit(at=timezone.now())


@shared_task
def sweep_deposits() -> None:
    """Send credited money on to the treasury, and forwarders on chain that are wanted there."""
    if settings.CHAIN_RPC_URL:
        deposits.sweep(at=timezone.now())


@shared_task
def close_epochs() -> None:
    """Close and propose the epochs that are due, one worker a site at a time."""
    if settings.CHAIN_RPC_URL:
        minting.close_all(at=timezone.now())


@shared_task
def follow_epochs() -> None:
    """Take open epochs as far as the chain is, one worker a site at a time."""
    if settings.CHAIN_RPC_URL:
        minting.follow_all(at=timezone.now())


@shared_task
def look_at_chain() -> None:
    """Keep what /readyz and /metrics tell of the chain."""
    if settings.CHAIN_RPC_URL:
        look.take(at=timezone.now())


@shared_task
def pay_out_on_chain() -> None:
    """Queue approved payouts in DAI, and settle those whose transfer is final."""
    if settings.CHAIN_RPC_URL:
        payouts_on_chain.run(at=timezone.now())
