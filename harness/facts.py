"""Facts from YAML: parsed within bounds, checked against a schema, all faults told at once.

Boards, the model catalog and recipes are YAML files that people write. Reading one is a pure
function of its bytes: a file that is hostile (alias bombs, deep nesting, megabytes) or merely
wrong is refused with one message that names every fault by line. Anchors and aliases have no use
in facts and are refused as such; so are duplicate keys, which YAML libraries let pass silently.

The schema is checked by pydantic in strict JSON mode: ``"12"`` is not a number, ``true`` is not 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import FactsError, near_names

MAX_FILE_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 24
MAX_FAULTS_SHOWN = 50

_Loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_SCALAR_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null")
)


class Facts(BaseModel):
    """Base of all YAML values: unknown fields are faults, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


FactsT = TypeVar("FactsT", bound=Facts)
Fault = tuple[int, str]
"""A line, counted from 1, and what is wrong there."""


def load_facts(path: Path, schema: type[FactsT]) -> FactsT:
    """Return the facts in a file.

    Raises:
        FactsError: the file cannot be read, or as :func:`read_facts`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FactsError(f"{path}: {error.strerror or error}") from error
    return read_facts(data, schema, where=str(path))


def read_facts(data: bytes, schema: type[FactsT], *, where: str) -> FactsT:
    """Return the facts that YAML states; ``where`` names the file in messages.

    Raises:
        FactsError: with every fault of the file, one a line, as ``where:line: field: fault``.
    """
    facts = _read(data, schema, where)
    assert isinstance(facts, schema)
    return facts


# A sweep asks for the same boards and the same catalog in each of its cases.
@lru_cache(maxsize=64)
def _read(data: bytes, schema: type[Facts], where: str) -> Facts:
    if len(data) > MAX_FILE_BYTES:
        raise FactsError(f"{where}: is larger than the {MAX_FILE_BYTES:,} B that facts may take")
    try:
        text = data.decode("utf-8-sig")
        root = _compose(text, where)
    except UnicodeDecodeError as error:
        raise FactsError(f"{where}: is not UTF-8 (byte {error.start})") from error
    except yaml.YAMLError as error:
        raise _fault_report(where, [_yaml_fault(error)]) from error
    if not isinstance(root, yaml.MappingNode):
        raise _fault_report(where, [(1, "must be a mapping of fields to values")])
    faults: list[Fault] = []
    value = _plain(root, faults)
    try:
        facts = schema.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False)
        fields = tuple(schema.model_fields)
        faults += [_schema_fault(root, fault, fields) for fault in found[:MAX_FAULTS_SHOWN]]
        raise _fault_report(where, faults, len(found) - MAX_FAULTS_SHOWN) from error
    if faults:
        raise _fault_report(where, faults)
    return facts


def _compose(text: str, where: str) -> yaml.Node | None:
    """Return the tree of a document whose events were seen to be harmless."""
    depth, documents = 0, 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        line = _line(event)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _fault_report(where, [(line, "anchors and aliases are not allowed; repeat it")])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > MAX_DEPTH:
            raise _fault_report(where, [(line, f"is nested deeper than {MAX_DEPTH} levels")])
        if count > MAX_VALUES:
            raise _fault_report(where, [(line, f"holds more than {MAX_VALUES:,} values")])
        if documents > 1:
            raise _fault_report(where, [(line, "a second document; one file holds one")])
    return yaml.compose(text, Loader=_Loader)


def _plain(node: yaml.Node, faults: list[Fault]) -> Any:
    """Return a node as dict, list or scalar; note duplicate keys and foreign tags as faults."""
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                faults.append((_line(key), "a field's name must be a plain word"))
                continue
            if key.value in mapping:
                faults.append((_line(key), f"{key.value}: is given twice"))
            mapping[key.value] = _plain(child, faults)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, faults) for child in node.value]
    if node.tag not in _SCALAR_TAGS:
        return str(node.value)
    try:
        return yaml.SafeLoader("").construct_object(node)
    except ValueError as error:
        faults.append((_line(node), f"{str(node.value)[:40]!r}: {error}"))
        return None


def _line(marked: yaml.Event | yaml.Node) -> int:
    """Return the line that an event or node begins on, counted from 1."""
    assert marked.start_mark is not None
    return marked.start_mark.line + 1


def _yaml_fault(error: yaml.YAMLError) -> Fault:
    """Return where and why the YAML itself is broken."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        return error.problem_mark.line + 1, f"is not YAML: {reason}"
    return 1, f"is not YAML: {str(error).splitlines()[0]}"


def _schema_fault(root: yaml.Node, error: Any, known: tuple[str, ...]) -> Fault:
    """Return one of pydantic's faults with the line of the field that it is about.

    ``known`` are the fields of the whole, which may be what an unknown one was meant to be.
    """
    line = _line(root)
    field = ""
    node: yaml.Node | None = root
    for step in error["loc"]:
        found = next((m for m in _members(node) if m[0] == step), None) if node else None
        if found is not None:
            line, node = found[1], found[2]
        elif error["type"] != "missing" or step != error["loc"][-1]:
            continue
        field += f"[{step}]" if isinstance(step, int) else f".{step}" if field else str(step)
    reason = _reason(error)
    if error["type"] == "extra_forbidden" and len(error["loc"]) == 1:
        reason += f"; {near_names(field, known).rstrip('.')}"
    return line, f"{field}: {reason}" if field else reason


def _members(node: yaml.Node) -> Iterator[tuple[str | int, int, yaml.Node]]:
    """Yield name or position, line and node of each member of a mapping or sequence."""
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            yield str(key.value), _line(key), child
    elif isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            yield position, _line(child), child


def _reason(error: Any) -> str:
    """Return what is wrong in plain words, with the value that was found."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return "is not a field that is known here"
        case _:
            found = error["input"]
            shown = "" if isinstance(found, dict | list) else f", found {json.dumps(found)[:40]}"
            message = str(error["msg"]).removeprefix("Value error, ")
            return message[:1].lower() + message[1:] + shown


def _fault_report(where: str, faults: list[Fault], hidden: int = 0) -> FactsError:
    """Return the error that tells all faults, in the order of the file."""
    lines = [f"{where}:{line}: {what}" for line, what in sorted(faults)]
    hidden = max(hidden, 0) + len(lines[MAX_FAULTS_SHOWN:])
    if hidden:
        lines[MAX_FAULTS_SHOWN:] = [f"{where}: and {hidden} more"]
    return FactsError("\n".join(lines))
