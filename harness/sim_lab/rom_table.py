"""The ROM table of a core, and the identities of what it lists: how a debugger finds its way.

Source: Arm DDI 0403 (ARMv7-M Architecture Reference Manual), C1.2 on the ROM table and appendix on
CoreSight identification registers; Arm DDI 0553 (ARMv8-M) for SCS_DEVARCH. Part numbers are those
by which pyOCD 0.46 knows the components (``pyocd/coresight/component_ids.py``).
"""

from __future__ import annotations

from harness.board.schema import Core

ROM_TABLE = 0xE00F_F000
DWT, FPB = 0xE000_1000, 0xE000_2000
_SCS = 0xE000_E000
_ID_BEGIN = 0xFB0
_COMPONENT_GENERIC, _COMPONENT_CORESIGHT, _COMPONENT_ROM = 0xE, 0x9, 0x1
_SCS_V8M = 0x4770_2A04


def rom_table(kind: Core) -> dict[int, int]:
    """Return the ROM table and the identity registers of what it lists, by address."""
    scs, dwt, fpb = (0x00C, 0x002, 0x003)
    if kind in (Core.CORTEX_M0, Core.CORTEX_M0PLUS):
        scs, dwt, fpb = (0x008, 0x00A, 0x00B)
    registers = {
        **{
            ROM_TABLE + 4 * index: (base - ROM_TABLE & 0xFFFF_F000) | 3
            for index, base in enumerate((_SCS, DWT, FPB))
        },
        **_identity(ROM_TABLE, 0x4C4, _COMPONENT_ROM),
        **_identity(DWT, dwt, _COMPONENT_GENERIC),
        **_identity(FPB, fpb, _COMPONENT_GENERIC),
    }
    match kind:
        case Core.CORTEX_M33 | Core.CORTEX_M55:
            part = 0xD21 if kind is Core.CORTEX_M33 else 0xD22
            registers |= _identity(_SCS, part, _COMPONENT_CORESIGHT)
            registers[_SCS + 0xFBC] = _SCS_V8M
        case _:
            registers |= _identity(_SCS, scs, _COMPONENT_GENERIC)
    return registers


def _identity(base: int, part: int, component: int) -> dict[int, int]:
    """Return PIDR4 to CIDR3 of a component by Arm (JEP106 continuation 4, code 0x3B)."""
    peripheral = [0x04, 0, 0, 0, part & 0xFF, 0xB0 | part >> 8, 0x0B, 0]
    words = [*peripheral, 0x0D, component << 4, 0x05, 0xB1]
    found = {base + 0xFD0 + 4 * index: word for index, word in enumerate(words)}
    if component == _COMPONENT_CORESIGHT:
        found |= {base + offset: 0 for offset in range(_ID_BEGIN, 0xFD0, 4)}
    return found
