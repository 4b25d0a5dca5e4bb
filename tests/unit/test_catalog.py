"""The catalog is sound, and a model is found in the promised order."""

from __future__ import annotations

import errno
import hashlib
import urllib.error
from pathlib import Path

import pytest

from harness.errors import FactsError, InputError, UsageError
from harness.facts import read_facts
from harness.models.catalog import Places, Weights, catalog, find_model, locate
from harness.models.download import Fetch
from harness.models.schema import Catalog

PROMISED = {
    *("kws", "vww", "ic", "ad", "sww", "person-detect", "micro-speech"),
    *("mcunet-vww0", "mcunet-vww1", "mcunet-in0", "mcunet-in2", "mcunet-in3"),
    *("mcunet-mbv2-w035", "mcunet-proxyless-w03"),
}

ENTRY = """
  - name: {name}
    title: A model
    task: none
    file: {name}.tflite
    sha256: {sha256}
    size_bytes: 5
    licence: MIT
    source: {{repository: a/b, commit: {commit}, path: m/x.tflite}}
    input: {{kind: features, what: numbers}}
"""
HEAD = "schema_version: 1\nurls: {git: 'https://g/{path}', git_lfs: 'https://l/{path}'}\nmodels:"


def catalog_yaml(*names: str) -> bytes:
    entries = (
        ENTRY.format(name=n, sha256=hashlib.sha256(n.encode()).hexdigest(), commit="a" * 40)
        for n in names
    )
    return (HEAD + "".join(entries)).encode()


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "models").mkdir()
    return Places(tmp_path / "models", tmp_path / "cache")


def serve(data: bytes) -> Fetch:
    def fetch(url: str, limit: int) -> bytes:
        assert url.startswith("https://")
        return data[:limit]

    return fetch


def no_network(url: str, limit: int) -> bytes:
    raise urllib.error.URLError(f"no route to {url}")


def test_promised_names_are_there() -> None:
    names = [entry.name for entry in catalog().models]
    assert set(names) >= PROMISED
    assert len(names) == len(set(names)) == 32


def test_addresses_pin_the_commit() -> None:
    known = catalog()
    for entry in known.models:
        url = known.url(entry)
        if entry.source.storage == "c_array":
            assert url is None
        else:
            assert url is not None
            assert url.startswith("https://")
            assert f"/{entry.source.commit}/{entry.source.path}" in url


def test_images_have_a_range_and_classes_have_labels() -> None:
    kws = catalog().entry("kws")
    assert kws.labels is not None
    assert kws.labels[9] == "yes"
    assert catalog().entry("vww").labels == ("no person", "person")


def test_one_file_under_two_names_is_refused() -> None:
    twice = catalog_yaml("one", "two").replace(b"two.tflite", b"one.tflite")
    with pytest.raises(FactsError, match=r"c.yaml:3: models: one and two share one\.tflite"):
        read_facts(twice, Catalog, where="c.yaml")


def test_unknown_model_proposes_near_names() -> None:
    with pytest.raises(UsageError, match="there is no model 'mcunet-vww'") as error:
        find_model("mcunet-vww")
    assert "mcunet-vww0" in error.value.hint


def test_missing_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.tflite: No such file"):
        find_model(str(tmp_path / "none.tflite"))


@pytest.mark.parametrize("name", ["mine.tflite", "mine.TFLITE", "mine"])
def test_own_file_is_the_users(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"mine")
    model = find_model(str(path))
    assert (model.name, model.data, model.weights) == ("mine", b"mine", Weights.USER)
    assert model.sha256 == hashlib.sha256(b"mine").hexdigest()
    assert model.entry is None


def test_wrong_file_in_the_models_folder_is_an_error_naming_both_hashes(places: Places) -> None:
    entry = catalog().entry("vww")
    assert places.models_dir is not None
    (places.models_dir / entry.file).write_bytes(b"wrong")
    with pytest.raises(InputError) as error:
        find_model("vww", places=places, fetch=no_network)
    assert hashlib.sha256(b"wrong").hexdigest() in str(error.value)
    assert entry.sha256 in str(error.value)


def test_without_any_source_every_reason_is_told(places: Places) -> None:
    with pytest.raises(InputError) as error:
        find_model("sww", places=places, fetch=no_network)
    message = str(error.value)
    assert "models/mlperf_sww_streaming_1dcnn.tflite does not exist" in message
    assert "not in the cache" in message
    assert "download failed: no route to https://raw.githubusercontent.com/mlcommons" in message


def test_offline_does_not_download(places: Places) -> None:
    def never(url: str, limit: int) -> bytes:
        raise AssertionError(url)

    with pytest.raises(InputError, match="not downloaded: offline"):
        find_model("sww", offline=True, places=places, fetch=never)


def test_download_of_another_file_is_not_taken(places: Places) -> None:
    with pytest.raises(InputError, match="holds another file"):
        find_model("sww", places=places, fetch=serve(b"another"))
    assert not places.cache_dir.exists()


@pytest.mark.models
def test_download_is_kept_and_found_again(places: Places, models_dir: Path) -> None:
    entry = catalog().entry("kws")
    data = (models_dir / entry.file).read_bytes()
    model = find_model("kws", places=places, fetch=serve(data))
    assert model.weights is Weights.PRETRAINED
    assert locate(entry, places) == places.cache_dir / entry.file
    assert find_model("kws", places=places, fetch=no_network).data == data
    (places.cache_dir / entry.file).write_bytes(data[:-1])
    assert find_model("kws", places=places, fetch=serve(data)).data == data


def test_a_full_disk_costs_the_copy_and_nothing_else(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(partial: Path, _: Path) -> Path:
        assert partial.is_file()
        raise OSError(errno.ENOSPC, "No space left on device")

    data = b"a model"
    entry = catalog().entry("kws")
    fake = entry.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
    known = catalog().model_copy(update={"models": (fake,)})
    monkeypatch.setattr("harness.models.catalog.catalog", lambda: known)
    monkeypatch.setattr(Path, "replace", full)
    assert find_model("kws", places=places, fetch=serve(data)).weights is Weights.PRETRAINED
    assert list(places.cache_dir.iterdir()) == []


@pytest.mark.models
def test_every_model_of_the_folder_is_the_catalogs(models_dir: Path, tmp_path: Path) -> None:
    places = Places(models_dir, tmp_path)
    for entry in catalog().models:
        model = find_model(entry.name, places=places, fetch=no_network)
        assert model.weights is Weights.PRETRAINED
        assert len(model.data) == entry.size_bytes
