// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IApprovals} from "../core/IApprovals.sol";

/// @notice What a member thinks of a subject.
enum Stance {
    None,
    Approves,
    Objects
}

/// @title Approvals by several members, with time to object
/// @notice A subject may be used when a threshold of members approve it, none objects, and that has been so for the whole
/// delay. Until then a single member can stop it: taking a threshold of keys is not enough, as long as one honest member
/// watches. From then on it takes the threshold to revoke it, for ever.
/// @dev The price is that one member can keep anything from being approved, by an objection that stands until it is taken
/// back. The members are fixed: against one who stops everything, another contract is appointed. A member may be a mandate,
/// whose approvals are sworn.
contract Approvals is IApprovals {
    /// @notice The members ascend strictly, so that none counts twice, and 0 is none.
    error OutOfOrder(address previous, address member);
    /// @notice The threshold is between 1 and the number of members.
    error InvalidThreshold(uint256 threshold, uint256 members);
    /// @notice Only a member may.
    error NotMember(address caller);
    /// @notice A subject is not 0.
    error NoSubject();
    /// @notice The member thinks so already.
    error NoChange(bytes32 subject, address member, Stance stance);
    /// @notice The subject may be used, and can only be objected to.
    error AlreadyUsable(bytes32 subject, uint256 usableFrom);
    /// @notice The subject was revoked, for ever.
    error SubjectRevoked(bytes32 subject);

    /// @notice A member changed its mind.
    /// @param subject about what
    /// @param member who
    /// @param stance what it thinks now
    /// @param approvals how many approve now
    /// @param objections how many object now
    event StanceTaken(
        bytes32 indexed subject,
        address indexed member,
        Stance stance,
        uint256 approvals,
        uint256 objections
    );

    /// @notice Enough members approve and none objects; if nothing changes, the subject may be used from then on.
    event UsableFrom(bytes32 indexed subject, uint256 time);

    /// @notice A member stopped what was to be usable; the delay begins anew if it ever comes back.
    event Stopped(bytes32 indexed subject, address indexed by);

    /// @notice A subject that was usable is not, for ever.
    event Revoked(bytes32 indexed subject);

    /// @notice Where a subject stands.
    /// @param approvals how many approve
    /// @param objections how many object
    /// @param usableFrom first second in which it may be used; 0 while something is missing
    /// @param revoked whether it was revoked
    struct Standing {
        uint64 approvals;
        uint64 objections;
        uint48 usableFrom;
        bool revoked;
    }

    /// @notice How many members must approve, or object later to revoke.
    uint256 public immutable threshold;
    /// @notice Seconds from the last approval needed until a subject may be used.
    uint32 public immutable delay;

    /// @notice Whether an account is a member.
    mapping(address account => bool) public isMember;
    /// @notice What a member thinks of a subject.
    mapping(bytes32 subject => mapping(address member => Stance)) public stanceOf;

    address[] private _members;
    mapping(bytes32 subject => Standing) private _standings;

    /// @param members_ for ever; they ascend strictly
    /// @param threshold_ how many must approve
    /// @param delay_ seconds in which any of them may object
    constructor(address[] memory members_, uint256 threshold_, uint32 delay_) {
        if (threshold_ == 0 || threshold_ > members_.length) revert InvalidThreshold(threshold_, members_.length);
        address previous;
        for (uint256 i; i < members_.length; ++i) {
            if (members_[i] <= previous) revert OutOfOrder(previous, members_[i]);
            previous = members_[i];
            isMember[previous] = true;
        }
        (_members, threshold, delay) = (members_, threshold_, delay_);
    }

    /// @notice Approves a subject that may not be used yet; members only. Takes an objection back.
    /// @param subject its digest
    function approve(bytes32 subject) external {
        _take(subject, Stance.Approves);
    }

    /// @notice Objects to a subject; members only. Before it may be used, that stops it; later, it takes a threshold of
    /// objections, which then revoke it. Takes an approval back.
    /// @param subject its digest
    function object(bytes32 subject) external {
        _take(subject, Stance.Objects);
    }

    /// @notice Takes back what the caller thinks; members only. An approval only before the subject may be used.
    /// @param subject its digest
    function withdraw(bytes32 subject) external {
        _take(subject, Stance.None);
    }

    /// @notice Whether a subject may be used now.
    /// @param subject its digest
    /// @return whether it may
    function isApproved(bytes32 subject) external view returns (bool) {
        Standing memory standing = _standings[subject];
        return !standing.revoked && _isUsable(standing);
    }

    /// @notice Where a subject stands.
    /// @param subject its digest
    /// @return its standing
    function standingOf(bytes32 subject) external view returns (Standing memory) {
        return _standings[subject];
    }

    /// @notice The members.
    /// @return in ascending order
    function members() external view returns (address[] memory) {
        return _members;
    }

    function _take(bytes32 subject, Stance stance) private {
        if (!isMember[msg.sender]) revert NotMember(msg.sender);
        if (subject == 0) revert NoSubject();
        Standing memory standing = _standings[subject];
        if (standing.revoked) revert SubjectRevoked(subject);
        Stance previous = stanceOf[subject][msg.sender];
        if (stance == previous) revert NoChange(subject, msg.sender, stance);
        bool usable = _isUsable(standing);
        // What an approval has begun, only objections end: otherwise two stolen keys could turn it off and on.
        bool fromApproval = previous == Stance.Approves && stance == Stance.None;
        if (usable && (stance == Stance.Approves || fromApproval)) revert AlreadyUsable(subject, standing.usableFrom);

        if (previous == Stance.Approves) --standing.approvals;
        else if (previous == Stance.Objects) --standing.objections;
        if (stance == Stance.Approves) ++standing.approvals;
        else if (stance == Stance.Objects) ++standing.objections;
        stanceOf[subject][msg.sender] = stance;
        emit StanceTaken(subject, msg.sender, stance, standing.approvals, standing.objections);

        if (usable) _mayRevoke(subject, standing);
        else _mayBegin(subject, standing);
        _standings[subject] = standing;
    }

    function _mayRevoke(bytes32 subject, Standing memory standing) private {
        if (standing.objections < threshold) return;
        standing.revoked = true;
        emit Revoked(subject);
    }

    function _mayBegin(bytes32 subject, Standing memory standing) private {
        bool complete = standing.approvals >= threshold && standing.objections == 0;
        if (complete && standing.usableFrom == 0) {
            standing.usableFrom = uint48(block.timestamp + delay);
            emit UsableFrom(subject, standing.usableFrom);
        } else if (!complete && standing.usableFrom != 0) {
            standing.usableFrom = 0;
            emit Stopped(subject, msg.sender);
        }
    }

    function _isUsable(Standing memory standing) private view returns (bool) {
        return standing.usableFrom != 0 && block.timestamp >= standing.usableFrom;
    }
}
