"""What is filled in about campaigns and their milestones."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
)

from accounts import campaign_photos, campaign_story
from accounts.campaign_photos import Photo, PhotoRefused
from accounts.models import Campaign, Milestone


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a site collects for, how much, and until when."""

    class Meta:
        model = Campaign
        fields = "__all__"
        widgets = dict.fromkeys(("story", "story_fr"), UnfoldAdminTextareaWidget)

    def clean_goal_wei(self) -> int:
        goal_wei = int(self.cleaned_data["goal_wei"])
        if goal_wei <= 0:
            raise forms.ValidationError("Write a goal above zero.")
        return goal_wei

    def clean_deadline_at(self) -> Any:
        deadline_at = self.cleaned_data["deadline_at"]
        if deadline_at is not None and deadline_at <= timezone.now():
            raise forms.ValidationError("Choose a deadline that is ahead, or none.")
        return deadline_at

    def clean_story(self) -> str:
        return _short_enough(self.cleaned_data["story"])

    def clean_story_fr(self) -> str:
        return _short_enough(self.cleaned_data["story_fr"])


class MilestoneForm(forms.ModelForm):  # type: ignore[type-arg]
    """A step, its dates, and a photo with its words."""

    upload = forms.FileField(
        label="Photo",
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="JPEG, PNG or WebP, at most 12 MB; it is made small, and forgets where and when "
        "it was taken. Show no person who has not agreed.",
    )
    takes_photo_away = forms.BooleanField(
        label="Take the photo away", required=False, widget=UnfoldBooleanSwitchWidget
    )

    class Meta:
        model = Milestone
        fields = "__all__"

    made: Photo | None = None

    def clean_upload(self) -> Any:
        uploaded = self.cleaned_data["upload"]
        if isinstance(uploaded, UploadedFile):
            if (uploaded.size or 0) > campaign_photos.MOST_BYTES_READ:
                raise forms.ValidationError("Choose a photo of at most 12 MB.")
            try:
                self.made = campaign_photos.made_small(data=uploaded.read())
            except PhotoRefused as refusal:
                raise forms.ValidationError(str(refusal)) from None
        return uploaded

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        stays = bool(self.instance.photo_hash) and not told.get("takes_photo_away")
        if (self.made is not None or stays) and not str(told.get("photo_words", "")).strip():
            self.add_error("photo_words", "Say what the photo shows, for those who can't see it.")
        return told


def _short_enough(text: str) -> str:
    if len(text) > campaign_story.LONGEST:
        raise forms.ValidationError(
            f"Write at most {campaign_story.LONGEST} characters; these are {len(text)}."
        )
    return text
