"""A graph in the making whose scales are calibrated op by op.

Every value carries a few samples. The scale of an op's weights is set so that its results have a
sensible size, and the scale of its output so that the 256 levels span what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from harness.ir import DType, Op, Quantization, Tensor, TensorId
from harness.ir.ops import Activation
from harness.ir.tensor import Array, constant

_TARGET_PEAK = 8.0
"""Largest real value before the activation: beyond 6, so that RELU6 clips now and then."""

_BOUNDS = {
    Activation.NONE: (-np.inf, np.inf),
    Activation.RELU: (0.0, np.inf),
    Activation.RELU6: (0.0, 6.0),
    Activation.RELU_N1_TO_1: (-1.0, 1.0),
}


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor with its samples ``[S, ...]``, held as ``q - zero_point`` in float64."""

    tensor: TensorId
    quantization: Quantization
    samples: Array

    @property
    def real(self) -> Array:
        """The samples as real values."""
        return self.samples * self.quantization.scale


@dataclass(slots=True)
class Draft:
    """Tensors and ops so far; ``rng`` is the only source of what is not in the recipe."""

    rng: np.random.Generator
    tensors: list[Tensor] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    def add(self, tensor: Tensor) -> TensorId:
        """Append a tensor."""
        self.tensors.append(tensor)
        return TensorId(len(self.tensors) - 1)

    def name(self, kind: str) -> str:
        """Return the name of the next op's output."""
        return f"{kind}_{len(self.ops)}"

    def quantized(self, name: str, samples: Array, quantization: Quantization) -> Value:
        """Append an activation of a known quantization."""
        shape = (1, *samples.shape[1:])
        tensor = self.add(Tensor(name, shape, DType.INT8, quantization))
        return Value(tensor, quantization, samples)

    def calibrated(self, name: str, real: Array, activation: Activation) -> Value:
        """Append an activation whose 256 levels span the real values, zero among them."""
        low, high = _BOUNDS[activation]
        clipped = np.clip(real, low, high)
        bottom, top = min(float(clipped.min()), 0.0), max(float(clipped.max()), 0.0)
        scale = _float32((top - bottom) / 255) if top > bottom else 1.0
        zero_point = int(np.clip(np.rint(-128 - bottom / scale), -128, 127))
        samples = np.clip(np.rint(clipped / scale), -128 - zero_point, 127 - zero_point)
        return self.quantized(name, samples, per_tensor(scale, zero_point))

    def weighted(
        self, name: str, x: Value, weights: Array, sums: Array, *, channel_axis: int | None
    ) -> tuple[tuple[TensorId, TensorId, TensorId], Array]:
        """Append weights and a drawn bias; return the op's inputs and its real results.

        ``sums`` are those of inputs times weights, ``[S, ..., channels]``. The weights' scale
        brings them to a sensible size; per channel (``channel_axis``) scales spread over a factor
        of two, as trained ones do.
        """
        channels, peak = sums.shape[-1], max(int(np.abs(sums).max()), 8)
        bias = self.rng.integers(-(peak // 8), peak // 8 + 1, (channels,), dtype=np.int32)
        spread = self.rng.integers(64, 129, 1 if channel_axis is None else channels) / 128
        x_scale = x.quantization.scale
        scales = tuple(_float32(_TARGET_PEAK / peak / x_scale * part) for part in spread)
        bias_scales = tuple(_float32(x_scale * scale) for scale in scales)
        zeros = (0,) * len(scales)
        inputs = (
            x.tensor,
            self.add(
                constant(f"{name}/weights", weights, Quantization(scales, zeros, channel_axis))
            ),
            self.add(
                constant(
                    f"{name}/bias",
                    bias,
                    Quantization(bias_scales, zeros, None if channel_axis is None else 0),
                )
            ),
        )
        return inputs, (sums + bias) * np.array(bias_scales)


def draw_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return bell-shaped int8 weights: the sum of three even ones, within -126..126."""
    first, second, third = rng.integers(-42, 43, (3, *shape), dtype=np.int8)
    weights: Array = first + second + third
    return weights


def per_tensor(scale: float, zero_point: int) -> Quantization:
    """Return a per-tensor quantization, its scale rounded to what a file can hold."""
    return Quantization((_float32(scale),), (zero_point,))


def _float32(value: float) -> float:
    """Return the nearest float32: what a .tflite file can hold."""
    return float(np.float32(value))
