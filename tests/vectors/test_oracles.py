"""Independent implementations agree with the vectors, and were asked about these very bytes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
RESULTS = json.loads((FOLDER / "oracle-results.json").read_bytes())
ASKED = sorted(RESULTS["files"])
# Rules of ours that the libraries do not have: COSE leaves header order, names and times open.
# A vector refused by one of these may be accepted by them; every other one may not.
OURS = {
    "alg-mismatch",
    "bad-did",
    "bad-header",
    "bad-receipt",
    "bad-time",
    "duplicate-key",
    "high-s",
    "kid-mismatch",
    "kind-mismatch",
    "not-cbor",
    "not-deterministic",
    "trailing-byte",
    "unprotected-header",
    "wrong-length",
}


def read(name: str) -> Any:
    """Return a vector file's content."""
    return json.loads((FOLDER / name).read_bytes())


def expected(name: str) -> set[str]:
    """Return the names of the vectors that an oracle must have been asked about."""
    file = read(name)
    if name == "merkle.json":
        names = {f"root {size}" for size in range(1, len(file["roots"]))}
        names |= {f"inclusion {c['index']} of {c['size']}" for c in file["inclusion"]}
        return names | {f"consistency {c['old']} to {c['new']}" for c in file["consistency"]}
    if name == "receipt.json":
        names = {f"receipt of entry {c['index']}" for c in file["valid"]} | {"transparent"}
        return names | {c["name"] for c in file["invalid"]}
    if name == "checkpoint.json":
        return {"vkey"} | {
            case["name"]
            for part in ("policies", "checkpoints", "invalid_notes")
            for case in file[part]
        }
    if name == "jcs.json":
        return {c["ieee754"] for c in file["numbers"]} | {c["name"] for c in file["examples"]}
    more = {"statement.json": "invalid", "suspension.json": "alerts"}
    parts = ("valid", more[name]) if name in more else ("valid",)
    return {c["name"] for part in parts for c in file[part]}


def refused(name: str) -> dict[str, str]:
    """Return the reason of each vector that must be refused."""
    parts = [part for key, part in read(name).items() if key.startswith("invalid")]
    return {case["name"]: case["reason"] for part in parts for case in part}


@pytest.mark.parametrize("name", ASKED)
def test_results_are_of_these_files(name: str) -> None:
    """The oracles were asked about the vector file as it is now (else run `make oracles`)."""
    assert RESULTS["files"][name] == hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ASKED)
def test_every_vector_was_judged(name: str) -> None:
    """No vector was left out, and each was judged by at least one implementation."""
    assert set(RESULTS["said"][name]) == expected(name)
    assert all(RESULTS["said"][name].values())


def test_every_file_was_judged() -> None:
    """Only mandate.json has no outside oracle: the contract is its other implementation."""
    files = {path.name for path in FOLDER.glob("*.json")}
    assert files - set(ASKED) == {"mandate.json", "oracle-results.json"}


@pytest.mark.parametrize("name", ASKED)
def test_oracles_accept_what_is_valid(name: str) -> None:
    """Every implementation agrees with every valid vector."""
    bad = refused(name)
    for vector, answers in RESULTS["said"][name].items():
        if vector not in bad:
            assert set(answers.values()) == {True}, (vector, answers)


@pytest.mark.parametrize("name", ASKED)
def test_oracles_refuse_what_no_one_may_accept(name: str) -> None:
    """Every implementation refuses a bad signature, path, note or COSE structure."""
    bad = refused(name)
    for vector, answers in RESULTS["said"][name].items():
        if vector in bad and bad[vector] not in OURS:
            assert set(answers.values()) == {False}, (vector, answers)


def test_an_oracle_is_lax_where_we_are_strict() -> None:
    """The invalid vectors are well signed: cwt accepts one of every rule that is ours alone."""
    bad, said = refused("statement.json"), RESULTS["said"]["statement.json"]
    lax = {bad[vector] for vector, answers in said.items() if vector in bad and answers["cwt"]}
    assert lax == OURS - {"bad-receipt"}


def test_versions_are_those_of_the_lock() -> None:
    """The oracles had the versions that requirements/oracles.txt pins."""
    lock = "\n" + (FOLDER.parents[1] / "requirements" / "oracles.txt").read_text()
    for name, version in RESULTS["versions"].items():
        assert f"\n{name}=={version} \\" in lock
