"""Pages on the way to a card payment."""

from __future__ import annotations

from django.urls import path, re_path
from django.views.decorators.gzip import gzip_page

from gateway.checkout.photos import photo
from gateway.checkout.plans import EndGiftPlan, EndPlan
from gateway.checkout.views import DonatePage, PayPage, TopUpPage

app_name = "checkout"
urlpatterns = [
    path("donate/<slug:slug>/", gzip_page(DonatePage.as_view()), name="donate"),
    re_path(
        r"^donate/(?P<slug>[-\w]+)/photos/(?P<content_hash>[0-9a-f]{64})\.jpg$",
        photo,
        name="photo",
    ),
    path("top-up/", TopUpPage.as_view(), name="top_up"),
    path("pay/<str:token>/", PayPage.as_view(), name="pay"),
    path("donor/plans/<uuid:uid>/end/", EndPlan.as_view(), name="end_plan"),
    path(
        "donor/gift/<str:token>/plans/<uuid:uid>/end/", EndGiftPlan.as_view(), name="end_gift_plan"
    ),
]
