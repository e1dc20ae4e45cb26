"""Counts and amounts as a reader expects them."""


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """1 event, 2,000 events; ``nouns`` where more than one is not ``noun`` with an s."""
    return f"{count:,} {noun if count == 1 else nouns or f'{noun}s'}"


def amount_text(cents: int, exponent: int) -> str:
    """An amount in minor units as digits with the currency's decimals and its thousands in groups."""
    sign = "-" if cents < 0 else ""
    whole, fraction = divmod(abs(cents), 10**exponent)
    return f"{sign}{whole:,}" + (f".{fraction:0{exponent}d}" if exponent else "")
