"""The admin of people, sites and money, one subject a module.

Nothing of the domain can be deleted; what a staff member sees belongs to their operator. The index
shows what needs a person (settlement.admin.overview).
"""

from django.contrib import admin

from accounts.admin import (
    agents,
    alarms,
    campaigns,
    donors,
    fiscal,
    households,
    ledger,
    letters,
    notices,
    operators,
    paybacks,
    payments,
    places,
    plans,
    rate_proposals,
    rates,
    sites,
    staff,
    topups,
    treasury,
)

admin.site.index_template = "accounts_admin/index.html"

__all__ = [
    "agents",
    "alarms",
    "campaigns",
    "donors",
    "fiscal",
    "households",
    "ledger",
    "letters",
    "notices",
    "operators",
    "paybacks",
    "payments",
    "places",
    "plans",
    "rate_proposals",
    "rates",
    "sites",
    "staff",
    "topups",
    "treasury",
]
