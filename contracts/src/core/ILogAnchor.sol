// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What the chain holds of a log; one storage slot keeps keccak256(abi.encode(head)).
/// @param count anchors so far
/// @param size leaves so far
/// @param peaks the roots of the perfect subtrees of those leaves, left to right
struct Head {
    uint64 count;
    uint64 size;
    bytes32[] peaks;
}

/// @notice A subtree that one anchor made provable: the shortest run of peaks that holds all its new leaves.
/// @param count anchors before this one; the seat's place in the ring is count % 1024
/// @param start first leaf of the subtree
/// @param end the log's size then; one past the last leaf
/// @param time block time of the anchor
/// @param root RFC 9162 root of the leaves start … end - 1, as a tree of their own
struct Seat {
    uint64 count;
    uint64 start;
    uint64 end;
    uint64 time;
    bytes32 root;
}

/// @title What a mandate needs of an anchor
interface ILogAnchor {
    /// @notice Whether this log has this seat among its latest 1024.
    /// @param logId the log
    /// @param seat the seat, every field of it
    /// @return whether the chain holds exactly this seat
    function holds(bytes32 logId, Seat calldata seat) external view returns (bool);
}
