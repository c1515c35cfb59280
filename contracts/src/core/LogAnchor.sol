// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Checkpoint, Policy} from "./Checkpoint.sol";
import {CompactRange} from "./CompactRange.sol";
import {Head, ILogAnchor, Seat} from "./ILogAnchor.sol";

/// @title What the chain knows of logs
/// @notice Holds many logs, each by its id, from size 0. It has no owner and needs no registration: the policy in the
/// call hashes to the log's id. A log can only be extended, and only with its own signature and its witnesses' quorum.
contract LogAnchor is ILogAnchor {
    /// @notice The head given is not the one the chain holds.
    error WrongHead(bytes32 logId, bytes32 given, bytes32 held);
    /// @notice An anchor must extend the log.
    error NotLarger(uint64 newSize, uint64 heldSize);
    /// @notice Sizes stay below 2^63.
    error TooLarge(uint64 newSize);
    /// @notice The log signed two roots for one size and can no longer be anchored.
    error LogFrozen(bytes32 logId);
    /// @notice Nothing was ever anchored, so nothing can conflict with it.
    error NothingHeld(bytes32 logId);
    /// @notice The other root is the one the chain holds.
    error NoConflict(bytes32 logId, bytes32 root);

    /// @notice A log was extended.
    /// @param logId the log
    /// @param size its new size
    /// @param root its root at that size
    /// @param seat the subtree against which its new leaves prove
    event Anchored(bytes32 indexed logId, uint64 size, bytes32 root, Seat seat);

    /// @notice A log's quorum signed `otherRoot` for a size for which the chain holds `heldRoot`.
    event Frozen(bytes32 indexed logId, uint64 size, bytes32 heldRoot, bytes32 otherRoot);

    /// @notice How many of a log's latest seats can be proven against.
    uint256 public constant SEATS = 1024;

    /// @dev Stands in a frozen log's place instead of a head, so that freezing costs an anchor no further slot.
    bytes32 private constant FROZEN = keccak256("affiant/frozen-log");

    mapping(bytes32 logId => bytes32) private _heads;
    mapping(bytes32 logId => mapping(uint256 place => bytes32)) private _seats;

    /// @notice Extends a log and seats the subtree that holds its new leaves.
    /// @param policy the log's policy; it hashes to the log's id
    /// @param head what the chain holds; count 0, size 0 and no peaks for a new log
    /// @param nodes roots of the maximal aligned subtrees from head.size to newSize, left to right
    /// @param newSize the log's new size
    /// @param signatures of the EIP-712 checkpoint: the log's own, then the witnesses' by ascending address
    /// @return root the log's root at the new size
    function anchor(
        Policy calldata policy,
        Head calldata head,
        bytes32[] calldata nodes,
        uint64 newSize,
        bytes[] calldata signatures
    ) external returns (bytes32 root) {
        bytes32 logId = Checkpoint.logIdOf(policy);
        _requireHead(logId, head);
        if (newSize <= head.size) revert NotLarger(newSize, head.size);
        if (newSize >= 1 << 63) revert TooLarge(newSize);

        bytes32[] memory peaks = CompactRange.extend(head.peaks, head.size, nodes, newSize);
        Seat memory seat;
        (root, seat.root, seat.start) = CompactRange.fold(peaks, newSize, head.size);
        Checkpoint.requireQuorum(policy, Checkpoint.digest(logId, newSize, root), signatures);

        seat.count = head.count;
        seat.end = newSize;
        seat.time = uint64(block.timestamp);
        _seats[logId][head.count % SEATS] = keccak256(abi.encode(seat));
        _heads[logId] = keccak256(abi.encode(Head(head.count + 1, newSize, peaks)));
        emit Anchored(logId, newSize, root, seat);
    }

    /// @notice Freezes a log for ever, by a checkpoint its quorum signed that conflicts with what the chain holds.
    /// @dev Seats already held stay held: they are part of the one history the chain knows.
    /// @param policy the log's policy
    /// @param head what the chain holds
    /// @param otherRoot another root for head.size
    /// @param signatures of the checkpoint with otherRoot, as for `anchor`
    function freeze(Policy calldata policy, Head calldata head, bytes32 otherRoot, bytes[] calldata signatures)
        external
    {
        bytes32 logId = Checkpoint.logIdOf(policy);
        _requireHead(logId, head);
        if (head.size == 0) revert NothingHeld(logId);
        bytes32 heldRoot = CompactRange.rootOf(head.peaks);
        if (otherRoot == heldRoot) revert NoConflict(logId, heldRoot);
        Checkpoint.requireQuorum(policy, Checkpoint.digest(logId, head.size, otherRoot), signatures);

        _heads[logId] = FROZEN;
        emit Frozen(logId, head.size, heldRoot, otherRoot);
    }

    /// @inheritdoc ILogAnchor
    function holds(bytes32 logId, Seat calldata seat) external view returns (bool) {
        return _seats[logId][seat.count % SEATS] == keccak256(abi.encode(seat));
    }

    /// @notice keccak256(abi.encode(head)) of the log's head; zero for a log never anchored, and for a frozen log
    /// keccak256("affiant/frozen-log").
    /// @param logId the log
    /// @return hash of the head
    function headOf(bytes32 logId) external view returns (bytes32) {
        return _heads[logId];
    }

    /// @notice Whether a log was frozen.
    /// @param logId the log
    /// @return whether it was
    function frozen(bytes32 logId) external view returns (bool) {
        return _heads[logId] == FROZEN;
    }

    /// @dev A log never anchored holds zero, which no head hashes to.
    function _requireHead(bytes32 logId, Head calldata head) private view {
        bytes32 held = _heads[logId];
        if (held == FROZEN) revert LogFrozen(logId);
        bool isNew = head.count == 0 && head.size == 0 && head.peaks.length == 0;
        bytes32 given = isNew ? bytes32(0) : keccak256(abi.encode(head));
        if (given != held) revert WrongHead(logId, given, held);
    }
}
