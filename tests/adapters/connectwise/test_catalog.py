"""The search of the catalog: which questions are asked, and that a capped answer does not hide the exact product."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from tests.adapters.connectwise.connected import EMAIL, connected
from tests.contracts.psa_subjects import Scene, a_product

CATALOG = "/procurement/catalog"


@pytest.mark.parametrize("text", ["MIME-EMAIL-S1", "560", "mime"])
def test_every_question_is_one_comparison_as_in_the_documented_sample(text: str) -> None:
    with connected() as site:
        assert EMAIL.id in {product.id for product in site.psa.search_products(text)}
        asked = [entry.query for entry in site.simulator.requests.entries if entry.path.endswith(CATALOG)]
    conditions = [parse_qs(query)["conditions"][0] for query in asked]
    assert conditions[0] == f'identifier contains "{text}"'
    assert not [one for one in conditions if " or " in one or " and " in one]


def test_the_exact_product_id_is_found_behind_a_capped_page() -> None:
    products = tuple(a_product(number, f"A-MIME-{number}") for number in range(1, 41))
    wanted = a_product(900, "MIME")
    with connected(Scene(products=(*products, wanted))) as site:
        site.simulator.page_cap = 25
        assert site.psa.search_products("MIME")[0].id == wanted.id
