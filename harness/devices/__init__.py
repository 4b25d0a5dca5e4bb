"""Devices: what executes a firmware, each behind the same small protocol."""
