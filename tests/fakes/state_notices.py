"""The memory of notices and their channels."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes.state_memory import Store, effect, require_version
from trueup.domain.audit import Audit
from trueup.domain.notices import ChannelName, ChannelSetting, Delivery


class FakeNotices(Store):
    def delivery(self, period: str, key: str, channel: ChannelName) -> Delivery | None:
        return self._memory.deliveries.get((period, key, channel))

    @effect("notices.save")
    def save(self, delivery: Delivery) -> Delivery:
        place = (delivery.period, delivery.key, delivery.channel)
        known = self._memory.deliveries.get(place)
        require_version(f"notice {delivery.key}", delivery.version, known.version if known else 0)
        stored = replace(delivery, version=delivery.version + 1)
        self._memory.deliveries[place] = stored
        return stored

    def of_period(self, period: str) -> tuple[Delivery, ...]:
        with self._memory.lock:
            found = [one for one in self._memory.deliveries.values() if one.period == period]
        return tuple(sorted(found, key=lambda one: (one.first_at, one.key, one.channel), reverse=True))

    def settings(self) -> tuple[ChannelSetting, ...]:
        with self._memory.lock:
            return tuple(self._memory.notice_channels.get(name, ChannelSetting(name)) for name in ChannelName)

    @effect("notices.save_setting")
    def save_setting(self, setting: ChannelSetting, audit: Audit) -> ChannelSetting:
        known = self._memory.notice_channels.get(setting.name)
        require_version(f"notice channel {setting.name}", setting.version, known.version if known else 0)
        stored = replace(setting, version=setting.version + 1)
        self._memory.notice_channels[setting.name] = stored
        self._memory.log(audit)
        return stored
