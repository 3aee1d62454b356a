"""Mimecast: reads the partner's customer accounts, what is agreed for each, and how many seats. It never writes."""

from trueup.adapters.mimecast.adapter import MimecastBilling, open_mimecast, parse_mimecast_address

__all__ = ["MimecastBilling", "open_mimecast", "parse_mimecast_address"]
