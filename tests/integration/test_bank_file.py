"""Files for the bank: pain.001.001.09 as its structure wants it, each payout in one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from settlement import bank_file, bank_statement, payouts
from settlement.bank_file import BadAccount, NothingToPay
from settlement.bank_statement import NotAStatement
from settlement.models import BankFile, Payout
from tests.integration.sandboxed import today
from tests.paying_out import (
    WEI,
    approved,
    assert_all_books_hold,
    earn_revenue,
    fill_treasury,
    fresh,
    person,
    pool,
    stands,
)
from tests.village import Village

__all__ = ["today"]

pytestmark = pytest.mark.django_db

State = Payout.State
GOOD_IBAN = "GB82WEST12345698765432"

# The structure of pain.001.001.09 as far as this service writes it: the children of each element
# in the order of the schema, and the form of its texts (facets of the schema's simple types).
TEXT35, TEXT34, TEXT140 = (rf"[^\n]{{1,{length}}}" for length in (35, 34, 140))
DECIMAL = r"\d{1,13}(\.\d{1,5})?"
BIC = r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?"
AGENT: dict[str, Any] = {"FinInstnId": {"BICFI?": BIC, "Othr?": {"Id": TEXT35}}}
ACCOUNT: dict[str, Any] = {
    "Id": {"IBAN?": r"[A-Z]{2}\d{2}[a-zA-Z0-9]{1,30}", "Othr?": {"Id": TEXT34}},
    "Ccy?": "[A-Z]{3}",
}
STRUCTURE: dict[str, Any] = {
    "CstmrCdtTrfInitn": {
        "GrpHdr": {
            "MsgId": TEXT35,
            "CreDtTm": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00",
            "NbOfTxs": r"\d{1,15}",
            "CtrlSum": DECIMAL,
            "InitgPty": {"Nm": TEXT140},
        },
        "PmtInf": {
            "PmtInfId": TEXT35,
            "PmtMtd": "TRF",
            "NbOfTxs": r"\d{1,15}",
            "CtrlSum": DECIMAL,
            "ReqdExctnDt": {"Dt": r"\d{4}-\d\d-\d\d"},
            "Dbtr": {"Nm": TEXT140},
            "DbtrAcct": ACCOUNT,
            "DbtrAgt": AGENT,
            "CdtTrfTxInf+": {
                "PmtId": {
                    "InstrId": TEXT35,
                    "EndToEndId": TEXT35,
                    "UETR": r"[a-f0-9]{8}-[a-f0-9]{4}-4[a-f0-9]{3}-[89ab][a-f0-9]{3}-[a-f0-9]{12}",
                },
                "Amt": {"InstdAmt": DECIMAL},
                "CdtrAgt": AGENT,
                "Cdtr": {"Nm": TEXT140},
                "CdtrAcct": ACCOUNT,
                "RmtInf": {"Ustrd": TEXT140},
            },
        },
    }
}


@dataclass(frozen=True)
class Wanted:
    """One element of the structure."""

    tag: str
    content: Any
    least: int
    most: float


def wanted(structure: dict[str, Any]) -> Iterator[Wanted]:
    for name, content in structure.items():
        mark = name[-1] if name[-1] in "?+" else ""
        yield Wanted(
            name.rstrip("?+"), content, 0 if mark == "?" else 1, float("inf") if mark == "+" else 1
        )


def violations(element: Element, structure: Any, path: str = "") -> list[str]:
    """Where an element is not as the structure wants it."""
    if isinstance(structure, str):
        is_right = len(element) == 0 and re.fullmatch(structure, element.text or "") is not None
        return [] if is_right else [f"{path}: {element.text!r}"]
    found, children = [], list(element)
    for each in wanted(structure):
        same = []
        while children and children[0].tag == f"{{{bank_file.NAMESPACE}}}{each.tag}":
            same.append(children.pop(0))
        if not each.least <= len(same) <= each.most:
            found.append(f"{path}/{each.tag}: {len(same)} times")
        for child in same:
            found += violations(child, each.content, f"{path}/{each.tag}")
    return [*found, *(f"{path}: {child.tag} has no place there" for child in children)]


@pytest.fixture
def kisima(today: Village) -> Village:
    """Kisima with revenue, of which 100 DAI are at the treasury."""
    earn_revenue(today)
    fill_treasury(today, dai=100)
    return today


def make(village: Village, **changes: Any) -> BankFile:
    given: dict[str, Any] = {
        "operator": village.operator,
        "currency": "KES",
        "debtor_account": "0110 0022 3344",
        "debtor_code": "KCBLKENX",
        "made_by": person(village, "approver"),
        "at": datetime(2026, 11, 28, 11, 0, tzinfo=UTC),
    }
    return bank_file.make(**{**given, **changes})


def parsed(content: str) -> Element:
    return fromstring(content)  # noqa: S314 - our own


def texts(file: BankFile, tag: str) -> list[str]:
    return [str(each.text) for each in parsed(file.content).iter(f"{{{bank_file.NAMESPACE}}}{tag}")]


class TestFile:
    """What the bank gets."""

    def test_it_is_as_the_structure_wants_it(self, kisima: Village) -> None:
        for _ in range(3):
            approved(kisima, way="bank")
        file = make(kisima)
        root = parsed(file.content)
        assert root.tag == f"{{{bank_file.NAMESPACE}}}Document"
        assert violations(root, STRUCTURE) == []
        assert file.content.startswith('<?xml version="1.0" encoding="UTF-8"?>')

    def test_a_structure_that_is_wrong_would_be_seen(self, kisima: Village) -> None:
        approved(kisima, way="bank")
        content = make(kisima).content
        for right, wrong in (("<PmtMtd>TRF", "<PmtMtd>CHK"), ("Ustrd", "Strd"), ("+00:00", "")):
            assert violations(parsed(content.replace(right, wrong)), STRUCTURE)

    def test_its_sums_and_ids_are_those_of_the_payouts(self, kisima: Village) -> None:
        made = [approved(kisima, way="bank", dai=dai) for dai in (3, 10)]
        file = make(kisima)
        assert texts(file, "InstdAmt") == ["387.75", "1292.50"]
        assert texts(file, "CtrlSum") == ["1680.25", "1680.25"]
        assert texts(file, "NbOfTxs") == ["2", "2"]
        assert texts(file, "EndToEndId") == [payout.request_id.hex for payout in made]
        assert texts(file, "UETR") == [str(payout.request_id) for payout in made]
        assert (file.payout_count, file.amount_minor) == (2, 168_025)

    def test_numbers_that_are_ibans_are_told_as_such(self, kisima: Village) -> None:
        approved(kisima, way="bank")
        file = make(kisima, debtor_account="GB82 WEST 1234 5698 7654 32")
        assert texts(file, "IBAN") == [GOOD_IBAN]
        # The payee's own number has no valid check digits: it is an account number.
        assert "KE0100010001234567890" in texts(file, "Id")
        assert not bank_file.is_iban("GB82WEST12345698765431")

    def test_without_a_bic_the_bank_is_not_provided(self, kisima: Village) -> None:
        approved(kisima, way="bank")
        file = make(kisima, debtor_code="")
        assert violations(parsed(file.content), STRUCTURE) == []
        assert "NOTPROVIDED" in texts(file, "Id")

    def test_names_cannot_break_the_xml(self, kisima: Village) -> None:
        kisima.operator.name = "Jua <&> \x07 “Power”"
        kisima.operator.save()
        payout = approved(kisima, way="bank")
        payout.payee.public_name = "</Nm><Amt>"
        payout.payee.save()
        file = make(kisima)
        assert violations(parsed(file.content), STRUCTURE) == []
        assert "</Nm><Amt>" in texts(file, "Nm")
        assert "Jua <&>  “Power”" in texts(file, "Nm")

    @pytest.mark.parametrize(
        "changes",
        [
            {"debtor_account": "12"},
            {"debtor_account": "<script>"},
            {"debtor_account": "1" * 35},
            {"debtor_code": "KCB"},
        ],
    )
    def test_an_account_that_no_bank_takes_is_refused(
        self, kisima: Village, changes: dict[str, str]
    ) -> None:
        approved(kisima, way="bank")
        with pytest.raises(BadAccount):
            make(kisima, **changes)
        assert not BankFile.objects.exists()


class TestOnce:
    """A payout is in one file."""

    def test_a_payout_in_a_file_is_sent_and_in_no_other(self, kisima: Village) -> None:
        payout = approved(kisima, way="bank")
        file = make(kisima)
        payout = fresh(payout)
        assert (payout.state, payout.bank_file) == (State.SENT, file)
        with pytest.raises(NothingToPay, match="waits for a file"):
            make(kisima)
        other = approved(kisima, way="bank")
        second = make(kisima)
        assert list(second.payouts.all()) == [other]
        with pytest.raises(DatabaseError, match="no way"), transaction.atomic():
            Payout.objects.filter(pk=payout.pk).update(bank_file=second)

    def test_only_what_was_approved_is_in_it(self, kisima: Village) -> None:
        approved(kisima)
        with pytest.raises(NothingToPay):
            make(kisima)
        assert bank_file.waiting_currencies(operator=kisima.operator) == []
        approved(kisima, way="bank")
        assert bank_file.waiting_currencies(operator=kisima.operator) == ["KES"]
        with pytest.raises(NothingToPay):
            make(kisima, currency="XOF")

    def test_what_is_in_a_file_is_not_rejected(self, kisima: Village) -> None:
        payout = approved(kisima, way="bank")
        make(kisima)
        with pytest.raises(payouts.NotPayable):
            payouts.reject(payout=payout, text="", at=timezone.now())

    def test_a_file_does_not_change(self, kisima: Village) -> None:
        approved(kisima, way="bank")
        file = make(kisima)
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            BankFile.objects.filter(pk=file.pk).update(content="")


HEAD = "EndToEndId,Reference,Amount,Currency,Date,Status\n"


class TestStatement:
    """What the bank tells settles payouts, and nothing else does."""

    def take(self, village: Village, rows: str, *, head: str = HEAD) -> bank_statement.Taken:
        return bank_statement.take(operator=village.operator, text=head + rows, at=timezone.now())

    def row(self, payout: Payout, **changes: str) -> str:
        told = {
            "id": payout.request_id.hex,
            "reference": "FT26332ABC",
            "amount": "1292.50",
            "currency": "KES",
            "date": "2026-11-20",
            "status": "paid",
            **changes,
        }
        return ",".join(told.values()) + "\n"

    def test_a_row_pays_a_payout_once(self, kisima: Village) -> None:
        payout = approved(kisima, way="bank")
        make(kisima)
        for _ in range(2):
            taken = self.take(kisima, self.row(payout))
            assert (taken.paid, taken.returned, taken.trouble) == (1, 0, ())
        payout = fresh(payout)
        assert (payout.state, payout.reference) == (State.PAID, "FT26332ABC")
        assert payout.reconciled_at is not None
        assert stands(kisima, "treasury") == -90 * WEI
        assert_all_books_hold()

    def test_money_that_came_back_is_in_the_pool_again(self, kisima: Village) -> None:
        payout = approved(kisima, way="bank")
        make(kisima)
        self.take(kisima, self.row(payout))
        taken = self.take(kisima, self.row(payout, status="returned"))
        assert taken.returned == 1
        assert (fresh(payout).state, pool(kisima)) == (State.FAILED, 50 * WEI)
        # The older file once more tells nothing new.
        self.take(kisima, self.row(payout))
        assert fresh(payout).state == State.FAILED
        assert stands(kisima, "treasury") == -100 * WEI
        assert_all_books_hold()

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"id": "ffffffffffff4fff8fffffffffffffff"}, "names none of our payouts"),
            ({"id": "whoever"}, "names none of our payouts"),
            ({"amount": "1292.51"}, "another amount here"),
            ({"currency": "USD"}, "another amount here"),
            ({"amount": "lots"}, "not an amount"),
            ({"reference": ""}, "reference is missing"),
            ({"status": "perhaps"}, "neither paid nor returned"),
            ({"date": "yesterday"}, "yesterday"),
        ],
    )
    def test_a_row_that_does_not_fit_moves_nothing(
        self, kisima: Village, changes: dict[str, str], words: str
    ) -> None:
        payout = approved(kisima, way="bank")
        make(kisima)
        taken = self.take(kisima, self.row(payout, **changes))
        assert words in taken.trouble[0]
        assert taken.trouble[0].startswith("row 2: ")
        assert fresh(payout).state == State.SENT

    def test_a_payout_without_a_file_is_not_meant(self, kisima: Village) -> None:
        payout = approved(kisima, way="bank")
        assert "none of our payouts" in self.take(kisima, self.row(payout)).trouble[0]

    def test_another_file_is_refused(self, kisima: Village) -> None:
        with pytest.raises(NotAStatement, match="no column 'EndToEndId'"):
            self.take(kisima, "", head="Name,Amount\n")
