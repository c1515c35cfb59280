"""Claims about the tree beyond the vectors and properties."""

from __future__ import annotations

import pytest

from affiant.kernel import merkle
from affiant.kernel.encoding import sha256

from .refusals import refused

LEAVES = [sha256(bytes([n])) for n in range(7)]


def nodes(level: int, index: int) -> bytes:
    """Return the hash of a complete subtree, computed from the leaves."""
    if level == 0:
        return LEAVES[index]
    return merkle.node_hash(nodes(level - 1, 2 * index), nodes(level - 1, 2 * index + 1))


def test_leaf_and_node_are_told_apart() -> None:
    """A leaf that holds two hashes is not the node over them."""
    left, right = LEAVES[:2]
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


def test_peaks_are_the_bits_of_the_size() -> None:
    """From 0 the peaks are the set bits of the size, the largest first."""
    assert merkle.peak_places(0, 7) == [(2, 0), (1, 2), (0, 6)]
    assert merkle.peak_places(0, 8) == [(3, 0)]
    assert merkle.peak_places(5, 5) == []


def test_an_extension_is_aligned() -> None:
    """From an old size the subtrees are aligned, so that they merge with what is there."""
    assert merkle.peak_places(3, 7) == [(0, 3), (1, 2), (0, 6)]
    assert merkle.peak_places(6, 16) == [(1, 3), (3, 1)]


def test_the_empty_tree_has_the_root_of_the_rfc() -> None:
    """The root of no leaves is SHA-256 of nothing, and one leaf is its own root."""
    assert merkle.fold([]) == merkle.EMPTY_ROOT == sha256(b"")
    assert merkle.root_of(nodes, 1) == LEAVES[0]
    assert merkle.inclusion_path(nodes, 0, 0, 1) == []


@pytest.mark.parametrize(("index", "start", "end"), [(7, 0, 7), (-1, 0, 7), (3, 4, 7), (0, 0, 0)])
def test_no_path_outside_the_tree(index: int, start: int, end: int) -> None:
    """A leaf outside the range has no path."""
    with pytest.raises(IndexError):
        merkle.inclusion_path(nodes, index, start, end)


@pytest.mark.parametrize(("old", "new"), [(0, 7), (5, 4), (-1, 3)])
def test_no_consistency_outside_the_sizes(old: int, new: int) -> None:
    """There is no consistency proof from nothing, or backwards."""
    with pytest.raises(IndexError):
        merkle.consistency_path(nodes, old, new)
    with refused("bad-path"):
        merkle.check_consistency(old, new, LEAVES[0], LEAVES[0], [])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (7, 7), (-1, 7)])
def test_no_root_from_outside_the_tree(index: int, size: int) -> None:
    """A path of a leaf outside the tree is refused."""
    with refused("bad-path"):
        merkle.root_from_path(LEAVES[0], index, size, [])


def test_one_size_has_one_root() -> None:
    """A tree is consistent with itself by an empty path, and with nothing else of its size."""
    root = merkle.root_of(nodes, 7)
    merkle.check_consistency(7, 7, root, root, [])
    with refused("inconsistent"):
        merkle.check_consistency(7, 7, root, LEAVES[0], [])
    with refused("inconsistent"):
        merkle.check_consistency(7, 7, root, root, [root])


def test_a_fork_is_refused() -> None:
    """Another old root, another new root and an empty path are each refused."""
    old, new = merkle.root_of(nodes, 4), merkle.root_of(nodes, 7)
    path = merkle.consistency_path(nodes, 4, 7)
    merkle.check_consistency(4, 7, old, new, path)
    with refused("inconsistent"):
        merkle.check_consistency(4, 7, LEAVES[0], new, path)
    with refused("inconsistent"):
        merkle.check_consistency(4, 7, old, LEAVES[0], path)
    with refused("bad-path"):
        merkle.check_consistency(3, 7, merkle.root_of(nodes, 3), new, [])
    with refused("bad-path"):
        merkle.check_consistency(4, 7, old, new, [])
