"""Taxes and levies of a site, and the fiscal receipts and credit notes written for payments."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7
from accounts.models.paybacks import TakeBack
from accounts.models.payments import Payment
from accounts.models.sites import Site


class TaxLine(models.Model):
    """A tax or levy contained in what households pay, and since when."""

    class Kind(models.TextChoices):
        TAX = "tax"
        LEVY = "levy"

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="tax_lines")
    kind = models.CharField(max_length=10, choices=Kind)
    name = models.CharField(max_length=40, help_text="as printed, e.g. VAT")
    code = models.CharField(max_length=10, help_text="the tax authority's, e.g. B for 16 %")
    rate_basis_points = models.PositiveIntegerField(
        help_text="of the net amount, e.g. 1600 for 16 %"
    )
    validity = DateTimeRangeField()

    history = HistoricalRecords()

    class Meta:
        ordering = ("site", "kind", "name")
        constraints = [
            ExclusionConstraint(
                name="tax_line_one_at_a_time",
                expressions=[
                    ("site", RangeOperators.EQUAL),
                    ("name", RangeOperators.EQUAL),
                    ("validity", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(
                condition=models.Q(rate_basis_points__lte=10_000), name="tax_line_at_most_all"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.rate_basis_points / 100} %"


class FiscalReceipt(models.Model):
    """A receipt for a payment, or a credit note for what was taken back of one.

    Written with the credit, numbered per site without gaps; a device of the tax authority signs it
    later, where the site has one. The tax point is the payment: a prepayment is taxed when
    received.
    """

    class Kind(models.TextChoices):
        SALE = "sale"
        CREDIT_NOTE = "credit_note", "credit note"

    class State(models.TextChoices):
        UNSIGNED = "unsigned", "the site has no device"
        QUEUED = "queued"
        SENDING = "sending"
        UNKNOWN = "unknown", "no answer: may be signed"
        SIGNED = "signed"
        REFUSED = "refused", "a person has to look"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="fiscal_receipts")
    number = models.PositiveBigIntegerField(help_text="per site, from 1, without gaps")
    kind = models.CharField(max_length=12, choices=Kind)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="fiscal_receipts")
    take_back = models.OneToOneField(
        TakeBack, on_delete=models.PROTECT, null=True, blank=True, related_name="credit_note"
    )
    original = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="credit_notes"
    )
    gross_minor = models.BigIntegerField(help_text="above zero for credit notes as well")
    net_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    tax_point_at = models.DateTimeField()
    issued_at = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State)
    device = models.CharField(max_length=40, blank=True)
    device_number = models.CharField(max_length=60, blank=True)
    signature = models.CharField(max_length=200, blank=True)
    verification_url = models.URLField(max_length=300, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    failure = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("site", "number"), name="fiscal_receipt_number_once"),
            models.UniqueConstraint(
                fields=("payment",),
                condition=models.Q(kind="sale"),
                name="fiscal_receipt_one_sale_a_payment",
            ),
            models.CheckConstraint(
                condition=models.Q(gross_minor__gt=0), name="fiscal_receipt_above_zero"
            ),
        ]
        indexes = [
            models.Index(
                fields=("next_attempt_at",),
                name="fiscal_receipt_to_sign",
                condition=models.Q(next_attempt_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.site.slug} {self.number}"


class FiscalLine(models.Model):
    """One tax or levy contained in a receipt, as it was then."""

    receipt = models.ForeignKey(FiscalReceipt, on_delete=models.PROTECT, related_name="lines")
    kind = models.CharField(max_length=10, choices=TaxLine.Kind)
    name = models.CharField(max_length=40)
    code = models.CharField(max_length=10)
    rate_basis_points = models.PositiveIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.name} {self.amount_minor}"
