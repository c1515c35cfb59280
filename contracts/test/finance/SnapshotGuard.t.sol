// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {Action} from "../../src/core/Action.sol";
import {CappedRatio} from "../../src/finance/CappedRatio.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {RatioRecord} from "../../src/finance/RatioRecord.sol";
import {RiskSteward} from "../../src/finance/RiskSteward.sol";
import {GapBounds, SnapshotBounds, SnapshotGuard} from "../../src/finance/SnapshotGuard.sol";
import {Incident} from "./Incident.sol";
import {Stage} from "./Stage.sol";

contract SnapshotGuardTest is Stage, Incident {
    RiskSteward private _steward;
    SnapshotGuard private _guard;

    function setUp() public {
        vm.warp(START);
        _steward = newSteward();
        SettlementToken asset = newToken("Ether");
        asset.mint(MANAGER, 1e30);
        _guard = stageIncident(_steward, OWNER, newFund(asset, 0), MANAGER);
    }

    function _action(bytes memory data) private view returns (Action memory) {
        return Action(0, 0, MODEL, address(_steward), 0, data, 0, address(0), 0);
    }

    function _check(bytes memory data) private view {
        _guard.check(_action(data), DECISION);
    }

    function _refuses(bytes memory data, bytes memory reason) private {
        vm.expectRevert(reason);
        _check(data);
    }

    function _ppmUnder(uint256 value, uint256 market) private pure returns (uint256) {
        return (market - value) * 1e6 / market;
    }

    // ---------------------------------------------------------------- the incident

    /// @notice 10 March 2026, replayed. The steward, which judges each parameter by itself, accepts the update: the ratio
    /// moves by the 3 % of one step, its time to a week ago. The oracle then says 2.85 % less than the market.
    function test_incidentWithoutGuard() public {
        act(_steward, incident());
        uint256 market = oracle.marketRatio();
        assertAtMost(distance(market, MARKET), 1, "market");
        assertAtMost(distance(oracle.cap(), 1.1939e18), 0.0001e18, "the cap that was reported");
        assertEq(oracle.ratio(), oracle.cap(), "capped");
        assertAtMost(distance(_ppmUnder(oracle.ratio(), market), 28_500), 500, "2.85 % under");
    }

    /// @notice The same update, before it is executed: the guard refuses it and says that the ratio is not of its time.
    function test_incidentWithGuard() public {
        uint256 timestamp = vm.getBlockTimestamp() - 7 days;
        (, uint256 recorded) = record.atOrBefore(uint48(timestamp));
        _refuses(
            incident(),
            abi.encodeWithSelector(
                SnapshotGuard.ValueNotOfItsTime.selector, stepped(SNAPSHOT), timestamp, recorded, TOLERANCE
            )
        );
        assertAtMost(MARKET, oracle.cap(), "still above the market");
    }

    /// @notice With any tolerance the outcome itself is refused: the cap would be below the market.
    function test_incidentByItsOutcome() public {
        _guard = newGuard(SnapshotBounds(MIN_AGE, RECORD_AGE, 1_000_000), GapBounds(LTV, THRESHOLD, 5_000));
        bytes memory reason = abi.encodeWithSelector(
            SnapshotGuard.CapBelowMarket.selector,
            oracle.capFor(stepped(SNAPSHOT), vm.getBlockTimestamp() - 7 days),
            oracle.marketRatio()
        );
        _refuses(incident(), reason);
    }

    /// @notice The way it should have gone: each step of at most 3 % carries the time at which the ratio was that, and
    /// after three steps the snapshot is a week old, with the cap above the market all the way.
    function test_consistentUpdates() public {
        uint256 steps = 1;
        for (;; ++steps) {
            bytes memory data = consistent();
            _check(data);
            act(_steward, data);
            assertAtMost(oracle.marketRatio(), oracle.cap(), "cap above the market");
            if (_steward.value(TIMESTAMP) + 8 days > vm.getBlockTimestamp()) break;
            vm.warp(vm.getBlockTimestamp() + 3 days);
            record.record();
        }
        assertEq(steps, 3, "steps");
    }

    // ---------------------------------------------------------------- each invariant

    /// @notice The ratio without its time, or the time without its ratio, is refused, though the other did not have to move.
    function test_movedApart() public {
        _refuses(update(RATIO, SNAPSHOT), abi.encodeWithSelector(SnapshotGuard.MovedApart.selector, RATIO, TIMESTAMP));
        _refuses(
            update(TIMESTAMP, vm.getBlockTimestamp() - 7 days),
            abi.encodeWithSelector(SnapshotGuard.MovedApart.selector, TIMESTAMP, RATIO)
        );
    }

    /// @notice A snapshot has the least age to the second; one of a time to come, however far, is too young.
    function test_timestampTooYoung() public {
        uint256 latest = vm.getBlockTimestamp() - MIN_AGE;
        (, uint256 recorded) = record.atOrBefore(uint48(latest));
        _check(snapshot(recorded, latest));
        uint256[2] memory young = [latest + 1, type(uint256).max];
        for (uint256 i; i < 2; ++i) {
            _refuses(
                snapshot(recorded, young[i]),
                abi.encodeWithSelector(SnapshotGuard.TimestampTooYoung.selector, young[i], latest)
            );
        }
    }

    /// @notice A snapshot from before the records, or too long after one, cannot be compared with anything.
    function test_noRecord() public {
        (uint256 first,) = record.atOrBefore(uint48(BEGIN));
        _check(snapshot(SNAPSHOT, first + RECORD_AGE));
        _refuses(
            snapshot(SNAPSHOT, first + RECORD_AGE + 1),
            abi.encodeWithSelector(SnapshotGuard.NoRecord.selector, first + RECORD_AGE + 1, first)
        );
    }

    /// @notice A snapshot never goes back in time, though a true pair of older times gives a cap as slack as anyone likes;
    /// the present time may be taken again.
    function test_neverBack() public {
        uint256 present = _steward.value(TIMESTAMP);
        _check(snapshot(SNAPSHOT, present));
        _refuses(
            snapshot(SNAPSHOT, present - 1),
            abi.encodeWithSelector(SnapshotGuard.TimestampGoesBack.selector, present - 1, present)
        );
    }

    /// @notice The tolerance is exact: one more above or below is refused.
    function test_valueNotOfItsTime() public {
        uint256 timestamp = vm.getBlockTimestamp() - 7 days;
        (, uint256 recorded) = record.atOrBefore(uint48(timestamp));
        uint256 most = recorded * TOLERANCE / 1e6;
        _check(snapshot(recorded + most, timestamp));
        _check(snapshot(recorded - most, timestamp));
        uint256[3] memory wrong = [recorded + most + 1, recorded - most - 1, type(uint256).max];
        for (uint256 i; i < 3; ++i) {
            _refuses(
                snapshot(wrong[i], timestamp),
                abi.encodeWithSelector(
                    SnapshotGuard.ValueNotOfItsTime.selector, wrong[i], timestamp, recorded, TOLERANCE
                )
            );
        }
    }

    /// @notice If the market has outgrown the cap, a snapshot true to its time is refused until the cap would reach it.
    function test_capBelowMarket() public {
        uint256 timestamp = vm.getBlockTimestamp() - 7 days;
        (, uint256 recorded) = record.atOrBefore(uint48(timestamp));
        vm.prank(MANAGER);
        source.mark(int256(SUPPLY / 10));
        bytes memory reason = abi.encodeWithSelector(
            SnapshotGuard.CapBelowMarket.selector, oracle.capFor(recorded, timestamp), oracle.marketRatio()
        );
        _refuses(snapshot(recorded, timestamp), reason);
    }

    /// @notice Threshold and loan-to-value keep their gap when both move, and when one moves beside the other's present value.
    function test_gapTooSmall() public {
        _check(update(LTV, 950_000, THRESHOLD, 955_000));
        _refuses(
            update(LTV, 950_001, THRESHOLD, 955_000),
            abi.encodeWithSelector(SnapshotGuard.GapTooSmall.selector, 950_001, 955_000, 5_000)
        );
        // Present: 930,000 and 950,000.
        _check(update(LTV, 945_000));
        _refuses(
            update(LTV, 945_001), abi.encodeWithSelector(SnapshotGuard.GapTooSmall.selector, 945_001, 950_000, 5_000)
        );
        _check(update(THRESHOLD, 935_000));
        _refuses(
            update(THRESHOLD, 934_999),
            abi.encodeWithSelector(SnapshotGuard.GapTooSmall.selector, 930_000, 934_999, 5_000)
        );
        _refuses(
            update(THRESHOLD, 4_999), abi.encodeWithSelector(SnapshotGuard.GapTooSmall.selector, 930_000, 4_999, 5_000)
        );
        _refuses(
            update(LTV, type(uint256).max),
            abi.encodeWithSelector(SnapshotGuard.GapTooSmall.selector, type(uint256).max, 950_000, 5_000)
        );
    }

    // ---------------------------------------------------------------- what is not its business

    /// @notice Other parameters, other functions and other targets pass: what may be called at all is for the rules.
    function test_passes() public view {
        _check(update("supplyCap", 7));
        _check(update("supplyCap", 7, "zzz", type(uint256).max));
        _check(abi.encodeCall(RiskSteward.update, (new bytes32[](0), new uint256[](0))));
        _check(abi.encodeWithSelector(RiskSteward.value.selector, RATIO));
        _check("");
        Action memory a = _action(incident());
        a.target = address(oracle);
        _guard.check(a, DECISION);
    }

    /// @notice An update that is not encoded in the one usual way is refused, also one the steward could read: cut, longer,
    /// with other offsets, or with other counts.
    function test_malformedUpdate() public {
        bytes memory good = incident();
        for (uint256 length = 4; length < good.length; length += 32) {
            _refusesMalformed(_cut(good, length));
            _refusesMalformed(_cut(good, length + 1));
        }
        _refusesMalformed(bytes.concat(good, hex"00"));
        _refusesMalformed(bytes.concat(good, bytes32(0)));
        _refusesMalformed(bytes.concat(good, bytes32(0), bytes32(0)));
        // Both offsets, both counts: words 0, 1, 2 and 5.
        uint256[4] memory words = [uint256(0), 1, 2, 5];
        for (uint256 i; i < 4; ++i) {
            for (uint256 bit; bit < 256; bit += 15) {
                bytes memory bad = bytes.concat(good);
                bad[4 + 32 * words[i] + 31 - bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
                _refusesMalformed(bad);
            }
        }
    }

    /// @notice The steward would read the incident's update from arrays that lie elsewhere too: the guard does not let that by.
    function test_otherEncodingOfTheSame() public {
        bytes memory other = bytes.concat(
            RiskSteward.update.selector,
            abi.encode(96, 192, 0, 2, RATIO, TIMESTAMP, 2, stepped(SNAPSHOT), vm.getBlockTimestamp() - 7 days)
        );
        _refusesMalformed(other);
        act(_steward, other);
        assertEq(_steward.value(RATIO), stepped(SNAPSHOT), "the steward reads it");
    }

    function _refusesMalformed(bytes memory data) private {
        _refuses(data, abi.encodeWithSelector(SnapshotGuard.MalformedUpdate.selector, data));
    }

    function _cut(bytes memory data, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i; i < length; ++i) {
            part[i] = data[i];
        }
    }

    /// @notice A guard compares with the history of the vault whose ratio is capped, and of no other.
    function test_otherSource() public {
        SettlementToken asset = newToken("Other");
        Fund other = newFund(asset, 0);
        RatioRecord otherRecord =
            RatioRecord(vm.deployCode("RatioRecord.sol:RatioRecord", abi.encode(other, uint32(1 days))));
        refusesToDeploy(
            "SnapshotGuard.sol:SnapshotGuard",
            abi.encode(oracle, otherRecord, SnapshotBounds(1, 1, 1), GapBounds(LTV, THRESHOLD, 1)),
            abi.encodeWithSelector(SnapshotGuard.OtherSource.selector, source, other)
        );
    }

    /// @notice Whatever the pair says, what passes is the recorded ratio within the tolerance, of a time old enough and on
    /// record, and leaves the cap above the market; and all such pairs pass.
    function testFuzz_pair(uint256 seed, uint256 ratio, uint256 timestamp) public view {
        uint256 time = vm.getBlockTimestamp();
        if (seed % 4 != 0) timestamp = within(timestamp, BEGIN - 2 days, time + 1 days);
        uint256 truth = seed % 3 == 0 ? stepped(SNAPSHOT) : ratioAt(within(timestamp, BEGIN, time));
        if (seed % 5 != 0) ratio = within(ratio, truth * 999_800 / 1e6, truth * 1_000_200 / 1e6);
        bool inside = timestamp <= time - MIN_AGE;
        if (inside) {
            // The records told once more: weekly, then daily.
            uint256 recordedAt = lastRecord(timestamp);
            inside = recordedAt != 0 && timestamp - recordedAt <= RECORD_AGE;
            if (inside) {
                (, uint256 recorded) = record.atOrBefore(uint48(recordedAt));
                assertAtMost(distance(recorded, ratioAt(recordedAt)), 2, "recorded");
                inside = distance(ratio, recorded) <= recorded * TOLERANCE / 1e6;
                inside = inside && ratio + ratio * 96_800 * (time - timestamp) / 365 days / 1e6 >= MARKET - 1;
            }
        }
        try _guard.check(_action(snapshot(ratio, timestamp)), DECISION) {
            assertTrue(inside, "passed outside");
        } catch {
            assertTrue(!inside, "refused inside");
        }
    }

    // ---------------------------------------------------------------- the oracle and the record

    /// @notice The cap grows linearly with the snapshot's age, and not for a time to come; the ratio is the lower of both.
    function test_cappedRatio() public {
        uint256 time = vm.getBlockTimestamp();
        assertEq(oracle.capFor(1e18, time - 365 days), 1.0968e18, "a year");
        assertEq(oracle.capFor(1e18, time - 73 days), 1.01936e18, "a fifth");
        assertEq(oracle.capFor(1e18, time), 1e18, "now");
        assertEq(oracle.capFor(1e18, time + 1), 1e18, "later");
        assertEq(oracle.cap(), oracle.capFor(SNAPSHOT, BEGIN), "cap");
        assertEq(oracle.ratio(), oracle.marketRatio(), "below the cap");
        vm.prank(MANAGER);
        source.mark(int256(SUPPLY));
        assertEq(oracle.ratio(), oracle.cap(), "capped");
        assertTrue(oracle.marketRatio() > oracle.cap(), "above the cap");
    }

    /// @notice Anyone records, but not too soon; what was recorded is found for every later time until the next record.
    function test_record() public {
        uint256 time = vm.getBlockTimestamp();
        uint256 count = record.count();
        vm.expectRevert(abi.encodeWithSelector(RatioRecord.TooSoon.selector, time + 1 days, time));
        record.record();
        vm.warp(time + 1 days - 1);
        vm.expectRevert(abi.encodeWithSelector(RatioRecord.TooSoon.selector, time + 1 days, time + 1 days - 1));
        record.record();
        vm.warp(time + 1 days);
        vm.expectEmit(address(record));
        emit RatioRecord.Recorded(time + 1 days, oracle.marketRatio());
        vm.prank(ALICE);
        record.record();
        assertEq(record.count(), count + 1, "count");
        (uint256 found,) = record.atOrBefore(uint48(time + 1 days - 1));
        assertEq(found, time, "before");
        (found,) = record.atOrBefore(uint48(time + 1 days));
        assertEq(found, time + 1 days, "then");
        (found,) = record.atOrBefore(type(uint48).max);
        assertEq(found, time + 1 days, "after");
        uint256 ratio;
        (found, ratio) = record.atOrBefore(0);
        assertEq(found + ratio, 0, "none");
    }

    /// @notice The search finds the newest record at or before any time.
    function testFuzz_search(uint256 time) public view {
        time = within(time, BEGIN - 10 days, vm.getBlockTimestamp() + 10 days);
        (uint256 found,) = record.atOrBefore(uint48(time));
        assertEq(found, lastRecord(time), "found");
    }
}
