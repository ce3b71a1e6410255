"""What a deposit page shows: ways to pay and what they are worth, and what came so far.

Everything is read from what tasks stored: no node is asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

import segno
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from accounts.models import Site
from dashboard import wording
from gateway.deposits.wanted import Wanted
from tokens import quotes
from tokens.chain import forwarders, reorgs, watcher
from tokens.models import BlockCursor, ChainAsset, Deposit, Forwarder

State = Deposit.State

SHOWN_DECIMALS = 6
DEPOSITS_SHOWN = 50
CHAINS = {1: "Ethereum", 100: "Gnosis", 31337: _("the development chain")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """One asset to pay in. worth_wei is of one, None while nobody can say it (problem: why).

    asked_units is what the code and the address for a wallet ask for; None: any amount.
    """

    asset: ChainAsset
    uri: str
    qr: SafeString
    least_units: int
    worth_wei: int | None
    quoted_at: datetime | None
    is_ready: bool
    asked_units: int | None = None

    @property
    def asked(self) -> str:
        """What a wallet is asked for, in the asset; "" for any amount."""
        if self.asked_units is None:
            return ""
        return units_text(self.asked_units, decimals=self.asset.decimals)

    @property
    def least(self) -> str:
        """The smallest amount that is credited without a person, in the asset."""
        return units_text(self.least_units, decimals=self.asset.decimals)

    @property
    def haircut_percent(self) -> str:
        """What is taken off the market's price, "" for nothing."""
        points = self.asset.haircut_basis_points
        return wording.rounded(Fraction(points, 100), decimals=2) if points else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Came:
    """One deposit as its sender sees it; blocks_to_go until it is final, None where it is."""

    deposit: Deposit
    amount: str
    blocks_to_go: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What came to a forwarder, newest first, and up to which block and when that was read."""

    deposits: tuple[Came, ...]
    block_number: int | None
    read_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether something will change by itself."""
        return not self.deposits or any(each.deposit.state == State.SEEN for each in self.deposits)


def offers(*, forwarder: Forwarder, wanted: Wanted | None = None, at: datetime) -> list[Offer]:
    """Return the ways to pay (an amount) to a forwarder. Raises forwarders.CryptoRefused."""
    return [
        _offer(forwarder=forwarder, asset=asset, wanted=wanted, at=at)
        for asset in forwarders.offered(site=forwarder.site)
    ]


def seen(*, forwarder: Forwarder) -> Seen:
    """Return what came to a forwarder."""
    cursors = {
        each.watcher: each for each in BlockCursor.objects.filter(chain_id=forwarder.chain_id)
    }
    head, final = cursors.get(watcher.WATCHER), cursors.get(reorgs.FINAL)
    final_number = 0 if final is None else final.block_number
    rows = forwarder.deposits.exclude(state=State.VANISHED).select_related("asset")
    return Seen(
        deposits=tuple(
            Came(
                deposit=each,
                amount=units_text(each.units, decimals=each.asset.decimals),
                blocks_to_go=(
                    max(each.block_number - final_number, 0) or None
                    if each.state == State.SEEN
                    else None
                ),
            )
            for each in rows.order_by("-id")[:DEPOSITS_SHOWN]
        ),
        block_number=None if head is None else head.block_number,
        read_at=None if head is None else head.read_at,
    )


def chain_name(*, chain_id: int) -> str:
    """Return what people call a chain."""
    return str(CHAINS.get(chain_id, _("chain %(number)s") % {"number": chain_id}))


def payment_uri(*, forwarder: Forwarder, asset: ChainAsset, units: int | None = None) -> str:
    """Return the EIP-681 address that a wallet opens: what to send, where, on which chain, and how
    many smallest units, if that is told."""
    if not asset.address:
        value = "" if units is None else f"?value={units}"
        return f"ethereum:{forwarder.address}@{forwarder.chain_id}{value}"
    amount = "" if units is None else f"&uint256={units}"
    to = f"address={forwarder.address}{amount}"
    return f"ethereum:{asset.address}@{forwarder.chain_id}/transfer?{to}"


def units_text(units: int, *, decimals: int) -> str:
    """Write smallest units in the reader's language, to six decimals, never as nothing."""
    kept = min(decimals, SHOWN_DECIMALS)
    cut = units // 10 ** (decimals - kept)
    if units and not cut:
        return "<" + wording.rounded(Fraction(1, 10**kept), decimals=kept)
    while kept and cut % 10 == 0:
        kept, cut = kept - 1, cut // 10
    return wording.rounded(Fraction(cut, 10**kept), decimals=kept)


def _offer(
    *, forwarder: Forwarder, asset: ChainAsset, wanted: Wanted | None, at: datetime
) -> Offer:
    worth_wei, quoted_at, units = None, None, None
    least_units = max(asset.dust_units, 1)
    try:
        quote = quotes.of(asset=asset, at=at)
        worth_wei, quoted_at = quote.worth_wei(units=10**asset.decimals), quote.quoted_at
        if wanted is not None:
            units = max(wanted.units_of(asset=asset, quote=quote), least_units)
    except quotes.QuoteUnavailable:
        told = quotes.last_round(asset=asset)
        quoted_at = None if told is None else told.updated_at
    uri = payment_uri(forwarder=forwarder, asset=asset, units=units)
    return Offer(
        asset=asset,
        uri=uri,
        qr=_qr(uri),
        least_units=least_units,
        worth_wei=worth_wei,
        quoted_at=quoted_at,
        is_ready=bool(asset.address) or forwarder.is_deployed,
        asked_units=units,
    )


def _qr(uri: str) -> SafeString:
    """An SVG to stand in the page: a dark code on a white ground, whatever the page's colours."""
    code = segno.make(uri, error="m", micro=False)
    return mark_safe(  # noqa: S308 - made of an address and a number of ours
        code.svg_inline(scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    )


def is_native_wanted(*, forwarder: Forwarder) -> bool:
    """Whether native money will be offered as soon as the forwarder stands on chain."""
    return forwarder.native_wanted_at is not None and not forwarder.is_deployed


def is_taken(*, site: Site) -> bool:
    """Return whether crypto money is taken for a site."""
    try:
        return bool(forwarders.offered(site=site))
    except forwarders.CryptoRefused:
        return False
