"""The RFC 9162 tree: SHA-256, leaf = H(0x00 || entry), node = H(0x01 || left || right).

Pure functions over hashes. A tree is read through `Nodes`, a lookup of complete subtrees by
(level, index): node (l, i) covers the leaves [i * 2^l, (i + 1) * 2^l). Every tree is the fold of
the complete subtrees on its right edge, its *peaks*; proofs are made of the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from affiant.kernel.encoding import sha256
from affiant.kernel.errors import MalformedError

Nodes = Callable[[int, int], bytes]
EMPTY_ROOT = sha256(b"")


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\0" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\1" + left + right)


def peak_places(start: int, end: int) -> list[tuple[int, int]]:
    """Return (level, index) of the largest aligned subtrees that cover the leaves [start, end).

    From 0 these are the peaks of the tree of size `end`; from an old size, what extends it.
    """
    places = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        places.append((level, start >> level))
        start += 1 << level
    return places


def fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over peaks, largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(nodes: Nodes, size: int) -> bytes:
    """Return the root of the tree of `size` leaves."""
    return subtree_root(nodes, 0, size)


def subtree_root(nodes: Nodes, start: int, end: int) -> bytes:
    """Return the root over the leaves [start, end), where start is a peak's start or 0."""
    return fold([nodes(level, index) for level, index in peak_places(start, end)])


def new_nodes(nodes: Nodes, size: int, leaves: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield (level, index, hash) of every subtree that appending `leaves` completes.

    `nodes` is asked only for what was there before or was yielded before.
    """
    for position, leaf in enumerate(leaves, size):
        level, index, value = 0, position, leaf
        yield level, index, value
        while index & 1:
            value = node_hash(nodes(level, index - 1), value)
            level, index = level + 1, index >> 1
            yield level, index, value


def inclusion_path(nodes: Nodes, index: int, start: int, end: int) -> list[bytes]:
    """Return the inclusion path of leaf `index` in the tree over [start, end), leaf side first.

    Raises:
        IndexError: the leaf is not in that range.
    """
    if not start <= index < end:
        raise IndexError(f"leaf {index} is not in [{start}, {end})")
    places = peak_places(start, end)
    at = next(i for i, (level, place) in enumerate(places) if index < (place + 1) << level)
    path = [nodes(level, (index >> level) ^ 1) for level in range(places[at][0])]
    if at + 1 < len(places):
        path.append(fold([nodes(*place) for place in places[at + 1 :]]))
    path.extend(nodes(*place) for place in reversed(places[:at]))
    return path


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion path leads to (RFC 9162 section 2.1.3.2).

    Raises:
        MalformedError: `bad-path`: a path of the wrong length, or an index outside the tree.
    """
    if not 0 <= index < size:
        raise MalformedError("bad-path", f"leaf {index} is not in a tree of size {size}")
    fn, sn, root = index, size - 1, leaf
    for step in path:
        if sn == 0:
            raise MalformedError("bad-path", f"{len(path)} hashes are too many for size {size}")
        if fn & 1 or fn == sn:
            root = node_hash(step, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node_hash(root, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise MalformedError("bad-path", f"{len(path)} hashes are too few for size {size}")
    return root


def consistency_path(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """Return the consistency proof between two sizes (RFC 9162 section 2.1.4.1).

    Raises:
        IndexError: not 0 < old <= new.
    """
    if not 0 < old <= new:
        raise IndexError(f"no consistency proof from size {old} to {new}")
    return [] if old == new else _subproof(nodes, old, 0, new, whole=True)


def _subproof(nodes: Nodes, old: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    if start + old == end:
        return [] if whole else [subtree_root(nodes, start, end)]
    split = start + (1 << ((end - start - 1).bit_length() - 1))
    if start + old <= split:
        rest = [subtree_root(nodes, split, end)]
        return _subproof(nodes, old, start, split, whole=whole) + rest
    left = [subtree_root(nodes, start, split)]
    return _subproof(nodes, start + old - split, split, end, whole=False) + left


def check_consistency(  # noqa: C901, PLR0912 (step for step as in the RFC)
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of size `new` extends the tree of size `old` (RFC 9162 2.1.4.2).

    Raises:
        MalformedError: `bad-path` or `inconsistent`.
    """
    if not 0 < old <= new:
        raise MalformedError("bad-path", f"no consistency between sizes {old} and {new}")
    if old == new:
        if path or old_root != new_root:
            raise MalformedError("inconsistent", f"two roots, or a needless path, at size {old}")
        return
    steps = list(path) if old & (old - 1) else [old_root, *path]
    if not steps:
        raise MalformedError("bad-path", "the consistency path is empty")
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if sn == 0:
            raise MalformedError("bad-path", f"{len(path)} hashes are too many")
        if fn & 1 or fn == sn:
            first, second = node_hash(step, first), node_hash(step, second)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = node_hash(second, step)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise MalformedError("bad-path", f"{len(path)} hashes are too few")
    if first != old_root:
        raise MalformedError("inconsistent", f"the path does not lead to the root of size {old}")
    if second != new_root:
        raise MalformedError("inconsistent", f"the path does not lead to the root of size {new}")
