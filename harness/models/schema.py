"""What ``models/catalog.yaml`` says of each model.

A model is identified by its file's sha256, and found through the repository, commit and path that
its owner published it under. Nothing of a model is kept in this project.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.errors import UsageError, near_names
from harness.facts import Facts

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Origin(Facts):
    """Where the owner of a model published it.

    ``storage`` says how: as a plain file, through Git LFS, or as a C array whose bytes are the
    model (then no address gives the file itself).
    """

    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    path: Annotated[str, Field(pattern=r"^[\w][\w./-]*$")]
    storage: Literal["git", "git_lfs", "c_array"] = "git"
    note: str = ""


class ImageInput(Facts):
    """An image: resized to the input's [H, W], its pixels mapped to real values.

    ``range`` is what pixels 0 and 255 stand for. The samples of ``int8_files`` (by suffix) hold
    the int8 input itself in place of pixels.
    """

    kind: Literal["image"]
    color: Literal["rgb", "grey"]
    range: tuple[float, float]
    int8_files: tuple[str, ...] = ()


class MfccInput(Facts):
    """A clip of speech, from ``.wav`` (see :mod:`harness.models.speech`), or its tensor."""

    kind: Literal["mfcc"]
    sample_rate_hz: Annotated[int, Field(gt=0)]
    clip_samples: Annotated[int, Field(gt=0)]
    window_samples: Annotated[int, Field(gt=0)]
    hop_samples: Annotated[int, Field(gt=0)]
    fft_samples: Annotated[int, Field(gt=0)]
    mel_bands: Annotated[int, Field(gt=0)]
    band_hz: tuple[float, float]
    coefficients: Annotated[int, Field(gt=0)]


class FeaturesInput(Facts):
    """Features that the user computes: only tensors are taken, from ``.npz`` or raw bytes."""

    kind: Literal["features"]
    what: str


class Accuracy(Facts):
    """An accuracy to expect, between 0 and 1, with the data it was seen on."""

    dataset: str
    metric: Literal["top1", "auc", "correct"]
    value: Annotated[float, Field(ge=0, le=1)]
    samples: Annotated[int, Field(gt=0)] | None = None
    source: Annotated[str, Field(min_length=4)]


class Entry(Facts):
    """One model. ``labels`` is None when the output is not a choice of classes."""

    name: Name
    title: str
    task: str
    file: Annotated[str, Field(pattern=r"^[\w.-]+\.tflite$")]
    sha256: Sha256
    size_bytes: Annotated[int, Field(gt=0)]
    licence: str
    source: Origin
    input: Annotated[ImageInput | MfccInput | FeaturesInput, Field(discriminator="kind")]
    labels: tuple[str, ...] | None = None
    accuracy: tuple[Accuracy, ...] = ()
    recipe: Name | None = None


class Urls(Facts):
    """Address templates by kind of storage."""

    git: Annotated[str, Field(pattern=r"^https://")]
    git_lfs: Annotated[str, Field(pattern=r"^https://")]


class Catalog(Facts):
    """All models, each name and each file once."""

    schema_version: Literal[1]
    urls: Urls
    models: tuple[Entry, ...]

    @field_validator("models")
    @classmethod
    def _name_each_model_once(cls, models: tuple[Entry, ...]) -> tuple[Entry, ...]:
        owners: dict[str, str] = {}
        for entry in models:
            for key in (entry.name, entry.file, entry.sha256):
                if key in owners:
                    raise ValueError(f"{owners[key]} and {entry.name} share {key}")
                owners[key] = entry.name
        return models

    def entry(self, name: str) -> Entry:
        """Return the entry of a name.

        Raises:
            UsageError: the catalog has no such name; the hint proposes near ones.
        """
        entries = {entry.name: entry for entry in self.models}
        if name not in entries:
            raise UsageError(
                f"there is no model {name!r} in the catalog",
                hint=f"{near_names(name, entries)} A path to a .tflite file works too.",
            )
        return entries[name]

    def url(self, entry: Entry) -> str | None:
        """Return where a model can be downloaded, or None when only a C array was published."""
        origin = entry.source
        match origin.storage:
            case "git":
                template = self.urls.git
            case "git_lfs":
                template = self.urls.git_lfs
            case "c_array":
                return None
        return template.format(repository=origin.repository, commit=origin.commit, path=origin.path)
