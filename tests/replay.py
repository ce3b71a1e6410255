"""Replaying what several workers did at once: the model does it again in the journal's order.

The journal says only who came when. What each step came to is the model's own reckoning, from the
inputs it was given.
"""

from __future__ import annotations

from accounts import audit
from accounts.models import JournalEntry
from settlement.audit import CHECKS as SETTLEMENT_CHECKS
from settlement.models import SettlementBatch
from tests.twin import Twin


def replay(twin: Twin, *, payments: dict[str, tuple[str, int]]) -> None:
    """Run the model through the site's batches and top-ups; payments: reference -> code, minor."""
    entries = JournalEntry.objects.filter(book_id=twin.village.site.book.pk).order_by("sequence")
    sequences = dict(entries.values_list("id", "sequence"))
    credits = [
        (entry.sequence, entry.key.rpartition(":")[2]) for entry in entries.filter(kind="top_up")
    ]
    for batch in SettlementBatch.objects.filter(site=twin.village.site).order_by("id"):
        # A batch without an entry moved no money: its place among the top-ups does not matter.
        number = 0 if batch.entry_id is None else sequences[batch.entry_id]
        while credits and credits[0][0] < number:
            _credit(twin, credits.pop(0)[1], payments)
        if batch.kind == SettlementBatch.Kind.REBATES:
            twin.model.close_blocks(at=batch.settled_at)
        else:
            twin.model.settle(at=batch.settled_at, limit=batch.taken_count)
    for _, reference in credits:
        _credit(twin, reference, payments)


def findings() -> list[str]:
    """What the audit finds in all books."""
    checks = (*audit.CHECKS, *SETTLEMENT_CHECKS)
    return [
        f"{each.check}: {each.detail}"
        for result in audit.run(checks=checks)
        for each in result.findings
    ]


def _credit(twin: Twin, reference: str, payments: dict[str, tuple[str, int]]) -> None:
    code, amount_minor = payments[reference]
    twin.model.pay(code, amount_minor=amount_minor, reference=reference)
