"""Currencies as the API takes them: units, smallest charges, fees (docs.stripe.com/currencies)."""

from __future__ import annotations

from sandbox.stripe.errors import invalid

ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
# Counted in hundredths for the sake of old integrations, but charged in whole units only.
WHOLE_UNITS = frozenset({"ugx", "isk"})
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Smallest charge in the API's units: the vendor's list, elsewhere about half a dollar.
SMALLEST = {
    **{"usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250},
    **{"eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000},
    **{"myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50},
    **{"thb": 1000, "cny": 350, "isk": 7000, "krw": 700, "clp": 470, "vnd": 13000, "pyg": 3900},
    **{"kes": 6500, "ugx": 190_000, "tzs": 130_000, "rwf": 700, "bif": 1450, "etb": 6000},
    **{"xof": 300, "xaf": 300, "gnf": 4300, "cdf": 140_000, "ngn": 80_000, "ghs": 800},
    **{"zar": 1000, "zmw": 1400, "mwk": 87_000, "mzn": 3200, "mga": 2300, "kmf": 230, "djf": 90},
    **{"mad": 500, "egp": 2500, "gmd": 3500, "sle": 1150, "lrd": 9500, "vuv": 60, "xpf": 55},
}
HIGHEST = 99_999_999
FEE_BASIS_POINTS = 290


def checked(code: str, *, param: str) -> str:
    """The lower-case code of a currency that can be charged here; anything else is refused."""
    lower = code.lower()
    if lower in SMALLEST:
        return lower
    if lower in THREE_DECIMAL:
        raise invalid(f"This account cannot charge the three-decimal currency {lower}", param=param)
    raise invalid(
        f"Invalid currency: {lower}. Stripe currently supports these currencies:"
        f" {', '.join(sorted(SMALLEST))}",
        param=param,
    )


def check_units(amount: int, currency: str, *, param: str) -> None:
    """Refuse a fraction of a currency that is charged in whole units."""
    if currency in WHOLE_UNITS and amount % 100:
        raise invalid(
            f"Invalid amount: {currency.upper()} amounts must be evenly divisible by 100",
            param=param,
        )


def check_charge(amount: int, currency: str, *, param: str) -> None:
    """Refuse an amount too small, too large or not whole for its currency."""
    check_units(amount, currency, param=param)
    if amount < SMALLEST[currency]:
        raise invalid(
            f"Amount must be at least {display(SMALLEST[currency], currency)}",
            param=param,
            code="amount_too_small",
        )
    if amount > HIGHEST:
        raise invalid(
            f"Amount must be no more than {display(HIGHEST, currency)}",
            param=param,
            code="amount_too_large",
        )


def charge_fee(amount: int, currency: str) -> int:
    """2.9 % and a fixed part (0.30 USD or about its worth), rounded half up, in API units."""
    fixed = SMALLEST[currency] * 3 // 5
    fee = (amount * FEE_BASIS_POINTS + 5000) // 10_000 + fixed
    return fee - fee % 100 if currency in WHOLE_UNITS else fee


def dispute_fee(currency: str) -> int:
    """15 USD or about its worth, in API units."""
    return SMALLEST[currency] * 30


def display(amount: int, currency: str) -> str:
    """`USD 1,234.50`, `XOF 1,235`: an amount in API units as a person reads it."""
    sign = "-" if amount < 0 else ""
    if currency in ZERO_DECIMAL:
        return f"{currency.upper()} {sign}{abs(amount):,}"
    whole, rest = divmod(abs(amount), 100)
    if currency in WHOLE_UNITS:
        return f"{currency.upper()} {sign}{whole:,}"
    return f"{currency.upper()} {sign}{whole:,}.{rest:02d}"
