"""Settlement batches: what each took, charged, collected and gave back."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin.base import ReadOnlyAdmin
from accounts.admin.columns import dai, kwh, linked, links, list_of, when
from accounts.admin.scope import VisibleFilter
from settlement.models import Charge, Reading, SettlementBatch


@admin.register(SettlementBatch)
class SettlementBatchAdmin(ReadOnlyAdmin):
    """One transaction of the engine each."""

    operator_lookup = "site__operator"
    list_display = (
        "id",
        "site",
        "kind",
        when("settled_at"),
        "taken_count",
        "accepted_count",
        "quarantined_count",
        kwh("energy_milliwatt_hours"),
        dai("charged_wei"),
        dai("paid_wei"),
        dai("arrears_wei"),
        dai("rebate_wei"),
    )
    list_filter = (("site", VisibleFilter), "kind", "settled_at")
    list_select_related = ("site",)
    fields = (
        linked("site"),
        "kind",
        when("settled_at"),
        linked("split_version"),
        linked("entry"),
        "taken_count",
        "accepted_count",
        "repeated_count",
        "quarantined_count",
        kwh("energy_milliwatt_hours"),
        kwh("minting_milliwatt_hours", title="of it solar"),
        dai("charged_wei"),
        dai("paid_wei"),
        dai("arrears_wei"),
        dai("borne_wei"),
        dai("recovered_wei"),
        dai("rebate_wei"),
        "pages",
    )

    @admin.display(description="Pages")
    def pages(self, batch: SettlementBatch) -> str:
        of_batch = {"site__id__exact": batch.site_id, "batch__id__exact": batch.pk}
        return links(
            [("Readings", list_of(Reading, **of_batch)), ("Charges", list_of(Charge, **of_batch))]
        )
