"""What hypothesis draws from: JSON, CBOR, actions, and a few sworn things."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from affiant.kernel import body, merkle, receipt, statement
from affiant.kernel.action import Action
from affiant.kernel.encoding import sha256
from affiant.kernel.identity import Ed25519Key, LedgerKey

# The search is the same on every run; HYPOTHESIS_EXAMPLES asks for a longer one.
QUICK = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "150")),
    deadline=None,
    derandomize="HYPOTHESIS_EXAMPLES" not in os.environ,
    database=None,
)

AGENT = LedgerKey(sha256(b"agent"))
DEVICE = Ed25519Key(sha256(b"device"))
LOG = Ed25519Key(sha256(b"log"))
ORIGIN = "log.example/a"
NOW = 1_800_000_000

SWORN = statement.sign(body.DECISION, sha256(b"subject"), sha256(b"body"), AGENT, NOW)
BY_DEVICE = statement.sign(body.OBSERVATION, sha256(b"subject"), sha256(b"body"), DEVICE, NOW)
SIBLING = sha256(b"sibling")
ROOT = merkle.node_hash(SIBLING, SWORN.leaf)
RECEIPT = receipt.Receipt(2, 1, (SIBLING,), receipt.sign_root(ORIGIN, ROOT, LOG)).encode(
    ORIGIN, LOG.public
)

SAFE = (1 << 53) - 1
scalars: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.integers(-SAFE, SAFE)
    | st.floats(-1e15, 1e15, allow_nan=False)
    | st.text(max_size=12)
)
json_values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
cbor_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 64), (1 << 64) - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(0, 1 << 20) | st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
actions: st.SearchStrategy[Action] = st.builds(
    Action,
    epoch=st.integers(0, (1 << 32) - 1),
    nonce=st.integers(0, (1 << 256) - 1),
    model=st.binary(min_size=32, max_size=32),
    target=st.binary(min_size=20, max_size=20),
    value=st.integers(0, (1 << 256) - 1),
    data=st.binary(max_size=100),
    deadline=st.integers(0, SAFE),
    relayer=st.binary(min_size=20, max_size=20),
    salt=st.binary(min_size=32, max_size=32),
)
