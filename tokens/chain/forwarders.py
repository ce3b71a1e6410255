"""Addresses to pay to: one a household and site, one a donor's donation.

An address is that of a minimal proxy (EIP-1167) which our factory puts there by CREATE2, so it is
known without asking a node, and nobody has its key. Salt and address are stored before anybody is
shown the address. Tokens may come before the proxy stands; native money is offered only once it
does, since only a proxy logs what it received.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from accounts.models import Donor, DonorContact, Household, Site
from tokens.chain import outbox, signers
from tokens.chain.artifacts import artifact
from tokens.chain.calls import encode_call
from tokens.models import ChainAsset, Contract, Forwarder, OutboxTransfer

FACTORY = "ForwarderFactory"
NATIVE_ADDRESS = "0x" + "00" * 20
MOST_DONORS_DEPLOYED_A_DAY = 200
"""Anybody may ask for a donor's forwarder, and its deployment is ours to pay."""

_PROXY_BEFORE = bytes.fromhex("602d3d8160093d39f3363d3d373d3d3d363d73")
_PROXY_AFTER = bytes.fromhex("5af43d82803e903d91602b57fd5bf3")


class CryptoRefused(Exception):
    """No crypto money is taken here; says why in the words of a person."""


def offered(*, site: Site) -> list[ChainAsset]:
    """Return the assets in which money for a site may come, by code.

    Raises CryptoRefused where the operator has no licence, no chain is set or nothing is deployed.
    """
    check(site=site)
    assets = list(
        ChainAsset.objects.filter(chain_id=settings.CHAIN_ID, closed_at__isnull=True).order_by(
            "code"
        )
    )
    if not assets:
        raise CryptoRefused("No asset is set up.")
    return assets


def check(*, site: Site) -> None:
    """Raise CryptoRefused where no crypto money may be taken for a site."""
    if not site.operator.crypto_licence:
        raise CryptoRefused("The operator has no licence for crypto payments.")
    if site.closed_at is not None or site.operator.closed_at is not None:
        raise CryptoRefused("The site is closed.")
    if not settings.CHAIN_RPC_URL:
        raise CryptoRefused("No chain is set up.")
    here = Contract.objects.filter(chain_id=settings.CHAIN_ID)
    if not here.filter(kind=Contract.Kind.TOKEN, site=site).exists():
        raise CryptoRefused("The site has no contracts yet.")
    _factory()


def of_household(*, household: Household, site: Site, at: datetime) -> Forwarder:
    """Return a household's forwarder at its site; the first call makes it. Raises CryptoRefused."""
    known = Forwarder.objects.filter(
        chain_id=settings.CHAIN_ID, site=site, household=household
    ).first()
    check(site=site)
    if known is not None:
        return known
    salt = secrets.token_bytes(32)
    return Forwarder.objects.get_or_create(
        chain_id=settings.CHAIN_ID,
        site=site,
        household=household,
        defaults=_fields(salt=salt, at=at),
    )[0]


def of_donation(
    *, site: Site, nonce: str, name: str, email: str, at: datetime, language: str = "en"
) -> Forwarder:
    """Return the forwarder of a donor who is about to give; the same nonce returns the first.

    A new donor is made, with name, email and language as contact. Raises CryptoRefused.
    """
    check(site=site)
    salt = hashlib.sha256(f"donation:{site.pk}:{nonce}".encode()).digest()
    fields = _fields(salt=salt, at=at)
    with transaction.atomic():
        # Two posts of one form come one after the other: the site's row is their meeting point.
        Site.objects.select_for_update(no_key=True).get(pk=site.pk)
        known = Forwarder.objects.filter(
            chain_id=settings.CHAIN_ID, address=fields["address"]
        ).first()
        if known is not None:
            return known
        donor = Donor.objects.create(created_at=at)
        DonorContact.objects.create(donor=donor, name=name, email=email, language=language)
        return Forwarder.objects.create(
            chain_id=settings.CHAIN_ID, site=site, donor=donor, **fields
        )


def want_native(*, forwarder: Forwarder, at: datetime) -> bool:
    """Note that native money is to be offered at a forwarder; whether it will be.

    Donors' ones only up to a number a day. A task has it deployed.
    """
    if forwarder.native_wanted_at is not None:
        return True
    if forwarder.donor_id is not None and _donors_want(since=at - timedelta(days=1)) >= (
        MOST_DONORS_DEPLOYED_A_DAY
    ):
        return False
    forwarder.native_wanted_at = at
    forwarder.save(update_fields=["native_wanted_at"])
    return True


def deploy_wanted(*, chain_id: int, at: datetime) -> int:
    """Queue the deployment of every forwarder at which native money is wanted; return how many."""
    wanted = Forwarder.objects.filter(
        chain_id=chain_id, native_wanted_at__isnull=False, is_deployed=False, deployment=None
    )
    for forwarder in wanted.order_by("id"):
        with transaction.atomic():
            forwarder.deployment = outbox.queue(
                chain_id=chain_id,
                intent=f"forwarder:{forwarder.address}",
                to=factory_address(),
                data=encode_call(
                    artifact=artifact(FACTORY), function="create", arguments=[forwarder.salt]
                ),
                at=at,
                sender=sweeper(),
            )
            forwarder.save(update_fields=["deployment"])
    return len(wanted)


def note_deployed() -> int:
    """Note which forwarders stand on chain for good; return how many are new."""
    return Forwarder.objects.filter(
        is_deployed=False, deployment__state=OutboxTransfer.State.FINAL
    ).update(is_deployed=True)


def address_of(*, salt: bytes, factory: str, implementation: str) -> str:
    """Return the address at which the factory puts the proxy of a salt (EIP-1014, EIP-1167)."""
    code = _PROXY_BEFORE + bytes.fromhex(implementation[2:]) + _PROXY_AFTER
    told = keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + keccak(code))
    return str(to_checksum_address(told[12:]))


def factory_address() -> str:
    """Return where our factory stands. Raises CryptoRefused where it does not."""
    return _factory().address


def sweeper() -> str:
    """Return who pays for deployments and flushes."""
    return signers.signer(settings.CHAIN_SWEEPER).address


def _factory() -> Contract:
    return _contract(Contract.Kind.FACTORY)


def _contract(kind: Contract.Kind) -> Contract:
    found = Contract.objects.filter(chain_id=settings.CHAIN_ID, kind=kind, site=None).first()
    if found is None:
        raise CryptoRefused("The deposit contracts are not deployed yet.")
    return found


def _fields(*, salt: bytes, at: datetime) -> dict[str, object]:
    address = address_of(
        salt=salt,
        factory=factory_address(),
        implementation=_contract(Contract.Kind.FORWARDER).address,
    )
    return {"salt": "0x" + salt.hex(), "address": address, "created_at": at, "watched_at": at}


def _donors_want(*, since: datetime) -> int:
    return Forwarder.objects.filter(donor__isnull=False, native_wanted_at__gte=since).count()
