"""Which products are plans and which are add-ons, from ``GET /partner/v1/msp/products`` where it answers.

The list only sorts services; without it (403, 404) the name decides. It must not influence any count.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from trueup.adapters.mimecast.calls import MimecastCalls, PermissionRefused, ResourceUnknown
from trueup.adapters.mimecast.field_mapping import FieldMapping, Words
from trueup.adapters.mimecast.paging import RecordPage, read_record_page, walk
from trueup.adapters.mimecast.permissions import PARTNER
from trueup.adapters.mimecast.reading import RecordReader
from trueup.domain.accounts import Service, ServiceId, ServiceKind

logger = logging.getLogger(__name__)

WHOLE_ACCOUNT: Final = Service(ServiceId("account"), "Users of the account", ServiceKind.ACCOUNT)
"""What is counted where no product is named: one number for the whole account."""


class ProductKinds:
    """Reads the product list once."""

    def __init__(self, calls: MimecastCalls, mapping: FieldMapping, page_size: int, pages_maximum: int) -> None:
        self._calls = calls
        self._mapping = mapping
        self._page_size = page_size
        self._pages_maximum = pages_maximum
        self._kinds: Mapping[str, ServiceKind] | None = None

    def read(self) -> Mapping[str, ServiceKind]:
        """Kind by product id, without the products whose type is no known word. Empty when the list is not readable."""
        if self._kinds is None:
            self._kinds = self._read()
        return self._kinds

    def _read(self) -> Mapping[str, ServiceKind]:
        fields, words = self._mapping.products, self._mapping.words
        reader = RecordReader("products", self._mapping.version)
        try:
            found = walk(
                self._page,
                lambda record: reader.required_identifier(record, fields.id),
                what="product",
                pages_maximum=self._pages_maximum,
            )
        except (PermissionRefused, ResourceUnknown) as error:
            logger.warning("Mimecast products cannot be read (%s); the name tells plan from add-on", error.code)
            return {}
        kinds = {}
        for product_id, versions in found.items():
            kind = kind_by_type(reader.text(versions[0], fields.type, required=False), words)
            if kind is not None:
                kinds[product_id] = kind
        return kinds

    def _page(self, token: str | None) -> RecordPage:
        fields = self._mapping.products
        return read_record_page(
            self._calls,
            fields.path,
            fields.list,
            self._mapping.paging,
            what="products",
            token=token,
            page_size=self._page_size,
            permission=PARTNER,
            mapping_version=self._mapping.version,
        )


def kind_by_type(word: str, words: Words) -> ServiceKind | None:
    """Plan or add-on from the type word of the list; None for a word that is not known."""
    folded = word.strip().casefold()
    if folded in words.product_addon:
        return ServiceKind.ADDON
    return ServiceKind.PLAN if folded in words.product_plan else None


def kind_by_name(name: str, words: Words) -> ServiceKind:
    """Add-on when the product's name says so, else plan: a plan is what is looked at first."""
    folded = name.casefold()
    return ServiceKind.ADDON if any(word in folded for word in words.addon_in_name) else ServiceKind.PLAN
