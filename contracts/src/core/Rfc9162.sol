// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Inclusion in an RFC 9162 Merkle tree over SHA-256
library Rfc9162 {
    /// @notice The audit path has not exactly as many hashes as this leaf of this tree needs.
    error WrongPathLength(uint256 length, uint64 index, uint64 size);

    /// @dev SHA-256(0x01 ‖ left ‖ right). Assembly: `sha256(abi.encodePacked(...))` builds its input twice and costs
    /// about double, once per tree level. The 65 bytes lie beyond the free-memory pointer and are not kept.
    function node(bytes32 left, bytes32 right) internal view returns (bytes32 parent) {
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore8(input, 1)
            mstore(add(input, 0x01), left)
            mstore(add(input, 0x21), right)
            if iszero(staticcall(gas(), 2, input, 0x41, input, 0x20)) { revert(0, 0) }
            parent := mload(input)
        }
    }

    /// @dev The root of the tree of `size` leaves whose leaf number `index` is `leaf`, by the audit path (RFC 9162,
    /// section 2.1.3.2). `index` must be below `size`. A node that is last in its row and has no sibling is carried
    /// up as it is and takes nothing from the path; every other node takes one hash. So the length is exact.
    /// Assembly: it halves the cost of a level, and an action proves up to 30 of them.
    function root(bytes32 leaf, uint64 index, uint64 size, bytes32[] calldata path)
        internal
        view
        returns (bytes32 hash)
    {
        bool exact;
        assembly ("memory-safe") {
            // Beyond the free-memory pointer: the prefix byte at the end of one word, the left and the right child.
            let left := add(mload(0x40), 0x20)
            let prefix := sub(left, 1)
            let right := add(left, 0x20)
            mstore8(prefix, 1)

            hash := leaf
            let next := path.offset
            let end := add(next, shl(5, path.length))
            exact := 1
            let place := index
            for { let last := sub(size, 1) } last { last := shr(1, last) } {
                let isRight := and(place, 1)
                if or(isRight, xor(place, last)) {
                    if eq(next, end) {
                        exact := 0
                        break
                    }
                    let shift := shl(5, isRight)
                    mstore(add(left, shift), hash)
                    mstore(sub(right, shift), calldataload(next))
                    next := add(next, 0x20)
                    if iszero(staticcall(gas(), 2, prefix, 0x41, 0, 0x20)) { revert(0, 0) }
                    hash := mload(0)
                }
                place := shr(1, place)
            }
            exact := and(exact, eq(next, end))
        }
        if (!exact) revert WrongPathLength(path.length, index, size);
    }
}
