"""HaloPSA: reads clients, recurring invoices with their lines, and items; writes one line by posting all of them."""

from trueup.adapters.halopsa.billing import HaloPsaBilling, open_halopsa

__all__ = ["HaloPsaBilling", "open_halopsa"]
