// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {Arrays} from "@openzeppelin/contracts/utils/Arrays.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

/// @title What a vault's shares were worth, and when
/// @notice An append-only history of `convertToAssets(1e18)`. Anyone may add the present ratio, and nobody can change what
/// was added.
/// @dev It trusts the source at the moments of recording. Whoever records picks the moment, and may lift the ratio
/// before and lower it after in one transaction, if the source lets them take a donation back: by holding nearly all its
/// shares, for instance. For other sources a false record costs what was donated. One false record spoils the times
/// until the next one; the least interval bounds how many can be made, and keeps the honest ones as far apart.
contract RatioRecord {
    using Arrays for uint256[];
    using SafeCast for uint256;

    /// @notice The last record is too recent.
    error TooSoon(uint256 earliest, uint256 time);

    /// @notice A ratio was recorded.
    /// @param time when
    /// @param ratio assets for 1e18 of the source's smallest units of a share
    event Recorded(uint256 indexed time, uint256 ratio);

    /// @notice Whose ratio it is.
    IERC4626 public immutable source;
    /// @notice The least seconds from one record to the next.
    uint32 public immutable interval;

    /// @dev time << 208 | ratio, so that they ascend by time.
    uint256[] private _records;

    /// @param source_ whose ratio to record
    /// @param interval_ least seconds from one record to the next
    constructor(IERC4626 source_, uint32 interval_) {
        (source, interval) = (source_, interval_);
    }

    /// @notice Records the present ratio; anyone may.
    /// @return ratio what was recorded
    function record() external returns (uint256 ratio) {
        uint256 length = _records.length;
        uint256 earliest = length == 0 ? 0 : (_records[length - 1] >> 208) + interval;
        if (block.timestamp < earliest) revert TooSoon(earliest, block.timestamp);
        ratio = source.convertToAssets(1e18);
        _records.push(block.timestamp << 208 | ratio.toUint208());
        emit Recorded(block.timestamp, ratio);
    }

    /// @notice The newest record at or before a time; zeros if there is none.
    /// @param time seconds
    /// @return recordedAt when it was recorded
    /// @return ratio what was recorded
    function atOrBefore(uint48 time) external view returns (uint256 recordedAt, uint256 ratio) {
        uint256 later = _records.upperBound(uint256(time) << 208 | type(uint208).max);
        if (later == 0) return (0, 0);
        uint256 found = _records[later - 1];
        return (found >> 208, uint208(found));
    }

    /// @notice How many records there are.
    /// @return how many
    function count() external view returns (uint256) {
        return _records.length;
    }
}
