"""Inputs arrive as the model takes them or are refused, and answers come in words."""

from __future__ import annotations

import io
import math
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.errors import TensorInputError
from harness.importer.tflite import read_tflite
from harness.ir import DType, Graph, Quantization, Tensor, TensorId
from harness.models.catalog import Places, catalog, find_model
from harness.models.preprocess import interpret_outputs, load_inputs, seeded_inputs
from harness.models.schema import Entry, FeaturesInput, ImageInput, MfccInput
from harness.models.speech import mel_weights, mfcc, read_wav
from harness.reference.interpreter import run

SIGNED = Quantization((float(np.float32(1 / 127.5)),), (-1,))
UNIT = Quantization((float(np.float32(1 / 255)),), (-128,))


def graph_of(*tensors: Tensor) -> Graph:
    """A graph that does nothing: its inputs are its outputs."""
    ids = tuple(TensorId(i) for i in range(len(tensors)))
    return Graph("nothing", tensors, (), ids, ids)


def image_graph(
    channels: int = 3, dtype: DType = DType.INT8, quantization: Quantization | None = UNIT
) -> Graph:
    return graph_of(Tensor("image", (1, 4, 8, channels), dtype, quantization))


PAIR = graph_of(Tensor("a", (1, 2), DType.INT8), Tensor("b", (1, 3), DType.FLOAT32))


def entry_of(how: ImageInput | FeaturesInput, labels: tuple[str, ...] | None = None) -> Entry:
    return catalog().entry("vww").model_copy(update={"input": how, "labels": labels})


def rgb(low: float, high: float) -> Entry:
    return entry_of(ImageInput(kind="image", color="rgb", range=(low, high)))


def save(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def saved_image(path: Path, pixels: Any) -> Path:
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path)
    return path


# Tensors


def test_one_sample_of_each_input(tmp_path: Path) -> None:
    a, b = np.array([[1, 2]], np.int8), np.array([[0.5, 1, 2]], np.float32)
    inputs = load_inputs(save(tmp_path / "x.npz", input1=b, input0=a, output0=a), PAIR, None)
    assert not inputs.stacked
    ((first, second),) = inputs.samples
    np.testing.assert_array_equal(first, a)
    np.testing.assert_array_equal(second, b)


def test_an_extra_first_axis_is_samples(tmp_path: Path) -> None:
    a = np.arange(10, dtype=np.int8).reshape(5, 1, 2)
    b = np.asfortranarray(np.arange(15, dtype=np.float32).reshape(5, 1, 3))
    inputs = load_inputs(save(tmp_path / "x.npz", input0=a, input1=b), PAIR, None)
    assert inputs.stacked
    assert len(inputs.samples) == 5
    np.testing.assert_array_equal(inputs.samples[3][0], [[6, 7]])
    np.testing.assert_array_equal(inputs.samples[3][1], [[9, 10, 11]])


A, B = np.zeros((1, 2), np.int8), np.zeros((1, 3), np.float32)


@pytest.mark.parametrize(
    ("arrays", "fault"),
    [
        ({"input0": A}, r"has input0; the model takes input0, input1"),
        ({"input0": A, "input1": B, "input2": B}, "has input0, input1, input2"),
        ({"input0": A.astype(np.uint8), "input1": B}, r"input0: has type uint8; .* int8 \[1, 2\]"),
        ({"input0": A, "input1": B.astype(">f4")}, r"input1: has type >f4"),
        ({"input0": A[0], "input1": B}, r"input0: has shape \[2\]"),
        ({"input0": np.zeros((1, 1, 1, 2), np.int8), "input1": B}, r"has shape \[1, 1, 1, 2\]"),
        ({"input0": np.zeros((0, 1, 2), np.int8), "input1": B}, r"has shape \[0, 1, 2\]"),
        ({"input0": np.array([[None, 1]]), "input1": B}, "input0: has type object"),
        ({"input0": np.stack([A, A]), "input1": B}, "different numbers of samples"),
        ({"input0": np.stack([A, A]), "input1": np.stack([B])}, "different numbers of samples"),
    ],
)
def test_wrong_arrays_are_refused(tmp_path: Path, arrays: dict[str, Any], fault: str) -> None:
    with pytest.raises(TensorInputError, match=fault):
        load_inputs(save(tmp_path / "x.npz", **arrays), PAIR, None)


