"""Our contracts on a chain: forwarders once a chain, token and ledger once a site.

Contracts are deployed in pairs, of which the second needs the first's address and, for a site, the
first the second's: a token mints for one ledger for ever. Both addresses follow from the sender's
nonces, which are foretold when the pair is queued. Where another transfer took one in between, the
second contract refuses to be, and the pair is deployed anew under the next attempt's intents. Every
step looks at what is there, so that a run that was killed is simply run again. See
docs/adr/0019-dev-chain-and-deployment.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from accounts.locks import singleton
from accounts.models import Site
from tokens.chain import calls, outbox, signers
from tokens.chain.artifacts import artifact
from tokens.chain.client import Chain
from tokens.models import Contract, OutboxTransfer

MOST_ATTEMPTS = 5
MILLIWATT_HOURS_PER_KWH = 10**6
LONGEST_NAME_BYTES, LONGEST_SYMBOL_BYTES, SITE_BYTES = 64, 16, 32
_NO_ADDRESS = "0x" + "00" * 20
_FINAL, _REVERTED = OutboxTransfer.State.FINAL, OutboxTransfer.State.REVERTED


class DeploymentRefused(Exception):
    """Nothing can be deployed so. The text is one sentence that says what to do."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Who may do what, from the settings; addresses with their checksum."""

    poster: str
    guardian: str
    treasury: str
    window_seconds: int


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far one pair is. `contracts` are there once it is done."""

    name: str
    words: str
    contracts: tuple[Contract, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """Two contracts that are deployed together; `data` tells the second's and the first's code."""

    name: str
    kinds: tuple[Contract.Kind, Contract.Kind]
    site: Site | None
    data: Callable[[str, str], tuple[str, str]]

    def intents(self, attempt: int) -> tuple[str, str]:
        of = self.site.slug if self.site else "chain"
        first, second = (f"deploy:{kind}:{of}:{attempt}" for kind in self.kinds)
        return first, second


def advance(*, chain: Chain, sites: Sequence[Site], at: datetime) -> list[Standing]:
    """Take the deployment as far as it goes now; call it again until all have their contracts.

    Raises DeploymentRefused, ChainUnavailable, ChainLies and what the signer raises.
    """
    roles = roles_of_settings()
    check_contracts_stand(chain=chain)
    pairs = [_forwarders(roles), *(_of_site(site, roles) for site in sites)]
    missing = [pair for pair in pairs if not _recorded(pair, chain_id=chain.chain_id)]
    for pair in missing:
        _queue_if_needed(pair, chain=chain, sender=roles.poster, at=at)
    if missing:
        outbox.advance(chain=chain, at=at)
    return [_standing(pair, chain=chain, at=at) for pair in pairs]


def roles_of_settings() -> Roles:
    """Return who may do what. Raises DeploymentRefused for what is not set, BadSigner."""
    if not settings.CHAIN_POSTER:
        raise DeploymentRefused("CHAIN_POSTER is not set: name the signer that proposes epochs.")
    poster = signers.signer(settings.CHAIN_POSTER).address
    guardian = _address_set("CHAIN_GUARDIAN_ADDRESS", "who may veto an epoch")
    treasury = _address_set("CHAIN_TREASURY_ADDRESS", "where deposits go")
    if guardian == poster:
        raise DeploymentRefused(
            "CHAIN_GUARDIAN_ADDRESS is the poster's address: who proposes must not be who vetoes."
        )
    return Roles(
        poster=poster,
        guardian=guardian,
        treasury=treasury,
        window_seconds=settings.EPOCH_VETO_SECONDS,
    )


def check_contracts_stand(*, chain: Chain) -> None:
    """Raise DeploymentRefused where a contract that we know of is not on the chain."""
    for contract in Contract.objects.filter(chain_id=chain.chain_id).order_by("block_number"):
        if not chain.code(address=contract.address):
            raise DeploymentRefused(
                f"The database knows the {contract.get_kind_display()} at {contract.address} on"
                f" chain {chain.chain_id}, but nothing stands there: CHAIN_RPC_URL names another"
                " chain, or a dev chain that was wiped (then wipe both: script/server --fresh)."
            )


def address_of(*, sender: str, nonce: int) -> str:
    """Return the address of what a transfer makes: the hash of RLP([sender, nonce])."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8)
    if nonce >= 0x80 or nonce == 0:
        number = bytes([0x80 + len(number)]) + number
    body = b"\x94" + bytes.fromhex(sender[2:]) + number
    return str(to_checksum_address(keccak(bytes([0xC0 + len(body)]) + body)[-20:]))


