"""Campaigns and their milestones: drafted, opened and closed by the operator."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from accounts import campaign_photos, campaign_story, campaigns
from accounts.admin.base import DomainAdmin, ReadOnlyInline, page_action, row_of
from accounts.admin.campaign_forms import CampaignForm, MilestoneForm
from accounts.admin.columns import dai, link_to, links, list_of, page_of, shown, when
from accounts.admin.scope import VisibleFilter
from accounts.campaigns import CampaignRefused
from accounts.models import Campaign, Milestone, Pledge

State = Campaign.State

PROMISED = ("goal_wei", "deadline_at")
CLOSES = {
    True: "Its goal is reached: it will have succeeded.",
    False: "Its goal is missed: what was given stays with the site, as there is no deadline.",
    None: "Its goal is missed, and givers were promised their money back: every card payment will "
    "be refunded, and crypto money is to be sent back by you. There is no way back.",
}


class SureForm(forms.Form):
    """Somebody is sure of what they do."""


class MilestoneInline(ReadOnlyInline):
    """Steps from ordered to commissioned; each has a page of its own."""

    model = Milestone
    fields = ("position", "kind", "planned_on", "reached_on", "photo_words")


@admin.register(Campaign)
class CampaignAdmin(DomainAdmin):
    """What sites collect for."""

    form = CampaignForm
    operator_lookup = "site__operator"
    inlines = (MilestoneInline,)
    actions_detail: tuple[str, ...] = ("preview", "open_it", "close_it")
    list_display = (
        "title",
        "site",
        "state",
        dai("goal_wei"),
        "raised",
        when("deadline_at"),
        when("opens_at"),
    )
    list_filter = ("state", ("site", VisibleFilter))
    list_select_related = ("site",)
    search_fields = ("title__icontains", "site__name__icontains")
    fieldsets = (
        (None, {"fields": ("site", "title", "title_fr", "goal_wei", "deadline_at")}),
        ("Story (Markdown)", {"fields": ("story", "story_fr")}),
    )
    standing = ("Where it stands", {"fields": ("state", "raised", "why_fixed", "by_hand", "pages")})
    set_on_add = {"created_at": timezone.now, "opens_at": timezone.now}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.fieldsets, self.standing) if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        fixed = ("site", *self.standing[1]["fields"])
        return (*fixed, *PROMISED) if _is_promised(obj) else fixed

    @admin.display(description="raised")
    def raised(self, campaign: Campaign) -> str:
        raised_wei = campaigns.raised(campaign=campaign, at=timezone.now())
        decided = campaign.decided_wei
        then = "" if decided is None else f" (when it was decided: {shown(decided)})"
        return f"{shown(raised_wei)}{then}"

    @admin.display(description="goal and deadline")
    def why_fixed(self, campaign: Campaign) -> str:
        if not _is_promised(campaign):
            return "Can be changed until the first gift."
        return "Fixed: somebody gave, or is about to, trusting in them."

    @admin.display(description="crypto money to send back by hand")
    def by_hand(self, campaign: Campaign) -> str:
        if campaign.state != State.FAILED:
            return "-"
        waiting = campaigns.crypto_donations(campaign=campaign).filter(withdrawn_at__isnull=True)
        rows = [(shown(each.amount_wei), link_to(each)) for each in waiting.order_by("pk")]
        return format_html_join(", ", "{} {}", rows) or "none is left"

    @admin.display(description="pages")
    def pages(self, campaign: Campaign) -> str:
        add = f"{list_of(Milestone)}add/?campaign={campaign.pk}"
        return links(
            [
                ("Add a milestone", add),
                ("Milestones", list_of(Milestone, campaign__id__exact=campaign.pk)),
                ("Pledges", list_of(Pledge, campaign__id__exact=campaign.pk)),
                ("Page", f"/donate/{campaign.site.slug}/"),
            ]
        )

    def has_decide_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may open and close campaigns: whoever has the right to change them."""
        return request.user.has_perm("accounts.change_campaign")

    @page_action("Preview the story")
    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the story as its readers will see it."""
        campaign = row_of(self, request, object_id, may=self.has_view_permission(request))
        stories = [
            (language, campaign_story.of(campaign=campaign, text=text))
            for language, text in (("English", campaign.story), ("French", campaign.story_fr))
            if text
        ]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "original": campaign,
            "title": f"Story of {campaign.title}",
            "stories": stories,
            "back": page_of(campaign),
        }
        return TemplateResponse(request, "accounts_admin/story.html", context)

    @page_action("Open it", permission="decide")
    def open_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a draft to everybody, and take gifts for it."""
        return self._decide(request, object_id, title="Open it", to=State.OPEN)

    @page_action("Close it", permission="decide")
    def close_it(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take no more gifts, and decide what becomes of those that were given."""
        return self._decide(request, object_id, title="Close it", to=State.CLOSED)

    def _decide(
        self, request: HttpRequest, object_id: str, *, title: str, to: State
    ) -> HttpResponse:
        campaign = row_of(self, request, object_id, may=self.has_decide_permission(request))
        form, at = SureForm(request.POST or None), timezone.now()
        if request.method != "POST":
            said = _opens(campaign) if to == State.OPEN else _closes(campaign)
            self.message_user(request, said, messages.WARNING)
            return self.ask(request, row=campaign, title=title, form=form)
        act = campaigns.start if to == State.OPEN else campaigns.close
        try:
            decided = act(campaign=campaign, at=at)
        except CampaignRefused as refusal:
            self.message_user(request, f"Not done: {refusal}.", messages.ERROR)
            return self.ask(request, row=campaign, title=title, form=form)
        said = f"The campaign is now: {decided.get_state_display()}"
        self.log_change(request, decided, said)
        return self.back(request, row=decided, said=f"{said}.")


@admin.register(Milestone)
class MilestoneAdmin(DomainAdmin):
    """Steps of campaigns, with photos."""

    form = MilestoneForm
    operator_lookup = "campaign__site__operator"
    list_display = ("campaign", "position", "kind", "planned_on", "reached_on", "photo_words")
    list_filter = (("campaign", VisibleFilter), "kind")
    list_select_related = ("campaign__site",)
    fields = (
        "campaign",
        "position",
        "kind",
        "note",
        "note_fr",
        "planned_on",
        "reached_on",
        "upload",
        "photo_words",
        "photo_words_fr",
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or not obj.photo_hash:
            return self.fields
        return (*self.fields, "takes_photo_away", "picture", "in_story")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        return ("campaign", "picture", "in_story") if obj.photo_hash else ("campaign",)

    @admin.display(description="photo as it is shown")
    def picture(self, milestone: Milestone) -> str:
        return format_html('<img src="{}" alt="{}">', _path(milestone), milestone.photo_words)

    @admin.display(description="to show it in the story, write there")
    def in_story(self, milestone: Milestone) -> str:
        return f"![{milestone.photo_words}]({_path(milestone)})"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("photo")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = form.made
        if made is not None:
            obj.photo, obj.photo_hash = made.jpeg, made.hash
        elif form.cleaned_data.get("takes_photo_away"):
            obj.photo, obj.photo_hash = None, ""
        super().save_model(request, obj, form, change)


def _is_promised(campaign: Campaign) -> bool:
    """Whether goal and deadline are fixed: it is decided, or somebody gave trusting in them."""
    is_decided = campaign.state not in (State.DRAFT, State.OPEN)
    return is_decided or campaigns.has_gifts(campaign=campaign)


def _opens(campaign: Campaign) -> str:
    deadline = campaign.deadline_at
    ends = "and no deadline" if deadline is None else f"until {deadline:%Y-%m-%d %H:%M} (UTC)"
    return f"Everybody will see it, with a goal of {shown(campaign.goal_wei)} {ends}."


def _closes(campaign: Campaign) -> str:
    is_reached = campaigns.raised(campaign=campaign, at=timezone.now()) >= campaign.goal_wei
    keeps = False if campaign.deadline_at is None else None
    return CLOSES[True if is_reached else keeps]


def _path(milestone: Milestone) -> str:
    slug = milestone.campaign.site.slug
    return campaign_photos.path(slug=slug, content_hash=milestone.photo_hash)
