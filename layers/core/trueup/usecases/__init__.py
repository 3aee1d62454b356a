"""One file per capability: functions that take ports by keyword and hold the order of the work."""
