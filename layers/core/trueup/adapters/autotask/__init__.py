"""Autotask PSA: reads companies, recurring contracts, their services and units; adjusts the units of one service."""

from trueup.adapters.autotask.billing import AutotaskBilling, open_autotask

__all__ = ["AutotaskBilling", "open_autotask"]
