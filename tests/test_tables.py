"""Files of rows: read one at a time, and refused with every line that is no row."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from pyarrow import parquet

from bentoship.errors import InvalidConfiguration
from bentoship.tables import open_table


def test_rows_of_csv_are_text_and_empty_cells_are_none(tmp_path):
    (tmp_path / "a.csv").write_bytes('\ufeffa,b\r\n1,"x,\ny"\r\n\r\n,ü\r\n'.encode())
    table = open_table(tmp_path / "a.csv")
    assert (table.columns, table.count) == (("a", "b"), 2)
    assert list(table.rows()) == [{"a": "1", "b": "x,\ny"}, {"a": None, "b": "ü"}]
    assert list(table.rows(1)) == [{"a": None, "b": "ü"}]


def test_rows_of_json_lines_are_the_lines(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"a": 1.10}\n\n[1, 2]\n"\u2028"')
    table = open_table(tmp_path / "a.jsonl")
    assert (table.columns, table.count) == (None, 3)
    assert list(table.rows()) == ['{"a": 1.10}', "[1, 2]", '"\u2028"']


def test_rows_of_parquet_are_values(tmp_path):
    days = [dt.date(2026, 1, 1), None]
    parquet.write_table(pa.table({"a": [1.5, None], "day": days}), tmp_path / "a.parquet")
    table = open_table(tmp_path / "a.parquet")
    assert (table.columns, table.count) == (("a", "day"), 2)
    assert list(table.rows(1)) == [{"a": None, "day": None}]


def test_the_bytes_of_a_file_tell_it_from_another(tmp_path):
    for name, text in (("a.csv", "a\n1\n"), ("b.csv", "a\n1\n"), ("c.csv", "a\n2\n")):
        (tmp_path / name).write_text(text)
    first, same, other = (open_table(tmp_path / name).sha256 for name in ("a.csv", "b.csv", "c.csv"))
    assert first == same != other


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"a,b\n1,2,3\n1,2\n1\n", ("a.csv:2: has 3 cells, not 2", "a.csv:4: has 1 cells, not 2")),
        ("a.csv", b"a,a\n1,2\n", ("has a column twice: a",)),
        ("a.csv", b"a,\n1,2\n", ("has a column without a name",)),
        ("a.csv", b"a,b\n", ("has no rows",)),
        ("a.csv", b"", ("has no rows",)),
        ("a.csv", b"a\n\xff\n", ("is not UTF-8",)),
        ("a.csv", b'a,text\n1,"hello\n2,world\n', ("is no CSV: unexpected end of data",)),
        ("a.jsonl", b'{"a": 1}\n{"a"\n1 2\n', ("a.jsonl:2: is not JSON", "a.jsonl:3: is not JSON")),
        ("a.parquet", b"PAR1", ("is no Parquet file",)),
        ("a.xlsx", b"", ("is no file of rows; the suffixes are .csv, .jsonl, .parquet",)),
        ("none.csv", None, ("can't be read (No such file or directory)",)),
    ],
)
def test_what_is_no_row_is_told(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidConfiguration) as raised:
        open_table(tmp_path / name)
    for sentence in said:
        assert sentence in str(raised.value)
