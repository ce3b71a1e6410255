"""What donors were told by e-mail, and sending it again. No log-in link is stored to be shown."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import letters
from accounts.admin.base import ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import linked, when
from accounts.models import Donation, Letter, Site


@admin.register(Letter)
class LetterAdmin(ReadOnlyAdmin):
    """Letters, and how they left. What a letter says is worded while it is sent."""

    actions_detail = ("send_again",)
    list_display = (
        "kind",
        "donor",
        "state",
        "attempts",
        "failure",
        when("created_at"),
        when("sent_at"),
    )
    list_filter = ("state", "kind", "language", "created_at")
    list_select_related = ("donor",)
    search_fields = ("uid__iexact", "donor__contact__email__iexact", "params__number__iexact")
    search_help_text = (
        "the letter's id (in its Message-ID), the donor's address, a receipt's number"
    )
    fields = (
        "uid",
        "kind",
        linked("donor"),
        "language",
        "params",
        "key",
        "state",
        "failure",
        "attempts",
        when("next_attempt_at"),
        when("created_at"),
        when("sent_at"),
    )

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        """Letters about the operator's sites, and log-ins of who gave to them."""
        slugs = Site.objects.filter(operator=operator_id).values_list("slug", flat=True)
        gifts = Donation.objects.filter(donor=OuterRef("donor"), site__operator=operator_id)
        return rows.filter(
            Q(params__site__in=list(slugs)) | Q(Exists(gifts), kind=letters.LOGIN_LINK)
        )

    def has_send_again_permission(self, request: HttpRequest) -> bool:
        """Who may have a letter sent again: whoever has the right to change letters."""
        return request.user.has_perm("accounts.change_letter")

    @page_action("Send again")
    def send_again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then queue a letter that failed."""
        letter = row_of(self, request, object_id, may=self.has_send_again_permission(request))
        form = forms.Form(request.POST or None)
        if request.method == "POST":
            if letters.send_again(letter=letter, at=timezone.now()):
                return self.back(request, row=letter, said="It will be sent in a moment.")
            self.message_user(request, f"It is {letter.state}, not failed.", messages.ERROR)
        return self.ask(request, row=letter, title=f"Send {letter.kind} again", form=form)