def site_bytes(*, site: Site) -> bytes:
    """Return what names a site in its ledger: its slug, or the slug's hash where that is longer."""
    slug = site.slug.encode()
    return slug.ljust(SITE_BYTES, b"\0") if len(slug) <= SITE_BYTES else keccak(slug)


def _address_set(name: str, what: str) -> str:
    value = getattr(settings, name)
    if not is_address(value) or int(value, 16) == 0:
        raise DeploymentRefused(f"{name} is not set to an address: it is {what}.")
    return str(to_checksum_address(value))


def _forwarders(roles: Roles) -> _Pair:
    def data(first: str, _second: str) -> tuple[str, str]:
        return (
            calls.encode_deployment(
                artifact=artifact("DepositForwarder"), arguments=[roles.treasury]
            ),
            calls.encode_deployment(
                artifact=artifact("ForwarderFactory"), arguments=[first, roles.treasury]
            ),
        )

    kinds = (Contract.Kind.FORWARDER, Contract.Kind.FACTORY)
    return _Pair(name="Deposit forwarders", kinds=kinds, site=None, data=data)


def _of_site(site: Site, roles: Roles) -> _Pair:
    # The database holds it to a multiple.
    rate = site.impact_token_wei_per_kwh // MILLIWATT_HOURS_PER_KWH
    if rate == 0:
        raise DeploymentRefused(f"{site.slug} mints no tokens for a kWh: a ledger needs some.")
    name = _cut(f"Impact token {site.name}", LONGEST_NAME_BYTES)
    symbol = _cut(f"IT-{site.slug.upper()}", LONGEST_SYMBOL_BYTES)

    def data(first: str, second: str) -> tuple[str, str]:
        return (
            calls.encode_deployment(
                artifact=artifact("ImpactToken"), arguments=[name, symbol, second]
            ),
            calls.encode_deployment(
                artifact=artifact("ImpactLedger"),
                arguments=[
                    *(first, site_bytes(site=site), rate, roles.window_seconds),
                    *(roles.poster, roles.guardian),
                ],
            ),
        )

    kinds = (Contract.Kind.TOKEN, Contract.Kind.LEDGER)
    return _Pair(name=site.name, kinds=kinds, site=site, data=data)


def _recorded(pair: _Pair, *, chain_id: int) -> tuple[Contract, ...]:
    """The pair's contracts, if they are known."""
    found = {
        contract.kind: contract
        for contract in Contract.objects.filter(
            chain_id=chain_id, kind__in=pair.kinds, site=pair.site
        )
    }
    return tuple(found[kind] for kind in pair.kinds) if len(found) == len(pair.kinds) else ()


def _queued(pair: _Pair, *, chain_id: int) -> tuple[int, list[OutboxTransfer]]:
    """The newest attempt, from 1, and its two transfers; 0 and none where nothing is queued."""
    newest: tuple[int, list[OutboxTransfer]] = (0, [])
    for attempt in range(1, MOST_ATTEMPTS + 1):
        rows = {
            row.intent: row
            for row in OutboxTransfer.objects.filter(
                chain_id=chain_id, intent__in=pair.intents(attempt)
            )
        }
        if not rows:
            break
        newest = (attempt, [rows[intent] for intent in pair.intents(attempt)])
    return newest


