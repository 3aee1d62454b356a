"""The outside world, one folder per vendor or service; no folder knows its neighbors."""
