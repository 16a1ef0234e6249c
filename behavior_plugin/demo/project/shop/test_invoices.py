import unittest
from decimal import Decimal

from .invoices import invoice_total


class InvoiceTotalTest(unittest.TestCase):
    def test_one_line(self) -> None:
        total = invoice_total([(Decimal("10.00"), 2)], tax_rate=Decimal("0.19"))
        assert total == Decimal("23.80"), f"got {total}"

    def test_tax_is_rounded_once_for_the_whole_order(self) -> None:
        lines = [(Decimal("1.29"), 1), (Decimal("1.29"), 1), (Decimal("1.29"), 1)]
        total = invoice_total(lines, tax_rate=Decimal("0.19"))
        assert total == Decimal("4.61"), f"got {total}"
