"""What is shown of mappings in a PSA that is not the connected one any more."""

from __future__ import annotations

from typing import Any

from trueup.domain.mapping import FormerTarget


def former_view(target: FormerTarget) -> dict[str, Any]:
    return {
        "psa": target.integration or None,
        "psa_system": target.system,
        "id": target.target_id,
        "name": target.target_name,
        "code": target.code or None,
    }