def forged(path: Path, member: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("input0.npy", member)
    return path


def header_of(shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    description = {"descr": "|i1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, description)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("member", "fault"),
    [
        (b"", "is not a plain array"),
        (b"\x93NUMPY\x09\x00", "is not a plain array"),
        (header_of((1, 2)), "its data is not the 2 B"),
        (header_of((1, 2)) + b"abc", "its data is not the 2 B"),
        (header_of((1 << 40, 1, 2)), "at most 1,073,741,824 B are read"),
        (header_of((1, 2))[:-9], "is not a plain array"),
    ],
)
def test_forged_arrays_are_refused(tmp_path: Path, member: bytes, fault: str) -> None:
    graph = graph_of(Tensor("a", (1, 2), DType.INT8))
    with pytest.raises(TensorInputError, match=fault):
        load_inputs(forged(tmp_path / "x.npz", member), graph, None)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    content = bytearray(save(tmp_path / "x.npz", input0=np.zeros((1, 2), np.int8)).read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + flags] |= 1
    (tmp_path / "x.npz").write_bytes(content)
    graph = graph_of(Tensor("a", (1, 2), DType.INT8))
    with pytest.raises(TensorInputError, match=r"cannot be unpacked: .*encrypted"):
        load_inputs(tmp_path / "x.npz", graph, None)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip"])
def test_what_is_no_npz_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(TensorInputError, match="is not a sound"):
        load_inputs(tmp_path / "x.npz", PAIR, None)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    for name in ("x.npz", "x.bin", "x.png"):
        with pytest.raises(TensorInputError, match=f"{name}: No such file"):
            load_inputs(tmp_path / name, image_graph(), rgb(0, 1))


def test_bytes_are_the_tensor(tmp_path: Path) -> None:
    graph = graph_of(Tensor("a", (1, 3), DType.INT8))
    (tmp_path / "x.bin").write_bytes(bytes([1, 255, 3, 4, 5, 6]))
    inputs = load_inputs(tmp_path / "x.bin", graph, None)
    assert [sample[0].tolist() for sample in inputs.samples] == [[[1, -1, 3]], [[4, 5, 6]]]
    (tmp_path / "x.bin").write_bytes(b"1234")
    with pytest.raises(TensorInputError, match=r"has 4 B; a sample of int8 \[1, 3\] has 3 B"):
        load_inputs(tmp_path / "x.bin", graph, None)
    with pytest.raises(TensorInputError, match=r"a \.bin holds one input, the model takes int8"):
        load_inputs(tmp_path / "x.bin", PAIR, None)


# Images


RAMP = np.arange(96).reshape(4, 8, 3) * 255 // 95


@pytest.mark.parametrize(
    ("entry", "quantization"),
    [(rgb(0, 1), UNIT), (rgb(-1, 1), SIGNED), (rgb(0, 255), Quantization((1.0,), (-128,)))],
)
def test_the_usual_mappings_are_pixel_minus_128(
    tmp_path: Path, entry: Entry, quantization: Quantization
) -> None:
    path = saved_image(tmp_path / "x.png", RAMP)
    ((sample,),) = load_inputs(path, image_graph(quantization=quantization), entry).samples
    np.testing.assert_array_equal(sample[0].astype(int), RAMP - 128)


def test_float_inputs_take_real_values(tmp_path: Path) -> None:
    path = saved_image(tmp_path / "x.png", RAMP)
    graph = image_graph(dtype=DType.FLOAT32, quantization=None)
    ((sample,),) = load_inputs(path, graph, rgb(-1, 1)).samples
    assert sample.dtype == np.float32
    np.testing.assert_allclose(sample[0], RAMP / 127.5 - 1, atol=1e-6)


def test_images_are_resized_and_turned_grey(tmp_path: Path) -> None:
    path = saved_image(tmp_path / "x.jpg", np.full((50, 70, 3), 100))
    entry = entry_of(ImageInput(kind="image", color="grey", range=(0, 1)))
    ((sample,),) = load_inputs(path, image_graph(channels=1), entry).samples
    assert sample.shape == (1, 4, 8, 1)
    assert np.abs(sample.astype(int) + 28).max() <= 1


def test_some_files_hold_the_tensor_itself(tmp_path: Path) -> None:
    how = ImageInput(kind="image", color="grey", range=(0, 1), int8_files=(".bmp",))
    path = saved_image(tmp_path / "x.bmp", RAMP[..., 0])
    ((sample,),) = load_inputs(path, image_graph(channels=1), entry_of(how)).samples
    np.testing.assert_array_equal(sample[0, ..., 0].view(np.uint8), RAMP[..., 0])
    with pytest.raises(TensorInputError, match=r"has shape \[1, 4, 8, 3, 1\]"):
        load_inputs(saved_image(path, RAMP), image_graph(channels=1), entry_of(how))


def test_a_broken_image_is_refused(tmp_path: Path) -> None:
    path = saved_image(tmp_path / "x.png", RAMP)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(TensorInputError, match="is not an image that can be read"):
        load_inputs(path, image_graph(), rgb(0, 1))


def test_an_image_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(TensorInputError, match=r"Image size \(400000000 pixels\) exceeds"):
        load_inputs(path, image_graph(), rgb(0, 1))


def test_an_image_of_other_channels_than_the_model_takes_is_refused(tmp_path: Path) -> None:
    path = saved_image(tmp_path / "x.png", RAMP)
    with pytest.raises(TensorInputError, match="catalog says rgb, the model's input has 1 chan"):
        load_inputs(path, image_graph(channels=1), rgb(0, 1))


def test_an_image_for_a_model_of_features_is_refused(tmp_path: Path) -> None:
    path = saved_image(tmp_path / "x.png", RAMP)
    for entry in (None, entry_of(FeaturesInput(kind="features", what="MFCC"))):
        with pytest.raises(TensorInputError, match="takes tensors only") as error:
            load_inputs(path, image_graph(), entry)
        assert ".npz" in error.value.hint


# Sound


MFCC = catalog().entry("kws").input


def wav(path: Path, samples: Any, rate: int = 16_000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return path


def test_silence_has_only_a_level(tmp_path: Path) -> None:
    assert isinstance(MFCC, MfccInput)
    samples = read_wav(wav(tmp_path / "x.wav", np.zeros(100)), MFCC)
    assert samples.shape == (16_000,)
    coefficients = mfcc(samples, MFCC)
    assert coefficients.shape == (49, 10)
    np.testing.assert_allclose(coefficients[:, 0], np.log(1e-6) * 40 * np.sqrt(2 / 40))
    np.testing.assert_allclose(coefficients[:, 1:], 0, atol=1e-9)


def test_bands_peak_where_the_mel_scale_says() -> None:
    assert isinstance(MFCC, MfccInput)
    weights = mel_weights(MFCC)
    assert weights.shape == (257, 40)
    # The last band's peak: one 41st of the mel range below 4000 Hz.
    mels = [1127 * math.log(1 + hz / 700) for hz in (20, 4000)]
    peak_hz = 700 * (math.exp((mels[1] - (mels[1] - mels[0]) / 41) / 1127) - 1)
    assert abs(weights[:, -1].argmax() * 16_000 / 512 - peak_hz) <= 16_000 / 512
    assert weights.max() <= 1
    assert not weights[0].any()
    assert not weights[4000 * 512 // 16_000 + 1 :].any()


def test_sound_that_the_model_cannot_hear_is_refused(tmp_path: Path) -> None:
    assert isinstance(MFCC, MfccInput)
    with pytest.raises(TensorInputError, match="1 channel of 16 bits at 8,000 Hz"):
        read_wav(wav(tmp_path / "x.wav", [0], rate=8000), MFCC)
    with pytest.raises(TensorInputError, match="16,001 samples"):
        read_wav(wav(tmp_path / "x.wav", np.zeros(16_001)), MFCC)
    (tmp_path / "x.wav").write_bytes(b"RIFF")
    with pytest.raises(TensorInputError, match="is not a sound file"):
        read_wav(tmp_path / "x.wav", MFCC)


# Seeds and answers


def test_seeded_inputs_are_the_same_each_time_and_span_their_type() -> None:
    graph = graph_of(
        Tensor("a", (1, 5000), DType.INT8),
        Tensor("b", (1, 5000), DType.FLOAT32),
        Tensor("c", (1, 5000), DType.UINT8),
    )
    inputs = seeded_inputs(graph)
    for one, other in zip(inputs, load_inputs(None, graph, None).samples[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert (inputs[0].min(), inputs[0].max()) == (-128, 127)
    assert -1 <= inputs[1].min() < -0.99 < 0.99 < inputs[1].max() <= 1
    assert (inputs[2].min(), inputs[2].max()) == (0, 255)


@pytest.mark.parametrize(
    ("labels", "output", "quantization", "answer"),
    [
        (("cat", "dog"), [-100, 100], Quantization((1 / 256,), (-128,)), "dog (89.1 %)"),
        (("cat", "dog"), [30, 10], Quantization((0.1,), (0,)), "cat (3)"),
        ((), [1, 2], Quantization((0.1,), (0,)), "class 1 (0.2)"),
        (None, [1, 2], Quantization((0.1,), (0,)), None),
    ],
)
def test_answers_come_in_words(
    labels: tuple[str, ...] | None, output: list[int], quantization: Quantization, answer: str
) -> None:
    entry = entry_of(ImageInput(kind="image", color="rgb", range=(0, 1)), labels)
    graph = graph_of(Tensor("scores", (1, 2), DType.INT8, quantization))
    assert interpret_outputs(entry, graph, [np.array([output], np.int8)]) == answer


def test_a_model_of_the_users_own_has_no_words() -> None:
    assert interpret_outputs(None, PAIR, [A, B]) is None


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "file", "answer"),
    [
        ("vww", "person_images/tinyengine_person_crop.png", "person"),
        ("vww", "person_images/tinyengine_no_person_crop.png", "no person"),
        ("mcunet-vww1", "person_images/tinyengine_person_crop.png", "person"),
        ("mcunet-vww1", "person_images/tinyengine_no_person_crop.png", "no person"),
        ("person-detect", "person_images/tflm_person.bmp", "person"),
        ("person-detect", "person_images/tflm_no_person.bmp", "no person"),
        ("kws", "kws01/tst_000000_Stop_7.bin", "stop"),
        ("kws", "micro_speech_wav/yes_1000ms.wav", "yes"),
        ("kws", "micro_speech_wav/silence_1000ms.wav", "silence"),
    ],
)
def test_people_are_seen_and_words_heard(
    name: str, file: str, answer: str, models_dir: Path, tmp_path: Path
) -> None:
    path = models_dir.parent / "datasets" / file
    if not path.exists():
        pytest.skip(f"no data sets beside BENCH_MODELS ({path})")
    model = find_model(name, places=Places(models_dir, tmp_path))
    graph = read_tflite(model.data, name=name)
    (sample,) = load_inputs(path, graph, model.entry).samples
    words = interpret_outputs(model.entry, graph, run(graph, sample))
    assert words is not None
    assert words.startswith(f"{answer} (")


@pytest.mark.models
def test_the_seeded_input_is_that_of_the_recorded_outputs(
    models_dir: Path, golden_dir: Path
) -> None:
    entry = catalog().entry("vww")
    graph = read_tflite((models_dir / entry.file).read_bytes(), name="vww")
    with np.load(golden_dir / f"{Path(entry.file).stem}.npz") as golden:
        np.testing.assert_array_equal(seeded_inputs(graph)[0], golden["input0"])
