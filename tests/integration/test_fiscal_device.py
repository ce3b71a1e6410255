"""eTIMS's account and keys, its wire at the edges, and the installation of a device."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from gateway.fiscal.etims import sale
from gateway.fiscal.etims.account import key_of, read_account
from gateway.fiscal.etims.client import Etims, _judged, encode
from gateway.fiscal.interface import (
    AlreadySigned,
    DeviceRefused,
    DeviceUnavailable,
    DeviceUnreachable,
    Document,
    Part,
)
from tests.integration.fiscal_village import HEADERS
from tests.integration.sandboxed import World, hooks, world

__all__ = ["hooks", "world"]

pytestmark = pytest.mark.django_db

GOODS = sale.Goods(
    item_code="KE3NTU0000001", levy_item_code="KE3NTU0000002", item_class="8310180000"
)


def document(*parts: Part, gross_minor: int = 121_000) -> Document:
    now = timezone.now()
    return Document(
        number=7,
        reference="kisima/7",
        gross_minor=gross_minor,
        currency="KES",
        parts=parts,
        paid_by="daraja",
        tax_point_at=now,
        issued_at=now,
    )


def part(name: str, amount_minor: int, *, kind: str = "tax", code: str = "B") -> Part:
    return Part(kind=kind, name=name, code=code, rate_basis_points=1_600, amount_minor=amount_minor)


def test_an_account_names_pin_branch_and_control_unit() -> None:
    account = read_account(" P000000001A/00/KRACU0000000001 ")
    assert (account.tin, account.branch, account.unit) == ("P000000001A", "00", "KRACU0000000001")
    assert read_account("P000000001A/07").unit == "P000000001A"
    for wrong in ("", "P000000001A", "p000000001a/00", "P000000001A/0", "P000000001A/00/a b"):
        with pytest.raises(ValueError, match="PIN/branch/control unit"):
            read_account(wrong)


def test_one_key_serves_all_devices_and_named_keys_their_own() -> None:
    assert key_of(keys="secret", tin="P000000001A", branch="00") == "secret"
    named = "P000000001A/00=first, P000000001A/01 = se=cond"
    assert key_of(keys=named, tin="P000000001A", branch="01") == "se=cond"
    for keys in ("", named):
        with pytest.raises(LookupError, match="no key of P000000009Z/00"):
            key_of(keys=keys, tin="P000000009Z", branch="00")


def test_amounts_travel_as_exact_numbers() -> None:
    text = encode({"a": Decimal("1000000000.10"), "b": [Decimal("0.07"), None, "é\n", True, 3]})
    assert text == '{"a":1000000000.10,"b":[0.07,null,"\\u00e9\\n",true,3]}'
    assert json.loads(text)["b"][2] == "é\n"


def test_a_levy_is_an_item_outside_the_tax() -> None:
    items = sale.items_of(
        document(part("VAT", 16_000), part("REP levy", 5_000, kind="levy", code="")), goods=GOODS
    )
    assert [(i.code, i.tax_type, i.total_minor, i.tax_minor) for i in items] == [
        ("KE3NTU0000001", "B", 116_000, 16_000),
        ("KE3NTU0000002", "D", 5_000, 0),
    ]
    body = sale.body_of(document(), items=items, item_class="8310180000")
    told = {name: body[name] for name in ("taxblAmtB", "taxAmtB", "taxblAmtD", "totAmt", "taxRtB")}
    assert told == {
        "taxblAmtB": Decimal("1000.00"),
        "taxAmtB": Decimal("160.00"),
        "taxblAmtD": Decimal("50.00"),
        "totAmt": Decimal("1210.00"),
        "taxRtB": Decimal("16.00"),
    }


def test_without_a_tax_the_sale_is_outside_it_and_nothing_is_no_item() -> None:
    items = sale.items_of(document(part("Levy", 0, kind="levy")), goods=GOODS)
    assert [(item.tax_type, item.total_minor) for item in items] == [("D", 121_000)]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("994", AlreadySigned),
        ("921", AlreadySigned),
        ("900", DeviceUnreachable),
        ("902", DeviceUnreachable),
        ("910", DeviceRefused),
        ("913", DeviceRefused),
        ("894", DeviceUnavailable),
        ("899", DeviceUnavailable),
        ("999", DeviceUnavailable),
        ("E11", DeviceUnavailable),
    ],
)
def test_every_code_is_judged_for_what_may_have_been_signed(
    code: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind) as told:
        _judged("/saveTrnsSalesOsdc", {"resultCd": code, "resultMsg": "told"})
    assert type(told.value) is kind


@pytest.mark.parametrize("code", ["000", "0000", "00", " 000 "])
def test_the_gateways_codes_of_success_and_stray_spaces_are_read(code: str) -> None:
    answer = _judged("/x", {"resultCd": code, "data": {"curRcptNo ": "1"}})
    assert answer.data == {"curRcptNo": "1"}


def test_what_is_no_answer_of_etims_leaves_everything_open(world: World) -> None:
    client = Etims(
        base_url=f"{world.url}/africastalking",
        tin="P000000001A",
        branch="00",
        key="k",
        lookup_path="",
    )
    with pytest.raises(DeviceRefused, match="404"):
        client.save_sale(sale={})
    nowhere = Etims(
        base_url="http://127.0.0.1:9", tin="P000000001A", branch="00", key="k", lookup_path=""
    )
    with pytest.raises(DeviceUnreachable):
        nowhere.save_sale(sale={})


def test_a_device_is_installed_once_and_its_key_is_told(world: World, settings: Settings) -> None:
    settings.ETIMS_URL = f"{world.url}/etims"
    arguments = ("init_fiscal_device", "--account", "P051234567A/00", "--serial", "tower-7")
    with pytest.raises(CommandError, match="905"):
        call_command(*arguments)
    world.ask("POST", "etims/simulator/devices", tin="P051234567A", bhfId="00", dvcSrlNo="tower-7")
    out = StringIO()
    call_command(*arguments, stdout=out)
    first, second = out.getvalue().splitlines()
    key = key_of(keys=first.removeprefix("ETIMS_API_KEY: "), tin="P051234567A", branch="00")
    client = Etims(
        base_url=settings.ETIMS_URL,
        tin="P051234567A",
        branch="00",
        key=key,
        lookup_path="/selectInvoiceDetails",
    )
    assert client.look_up(invoice=1) is None
    assert read_account(second.rpartition(" ")[2]).unit.startswith("KRACU")
    with pytest.raises(CommandError, match="902"):
        call_command(*arguments)
    settings.ETIMS_URL = ""
    with pytest.raises(CommandError, match="ETIMS_URL is not set"):
        call_command(*arguments)


def test_the_demo_presents_what_the_sandbox_takes(world: World) -> None:
    client = Etims(
        base_url=f"{world.url}/etims",
        tin=HEADERS["tin"],
        branch=HEADERS["bhfId"],
        key=HEADERS["cmcKey"],
        lookup_path="/selectInvoiceDetails",
    )
    assert client.look_up(invoice=1) is None
