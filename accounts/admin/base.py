"""What every page of the admin shares: scope by operator, no deletion, bounded counting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Field, ForeignKey, ManyToManyField, Model, QuerySet
from django.forms import Field as FormField
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin, StackedInline, TabularInline
from unfold.enums import ActionVariant

from accounts.admin.columns import page_of
from accounts.admin.fields import EighteenDecimalsField
from accounts.admin.scope import (
    is_staff_of_an_operator,
    operator_id_of,
    sees_everything,
    visible,
)
from accounts.fields import WeiField

MOST_COUNTED = 10_000

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator


class BoundedPaginator(_Paginator):
    """Counts no further than MOST_COUNTED rows: partitioned tables are never counted through."""

    @cached_property
    def count(self) -> int:
        """How many rows the list shows at most."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return min(rows.order_by()[: MOST_COUNTED + 1].count(), MOST_COUNTED)
        return len(rows)


class NeverDeleted:
    """Rows of the domain are closed, reversed or superseded."""

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class DomainAdmin(NeverDeleted, ModelAdmin):
    """A page of the domain. operator_lookup leads from a row to its operator; "" is everybody's."""

    operator_lookup = ""
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    set_on_add: dict[str, Callable[[], Any]] = {"created_at": timezone.now}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if sees_everything(request):
            return rows
        operator_id = operator_id_of(request)
        return rows.none() if operator_id is None else self.of_operator(rows, operator_id)

    def of_operator(self, rows: QuerySet[Any], operator_id: int) -> QuerySet[Any]:
        """Return the rows that staff of the operator may see."""
        return rows.filter(**{self.operator_lookup: operator_id}) if self.operator_lookup else rows

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or is_staff_of_an_operator(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_module_permission(request)) or is_staff_of_an_operator(request)

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        return wei_form_field(db_field) or super().formfield_for_dbfield(
            db_field, request, **kwargs
        )

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        _only_visible(self, db_field, request, kwargs)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(
        self, db_field: ManyToManyField[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        _only_visible(self, db_field, request, kwargs)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """The class is made anew for each request: a form may ask who asks."""
        form = super().get_form(request, obj, change, **kwargs)
        form.request = request
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not change:
            for name, value in self.set_on_add.items():
                if hasattr(obj, name) and getattr(obj, name) is None:
                    setattr(obj, name, value())
        super().save_model(request, obj, form, change)

    def row_to_change(self, request: HttpRequest, object_id: str) -> Any:
        """Return a row that the person may see and change, for an action on its page."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        return row

    def ask(self, request: HttpRequest, *, row: Model, title: str, form: Form) -> HttpResponse:
        """Show a form about a row."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "original": row,
            "title": title,
            "form": form,
            "back": page_of(row),
        }
        return TemplateResponse(request, "accounts_admin/ask.html", context)

    def back(self, request: HttpRequest, *, row: Model, said: str) -> HttpResponse:
        """Return to a row's page and say what was done."""
        self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(page_of(row))


class ReadOnlyAdmin(DomainAdmin):
    """Rows that only the service itself writes. `fields` may hold columns."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_fields(request, obj)


class AppendOnlyAdmin(DomainAdmin):
    """Rows that are published and then never change."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DomainInline(NeverDeleted, TabularInline):
    """Rows beside the row they belong to."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or is_staff_of_an_operator(request)


class ReadOnlyInline(DomainInline):
    """Rows that only the service itself writes."""

    per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or super().get_readonly_fields(request, obj)


class OneInline(NeverDeleted, StackedInline):
    """The one row that belongs to this row."""

    can_delete = False
    max_num = 1

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(super().has_view_permission(request, obj)) or is_staff_of_an_operator(request)


class Closable(DomainAdmin):
    """Rows with closed_at."""

    actions = ("close_now",)

    def close_now(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        """Close the chosen rows at this instant; one by one, so that each is in the history."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        at = timezone.now()
        closing = list(rows.filter(closed_at__isnull=True))
        for row in closing:
            self.close(row, at=at)
        self.message_user(request, f"Closed {len(closing)}.", messages.SUCCESS)

    close_now.__dict__.update(
        short_description="Close now", allowed_permissions=("change",), attrs={}
    )

    def close(self, row: Any, *, at: datetime) -> None:
        """Close one row."""
        row.closed_at = at
        row.save(update_fields=["closed_at"])


def page_action(description: str, *, permission: str = "") -> Callable[[Any], Any]:
    """Mark a method(request, object_id) of a model's admin as an action on a row's page.

    permission: shown to those only to whom has_<permission>_permission(request, object_id) agrees.
    """

    def marked(method: Any) -> Any:
        method.__dict__.update(
            short_description=description, attrs={}, variant=ActionVariant.PRIMARY
        )
        if permission:
            method.__dict__.update(allowed_permissions=(permission,))
        return method

    return marked


def row_of(page: DomainAdmin, request: HttpRequest, object_id: str, *, may: bool) -> Any:
    """Return a row that the person may see, for an action that they may or may not take."""
    row = page.get_object(request, object_id)
    if row is None:
        raise Http404
    if not may:
        raise PermissionDenied
    return row


def wei_form_field(db_field: Field[Any, Any]) -> FormField | None:
    """Return the form field of an amount kept in wei, or None for other fields."""
    if not isinstance(db_field, WeiField):
        return None
    unit = "IT" if "impact_token" in db_field.name else "DAI"
    label = db_field.name.replace("_wei", "").replace("_", " ")
    return EighteenDecimalsField(
        label=f"{label[:1].upper()}{label[1:]} ({unit})",
        help_text=str(db_field.help_text),
        required=not db_field.null,
        initial=db_field.get_default(),
    )


def _only_visible(
    page: DomainAdmin, db_field: Any, request: HttpRequest, kwargs: dict[str, Any]
) -> None:
    """Choices of related rows are those that the person may see."""
    model = db_field.remote_field.model
    if "queryset" not in kwargs and page.admin_site.is_registered(model):
        kwargs["queryset"] = visible(request, model)
