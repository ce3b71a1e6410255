"""Wallets and leaves: whose tokens go where, and helping a household to its own page."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from accounts.admin.base import ReadOnlyAdmin, page_action, row_of
from accounts.admin.columns import when
from accounts.admin.scope import VisibleFilter
from tokens import wallets
from tokens.models import Leaf, WalletLink

CHANGE_WALLETS = "tokens.change_walletlink"


@admin.register(Leaf)
class LeafAdmin(ReadOnlyAdmin):
    """Whose entitlement a leaf is. With the household beside you, its page links its wallet."""

    operator_lookup = "site__operator"
    list_display = ("__str__", "site", "household", "cohort", "wallet", when("created_at"))
    list_filter = (("site", VisibleFilter), "kind")
    list_select_related = ("site", "household", "cohort__site")
    search_fields = ("key__istartswith", "household__code__istartswith", "wallet__istartswith")
    fields = ("site", "kind", "household", "cohort", "wallet", when("created_at"))
    actions_detail = ("open_page",)

    def has_open_page_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """A household's page links wallets: it takes the right to change them."""
        return request.user.has_perm(CHANGE_WALLETS)

    @page_action("Open the household's page", permission="open_page")
    def open_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Go to the household's own page, and note who did."""
        leaf = row_of(self, request, object_id, may=self.has_open_page_permission(request))
        if leaf.household is None:
            raise Http404
        self.log_change(request, leaf, "Opened the household's page")
        code = wallets.code_of(leaf=leaf)
        return HttpResponseRedirect(f"{settings.PUBLIC_URL}/proof/{leaf.key}/?c={code}")


@admin.register(WalletLink)
class WalletLinkAdmin(ReadOnlyAdmin):
    """Wallets with the message that proves them. Only their owners link; staff can end a link."""

    list_display = (
        "address",
        "household",
        "donor",
        when("linked_at"),
        when("takes_effect_at"),
        when("took_effect_at"),
        when("unlinked_at"),
    )
    list_filter = ("linked_at",)
    list_select_related = ("household", "donor")
    search_fields = ("address__istartswith", "household__code__istartswith")
    fields = (
        "address",
        "chain_id",
        "household",
        "donor",
        "message",
        "signature",
        *list_display[3:],
    )
    actions_detail = ("end",)

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        return rows.filter(
            Q(household__leaves__site__operator=operator_id)
            | Q(donor__donations__site__operator=operator_id)
        ).distinct()

    def has_end_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """Who may end a link."""
        return request.user.has_perm(CHANGE_WALLETS)

    @page_action("End this link", permission="end")
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask once more, then end a link: a wallet that was lost, or was never the owner's."""
        link = row_of(self, request, object_id, may=self.has_end_permission(request))
        if link.unlinked_at is not None:
            raise PermissionDenied
        if request.method != "POST":
            return self.ask(request, row=link, title="End this link", form=forms.Form())
        wallets.unlink(link=link, at=timezone.now())
        self.log_change(request, link, "Ended the link")
        return self.back(request, row=link, said=f"{link.address} is linked no more.")
