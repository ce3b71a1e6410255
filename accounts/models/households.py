"""Households, where they live, and (in tables of their own) who they are."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import uuid7
from accounts.models.sites import Site


class Language(models.TextChoices):
    ENGLISH = "en", "English"
    FRENCH = "fr", "Français"
    SWAHILI = "sw", "Kiswahili"


class Household(models.Model):
    """A consumer with an account code. Never deleted: closed."""

    class Tier(models.TextChoices):
        PRIORITY = "priority", "priority (clinic, school, pump)"
        BUSINESS = "business", "business"
        LEISURE = "leisure", "home"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    code = models.CharField(
        max_length=12, unique=True, help_text="what the payer types, e.g. KIS0001"
    )
    tier = models.CharField(max_length=10, choices=Tier, default=Tier.LEISURE)
    has_lifeline = models.BooleanField(default=True)
    language = models.CharField(max_length=2, choices=Language, default=Language.ENGLISH)
    pin_hash = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords(excluded_fields=["pin_hash"])

    class Meta:
        ordering = ("code",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(code__regex=r"^[A-Z0-9]{3,12}$"), name="household_code_plain"
            )
        ]

    def __str__(self) -> str:
        return self.code


class HouseholdSite(models.Model):
    """Which site a household belongs to, and when."""

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="sites")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="household_sites")
    validity = DateTimeRangeField()

    history = HistoricalRecords()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="household_at_one_site_at_a_time",
                expressions=[
                    ("household", RangeOperators.EQUAL),
                    ("validity", RangeOperators.OVERLAPS),
                ],
            )
        ]

    def __str__(self) -> str:
        return f"{self.household} at {self.site}"


class HouseholdName(models.Model):
    """A household's name: personal data, apart from everything that the ledger refers to."""

    household = models.OneToOneField(Household, on_delete=models.PROTECT, related_name="name")
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class HouseholdPhone(models.Model):
    """A phone that may act for a household. One phone may serve several households."""

    household = models.ForeignKey(Household, on_delete=models.PROTECT, related_name="phones")
    phone = models.CharField(max_length=16, db_index=True, help_text="E.164, e.g. +254711000001")
    is_notified = models.BooleanField(default=True, help_text="receipts and warnings go here")
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords()

    class Meta:
        ordering = ("household", "id")
        constraints = [
            models.UniqueConstraint(
                fields=("household", "phone"), name="household_phone_listed_once"
            ),
            models.CheckConstraint(
                condition=models.Q(phone__regex=r"^\+[1-9][0-9]{6,14}$"),
                name="household_phone_e164",
            ),
        ]

    def __str__(self) -> str:
        return self.phone


class SmsOptOut(models.Model):
    """A phone that asked for no more messages; receipts of money stop as well."""

    phone = models.CharField(max_length=16, unique=True)
    opted_out_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.phone
