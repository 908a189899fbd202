"""Amounts as people write them, in minor units of their currency: no cent is invented or lost. Pure."""

from decimal import Decimal, InvalidOperation

# Currencies whose minor unit is not a hundredth (ISO 4217); all others have two decimals.
DECIMALS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3,
    "TND": 3,
}  # fmt: skip
DECIMALS_USUAL = 2
CURRENCY_LETTERS = 3
# Fits a bigint with room for sums over a million deals.
MINOR_MAX = 10**12


def is_currency(text: str) -> bool:
    """Whether it is written as an ISO 4217 code: three capital letters."""
    return len(text) == CURRENCY_LETTERS and text.isascii() and text.isalpha() and text.isupper()


def minor_of(amount: str, currency: str) -> int | str:
    """The amount in minor units, or why it is refused: not a number, more decimals than the currency has, too large."""
    try:
        value = Decimal(amount)
    except InvalidOperation:
        return "is not a number"
    if not value.is_finite():
        return "is not a number"
    decimals = DECIMALS.get(currency, DECIMALS_USUAL)
    minor = value.scaleb(decimals)
    if minor != minor.to_integral_value():
        return f"has more than the {decimals} decimals of {currency}"
    return int(minor) if abs(minor) <= MINOR_MAX else "is larger than an amount can be"
