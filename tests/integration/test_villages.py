"""Weeks of a real village, replayed through the service and through the model, to the wei.

The data are SharedSolar's, beside the repository and no part of it; script/bench villages replays
the whole of both villages.
"""

from __future__ import annotations

from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from accounts import audit
from accounts.amounts import of_household
from accounts.models import Household, Payment
from benches import village_record
from benches.village_replay import Replay, open_operator
from settlement import audit as settlement_audit
from settlement.long_form import Reason
from settlement.models import Charge, QuarantinedReading, Reading

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not village_record.is_there(),
        reason="the villages' measurements (shared/data/village) are not beside the repository",
    ),
]


def replay(tmp_path: Path, name: str, first: date, last: date) -> tuple[Replay, Path]:
    """Replay one village's days."""
    path = tmp_path / "wh.csv"
    village_record.write_part(path, first=first, last=last)
    record = village_record.read(name, first=first, last=last)
    operator, rail = open_operator(at=village_record.local(first))
    done = Replay(record, operator=operator, rail=rail)
    done.run(path)
    return done, path


@pytest.fixture
def fortnight(tmp_path: Path) -> tuple[Replay, Path]:
    """Two weeks of ug01, the change of its tariff in their middle."""
    return replay(tmp_path, "ug01", date(2012, 6, 5), date(2012, 6, 18))


@pytest.fixture
def few_days(tmp_path: Path) -> tuple[Replay, Path]:
    """Four of these days."""
    return replay(tmp_path, "ug01", date(2012, 6, 10), date(2012, 6, 13))


def test_every_account_of_a_real_fortnight_equals_the_model(
    fortnight: tuple[Replay, Path],
) -> None:
    done, path = fortnight
    done.compare()
    figures = done.figures()
    assert figures["readings"] > 1_200
    assert figures["rebate"] > 0
    assert figures["recovered"] == figures["arrears"] > 0
    assert figures["donors"] > 0
    assert done.tally.taken_in == figures["readings"]

    again = done.again(path)
    assert again.taken_in == 0
    assert again.known_already == done.tally.taken_in
    assert again.refused == done.tally.refused
    done.compare()
    assert done.figures() == figures

    done.model.houses["UG0108"].funds += 1
    with pytest.raises(AssertionError, match="UG0108 funds"):
        done.compare()


def test_the_command_knows_every_line_of_a_village_that_was_imported(
    few_days: tuple[Replay, Path],
) -> None:
    done, path = few_days
    out = StringIO()
    call_command(
        "import_readings", str(path), "--site", "bench-ug01", "--settle", stdout=out, stderr=out
    )
    said = " ".join(out.getvalue().split())
    assert f"known already {done.tally.taken_in:,}" in said
    assert f"unknown meter {done.tally.refused[Reason.UNKNOWN_METER]:,}" in said
    assert "taken in 0" in said
    done.compare()


def test_no_invariant_is_broken_by_real_days(few_days: tuple[Replay, Path]) -> None:
    checks = (*audit.CHECKS, *settlement_audit.CHECKS)
    assert [each for result in audit.run(checks=checks) for each in result.findings] == []


def test_hours_are_charged_at_the_tariff_of_their_day(few_days: tuple[Replay, Path]) -> None:
    prices = set(Charge.objects.values_list("wei_per_milliwatt_hour", flat=True))
    # 8,000 and 10,000, then 3,000 and 8,000 shillings per kWh at 2,500 shillings per DAI.
    assert prices == {3_200_000_000_000, 4_000_000_000_000, 1_200_000_000_000}
    done, _ = few_days
    record = done.record
    assert record.hours_alike / record.hours_compared > 0.98


def test_each_rise_of_the_credit_was_paid_once(few_days: tuple[Replay, Path]) -> None:
    done, _ = few_days
    payments = [each for day in done.record.payments.values() for each in day]
    assert Payment.objects.filter(state="credited").count() == len(payments) > 5
    paid = sum(each.shillings for each in payments)
    assert done.figures()["float UGX"] == -paid


def test_the_mains_are_read_and_never_charged(few_days: tuple[Replay, Path]) -> None:
    assert Reading.objects.filter(meter__serial="ug01_0").exists()
    assert not Charge.objects.filter(meter__serial="ug01_0").exists()


def test_the_other_village_has_its_own_quarantine_and_books(tmp_path: Path) -> None:
    done, _ = replay(tmp_path, "ug03", date(2012, 5, 30), date(2012, 6, 7))
    done.compare()
    assert done.figures()["quarantined implausible_energy"] == 4
    assert QuarantinedReading.objects.count() == 4
    household = Household.objects.get(code="UG0302")
    funds_wei = of_household(household=household).funds_wei
    assert done.model.houses["UG0302"].funds == funds_wei > 0
