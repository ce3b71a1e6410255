"""Bringing epochs on chain: proposed, watched through their veto window, activated.

What the ledger contract says decides; a state that nobody can take back (active, vetoed, refused)
is believed of finalized blocks only. Epochs of a site stop, with an alarm, while the chain can't
be read or holds what is not ours; nothing is lost by that, and they go on by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction

from accounts import alarms
from accounts.locks import singleton
from accounts.models import Alarm, Site
from tokens import epochs
from tokens.chain import calls, client, outbox
from tokens.chain.answers import Block
from tokens.chain.artifacts import artifact
from tokens.chain.client import CallReverted, Chain, ChainLies, ChainUnavailable
from tokens.chain.signers import BadSigner, SignerLies, SignerUnavailable
from tokens.cohorts import TooFewHouseholds
from tokens.entitlements import ReserveTooSmall, UnequalHalves
from tokens.models import Contract, Epoch, OutboxTransfer

log = structlog.get_logger(__name__)

CHAIN_ALARM = "epochs:chain"
NO_ROOT = "0x" + "0" * 64
SIGNER_FAILURES = (BadSigner, SignerUnavailable, SignerLies)

State = Epoch.State


class NotOurs(ChainLies):
    """The ledger contract holds a root that we did not propose: the guardian has to look."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnChain:
    """A ledger contract in one block: its active epoch and root, and what is pending (0: none)."""

    last_epoch: int
    root: str
    tokens: int
    pending_epoch: int
    pending_root: str
    activates_at: int
    block_number: int
    timestamp: int

    def holds(self, epoch: Epoch) -> bool:
        """Whether the epoch is the active one."""
        return self.last_epoch == epoch.number and self.root == epoch.root

    def awaits(self, epoch: Epoch) -> bool:
        """Whether the epoch is pending."""
        return self.pending_epoch == epoch.number and self.pending_root == epoch.root

    @property
    def is_window_over(self) -> bool:
        return self.pending_epoch > 0 and self.timestamp >= self.activates_at


def close_all(*, at: datetime) -> None:
    """Close and propose what is due at every site on chain, while the chain can be read."""
    if not _is_chain_well(at=at):
        return
    for site in _sites_on_chain():
        key = f"epochs:closing:{site.slug}"
        try:
            with singleton(f"close_epoch:{site.pk}") as is_alone:
                epoch = epochs.close(site=site, at=at) if is_alone else None
            if epoch is not None:
                propose(epoch=epoch, at=at)
        except (TooFewHouseholds, ReserveTooSmall, UnequalHalves) as error:
            _warn(key, f"No epoch of {site.slug} can be closed: {error}", site=site, at=at)
        except SIGNER_FAILURES as error:
            _warn(key, f"Nobody signs for epochs of {site.slug}: {error}", site=site, at=at)
        else:
            alarms.clear(key=key, at=at)


def follow_all(*, at: datetime) -> None:
    """Take every open epoch as far as the chain is; a chain that is down or lies is an alarm."""
    if not _is_chain_well(at=at):
        return
    for site in _sites_on_chain():
        key = f"epochs:chain:{site.slug}"
        try:
            with singleton(f"follow_epoch:{site.pk}") as is_alone:
                if is_alone:
                    follow(site=site, at=at)
        except (ChainUnavailable, ChainLies, *SIGNER_FAILURES) as error:
            _warn(key, f"Epochs of {site.slug} rest: {error}", site=site, at=at)
        else:
            alarms.clear(key=key, at=at)


def propose(*, epoch: Epoch, at: datetime) -> Epoch:
    """Queue the proposal of a closed epoch, once; it is proposed when the ledger holds it."""
    left, right = epochs.stored(epoch=epoch).tree.children
    with transaction.atomic():
        locked = Epoch.objects.select_for_update().get(pk=epoch.pk)
        if locked.state != State.CLOSED or locked.proposal_id is not None:
            return locked
        locked.proposal = outbox.queue(
            chain_id=epoch.chain_id,
            intent=f"propose:{epoch.site.slug}:{epoch.number}:{epoch.attempt}",
            to=_ledger_of(epoch).address,
            data=calls.encode_call(
                artifact=artifact("ImpactLedger"),
                function="propose",
                arguments=[epoch.number, left, right, epoch.dataset_hash],
            ),
            at=at,
        )
        locked.save(update_fields=["proposal"])
        return locked


