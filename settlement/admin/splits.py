"""Split versions: published with lines that make a whole, and never changed."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin.base import AppendOnlyAdmin, ReadOnlyInline
from accounts.admin.columns import dai, linked, percent, when
from accounts.admin.scope import VisibleFilter
from accounts.models import Site
from settlement import splits
from settlement.models import SplitLine, SplitProgress, SplitVersion
from settlement.split import BadSplit

LINE = re.compile(r"([a-z][a-z0-9_-]{0,23})\s*[:=,]?\s*(\d{1,5})")


class SplitForm(forms.ModelForm):  # type: ignore[type-arg]
    """A split from an instant on: a line of text for each share."""

    lines = forms.CharField(
        widget=UnfoldAdminTextareaWidget,
        help_text="One line each: a name and its basis points of what is paid, e.g. tax 1600."
        " They sum to 10,000; the last one is operator and takes what rounding leaves.",
    )

    class Meta:
        model = SplitVersion
        fields = ("site", "valid_from")
        help_texts = {"valid_from": "UTC; the version in force when a batch is posted counts"}

    def clean_lines(self) -> list[tuple[str, int]]:
        lines: list[tuple[str, int]] = []
        for text in self.cleaned_data["lines"].strip().splitlines():
            match = LINE.fullmatch(text.strip())
            if match is None:
                raise forms.ValidationError(f"{text!r} is not a name and basis points.")
            lines.append((match.group(1), int(match.group(2))))
        return lines

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        lines = cleaned.get("lines")
        if lines is not None:
            try:
                splits.check(lines=lines)
            except BadSplit as error:
                self.add_error("lines", str(error))
        site, since = cleaned.get("site"), cleaned.get("valid_from")
        if (
            isinstance(site, Site)
            and since is not None
            and SplitVersion.objects.filter(site=site, valid_from__gte=since).exists()
        ):
            self.add_error("valid_from", "A split of the site begins then or later already.")
        return cleaned


class LineInline(ReadOnlyInline):
    """The shares."""

    model = SplitLine
    show_change_link = False
    fields = ("position", "name", percent("share_basis_points", title="share"))


class ProgressInline(ReadOnlyInline):
    """What was paid and posted under the version."""

    model = SplitProgress
    show_change_link = False
    fields = (dai("paid_wei"), "posted_wei")
    ordering = ("id",)


@admin.register(SplitVersion)
class SplitVersionAdmin(AppendOnlyAdmin):
    """Who gets what of the revenue."""

    operator_lookup = "site__operator"
    form = SplitForm
    inlines = (LineInline, ProgressInline)
    list_display = ("site", "version", when("valid_from"), when("created_at"))
    list_filter = (("site", VisibleFilter),)
    list_select_related = ("site",)
    shown_fields = (linked("site"), "version", when("valid_from"), when("created_at"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ("site", "valid_from", "lines")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.shown_fields if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = splits.publish(
            site=obj.site,
            lines=form.cleaned_data["lines"],
            valid_from=obj.valid_from,
            at=timezone.now(),
        )
        obj.__dict__.update(made.__dict__)
