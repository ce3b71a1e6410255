"""Where every path of the service leads."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.contrib.staticfiles.views import serve
from django.urls import include, path

from gateway import errors, health, metrics

urlpatterns = [
    path("healthz", health.alive),
    path("readyz", health.ready),
    path("metrics", metrics.metrics),
    path("hooks/", include("gateway.webhooks.urls")),
    path("api/", include("gateway.api.urls")),
    path("receipts/", include("gateway.fiscal.urls")),
    path("problems/<slug:name>", errors.problem_page),
    path("admin/", admin.site.urls),
]
if settings.DEMO:
    urlpatterns += [
        path("handset/", include("gateway.handset.urls")),
        # In production a web server serves what collectstatic gathered.
        path("static/<path:path>", serve, {"insecure": True}),
    ]
urlpatterns += [
    path("", include("gateway.checkout.urls")),
    path("", include("gateway.deposits.urls")),
    path("", include("gateway.donors.urls")),
    path("", include("gateway.wallet.urls")),
    path("", include("gateway.voting.urls")),
    path("", include("dashboard.urls")),
]

handler400 = errors.bad_request
handler403 = errors.not_allowed
handler404 = errors.not_found
handler500 = errors.fault
