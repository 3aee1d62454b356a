"""Syncro: reads customers, recurring invoices with their lines and products; writes one line's quantity."""

from trueup.adapters.syncro.billing import SyncroBilling, open_syncro

__all__ = ["SyncroBilling", "open_syncro"]
