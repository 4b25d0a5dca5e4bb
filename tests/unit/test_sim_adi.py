"""Debug and access port of a simulated chip: registers, sticky errors, memory through DRW."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sim_lab.adi import AHB_AP_IDR, DPIDR, AccessPort, BusError, DebugPort
from harness.sim_lab.adi import FaultResponseError as Fault

CTRL_STAT, SELECT, RDBUFF, ABORT = 0x4, 0x8, 0xC, 0x0
CSW, TAR, DRW = 0x0, 0x4, 0xC
WORDS, HALFWORDS, BYTES = 0x12, 0x11, 0x10
POWER = 0x5000_0000
STICKY_ERROR = 1 << 5
SIZE = 0x3000


class Memory:
    """A few kilobytes from 0 on."""

    def __init__(self) -> None:
        self.content = bytearray(SIZE)

    def read(self, address: int, size: int) -> bytes:
        if address + size > SIZE:
            raise BusError("nothing there")
        return bytes(self.content[address : address + size])

    def write(self, address: int, data: bytes) -> None:
        if address + len(data) > SIZE:
            raise BusError("nothing there")
        self.content[address : address + len(data)] = data


def port_over(memory: Memory, *, is_enabled: bool = True, power: int = POWER) -> DebugPort:
    port = DebugPort({0: AccessPort(memory, is_enabled=is_enabled)})
    port.write(CTRL_STAT, power)
    return port


def at(port: DebugPort, address: int, csw: int = WORDS) -> DebugPort:
    port.write_access_port(CSW, [csw])
    port.write_access_port(TAR, [address])
    return port


def test_power_is_acknowledged_as_it_is_asked_for() -> None:
    port = port_over(Memory(), power=0x1000_0000)
    assert port.read(CTRL_STAT) == 0x3000_0000
    port.write(CTRL_STAT, POWER)
    assert port.read(CTRL_STAT) == 0xF000_0000
    assert port.read(0x0) == DPIDR


def test_without_power_an_access_faults() -> None:
    with pytest.raises(Fault, match="no power"):
        port_over(Memory(), power=0).read_access_port(CSW)


def test_an_error_stands_until_abort_clears_it() -> None:
    port = at(port_over(Memory()), SIZE)
    with pytest.raises(Fault, match="nothing there"):
        port.read_access_port(DRW)
    assert port.read(CTRL_STAT) & STICKY_ERROR
    assert port.read(0x0) == DPIDR
    for access in (
        lambda: port.read_access_port(CSW),
        lambda: port.write_access_port(TAR, [0]),
        lambda: port.read(RDBUFF),
        lambda: port.write(SELECT, 0),
    ):
        with pytest.raises(Fault, match="not cleared"):
            access()
    port.write(ABORT, 1 << 2)
    assert not port.read(CTRL_STAT) & STICKY_ERROR
    assert at(port, 0).read_access_port(DRW) == [0]


def test_select_chooses_bank_and_port() -> None:
    port = port_over(Memory())
    port.write(SELECT, 0xF0)
    assert port.read_access_port(0xC) == [AHB_AP_IDR]
    port.write(SELECT, 0x0100_00F0)
    assert port.read_access_port(0xC) == [0], "there is one access port"


def test_a_locked_chip_says_so_and_faults() -> None:
    port = port_over(Memory(), is_enabled=False)
    assert not port.read_access_port(CSW)[0] & 1 << 6
    with pytest.raises(Fault, match="disabled"):
        port.read_access_port(DRW)


def test_an_unsupported_size_reads_back_as_one_that_is() -> None:
    port = at(port_over(Memory()), 0, csw=0x15)
    assert port.read_access_port(CSW)[0] & 7 == 2


def test_misaligned_words_fault() -> None:
    with pytest.raises(Fault, match="not aligned"):
        at(port_over(Memory()), 2).read_access_port(DRW)


def test_bytes_and_halfwords_travel_in_their_lanes() -> None:
    memory = Memory()
    port = at(port_over(memory), 0x101, csw=BYTES)
    port.write_access_port(DRW, [0x0000_AB00, 0x00CD_0000])
    assert memory.content[0x100:0x104] == b"\0\xab\xcd\0"
    assert at(port, 0x102, csw=HALFWORDS).read_access_port(DRW) == [0x00CD_0000]


def test_the_address_wraps_at_4_kilobytes() -> None:
    memory = Memory()
    at(port_over(memory), 0x1FF8).write_access_port(DRW, [1, 2, 3])
    assert memory.content[0x1FF8:0x2000] == bytes((1, 0, 0, 0, 2, 0, 0, 0))
    assert memory.content[0x1000] == 3
    assert not any(memory.content[0x2000:])


@given(
    st.lists(
        st.tuples(
            st.integers(0, SIZE // 4 - 1), st.lists(st.integers(0, 0xFFFF_FFFF), max_size=40)
        ),
        max_size=10,
    )
)
def test_what_is_written_word_by_word_is_read_back(writes: list[tuple[int, list[int]]]) -> None:
    """The oracle is a dictionary of words, with the wrap written out again."""
    port, expected = port_over(Memory()), dict[int, int]()
    for word, values in writes:
        at(port, 4 * word).write_access_port(DRW, values)
        for step, value in enumerate(values):
            expected[word // 1024 * 1024 + (word + step) % 1024] = value
    for word, value in expected.items():
        assert at(port, 4 * word).read_access_port(DRW) == [value]
