"""The operator's way to a household's page, and out of a link."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Household, Operator, User
from tests.signing import AMINA, signed
from tests.village import Village
from tokens import leaves, wallets
from tokens.models import Leaf, WalletLink

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(village: Village, now: datetime) -> Household:
    """One of five households; a wallet of its own is in effect."""
    for number in range(1, 6):
        village.household(f"KIS000{number}", phone=f"+25471100000{number}")
    leaves.keep(site=village.site, at=now)
    home = Household.objects.get(code="KIS0001")
    purpose = wallets.of(household=home)
    asked = wallets.challenge(
        purpose=purpose, address=AMINA.address, uri="http://h/w/", statement="Link.", at=now
    )
    signature = signed(asked.message, by=AMINA)
    wallets.answer(purpose=purpose, message=asked.message, signature=signature, at=now)
    wallets.take_effect(at=now + timedelta(days=4))
    return home


def _staff(operator: Operator, *rights: str) -> Client:
    user = User.objects.create_user(
        f"staff-{operator.slug}", password="a", is_staff=True, operator=operator
    )
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def _path(name: str, pk: int) -> str:
    return reverse(f"admin:tokens_{name}", args=[pk])


def test_staff_with_the_right_open_a_households_page(village: Village, home: Household) -> None:
    leaf = Leaf.objects.get(household=home)
    client = _staff(village.operator, "change_walletlink")

    answer = client.get(_path("leaf_open_page", leaf.pk))

    assert answer.status_code == 302
    assert f"/proof/{leaf.key}/?c={wallets.code_of(leaf=leaf)}" in answer["Location"]


def test_staff_without_the_right_see_leaves_and_links_but_no_page(
    village: Village, home: Household
) -> None:
    leaf, link = Leaf.objects.get(household=home), WalletLink.objects.get()
    client = _staff(village.operator)

    assert "KIS0001" in client.get("/admin/tokens/leaf/").content.decode()
    assert AMINA.address in client.get("/admin/tokens/walletlink/").content.decode()
    assert client.get(_path("leaf_open_page", leaf.pk)).status_code == 403
    assert client.post(_path("walletlink_end", link.pk)).status_code == 403
    assert wallets.code_of(leaf=leaf) not in (
        client.get(f"/admin/tokens/leaf/{leaf.pk}/change/").content.decode()
    )
    assert wallets.current(household=home) == link


def test_staff_end_a_link(village: Village, home: Household) -> None:
    link = WalletLink.objects.get()
    client = _staff(village.operator, "change_walletlink")

    assert client.get(_path("walletlink_end", link.pk)).status_code == 200
    assert wallets.current(household=home) == link
    answer = client.post(_path("walletlink_end", link.pk), follow=True)

    assert "is linked no more" in answer.content.decode()
    assert wallets.current(household=home) is None
    assert Leaf.objects.get(household=home).wallet == ""
    assert client.post(_path("walletlink_end", link.pk)).status_code == 403


def test_another_operators_staff_see_nothing(village: Village, home: Household) -> None:
    other = Operator.objects.create(slug="other", name="Other", created_at=village.founded_at)
    client = _staff(other, "change_walletlink")
    leaf, link = Leaf.objects.get(household=home), WalletLink.objects.get()

    assert "KIS0001" not in client.get("/admin/tokens/leaf/").content.decode()
    assert AMINA.address not in client.get("/admin/tokens/walletlink/").content.decode()
    assert client.get(_path("leaf_open_page", leaf.pk)).status_code == 404
    assert client.post(_path("walletlink_end", link.pk)).status_code == 404
