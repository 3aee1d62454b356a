"""Every error a person sees has a stable code of its own and says what to do; the drawn tree is the real one."""

from __future__ import annotations

import re

import pytest

from trueup.domain import errors
from trueup.domain.errors import Action, Blame, InputInvalid, PermissionMissing, RateLimited, TrueupError, VendorTrouble


def _all(kind: type[TrueupError] = TrueupError) -> list[type[TrueupError]]:
    """The kind and all below it that the domain defines, in the order of the file."""
    found = [kind]
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            found += _all(below)
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_the_code() -> None:
    drawn: list[tuple[int, str]] = []
    for text in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ([ │├└─]*)([A-Z]\w+)", text)
        if found:
            drawn.append((len(found[1]) // 4, found[2]))
    real = [(len(kind.__mro__) - len(TrueupError.__mro__), kind.__name__) for kind in _all()]
    assert drawn == real


@pytest.mark.parametrize("kind", _all(), ids=lambda kind: kind.__name__)
def test_each_error_says_what_to_do_and_whose_doing_it_is(kind: type[TrueupError]) -> None:
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert len(kind.default_remedy.split()) >= 3
    assert kind.default_remedy.endswith(".")
    assert isinstance(kind.action, Action)
    assert isinstance(kind.blame, Blame)


def test_no_two_errors_share_a_code() -> None:
    codes = [kind.code for kind in _all()]
    assert len(set(codes)) == len(codes)


def test_details_name_the_facts_and_leave_out_what_is_not_known() -> None:
    assert InputInvalid("no", field="seats").details() == {"field": "seats"}
    trouble = VendorTrouble("no", integration="mimecast", status=500, request_id="r-1")
    assert trouble.details() == {"integration": "mimecast", "status": "500", "vendor_request_id": "r-1"}
    waiting = RateLimited("wait", integration="mimecast", wait_seconds=12.34)
    assert waiting.details() == {"integration": "mimecast", "status": "429", "wait_seconds": "12.3"}
    missing = PermissionMissing("no", integration="connectwise", permission="Finance > Agreements: Edit")
    assert missing.details()["permission"] == "Finance > Agreements: Edit"


def test_a_remedy_of_its_own_takes_the_place_of_the_kinds() -> None:
    assert InputInvalid("no", field="x", remedy="Give a number.").remedy == "Give a number."
    assert InputInvalid("no", field="x").remedy == InputInvalid.default_remedy
    assert str(InputInvalid("no", field="x")) == "no"
