// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A seat without its root, which the inclusion proof yields.
struct SeatRef {
    uint64 count;
    uint64 start;
    uint64 end;
    uint64 time;
}

/// @notice Proof that an agent swore to an action, or a guardian to a suspension, and that the oath is in the log.
/// @param body SHA-256 of the statement's body
/// @param iat when it was sworn
/// @param v recovery value of the signature, 27 or 28
/// @param r of the signature
/// @param s of the signature, low
/// @param index the statement's place in the log
/// @param seat the anchored subtree that holds it
/// @param path RFC 9162 audit path of leaf index - seat.start in that subtree
struct Oath {
    bytes32 body;
    uint32 iat;
    uint8 v;
    bytes32 r;
    bytes32 s;
    uint64 index;
    SeatRef seat;
    bytes32[] path;
}
