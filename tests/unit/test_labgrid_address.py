"""What names a labgrid coordinator, and what is said where labgrid is not installed."""

from __future__ import annotations

import sys

import pytest

from harness.devices.labgrid_lab import open_labgrid
from harness.errors import DeviceNotFoundError, UsageError
from harness.experiment.labs import is_simulated
from harness.lab.labgrid_address import Address, parse_address


@pytest.mark.parametrize(
    ("lab", "address"),
    [
        ("labgrid://desk:4000", Address("desk", 4000, simulated=False)),
        ("labgrid://desk", Address("desk", 20408, simulated=False)),
        ("labgrid://[::1]:4000?simulated=yes", Address("::1", 4000, simulated=True)),
        ("lab.yaml", None),
        ("sim", None),
    ],
)
def test_an_address_is_a_host_a_port_and_whether_boards_are_real(
    lab: str, address: Address | None
) -> None:
    assert parse_address(lab) == address
    assert is_simulated(lab) is (lab == "sim" or (address is not None and address.simulated))


@pytest.mark.parametrize(
    "lab", ["labgrid://", "labgrid://a:x", "labgrid://a?simulated=1", "labgrid://a?fast"]
)
def test_another_spelling_is_refused(lab: str) -> None:
    with pytest.raises(UsageError, match="is no address of a labgrid coordinator") as error:
        parse_address(lab)
    assert error.value.hint.startswith("as in labgrid://host:20408")


def test_missing_labgrid_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "labgrid.remote.generated", None)
    with (
        pytest.raises(DeviceNotFoundError, match="labgrid is not installed") as error,
        open_labgrid(Address("localhost", 1, simulated=False), board=None),
    ):
        pass
    assert error.value.hint == "pip install 'bench-tinyml[labgrid]'"
