"""A site's money: open to everybody, sums only."""

from __future__ import annotations

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dashboard import money_figures
from dashboard.money_figures import Money
from gateway.api import bodies, money_serializers, shapes
from gateway.api.schema import answers
from gateway.api.views.base import PublicView, now


@method_decorator(conditional_page, name="dispatch")
class SiteMoney(PublicView):
    """`/sites/<slug>/money/`."""

    @extend_schema(
        operation_id="sites_money",
        responses=answers(ok=money_serializers.Money, problems=(404,)),
    )
    def get(self, request: Request, slug: str) -> Response:
        """Return what households paid in, what was collected, the pools, and whom they paid."""
        return Response(_body(money_figures.gather(site=self.site(slug), at=now())))


def _body(money: Money) -> dict[str, object]:
    """Money."""
    flow = bodies.flow(money.flow)
    corrected = [shapes.dai(pool.corrected_wei) for pool in money.flow.pools]
    return {
        "booked_at": shapes.instant_or_none(money.booked_at),
        "paid_in": [
            {
                "way": each.way.value,
                "amount": shapes.dai(each.amount_wei),
                "until": each.until.isoformat(),
            }
            for each in money.ways
        ],
        "revenue": flow["revenue"],
        "left": shapes.dai(money.left_wei),
        "pools": [
            {**pool, "corrected": amount}
            for pool, amount in zip(flow["pools"], corrected, strict=True)
        ],
        "paid_out": flow["paid_out"],
        "donated": shapes.dai(money.donated_wei),
    }
