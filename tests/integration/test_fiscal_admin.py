"""Taxes begun and ended in the admin, never in the past; receipts looked at and signed again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import fiscal
from accounts.models import FiscalReceipt, Household, Operator, Site, TaxLine, User
from tests.integration.fiscal_village import at_etims, paid, sign, tax, taxed
from tests.integration.sandboxed import World, home, hooks, later, today, world
from tests.village import Village

__all__ = ["home", "hooks", "taxed", "today", "world"]

pytestmark = pytest.mark.django_db

LINE, RECEIPT = "admin:accounts_taxline", "admin:accounts_fiscalreceipt"


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="a"))
    return client


def staff(operator: Operator, *rights: str) -> Client:
    user = User.objects.create_user(f"staff{User.objects.count()}", is_staff=True)
    user.operator = operator
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def when(name: str, at: datetime) -> dict[str, str]:
    return {f"{name}_0": f"{at:%Y-%m-%d}", f"{name}_1": f"{at:%H:%M:%S}"}


def line(site: Site, *, starts_at: datetime, **fields: Any) -> dict[str, Any]:
    form = {
        "site": site.pk,
        "kind": "tax",
        "name": "VAT",
        "code": "B",
        "rate_basis_points": 1_600,
        **when("starts_at", starts_at),
    }
    return {**form, **fields}


def test_a_tax_begins_now_and_ends_the_one_of_its_name(root: Client, today: Village) -> None:
    tax(today.site, rate=1_400)
    answer = root.post(reverse(f"{LINE}_add"), line(today.site, starts_at=timezone.now()))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    before, after = TaxLine.objects.order_by("id")
    assert before.validity.upper == after.validity.lower
    assert timedelta() < after.validity.lower - timezone.now() < 2 * fiscal.SOON
    assert [each.rate_basis_points for each in fiscal.lines_at(site=today.site, at=later(days=1))]
    page = root.get(reverse(f"{LINE}_change", args=[after.pk])).content.decode()
    assert "16.00 %" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"starts_at": -1}, "never in the past"),
        ({"starts_at": 1, "name": "Later"}, "begins at"),
        ({"starts_at": 1, "name": "Ending"}, "is to end at"),
        ({"starts_at": 0, "code": "Z"}, "eTIMS knows the tax codes"),
        ({"starts_at": 0, "rate_basis_points": 10_001}, "tax_line_at_most_all"),
    ],
)
def test_a_tax_that_would_leave_receipts_wrong_is_refused(
    root: Client, today: Village, fields: dict[str, Any], said: str
) -> None:
    Site.objects.filter(pk=today.site.pk).update(fiscal_device="etims")
    tax(today.site, name="Later", validity=(later(days=2), None))
    tax(today.site, name="Ending", validity=(later(days=-2), later(days=2)))
    form = line(today.site, **{**fields, "starts_at": later(days=fields["starts_at"])})
    answer = root.post(reverse(f"{LINE}_add"), form)
    assert answer.status_code == 200
    assert said in str(answer.context["adminform"].form.errors)
    assert TaxLine.objects.count() == 2


def test_a_tax_is_ended_by_hand_but_not_in_the_past(root: Client, today: Village) -> None:
    made = tax(today.site)
    path = reverse(f"{LINE}_end", args=[made.pk])
    assert root.get(path).status_code == 200
    refused = root.post(path, when("ends_at", later(days=-1)))
    assert "never in the past" in refused.content.decode()
    assert root.post(path, when("ends_at", later(days=3))).status_code == 302
    made.refresh_from_db()
    assert made.validity.upper > later(days=2)
    assert made.history.count() == 2
    ended = tax(today.site, name="Old", validity=(later(days=-9), later(days=-5)))
    path = reverse(f"{LINE}_end", args=[ended.pk])
    assert "has ended" in root.post(path, when("ends_at", later(days=1))).content.decode()


def test_only_those_with_the_right_tax(today: Village) -> None:
    made = tax(today.site)
    looking = staff(today.operator)
    assert looking.get(reverse(f"{LINE}_change", args=[made.pk])).status_code == 200
    assert looking.get(reverse(f"{LINE}_add")).status_code == 403
    assert looking.post(reverse(f"{LINE}_end", args=[made.pk])).status_code == 403
    taxing = staff(today.operator, "add_taxline")
    assert taxing.get(reverse(f"{LINE}_end", args=[made.pk])).status_code == 200


def test_a_refused_receipt_is_signed_again_by_hand(
    root: Client, world: World, taxed: Village, home: Household
) -> None:
    TaxLine.objects.update(code="Z")
    receipt = paid(taxed, home)
    sign()
    page = root.get(reverse(f"{RECEIPT}_change", args=[receipt.pk])).content.decode()
    for told in ("kisima/1", "a person has to look", "none of A to E", "500.00 KES", "68.97 KES"):
        assert told in page
    receipt.lines.update(code="B")
    again = reverse(f"{RECEIPT}_sign_again", args=[receipt.pk])
    assert root.get(again).status_code == 200
    assert root.post(again).status_code == 302
    assert sign(at=later(seconds=1)) == 1
    assert len(at_etims(world)) == 1
    answer = root.post(again)
    assert "signed, or being sent" in str(list(get_messages(answer.wsgi_request))[-1])
    looking = staff(taxed.operator)
    assert looking.post(again).status_code == 403
    listed = looking.get(reverse(f"{RECEIPT}_changelist"), {"q": "1"})
    assert listed.context["cl"].result_count == 1
    assert FiscalReceipt.objects.get().state == "signed"
