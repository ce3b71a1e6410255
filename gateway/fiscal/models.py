"""The numbers that fiscal devices were given."""

from __future__ import annotations

from django.db import models

from accounts.models import FiscalReceipt


class DeviceNumber(models.Model):
    """One number of a device, and the receipt sent under it.

    A device may serve several sites, or a site only from some day on: so its numbers are not
    those of the receipts. A number is given when its receipt is sent for the first time, and kept
    until the device says that it signed nothing.
    """

    device = models.CharField(max_length=80, help_text="e.g. etims:P000000001A/00")
    number = models.PositiveBigIntegerField(help_text="per device, from 1, without gaps")
    receipt = models.OneToOneField(
        FiscalReceipt,
        on_delete=models.PROTECT,
        null=True,
        related_name="device_number_given",
        help_text="empty: the device signed it for another till",
    )
    given_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(fields=("device", "number"), name="device_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.device} {self.number}"
