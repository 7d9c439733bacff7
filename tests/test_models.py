"""Models: converted to ONNX when the answers agree, and loaded only when their bytes are those that were written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR

from bentoship.errors import InvalidConfiguration
from bentoship.models import to_onnx, write_digest
from bentoship.operations.onnx import convert
from bentoship.serving.models import Onnx, WrongModel, load

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(300, 3))
VALUES = ROWS @ [1.0, 2.0, 3.0] + RANDOM.normal(size=300)


class Trap:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_forest_answers_in_onnx_as_it_does_in_scikit_learn(tmp_path):
    forest = RandomForestRegressor(20, random_state=0).fit(ROWS, VALUES)
    done = to_onnx(forest, ROWS, tmp_path / "forest.onnx")
    assert (done.agrees, done.numbers, done.examples) == (True, "float64", 300)
    assert load(done.path).predict(ROWS) == pytest.approx(forest.predict(ROWS), rel=1e-6)
    assert done.before > done.after > 0


def test_the_same_model_gives_the_same_bytes(tmp_path):
    forest = RandomForestRegressor(5, random_state=0).fit(ROWS, VALUES)
    once, again = (to_onnx(forest, ROWS, tmp_path / name).path.read_bytes() for name in ("a.onnx", "b.onnx"))
    assert once == again


def test_what_can_be_computed_in_float64_is(tmp_path):
    done = to_onnx(LinearRegression().fit(ROWS, VALUES), ROWS, tmp_path / "linear.onnx", tolerance=1e-12)
    assert (done.agrees, done.numbers) == (True, "float64")


def test_labels_and_probabilities_of_classes_agree(tmp_path):
    labels = np.where(VALUES > 0, "yes", "no")
    forest = RandomForestClassifier(20, random_state=0).fit(ROWS, labels)
    onnx = load(to_onnx(forest, ROWS, tmp_path / "classes.onnx").path)
    assert list(onnx.predict(ROWS)) == list(forest.predict(ROWS))
    assert onnx.predict_proba(ROWS) == pytest.approx(forest.predict_proba(ROWS), abs=1e-6)


def test_columns_of_numbers_and_of_text_are_given_by_name(tmp_path):
    frame = pd.DataFrame({"size": ROWS[:, 0], "town": np.where(ROWS[:, 1] > 0, "Ulm", "Bonn")})
    towns = make_column_transformer((OneHotEncoder(), ["town"]), remainder="passthrough")
    fitted = make_pipeline(towns, LinearRegression()).fit(frame, VALUES)
    done = to_onnx(fitted, frame, tmp_path / "towns.onnx")
    assert done.agrees, done
    assert load(done.path).predict(frame) == pytest.approx(fitted.predict(frame), rel=1e-6)


def test_whole_numbers_of_the_examples_are_no_whole_numbers_of_the_model(tmp_path):
    frame = pd.DataFrame({"size": range(300), "age": ROWS[:, 1]})
    fitted = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, VALUES)
    onnx = load(to_onnx(fitted, frame, tmp_path / "sizes.onnx").path)
    halves = frame.assign(size=frame["size"] + 0.5)
    assert onnx.predict(halves) == pytest.approx(fitted.predict(halves), rel=1e-6)


def test_a_model_that_takes_whole_numbers_refuses_fractions(tmp_path):
    skl2onnx = pytest.importorskip("skl2onnx", reason="ONNX is an extra")
    whole = np.arange(20).reshape(-1, 1)
    onnx = Onnx(skl2onnx.to_onnx(LinearRegression().fit(whole, whole[:, 0]), whole[:1]).SerializeToString())
    assert onnx.predict(np.array([[3.0], [4.0]])) == pytest.approx([3.0, 4.0], rel=1e-5)
    with pytest.raises(ValueError, match="whole numbers"):
        onnx.predict(np.array([[3.5]]))


def test_a_model_is_not_converted_onto_itself(tmp_path):
    done = to_onnx(LinearRegression().fit(ROWS, VALUES), ROWS, tmp_path / "model.onnx")
    np.save(tmp_path / "rows.npy", ROWS)
    (tmp_path / "alias.onnx").symlink_to(done.path)
    for output in (None, done.path, tmp_path / "alias.onnx"):
        with pytest.raises(InvalidConfiguration, match=r"is an ONNX file already|is the model itself"):
            convert(done.path, tmp_path / "rows.npy", output=output)
    assert load(done.path).predict(ROWS[:1]).shape == (1,)


@pytest.mark.parametrize("rows", [np.array(1.0), np.zeros(3), np.array([["a"]])])
def test_an_array_that_is_no_rows_is_told(tmp_path, rows):
    model = tmp_path / "model.joblib"
    joblib.dump(LinearRegression().fit(ROWS, VALUES), model)
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(InvalidConfiguration, match="save an array of numbers, rows by features"):
        convert(model, tmp_path / "rows.npy")


def test_where_they_differ_is_told_and_nothing_is_written(tmp_path):
    machine, path = SVR().fit(ROWS, VALUES), tmp_path / "machine.onnx"
    done = to_onnx(machine, ROWS, path, tolerance=1e-9)
    assert not done.agrees
    first = done.differences[0]
    assert first.expected == machine.predict(ROWS)[first.example - 1]
    assert f"example {first.example}: predict gives {first.expected} in scikit-learn and {first.got}" in str(done)
    assert f"and {done.differing - 5} more" in str(done)
    assert list(tmp_path.iterdir()) == []


def test_the_onnx_file_of_an_earlier_model_does_not_stay(tmp_path):
    path = tmp_path / "model.onnx"
    assert to_onnx(LinearRegression().fit(ROWS, VALUES), ROWS, path).agrees
    assert not to_onnx(SVR().fit(ROWS, VALUES), ROWS, path, tolerance=1e-9).agrees
    assert list(tmp_path.iterdir()) == []


def test_what_the_converter_does_not_know_is_told(tmp_path):
    class Own(LinearRegression):
        pass

    done = to_onnx(Own().fit(ROWS, VALUES), ROWS, tmp_path / "own.onnx")
    assert not done.agrees
    assert "the model stays as it is" in str(done)
    assert "Own" in done.fault


def test_no_examples_compare_nothing(tmp_path):
    with pytest.raises(InvalidConfiguration, match="there are none"):
        to_onnx(LinearRegression().fit(ROWS, VALUES), ROWS[:0], tmp_path / "linear.onnx")


def test_a_file_that_was_touched_is_refused_before_it_is_read(tmp_path):
    path, trap = tmp_path / "model.joblib", tmp_path / "sprung"
    joblib.dump(LinearRegression().fit(ROWS, VALUES), path)
    write_digest(path)
    assert load(path).predict(ROWS).shape == (300,)
    joblib.dump(Trap(trap), path)
    with pytest.raises(WrongModel, match=r"says another one"):
        load(path)
    assert not trap.exists()


def test_a_digest_of_sha256sum_is_one(tmp_path):
    path = tmp_path / "model.joblib"
    joblib.dump(LinearRegression().fit(ROWS, VALUES), path)
    with pytest.raises(WrongModel, match=r"sha256sum model.joblib >model.joblib.sha256"):
        load(path)
    with (tmp_path / "model.joblib.sha256").open("w") as beside:
        subprocess.run(["sha256sum", "model.joblib"], cwd=tmp_path, stdout=beside, check=True)
    assert load(path).coef_.shape == (3,)


def test_types_of_a_skops_file_are_trusted_by_name(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(RandomForestRegressor(2, random_state=0).fit(ROWS, VALUES), path)
    write_digest(path)
    with pytest.raises(WrongModel, match=r"sklearn.tree._tree.Tree"):
        load(path)
    assert load(path, trusted=["sklearn.tree._tree.Tree"]).predict(ROWS).shape == (300,)


@pytest.fixture
def trained(tmp_path) -> Path:
    joblib.dump(LinearRegression().fit(ROWS, VALUES), tmp_path / "model.joblib")
    (tmp_path / "rows.csv").write_text("c,a,b\n" + "".join(f"{c},{a},{b}\n" for a, b, c in ROWS[:20]))
    return tmp_path


def test_the_command_tells_both_answers_and_leaves_with_1_when_they_differ(trained):
    joblib.dump(SVR().fit(ROWS, VALUES), trained / "model.joblib")
    words = ("onnx", "model.joblib", "--examples", "rows.csv", "--columns", "a,b,c", "--tolerance", "1e-9")
    command = [sys.executable, "-m", "bentoship", *words]
    done = subprocess.run(command, cwd=trained, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("model.joblib: not converted, the model stays as it is (float32, tolerance 1e-09):")
    assert not (trained / "model.onnx").exists()


def test_rows_of_a_file_are_given_in_the_order_of_the_model(trained):
    done = convert(trained / "model.joblib", trained / "rows.csv", columns=("a", "b", "c"))
    assert (done.path, done.agrees, done.examples) == (trained / "model.onnx", True, 20)
    expected = joblib.load(trained / "model.joblib").predict(ROWS)
    assert load(trained / "model.onnx").predict(ROWS) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("model", "examples", "columns", "said"),
    [
        ("missing.joblib", "rows.csv", (), "missing.joblib: can't be read"),
        ("broken.joblib", "rows.csv", (), "broken.joblib: can't be loaded"),
        ("model.joblib", "rows.txt", (), "is no file of rows; the suffixes are .csv"),
        ("model.joblib", "words.csv", (), "words.csv, row 1: c: 'three' is not a number"),
        ("model.joblib", "two.csv", (), "2 columns (a, b), and the model takes 3"),
        ("model.joblib", "rows.csv", ("a", "b", "d"), "has no column d; it has c, a, b"),
    ],
)
def test_mistakes_are_sentences(trained, model, examples, columns, said):
    (trained / "words.csv").write_text("a,b,c\n1,2,three\n")
    (trained / "two.csv").write_text("a,b\n1,2\n")
    (trained / "broken.joblib").write_bytes(b"no model")
    with pytest.raises(InvalidConfiguration) as raised:
        convert(trained / model, trained / examples, columns=columns)
    assert said in str(raised.value)
