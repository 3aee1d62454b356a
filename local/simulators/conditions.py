"""The `conditions=` language of ConnectWise: parse a text once, then ask it about records.

Documented: = != < <= > >= contains like in not, and/or, strings in double quotes, numbers, True/False, datetimes in
brackets, references with a slash (`company/id=250`). Guessed: text compares without case, and a field the record does
not have is an error rather than a silent "no".
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

type Predicate = Callable[[Mapping[str, Any]], bool]
type Value = str | float | bool | None | datetime

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*") | \[(?P<moment>[^\]]+)\] | (?P<number>-?\d+(?:\.\d+)?)(?![\w/])
        | (?P<sign><=|>=|!=|=|<|>|\(|\)|,) | (?P<word>[A-Za-z_][\w/]*)
    )""",
    re.VERBOSE,
)
MAX_CONDITION_CHARACTERS = 8_000


class ConditionError(ValueError):
    """The text is not a condition, or it names a field the record does not have."""


def parse_conditions(text: str) -> Predicate:
    """The predicate a condition text stands for; an empty text holds for everything. ConditionError for a bad one."""
    if len(text) > MAX_CONDITION_CHARACTERS:
        raise ConditionError("the condition is too long")
    if not text.strip():
        return lambda record: True
    return _Parser(text).parse()


def field_of(record: Mapping[str, Any], path: str) -> Any:
    """The value at `company/id`; None below a null reference. ConditionError when the field does not exist."""
    value: Any = record
    for name in path.split("/"):
        if value is None:
            return None
        if not isinstance(value, Mapping) or name not in value:
            raise ConditionError(f"the field {path} cannot be searched")
        value = value[name]
    return value


class _Parser:
    """Recursive descent over the tokens: or, and, not, parentheses, comparison."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._at = 0
        self._depth = 0

    @staticmethod
    def _split(text: str) -> list[tuple[str, str]]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise ConditionError(f"cannot read the condition at {text[position : position + 20]!r}")
            tokens.append((match.lastgroup, match.group(match.lastgroup)))
            position = match.end()
        return tokens

    def parse(self) -> Predicate:
        predicate = self._either()
        if self._at != len(self._tokens):
            raise ConditionError(f"unexpected {self._tokens[self._at][1]!r} in the condition")
        return predicate

    def _peek_word(self) -> str:
        if self._at < len(self._tokens):
            kind, text = self._tokens[self._at]
            return text.lower() if kind in ("word", "sign") else ""
        return ""

    def _take(self, *wanted: str) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise ConditionError("the condition ends too early")
        kind, text = self._tokens[self._at]
        if wanted and text.lower() not in wanted:
            raise ConditionError(f"expected {' or '.join(wanted)}, found {text!r}")
        self._at += 1
        return kind, text

    def _either(self) -> Predicate:
        parts = [self._all()]
        while self._peek_word() == "or":
            self._take()
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda record: any(part(record) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._peek_word() == "and":
            self._take()
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda record: all(part(record) for part in parts)

    def _one(self) -> Predicate:
        if self._peek_word() == "not":
            self._take()
            inner = self._one()
            return lambda record: not inner(record)
        if self._peek_word() == "(":
            self._depth += 1
            if self._depth > 50:
                raise ConditionError("the condition is nested too deeply")
            self._take()
            inside = self._either()
            self._take(")")
            self._depth -= 1
            return inside
        return self._comparison()

    def _comparison(self) -> Predicate:
        kind, path = self._take()
        if kind != "word":
            raise ConditionError(f"expected a field name, found {path!r}")
        negate = self._peek_word() == "not"
        if negate:
            self._take()
        _, operator = self._take("=", "!=", "<", "<=", ">", ">=", "contains", "like", "in")
        operator = operator.lower()
        if operator == "in":
            values = self._list()
            predicate: Predicate = lambda record: any(_equal(field_of(record, path), one) for one in values)  # noqa: E731
        else:
            value = self._value()
            compare = _OPERATORS[operator]
            predicate = lambda record: compare(field_of(record, path), value)  # noqa: E731
        return (lambda record: not predicate(record)) if negate else predicate

    def _list(self) -> list[Value]:
        self._take("(")
        values = [self._value()]
        while self._peek_word() == ",":
            self._take()
            values.append(self._value())
        self._take(")")
        return values

    def _value(self) -> Value:
        kind, text = self._take()
        match kind, text.lower():
            case "text", _:
                return re.sub(r"\\(.)", r"\1", text[1:-1])
            case "number", _:
                return float(text)
            case "moment", _:
                return _moment(text)
            case "word", "true" | "false":
                return text.lower() == "true"
            case "word", "null":
                return None
        raise ConditionError(f"expected a value, found {text!r}")


def _moment(text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConditionError(f"{text!r} is not a date") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _alike(field: Any, value: Value) -> tuple[Any, Any]:
    """Both sides in one type, so that they can be compared; text folds case."""
    if isinstance(value, datetime) and isinstance(field, str):
        return _moment(field), value
    if isinstance(field, str) and isinstance(value, str):
        return field.casefold(), value.casefold()
    if isinstance(field, bool) != isinstance(value, bool):
        raise ConditionError("a boolean field compares with True or False only")
    return field, value


def _equal(field: Any, value: Value) -> bool:
    if field is None or value is None:
        return field is None and value is None
    left, right = _alike(field, value)
    return bool(left == right)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Value], bool]:
    def holds(field: Any, value: Value) -> bool:
        if field is None or value is None:
            return False
        left, right = _alike(field, value)
        try:
            return compare(left, right)
        except TypeError:
            raise ConditionError(f"cannot compare {field!r} with {value!r}") from None

    return holds


def _contains(field: Any, value: Value) -> bool:
    return isinstance(field, str) and isinstance(value, str) and value.casefold() in field.casefold()


def _like(field: Any, value: Value) -> bool:
    if not isinstance(field, str) or not isinstance(value, str):
        return False
    # Documentation shows `*` as the wildcard, field code uses `%`; both work, and nothing else is special.
    pattern = value.casefold().replace("[", "[[]").replace("?", "[?]").replace("%", "*")
    return fnmatchcase(field.casefold(), pattern)


_OPERATORS: Mapping[str, Callable[[Any, Value], bool]] = {
    "=": _equal,
    "!=": lambda field, value: not _equal(field, value),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "contains": _contains,
    "like": _like,
}
