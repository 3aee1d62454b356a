"""The field mapping file, the five error shapes, packages, and the combination of sources, without a server."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trueup.adapters.mimecast as mimecast
from tests.fakes.clock import DEFAULT_START
from trueup.adapters.mimecast.fault_bodies import body_status, faults_in
from trueup.adapters.mimecast.field_mapping import parse_mapping, shipped_mapping
from trueup.adapters.mimecast.packages import Package, parse_packages
from trueup.adapters.mimecast.products import kind_by_name, kind_by_type
from trueup.adapters.mimecast.reading import find_list, read_seats, shape
from trueup.adapters.mimecast.source_counts import SourceCount, combined
from trueup.domain.accounts import ServiceKind
from trueup.domain.counts import Basis, Evidence, Failed, Known, Missing
from trueup.domain.errors import ConfigurationInvalid, SchemaUnknown

MAPPING = shipped_mapping()
MAPPING_TEXT = (Path(str(mimecast.__file__)).parent / "field_mapping.json").read_text(encoding="utf-8")


def test_the_shipped_mapping_holds_the_candidates_that_are_known_of() -> None:
    assert {"customers", "data", "items", "value", "results"} <= set(MAPPING.customers.list)
    assert {"accountCode", "customerAccountCode", "customer_account_code", "code", "account.code"} <= set(
        MAPPING.customers.account_code
    )
    assert {"seats", "quantity", "numberOfUsers", "userCount", "permittedUsers", "licensedUsers"} <= set(
        MAPPING.customers.seats
    )


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"version"', '"edition"', "version"),
        ('"seats": [', '"places": [', "customers"),
        ('"userCount", "permittedUsers", "licensedUsers"]\n  },\n  "contracts"', '7]\n  },\n  "contracts"', "seats"),
        ('"path": "/partner/v1/customers"', '"path": ["x"]', "customers.path"),
        ('"size_parameter"', '"extra": "x", "size_parameter"', "paging"),
        ("{", "[", "JSON"),
    ],
)
def test_a_mapping_file_with_a_mistake_is_refused_whole(old: str, new: str, named: str) -> None:
    assert old in MAPPING_TEXT
    with pytest.raises(ConfigurationInvalid, match=named):
        parse_mapping(MAPPING_TEXT.replace(old, new, 1))


def test_a_real_sample_can_be_learned_without_code() -> None:
    document = json.loads(MAPPING_TEXT)
    document["customers"]["seats"] = ["entitlement.total"]
    taught = parse_mapping(json.dumps(document))
    found = read_seats(
        {"entitlement": {"total": 12}}, taught.customers.seats, basis=Basis.CONTRACT, source="s", reference="r"
    )
    assert found.seats == 12
    assert found.evidence[0].key == "entitlement.total"


@pytest.mark.parametrize(
    "document",
    [
        {"customers": [1]},
        {"data": [1]},
        {"data": {"customers": [1]}},
        {"items": [1], "customers": None},
        {"value": [1]},
        {"results": [1]},
        [1],
    ],
)
def test_the_list_is_found_in_every_known_envelope(document: object) -> None:
    assert find_list(document, MAPPING.customers.list, what="customers", mapping_version="t") == [1]


@pytest.mark.parametrize(
    ("document", "codes"),
    [
        ({"fail": [{"key": {}, "errors": [{"code": "a"}, {"code": "b"}]}]}, ["a", "b"]),
        ({"fail": [{"code": "token_expired", "message": "secret"}]}, ["token_expired"]),
        ({"errors": [{"code": "validation_error", "field": "x"}]}, ["validation_error"]),
        ({"error": "invalid_client", "error_description": "x"}, ["invalid_client"]),
        ({"error": {"code": 42}}, ["42"]),
        ({"fault": {"faultstring": "x", "detail": {"errorcode": "oauth.v2"}}}, ["oauth.v2"]),
        ({"fault": {"faultstring": "x"}}, ["unnamed"]),
        ({"fail": [{}]}, ["unnamed"]),
        ({"fail": "something"}, ["something"]),
        ({"fail": {"code": "lone"}}, ["lone"]),
        ({"fail": [{"errors": []}]}, ["unnamed"]),
        ({"fail": [], "errors": None, "error": "", "data": []}, []),
        ([{"code": "x"}], []),
        (None, []),
    ],
)
def test_one_parser_reads_all_five_error_shapes(document: object, codes: list[str]) -> None:
    assert [fault.code for fault in faults_in(document)] == codes


def test_a_code_is_cut_and_made_printable() -> None:
    [fault] = faults_in({"fail": [{"code": "x\r\ny\x1b[31m" + "z" * 500}]})
    assert fault.code.isprintable()
    assert len(fault.code) == 60


def test_what_the_vendor_says_of_repeating_is_kept() -> None:
    [fault] = faults_in({"fail": [{"errors": [{"code": "busy", "retryable": True}]}]})
    assert fault.passes
    [fault] = faults_in({"fail": [{"errors": [{"code": "no", "retryable": False}]}]})
    assert not fault.passes


@pytest.mark.parametrize(
    ("document", "status"), [({"meta": {"status": 500}}, 500), ({"meta": {"status": True}}, None), ({"meta": 1}, None)]
)
def test_the_status_of_an_envelope(document: object, status: int | None) -> None:
    assert body_status(document) == status


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["fail", "errors", "error", "fault", "detail", "code", "meta"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_body_breaks_the_error_parser(document: object) -> None:
    assert all(fault.code for fault in faults_in(document))
    assert isinstance(shape(document), str)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Secure Email Gateway (Site) [1039]", Package("1039", "Secure Email Gateway", "Site")),
        ("Mimecast Platform [1033]", Package("1033", "Mimecast Platform")),
        ("Message Recovery Service - User [1058]", Package("1058", "Message Recovery Service - User")),
        ("BYO: Threat Intelligence [1089]", Package("1089", "BYO: Threat Intelligence")),
        ("Stationery 1.0 (Site)", Package("stationery-1-0-site", "Stationery 1.0", "Site")),
        ("  Plain   Name ", Package("plain-name", "Plain   Name")),
        ({"id": "7", "name": "Objects (Pro)"}, Package("7", "Objects", "Pro")),
        ({"id": 7, "name": "Objects"}, Package("7", "Objects")),
        ({"code": "by-code"}, Package("by-code", "by-code")),
    ],
)
def test_a_package_is_read_from_text_and_object(value: object, expected: Package) -> None:
    assert parse_packages([value]) == {expected}


def test_packages_are_a_set_whatever_their_order() -> None:
    texts = ["Mimecast Platform [1033]", "URL Protection (Site) [1043]", "Mimecast Platform [1033]"]
    assert parse_packages(texts) == parse_packages(texts[::-1])
    assert len(parse_packages(texts)) == 2
    assert parse_packages(None) == parse_packages([]) == parse_packages([""]) == frozenset()


@pytest.mark.parametrize("value", ["one", 7, {}, [7], [None], [{"id": "7"}]])
def test_packages_of_another_shape_are_an_error(value: object) -> None:
    with pytest.raises(SchemaUnknown):
        parse_packages(value)


@given(st.text(max_size=400))
def test_any_package_text_is_read_without_trouble(text: str) -> None:
    assert all(package.key and package.name for package in parse_packages([text]))


def test_plan_and_add_on_are_told_by_type_then_by_name() -> None:
    words = MAPPING.words
    assert kind_by_type("Primary", words) is ServiceKind.PLAN
    assert kind_by_type("AddOn", words) is ServiceKind.ADDON
    assert kind_by_type("thing", words) is None
    assert kind_by_name("Awareness Training Add-On", words) is ServiceKind.ADDON
    assert kind_by_name("Adoption Services", words) is ServiceKind.PLAN


def source(basis: Basis, *seats: int, problem: str | None = None) -> SourceCount:
    return SourceCount(basis, tuple(Evidence("s", f"k{index}", "r", one) for index, one in enumerate(seats)), problem)


def test_the_most_trusted_source_that_speaks_decides() -> None:
    sources = [source(Basis.CONTRACT), source(Basis.PARTNER_CUSTOMER, 5), source(Basis.MANUAL_FILE, 5)]
    count = combined(sources, as_of=DEFAULT_START, silence="nobody")
    assert isinstance(count, Known)
    assert (count.seats, count.basis, count.as_of, count.conflict) == (5, Basis.PARTNER_CUSTOMER, DEFAULT_START, None)
    assert combined([source(Basis.CONTRACT)], as_of=DEFAULT_START, silence="nobody") == Missing("nobody")


def test_what_cannot_be_used_is_not_covered_up_and_casts_doubt_on_the_rest() -> None:
    bad, good = source(Basis.CONTRACT, problem="it is -1"), source(Basis.PARTNER_CUSTOMER, 5)
    assert combined([bad, good], as_of=DEFAULT_START, silence="") == Failed("it is -1")
    bad, good = source(Basis.PARTNER_CUSTOMER, problem="it is -1"), source(Basis.CONTRACT, 5)
    count = combined([good, bad], as_of=DEFAULT_START, silence="")
    assert isinstance(count, Known)
    assert count.conflict is not None
    assert "it is -1" in count.conflict


def test_two_fields_of_one_record_that_disagree_are_told() -> None:
    found = read_seats(
        {"seats": 5, "userCount": 9, "quantity": None},
        MAPPING.customers.seats,
        basis=Basis.PARTNER_CUSTOMER,
        source="s",
        reference="r",
    )
    count = combined([found], as_of=DEFAULT_START, silence="")
    assert isinstance(count, Known)
    assert count.seats == 5
    assert count.conflict == "the partner's customer list says 5, but its field userCount says 9"
