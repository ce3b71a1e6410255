"""When sources of rates agree, and on what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import rate_agreement
from accounts.rate_agreement import Agreement, State, Told, agree

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
rates = st.fractions(min_value=Fraction(1, 100), max_value=10**6, max_denominator=10**8)


def told(source: str, currency: str, rate: str | Fraction, *, minutes: int = 0) -> Told:
    return Told(
        source=source,
        currency=currency,
        local_per_dai=Fraction(rate),
        quoted_at=NOW - timedelta(minutes=minutes),
    )


def of(*quotes: Told, currency: str = "KES", tolerance: int = 100) -> Agreement:
    return agree(told=quotes, currency=currency, tolerance_basis_points=tolerance)


class TestAgreement:
    """Opinions, their median, their spread."""

    def test_nothing_is_known_of_a_currency_that_nobody_quotes(self) -> None:
        found = of(told("feed", "USD", "0.999"))
        assert (found.state, found.median, found.opinions) == (State.NONE, None, ())

    def test_one_source_stands_alone(self) -> None:
        found = of(told("table", "KES", "129.40"))
        assert (found.state, found.median) == (State.ALONE, Fraction("129.40"))

    def test_a_feed_speaks_through_the_table(self) -> None:
        found = of(
            told("table", "KES", "130", minutes=5),
            told("table", "USD", "1.00", minutes=5),
            told("feed", "USD", "0.998"),
        )
        assert found.state == State.AGREED
        assert {each.source: each.local_per_dai for each in found.opinions} == {
            "feed": Fraction("129.74"),
            "table": 130,
        }
        assert {each.quoted_at for each in found.opinions} == {NOW - timedelta(minutes=5)}
        assert found.median == Fraction("129.87")
        assert found.spread_basis_points == 21

    def test_a_feed_speaks_through_the_median_of_several_tables(self) -> None:
        found = of(
            told("a", "KES", "130"),
            told("a", "USD", "1"),
            told("b", "KES", "132"),
            told("b", "USD", "1"),
            told("c", "KES", "131"),
            told("feed", "USD", "0.99"),
            tolerance=300,
        )
        assert len(found.opinions) == 4
        assert next(o for o in found.opinions if o.source == "feed").local_per_dai == Fraction(
            "129.69"
        )
        assert found.median == Fraction("130.5")

    def test_a_table_without_dollars_gives_a_feed_nothing_to_say(self) -> None:
        found = of(told("table", "KES", "130"), told("feed", "USD", "1"))
        assert found.state == State.ALONE

    def test_dollars_are_compared_as_they_are(self) -> None:
        found = of(told("table", "USD", "1.00"), told("feed", "USD", "0.999"), currency="USD")
        assert (found.state, found.median) == (State.AGREED, Fraction("0.9995"))

    @pytest.mark.parametrize(
        ("high", "state"),
        [("131.3", State.AGREED), ("131.30000001", State.DISAGREEING), ("180", State.DISAGREEING)],
    )
    def test_the_tolerance_holds_to_the_last_digit(self, high: str, state: State) -> None:
        assert of(told("a", "KES", "130"), told("b", "KES", high)).state == state

    def test_one_of_three_that_is_off_is_a_disagreement(self) -> None:
        found = of(told("a", "KES", "130"), told("b", "KES", "130"), told("c", "KES", "13"))
        assert found.state == State.DISAGREEING
        assert found.spread_basis_points == 90_000

    @given(st.lists(rates, min_size=1, max_size=7))
    def test_the_median_lies_between_and_order_does_not_matter(self, given: list[Fraction]) -> None:
        quotes = [told(f"s{number}", "KES", rate) for number, rate in enumerate(given)]
        found, turned = of(*quotes), of(*reversed(quotes))
        assert found == turned
        assert found.median is not None
        assert min(given) <= found.median <= max(given)
        assert sum(rate <= found.median for rate in given) * 2 >= len(given)
        assert sum(rate >= found.median for rate in given) * 2 >= len(given)


class TestBounds:
    """The peg to the euro, and DAI's to the dollar."""

    @pytest.mark.parametrize(
        ("rate", "keeps"),
        [
            ("655.957", True),
            ("659.236", True),
            ("659.237", False),
            ("652.6773", True),
            ("652.677", False),
            ("65.5957", False),
        ],
    )
    def test_half_a_percent_of_the_peg(self, rate: str, keeps: bool) -> None:
        for currency in ("XOF", "XAF"):
            assert keeps == rate_agreement.keeps_peg(
                currency=currency, local_per_dai=Fraction(rate), eur_per_dai=Fraction(1)
            )

    def test_other_currencies_have_no_peg(self) -> None:
        assert rate_agreement.keeps_peg(
            currency="KES", local_per_dai=Fraction(1), eur_per_dai=Fraction(1)
        )

    @pytest.mark.parametrize(
        ("usd", "is_dollar"),
        [("0.98", True), ("1.02", True), ("0.97999999", False), ("1.02000001", False)],
    )
    def test_a_dai_is_a_dollar(self, usd: str, is_dollar: bool) -> None:
        assert rate_agreement.is_dollar(usd_per_dai=Fraction(usd)) == is_dollar

    def test_a_change_is_told_in_basis_points(self) -> None:
        between = rate_agreement.basis_points_between
        assert between(before=Fraction(129), after=Fraction(130)) == 77
        assert between(before=Fraction(130), after=Fraction(129)) == -76
