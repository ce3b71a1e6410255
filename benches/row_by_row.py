"""Baseline of settlement: one ORM transaction a reading, as it is usually written first.

Kept to what such code would do at least: no split, no impact tokens, no arrears, no rebates.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from django.db import connections, models, transaction

from accounts.fields import WeiField
from accounts.models import Site
from benches.country import Row
from settlement.models import MeterAssignment, Price


class PlainReading(models.Model):
    """Energy of one meter in one slot."""

    meter_id = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    energy_milliwatt_hours = models.BigIntegerField()

    objects: ClassVar[models.Manager[PlainReading]] = models.Manager()

    class Meta:
        app_label = "benches"
        constraints = [
            models.UniqueConstraint(fields=("meter_id", "starts_at"), name="plain_reading_once")
        ]


class PlainAccount(models.Model):
    """One owner's wei of DAI; no household: the site's revenue."""

    site_id = models.BigIntegerField()
    household_id = models.BigIntegerField(null=True)
    amount_wei = WeiField(default=0)

    objects: ClassVar[models.Manager[PlainAccount]] = models.Manager()

    class Meta:
        app_label = "benches"
        constraints = [
            models.UniqueConstraint(
                fields=("site_id", "household_id"),
                name="plain_account_once",
                nulls_distinct=False,
            )
        ]


class PlainCharge(models.Model):
    """A priced reading."""

    reading = models.OneToOneField(PlainReading, on_delete=models.PROTECT)
    household_id = models.BigIntegerField(db_index=True)
    amount_wei = WeiField()

    objects: ClassVar[models.Manager[PlainCharge]] = models.Manager()

    class Meta:
        app_label = "benches"


class PlainEntry(models.Model):
    """A journal entry."""

    kind = models.CharField(max_length=24)
    occurred_at = models.DateTimeField()

    objects: ClassVar[models.Manager[PlainEntry]] = models.Manager()

    class Meta:
        app_label = "benches"


class PlainPosting(models.Model):
    """One signed leg."""

    entry = models.ForeignKey(PlainEntry, on_delete=models.PROTECT)
    account = models.ForeignKey(PlainAccount, on_delete=models.PROTECT)
    amount_wei = WeiField()

    objects: ClassVar[models.Manager[PlainPosting]] = models.Manager()

    class Meta:
        app_label = "benches"


MODELS: tuple[type[models.Model], ...] = (
    PlainReading,
    PlainAccount,
    PlainCharge,
    PlainEntry,
    PlainPosting,
)


def build(*, site: Site, households: Sequence[int]) -> None:
    """(Re)make the tables as the owner, and one funded account a household."""
    owner = connections["owner"]
    known = owner.introspection.table_names()
    with owner.schema_editor() as editor:
        for model in reversed(MODELS):
            if model._meta.db_table in known:
                editor.delete_model(model)
        for model in MODELS:
            editor.create_model(model)
    PlainAccount.objects.create(site_id=site.pk)
    PlainAccount.objects.bulk_create(
        PlainAccount(site_id=site.pk, household_id=pk, amount_wei=500 * 10**18) for pk in households
    )


def settle_one(*, row: Row) -> None:
    """Charge one reading once, in a transaction of its own."""
    site_id, _, serial, starts_at, ends_at, energy, _, _ = row
    with transaction.atomic():
        assignment = MeterAssignment.objects.select_related("meter").get(
            meter__site_id=site_id, meter__serial=serial, validity__contains=starts_at
        )
        reading, is_new = PlainReading.objects.get_or_create(
            meter_id=assignment.meter_id,
            starts_at=starts_at,
            defaults={"ends_at": ends_at, "energy_milliwatt_hours": energy},
        )
        if is_new:
            _charge(
                site_id=site_id,
                household_id=assignment.household_id,
                reading=reading,
                at=starts_at,
            )


def _charge(*, site_id: int, household_id: int, reading: PlainReading, at: datetime) -> None:
    price = Price.objects.filter(site_id=site_id, starts_at__lte=at).latest("starts_at")
    amount = reading.energy_milliwatt_hours * (price.wei_per_kwh // 10**6)
    accounts = PlainAccount.objects.select_for_update()
    payer = accounts.get(site_id=site_id, household_id=household_id)
    revenue = accounts.get(site_id=site_id, household_id=None)
    PlainCharge.objects.create(reading=reading, household_id=household_id, amount_wei=amount)
    entry = PlainEntry.objects.create(kind="charge", occurred_at=at)
    for account, change in ((payer, -amount), (revenue, amount)):
        PlainPosting.objects.create(entry=entry, account=account, amount_wei=change)
        account.amount_wei += change
        account.save(update_fields=["amount_wei"])
