"""The file by which an operator's bank pays: ISO 20022 pain.001.001.09, each payout in one file.

EndToEndId is the payout's request_id in hexadecimal, UETR the same with its hyphens: the bank's
statement names them, and settlement.bank_statement finds the payout by them.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from django.db import transaction

from accounts.models import Operator, User
from accounts.money import CURRENCY_DECIMALS, decimal_string
from settlement.models import BankFile, Payee, Payout

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
LONGEST_NAME = 140
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_NUMBER = re.compile(r"[A-Za-z0-9-]{4,34}")
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")


class NothingToPay(Exception):
    """No approved payout waits for a file of this currency."""


class BadAccount(ValueError):
    """An account or bank code that no bank would take."""


def make(
    *,
    operator: Operator,
    currency: str,
    debtor_account: str,
    debtor_code: str,
    made_by: User,
    at: datetime,
) -> BankFile:
    """Write every approved bank payout of an operator in one currency into a new file.

    debtor_account (IBAN or number) and debtor_code (BIC, or "") are the operator's own. The
    payouts are sent from then on, and in no other file. Raises NothingToPay, BadAccount.
    """
    debtor_account = checked_account(debtor_account)
    debtor_code = checked_code(debtor_code)
    with transaction.atomic():
        waiting = list(_waiting(operator=operator, currency=currency))
        if not waiting:
            raise NothingToPay(f"no approved payout of {operator} in {currency} waits for a file")
        file = BankFile(
            operator=operator,
            message_id=f"{at:%Y%m%d%H%M%S}-{secrets.token_hex(6)}",
            currency=currency,
            debtor_account=debtor_account,
            debtor_code=debtor_code,
            payout_count=len(waiting),
            amount_minor=sum(payout.amount_minor or 0 for payout in waiting),
            made_by=made_by,
            made_at=at,
        )
        file.content = document(file=file, payouts=waiting)
        file.save(force_insert=True)
        Payout.objects.filter(pk__in=[payout.pk for payout in waiting]).update(
            bank_file=file,
            state=Payout.State.SENT,
            sent_at=at,
            provider_request=file.message_id,
        )
        return file


def waiting_currencies(*, operator: Operator | None) -> list[str]:
    """Return the currencies of approved bank payouts without a file; of any operator for None."""
    payouts = Payout.objects.filter(
        way=Payee.Way.BANK, state=Payout.State.APPROVED, bank_file__isnull=True
    )
    if operator is not None:
        payouts = payouts.filter(site__operator=operator)
    return sorted(set(payouts.order_by().values_list("currency", flat=True)))


def document(*, file: BankFile, payouts: Sequence[Payout]) -> str:
    """Return the XML of a file: one block of transfers, in the order of the payouts."""
    root = Element("Document", xmlns=NAMESPACE)
    order = SubElement(root, "CstmrCdtTrfInitn")
    total = _amount(sum(payout.amount_minor or 0 for payout in payouts), file.currency)
    header = SubElement(order, "GrpHdr")
    _texts(
        header,
        MsgId=file.message_id,
        CreDtTm=f"{file.made_at:%Y-%m-%dT%H:%M:%S+00:00}",
        NbOfTxs=str(len(payouts)),
        CtrlSum=total,
    )
    _texts(SubElement(header, "InitgPty"), Nm=_name(file.operator.name))
    block = SubElement(order, "PmtInf")
    _texts(
        block,
        PmtInfId=file.message_id,
        PmtMtd="TRF",
        NbOfTxs=str(len(payouts)),
        CtrlSum=total,
    )
    _texts(SubElement(block, "ReqdExctnDt"), Dt=f"{file.made_at:%Y-%m-%d}")
    _texts(SubElement(block, "Dbtr"), Nm=_name(file.operator.name))
    _account(block, "DbtrAcct", number=file.debtor_account, currency=file.currency)
    _bank(block, "DbtrAgt", code=file.debtor_code)
    for payout in payouts:
        _transfer(block, payout=payout)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def checked_account(text: str) -> str:
    """Return an IBAN without spaces, or another account number. Raises BadAccount."""
    number = re.sub(r"\s", "", text)
    if _NUMBER.fullmatch(number) is None:
        raise BadAccount(f"{text[:40]!r} is neither an IBAN nor an account number")
    return number


def checked_code(text: str) -> str:
    """Return a BIC, or "" for none. Raises BadAccount."""
    code = text.strip().upper()
    if code and _BIC.fullmatch(code) is None:
        raise BadAccount(f"{text[:20]!r} is no BIC")
    return code


def is_iban(number: str) -> bool:
    """Return whether a number is an IBAN by its check digits (ISO 13616: modulo 97 is 1)."""
    if _IBAN.fullmatch(number) is None:
        return False
    digits = "".join(str(int(letter, 36)) for letter in number[4:] + number[:4])
    return int(digits) % 97 == 1


def _waiting(*, operator: Operator, currency: str) -> Sequence[Payout]:
    rows = Payout.objects.select_for_update(of=("self",)).filter(
        site__operator=operator,
        way=Payee.Way.BANK,
        state=Payout.State.APPROVED,
        bank_file__isnull=True,
        currency=currency,
    )
    return rows.select_related("payee", "site", "service_token").order_by("pk")  # type: ignore[return-value]


def _transfer(block: Element, *, payout: Payout) -> None:
    transfer = SubElement(block, "CdtTrfTxInf")
    _texts(
        SubElement(transfer, "PmtId"),
        InstrId=payout.request_id.hex,
        EndToEndId=payout.request_id.hex,
        UETR=str(payout.request_id),
    )
    amount = SubElement(SubElement(transfer, "Amt"), "InstdAmt", Ccy=payout.currency)
    amount.text = _amount(payout.amount_minor or 0, payout.currency)
    _bank(transfer, "CdtrAgt", code=payout.destination_code)
    _texts(SubElement(transfer, "Cdtr"), Nm=_name(payout.payee.public_name))
    _account(transfer, "CdtrAcct", number=payout.destination)
    remittance = f"{payout.site.name}: {payout.service_token.subject}"
    _texts(SubElement(transfer, "RmtInf"), Ustrd=_name(remittance))


def _account(parent: Element, tag: str, *, number: str, currency: str = "") -> None:
    account = SubElement(parent, tag)
    identity = SubElement(account, "Id")
    number = re.sub(r"\s", "", number)
    if is_iban(number):
        _texts(identity, IBAN=number)
    else:
        _texts(SubElement(identity, "Othr"), Id=number)
    if currency:
        _texts(account, Ccy=currency)


def _bank(parent: Element, tag: str, *, code: str) -> None:
    institution = SubElement(SubElement(parent, tag), "FinInstnId")
    if code:
        _texts(institution, BICFI=code)
    else:
        _texts(SubElement(institution, "Othr"), Id="NOTPROVIDED")


def _texts(parent: Element, **texts: str) -> None:
    for tag, text in texts.items():
        SubElement(parent, tag).text = text


def _name(text: str) -> str:
    """A text that XML and banks take."""
    return "".join(letter for letter in text if letter.isprintable())[:LONGEST_NAME]


def _amount(amount_minor: int, currency: str) -> str:
    return decimal_string(amount=amount_minor, decimals=CURRENCY_DECIMALS[currency])
