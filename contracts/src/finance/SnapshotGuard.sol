// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../core/Action.sol";
import {IGuard} from "../core/IGuard.sol";
import {CappedRatio} from "./CappedRatio.sol";
import {RatioRecord} from "./RatioRecord.sol";
import {RiskSteward} from "./RiskSteward.sol";

/// @notice What must hold of a snapshot.
/// @param minAge least seconds since it was taken
/// @param maxRecordAge most seconds from the record that it is compared with to the snapshot
/// @param tolerancePpm how far its ratio may be from the recorded one, in millionths of that
struct SnapshotBounds {
    uint32 minAge;
    uint32 maxRecordAge;
    uint32 tolerancePpm;
}

/// @notice What must hold between loan-to-value and liquidation threshold.
/// @param loanToValueId the parameter that says how much may be borrowed
/// @param thresholdId the parameter that says from which debt on a loan is liquidated; in the same unit
/// @param minGap the least that the threshold must lie above loan-to-value
struct GapBounds {
    bytes32 loanToValueId;
    bytes32 thresholdId;
    uint96 minGap;
}

/// @title What must hold between the parameters of a steward's update
/// @notice A steward bounds each parameter by itself; that each is inside its bounds does not make the pair sound. On
/// 10 March 2026 an agent moved the time of Aave's wstETH snapshot to a week before, its ratio only by the 3 % that one
/// step allows. Both moves were in bounds, the cap fell 2.85 % under the market, and 10,938 wstETH were liquidated
/// (governance.aave.com/t/24269). Every error here is the name of an invariant.
/// @dev A guard judges what the steward would read, before it reads it. Only updates of the steward are its business:
/// any other call passes, because which calls are allowed at all is for the mandate's rules. It compares with what the
/// source says now, so a donation to the source can make an update refused; it cannot make a false one pass, except by
/// false records (see `RatioRecord`).
contract SnapshotGuard is IGuard {
    /// @notice The record is not of the vault whose ratio is capped.
    error OtherSource(address capped, address recorded);
    /// @notice The update's calldata is not encoded in the one way that can be read here word by word.
    error MalformedUpdate(bytes data);
    /// @notice A snapshot's ratio and its time move together; the update carries one of them only.
    error MovedApart(bytes32 carried, bytes32 missing);
    /// @notice The snapshot would be older than the present one, whose time is `present`.
    error TimestampGoesBack(uint256 timestamp, uint256 present);
    /// @notice The snapshot must be older: at or before `latest`.
    error TimestampTooYoung(uint256 timestamp, uint256 latest);
    /// @notice Nothing was recorded at, or shortly enough before, the snapshot's time; `recordedAt` is the newest record
    /// before it, 0 for none.
    error NoRecord(uint256 timestamp, uint256 recordedAt);
    /// @notice The ratio is not what was recorded at its time.
    error ValueNotOfItsTime(uint256 ratio, uint256 timestamp, uint256 recorded, uint256 tolerancePpm);
    /// @notice The cap that would result now is below the ratio that the source has now.
    error CapBelowMarket(uint256 cap, uint256 ratio);
    /// @notice The threshold would not lie far enough above loan-to-value.
    error GapTooSmall(uint256 loanToValue, uint256 threshold, uint256 minGap);

    uint256 private constant MILLION = 1e6;

    /// @notice What is guarded: the oracle that the snapshot feeds.
    CappedRatio public immutable oracle;
    /// @notice The steward whose updates are judged.
    RiskSteward public immutable steward;
    /// @notice What a snapshot is compared with.
    RatioRecord public immutable record;
    /// @notice Least seconds since a snapshot was taken.
    uint32 public immutable minAge;
    /// @notice Most seconds from a record to the snapshot that is compared with it.
    uint32 public immutable maxRecordAge;
    /// @notice How far a ratio may be from the recorded one, in millionths of that.
    uint32 public immutable tolerancePpm;
    /// @notice The parameter that says how much may be borrowed.
    bytes32 public immutable loanToValueId;
    /// @notice The parameter that says from which debt on a loan is liquidated.
    bytes32 public immutable thresholdId;
    /// @notice The least that the threshold must lie above loan-to-value.
    uint96 public immutable minGap;

    bytes32 private immutable RATIO_ID;
    bytes32 private immutable TIMESTAMP_ID;

    /// @param oracle_ the oracle that the snapshot feeds; its steward is the one whose updates are judged
    /// @param record_ what a snapshot is compared with
    /// @param snapshot what must hold of a snapshot
    /// @param gap what must hold between loan-to-value and threshold; ids that the steward never defines for nothing
    constructor(CappedRatio oracle_, RatioRecord record_, SnapshotBounds memory snapshot, GapBounds memory gap) {
        (address capped, address recorded) = (address(oracle_.source()), address(record_.source()));
        if (capped != recorded) revert OtherSource(capped, recorded);
        (oracle, steward, record) = (oracle_, oracle_.steward(), record_);
        (RATIO_ID, TIMESTAMP_ID) = (oracle_.ratioId(), oracle_.timestampId());
        (minAge, maxRecordAge, tolerancePpm) = (snapshot.minAge, snapshot.maxRecordAge, snapshot.tolerancePpm);
        (loanToValueId, thresholdId, minGap) = (gap.loanToValueId, gap.thresholdId, gap.minGap);
    }

    /// @inheritdoc IGuard
    function check(Action calldata action, bytes32) external view returns (bytes4) {
        if (action.target == address(steward) && bytes4(action.data) == RiskSteward.update.selector) {
            uint256 count = _countOf(action.data);
            _requireSnapshot(action.data, count);
            _requireGap(action.data, count);
        }
        return IGuard.check.selector;
    }

    function _requireSnapshot(bytes calldata data, uint256 count) private view {
        (bool hasRatio, uint256 ratio) = _find(data, count, RATIO_ID);
        (bool hasTimestamp, uint256 timestamp) = _find(data, count, TIMESTAMP_ID);
        if (!hasRatio && !hasTimestamp) return;
        if (!hasTimestamp) revert MovedApart(RATIO_ID, TIMESTAMP_ID);
        if (!hasRatio) revert MovedApart(TIMESTAMP_ID, RATIO_ID);

        uint256 present = steward.value(TIMESTAMP_ID);
        if (timestamp < present) revert TimestampGoesBack(timestamp, present);
        uint256 latest = block.timestamp - minAge;
        if (timestamp > latest) revert TimestampTooYoung(timestamp, latest);
        // Fits: it is no later than now.
        (uint256 recordedAt, uint256 recorded) = record.atOrBefore(uint48(timestamp));
        if (recordedAt == 0 || timestamp - recordedAt > maxRecordAge) revert NoRecord(timestamp, recordedAt);
        uint256 distance = ratio > recorded ? ratio - recorded : recorded - ratio;
        if (distance > recorded * tolerancePpm / MILLION) {
            revert ValueNotOfItsTime(ratio, timestamp, recorded, tolerancePpm);
        }
        (uint256 cap, uint256 market) = (oracle.capFor(ratio, timestamp), oracle.marketRatio());
        if (cap < market) revert CapBelowMarket(cap, market);
    }

    /// @dev A parameter that the update does not carry counts with its present value.
    function _requireGap(bytes calldata data, uint256 count) private view {
        (bool hasLoanToValue, uint256 loanToValue) = _find(data, count, loanToValueId);
        (bool hasThreshold, uint256 threshold) = _find(data, count, thresholdId);
        if (!hasLoanToValue && !hasThreshold) return;
        if (!hasLoanToValue) loanToValue = steward.value(loanToValueId);
        if (!hasThreshold) threshold = steward.value(thresholdId);
        if (threshold < minGap || loanToValue > threshold - minGap) {
            revert GapTooSmall(loanToValue, threshold, minGap);
        }
    }

    /// @dev How many parameters the update carries. Two arrays can be encoded in many ways, all of which the steward
    /// reads; this accepts the one that every encoder writes: both offsets, then ids, then values, and nothing else.
    function _countOf(bytes calldata data) private pure returns (uint256 count) {
        if (data.length < 4 + 4 * 32) revert MalformedUpdate(data);
        count = (data.length - 4 - 4 * 32) / 64;
        bool canonical = data.length == 4 + 4 * 32 + 64 * count && _word(data, 0) == 64
            && _word(data, 1) == 96 + 32 * count && _word(data, 2) == count && _word(data, 3 + count) == count;
        if (!canonical) revert MalformedUpdate(data);
    }

    /// @dev A parameter's new value, if the update carries it. The steward refuses to read one twice.
    function _find(bytes calldata data, uint256 count, bytes32 id) private pure returns (bool found, uint256 value) {
        for (uint256 i; i < count; ++i) {
            if (_word(data, 3 + i) == uint256(id)) return (true, _word(data, 4 + count + i));
        }
    }

    /// @dev Word number `i` after the selector.
    function _word(bytes calldata data, uint256 i) private pure returns (uint256) {
        return uint256(bytes32(data[4 + 32 * i:]));
    }
}
