"""The ledger, as Django sees it: accounts, journal entries, postings. Read only from here.

The tables and their guards are made by accounts/sql/ledger_tables.sql; accounts.ledger is the only
writer. Signs: a posting above zero credits its account. Accounts of kinds that are owed to somebody
(household funds, pools, tokens) stand above zero; assets (floats, arrears) below.
"""

from __future__ import annotations

import uuid

from django.db import models

from accounts.fields import WeiField
from accounts.models.households import Household


class LedgerAccount(models.Model):
    """One owner's amount of one asset in one book; stored, and equal to the sum of its postings."""

    class Kind(models.TextChoices):
        HOUSEHOLD_FUNDS = "household_funds", "deposited funds"
        HOUSEHOLD_REPAYMENT = "household_repayment", "set aside for arrears"
        HOUSEHOLD_ARREARS = "household_arrears", "arrears (asset)"
        ARREARS_UNEARNED = "arrears_unearned", "arrears not collected yet"
        POOL = "pool", "pool of a split line"
        FLOAT = "float", "rail's float (asset)"
        FX_POSITION = "fx_position", "position in a currency"
        FX_RESERVE = "fx_reserve", "operator's FX reserve"
        SUSPENSE = "suspense", "money that matches nobody"
        HOUSEHOLD_TOKENS = "household_tokens", "household's impact tokens"
        DONORS_POOL = "donors_pool", "donors' impact tokens"
        UNALLOCATED_TOKENS = "unallocated_tokens", "impact tokens of no donor"
        TOKENS_MINTED = "tokens_minted", "impact tokens minted (asset)"
        DONATIONS = "donations", "donations received"
        PAYBACK_DUE = "payback_due", "taken back, to be paid out by the rail"
        PAYER_CLAIM = "payer_claim", "owed by payers who took back spent credit (asset)"
        RAIL_FEES = "rail_fees", "kept by the rail's provider (expense)"
        FEES_CHARGED = "fees_charged", "rail fees charged to payers"
        SPREAD_CHARGED = "spread_charged", "spread charged to payers"
        AGENT_FLOAT = "agent_float", "agent's float"
        TREASURY = "treasury", "DAI held by the treasury (asset)"
        FX_RESULT = "fx_result", "realised FX result"
        UNEXPLAINED = "unexplained", "differences to a rail's statement, accepted by a person"
        CRYPTO_FLOAT = "crypto_float", "money on chain (asset)"
        CRYPTO_POSITION = "crypto_position", "position in a crypto asset"
        GRANT_RESERVED = "grant_reserved", "of the grant pool, for projects that a vote funded"
        PAYOUT_DUE = "payout_due", "set aside to be paid out"
        SERVICE_TOKENS = "service_tokens", "payee's service tokens"
        SERVICE_TOKENS_ISSUED = "service_tokens_issued", "service tokens issued (asset)"

    book_id = models.BigIntegerField()
    kind = models.CharField(max_length=24, choices=Kind)
    name = models.CharField(max_length=24, default="", help_text="split line, rail or agent")
    asset = models.CharField(max_length=8, help_text="DAI, IT, or a currency in minor units")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, related_name="ledger_accounts"
    )
    amount = WeiField(help_text="10^-18 of DAI or IT; minor units of a currency")

    class Meta:
        managed = False
        db_table = "ledger_account"

    def __str__(self) -> str:
        owner = self.household.code if self.household else self.name
        return f"{self.get_kind_display()} {owner} {self.asset}".replace("  ", " ")


class JournalEntry(models.Model):
    """A balanced, immutable set of postings; a link of its book's hash chain."""

    uid = models.UUIDField(default=uuid.uuid4)
    book_id = models.BigIntegerField()
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=24)
    key = models.CharField(max_length=120)
    request_hash = models.BinaryField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    previous_hash = models.BinaryField()
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "journal_entry"
        ordering = ("book_id", "sequence")
        verbose_name_plural = "journal entries"

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Posting(models.Model):
    """One signed leg of an entry."""

    book_id = models.BigIntegerField()
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="postings"
    )
    account = models.ForeignKey(
        LedgerAccount, on_delete=models.DO_NOTHING, db_constraint=False, related_name="postings"
    )
    asset = models.CharField(max_length=8)
    amount = WeiField()

    class Meta:
        managed = False
        db_table = "posting"

    def __str__(self) -> str:
        return f"{self.account}: {self.amount} of {self.asset}"
