"""A donor of the demo who gives in crypto money, so that something vests at once.

The gift is sent by a wallet of the sandbox to an address like any donor's; the watcher finds it in
the demo's first minutes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests
from django.conf import settings
from django.utils import timezone

from accounts.models import Site
from tokens.chain import forwarders
from tokens.chain.forwarders import CryptoRefused
from tokens.models import Forwarder

GIVER = 0  # of the sandbox's wallets
GIFT_DAI = "250"
NONCE = "demo-donor-in-crypto"
TIMEOUT_SECONDS = 10

Tell = Callable[[str], None]


def give(*, site: Site, tell: Tell) -> Forwarder | None:
    """Give once; doing it again changes nothing. None where no crypto money is taken."""
    if not (settings.CHAIN_RPC_URL and settings.SANDBOX_URL):
        return None
    at = timezone.now()
    # The licence may have been recorded a moment ago.
    licensed = Site.objects.select_related("operator").get(pk=site.pk)
    try:
        forwarder = forwarders.of_donation(
            site=licensed, nonce=NONCE, name="Demo donor in crypto", email="", at=at
        )
    except CryptoRefused as error:
        tell(f"crypto: {error}")
        return None
    if forwarder.created_at == at:
        wallets = _asked("GET", "accounts")
        told = _asked(
            "POST",
            f"{wallets[GIVER]['address']}/send",
            body={"to": forwarder.address, "asset": "DAI", "amount": GIFT_DAI},
        )
        tell(f"crypto: a donor sent {GIFT_DAI} DAI to {site.name} ({told['hash'][:10]})")
    return forwarder


def _asked(method: str, path: str, *, body: dict[str, str] | None = None) -> Any:
    answer = requests.request(
        method, f"{settings.SANDBOX_URL}/wallet/{path}", json=body, timeout=TIMEOUT_SECONDS
    )
    answer.raise_for_status()
    return answer.json()
