"""Numbers and ages in templates: `{{ wei|dai }}`, `{% age instant %}`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import wording
from dashboard.queries import Rate

register = template.Library()
register.filter("kwh", wording.kwh)
register.filter("dai", wording.dai)
register.filter("percent", wording.percent)
register.filter("share", wording.share)
register.filter("epoch_state", wording.epoch_state)
register.filter("rate", wording.rate)
register.filter("pool_name", wording.pool)
register.filter("country", wording.country)

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@register.filter
def local(amount_wei: int, rate: Rate) -> str:
    """Wei in the site's currency at its rate, without the currency's name."""
    return wording.local(amount_wei=amount_wei, rate=rate)


@register.simple_tag(takes_context=True)
def age(context: dict[str, Any], instant: datetime | None, zone: str = "") -> SafeString:
    """An instant in local time (zone: its name, if it is not the page's) and how long ago it was;
    the script keeps the latter true."""
    if instant is None:
        return SafeString(_("not known yet"))
    at: datetime = context["at"]
    local_instant = timezone.localtime(instant)
    is_today = local_instant.date() == timezone.localtime(at).date()
    return format_html(
        '<time datetime="{}">{}{}</time> (<span data-age>{}</span>)',
        instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        date_format(local_instant, "H:i" if is_today else "j M H:i"),
        f" {zone}" if zone else "",
        ago(seconds=int((at - instant).total_seconds())),
    )


def ago(*, seconds: int) -> str:
    """A time span in its largest whole unit: "3 min ago"."""
    if seconds < _MINUTE:
        return _("just now")
    if seconds < _HOUR:
        return _("%(count)d min ago") % {"count": seconds // _MINUTE}
    if seconds < 2 * _DAY:
        return _("%(count)d h ago") % {"count": seconds // _HOUR}
    days = seconds // _DAY
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}
