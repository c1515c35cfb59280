// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {RiskSteward} from "./RiskSteward.sol";

/// @title What a vault's shares are worth, but no more than they can have grown to
/// @notice The cap starts from a snapshot, a ratio and its time, which a steward holds, and grows by a fixed rate a year.
/// So a donation cannot lift the ratio above what honest yield could have. A snapshot whose ratio is older than its time
/// gives a cap under the market: see `SnapshotGuard`.
contract CappedRatio {
    uint256 private constant MILLION = 1e6;

    /// @notice Whose ratio it is.
    IERC4626 public immutable source;
    /// @notice Who holds the snapshot.
    RiskSteward public immutable steward;
    /// @notice The parameter that is the snapshot's ratio: assets for 1e18 of the source's smallest units of a share.
    bytes32 public immutable ratioId;
    /// @notice The parameter that is the snapshot's time, in seconds.
    bytes32 public immutable timestampId;
    /// @notice How much the cap grows in 365 days, in millionths of the snapshot's ratio.
    uint32 public immutable yearlyGrowthPpm;

    /// @param source_ whose ratio to cap
    /// @param steward_ who holds the snapshot
    /// @param ratioId_ the parameter that is the snapshot's ratio
    /// @param timestampId_ the parameter that is the snapshot's time
    /// @param yearlyGrowthPpm_ how much the cap grows in 365 days, in millionths of the snapshot's ratio
    constructor(
        IERC4626 source_,
        RiskSteward steward_,
        bytes32 ratioId_,
        bytes32 timestampId_,
        uint32 yearlyGrowthPpm_
    ) {
        (source, steward) = (source_, steward_);
        (ratioId, timestampId, yearlyGrowthPpm) = (ratioId_, timestampId_, yearlyGrowthPpm_);
    }

    /// @notice The source's ratio, or the cap if that is less.
    /// @return assets for 1e18 of the source's smallest units of a share
    function ratio() external view returns (uint256) {
        return Math.min(marketRatio(), cap());
    }

    /// @notice The source's ratio now.
    /// @return assets for 1e18 of the source's smallest units of a share
    function marketRatio() public view returns (uint256) {
        return source.convertToAssets(1e18);
    }

    /// @notice The most that `ratio` answers now.
    /// @return the cap
    function cap() public view returns (uint256) {
        return capFor(steward.value(ratioId), steward.value(timestampId));
    }

    /// @notice What the cap would be now with another snapshot.
    /// @param snapshotRatio its ratio
    /// @param snapshotTimestamp its time; nothing has grown since a time to come
    /// @return the cap
    function capFor(uint256 snapshotRatio, uint256 snapshotTimestamp) public view returns (uint256) {
        uint256 age = Math.saturatingSub(block.timestamp, snapshotTimestamp);
        return snapshotRatio + Math.mulDiv(snapshotRatio, yearlyGrowthPpm * age, MILLION * 365 days);
    }
}
