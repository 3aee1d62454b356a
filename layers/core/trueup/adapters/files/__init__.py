"""Exported files in place of an API, on either side."""
