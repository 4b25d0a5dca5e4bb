"""What goes into a model, and what its answer means.

Inputs come from tensors (``.npz``, or ``.bin`` with the bytes of the input), from an image or a
sound where the catalog says how the model sees or hears it, or from a seed. Everything is checked
here, before a firmware is built.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from harness.errors import TensorInputError
from harness.ir import DType, Graph, Tensor
from harness.ir.tensor import Array
from harness.models.npz import MAX_BYTES, check_array, read_npz
from harness.models.schema import Entry, FeaturesInput, ImageInput, MfccInput
from harness.models.speech import mfcc, read_wav

_CHANNELS = {"rgb": 3, "grey": 1}
_PIL_MODES = {"rgb": "RGB", "grey": "L"}

_IMAGE_FAULTS = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error),
    *(Warning, Image.DecompressionBombError),
)
"""What Pillow raises depends on the format; all of it means that the file is unreadable."""


@dataclass(frozen=True, slots=True, eq=False)
class Inputs:
    """Samples, each with one array an input; ``stacked`` if the file had an axis of samples."""

    samples: tuple[tuple[Array, ...], ...]
    stacked: bool = False


def load_inputs(path: Path | None, graph: Graph, entry: Entry | None) -> Inputs:
    """Return the inputs that a file holds, or seeded ones when there is no file.

    Raises:
        TensorInputError: the file is not what the model takes; says what was found and allowed.
    """
    tensors = [graph.tensor(t) for t in graph.inputs]
    if path is None:
        return Inputs((tuple(seeded_inputs(graph)),))
    match path.suffix.lower():
        case ".npz":
            arrays, stacked = read_npz(path, tensors)
            return Inputs(tuple(zip(*arrays, strict=True)), stacked)
        case ".bin":
            return _from_bytes(path, tensors)
    match entry.input if entry is not None and len(tensors) == 1 else None:
        case ImageInput() as how:
            return Inputs(((_from_image(path, tensors[0], how),),))
        case MfccInput() as how:
            real = mfcc(read_wav(path, how), how)
            return Inputs(((_quantized(real, tensors[0]).reshape(tensors[0].shape),),))
        case FeaturesInput() | None:
            raise TensorInputError(
                f"{path}: {graph.name} takes tensors only ({_describe(tensors)})",
                hint="give an .npz with input0, …, or a .bin with the bytes of the input",
            )


def seeded_inputs(graph: Graph, seed: int = 0) -> list[Array]:
    """Return random inputs: integers over their whole range, floats even in -1..1."""
    rng = np.random.default_rng(seed)
    return [_draw(rng, graph.tensor(tensor_id)) for tensor_id in graph.inputs]


def interpret_outputs(entry: Entry | None, graph: Graph, outputs: Sequence[Array]) -> str | None:
    """Return a model's answer in words, as ``person (97.7 %)``, or None if it chooses no class."""
    if entry is None or entry.labels is None or not outputs or not outputs[0].size:
        return None
    scores = _real_values(outputs[0], graph.tensor(graph.outputs[0])).ravel()
    best = int(scores.argmax())
    label = entry.labels[best] if best < len(entry.labels) else f"class {best}"
    is_distribution = scores.min() >= 0 and abs(scores.sum() - 1) < 0.05
    score = f"{scores[best]:.1%}".replace("%", " %") if is_distribution else f"{scores[best]:.3g}"
    return f"{label} ({score})"


def _draw(rng: np.random.Generator, tensor: Tensor) -> Array:
    match tensor.dtype:
        case DType.FLOAT32:
            return rng.uniform(-1, 1, tensor.shape).astype(np.float32)
        case DType.BOOL:
            return rng.integers(0, 2, tensor.shape).astype(np.bool_)
        case _:
            limits = np.iinfo(tensor.dtype.value)
            drawn = rng.integers(limits.min, limits.max, tensor.shape, endpoint=True)
            return drawn.astype(tensor.dtype.numpy)


def _from_bytes(path: Path, tensors: Sequence[Tensor]) -> Inputs:
    """Return the samples of a file that holds nothing but the input's bytes."""
    if len(tensors) != 1:
        raise TensorInputError(
            f"{path}: a .bin holds one input, the model takes {_describe(tensors)}",
            hint="give an .npz with input0, …",
        )
    tensor = tensors[0]
    data = _read_file(path, MAX_BYTES)
    if not data or len(data) % tensor.size_bytes:
        raise TensorInputError(
            f"{path}: has {len(data):,} B; a sample of {_describe(tensors)} has "
            f"{tensor.size_bytes:,} B",
        )
    samples = np.frombuffer(data, tensor.dtype.numpy).reshape(-1, *tensor.shape)
    return Inputs(tuple((sample,) for sample in samples), stacked=len(samples) > 1)


def _from_image(path: Path, tensor: Tensor, how: ImageInput) -> Array:
    """Return an image as the model's input ``[1, H, W, C]``."""
    shape = tensor.shape
    if len(shape) == 4:
        h, w, channels = shape[1:]
    else:
        h, w, channels = *shape[-2:], 1
    if channels != _CHANNELS[how.color]:
        raise TensorInputError(
            f"{path}: the catalog says {how.color}, the model's input has {channels} channels"
        )
    if path.suffix.lower() in how.int8_files:
        values = np.asarray(_open_image(path))
        array = values.view(np.int8) if values.dtype == np.uint8 else values
        shape = (1, *array.shape, 1)
    else:
        image = _open_image(path, _PIL_MODES[how.color])
        if image.size != (w, h):
            image = image.resize((w, h), Image.Resampling.BILINEAR)
        low, high = how.range
        real = low + np.asarray(image, dtype=np.float64) * ((high - low) / 255)
        array = _quantized(real, tensor)
    check_array(str(path), shape, array.dtype, tensor)
    return array.reshape(shape)


def _open_image(path: Path, mode: str | None = None) -> Image.Image:
    """Return a decoded image, upright, in one of Pillow's modes or its own."""
    try:
        with warnings.catch_warnings():
            # Pillow warns of damage that it reads over, and of more than 89 million pixels.
            warnings.simplefilter("error")
            with Image.open(path) as image:
                upright = ImageOps.exif_transpose(image)
                return upright.convert(mode) if mode else upright
    except FileNotFoundError as error:
        raise TensorInputError(f"{path}: {error.strerror}") from error
    except _IMAGE_FAULTS as error:
        raise TensorInputError(f"{path}: is not an image that can be read: {error}") from error


def _quantized(real: Array, tensor: Tensor) -> Array:
    """Return real values in the tensor's own type, rounded to the nearest level."""
    if tensor.dtype is DType.FLOAT32:
        return real.astype(np.float32)
    limits = np.iinfo(tensor.dtype.value)
    # -1..1 puts every pixel half-way between two levels, give or take the scale's own rounding:
    # the small excess takes the upper one, which is pixel - 128.
    levels = np.floor(real / tensor.scale + 0.501) + tensor.zero_point
    quantized: Array = np.clip(levels, limits.min, limits.max).astype(tensor.dtype.numpy)
    return quantized


def _real_values(array: Array, tensor: Tensor) -> Array:
    values: Array = array.astype(np.float64)
    if tensor.quantization is None or tensor.dtype is DType.FLOAT32:
        return values
    return (values - tensor.zero_point) * tensor.scale


def _read_file(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise TensorInputError(f"{path}: {error.strerror or error}") from error
    if len(data) > limit:
        raise TensorInputError(f"{path}: is larger than the {limit:,} B that are read")
    return data


def _describe(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"{tensor.dtype.value} {list(tensor.shape)}" for tensor in tensors)
