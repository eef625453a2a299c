"""Rounds of steps beside a plain product: what is summed, what is divided by what."""

from benchmarks import cpu_clock
from benchmarks.cpu_clock import PRODUCT, Rounds


def test_steps_are_summed_and_compared_with_the_product_of_their_own_round():
    rounds = Rounds(
        ({"a": 1.0, "b": 2.0, PRODUCT: 1.0}, {"a": 4.0, "b": 2.0, PRODUCT: 1.5}, {"a": 3.0, "b": 2.0, PRODUCT: 2.0}, {"a": 2.0, "b": 9.0, PRODUCT: 2.0})
    )
    assert rounds.totals_s == [3.0, 6.0, 5.0, 11.0] and rounds.ratios == [3.0, 4.0, 2.5, 5.5]
    assert rounds.medians_s == {"a": 3.0, "b": 2.0, PRODUCT: 2.0}
    assert rounds.ratio_line(22) == "ratio to the product       4.00 (2.50 to 5.50)"


def test_steps_run_in_turns_between_products(monkeypatch):
    ran, products = [], iter([1.0, 2.0, 6.0, 4.0, 4.0, 4.0])
    monkeypatch.setattr(cpu_clock, "product_seconds", lambda multiply_accumulates: next(products))
    rounds = cpu_clock.side_by_side({"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}, 1.0, 2)
    assert ran == ["a", "b", "a", "b"] and [set(row) for row in rounds.rows] == [{"a", "b", PRODUCT}] * 2
    assert [row[PRODUCT] for row in rounds.rows] == [3.0, 4.0]
