"""The demo on its chain: contracts, the money it takes there, and a licence to take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.conf import settings
from django.utils import timezone

from accounts.models import Operator, Site
from tokens.chain import client
from tokens.chain import look as look_at_chain
from tokens.management.commands.deploy_contracts import deploy, look
from tokens.models import ChainAsset

DEV_CHAIN_ID = 31_337
LICENCE = "Demo: no licence is needed for sandbox money"
# What python -m sandbox.chain deploys: the same on every new dev chain.
DAI = "0x0116686E2291dbd5e317F47faDBFb43B599786Ef"
USDC = "0x9bAaB117304f7D6517048e371025dB8f89a8DbE5"
ETH_USD_FEED = "0x1Eb835EB7BEEEE9E6bbFe08F16a2d2eF668204bd"
FEED_HEARTBEAT_SECONDS = 7 * 86_400  # told anew at each start of script/server
HAIRCUT_BASIS_POINTS = 100
PATIENCE_SECONDS = 120.0

Tell = Callable[[str], None]


def begin(*, sites: Sequence[Site], tell: Tell) -> None:
    """Send what is missing of the contracts, so that it is final once the history is made."""
    if not settings.CHAIN_RPC_URL:
        return
    Operator.objects.filter(crypto_licence="", sites__in=sites).update(crypto_licence=LICENCE)
    for standing in look(wanted=sites, at=timezone.now()):
        if not standing.contracts:
            tell(f"chain: {standing.name}, {standing.words}")


def finish(*, sites: Sequence[Site], tell: Tell) -> None:
    """Wait for the contracts; name the money that is taken. Doing it again changes nothing."""
    if not settings.CHAIN_RPC_URL:
        tell("chain: none, as CHAIN_RPC_URL is not set")
        return
    deploy(
        wanted=sites,
        patience_seconds=PATIENCE_SECONDS,
        tell=lambda line: tell(f"chain: {line}"),
    )
    if settings.CHAIN_ID == DEV_CHAIN_ID:
        _take_sandbox_money()
    # So that /readyz knows before the worker has looked for the first time.
    look_at_chain.take(at=timezone.now())


def _take_sandbox_money() -> None:
    """The sandbox's coins and ether, as far as they are on this chain."""
    par, feed = ChainAsset.Pricing.PAR, ChainAsset.Pricing.FEED
    ether = {
        "pricing": feed,
        "feed_address": ETH_USD_FEED,
        "feed_heartbeat_seconds": FEED_HEARTBEAT_SECONDS,
        "haircut_basis_points": HAIRCUT_BASIS_POINTS,
        "dust_units": 10**13,
    }
    assets: tuple[tuple[str, str, str, dict[str, object]], ...] = (
        ("DAI", DAI, DAI, {"pricing": par, "dust_units": 10**16}),
        ("USDC", USDC, USDC, {"pricing": par, "decimals": 6, "dust_units": 10**4}),
        ("ETH", "", ETH_USD_FEED, ether),
    )
    chain = client.connected()
    for code, address, needs, fields in assets:
        if chain.code(address=needs):
            ChainAsset.objects.get_or_create(
                chain_id=settings.CHAIN_ID, code=code, defaults={"address": address, **fields}
            )