def follow(*, site: Site, at: datetime) -> Epoch | None:
    """Take the site's open epoch as far as the chain is, and return it; None: there is none.

    Waits while the ledger's own deployment is not final. Raises ChainUnavailable, ChainLies, and
    NotOurs where the ledger holds another's root.
    """
    ledger = epochs.contracts_of(site=site).get(Contract.Kind.LEDGER)
    if ledger is None:
        return None
    epoch = epochs.open_epoch(site=site)
    if epoch is not None and epoch.proposal is None:
        propose(epoch=epoch, at=at)
        return epoch
    chain = client.connected()
    if _block(chain, tag="finalized").number < ledger.block_number:
        return epoch
    final = read(chain=chain, ledger=ledger.address, tag="finalized")
    newest = read(chain=chain, ledger=ledger.address, tag="latest")
    for told in (final, newest):
        _check_ours(site, epoch, told)
    return None if epoch is None else _taken_on(epoch, final=final, newest=newest, at=at)


def read(*, chain: Chain, ledger: str, tag: str) -> OnChain:
    """Read a ledger contract in the newest block of a tag. Raises ChainUnavailable, ChainLies."""
    block = _block(chain, tag=tag)
    contract = artifact("ImpactLedger")

    def view(function: str) -> int | str:
        data = calls.encode_call(artifact=contract, function=function, arguments=[])
        told: int | str = calls.decode_result(
            artifact=contract,
            function=function,
            data=chain.call(to=ledger, data=data, tag=block.number),
        )
        return told

    try:
        return OnChain(
            last_epoch=int(view("last_epoch")),
            root=str(view("root")),
            tokens=int(view("tokens")),
            pending_epoch=int(view("pending_epoch")),
            pending_root=str(view("pending_root")),
            activates_at=int(view("activates_at")),
            block_number=block.number,
            timestamp=block.timestamp,
        )
    except (calls.Undecodable, CallReverted) as error:
        raise ChainLies(f"no ledger of ours answers at {ledger} in {tag}: {error}") from error


def _block(chain: Chain, *, tag: str) -> Block:
    block = chain.block(tag=tag)
    if block is None:
        raise ChainUnavailable(f"the node has no {tag} block")
    return block


def _sites_on_chain() -> list[Site]:
    """Return the sites whose ledger is deployed; a closed one still owes its last epochs."""
    deployed = Contract.objects.filter(chain_id=settings.CHAIN_ID, kind=Contract.Kind.LEDGER)
    return list(Site.objects.filter(pk__in=deployed.values("site_id")).order_by("pk"))


def _is_chain_well(*, at: datetime) -> bool:
    try:
        client.connected().check()
    except (ChainUnavailable, ChainLies) as error:
        words = "lies" if isinstance(error, ChainLies) else "is down"
        _warn(CHAIN_ALARM, f"The chain {words}, epochs rest: {error}", site=None, at=at)
        return False
    alarms.clear(key=CHAIN_ALARM, at=at)
    return True


def _check_ours(site: Site, epoch: Epoch | None, told: OnChain) -> None:
    """Refuse a ledger that holds, or awaits, what we did not propose. Raises NotOurs."""
    before = epochs.last_active(site=site)
    ours = {(0, NO_ROOT) if before is None else (before.number, before.root)}
    if epoch is not None:
        ours.add((epoch.number, epoch.root))
    if (told.last_epoch, told.root) not in ours:
        raise NotOurs(f"its ledger has epoch {told.last_epoch} active with root {told.root}")
    if told.pending_epoch and (epoch is None or not told.awaits(epoch)):
        raise NotOurs(f"its ledger awaits epoch {told.pending_epoch} with root {told.pending_root}")


