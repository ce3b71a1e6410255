"""Sites and the books that their money is kept in."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords

from accounts.fields import WeiField, uuid7
from accounts.models.operators import Operator, Rail


class Site(models.Model):
    """One SolarContainer with its mini-grid."""

    class HeadEnd(models.TextChoices):
        NONE = "", "none (imports only)"
        KOIOS = "koios", "SparkMeter Koios v2"

    class FiscalDevice(models.TextChoices):
        NONE = "", "none (receipts are not signed)"
        ETIMS = "etims", "KRA eTIMS"

    class HeadEndEnergy(models.TextChoices):
        INTERVAL = "interval", "energy of each interval"
        REGISTER = "register", "total of the meter's register"

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="sites")
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    country = models.CharField(max_length=2, help_text="ISO 3166-1, e.g. KE")
    currency = models.CharField(max_length=3, help_text="ISO 4217, e.g. KES")
    time_zone = models.CharField(max_length=60, help_text="IANA name, e.g. Africa/Nairobi")
    latitude = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    longitude = models.DecimalField(max_digits=8, decimal_places=5, null=True, blank=True)
    slot_seconds = models.PositiveIntegerField(default=900)
    head_end = models.CharField(max_length=20, choices=HeadEnd, blank=True, default="")
    head_end_account = models.CharField(
        max_length=80, blank=True, help_text="organisation/site at the head-end"
    )
    head_end_energy = models.CharField(
        max_length=10,
        choices=HeadEndEnergy,
        default=HeadEndEnergy.INTERVAL,
        help_text="what the head-end's readings say",
    )
    plant_account = models.CharField(
        max_length=80, blank=True, help_text="the site at the plant's telemetry service"
    )
    fiscal_device = models.CharField(
        max_length=20, choices=FiscalDevice, blank=True, default="", help_text="signs receipts"
    )
    fiscal_account = models.CharField(
        max_length=80, blank=True, help_text="at the tax authority: tax number/branch/device"
    )
    rails = models.ManyToManyField(Rail, blank=True, related_name="sites")
    battery_capacity_milliwatt_hours = models.BigIntegerField(default=25_000_000)
    impact_token_wei_per_kwh = WeiField(default=10**18)
    arrears_share_basis_points = models.PositiveIntegerField(
        default=3_000, help_text="the part of a top-up that may go to arrears, at most"
    )
    late_reading_days = models.PositiveIntegerField(
        default=14, help_text="a reading later than this is charged to available funds only"
    )
    lifeline_milliwatt_hours_per_block = models.BigIntegerField(
        default=50_000, help_text="allowance of each of the four price blocks of a day"
    )
    low_funds_wei = WeiField(default=3 * 10**17)
    funding_goal_wei = WeiField(default=0)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    history = HistoricalRecords(m2m_fields=[rails])

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(slot_seconds__in=(60, 300, 600, 900, 1800, 3600)),
                name="site_slot_seconds_divide_an_hour",
            ),
            models.CheckConstraint(
                condition=models.Q(arrears_share_basis_points__lte=10_000),
                name="site_arrears_share_at_most_all",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    """The lock, and the head of the hash chain, of one site's or one operator's money.

    No foreign key points here: a reference would take a row lock that `FOR UPDATE`, which every
    writer of money takes first, has to wait for.
    """

    site = models.OneToOneField(Site, on_delete=models.PROTECT, null=True, related_name="book")
    operator = models.OneToOneField(
        Operator, on_delete=models.PROTECT, null=True, related_name="book"
    )
    height = models.BigIntegerField(default=0)
    head_hash = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(site__isnull=True) ^ models.Q(operator__isnull=True),
                name="book_of_a_site_or_an_operator",
            )
        ]

    def __str__(self) -> str:
        return f"book of {self.site or self.operator}"
