"""What a customer has to pay for an order."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def invoice_total(lines: list[tuple[Decimal, int]], tax_rate: Decimal) -> Decimal:
    """The sum of (unit price, quantity) lines with tax, in whole cents."""
    total = Decimal(0)
    for unit_price, quantity in lines:
        with_tax = unit_price * quantity * (1 + tax_rate)
        total += with_tax.quantize(CENT, rounding=ROUND_HALF_UP)
    return total
