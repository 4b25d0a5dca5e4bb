"""Reports: one table in four notations, pictures that hold their marks, claims that can fail."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from harness.report.case_plots import Mark, draw_sram, draw_work
from harness.report.formats import Format, Sheet, shown, write
from harness.report.store_sheet import store_sheet
from harness.results.record import Record
from harness.results.store import append
from tests.command import Bench
from tests.records import make_failed, make_record, make_timed
from tools import mcunet_claims, mcunet_report

SHEET = Sheet("A & B", ("name", "bytes", "ok"), (("x_1 | <y>", 12345, True), ("50 %", None, False)))


@pytest.mark.parametrize(
    ("cell", "text"),
    [(None, ""), (True, "yes"), (1234567, "1,234,567"), (1.5, "1.5"), (2.0, "2"), (0.0004, "0"),
     (12345.6, "12,346"), ("a", "a")],
)  # fmt: skip
def test_cells_are_shown_as_people_read_them(cell: str | float | bool | None, text: str) -> None:
    assert shown(cell) == text


def test_fractions_of_a_table_have_as_many_places_as_it_asks_for() -> None:
    table = Sheet("", ("a",), ((4.7,), (1234.5,), (9.0,)), decimals=2)
    assert list(table.shown) == [["4.70"], ["1,234.50"], ["9.00"]]


def test_markdown_escapes_and_aligns() -> None:
    lines = write([SHEET], Format.MD).splitlines()
    assert lines == [
        "## A & B", "", "| name | bytes | ok |", "|-|-:|-|",
        "| x_1 \\| <y> | 12,345 | yes |", "| 50 % |  | no |",
    ]  # fmt: skip


def test_csv_keeps_numbers() -> None:
    rows = list(csv.reader(io.StringIO(write([SHEET], Format.CSV))))
    assert rows == [["name", "bytes", "ok"], ["x_1 | <y>", "12345", "True"], ["50 %", "", "False"]]


def test_latex_escapes() -> None:
    text = write([SHEET], Format.LATEX)
    assert r"\caption{A \& B}" in text
    assert r"\begin{tabular}{lrl}" in text
    assert r"x\_1 | <y> & 12,345 & yes \\" in text
    assert r"50 \% &  & no \\" in text


def test_html_escapes() -> None:
    text = write([SHEET], Format.HTML)
    assert "<h1>A &amp; B</h1>" in text
    assert '<td>x_1 | &lt;y&gt;</td><td class="n">12,345</td>' in text


def test_a_store_is_a_row_a_case_without_empty_columns() -> None:
    records = [
        make_record(0), make_record(1, ops=(1, 2, 3)), make_record(2, model="ad"), make_failed(3),
    ]  # fmt: skip
    sheet = store_sheet(records, "x")
    rows = [dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows]
    assert [(row["model"], row["instructions"]) for row in rows] == [("ad", 1000), ("kws", None)]
    assert rows[1]["error"] == "no answer"
    assert not {"cycles", "latency_s", "input_by_rows", "sram_limit_bytes"} & set(sheet.columns)
    assert {"instructions", "cycles"} <= set(
        store_sheet([*records[:3], make_timed(9, [5.0])], "").columns
    )


def test_a_store_is_reported_in_every_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(monkeypatch, capsys)
    assert bench("report", "--store", tmp_path).code == 5
    append(tmp_path, make_record())
    for name, start in (("md", "## Rec"), ("csv", "model,"), ("latex", r"\begin"), ("html", "<!d")):
        result = bench("report", "--store", tmp_path, "--format", name)
        assert (result.code, result.out[: len(start)]) == (0, start)
    page = tmp_path / "page.html"
    assert bench("report", "--store", tmp_path, "--html", page).code == 0
    assert "nucleo-f746zg" in page.read_text()
    assert bench("report", "--store", tmp_path, "--where", "model = 'ad'").code == 5


def test_pictures_are_drawn_as_svg_and_png(tmp_path: Path) -> None:
    marks = [Mark("kws", "layer", 18_000, 5_000_000), Mark("kws", "stream", 8_000, 5_100_000)]
    for draw, name in ((draw_sram, "sram"), (draw_work, "work")):
        paths = [tmp_path / f"{name}.svg", tmp_path / f"{name}.png"]
        draw(marks, paths, title="Kilo & bytes")
        svg = paths[0].read_text()
        assert all(word in svg for word in ("kws", "layer", "stream", "Kilo &amp; bytes"))
        assert paths[1].read_bytes().startswith(b"\x89PNG")
    assert "18.0" in (tmp_path / "sram.svg").read_text()


def planned(schedule: str, peak: int, recompute: float, model: str = "mobilenet-v2") -> Record:
    record = make_record(model=model, schedule=schedule, peak=peak)
    assert record.schedule is not None
    part = record.schedule.model_copy(update={"recompute_ratio": recompute})
    return record.model_copy(update={"schedule": part})


@pytest.mark.parametrize(
    ("patch", "stream", "holds"),
    [
        ((1000, 1.09), (2000, 1.0), True),
        ((1000, 1.2), (900, 1.0), True),
        ((1000, 1.2), (1010, 1.0), False),
    ],
)
def test_the_claim_of_less_memory_can_fail(
    patch: tuple[int, float], stream: tuple[int, float], holds: bool
) -> None:
    claim = mcunet_claims.less_memory(
        planned("layer", 8000, 1.0), planned("patch", *patch), planned("stream", *stream)
    )
    assert claim.holds is holds
    assert "patch 8.0 times less at 1." in claim.ours


def test_the_claim_of_32_kb_can_fail() -> None:
    small, large = (planned("stream", peak, 1.0, "vww") for peak in (30_000, 31_000))
    assert mcunet_claims.in_32_kb([large, small]).holds  # 2,300 B of stack and data on top
    assert not mcunet_claims.in_32_kb([large]).holds


def test_the_claim_of_the_first_third_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcunet_claims, "peak_place", lambda model: {"a": 0.1, "b": 0.5}[model])
    assert mcunet_claims.first_third(["a"]).holds
    assert not mcunet_claims.first_third(["a", "b"]).holds


def test_the_report_has_all_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcunet_claims, "peak_place", lambda _: 0.1)
    records = [
        planned(schedule, 16_000, 1.0, model)
        for model in ("vww", "mcunet-vww0")
        for schedule in mcunet_report.SCHEDULES
    ]
    mcunet_report.write_report([*records, make_failed(model="mobilenet-v2")], tmp_path)
    text = (tmp_path / "README.md").read_text()
    assert "10 of 10 cases that ran are bit-exact" in text
    assert "TinyEngine README at commit 47bb283" in text
    assert "| mcunet-vww0 | 163 | 163 | 88 | 59 |" in text, "others' figures as they were printed"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "README.md", "cases.csv", "tables.tex", "sram.svg", "sram.png", "work.svg", "work.png",
    }  # fmt: skip
