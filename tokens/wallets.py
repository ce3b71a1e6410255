"""Whose a wallet is: asking for a signed message, believing it once, and paying there from then on.

A donor's first wallet is linked by whoever holds the payment page; another one only by somebody
who signed in with the present one. A household's wallet waits before it takes effect, and every
phone of the household is told, so that nobody redirects its tokens silently.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from accounts import notices, sites
from accounts.models import Donor, Household
from tokens.chain import client, sign_in
from tokens.chain.client import ChainLies, ChainUnavailable
from tokens.chain.sign_in import Refused
from tokens.models import Leaf, SignIn, SignInNonce, WalletLink

log = structlog.get_logger(__name__)

State = SignIn.State

NONCE_LASTS = timedelta(minutes=15)
ASKED_FOR = timedelta(hours=1)
"""So long a worker tries to ask a wallet's contract."""
KEPT_FOR = timedelta(days=7)
MOST_LINKS_A_WEEK = 3
"""Links of one household that were asked for; more would only be somebody who plays with it."""
ENTER = "enter"
_NONCE_BYTES = 16
_CODE_CHARACTERS = 10


class NotAllowed(ValueError):
    """The owner may not link this wallet now; `code` is has_one, too_many or same."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True, slots=True)
class Challenge:
    """A message for a wallet to sign."""

    address: str
    message: str
    expires_at: datetime


def first_of(*, donor: Donor) -> str:
    """The purpose of linking a donor's first wallet."""
    return f"first:donor:{donor.uid}"


def next_of(*, donor: Donor) -> str:
    """The purpose of linking another wallet of a donor, who signed in with the present one."""
    return f"next:donor:{donor.uid}"


def of(*, household: Household) -> str:
    """The purpose of linking a household's wallet."""
    return f"link:household:{household.uid}"


def challenge(*, purpose: str, address: str, uri: str, statement: str, at: datetime) -> Challenge:
    """Issue a nonce and return the message to sign. Raises Refused for what is no address."""
    asked = sign_in.Asked(
        domain=urlsplit(uri).netloc,
        uri=uri,
        chain_id=settings.CHAIN_ID,
        nonce=secrets.token_hex(_NONCE_BYTES),
    )
    wallet = sign_in.checksummed(address)
    expires_at = at + NONCE_LASTS
    SignInNonce.objects.create(
        nonce=asked.nonce,
        purpose=purpose,
        domain=asked.domain,
        uri=asked.uri,
        chain_id=asked.chain_id,
        issued_at=at,
        expires_at=expires_at,
    )
    message = sign_in.write(
        asked=asked, address=wallet, statement=statement, issued_at=at, expires_at=expires_at
    )
    return Challenge(address=wallet, message=message, expires_at=expires_at)


def answer(*, purpose: str, message: str, signature: str, at: datetime) -> SignIn:
    """Take a message that came back signed. Calls nobody.

    Returns it accepted where the signature proves the wallet, with what it was for done; waiting,
    where only the wallet's contract can tell (see `decide`). The nonce is used up either way.
    Raises Refused and NotAllowed.
    """
    row = SignInNonce.objects.filter(nonce=sign_in.nonce_of(message=message)).first()
    if row is None:
        raise Refused("nonce")
    if row.purpose != purpose:
        raise Refused("purpose")
    if row.expires_at <= at:
        raise Refused("expired")
    asked = sign_in.Asked(domain=row.domain, uri=row.uri, chain_id=row.chain_id, nonce=row.nonce)
    signed = sign_in.read(message=message, signature=signature, asked=asked, at=at)
    if not SignInNonce.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=at):
        raise Refused("used")
    if not signed.is_proven and not settings.CHAIN_RPC_URL:
        raise Refused("signature")
    with transaction.atomic():
        taken = SignIn.objects.create(
            nonce=row,
            address=signed.address,
            message=signed.text,
            signature=signed.signature,
            asked_at=at,
        )
        if signed.is_proven:
            _accept(taken, at=at)
    return taken


