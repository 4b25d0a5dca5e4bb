"""Kernels: what the C under ``firmware/kernels`` offers, and how an op becomes calls to it."""
