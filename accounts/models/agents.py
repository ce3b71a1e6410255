"""Agents: people who take cash and credit households, as far as their own float goes."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7
from accounts.models.ledger import JournalEntry
from accounts.models.operators import Rail, User
from accounts.models.sites import Site


class Agent(models.Model):
    """Who may take cash at a site. What they may still take is the ledger's agent_float."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="agents")
    rail = models.ForeignKey(
        Rail, on_delete=models.PROTECT, related_name="agents", help_text="the operator's cash rail"
    )
    code = models.CharField(
        max_length=12, unique=True, help_text="names the agent's float, e.g. AG01"
    )
    name = models.CharField(max_length=120)
    phone = models.CharField(
        max_length=16, blank=True, help_text="the phone the agent works from (E.164), if any"
    )
    user = models.OneToOneField(
        User,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="agent",
        help_text="the log-in the agent works from in the admin, if any",
    )
    language = models.CharField(max_length=2, default="en")
    pin_hash = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords(excluded_fields=["pin_hash"])

    class Meta:
        ordering = ("code",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[A-Z0-9]{3,12}$"), name="agent_code_plain"
            ),
            models.UniqueConstraint(
                fields=("phone",),
                condition=models.Q(closed_at__isnull=True) & ~models.Q(phone=""),
                name="agent_phone_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class AgentFloatChange(models.Model):
    """Float that an agent bought from the operator for money, or gave back for it."""

    class Kind(models.TextChoices):
        BOUGHT = "bought", "bought: money handed to the operator"
        RETURNED = "returned", "returned: money handed to the agent"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="float_changes")
    kind = models.CharField(max_length=10, choices=Kind)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=120, unique=True)
    entry = models.ForeignKey(
        JournalEntry, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    made_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(amount_minor__gt=0), name="agent_float_change_above_zero"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent.code} {self.kind} {self.amount_minor} {self.currency}"
