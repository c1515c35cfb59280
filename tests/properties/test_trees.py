"""For any tree: roots, paths and consistency are those of RFC 9162's recursive definitions."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from affiant.kernel import merkle
from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError

from .strategies import QUICK

LARGEST = 70
LEAVES = [merkle.leaf_hash(bytes([n])) for n in range(LARGEST)]


class Tree:
    """The complete subtrees of a growing tree, as a log stores them."""

    def __init__(self, size: int) -> None:
        self.stored: dict[tuple[int, int], bytes] = {}
        for level, index, value in merkle.new_nodes(self.nodes, 0, LEAVES[:size]):
            self.stored[level, index] = value

    def nodes(self, level: int, index: int) -> bytes:
        """Return the hash of a stored subtree; ask for no other."""
        return self.stored[level, index]


def root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < k:
        return [*path(index, leaves[:k]), root(leaves[k:])]
    return [*path(index - k, leaves[k:]), root(leaves[:k])]


def subproof(old: int, leaves: list[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 section 2.1.4.1."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if old <= k:
        return [*subproof(old, leaves[:k], whole=whole), root(leaves[k:])]
    return [*subproof(old - k, leaves[k:], whole=False), root(leaves[:k])]


WHOLE = Tree(LARGEST)
sizes = st.integers(1, LARGEST)


def test_only_complete_subtrees_are_stored() -> None:
    """A growing tree stores each complete subtree once, and asks for no other."""
    for size in range(LARGEST + 1):
        stored = Tree(size).stored
        assert set(stored) == {(k, n) for k in range(7) for n in range(size >> k)}


def test_every_root() -> None:
    """The root of every size is the RFC's."""
    for size in range(LARGEST + 1):
        assert merkle.root_of(WHOLE.nodes, size) == root(LEAVES[:size])


@QUICK
@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_growing_in_two_steps(first: int, second: int) -> None:
    """A tree that grew in two steps stores what a tree built at once stores."""
    assume(first <= second)
    tree = Tree(first)
    for level, index, value in merkle.new_nodes(tree.nodes, first, LEAVES[first:second]):
        tree.stored[level, index] = value
    assert tree.stored == Tree(second).stored


@QUICK
@given(sizes, st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    """Every leaf of every tree has the RFC's path, and the path leads to the RFC's root."""
    index = data.draw(st.integers(0, size - 1))
    made = merkle.inclusion_path(WHOLE.nodes, index, 0, size)
    assert made == path(index, LEAVES[:size])
    assert merkle.root_from_path(LEAVES[index], index, size, made) == root(LEAVES[:size])


def test_inclusion_in_every_right_edge_subtree() -> None:
    """In [start, end) with start a peak's start, a path is the RFC's over those leaves alone."""
    for end in range(1, LARGEST + 1):
        starts = [index << level for level, index in merkle.peak_places(0, end)]
        for start in starts:
            leaves = LEAVES[start:end]
            assert merkle.subtree_root(WHOLE.nodes, start, end) == root(leaves)
            for index in {start, (start + end) // 2, end - 1}:
                made = merkle.inclusion_path(WHOLE.nodes, index, start, end)
                assert made == path(index - start, leaves)
                told = merkle.root_from_path(LEAVES[index], index - start, end - start, made)
                assert told == root(leaves)


@QUICK
@given(sizes, st.data())
def test_an_altered_path_is_refused(size: int, data: st.DataObject) -> None:
    """A path that is shorter, longer or altered is refused or leads elsewhere."""
    index = data.draw(st.integers(0, size - 1))
    good = merkle.inclusion_path(WHOLE.nodes, index, 0, size)
    for wrong in (good[:-1], good[1:], [*good, LEAVES[0]]):
        if wrong == good:
            continue
        with pytest.raises(MalformedError):
            merkle.root_from_path(LEAVES[index], index, size, wrong)
    for place in range(len(good)):
        altered = [*good[:place], sha256(good[place]), *good[place + 1 :]]
        assert merkle.root_from_path(LEAVES[index], index, size, altered) != root(LEAVES[:size])


@QUICK
@given(sizes, sizes, st.data())
def test_a_path_is_of_one_place(size: int, other: int, data: st.DataObject) -> None:
    """A path for one index and size proves no other index, and no other leaf."""
    index = data.draw(st.integers(0, size - 1))
    wrong = data.draw(st.integers(0, other - 1))
    good = merkle.inclusion_path(WHOLE.nodes, index, 0, size)
    wanted = root(LEAVES[:size])
    for leaf, at, total in ((LEAVES[index], wrong, size), (LEAVES[wrong], index, size)):
        if (leaf, at) == (LEAVES[index], index):
            continue
        try:
            told = merkle.root_from_path(leaf, at, total, good)
        except MalformedError:
            continue
        assert told != wanted


@QUICK
@given(sizes, sizes)
def test_consistency(old: int, new: int) -> None:
    """Between any two sizes the proof is the RFC's, and it joins the RFC's roots."""
    old, new = sorted((old, new))
    made = merkle.consistency_path(WHOLE.nodes, old, new)
    assert made == subproof(old, LEAVES[:new], whole=True)
    merkle.check_consistency(old, new, root(LEAVES[:old]), root(LEAVES[:new]), made)


@QUICK
@given(sizes, sizes)
def test_an_altered_consistency_proof_is_refused(old: int, new: int) -> None:
    """A proof that is shorter, longer or altered, or other roots, are refused."""
    old, new = sorted((old, new))
    first, second = root(LEAVES[:old]), root(LEAVES[:new])
    good = merkle.consistency_path(WHOLE.nodes, old, new)
    wrong = [good[:-1], good[1:], [*good, LEAVES[0]]]
    wrong += [[*good[:n], sha256(good[n]), *good[n + 1 :]] for n in range(len(good))]
    for proof in wrong:
        if proof == good:
            continue
        with pytest.raises(MalformedError):
            merkle.check_consistency(old, new, first, second, proof)
    for roots in ((sha256(first), second), (first, sha256(second))):
        with pytest.raises(MalformedError):
            merkle.check_consistency(old, new, *roots, good)


@QUICK
@given(st.integers(1, LARGEST - 1), st.integers(1, LARGEST - 1), st.data())
def test_a_rewritten_log_is_not_consistent(old: int, new: int, data: st.DataObject) -> None:
    """A log that changed any leaf it had before cannot join its old root to its new one."""
    old, new = sorted((old, new))
    place = data.draw(st.integers(0, old - 1))
    forged = [*LEAVES[:place], sha256(b"forged"), *LEAVES[place + 1 : new]]
    proof = subproof(old, forged, whole=True)
    with pytest.raises(MalformedError):
        merkle.check_consistency(old, new, root(LEAVES[:old]), root(forged), proof)


@QUICK
@given(
    st.integers(-2, 1 << 63),
    st.integers(-2, 1 << 63),
    st.lists(st.sampled_from(LEAVES), max_size=70),
)
def test_any_proof_is_checked_or_refused(first: int, second: int, proof: list[bytes]) -> None:
    """Whatever sizes and hashes arrive, a check returns or raises MalformedError."""
    for check in (
        lambda: merkle.root_from_path(LEAVES[0], first, second, proof),
        lambda: merkle.check_consistency(first, second, LEAVES[0], LEAVES[1], proof),
    ):
        try:
            check()
        except MalformedError:
            continue
