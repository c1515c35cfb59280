// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title RFC 9162, section 2.1, written down as it is defined
/// @dev Recursive and slow; shares nothing with the contracts that it judges.
library Tree {
    /// @dev MTH(D[low:high]).
    function root(bytes32[] memory leaves, uint256 low, uint256 high) internal pure returns (bytes32) {
        if (high - low == 1) return leaves[low];
        uint256 k = split(high - low);
        return sha256(abi.encodePacked(hex"01", root(leaves, low, low + k), root(leaves, low + k, high)));
    }

    /// @dev PATH(m, D[low:high]), m counted from low.
    function path(bytes32[] memory leaves, uint256 m, uint256 low, uint256 high)
        internal
        pure
        returns (bytes32[] memory)
    {
        if (high - low == 1) return new bytes32[](0);
        uint256 k = split(high - low);
        return m < k
            ? append(path(leaves, m, low, low + k), root(leaves, low + k, high))
            : append(path(leaves, m - k, low + k, high), root(leaves, low, low + k));
    }

    /// @dev The roots of the perfect subtrees of the first `size` leaves, left to right.
    function peaks(bytes32[] memory leaves, uint256 size) internal pure returns (bytes32[] memory found) {
        uint256 low;
        while (low < size) {
            uint256 k = 1;
            while (2 * k <= size - low) k *= 2;
            found = append(found, root(leaves, low, low + k));
            low += k;
        }
    }

    /// @dev The roots of the maximal aligned subtrees of leaves low … high - 1.
    function aligned(bytes32[] memory leaves, uint256 low, uint256 high)
        internal
        pure
        returns (bytes32[] memory found)
    {
        while (low < high) {
            uint256 k = 1;
            while (low % (2 * k) == 0 && low + 2 * k <= high) k *= 2;
            found = append(found, root(leaves, low, low + k));
            low += k;
        }
    }

    /// @dev First leaf of the shortest run of peaks of a tree of `high` leaves that holds leaf `low`.
    function seatStart(uint256 low, uint256 high) internal pure returns (uint256 start) {
        while (true) {
            uint256 k = 1;
            while (2 * k <= high - start) k *= 2;
            if (low < start + k) return start;
            start += k;
        }
    }

    /// @dev The largest power of two below n.
    function split(uint256 n) internal pure returns (uint256 k) {
        k = 1;
        while (2 * k < n) k *= 2;
    }

    function append(bytes32[] memory list, bytes32 item) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = item;
    }
}
