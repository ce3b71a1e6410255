"""Voting with a wallet's signature (EIP-712), without a log-in: the signature says who it is."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from tokens import queries
from tokens.chain.sign_in import Refused as BadSignature
from tokens.chain.typed_votes import NAME, TypedVote, signer_of, typed_data
from tokens.models import Ballot, Round, SignInNonce
from tokens.voting import ballots, voters
from tokens.voting.ballots import Cast
from tokens.voting.refusals import Refused

NONCE_LASTS = timedelta(minutes=15)
_NONCE_BYTES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What a wallet is to sign, until when, and the nonce that stands for it."""

    nonce: str
    numbers: tuple[int, ...]
    typed_data: dict[str, Any]
    expires_at: datetime


def ask(*, round_: Round, numbers: Collection[int], uri: str, at: datetime) -> Asked:
    """Issue a nonce for a vote and return what is to be signed. Raises Refused."""
    if not ballots.is_open(round_=round_, at=at):
        raise Refused("closed", f"{round_} takes no votes")
    chosen = tuple(sorted(set(numbers)))
    ballots.check_numbers(round_=round_, numbers=chosen)
    row = SignInNonce.objects.create(
        nonce=secrets.token_hex(_NONCE_BYTES),
        purpose=_purpose(round_, chosen),
        domain=NAME,
        uri=uri,
        chain_id=settings.CHAIN_ID,
        issued_at=at,
        expires_at=at + NONCE_LASTS,
    )
    return Asked(
        nonce=row.nonce,
        numbers=chosen,
        typed_data=typed_data(
            chain_id=row.chain_id, vote=_vote(round_, numbers=chosen, nonce=row.nonce)
        ),
        expires_at=row.expires_at,
    )


def asked_for(*, round_: Round, nonce: str) -> tuple[int, ...]:
    """Return the projects that a nonce of the round was issued for. Raises Refused (nonce)."""
    return _numbers(_row(round_, nonce), round_)


def cast(*, round_: Round, nonce: str, signature: str, at: datetime) -> Cast:
    """Cast the vote that a nonce was issued for, as the donor whose wallet signed it; once.

    Raises Refused (nonce, expired, malformed, signature, and those of ballots.cast), AlreadyVoted.
    """
    with transaction.atomic():
        row = _row(round_, nonce)
        numbers = _numbers(row, round_)
        try:
            wallet = signer_of(
                chain_id=row.chain_id,
                vote=_vote(round_, numbers=numbers, nonce=row.nonce),
                signature=signature,
            )
        except BadSignature as error:
            raise Refused(error.code, "this is no signature of a vote") from error
        givers = voters.givers(site=round_.site, donors=queries.donors_of(wallet=wallet))
        if not givers:
            raise Refused("signature", f"no donor of {round_.site} has the wallet {wallet}")
        key = f"signed:{row.nonce}"
        if row.expires_at <= at and not Ballot.objects.filter(key=key).exists():
            raise Refused("expired", "what was to be signed is too old")
        SignInNonce.objects.filter(pk=row.pk, used_at__isnull=True).update(used_at=at)
        return ballots.cast(
            round_=round_,
            donor=givers[0],
            numbers=numbers,
            channel=Ballot.Channel.SIGNED,
            key=key,
            signature=signature.strip(),
            at=at,
        )


def _purpose(round_: Round, numbers: Collection[int]) -> str:
    return f"vote:{round_.uid}:" + ",".join(str(number) for number in sorted(numbers))


def _vote(round_: Round, *, numbers: Collection[int], nonce: str) -> TypedVote:
    return TypedVote(
        site=round_.site.name, round=str(round_.uid), options=sorted(numbers), nonce=nonce
    )


def _row(round_: Round, nonce: str) -> SignInNonce:
    row = SignInNonce.objects.filter(nonce=nonce[:64]).first()
    if row is None or not row.purpose.startswith(f"vote:{round_.uid}:"):
        raise Refused("nonce", "this was not issued for this round")
    return row


def _numbers(row: SignInNonce, round_: Round) -> tuple[int, ...]:
    listed = row.purpose.removeprefix(f"vote:{round_.uid}:")
    return tuple(int(number) for number in listed.split(","))
