"""eTIMS: devices, items, numbering, totals, signatures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from sandbox.etims.totals import tax_inside
from tests.sandbox.conftest import MovableClock, StartSandbox

ITEM = "KE3NTU0000001"
HEADERS = {"tin": "P000000001A", "bhfId": "00", "cmcKey": "sandbox-key"}


@dataclass
class Trader:
    """One taxpayer's till, speaking plain HTTP."""

    url: str

    def post(self, path: str, body: Any, **headers: str | None) -> dict[str, Any]:
        sent = {name: value for name, value in {**HEADERS, **headers}.items() if value is not None}
        response = requests.post(f"{self.url}{path}", json=body, headers=sent, timeout=10)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def code(self, path: str, body: Any, **headers: str | None) -> str:
        return str(self.post(path, body, **headers)["resultCd"])

    def register(self) -> None:
        assert self.code("/saveItem", item()) == "000"

    def sell(self, invoice: int, cents: int = 116_000, **changes: Any) -> dict[str, Any]:
        return self.post("/saveTrnsSalesOsdc", sale(invoice, cents, **changes))

    def simulate(self, path: str, body: Any) -> requests.Response:
        return requests.post(f"{self.url}/simulator{path}", json=body, timeout=10)

    def receipts(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = requests.get(
            f"{self.url}/simulator/receipts", timeout=5
        ).json()
        return listed


def item(**changes: Any) -> dict[str, Any]:
    return {
        "itemCd": ITEM,
        "itemClsCd": "8310180000",
        "itemTyCd": "3",
        "itemNm": "Prepaid electricity",
        "orgnNatCd": "KE",
        "pkgUnitCd": "NT",
        "qtyUnitCd": "U",
        "taxTyCd": "B",
        "dftPrc": 1,
        "isrcAplcbYn": "N",
        "useYn": "Y",
        "regrId": "test",
        "regrNm": "test",
        "modrId": "test",
        "modrNm": "test",
        **changes,
    }


def sale(invoice: int, cents: int = 116_000, *, inside: bool = False, **changes: Any) -> Any:
    """A sale of one item of type B; inside says that taxblAmt includes the tax."""
    tax = tax_inside(cents, percent=16)
    taxable = (cents if inside else cents - tax) / 100
    line = {
        "itemSeq": 1,
        "itemCd": ITEM,
        "itemClsCd": "8310180000",
        "itemNm": "Prepaid electricity",
        "pkgUnitCd": "NT",
        "pkg": 1,
        "qtyUnitCd": "U",
        "qty": 1,
        "prc": cents / 100,
        "splyAmt": cents / 100,
        "dcRt": 0,
        "dcAmt": 0,
        "taxTyCd": "B",
        "taxblAmt": taxable,
        "taxAmt": tax / 100,
        "totAmt": cents / 100,
    }
    body = {
        "trdInvcNo": f"kisima/{invoice}",
        "invcNo": invoice,
        "orgInvcNo": 0,
        "salesTyCd": "N",
        "rcptTyCd": "S",
        "pmtTyCd": "06",
        "salesSttsCd": "02",
        "cfmDt": "20260101120000",
        "salesDt": "20260101",
        "totItemCnt": 1,
        **{f"taxblAmt{letter}": 0 for letter in "ACDE"},
        **{f"taxAmt{letter}": 0 for letter in "ACDE"},
        **{f"taxRt{letter}": 0 for letter in "ACDE"},
        "taxblAmtB": taxable,
        "taxAmtB": tax / 100,
        "taxRtB": 16,
        "totTaxblAmt": taxable,
        "totTaxAmt": tax / 100,
        "totAmt": cents / 100,
        "prchrAcptcYn": "N",
        "regrId": "test",
        "regrNm": "test",
        "modrId": "test",
        "modrNm": "test",
        "receipt": {"rcptPbctDt": "20260101120000", "prchrAcptcYn": "N"},
        "itemList": [line],
    }
    return {**body, **changes}


@pytest.fixture
def trader(sandbox_url: str) -> Trader:
    own = Trader(url=f"{sandbox_url}/etims")
    own.register()
    return own


def test_a_sale_is_counted_signed_and_shown_to_the_public(trader: Trader) -> None:
    answer = trader.sell(1)
    assert (answer["resultCd"], answer["resultMsg"]) == ("000", "It is succeeded")
    data = answer["data"]
    assert (data["curRcptNo"], data["totRcptNo"]) == (1, 1)
    assert (len(data["rcptSign"]), len(data["intrlData"])) == (16, 26)
    assert len(data["sdcDateTime"]) == 14
    second = trader.sell(2, 50_000, inside=True)["data"]
    assert second["totRcptNo"] == 2
    assert second["rcptSign"] != data["rcptSign"]
    listed = trader.receipts()
    assert [(row["label"], row["amount"], row["tax"]) for row in listed] == [
        ("NS", "1160.00", "160.00"),
        ("NS", "500.00", "68.97"),
    ]
    public = f"{trader.url}/common/link/etims/receipt/indexEtimsReceiptData"
    page = requests.get(f"{public}?Data=P000000001A00{data['rcptSign']}", timeout=5)
    assert "Total KES 1160.00" in page.text
    assert requests.get(f"{public}?Data=P000000001A00{'A' * 16}", timeout=5).status_code == 404


def test_a_number_is_signed_once_and_can_be_looked_up(trader: Trader) -> None:
    signed = trader.sell(1)["data"]
    again = trader.sell(1)
    assert (again["resultCd"], again["data"]) == ("994", None)
    assert trader.sell(1, 99_900)["resultCd"] == "994"
    assert len(trader.receipts()) == 1
    told = trader.post("/selectInvoiceDetails", {"invcNo": 1})["data"]
    assert {name: told[name] for name in signed} == signed
    assert told["totAmt"] == "1160.00"
    assert trader.code("/selectInvoiceDetails", {"invcNo": 2}) == "001"
    assert trader.code("/selectInvoiceDetails", {"invcNo": "one"}) == "910"


def test_a_credit_note_takes_back_no_more_than_was_sold(trader: Trader) -> None:
    trader.sell(1)
    back = {"rcptTyCd": "R", "orgInvcNo": 1, "rfdRsnCd": "06"}
    assert trader.sell(2, 100_000, **back)["data"]["curRcptNo"] == 1
    too_much = trader.sell(3, 16_001, **back)
    assert "more than was sold" in too_much["resultMsg"]
    assert trader.sell(3, 16_000, **back)["data"]["totRcptNo"] == 3
    assert trader.sell(4, 100, **{**back, "orgInvcNo": 2})["resultCd"] == "910"
    assert trader.sell(4, 100, **{**back, "orgInvcNo": 9})["resultCd"] == "910"
    assert trader.sell(4, 100, **{**back, "rfdRsnCd": "77"})["resultCd"] == "913"
    assert [row["label"] for row in trader.receipts()] == ["NS", "NC", "NC"]


def test_numbers_follow_one_another_unless_told_otherwise(trader: Trader) -> None:
    assert "1 is next" in trader.sell(2)["resultMsg"]
    assert trader.simulate("/settings", {"in_sequence": "N"}).status_code == 200
    assert trader.sell(7)["resultCd"] == "000"
    trader.simulate("/settings", {"duplicate_code": "921"})
    assert trader.sell(7)["resultCd"] == "921"
    assert trader.simulate("/settings", {"duplicate_code": "000"}).status_code == 400


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"totAmt": 1159.99}, "totAmt"),
        ({"totTaxAmt": 159}, "totTaxAmt"),
        ({"taxAmtB": 0}, "taxAmtB"),
        ({"taxRtB": 18}, "taxRtB"),
        ({"taxblAmtA": 1}, "taxblAmtA"),
        ({"totTaxblAmt": 1000.001}, "totTaxblAmt"),
        ({"totItemCnt": 2}, "totItemCnt"),
        ({"itemList": []}, "itemList"),
        ({"invcNo": "1"}, "invcNo"),
        ({"invcNo": 0}, "invcNo"),
        ({"invcNo": 10**30}, "invcNo"),
        ({"trdInvcNo": "x" * 51}, "trdInvcNo"),
        ({"cfmDt": "2026-01-01"}, "cfmDt"),
        ({"receipt": {"prchrAcptcYn": "N"}}, "rcptPbctDt"),
        ({"regrId": None}, "regrId"),
    ],
)
def test_what_does_not_add_up_is_refused(
    trader: Trader, changes: dict[str, Any], named: str
) -> None:
    answer = trader.sell(1, **changes)
    assert answer["resultCd"] == "910"
    assert named in answer["resultMsg"]
    assert trader.receipts() == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"taxAmt": 150}, "910"),
        ({"taxblAmt": 900}, "910"),
        ({"splyAmt": 1}, "910"),
        ({"prc": "much"}, "910"),
        ({"itemSeq": 2}, "910"),
        ({"itemCd": "KE3NTU0000002"}, "910"),
        ({"taxTyCd": "F"}, "913"),
        ({"pkgUnitCd": "U"}, "913"),
    ],
)
def test_a_line_that_does_not_add_up_is_refused(
    trader: Trader, changes: dict[str, Any], code: str
) -> None:
    body = sale(1)
    body["itemList"][0].update(changes)
    assert trader.code("/saveTrnsSalesOsdc", body) == code
    assert trader.receipts() == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"cmcKey": None}, "900"),
        ({"cmcKey": "guess"}, "901"),
        ({"tin": "P000000009Z"}, "901"),
        ({"bhfId": "01"}, "901"),
    ],
)
def test_a_stranger_is_not_answered(
    trader: Trader, headers: dict[str, str | None], code: str
) -> None:
    assert trader.code("/saveTrnsSalesOsdc", sale(1), **headers) == code
    assert trader.code("/selectItemList", {}, **headers) == code


