"""What YAML may not do here, whichever schema it is for."""

from __future__ import annotations

import pytest

from harness.errors import FactsError
from harness.facts import MAX_FILE_BYTES, Facts, read_facts


class Part(Facts):
    size: int


class Thing(Facts):
    name: str
    ratio: float = 1.0
    parts: tuple[Part, ...] = ()


BOMB = b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"


def test_values_arrive() -> None:
    thing = read_facts(b"name: n\nratio: 2\nparts: [{size: 0x10}]\n", Thing, where="t.yaml")
    assert thing == Thing(name="n", ratio=2.0, parts=(Part(size=16),))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "t.yaml:1: must be a mapping"),
        (b"- 1\n", "t.yaml:1: must be a mapping"),
        (b"name: [\n", "t.yaml:2: is not YAML"),
        (b"name: a\n\tb: c\n", "t.yaml:2: is not YAML"),
        (b"name: \x00\n", "t.yaml:1: is not YAML"),
        (b"\xff\xfen\x00", "t.yaml: is not UTF-8"),
        (BOMB, "t.yaml:1: anchors and aliases are not allowed"),
        (b"name: " + b"[" * 100_000, "t.yaml:1: is nested deeper"),
        (b"name: a\n---\nname: b\n", "t.yaml:2: a second document"),
        (b"#" * (MAX_FILE_BYTES + 1), "t.yaml: is larger than"),
        (b"parts: [" + b"1," * 100_000, "t.yaml:1: holds more than 20,000 values"),
        (b"name: a\nname: b\n", "t.yaml:2: name: is given twice"),
        (b"name: a\n? [x]\n: b\n", "t.yaml:2: a field's name must be a plain word"),
        (b"name: 12\n", "t.yaml:1: name: input should be a valid string, found 12"),
        (b"name: a\nparts: [{size: '1'}]\n", r"t.yaml:2: parts\[0\].size: .* integer, found \"1\""),
        (b"name: a\nparts: [{size: true}]\n", "integer, found true"),
        (b"name: a\nparts: [{size: 1.5}]\n", r"t.yaml:2: parts\[0\].size: .* integer"),
        (b"name: a\nparts:\n  - size: " + b"9" * 5000, "t.yaml:3: '999"),
        (b"name: a\nparts:\n  - {}\n", r"t.yaml:3: parts\[0\].size: is missing"),
        (b"name: !!python/object/apply:os.system [x]\n", "t.yaml:1: name: input should be a valid"),
        (b"name: a\nratio: 2020-01-01\n", "t.yaml:2: ratio: input should be a valid number"),
    ],
)
def test_fault_is_told_with_its_line(data: bytes, fault: str) -> None:
    with pytest.raises(FactsError, match=fault):
        read_facts(data, Thing, where="t.yaml")


def test_long_fault_lists_are_cut() -> None:
    data = "name: a\n" + "".join(f"x{i}: 1\n" for i in range(200))
    with pytest.raises(FactsError, match="and 150 more") as error:
        read_facts(data.encode(), Thing, where="t.yaml")
    assert len(str(error.value).splitlines()) == 51
