"""Money that leaves the pools: to whom, for what, who agreed, and what became of it."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import WeiField, uuid7
from accounts.models import JournalEntry, Operator, Rail, Site, User
from accounts.models.households import Language


class Payee(models.Model):
    """Who is paid out of a site's pools, and over which rail."""

    class Role(models.TextChoices):
        CONTRACTOR = "contractor", "contractor"
        OPERATOR = "operator", "operator"
        GRANTEE = "grantee", "grantee (of a vote)"

    class Way(models.TextChoices):
        MOBILE = "mobile", "mobile money (B2C)"
        BANK = "bank", "bank file (ISO 20022 pain.001)"
        CHAIN = "chain", "DAI on chain"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="payees")
    code = models.SlugField(max_length=24, unique=True, help_text="names its accounts, e.g. jua")
    role = models.CharField(max_length=10, choices=Role)
    public_name = models.CharField(max_length=120, help_text="shown on the public flow picture")
    way = models.CharField(max_length=6, choices=Way)
    rail = models.ForeignKey(
        Rail, on_delete=models.PROTECT, null=True, blank=True, related_name="payees"
    )
    phone = models.CharField(
        max_length=16, blank=True, help_text="E.164, for mobile money; told of payouts by SMS"
    )
    language = models.CharField(
        max_length=2, choices=Language, default=Language.ENGLISH, help_text="of those SMS"
    )
    bank_account = models.CharField(max_length=34, blank=True, help_text="IBAN or account number")
    bank_code = models.CharField(max_length=11, blank=True, help_text="BIC")
    wallet = models.CharField(max_length=42, blank=True, help_text="with its checksum")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("code",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(way="mobile", rail__isnull=False, phone__regex=r"^\+[1-9]\d+$")
                | (models.Q(way="bank") & ~models.Q(bank_account=""))
                | (models.Q(way="chain") & ~models.Q(wallet="")),
                name="payee_can_be_paid",
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.get_role_display()})"


class ServiceToken(models.Model):
    """A claim that a payee earned by a milestone or an uptime period; burned when it is paid out.

    It cannot be transferred. Its amounts stand on the site's book as the asset SVC (wei of DAI).
    """

    class Reason(models.TextChoices):
        MILESTONE = "milestone", "milestone accepted"
        UPTIME = "uptime", "uptime period accepted"
        GRANT = "grant", "project funded by a vote"

    class State(models.TextChoices):
        EARNED = "earned"
        BURNED = "burned", "burned: paid out"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="service_tokens")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="service_tokens")
    reason = models.CharField(max_length=10, choices=Reason)
    subject = models.CharField(max_length=120, help_text="what for, once, e.g. uptime:2026-10")
    note = models.CharField(max_length=200, blank=True)
    amount_wei = WeiField(help_text="what it is good for, in wei of DAI")
    state = models.CharField(max_length=8, choices=State, default=State.EARNED)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    accepted_at = models.DateTimeField()
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("site", "subject"), name="service_token_once"),
            models.CheckConstraint(
                condition=models.Q(amount_wei__gt=0), name="service_token_above_zero"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject} of {self.payee}"


class BankFile(models.Model):
    """A pain.001 file for the operator's bank, kept as it was made; each payout is in one file."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="bank_files")
    message_id = models.CharField(max_length=35, unique=True, help_text="MsgId in the file")
    currency = models.CharField(max_length=3)
    debtor_account = models.CharField(max_length=34, help_text="IBAN or number it is paid from")
    debtor_code = models.CharField(max_length=11, blank=True, help_text="BIC of that bank")
    content = models.TextField(help_text="XML")
    payout_count = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.message_id


class Payout(models.Model):
    """Money out of one pool of a site to one payee, for one service token.

    Where it goes is kept as it was proposed, so that what was approved is what is sent.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "waits for a second person"
        REJECTED = "rejected"
        APPROVED = "approved", "approved, not sent yet"
        SENDING = "sending"
        UNKNOWN = "unknown", "sent, no answer: asked after"
        SENT = "sent", "on its way"
        PAID = "paid"
        FAILED = "failed", "came back: the money is in the pool again"

    OPEN = (State.PROPOSED, State.APPROVED, State.SENDING, State.UNKNOWN, State.SENT)
    SET_ASIDE = (State.APPROVED, State.SENDING, State.UNKNOWN, State.SENT)
    """Its money stands on payout_due."""
    UNDER_WAY = (State.SENDING, State.UNKNOWN, State.SENT)
    """Its money may have left."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    request_id = models.UUIDField(unique=True, help_text="our id at the provider; version 4")
    token = models.CharField(max_length=64, unique=True, help_text="last part of the result path")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="payouts")
    pool = models.CharField(max_length=24, help_text="split line, e.g. contractor")
    payee = models.ForeignKey(Payee, on_delete=models.PROTECT, related_name="payouts")
    service_token = models.ForeignKey(
        ServiceToken, on_delete=models.PROTECT, related_name="payouts"
    )
    way = models.CharField(max_length=6, choices=Payee.Way)
    rail = models.ForeignKey(
        Rail, on_delete=models.PROTECT, null=True, blank=True, related_name="payouts"
    )
    destination = models.CharField(max_length=42, help_text="phone, account or wallet")
    destination_code = models.CharField(max_length=11, blank=True, help_text="BIC")
    bank_file = models.ForeignKey(
        BankFile, on_delete=models.PROTECT, null=True, blank=True, related_name="payouts"
    )
    amount_wei = WeiField(help_text="out of the pool")
    amount_minor = models.BigIntegerField(null=True, blank=True, help_text="what the payee gets")
    currency = models.CharField(max_length=3, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.PROPOSED)
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    approved_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    provider_request = models.CharField(max_length=80, blank=True)
    reference = models.CharField(max_length=80, blank=True, help_text="the provider's receipt")
    failure_code = models.CharField(max_length=40, blank=True)
    failure_text = models.CharField(max_length=200, blank=True)
    poll_count = models.PositiveIntegerField(default=0)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    proposed_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    reconciled_at = models.DateTimeField(
        null=True, blank=True, help_text="found in the rail's statement, or seen on chain"
    )
    entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
        help_text="that set the money aside",
    )
    paid_entry = models.ForeignKey(
        JournalEntry,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        blank=True,
        related_name="+",
    )

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(condition=models.Q(amount_wei__gt=0), name="payout_above_zero"),
            models.CheckConstraint(
                condition=models.Q(approved_by__isnull=True)
                | ~models.Q(approved_by=models.F("proposed_by")),
                name="payout_approved_by_a_second_person",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=("proposed", "rejected"))
                | models.Q(proposed_by__isnull=False, approved_by__isnull=False),
                name="payout_takes_two_people",
            ),
            models.UniqueConstraint(
                fields=("service_token",),
                condition=~models.Q(state__in=("rejected", "failed")),
                name="payout_one_a_service_token",
            ),
        ]
        indexes = [
            models.Index(
                fields=("next_poll_at",),
                name="payout_to_poll",
                condition=models.Q(next_poll_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.pool} to {self.payee}: {self.state}"
