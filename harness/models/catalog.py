"""The catalog, and a model's bytes: a path, a local copy, a download, or a synthetic stand-in.

A model named by the catalog is looked for in this order, and the first hit is taken:

1. the folder in the environment variable ``BENCH_MODELS``;
2. the user's cache;
3. its owner's repository, over HTTPS, into the cache;
4. its recipe: the same architecture with seeded weights, called ``synthetic`` ever after.

Pretrained bytes always have the catalog's sha256, wherever they were found.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.data import cache_dir, data_dir
from harness.errors import InputError
from harness.facts import load_facts
from harness.models.download import Fetch, fetch_url
from harness.models.recipe import load_recipe
from harness.models.schema import Catalog, Entry
from harness.models.synthesis import synthesize
from harness.models.writer import write_tflite

MODELS_VARIABLE = "BENCH_MODELS"
MAX_MODEL_BYTES = 64_000_000


class Weights(StrEnum):
    """Where a model's weights come from; every record says it."""

    PRETRAINED = "pretrained"
    SYNTHETIC = "synthetic"
    USER = "user"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model's bytes and what is known of them.

    ``notes`` say, for synthetic weights, why the pretrained ones could not be had.
    """

    name: str
    data: bytes
    sha256: str
    weights: Weights
    entry: Entry | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Places:
    """Where local copies may lie."""

    models_dir: Path | None
    cache_dir: Path

    @classmethod
    def from_environment(cls) -> Places:
        """Return the places that the environment and the system's conventions name."""
        models_dir = os.environ.get(MODELS_VARIABLE)
        return cls(Path(models_dir) if models_dir else None, cache_dir("models"))


def catalog() -> Catalog:
    """Return the project's catalog."""
    return load_facts(data_dir("models") / "catalog.yaml", Catalog)


def locate(entry: Entry, places: Places | None = None) -> Path | None:
    """Return the local copy that :func:`find_model` would try first, or None."""
    places = places or Places.from_environment()
    folders = [places.models_dir] if places.models_dir else []
    paths = [folder / entry.file for folder in (*folders, places.cache_dir)]
    return next((path for path in paths if path.is_file()), None)


def find_model(
    name_or_path: str,
    *,
    offline: bool = False,
    places: Places | None = None,
    fetch: Fetch | None = None,
) -> ModelFile:
    """Return the model of a catalog name or a path; ``offline`` skips the download.

    What ends in ``.tflite`` or names a folder is a path.

    Raises:
        UsageError: no such name in the catalog.
        InputError: no such file, one that is not the catalog's, or no source has the model.
    """
    places = places or Places.from_environment()
    known = catalog()
    path = Path(name_or_path)
    if path.suffix.lower() == ".tflite" or path.name != name_or_path:
        return _user_file(path, known)
    entry = known.entry(name_or_path)
    notes: list[str] = []
    data = _from_models_dir(entry, places.models_dir, notes)
    if data is None:
        data = _from_cache(entry, places.cache_dir, notes)
    if data is None and not offline:
        data = _from_owner(known.url(entry), entry, places.cache_dir, fetch or fetch_url, notes)
    if data is not None:
        return ModelFile(name_or_path, data, entry.sha256, Weights.PRETRAINED, entry)
    if offline:
        notes.append("not downloaded: offline")
    why = f"no copy of {entry.file} can be had: {'; '.join(notes)}"
    if entry.recipe is None:
        raise InputError(
            f"{name_or_path}: {why}",
            hint=f"put {entry.file} into a folder and name it in {MODELS_VARIABLE}",
        )
    data = write_tflite(synthesize(load_recipe(entry.recipe), entry.name))
    digest = hashlib.sha256(data).hexdigest()
    return ModelFile(name_or_path, data, digest, Weights.SYNTHETIC, entry, (why,))


def _user_file(path: Path, known: Catalog) -> ModelFile:
    """Return a file of the user's own; its bytes may be a catalog entry's, then it is known."""
    try:
        data = _read_bounded(path, MAX_MODEL_BYTES)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    digest = hashlib.sha256(data).hexdigest()
    entry = next((e for e in known.models if e.sha256 == digest), None)
    return ModelFile(path.stem, data, digest, Weights.USER, entry)


def _from_models_dir(entry: Entry, folder: Path | None, notes: list[str]) -> bytes | None:
    """Return the copy in the user's own folder, which must be the right one if it is there."""
    if folder is None:
        notes.append(f"{MODELS_VARIABLE} is not set")
        return None
    path = folder / entry.file
    if not path.is_file():
        notes.append(f"{path} does not exist")
        return None
    data = _read_bounded(path, MAX_MODEL_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry.sha256:
        raise InputError(
            f"{path}: sha256 is {digest}, the catalog says {entry.sha256}",
            hint="replace the file, or run it by its path as a model of your own",
        )
    return data


def _from_cache(entry: Entry, folder: Path, notes: list[str]) -> bytes | None:
    """Return the copy of an earlier download; a damaged one is as good as none."""
    path = folder / entry.file
    if not path.is_file():
        notes.append("not in the cache")
        return None
    data = _read_bounded(path, MAX_MODEL_BYTES)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        notes.append(f"{path} is damaged")
        return None
    return data


def _from_owner(
    url: str | None, entry: Entry, cache_dir: Path, fetch: Fetch, notes: list[str]
) -> bytes | None:
    """Return the file as its owner publishes it, and keep it in the cache."""
    if url is None:
        notes.append(f"{entry.source.repository} has it only as a C array")
        return None
    try:
        data = fetch(url, entry.size_bytes + 1)
    except OSError as error:
        notes.append(f"download failed: {_cause(error)}")
        return None
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        notes.append(f"{url} holds another file")
        return None
    try:
        _write_atomic(cache_dir / entry.file, data)
    except OSError as error:
        notes.append(f"not kept in the cache: {error}")
    return data


def _cause(error: OSError) -> str:
    """Return why, without what urllib and the system wrap around it."""
    reason = getattr(error, "reason", None)
    inner = reason if isinstance(reason, OSError) else error
    return inner.strerror or str(reason or error)


def _read_bounded(path: Path, limit: int) -> bytes:
    """Return a file's bytes, refusing what is too large to be a model for a microcontroller."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(f"{path}: is larger than the {limit:,} B that a model may have")
    return data


def _write_atomic(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