def test_a_device_is_approved_then_installed_once(trader: Trader) -> None:
    device = {"tin": "P051234567A", "bhfId": "00", "dvcSrlNo": "tower-7"}
    assert trader.code("/selectInitOsdcInfo", device) == "905"
    assert trader.simulate("/devices", {"tin": "nonsense"}).status_code == 400
    assert trader.simulate("/devices", device).status_code == 201
    assert trader.simulate("/devices", device).status_code == 409
    assert trader.code("/selectItemList", {}, tin=device["tin"]) == "901"
    info = trader.post("/selectInitOsdcInfo", device)["data"]["info"]
    again = trader.post("/selectInitOsdcInfo", device)
    assert (again["resultCd"], again["data"]) == ("902", None)
    keys = {"tin": device["tin"], "cmcKey": info["cmcKey"]}
    assert trader.code("/selectItemList", {}, **keys) == "001"
    assert trader.code("/selectInitOsdcInfo", {"tin": "P051234567A"}) == "910"
    listed = requests.get(f"{trader.url}/simulator/devices", timeout=5).json()
    assert [row["is_installed"] for row in listed] == [True, True]
    assert "cmcKey" not in str(listed)


def test_faults_leave_nothing_behind_but_a_lost_answer_does(trader: Trader) -> None:
    trader.simulate("/faults", {"kind": "offline", "count": 2})
    assert [trader.sell(1)["resultCd"] for _ in range(2)] == ["894", "894"]
    trader.simulate("/faults", {"kind": "unknown_error", "topic": "sales"})
    assert trader.sell(1)["resultCd"] == "999"
    assert trader.receipts() == []
    trader.simulate("/faults", {"kind": "slow_response", "seconds": 1.0})
    started = time.monotonic()
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{trader.url}/saveTrnsSalesOsdc", json=sale(1), headers=HEADERS, timeout=0.3)
    assert time.monotonic() - started < 1.0
    assert trader.sell(1)["resultCd"] == "994"
    assert trader.code("/saveTrnsSalesOsdc", []) == "911"


def test_the_virtual_unit_answers_in_its_own_shape(trader: Trader) -> None:
    body = {"tin": "P000000001A", "bhfId": "00", **sale(1)}
    data = trader.post("/trnsSales/saveSales", body, cmcKey=None)["data"]
    assert data["sdcId"].startswith("KRACU")
    assert data["rcptNo"] == 1
    assert trader.code("/trnsSales/saveSales", {**body, "bhfId": "07"}) == "899"


def test_receipts_survive_a_restart(start_sandbox: StartSandbox, clock: MovableClock) -> None:
    first, url = start_sandbox()
    trader = Trader(url=f"{url}/etims")
    trader.register()
    before = trader.sell(1)["data"]
    first.stop()
    clock.move(seconds=3600)
    _, url = start_sandbox()
    trader.url = f"{url}/etims"
    assert trader.receipts()[0]["rcptSign"] == before["rcptSign"]
    assert trader.sell(2)["data"]["totRcptNo"] == 2
