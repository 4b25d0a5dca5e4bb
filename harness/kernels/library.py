"""What the firmware offers: for each op its call, its scratch, and what it may overwrite."""

from __future__ import annotations

from harness.kernels.inplace import inplace_operands, is_alias, scratch_bytes

__all__ = ["inplace_operands", "is_alias", "scratch_bytes"]
