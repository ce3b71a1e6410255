"""What tests of campaigns share: a campaign with a deadline, and gifts that belong to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from accounts import campaigns, donors_index
from accounts.models import Campaign, Donation, Donor, Payment, Pledge, Rail, Site, User
from accounts.topups import ConfirmedPayment, confirm
from tests.paybacks import pledged
from tests.village import Village

DAI = 10**18
RUNS_FOR = timedelta(days=30)


def drafted(site: Site, *, at: datetime, **changes: Any) -> Campaign:
    """A campaign for 1,000 DAI that ends after RUNS_FOR, not open yet."""
    fields = {
        "title": "A second battery",
        "title_fr": "Une deuxième batterie",
        "goal_wei": 1_000 * DAI,
        "opens_at": at,
        "deadline_at": at + RUNS_FOR,
        "created_at": at,
    }
    return Campaign.objects.create(site=site, **{**fields, **changes})


def opened(site: Site, *, at: datetime, **changes: Any) -> Campaign:
    """The same, open."""
    return campaigns.start(campaign=drafted(site, at=at, **changes), at=at)


def paid(
    pledge: Pledge, *, at: datetime, reference: str, amount_minor: int | None = None
) -> Payment:
    """A card payment of a pledge, confirmed; the provider kept nothing."""
    return confirm(
        payment=ConfirmedPayment(
            rail=pledge.rail,
            reference=reference,
            amount_minor=pledge.amount_minor if amount_minor is None else amount_minor,
            fee_minor=0,
            currency=pledge.currency,
            paid_at=at,
            account_text=pledge.account_text,
            pledge=pledge,
        ),
        at=at,
    )


def given(
    village: Village, *, dollars: int, at: datetime, reference: str, public_name: str = ""
) -> Payment:
    """A gift of so many dollars (each one DAI) by card."""
    pledge = pledged(village, amount_minor=dollars * 100, key=f"donate:{reference}", at=at)
    Pledge.objects.filter(pk=pledge.pk).update(
        public_name=public_name, state=Pledge.State.SUCCEEDED
    )
    return paid(pledge, at=at, reference=reference)


def on_chain(site: Site, *, wei: int, at: datetime) -> Donation:
    """A position such as a deposit on chain opens."""
    donor = Donor.objects.create(created_at=at)
    return donors_index.donate(donor=donor, site=site, amount_wei=wei, donated_at=at, vests_at=at)


def cash_rail(village: Village) -> Rail:
    """Money that is handed over, and back, in person."""
    return Rail.objects.create(
        operator=village.operator,
        provider=Rail.Provider.CASH,
        code="cash",
        merchant_account="kiosk",
        currency="USD",
        min_top_up_minor=1,
        max_top_up_minor=10**9,
    )


def staff(village: Village, *, name: str = "clerk") -> User:
    """Somebody of the village's operator."""
    return User.objects.create_user(name, is_staff=True, operator=village.operator)
