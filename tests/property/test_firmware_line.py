"""The firmware's end of the line, built natively with sanitizers, takes whatever arrives."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.devices.host import HostDevice
from harness.telemetry.console import Console
from harness.telemetry.frames import Frame, encode
from harness.telemetry.messages import ROW
from harness.telemetry.session import Session
from harness.toolchain.firmware import Firmware
from harness.toolchain.gcc import build
from tests.tiny_model import INPUT, OUTPUT, fetching_sources, host_target, tiny_sources

pytestmark = pytest.mark.host_c

MOST_INFERENCES = 200
"""In drawn RUN requests: a larger number is a long run, not a fault."""

words = st.integers(0, 2**32 - 1) | st.integers(0, MOST_INFERENCES)


def payload(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(4, "little") for number in numbers)


requests = st.one_of(
    st.builds(
        Frame, st.integers(0, 255).filter(lambda t: t != 3), st.integers(0, 255), st.binary()
    ),
    st.builds(
        lambda seq, warmup, repeat: Frame(3, seq, payload(warmup, repeat)),
        st.integers(0, 255),
        st.integers(0, MOST_INFERENCES),
        words,
    ),
    st.builds(
        lambda kind, seq, offset, rest: Frame(kind, seq, payload(offset) + rest),
        st.sampled_from([2, 4, 6, 7, 8, 9, ROW]),
        st.integers(0, 255),
        words,
        st.binary(max_size=1100) | words.map(payload),
    ),
)


@pytest.fixture(scope="module", params=[tiny_sources, fetching_sources])
def firmware(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Firmware:
    """A model whose input is uploaded, and one that fetches it row by row."""
    folder = tmp_path_factory.mktemp("firmware")
    return build(request.param(), host_target(), out_dir=folder, sanitize=True)


@pytest.fixture(scope="module")
def console(firmware: Firmware) -> Iterator[Console]:
    """One process for all examples: what an earlier one broke, a later one finds."""
    with HostDevice().open(firmware) as console:
        yield console


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(requests.map(encode) | st.binary(max_size=3000), max_size=8))
def test_the_firmware_works_on_after_anything(
    console: Console, firmware: Firmware, traffic: list[bytes]
) -> None:
    for data in traffic:
        console.write(data)
    session = Session(console)
    hello = session.hello(build_id=firmware.build_id, model_sha256=firmware.model_sha256)
    if hello.fetched_bytes:
        session.serve(INPUT, grain=Fraction(1))
    else:
        session.load([INPUT])
    assert len(session.run(warmup=0, repeat=2).ticks) == 2
    assert session.outputs([64]) == [OUTPUT]
