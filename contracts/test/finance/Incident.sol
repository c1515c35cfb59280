// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import {CappedRatio} from "../../src/finance/CappedRatio.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {RatioRecord} from "../../src/finance/RatioRecord.sol";
import {ANY_STEP, Bounds, RiskSteward} from "../../src/finance/RiskSteward.sol";
import {GapBounds, SnapshotBounds, SnapshotGuard} from "../../src/finance/SnapshotGuard.sol";
import {Cheats} from "../Cheats.sol";

/// @title 10 March 2026: Aave's wstETH oracle, in its numbers
/// @dev From governance.aave.com/t/24269: a step of at most 3 % in 3 days for the ratio, a snapshot of 7 days ago, a cap
/// of about 1.1939, 2.85 % under the market. So the market was at 1.1939 / 0.9715 = 1.2289; and as the cap grows by
/// 9.68 % a year (bgd-labs/aave-capo), the ratio was 1.1939 / 1.00186 = 1.1917, and before that step 1.157, which is
/// wstETH's of February 2024. In between the ratio is taken to have grown evenly.
abstract contract Incident is Cheats {
    bytes32 internal constant RATIO = "wsteth/snapshotRatio";
    bytes32 internal constant TIMESTAMP = "wsteth/snapshotTimestamp";
    bytes32 internal constant LTV = "wsteth/loanToValue";
    bytes32 internal constant THRESHOLD = "wsteth/threshold";

    uint256 internal constant SNAPSHOT = 1.157e18;
    uint256 internal constant MARKET = 1.2289e18;
    uint32 internal constant GROWTH = 96_800;
    uint32 internal constant TOLERANCE = 100;
    uint32 internal constant MIN_AGE = 3 days;
    uint32 internal constant RECORD_AGE = 1 days;
    /// @dev Shares of the source, in its smallest units; a round number, so that ratios are exact.
    uint256 internal constant SUPPLY = 1e24;

    /// @dev The present; 760 days before it the snapshot was taken.
    uint256 internal constant NOW = 1_790_000_000;
    uint256 internal constant BEGIN = NOW - 760 days;
    /// @dev Until here a record a week, from here on a record a day.
    uint256 internal constant DAILY = BEGIN + 742 days;

    CappedRatio internal oracle;
    RatioRecord internal record;
    Fund internal source;

    /// @dev Lives through the 760 days. `manager` holds the source's asset.
    function stageIncident(RiskSteward steward, address owner, Fund source_, address manager)
        internal
        returns (SnapshotGuard)
    {
        source = source_;
        IERC20 asset = IERC20(source.asset());
        vm.prank(manager);
        asset.approve(address(source), type(uint256).max);
        vm.prank(manager);
        source.deposit(SUPPLY, manager);

        record = RatioRecord(vm.deployCode("RatioRecord.sol:RatioRecord", abi.encode(source, uint32(1 days))));
        for (uint256 time = BEGIN; time <= NOW; time += time < DAILY ? 7 days : 1 days) {
            vm.warp(time);
            uint256 held = source.totalAssets();
            vm.prank(manager);
            source.mark(int256(SUPPLY * ratioAt(time) / 1e18) - int256(held));
            record.record();
        }

        oracle = CappedRatio(
            vm.deployCode("CappedRatio.sol:CappedRatio", abi.encode(source, steward, RATIO, TIMESTAMP, GROWTH))
        );
        vm.prank(owner);
        steward.defineParameter(RATIO, Bounds(1e18, 2e18, 30_000, 3 days), uint96(SNAPSHOT));
        vm.prank(owner);
        steward.defineParameter(TIMESTAMP, Bounds(1, type(uint40).max, ANY_STEP, 3 days), uint96(BEGIN));
        vm.prank(owner);
        steward.defineParameter(LTV, Bounds(500_000, 960_000, 20_000, 1 days), 930_000);
        vm.prank(owner);
        steward.defineParameter(THRESHOLD, Bounds(500_000, 970_000, 20_000, 1 days), 950_000);
        return newGuard(SnapshotBounds(MIN_AGE, RECORD_AGE, TOLERANCE), GapBounds(LTV, THRESHOLD, 5_000));
    }

    function newGuard(SnapshotBounds memory snapshot_, GapBounds memory gap) internal returns (SnapshotGuard) {
        return
            SnapshotGuard(vm.deployCode("SnapshotGuard.sol:SnapshotGuard", abi.encode(oracle, record, snapshot_, gap)));
    }

    function ratioAt(uint256 time) internal pure returns (uint256) {
        return SNAPSHOT + (MARKET - SNAPSHOT) * (time - BEGIN) / (NOW - BEGIN);
    }

    /// @dev The newest record at or before a time, by what `stageIncident` did.
    function lastRecord(uint256 time) internal pure returns (uint256) {
        if (time < BEGIN) return 0;
        if (time < DAILY) return time - (time - BEGIN) % 7 days;
        return time >= NOW ? NOW : time - (time - DAILY) % 1 days;
    }

    /// @dev As far up as one step goes.
    function stepped(uint256 ratio) internal pure returns (uint256) {
        return ratio * 103 / 100;
    }

    /// @dev The update that was made: the ratio as far as it could, the time all the way.
    function incident() internal view returns (bytes memory) {
        return snapshot(stepped(SNAPSHOT), vm.getBlockTimestamp() - 7 days);
    }

    /// @dev The newest pair on record that one step reaches, at least a week old.
    function consistent() internal view returns (bytes memory) {
        uint256 most = stepped(oracle.steward().value(RATIO));
        uint256 time = vm.getBlockTimestamp() - 7 days;
        (uint256 recordedAt, uint256 ratio) = record.atOrBefore(uint48(time));
        while (ratio > most) (recordedAt, ratio) = record.atOrBefore(uint48(recordedAt - 1));
        return snapshot(ratio, recordedAt);
    }

    function snapshot(uint256 ratio, uint256 timestamp) internal pure returns (bytes memory) {
        return update(RATIO, ratio, TIMESTAMP, timestamp);
    }

    function update(bytes32 id, uint256 value) internal pure returns (bytes memory) {
        (bytes32[] memory ids, uint256[] memory values) = (new bytes32[](1), new uint256[](1));
        (ids[0], values[0]) = (id, value);
        return abi.encodeCall(RiskSteward.update, (ids, values));
    }

    function update(bytes32 id, uint256 value, bytes32 otherId, uint256 otherValue)
        internal
        pure
        returns (bytes memory)
    {
        (bytes32[] memory ids, uint256[] memory values) = (new bytes32[](2), new uint256[](2));
        (ids[0], values[0], ids[1], values[1]) = (id, value, otherId, otherValue);
        return abi.encodeCall(RiskSteward.update, (ids, values));
    }
}
