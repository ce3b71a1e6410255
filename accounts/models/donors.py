"""Donors, their donations, and the index that shares impact tokens between donations."""

from __future__ import annotations

from django.db import models

from accounts.fields import WeiField, uuid7
from accounts.models.sites import Site


class Donor(models.Model):
    """A giver. Personal data lie in DonorContact."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return str(self.uid)


class DonorContact(models.Model):
    """A donor's name and address, apart from everything that is public."""

    donor = models.OneToOneField(Donor, on_delete=models.PROTECT, related_name="contact")
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)

    def __str__(self) -> str:
        return self.name


class DonorsIndex(models.Model):
    """Running totals of one site's donations and rewards; see accounts.donors_index."""

    site = models.OneToOneField(Site, on_delete=models.PROTECT, related_name="donors_index")
    donated_wei = WeiField(default=0, help_text="D: sum of active donations")
    accumulated = WeiField(default=0, help_text="acc: reward per wei donated, times 10^36")
    remainder = WeiField(default=0, help_text="rem: what the last division left, times 10^36")
    rewarded_wei = WeiField(default=0, help_text="minted for donors, parked included")
    unallocated_wei = WeiField(default=0, help_text="parked while there was no donation")

    def __str__(self) -> str:
        return f"donors' index of {self.site}"


class Donation(models.Model):
    """A donor's payment towards a site: a position of the donors' index."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    donor = models.ForeignKey(Donor, on_delete=models.PROTECT, related_name="donations")
    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="donations")
    amount_wei = WeiField()
    paid_index = WeiField(help_text="acc when last touched")
    fraction = WeiField(default=0, help_text="claimable part below one wei, times 10^36")
    claimed_wei = WeiField(default=0, help_text="impact tokens reckoned so far")
    donated_at = models.DateTimeField()
    vests_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"donation {self.uid}"
