"""
DynamoDB's expressions, as far as the stores use them. Any other expression fails an assertion.

    condition  := term (OR term)*        term := factor (AND factor)*
    factor     := ( condition ) | attribute_exists(a) | attribute_not_exists(a) | begins_with(a, :v)
                | a BETWEEN :x AND :y | a IN (:x, :y) | operand (= | <> | < | <= | > | >=) operand
    change     := SET a = sum, ...  REMOVE a, ...  ADD a :v, ...       sum := operand [(+ | -) operand]
    operand    := a | :v | if_not_exists(a, operand)
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Attributes = dict[str, Any]
Condition = "Callable[[Attributes, Attributes], bool]"
Operand = "Callable[[Attributes, Attributes], Any]"

_TOKEN = re.compile(r"\s*(<=|>=|<>|[()=<>,+-]|:?\w+)")
_COMPARE = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def holds(expression: str, item: Attributes, values: Attributes) -> bool:
    """Whether a condition is true of an item."""
    return bool(_condition(expression)(item, values))


def changed(expression: str, item: Attributes, values: Attributes) -> Attributes:
    """The item after an update. Every right side sees the item from before the update."""
    after = dict(item)
    for name, new in _change(expression):
        attribute = new(item, values) if new else None
        if attribute is None:
            after.pop(name, None)
        else:
            after[name] = attribute
    return after


@lru_cache
def _condition(expression: str) -> Callable[[Attributes, Attributes], bool]:
    parser = _ExpressionParser(expression)
    condition = parser.condition()
    parser.end()
    return condition


@lru_cache
def _change(expression: str) -> list[tuple[str, Callable[[Attributes, Attributes], Any] | None]]:
    parser = _ExpressionParser(expression)
    changes = parser.changes()
    parser.end()
    return changes


class _ExpressionParser:
    def __init__(self, expression: str) -> None:
        self._tokens = _TOKEN.findall(expression)
        assert "".join(self._tokens) == re.sub(r"\s", "", expression), f"cannot read {expression}"

    def condition(self) -> Callable[[Attributes, Attributes], bool]:
        terms = [self._term()]
        while self._accept("OR"):
            terms.append(self._term())
        return lambda item, values: any(term(item, values) for term in terms)

    def changes(self) -> list[tuple[str, Callable[[Attributes, Attributes], Any] | None]]:
        found: list[tuple[str, Callable[[Attributes, Attributes], Any] | None]] = []
        while self._tokens:
            clause = self._next()
            while True:
                found.append(self._one_change(clause))
                if not self._accept(","):
                    break
        return found

    def end(self) -> None:
        assert not self._tokens, f"cannot read {self._tokens}"

    def _one_change(self, clause: str) -> tuple[str, Callable[[Attributes, Attributes], Any] | None]:
        name = self._next()
        match clause:
            case "REMOVE":
                return name, None
            case "SET":
                self._expect("=")
                return name, self._sum()
            case "ADD":
                added = self._operand()
                return name, lambda item, values: _added(item.get(name, {"N": "0"}), added(item, values), 1)
        raise AssertionError(f"cannot read {clause}")

    def _sum(self) -> Callable[[Attributes, Attributes], Any]:
        left = self._operand()
        sign = 1 if self._accept("+") else -1 if self._accept("-") else 0
        if not sign:
            return left
        right = self._operand()
        return lambda item, values: _added(left(item, values), right(item, values), sign)

    def _term(self) -> Callable[[Attributes, Attributes], bool]:
        factors = [self._factor()]
        while self._accept("AND"):
            factors.append(self._factor())
        return lambda item, values: all(factor(item, values) for factor in factors)

    def _factor(self) -> Callable[[Attributes, Attributes], bool]:
        if self._accept("("):
            inner = self.condition()
            self._expect(")")
            return inner
        for function, wanted in (("attribute_exists", True), ("attribute_not_exists", False)):
            if self._accept(function):
                self._expect("(")
                name = self._next()
                self._expect(")")
                return lambda item, _: (name in item) is wanted
        if self._accept("begins_with"):
            self._expect("(")
            whole = self._operand()
            self._expect(",")
            start = self._operand()
            self._expect(")")
            return lambda item, values: _begins(whole(item, values), start(item, values))
        return self._comparison(self._operand())

    def _comparison(
        self, left: Callable[[Attributes, Attributes], Any]
    ) -> Callable[[Attributes, Attributes], bool]:
        comparing = self._next()
        match comparing:
            case "BETWEEN":
                low = self._operand()
                self._expect("AND")
                high = self._operand()
                return lambda item, values: (
                    _compared("<=", low(item, values), left(item, values))
                    and _compared("<=", left(item, values), high(item, values))
                )
            case "IN":
                self._expect("(")
                among = [self._operand()]
                while self._accept(","):
                    among.append(self._operand())
                self._expect(")")
                return lambda item, values: left(item, values) in [one(item, values) for one in among]
        right = self._operand()
        return lambda item, values: _compared(comparing, left(item, values), right(item, values))

    def _operand(self) -> Callable[[Attributes, Attributes], Any]:
        token = self._next()
        if token == "if_not_exists":
            self._expect("(")
            name = self._next()
            self._expect(",")
            otherwise = self._operand()
            self._expect(")")
            return lambda item, values: item.get(name) or otherwise(item, values)
        if token.startswith(":"):
            return lambda _, values: values[token]
        return lambda item, _: item.get(token)

    def _next(self) -> str:
        token: str = self._tokens.pop(0)
        return token

    def _accept(self, token: str) -> bool:
        if self._tokens and self._tokens[0] == token:
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        assert self._accept(token), f"expected {token} before {self._tokens}"


def _compared(comparing: str, left: Any, right: Any) -> bool:
    """Compare as DynamoDB does: a missing value, or one of another type, is only unequal."""
    if left is None or right is None or left.keys() != right.keys():
        return comparing == "<>"
    ((kind, one),) = left.items()
    (other,) = right.values()
    if kind == "N":
        one, other = int(one), int(other)
    return bool(_COMPARE[comparing](one, other))


def _begins(whole: Any, start: Any) -> bool:
    return whole is not None and "S" in whole and bool(whole["S"].startswith(start["S"]))


def _added(left: Any, right: Any, sign: int) -> Attributes:
    return {"N": str(int(left["N"]) + sign * int(right["N"]))}
