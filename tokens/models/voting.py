"""Rounds on a site's grant pool: proposals, ballots, and what came of them."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import WeiField, uuid7
from accounts.models import Donor, Household, Site, User


class Weight(models.TextChoices):
    """How much a vote counts inside its house."""

    ONE = "one", "one voter, one vote"
    TOKENS = "tokens", "earned tokens (vested ones only)"
    ROOT = "root", "square root of earned tokens"


class Round(models.Model):
    """One vote on a part of a site's grant pool, by two houses."""

    class Method(models.TextChoices):
        EQUAL_SHARES = "equal_shares", "Method of Equal Shares"
        MOST_VOTES = "most_votes", "most votes"

    class State(models.TextChoices):
        DRAFT = "draft", "proposals are collected"
        OPEN = "open", "votes are taken"
        COUNTED = "counted", "counted"
        CANCELLED = "cancelled"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="rounds")
    number = models.PositiveSmallIntegerField(help_text="what a voter types; from 1")
    title = models.CharField(max_length=60)
    title_fr = models.CharField(max_length=60, blank=True)
    budget_wei = WeiField(help_text="at most what the grant pool holds when it is counted")
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField()
    household_share_basis_points = models.PositiveIntegerField(default=8_000)
    support_basis_points = models.PositiveIntegerField(
        default=2_500, help_text="of the voting households must support a project"
    )
    household_weight = models.CharField(max_length=6, choices=Weight, default=Weight.ONE)
    donor_weight = models.CharField(max_length=6, choices=Weight, default=Weight.TOKENS)
    method = models.CharField(max_length=12, choices=Method, default=Method.EQUAL_SHARES)
    state = models.CharField(max_length=9, choices=State, default=State.DRAFT)
    reserved_wei = WeiField(default=0, help_text="of the grant pool, for funded projects")
    result = models.TextField(blank=True, help_text="what is published (canonical JSON)")
    result_hash = models.CharField(max_length=66, blank=True, help_text="SHA-256 of it")
    counted_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=400, blank=True, help_text="of a cancellation; published")
    created_at = models.DateTimeField()

    history = HistoricalRecords(excluded_fields=["result"])

    class Meta:
        ordering = ("site", "-number")
        constraints = [
            models.UniqueConstraint(fields=("site", "number"), name="round_number_once"),
            models.UniqueConstraint(
                fields=("site",),
                condition=models.Q(state="open"),
                name="round_one_open_a_site",
            ),
            models.CheckConstraint(
                condition=models.Q(budget_wei__gt=0)
                & models.Q(closes_at__gt=models.F("opens_at"))
                & models.Q(household_share_basis_points__lte=10_000)
                & models.Q(support_basis_points__lte=10_000),
                name="round_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"round {self.number} of {self.site}"


class Proposal(models.Model):
    """What a round can fund. Anybody of the site proposes, an operator vets."""

    class State(models.TextChoices):
        PROPOSED = "proposed", "waits to be vetted"
        REFUSED = "refused", "not put to the vote"
        ADMITTED = "admitted", "on the ballot"
        FUNDED = "funded"
        NOT_FUNDED = "not_funded", "not funded"
        VETOED = "vetoed", "vetoed after the vote"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="proposals")
    number = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="what a voter types; given when admitted"
    )
    title = models.CharField(max_length=40)
    title_fr = models.CharField(max_length=40, blank=True)
    text = models.TextField(max_length=2_000, blank=True)
    cost_wei = WeiField()
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="proposals"
    )
    donor = models.ForeignKey(
        Donor, on_delete=models.PROTECT, null=True, blank=True, related_name="proposals"
    )
    payee = models.ForeignKey(
        "settlement.Payee", on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    reason = models.CharField(
        max_length=400, blank=True, help_text="of a refusal or veto; it is published"
    )
    decided_by = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    what_became = models.TextField(max_length=1_000, blank=True, help_text="told to its voters")
    what_became_at = models.DateTimeField(null=True, blank=True)
    proposed_at = models.DateTimeField()

    history = HistoricalRecords()

    class Meta:
        ordering = ("round", "number", "id")
        constraints = [
            models.UniqueConstraint(fields=("round", "number"), name="proposal_number_once"),
            models.CheckConstraint(
                condition=models.Q(cost_wei__gt=0)
                & (models.Q(state__in=("proposed", "refused")) | models.Q(number__isnull=False)),
                name="proposal_plausible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number or '-'} {self.title}"


class Ballot(models.Model):
    """One voter's choice in one round, once, whatever the channel."""

    class Channel(models.TextChoices):
        USSD = "ussd", "USSD"
        SMS = "sms", "SMS"
        WEB = "web", "web, logged in"
        SIGNED = "signed", "web, signed message (EIP-712)"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    round = models.ForeignKey(Round, on_delete=models.PROTECT, related_name="ballots")
    household = models.ForeignKey(
        Household, on_delete=models.PROTECT, null=True, blank=True, related_name="ballots"
    )
    donor = models.ForeignKey(
        Donor, on_delete=models.PROTECT, null=True, blank=True, related_name="ballots"
    )
    receipt_code = models.CharField(
        max_length=16, unique=True, help_text="told to the voter, published with the choice"
    )
    channel = models.CharField(max_length=6, choices=Channel)
    key = models.CharField(
        max_length=160, unique=True, help_text="of the request: come again it casts nothing more"
    )
    signature = models.TextField(blank=True)
    weight = WeiField(null=True, blank=True)  # type: ignore[misc]  # read as int | None
    cast_at = models.DateTimeField()

    class Meta:
        ordering = ("round", "receipt_code")
        constraints = [
            models.UniqueConstraint(fields=("round", "household"), name="ballot_once_a_household"),
            models.UniqueConstraint(fields=("round", "donor"), name="ballot_once_a_donor"),
            models.CheckConstraint(
                condition=models.Q(household__isnull=True) ^ models.Q(donor__isnull=True),
                name="ballot_of_a_household_or_a_donor",
            ),
        ]

    def __str__(self) -> str:
        """Without the receipt code: it leads to the published choice."""
        return f"ballot of {self.household or self.donor} in {self.round}"


class Choice(models.Model):
    """A project that a ballot supports."""

    ballot = models.ForeignKey(Ballot, on_delete=models.PROTECT, related_name="choices")
    proposal = models.ForeignKey(Proposal, on_delete=models.PROTECT, related_name="choices")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=("ballot", "proposal"), name="choice_once_a_ballot")
        ]

    def __str__(self) -> str:
        return f"a choice of {self.proposal}"
