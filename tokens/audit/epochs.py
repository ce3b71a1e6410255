"""Checks of epochs: their leaves, what the ledger says of them, what was published, the chain.

Against the ledger always; against the chain where CHAIN_RPC_URL is set.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit.checks import check, sentences
from tokens import dataset, epochs, minting
from tokens.chain import calls, client
from tokens.chain.artifacts import artifact
from tokens.chain.client import CallReverted, Chain, ChainLies, ChainUnavailable
from tokens.models import Contract, Epoch


@check(invariant=7, subject="tokens_epoch")
def epochs_are_the_sums_of_their_leaves(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Leaves sum to the epoch's energy, tokens and carry; tokens are energy x w, half of them the
    households'."""
    return sentences(
        database,
        """
        SELECT format('epoch %s (%s) of %s says %s mWh and %s wei, carry %s; its leaves have %s '
                      'and %s, carry %s, of which households %s',
                      e.number, e.attempt, s.slug, e.milliwatt_hours, e.tokens_wei, e.carry_wei,
                      l.energy, l.tokens, l.carry, l.households)
        FROM tokens_epoch e
        JOIN accounts_site s ON s.id = e.site_id
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(r.milliwatt_hours), 0) AS energy,
                coalesce(sum(r.tokens_wei), 0) AS tokens, coalesce(sum(r.carry_wei), 0) AS carry,
                coalesce(sum(r.carry_milliwatt_hours), 0) AS carry_energy,
                coalesce(sum(r.tokens_wei) FILTER (WHERE f.kind = 'household'), 0) AS households,
                coalesce(sum(r.milliwatt_hours) FILTER (WHERE f.kind <> 'household'), 0) AS others
            FROM tokens_epochleaf r JOIN tokens_leaf f ON f.id = r.leaf_id
            WHERE r.epoch_id = e.id
        ) l ON true
        WHERE l.energy <> e.milliwatt_hours OR l.tokens <> e.tokens_wei OR l.others <> 0
            OR l.carry <> e.carry_wei OR l.carry_energy <> e.carry_milliwatt_hours
            OR e.tokens_wei * 1000000 <> e.milliwatt_hours::numeric * s.impact_token_wei_per_kwh
            OR e.carry_wei * 1000000 <> e.carry_milliwatt_hours * s.impact_token_wei_per_kwh
            OR l.households * 2 <> e.tokens_wei
        """,
    )