def decide(*, sign_in_id: int, at: datetime) -> SignIn:
    """Ask the wallet's contract about a waiting sign-in, and do what it was for if it says yes.

    A node that gives no answer leaves it waiting, for an hour at most.
    """
    asked = SignIn.objects.select_related("nonce").get(pk=sign_in_id)
    if asked.state != State.WAITING:
        return asked
    if asked.asked_at + ASKED_FOR <= at:
        return _refuse(asked, code="no_answer", at=at)
    try:
        is_signed = sign_in.is_signed_by_contract(
            chain=client.connected(),
            address=asked.address,
            message=asked.message,
            signature=asked.signature,
        )
    except (ChainUnavailable, ChainLies) as error:
        log.warning("sign-in waits for the chain", sign_in=str(asked.uid), error=str(error))
        return asked
    if not is_signed:
        return _refuse(asked, code="signature", at=at)
    try:
        with transaction.atomic():
            asked = SignIn.objects.select_for_update(of=("self",)).get(pk=sign_in_id)
            if asked.state == State.WAITING:
                _accept(asked, at=at)
    except NotAllowed as error:
        return _refuse(asked, code=error.code, at=at)
    return asked


def decide_waiting(*, at: datetime) -> None:
    """Ask about every sign-in that waits, whatever became of the task that should."""
    for pk in SignIn.objects.filter(state=State.WAITING).values_list("pk", flat=True):
        decide(sign_in_id=pk, at=at)


def unlink(*, link: WalletLink, at: datetime) -> None:
    """End a wallet's link; from the next epoch on, nothing can be claimed to it."""
    with transaction.atomic():
        WalletLink.objects.filter(pk=link.pk, unlinked_at__isnull=True).update(unlinked_at=at)
        _leaves(link).filter(wallet=link.address).update(wallet="")


def object_to(*, household: Household, at: datetime) -> bool:
    """Drop a wallet that has not taken effect yet: the household says it is not its own."""
    coming = WalletLink.objects.filter(
        household=household, took_effect_at__isnull=True, unlinked_at__isnull=True
    )
    return coming.update(unlinked_at=at) > 0


def take_effect(*, at: datetime) -> int:
    """Let the wallets that have waited take effect, and fill in leaves made since; return both."""
    changed = 0
    ready = WalletLink.objects.filter(
        took_effect_at__isnull=True, unlinked_at__isnull=True, takes_effect_at__lte=at
    )
    for link in ready.order_by("pk"):
        with transaction.atomic():
            locked = WalletLink.objects.select_for_update().get(pk=link.pk)
            if locked.took_effect_at is None and locked.unlinked_at is None:
                _put_into_effect(locked, at=at)
                changed += 1
    return changed + _fill_in()


def forget(*, at: datetime) -> int:
    """Delete nonces and sign-ins of old; a link keeps its message and signature."""
    old = SignInNonce.objects.filter(expires_at__lt=at - KEPT_FOR)
    return old.delete()[0]


def current(*, donor: Donor | None = None, household: Household | None = None) -> WalletLink | None:
    """Return the owner's wallet that is in effect."""
    return _links(donor=donor, household=household).filter(took_effect_at__isnull=False).first()


def coming(*, household: Household) -> WalletLink | None:
    """Return the household's wallet that waits to take effect."""
    links = _links(donor=None, household=household)
    return links.filter(took_effect_at__isnull=True).first()


def leaf_of(*, household: Household) -> Leaf | None:
    """Return the household's newest leaf: that of the site it lives at."""
    return Leaf.objects.filter(household=household).order_by("-pk").first()


def code_of(*, leaf: Leaf) -> str:
    """Return what a household's link carries besides the key, which a claim tells everybody."""
    digest = hmac.new(settings.SECRET_KEY.encode(), f"leaf:{leaf.key}".encode(), sha256)
    return digest.hexdigest()[:_CODE_CHARACTERS]


def is_code_of(*, leaf: Leaf, code: str) -> bool:
    """Whether a code belongs to a leaf, compared in constant time."""
    return hmac.compare_digest(code_of(leaf=leaf).encode(), code.encode())


def may_read(*, leaf: Leaf, code: str) -> bool:
    """Whether whoever knows a leaf's key may see what the leaf has.

    A donation's figures are public. A household's are its life, and a claim tells its key to
    everybody: only key and code together open them.
    """
    return leaf.household is None or is_code_of(leaf=leaf, code=code)