def _queue_if_needed(pair: _Pair, *, chain: Chain, sender: str, at: datetime) -> None:
    """Queue the pair's next attempt, unless one is on its way.

    While we hold the sender's lock nobody signs for it, so the foretold nonces are those of what
    waits already, then ours.
    """
    with (
        transaction.atomic(durable=True),
        singleton(f"outbox:{chain.chain_id}:{sender}") as is_alone,
    ):
        attempt, rows = _queued(pair, chain_id=chain.chain_id)
        if not is_alone or (rows and not any(row.state == _REVERTED for row in rows)):
            return
        if attempt == MOST_ATTEMPTS:
            raise DeploymentRefused(
                f"{pair.name}: {attempt} attempts had no effect, the last with"
                f" {rows[0].failure or rows[1].failure or 'no reason'!r}: see the outbox in the"
                " admin, and stop what else signs with the poster's key."
            )
        nonce = _next_free_nonce(chain=chain, sender=sender)
        addresses = [address_of(sender=sender, nonce=nonce + place) for place in (0, 1)]
        both = zip(pair.intents(attempt + 1), pair.data(*addresses), strict=True)
        for intent, data in both:
            outbox.queue(
                chain_id=chain.chain_id,
                intent=intent,
                to="",
                data=data,
                sender=sender,
                gas_limit=_gas_limit(data),
                at=at,
            )


def _next_free_nonce(*, chain: Chain, sender: str) -> int:
    """The nonce of what is queued next, if all that waits now is signed before it."""
    mine = OutboxTransfer.objects.filter(chain_id=chain.chain_id, sender=sender)
    last = mine.aggregate(last=Max("nonce"))["last"]
    told = max(chain.nonce(address=sender, tag=tag) for tag in ("latest", "pending"))
    waiting = mine.filter(state=OutboxTransfer.State.QUEUED).count()
    return max(told, -1 if last is None else last + 1) + waiting


def _gas_limit(data: str) -> int:
    """Enough for any of our contracts: an estimate fails while the first of the pair is not there.

    Per byte: 40 for the call data at most, 200 for the code that is kept, and its execution.
    """
    return 500_000 + 250 * (len(data) // 2)


def _standing(pair: _Pair, *, chain: Chain, at: datetime) -> Standing:
    if known := _recorded(pair, chain_id=chain.chain_id):
        return Standing(name=pair.name, words="deployed", contracts=known)
    _, rows = _queued(pair, chain_id=chain.chain_id)
    if not rows or any(row.state == _REVERTED for row in rows):
        return Standing(name=pair.name, words="waits for its turn")
    if all(row.state == _FINAL for row in rows):
        made = _record(pair, rows, chain=chain, at=at)
        return Standing(name=pair.name, words="deployed", contracts=made)
    if all(row.block_number is not None for row in rows):
        return Standing(name=pair.name, words="in a block, which is not final yet")
    why = next((row.failure for row in rows if row.failure), "")
    return Standing(name=pair.name, words="sent" if not why else f"waits: {why}")


def _record(
    pair: _Pair, rows: Sequence[OutboxTransfer], *, chain: Chain, at: datetime
) -> tuple[Contract, ...]:
    for row in rows:
        if not chain.code(address=row.contract_address):
            raise DeploymentRefused(
                f"{row.intent} is done, but nothing stands at {row.contract_address} on chain"
                f" {chain.chain_id}: a dev chain that was wiped needs a new database too"
                " (script/server --fresh)."
            )
    with transaction.atomic():
        for kind, row in zip(pair.kinds, rows, strict=True):
            assert row.block_number is not None  # noqa: S101 - as final
            Contract.objects.get_or_create(
                chain_id=chain.chain_id,
                kind=kind,
                site=pair.site,
                defaults={
                    "address": row.contract_address,
                    "block_number": row.block_number,
                    "deployed_at": at,
                },
            )
    return _recorded(pair, chain_id=chain.chain_id)


def _cut(text: str, longest_bytes: int) -> str:
    return text.encode()[:longest_bytes].decode(errors="ignore")
