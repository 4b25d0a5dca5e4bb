"""The fixed-point arithmetic of TensorFlow Lite Micro, prepared once for reference and firmware.

A ``prepare_*`` function turns the scales, zero points and activation of an op into the plain
integers of its family's parameters: the reference interpreter computes with them and the code
generator prints them, so that both cannot differ. Sources name files of
github.com/tensorflow/tflite-micro below ``tensorflow/lite``.
"""

from harness.arithmetic.activation import activation_range, dtype_range
from harness.arithmetic.conv import ConvParameters, prepare_conv, prepare_fully_connected
from harness.arithmetic.elementwise import (
    AddParameters,
    MulParameters,
    prepare_add,
    prepare_mul,
)
from harness.arithmetic.lookup import is_table, table
from harness.arithmetic.multiplier import Multiplier, quantize_multiplier
from harness.arithmetic.pool import (
    MeanParameters,
    PoolParameters,
    prepare_mean,
    prepare_pool,
)
from harness.arithmetic.quantize import (
    DequantizeParameters,
    QuantizeParameters,
    RequantizeParameters,
    prepare_dequantize,
    prepare_quantize,
    prepare_requantize,
)
from harness.arithmetic.resize import ResizeParameters, prepare_resize
from harness.arithmetic.softmax import SoftmaxParameters, prepare_softmax

__all__ = [
    "AddParameters",
    "ConvParameters",
    "DequantizeParameters",
    "MeanParameters",
    "MulParameters",
    "Multiplier",
    "PoolParameters",
    "QuantizeParameters",
    "RequantizeParameters",
    "ResizeParameters",
    "SoftmaxParameters",
    "activation_range",
    "dtype_range",
    "is_table",
    "prepare_add",
    "prepare_conv",
    "prepare_dequantize",
    "prepare_fully_connected",
    "prepare_mean",
    "prepare_mul",
    "prepare_pool",
    "prepare_quantize",
    "prepare_requantize",
    "prepare_resize",
    "prepare_softmax",
    "quantize_multiplier",
    "table",
]