def _links(*, donor: Donor | None, household: Household | None) -> QuerySet[WalletLink]:
    return WalletLink.objects.filter(donor=donor, household=household, unlinked_at__isnull=True)


def _accept(taken: SignIn, *, at: datetime) -> None:
    """Do what the sign-in was for, within the caller's transaction. Raises NotAllowed."""
    kind, _, owner = taken.nonce.purpose.partition(":")
    if kind != ENTER:
        owner_kind, _, uid = owner.partition(":")
        if owner_kind == "donor":
            donor = Donor.objects.select_for_update().get(uid=UUID(uid))
            _link_donor(donor, taken, may_replace=kind == "next", at=at)
        else:
            household = Household.objects.select_for_update().get(uid=UUID(uid))
            _link_household(household, taken, at=at)
    taken.state, taken.decided_at = State.ACCEPTED, at
    taken.save(update_fields=["state", "decided_at"])


def _refuse(waiting: SignIn, *, code: str, at: datetime) -> SignIn:
    SignIn.objects.filter(pk=waiting.pk, state=State.WAITING).update(
        state=State.REFUSED, reason=code, decided_at=at
    )
    return SignIn.objects.get(pk=waiting.pk)


def _link_donor(donor: Donor, taken: SignIn, *, may_replace: bool, at: datetime) -> None:
    present = current(donor=donor)
    if present is not None and present.address == taken.address:
        return
    if present is not None and not may_replace:
        raise NotAllowed("has_one")
    _put_into_effect(_new_link(taken, donor=donor, at=at, takes_effect_at=at), at=at)


def _link_household(household: Household, taken: SignIn, *, at: datetime) -> None:
    present = current(household=household)
    if present is not None and present.address == taken.address:
        raise NotAllowed("same")
    asked_lately = WalletLink.objects.filter(
        household=household, linked_at__gt=at - timedelta(days=7)
    )
    if asked_lately.count() >= MOST_LINKS_A_WEEK:
        raise NotAllowed("too_many")
    object_to(household=household, at=at)
    takes_effect_at = at + timedelta(seconds=settings.WALLET_WAIT_SECONDS)
    link = _new_link(taken, household=household, at=at, takes_effect_at=takes_effect_at)
    notices.tell_household(
        household=household,
        kind="wallet_coming",
        key=f"wallet:{link.uid}",
        params={
            "household_code": household.code,
            "wallet": link.address,
            "day": _local_day(household, takes_effect_at),
        },
        at=at,
    )


def _local_day(household: Household, instant: datetime) -> str:
    site = sites.site_of(household=household, at=instant)
    zone = ZoneInfo("UTC" if site is None else site.time_zone)
    return instant.astimezone(zone).date().isoformat()


def _new_link(
    taken: SignIn,
    *,
    at: datetime,
    takes_effect_at: datetime,
    donor: Donor | None = None,
    household: Household | None = None,
) -> WalletLink:
    try:
        with transaction.atomic():
            return WalletLink.objects.create(
                donor=donor,
                household=household,
                chain_id=taken.nonce.chain_id,
                address=taken.address,
                message=taken.message,
                signature=taken.signature,
                linked_at=at,
                takes_effect_at=takes_effect_at,
            )
    except IntegrityError as error:
        # Two at once: the other one came first.
        raise NotAllowed("has_one") from error


def _put_into_effect(link: WalletLink, *, at: datetime) -> None:
    before = _links(donor=link.donor, household=link.household).filter(took_effect_at__isnull=False)
    before.update(unlinked_at=at)
    link.took_effect_at = at
    link.save(update_fields=["took_effect_at"])
    _leaves(link).exclude(wallet=link.address).update(wallet=link.address)


def _leaves(link: WalletLink) -> QuerySet[Leaf]:
    if link.donor is not None:
        return Leaf.objects.filter(donation__donor=link.donor)
    return Leaf.objects.filter(household=link.household)


def _fill_in() -> int:
    """Give leaves that were made after their owner's wallet was linked that wallet."""
    links = WalletLink.objects.filter(unlinked_at__isnull=True, took_effect_at__isnull=False)
    changed = 0
    for link in links.filter(
        Q(household__leaves__wallet="") | Q(donor__donations__leaf__wallet="")
    ).distinct():
        changed += _leaves(link).filter(wallet="").update(wallet=link.address)
    return changed
