"""Cards that donors made to share: figures of a day, and nothing of who gave."""

from __future__ import annotations

from django.db import models

from accounts.models import Donor, Site


class ShareCard(models.Model):
    """A public page with an image, made by a donor who wants one; its figures never change.

    They are rounded down to 1, 2 or 5 times a power of ten: exact ones could be looked up among the
    published leaves, and would give away the gift and its wallet.
    """

    key = models.CharField(max_length=22, unique=True, help_text="last part of its address; random")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="+")
    donors = models.ManyToManyField(Donor, related_name="cards", help_text="who may revoke it")
    kwh = models.BigIntegerField(help_text="more than that; rounded")
    co2_kilograms = models.BigIntegerField(help_text="more than that; rounded; 0: not told")
    households = models.PositiveIntegerField(
        null=True, blank=True, help_text="empty: fewer than five, or not known"
    )
    image_en = models.BinaryField(help_text="PNG")
    image_fr = models.BinaryField(help_text="PNG")
    made_on = models.DateField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kwh__gt=0)
                & models.Q(co2_kilograms__gte=0)
                & (models.Q(households__isnull=True) | models.Q(households__gte=5)),
                name="share_card_tells_of_nobody",
            )
        ]

    def __str__(self) -> str:
        return f"card of {self.site}, {self.made_on}"
