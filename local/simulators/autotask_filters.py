"""The query language of Autotask: turn a `filter` once into a predicate, then ask it about records.

Documented: operators, `and`/`or` groups with `items`, at most 500 conditions. Guessed: text compares without case, and
a field that the record does not have is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

type Predicate = Callable[[Mapping[str, Any]], bool]

MAX_CONDITIONS = 500
_MAX_DEPTH = 20
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda have, want: have == want,
    "noteq": lambda have, want: have != want,
    "gt": lambda have, want: have > want,
    "gte": lambda have, want: have >= want,
    "lt": lambda have, want: have < want,
    "lte": lambda have, want: have <= want,
    "contains": lambda have, want: str(want) in str(have),
    "beginswith": lambda have, want: str(have).startswith(str(want)),
    "endswith": lambda have, want: str(have).endswith(str(want)),
}
_ORDERING = {"gt", "gte", "lt", "lte"}


class FilterError(ValueError):
    """The filter is none, or names a field the record does not have; the text is what the vendor would say."""


def parse_filter(value: Any) -> Predicate:
    """The predicate of a `filter` list, whose parts must all hold. FilterError for anything else."""
    if not isinstance(value, list) or not value:
        raise FilterError("The filter is required and must be a list of conditions.")
    count = [0]
    parts = [_parse(one, count, 0) for one in value]
    return lambda record: all(part(record) for part in parts)


def fixed_ids(value: Any, field: str) -> set[int] | None:
    """The numbers that a field must have by the outermost conditions; None when these say nothing of it."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and one.get("field") == field and one.get("op") in ("eq", "in"):
            wanted = one.get("value") if one["op"] == "in" else [one.get("value")]
            if isinstance(wanted, list):
                return {number for number in wanted if isinstance(number, int)}
    return None


def lowest_id(value: Any) -> int:
    """Above which id the outermost conditions want records to be; 0 when these say nothing of it."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict) and one.get("field") == "id" and one.get("op") == "gt":
            return one["value"] if isinstance(one.get("value"), int) else 0
    return 0


def _parse(one: Any, count: list[int], depth: int) -> Predicate:
    if not isinstance(one, dict) or depth > _MAX_DEPTH:
        raise FilterError("A condition must be an object, and groups must not be nested that deep.")
    operator = str(one.get("op", "")).casefold()
    if operator in ("and", "or"):
        items = one.get("items")
        if not isinstance(items, list) or not items:
            raise FilterError(f"The group {operator} needs items.")
        parts = [_parse(item, count, depth + 1) for item in items]
        if operator == "and":
            return lambda record: all(part(record) for part in parts)
        return lambda record: any(part(record) for part in parts)
    field = one.get("field")
    if not isinstance(field, str) or not field:
        raise FilterError("A condition needs a field.")
    count[0] += len(one["value"]) if isinstance(one.get("value"), list) else 1
    if count[0] > MAX_CONDITIONS:
        raise FilterError(f"A query may hold at most {MAX_CONDITIONS} conditions.")
    return _condition(operator, field, one.get("value"))


def _condition(operator: str, field: str, value: Any) -> Predicate:
    if operator in ("exist", "notexist"):
        return lambda record: (_value(record, field) is not None) == (operator == "exist")
    if operator in ("in", "notin"):
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise FilterError(f"The operator {operator} needs a list.")
        wanted = {_folded(one) for one in value}
        return lambda record: (_folded(_value(record, field)) in wanted) == (operator == "in")
    compare = _COMPARE.get(operator)
    if compare is None:
        raise FilterError(f"The operator {operator!r} is not known.")
    want = _folded(value)

    def holds(record: Mapping[str, Any]) -> bool:
        have = _folded(_value(record, field))
        if have is None and operator not in ("eq", "noteq"):
            return False
        if operator in _ORDERING and (isinstance(have, str) != isinstance(want, str) or want is None):
            raise FilterError(f"The value of {field} cannot be compared.")
        return compare(have, want)

    return holds


def _value(record: Mapping[str, Any], field: str) -> Any:
    if field in record:
        return record[field]
    name = next((key for key in record if key.casefold() == field.casefold()), None)
    if name is None:
        raise FilterError(f"Unable to find {field} in the entity.")
    return record[name]


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