def _taken_on(epoch: Epoch, *, final: OnChain, newest: OnChain, at: datetime) -> Epoch:
    """Move an epoch to where its ledger is, and queue its activation once the window is over."""
    if newest.awaits(epoch) or newest.holds(epoch):
        epoch = _proposed(epoch, at=at)
    if final.holds(epoch):
        return _moved(epoch, State.ACTIVE, active_at=at)
    if newest.awaits(epoch) and newest.is_window_over:
        _activate(epoch, at=at)
    if newest.awaits(epoch) or newest.holds(epoch):
        return epoch
    return _ended(epoch, final=final, at=at)


def _proposed(epoch: Epoch, *, at: datetime) -> Epoch:
    return epoch if epoch.state == State.PROPOSED else _moved(epoch, State.PROPOSED, proposed_at=at)


def _activate(epoch: Epoch, *, at: datetime) -> None:
    """Queue the activation; where one was without effect, another."""
    with transaction.atomic():
        locked = Epoch.objects.select_for_update().get(pk=epoch.pk)
        queued = locked.activation
        if locked.state != State.PROPOSED:
            return
        if queued is not None and queued.state != OutboxTransfer.State.REVERTED:
            return
        intent = f"activate:{epoch.site.slug}:{epoch.number}:{epoch.attempt}"
        tries = OutboxTransfer.objects.filter(chain_id=epoch.chain_id, intent__startswith=intent)
        number = tries.count()
        locked.activation = outbox.queue(
            chain_id=epoch.chain_id,
            intent=f"{intent}:{number + 1}" if number else intent,
            to=_ledger_of(epoch).address,
            data=calls.encode_call(
                artifact=artifact("ImpactLedger"), function="activate", arguments=[epoch.number]
            ),
            at=at,
        )
        locked.save(update_fields=["activation"])


def _ended(epoch: Epoch, *, final: OnChain, at: datetime) -> Epoch:
    """Note the veto or the refusal of an epoch that neither is active nor waits, if that stays."""
    proposal = epoch.proposal
    if proposal is None:
        return epoch
    if proposal.state == OutboxTransfer.State.REVERTED:
        text = f"The ledger refused epoch {epoch.number} of {epoch.site.slug}: {proposal.failure}"
        _warn(f"epochs:refused:{epoch.site.slug}", text, site=epoch.site, at=at)
        return _moved(epoch, State.REFUSED)
    is_in = proposal.state == OutboxTransfer.State.FINAL and proposal.block_number is not None
    if is_in and final.block_number >= (proposal.block_number or 0) and not final.awaits(epoch):
        return _moved(epoch, State.VETOED)
    return epoch


def _moved(epoch: Epoch, state: Epoch.State, **instants: datetime) -> Epoch:
    """Move an open epoch on; whoever was first did it."""
    moved = Epoch.objects.filter(pk=epoch.pk, state__in=Epoch.OPEN).update(state=state, **instants)
    if moved:
        log.info("epoch moved", site=epoch.site.slug, number=epoch.number, state=str(state))
    if moved and state == State.ACTIVE:
        alarms.clear(key=f"epochs:refused:{epoch.site.slug}", at=instants["active_at"])
    return Epoch.objects.select_related("site", "proposal", "activation").get(pk=epoch.pk)


def _ledger_of(epoch: Epoch) -> Contract:
    return Contract.objects.get(
        site_id=epoch.site_id, chain_id=epoch.chain_id, kind=Contract.Kind.LEDGER
    )


def _warn(key: str, text: str, *, site: Site | None, at: datetime) -> None:
    log.warning("epochs rest", key=key, text=text)
    alarms.raise_alarm(
        kind=Alarm.Kind.CHAIN,
        key=key,
        text=text,
        at=at,
        operator=None if site is None else site.operator,
    )
