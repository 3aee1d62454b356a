"""The fake in memory as a PSA that keeps quantities by day, as Autotask does, under the contract suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date

from tests.contracts import psa_subject_fake
from tests.contracts.psa_subject_fake import FakeSubject
from tests.contracts.psa_subjects import Feature, Patch, Scene
from trueup.domain.effective import PSA_CAPABILITIES
from trueup.domain.integrations import IntegrationName

TRAITS = replace(
    psa_subject_fake.TRAITS,
    name="fake_by_day",
    capabilities=PSA_CAPABILITIES[IntegrationName.AUTOTASK],
    features=psa_subject_fake.TRAITS.features - {Feature.FRACTIONS},
    effective=date(2026, 10, 1),
)


@contextmanager
def fake_by_day_subject(scene: Scene, _patch: Patch) -> Iterator[FakeSubject]:
    """The fake holding the scene, every change of which names a day."""
    yield FakeSubject(scene, TRAITS)
