"""Sources to firmware: the compilers, the linker script, the footprint."""
