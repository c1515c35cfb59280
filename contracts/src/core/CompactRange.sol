// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rfc9162} from "./Rfc9162.sol";

/// @title The compact form of an RFC 9162 tree: the roots of its perfect subtrees, left to right
/// @dev A tree of `size` leaves has one peak per set bit of `size`, the largest first. Appending to the peaks is the only
/// way to change them, so whatever is built here is an extension of what was there: consistency needs no proof.
library CompactRange {
    /// @notice `nodes` ended when the tree had only grown to `reached` of `newSize` leaves.
    error TooFewNodes(uint256 length, uint64 reached, uint64 newSize);
    /// @notice The tree was complete after `used` of the `length` nodes.
    error TooManyNodes(uint256 length, uint256 used);

    /// @dev Appends the maximal aligned subtrees between `size` and `newSize`, whose roots are `nodes`, to `peaks`.
    /// At leaf p the next subtree is the largest with 2^l leaves for which p is a multiple of 2^l and p + 2^l ≤ newSize.
    function extend(bytes32[] calldata peaks, uint64 size, bytes32[] calldata nodes, uint64 newSize)
        internal
        view
        returns (bytes32[] memory grown)
    {
        // Sizes are below 2^63: never more than 63 peaks, and no sum or product below overflows.
        grown = new bytes32[](64);
        uint256 count = peaks.length;
        assembly ("memory-safe") {
            // A head that the chain holds has at most 63 peaks, so they fit.
            calldatacopy(add(grown, 0x20), peaks.offset, shl(5, count))
        }

        uint256 position = size;
        uint256 used;
        unchecked {
            while (position < newSize) {
                if (used == nodes.length) revert TooFewNodes(nodes.length, uint64(position), newSize);
                bytes32 hash = nodes[used++];

                uint256 width = 1;
                while (position & width == 0 && position + 2 * width <= newSize) width *= 2;

                // Merging is a carry: every peak as wide as the new subtree is its left sibling.
                uint256 end = position + width;
                for (; position & width != 0; width *= 2) {
                    hash = Rfc9162.node(grown[--count], hash);
                }
                grown[count++] = hash;
                position = end;
            }
        }
        if (used != nodes.length) revert TooManyNodes(nodes.length, used);

        // Shorten the array to the peaks in use.
        assembly ("memory-safe") {
            mstore(grown, count)
        }
    }

    /// @dev The root of all leaves, and `recent`: the root of the shortest run of peaks on the right that holds every
    /// leaf from number `from` on, together with `start`, its first leaf. `from` must be below `size`.
    function fold(bytes32[] memory peaks, uint64 size, uint64 from)
        internal
        view
        returns (bytes32 root, bytes32 recent, uint64 start)
    {
        unchecked {
            uint256 i = peaks.length - 1;
            root = peaks[i];
            // The first leaf of a peak is the size without the bits of that peak and of those on its right.
            uint64 first = size & (size - 1);
            recent = root;
            start = first;
            while (i != 0) {
                root = Rfc9162.node(peaks[--i], root);
                bool needed = first > from;
                first &= first - 1;
                if (needed) {
                    recent = root;
                    start = first;
                }
            }
        }
    }

    /// @dev The root of all leaves; `peaks` must not be empty.
    function rootOf(bytes32[] calldata peaks) internal view returns (bytes32 root) {
        uint256 i = peaks.length - 1;
        root = peaks[i];
        while (i != 0) root = Rfc9162.node(peaks[--i], root);
    }
}
