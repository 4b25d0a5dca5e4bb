"""Boards: facts from ``boards/*.yaml``, and the targets that firmware is linked for."""
