"""The admin's page of epochs, and the tokens of a kWh on the page of a site."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from accounts.models import Operator, Site, User
from tests.epoch_village import EpochVillage
from tests.living_village import neighbour
from tokens import certificates
from tokens.models import Epoch

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_epochs(settings: Any) -> None:
    settings.EPOCH_SECONDS = 300
    settings.CHAIN_ID = 31_337


@pytest.fixture
def life(now: datetime) -> EpochVillage:
    life = EpochVillage.found(at=now)
    life.deploy()
    life.everybody_uses()
    return life


def clerk(operator: Operator, *rights: str) -> Client:
    """Somebody of an operator with some rights."""
    user = User.objects.create_user(f"clerk{User.objects.count()}", is_staff=True)
    user.operator = operator
    user.save()
    for right in rights:
        user.user_permissions.add(Permission.objects.get(codename=right))
    client = Client()
    client.force_login(user)
    return client


def page(epoch: Epoch) -> str:
    return reverse("admin:tokens_epoch_change", args=[epoch.pk])


def claim(client: Client, epoch: Epoch, name: str) -> Any:
    path = reverse("admin:tokens_epoch_claim", args=[epoch.pk])
    return client.post(path, {"certificate": name}, follow=True)


def test_the_list_shows_epochs_with_their_state(life: EpochVillage) -> None:
    life.closed_and_active()
    shown = clerk(life.village.operator).get(reverse("admin:tokens_epoch_changelist"))
    assert shown.status_code == 200
    text = shown.content.decode()
    assert "epoch 1 of Kisima" in text
    assert "active: its tokens are minted" in text
    assert "5.000000 kWh" in text
    assert "5.000000 IT" in text


def test_a_page_shows_hashes_balance_and_data_set_and_takes_no_change(life: EpochVillage) -> None:
    epoch = life.closed_and_active()
    client = clerk(life.village.operator, "change_epoch")
    text = client.get(page(epoch)).content.decode()
    for told in (epoch.root, epoch.dataset_hash, epoch.book_hash, "households (mWh): 5000000"):
        assert told in text
    assert "/api/v1/sites/kisima/epochs/1/dataset/?attempt=1" in text
    assert "claimed by this epoch" in text
    assert client.post(page(epoch), {"root": "0x00"}).status_code == 403
    assert client.get(reverse("admin:tokens_epoch_add")).status_code == 403


def test_another_operators_epochs_are_not_shown(life: EpochVillage) -> None:
    epoch = life.closed_and_active()
    _, _, stranger = neighbour(at=life.at)
    client = Client()
    client.force_login(stranger)
    assert "epoch 1" not in client.get(reverse("admin:tokens_epoch_changelist")).content.decode()
    assert client.get(page(epoch)).status_code == 302


def test_a_certificate_claims_an_epoch_and_the_epoch_drops_its_co2(life: EpochVillage) -> None:
    epoch = life.closed_and_active()
    client = clerk(life.village.operator, "change_epoch")
    answer = claim(client, epoch, "  D-REC   KE-2026-17 ")
    assert "D-REC KE-2026-17 claimed it" in answer.content.decode()
    epoch.refresh_from_db()
    assert epoch.certificate == "D-REC KE-2026-17"
    assert "this epoch claims none" in client.get(page(epoch)).content.decode()


def test_an_epoch_is_claimed_by_one_certificate_only(life: EpochVillage) -> None:
    epoch = life.closed_and_active()
    client = clerk(life.village.operator, "change_epoch")
    claim(client, epoch, "D-REC 1")
    answer = claim(client, epoch, "I-REC 2")
    assert "D-REC 1 claimed this epoch already." in answer.content.decode()
    assert certificates.claim(epoch=epoch, certificate="D-REC 1").certificate == "D-REC 1"
    epoch.refresh_from_db()
    assert epoch.certificate == "D-REC 1"


def test_an_epoch_that_is_not_active_is_claimed_by_nobody(life: EpochVillage) -> None:
    epoch = life.must_close()
    answer = claim(clerk(life.village.operator, "change_epoch"), epoch, "D-REC 1")
    assert "only an active one counts" in answer.content.decode()
    epoch.refresh_from_db()
    assert epoch.certificate == ""


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_certificate_has_a_name(life: EpochVillage, name: str) -> None:
    epoch = life.closed_and_active()
    with pytest.raises(certificates.NotClaimable, match="Name the certificate"):
        certificates.claim(epoch=epoch, certificate=name)


def test_claiming_needs_the_right_to_change_epochs(life: EpochVillage) -> None:
    epoch = life.closed_and_active()
    assert claim(clerk(life.village.operator), epoch, "D-REC 1").status_code == 403
    epoch.refresh_from_db()
    assert epoch.certificate == ""


def changed(client: Client, site: Site, tokens: str) -> str:
    """Post a site's page with other tokens of a kWh; the text of the answer."""
    path = reverse("admin:accounts_site_change", args=[site.pk])
    form = client.get(path).context["adminform"].form
    values = {name: form.get_initial_for_field(each, name) for name, each in form.fields.items()}
    fields = {name: "" if value is None else value for name, value in values.items()}
    fields["rails"] = [rail.pk for rail in site.rails.all()]
    fields["impact_token_wei_per_kwh"] = tokens
    return str(client.post(path, fields, follow=True).content.decode())


def test_the_admin_says_why_the_tokens_of_a_kwh_are_fixed(life: EpochVillage) -> None:
    site = life.village.site
    client = clerk(life.village.operator, "change_site", "view_site")
    assert "are minted already: a kWh keeps what it mints." in changed(client, site, "2")
    site.refresh_from_db()
    assert site.impact_token_wei_per_kwh == 10**18


def test_the_admin_says_that_the_ledger_contract_fixes_the_tokens_of_a_kwh(now: datetime) -> None:
    life = EpochVillage.found(at=now)
    life.deploy()
    client = clerk(life.village.operator, "change_site", "view_site")
    told = changed(client, life.village.site, "2")
    assert "ledger contract stands: a kWh mints the same for ever." in told


def test_before_that_the_tokens_of_a_kwh_may_change(now: datetime) -> None:
    life = EpochVillage.found(at=now)
    site = life.village.site
    client = clerk(life.village.operator, "change_site", "view_site")
    assert "was changed successfully" in changed(client, site, "2")
    site.refresh_from_db()
    assert site.impact_token_wei_per_kwh == 2 * 10**18
