"""What was told on which channel, and how the channels are set: one item each.

Must not: hold a webhook's address; it is in the vault.
"""

from __future__ import annotations

from dataclasses import replace

from trueup.adapters.dynamodb.conditions import CONTENT, VERSION, Put, at, version_is
from trueup.adapters.dynamodb.history import Chain
from trueup.adapters.dynamodb.records import DELIVERY, NOTICE_CHANNEL
from trueup.adapters.dynamodb.table import DynamoDbTable
from trueup.domain.audit import Audit
from trueup.domain.notices import ChannelName, ChannelSetting, Delivery


class DynamoDbNotices:
    """The Notices port. Deliveries of one period lie together, so that they are listed with one query."""

    def __init__(self, table: DynamoDbTable) -> None:
        self._table = table
        self._chain = Chain(table)

    def delivery(self, period: str, key: str, channel: ChannelName) -> Delivery | None:
        item = self._table.get(self._table.keys.notice(period, channel, key))
        return None if item is None else DELIVERY.unpack(item[CONTENT])

    def save(self, delivery: Delivery) -> Delivery:
        stored = replace(delivery, version=delivery.version + 1)
        key = self._table.keys.notice(delivery.period, delivery.channel, delivery.key)
        item = at(key, {CONTENT: DELIVERY.pack(stored), VERSION: stored.version})
        self._table.write([Put(item, version_is(delivery.version))])
        return stored

    def of_period(self, period: str) -> tuple[Delivery, ...]:
        items = self._table.query_all(self._table.keys.notices(period))
        found = [DELIVERY.unpack(item[CONTENT]) for item in items]
        return tuple(sorted(found, key=lambda one: (one.first_at, one.key, one.channel), reverse=True))

    def settings(self) -> tuple[ChannelSetting, ...]:
        found = self._table.get_many([self._table.keys.notice_channel(name) for name in ChannelName])
        stored = {one.name: one for one in (NOTICE_CHANNEL.unpack(item[CONTENT]) for item in found.values())}
        return tuple(stored.get(name, ChannelSetting(name)) for name in ChannelName)

    def save_setting(self, setting: ChannelSetting, audit: Audit) -> ChannelSetting:
        stored = replace(setting, version=setting.version + 1)
        key = self._table.keys.notice_channel(setting.name)
        item = at(key, {CONTENT: NOTICE_CHANNEL.pack(stored), VERSION: stored.version})
        self._chain.write([Put(item, version_is(setting.version))], [audit])
        return stored
