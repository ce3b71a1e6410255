"""Shapes of votes, for the schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from gateway.api.serializers import Amount


class RoundProject(serializers.Serializer[Any]):
    """A project on the ballot, or one that was refused (then without a number)."""

    number = serializers.IntegerField(allow_null=True, help_text="what a voter types")
    title = serializers.CharField()
    title_fr = serializers.CharField(allow_blank=True)
    text = serializers.CharField(allow_blank=True)
    cost = Amount()
    state = serializers.CharField(help_text="admitted, refused, funded, not_funded, vetoed")
    reason = serializers.CharField(allow_blank=True, help_text="of a refusal or veto")
    what_became = serializers.CharField(allow_blank=True)


class Round(serializers.Serializer[Any]):
    """A voting round. Nothing tells how it stands before it is counted."""

    number = serializers.IntegerField()
    id = serializers.CharField()
    title = serializers.CharField()
    title_fr = serializers.CharField(allow_blank=True)
    state = serializers.CharField(help_text="draft, open, counted, cancelled")
    reason = serializers.CharField(allow_blank=True, help_text="of a cancellation")
    budget = Amount(help_text="at most what the grant pool holds when it is counted")
    reserved = Amount(help_text="set aside by the count for funded projects")
    opens_at = serializers.CharField()
    closes_at = serializers.CharField()
    counted_at = serializers.CharField(allow_null=True)
    method = serializers.CharField(help_text="equal_shares, most_votes")
    household_share_basis_points = serializers.IntegerField()
    support_basis_points = serializers.IntegerField(help_text="of the voting households")
    household_weight = serializers.CharField(help_text="one, tokens, root")
    donor_weight = serializers.CharField(help_text="one, tokens, root")
    result_hash = serializers.CharField(allow_blank=True, help_text="SHA-256 of .../ballots/")


class RoundDetail(Round):
    """A round with its projects."""

    projects = RoundProject(many=True)


class Rounds(serializers.Serializer[Any]):
    """A page of voting rounds, newest first."""

    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = Round(many=True)
