"""The scoring of the Numenta Anomaly Benchmark, against values worked out by hand."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from bench.security_nab import (
    Floats,
    Stream,
    held_out,
    load,
    probation,
    sweep,
    windowed_gaussian,
    worth,
)

#: 15 rows of probation; a window of 20 rows, and 40 rows after it.
STREAM = Stream("one", (0.0,) * 100, ((40, 59),))
EDGE = 2 / (1 + math.exp(-5)) - 1


def detections(*rows: int, stream: Stream = STREAM) -> Floats:
    """Return scores of 1 at these rows, 0 elsewhere."""
    scores = np.zeros(len(stream.values))
    scores[list(rows)] = 1
    return scores


def score(*rows: int, stream: Stream = STREAM) -> float:
    """Return the normalized score where exactly these rows are detected."""
    found = sweep([stream], [detections(*rows, stream=stream)])
    return found.normalized(found.at(1.0))


def late(row: int) -> float:
    """Return what a detection in the window is worth: its distance from the end, in widths."""
    return (2 / (1 + math.exp(-5 * (60 - row) / 20)) - 1) / EDGE


def test_the_perfect_detector_has_100() -> None:
    """The first row of every window, and no other, is the perfect score."""
    assert score(40) == pytest.approx(100)
    two = Stream("two", (0.0,) * 200, ((50, 69), (120, 139)))
    assert score(50, 120, stream=two) == pytest.approx(100)


def test_the_null_detector_has_0() -> None:
    """Equal scores everywhere are best left undetected, and that is 0."""
    found = sweep([STREAM], [np.full(100, 0.5)])
    assert found.normalized(found.best) == 0
    assert found.thresholds[found.best] == math.inf


def test_a_late_detection_earns_less() -> None:
    """Detecting at row 50 of 40 to 59 is worth 0.8598, so 92.99 of 100."""
    assert score(50) == pytest.approx(100 * (late(50) + 1) / 2)
    assert score(50) == pytest.approx(92.99, abs=1e-2)


def test_only_the_earliest_detection_counts() -> None:
    """Further detections in a window change nothing."""
    assert score(45, 50, 59) == pytest.approx(score(45))
    assert score(40, *range(41, 60)) == pytest.approx(100)


def test_a_false_alarm_before_any_window_costs_all() -> None:
    """One false alarm costs 0.11 of the 2 between missing and finding one window."""
    assert score(20, 40) == pytest.approx(100 - 100 * 0.11 / 2)
    assert score(20) == pytest.approx(-100 * 0.11 / 2)


def test_a_false_alarm_soon_after_a_window_costs_less() -> None:
    """One row after a window costs little, 30 rows more, and from three widths on 0.11."""
    cost = 0.11 * (1 - 2 / (1 + math.exp(5 / 19)))
    assert score(40, 60) == pytest.approx(100 - 50 * cost)
    assert score(40, 60) > score(40, 89)
    value, _ = worth(Stream("long", (0.0,) * 200, ((40, 59),)))
    assert value[59 + 3 * 19] == -0.11
    assert -0.11 < value[59 + 3 * 19 - 1] < -0.1099


def test_the_probation_counts_for_nothing() -> None:
    """Rows of the first 15 %, and of at most 5,000 rows, neither cost nor earn."""
    assert score(0, 14, 40) == pytest.approx(100)
    assert score(15, 40) < 99
    assert probation(STREAM) == 15
    assert probation(Stream("long", (0.0,) * 9999, ())) == 750


def test_each_window_missed_costs_one() -> None:
    """Finding one of two windows is half of the way."""
    two = Stream("two", (0.0,) * 200, ((50, 69), (120, 139)))
    assert score(50, stream=two) == pytest.approx(50)


def test_the_threshold_is_the_best_one_for_all_files() -> None:
    """Files share it: a false alarm at 0.9 in one is the price of a window at 0.8 in the other."""
    quiet = Stream("quiet", (0.0,) * 100, ())
    found = sweep([STREAM, quiet], [0.8 * detections(40), 0.9 * detections(70)])
    assert found.thresholds[found.best] == 0.8
    assert found.normalized(found.best) == pytest.approx(100 - 100 * 0.11 / 2)
    assert found.thresholds.tolist() == [math.inf, 0.9, 0.8, 0.0]


def test_equal_scores_are_detected_together() -> None:
    """A threshold cannot part rows of the same score, in whichever order they come."""
    found = sweep([STREAM], [detections(20, 40, 90)])
    assert len(found.totals) == 3
    assert found.normalized(1) == pytest.approx(score(20, 40, 90))


def test_the_held_out_half_has_the_threshold_of_the_other() -> None:
    """The second file is judged where the first one is best, though it would choose otherwise."""
    first, second = 0.8 * detections(40), 0.7 * detections(40)
    assert held_out([STREAM, STREAM], [first, second]) == 0
    assert held_out([STREAM, STREAM], [second, first]) == pytest.approx(100)


def test_the_peer_is_the_windowed_gaussian() -> None:
    """Its score is 1 less the normal tail by the rows before: a half at the mean, 1 far out."""
    values = (1.0, 3.0) * 50
    found = windowed_gaussian(Stream("x", (*values, 2.0, 4.0, 100.0), ()))
    assert found[0] == 0
    assert found[100] == 0.5
    deviation = math.sqrt(100 / 101)
    assert found[101] == pytest.approx(1 - math.erfc(2 / deviation / math.sqrt(2)) / 2)
    assert found[102] == 1


def test_the_peer_moves_on_by_a_hundred() -> None:
    """Once 6,400 rows are known, a hundred more pass before any of them counts."""
    values = (0.0, 2.0) * 3200 + (50.0,) * 101
    found = windowed_gaussian(Stream("x", values, ()))
    assert set(found[6400:6500]) == {1.0}
    assert found[6500] < 1


def test_labels_name_rows_by_their_time(tmp_path: Path) -> None:
    """Windows are found by the time of their rows, whose fractions of a second are left out."""
    (tmp_path / "data/group").mkdir(parents=True)
    (tmp_path / "labels").mkdir()
    rows = "".join(f"2020-01-01 00:00:0{second},{second}.5\n" for second in range(9))
    (tmp_path / "data/group/x.csv").write_text("timestamp,value\n" + rows, "utf-8")
    window = ["2020-01-01 00:00:03.000000", "2020-01-01 00:00:05.000000"]
    labels = json.dumps({"group/x.csv": [window]})
    (tmp_path / "labels/combined_windows.json").write_text(labels, "utf-8")
    (stream,) = load(tmp_path)
    assert stream.windows == ((3, 5),)
    assert stream.values[:2] == (0.5, 1.5)
