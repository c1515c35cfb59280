"""The fraud score of accounts: five folds of the Ethereum data set, without its duplicates.

Beside a random forest on the same rows and folds. All accounts with blank token columns are fraud
in this data set. Kept, the blanks give the label away; the shipped model reads them as zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]
from training.fraud import (
    FALSE_POSITIVES,
    SEED,
    THRESHOLD,
    Learn,
    Matrix,
    Predict,
    Table,
    boosted,
    calibration,
    held_out,
    measures,
    read_table,
    source,
    validate,
)

from affiant.verticals.security.fraud import FraudModel, read_accounts
from bench.run import Figure, Run, median, rounded, spread

RECALL = "recall_at_1_percent_false_positives"


def measure(run: Run) -> list[Figure]:
    """Cross-validate both ways of reading a blank; then time the shipped model."""
    if not source().exists():
        return [Figure("AUC", None, "", ">= 0.995", note=f"no {source().name}: set AFFIANT_DATA")]
    table = read_table(source())
    forest = _forest(run.times(20, 100))
    return [
        *_compared(table.rows, table.fraud, forest, "blanks kept", goals=True),
        *_compared(table.zeroed, table.fraud, forest, "as shipped", goals=False),
        *_without_tokens(table),
        *_speed(run),
    ]


def _compared(rows: Matrix, fraud: Matrix, forest: Learn, how: str, *, goals: bool) -> list[Figure]:
    """Return how good the shipped settings and the forest are on these rows."""
    _, ours = validate(rows, fraud)
    votes = held_out(rows, fraud, forest)
    peer = measures(fraud, votes, votes)
    note = f"{len(fraud):,} accounts, {fraud.mean():.1%} fraud; peer: random forest"
    told = {
        "AUC": ("auc", ">= 0.995", note),
        "F1": ("f1", ">= 0.96", f"threshold {THRESHOLD}, fixed beforehand"),
        f"recall at {FALSE_POSITIVES:.0%} false positives": (RECALL, None, ""),
        "Brier score": ("brier", None, "calibrated on the other folds; the forest is not"),
        "calibration error": ("expected_calibration_error", None, "10 bins; as above"),
    }
    return [
        Figure(
            f"{name}, {how}",
            rounded(ours[key]),
            "",
            goal if goals else None,
            rounded(peer[key]),
            remark,
        )
        for name, (key, goal, remark) in told.items()
    ]


def _without_tokens(table: Table) -> list[Figure]:
    """Return what is left without token columns, and what a blank does to ordinary accounts."""
    rows, fraud, tokens = table.zeroed, table.fraud, table.tokens
    _, bare = validate(rows[:, ~tokens], fraud)
    zero = _called_fraud(rows, np.where(tokens, 0.0, rows), fraud)
    blank = _called_fraud(table.rows, np.where(tokens, np.nan, table.rows), fraud)
    return [
        Figure("AUC, no token columns", rounded(bare["auc"]), "", note=f"F1 {bare['f1']:.3f}"),
        Figure(
            "ordinary accounts called fraud if their tokens are unknown",
            rounded(100 * zero),
            "%",
            note="blanks read as zero, as shipped; peer: the same trees with blanks kept",
            peer=rounded(100 * blank),
        ),
    ]


def _called_fraud(rows: Matrix, seen: Matrix, fraud: Matrix) -> float:
    """Return the share of ordinary accounts called fraud by models that learned from `rows`."""
    raw, asked = held_out(rows, fraud, boosted), held_out(rows, fraud, boosted, seen)
    slope, intercept = calibration(raw, fraud)
    called = slope * asked + intercept >= 0  # a probability of one half, as THRESHOLD
    return float(called[fraud == 0].mean())


def _speed(run: Run) -> list[Figure]:
    """Return what one account takes, reasons included: alone, and in a file."""
    model = FraudModel.load()
    read = _seconds(lambda: read_accounts(source()))
    accounts = [account for _, account in read_accounts(source())]
    alone = [
        1000 * _seconds(lambda account=account: model.score(account))  # type: ignore[misc]
        for account in accounts[: run.times(50, 500)]
    ]
    many = [1000 * _seconds(lambda: model.scores(accounts)) for _ in range(run.times(1, 3))]
    each = [1000 * taken / len(accounts) for taken in many]
    return [
        Figure("one account, with reasons", median(alone), "ms", note=spread(alone, "ms")),
        Figure(
            "an account among many, with reasons",
            median(each),
            "µs",
            note=f"{len(accounts):,} at once; reading their file takes {read:.2g} s more",
        ),
    ]


def _forest(trees: int) -> Learn:
    """Return how a random forest learns: the settings of its makers, `trees` trees."""

    def learn(rows: Matrix, fraud: Matrix) -> Predict:
        forest = RandomForestClassifier(trees, random_state=SEED, n_jobs=1).fit(rows, fraud)
        return lambda new: np.asarray(forest.predict_proba(new)[:, 1])

    return learn


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