@check(invariant=7, subject="tokens_epochleaf")
def leaves_never_decrease(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A leaf of an active epoch is in the next one, with no less; the reserve alone may fall."""
    return sentences(
        database,
        """
        WITH active AS (
            SELECT id, site_id, chain_id, number,
                lead(id) OVER w AS next_id, lead(number) OVER w AS next_number
            FROM tokens_epoch WHERE state = 'active'
            WINDOW w AS (PARTITION BY site_id, chain_id ORDER BY number)
        )
        SELECT format('leaf %s has %s mWh and %s wei in epoch %s, and %s and %s in epoch %s',
                      l.key, r.milliwatt_hours, r.tokens_wei, a.number, coalesce(n.milliwatt_hours,
                      0), coalesce(n.tokens_wei, 0), a.next_number)
        FROM active a
        JOIN tokens_epochleaf r ON r.epoch_id = a.id
        JOIN tokens_leaf l ON l.id = r.leaf_id
        LEFT JOIN tokens_epochleaf n ON n.epoch_id = a.next_id AND n.leaf_id = r.leaf_id
        WHERE a.next_id IS NOT NULL AND (n.id IS NULL OR (l.kind <> 'reserve'
            AND (n.tokens_wei < r.tokens_wei OR n.milliwatt_hours < r.milliwatt_hours)))
        UNION ALL
        SELECT format('epoch %s of site %s is active, the one before it is %s', number, site_id,
                      before)
        FROM (
            SELECT number, site_id, coalesce(lag(number) OVER (
                PARTITION BY site_id, chain_id ORDER BY number), 0) AS before
            FROM tokens_epoch WHERE state = 'active'
        ) numbered WHERE number <> before + 1
        """,
    )


@check(invariant=7, subject="tokens_epochleaf")
def leaves_less_carry_are_the_ledger(database: BaseDatabaseWrapper) -> Iterator[str]:
    """In a site's last active epoch, leaves less carry are what its book had at that height: each
    household's, the donors' together, the unallocated."""
    return sentences(
        database,
        """
        WITH last AS (
            SELECT DISTINCT ON (e.site_id, e.chain_id) e.id, e.number, e.site_id, e.book_height,
                b.id AS book_id
            FROM tokens_epoch e JOIN accounts_book b ON b.site_id = e.site_id
            WHERE e.state = 'active' ORDER BY e.site_id, e.chain_id, e.number DESC
        ), ledger AS MATERIALIZED (
            SELECT last.id AS epoch_id, a.kind, a.household_id,
                a.amount - coalesce(sum(later.amount), 0) AS amount
            FROM last JOIN ledger_account a ON a.book_id = last.book_id
                AND a.kind IN ('household_tokens', 'donors_pool', 'unallocated_tokens')
            LEFT JOIN (
                SELECT e.id AS epoch_id, p.account_id, p.amount
                FROM last e
                JOIN journal_entry j ON j.book_id = e.book_id AND j.sequence > e.book_height
                JOIN posting p ON p.book_id = j.book_id AND p.entry_id = j.id AND p.asset = 'IT'
            ) later ON later.epoch_id = last.id AND later.account_id = a.id
            GROUP BY last.id, a.id, a.kind, a.household_id, a.amount
        ), leaf AS (
            SELECT r.epoch_id, l.household_id,
                CASE l.kind WHEN 'household' THEN 'household_tokens'
                    WHEN 'unallocated' THEN 'unallocated_tokens' ELSE 'donors_pool' END AS kind,
                sum(r.tokens_wei - r.carry_wei) AS amount
            FROM last JOIN tokens_epochleaf r ON r.epoch_id = last.id
            JOIN tokens_leaf l ON l.id = r.leaf_id
            GROUP BY 1, 2, 3
        )
        SELECT format('epoch %s of site %s: leaves of %s %s less carry are %s wei, the book had %s',
                      last.number, last.site_id, kind, household_id, coalesce(leaf.amount, 0),
                      coalesce(ledger.amount, 0))
        FROM (SELECT epoch_id, kind, coalesce(household_id, 0) AS household_id, amount FROM leaf)
            leaf
        FULL JOIN (
            SELECT epoch_id, kind, coalesce(household_id, 0) AS household_id, amount FROM ledger
        ) ledger USING (epoch_id, kind, household_id)
        JOIN last ON last.id = epoch_id
        WHERE coalesce(leaf.amount, 0) <> coalesce(ledger.amount, 0)
        """,
    )


@check(invariant=7, subject="tokens_epochleaf")
def donations_earned_what_their_leaves_say(database: BaseDatabaseWrapper) -> Iterator[str]:
    """What a donation had earned when an epoch was closed is its vested leaf less carry, and all of
    them are what the donors' pool had, but for less than a wei each.

    Epochs of before it was noted are left out.
    """
    return sentences(
        database,
        """
        WITH noted AS (
            SELECT r.epoch_id, l.kind, l.key, r.earned_wei, r.tokens_wei - r.carry_wei AS owned_wei,
                e.number, e.site_id, d.vests_at <= e.closed_at AS has_vested
            FROM tokens_epochleaf r
            JOIN tokens_leaf l ON l.id = r.leaf_id AND l.kind IN ('donation', 'reserve')
            JOIN tokens_epoch e ON e.id = r.epoch_id
            LEFT JOIN accounts_donation d ON d.id = l.donation_id
            WHERE EXISTS (SELECT FROM tokens_epochleaf o
                          WHERE o.epoch_id = r.epoch_id AND o.earned_wei IS NOT NULL)
        )
        SELECT format('epoch %s of site %s: leaf %s had earned %s wei and owns %s', number, site_id,
                      key, earned_wei, owned_wei)
        FROM noted
        WHERE kind = 'donation' AND (earned_wei IS NULL OR earned_wei < 0
            OR owned_wei <> CASE WHEN has_vested THEN earned_wei ELSE 0 END)
        UNION ALL
        SELECT format('epoch %s of site %s: donations had earned %s wei of a pool of %s', number,
                      site_id, sum(earned_wei), sum(owned_wei))
        FROM noted GROUP BY epoch_id, number, site_id
        HAVING sum(owned_wei) - sum(earned_wei) NOT BETWEEN 0 AND count(earned_wei)
        """,
    )


@check(invariant=7, subject="tokens_epoch")
def epochs_name_their_book(database: BaseDatabaseWrapper) -> Iterator[str]:
    """An epoch's book height and hash are those of an entry in its site's hash chain."""
    return sentences(
        database,
        """
        SELECT format('epoch %s of site %s names entry %s with hash %s, the book has %s', e.number,
                      e.site_id, e.book_height, e.book_hash, '0x' || encode(j.hash, 'hex'))
        FROM tokens_epoch e
        LEFT JOIN accounts_book b ON b.site_id = e.site_id
        LEFT JOIN journal_entry j ON j.book_id = b.id AND j.sequence = e.book_height
        WHERE e.book_hash IS DISTINCT FROM '0x' || encode(j.hash, 'hex')
        """,
    )


@check(invariant=7, subject="tokens_epoch")
def epochs_are_rebuilt_bit_for_bit(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The stored leaves give the root and the very bytes that were published, and these bytes the
    root and the hash that were told."""
    for epoch in Epoch.objects.using(database.alias).select_related("site").order_by("pk"):
        content = epoch.dataset.encode()
        name = f"epoch {epoch.number} ({epoch.attempt}) of {epoch.site.slug}"
        try:
            rewritten, root = epochs.rewritten(epoch=epoch)
            read = dataset.rebuild(content)
        except (dataset.Malformed, ValueError) as error:
            yield f"{name} can't be rebuilt: {error}"
            continue
        if dataset.hexed(root.hash) != epoch.root or read != root:
            yield f"{name}: leaves give {dataset.hexed(root.hash)}, told was {epoch.root}"
        if rewritten != content:
            yield f"{name}: the data set is not what its leaves and columns give"
        if dataset.hash_of(content) != epoch.dataset_hash:
            yield f"{name}: the data set has not the hash {epoch.dataset_hash}"


@check(invariant=7, subject="tokens_contract")
def the_chain_holds_the_last_active_epoch(database: BaseDatabaseWrapper) -> Iterator[str]:
    """In the newest finalized block, each site's ledger contract holds the root and the tokens of
    its last active epoch, and that is the token's whole supply.

    Rests without CHAIN_RPC_URL; a chain that can't be asked is a finding.
    """
    if not settings.CHAIN_RPC_URL:
        return
    ledgers = Contract.objects.using(database.alias).filter(
        chain_id=settings.CHAIN_ID, kind=Contract.Kind.LEDGER
    )
    try:
        chain = client.connected()
        for ledger in ledgers.select_related("site"):
            yield from _on_chain(chain, ledger, database)
    except (ChainUnavailable, ChainLies) as error:
        yield f"the chain can't be asked: {error}"


def _on_chain(chain: Chain, ledger: Contract, database: BaseDatabaseWrapper) -> Iterator[str]:
    told = minting.read(chain=chain, ledger=ledger.address, tag="finalized")
    here = {"site": ledger.site, "chain_id": ledger.chain_id}
    known = Epoch.objects.using(database.alias).filter(**here)
    active = known.filter(state=Epoch.State.ACTIVE).order_by("-number").first()
    expected = {(0, minting.NO_ROOT, 0) if active is None else _sums(active)}
    # The chain may be a step ahead of what was noted here.
    expected |= {_sums(epoch) for epoch in known.filter(state__in=Epoch.OPEN)}
    if (told.last_epoch, told.root, told.tokens) not in expected:
        yield (
            f"the ledger {ledger.address} holds epoch {told.last_epoch}, root {told.root} and"
            f" {told.tokens} wei; ours is {active and _sums(active)}"
        )
    token = Contract.objects.using(database.alias).get(kind=Contract.Kind.TOKEN, **here)
    supply = _supply(chain, token, block_number=told.block_number)
    if supply != told.tokens:
        yield f"the token {token.address} has {supply} wei, its ledger minted {told.tokens}"


def _sums(epoch: Epoch) -> tuple[int, str, int]:
    return epoch.number, epoch.root, epoch.tokens_wei


def _supply(chain: Chain, token: Contract, *, block_number: int) -> int:
    contract = artifact("ImpactToken")
    data = calls.encode_call(artifact=contract, function="totalSupply", arguments=[])
    try:
        answer = chain.call(to=token.address, data=data, tag=block_number)
        return int(calls.decode_result(artifact=contract, function="totalSupply", data=answer))
    except (calls.Undecodable, CallReverted) as error:
        raise ChainLies(f"no token of ours answers at {token.address}: {error}") from error


CHECKS = (
    epochs_are_the_sums_of_their_leaves,
    leaves_never_decrease,
    leaves_less_carry_are_the_ledger,
    donations_earned_what_their_leaves_say,
    epochs_name_their_book,
    epochs_are_rebuilt_bit_for_bit,
    the_chain_holds_the_last_active_epoch,
)
