// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../../src/core/Action.sol";
import {LeakyBucket} from "../../src/core/Bucket.sol";
import {Mandate} from "../../src/core/Mandate.sol";
import {Oath} from "../../src/core/Oath.sol";
import {Terms} from "../../src/core/Terms.sol";
import {Pool} from "../../src/finance/Pool.sol";
import {RiskSteward} from "../../src/finance/RiskSteward.sol";
import {SnapshotGuard} from "../../src/finance/SnapshotGuard.sol";
import {StrategyVault} from "../../src/finance/StrategyVault.sol";
import {Sworn} from "../../src/finance/Sworn.sol";
import {FinanceHouse} from "./FinanceHouse.sol";

contract FinanceMandateTest is FinanceHouse {
    function _setFee(uint24 fee) private view returns (Action memory) {
        return call(address(pool), 0, abi.encodeCall(Pool.setFee, (fee)));
    }

    function _rebalance(uint256 maxTurnover, uint256 a, uint256 b, uint256 c) private view returns (Action memory) {
        return call(address(vault), 0, rebalancing(maxTurnover, a, b, c));
    }

    /// @notice The event of each change names the statement that is in the log and the model that decided.
    function test_eventsNameTheDecision() public {
        Action memory a = _setFee(3_500);
        Oath memory oath = oathFor(a);
        vm.expectEmit(address(pool));
        emit Pool.FeeChanged(leafOf(a, oath), MODEL, 3_500, 3_000);
        mandate.execute(a, oath);

        a = call(address(steward), 0, update(LTV, 940_000));
        oath = oathFor(a);
        vm.expectEmit(address(steward));
        emit RiskSteward.Updated(leafOf(a, oath), MODEL, LTV, 940_000, 930_000);
        mandate.execute(a, oath);

        a = _rebalance(500_000_000, 500_000, 0, 0);
        oath = oathFor(a);
        uint256[] memory weights = new uint256[](3);
        weights[0] = 500_000;
        vm.expectEmit(address(vault));
        emit StrategyVault.Rebalanced(leafOf(a, oath), MODEL, 500_000_000, weights);
        mandate.execute(a, oath);
    }

    /// @notice 10 March 2026 through a mandate whose guard looks at the pair: the update, sworn and logged, inside every
    /// bound of its rule and of the steward, is refused by the name of the invariant, and the oracle stays at the market.
    function test_incidentRefused() public {
        uint256 timestamp = vm.getBlockTimestamp() - 7 days;
        (, uint256 recorded) = record.atOrBefore(uint48(timestamp));
        bytes memory invariant = abi.encodeWithSelector(
            SnapshotGuard.ValueNotOfItsTime.selector, stepped(SNAPSHOT), timestamp, recorded, TOLERANCE
        );
        refuses(call(address(steward), 0, incident()), abi.encodeWithSelector(Mandate.GuardRefused.selector, invariant));
        assertEq(oracle.ratio(), oracle.marketRatio(), "at the market");
        assertEq(steward.value(RATIO), SNAPSHOT, "unchanged");
    }

    /// @notice The same update through a mandate that differs in nothing but having no guard: the oracle falls 2.85 % under
    /// the market.
    function test_incidentWithoutGuard() public {
        Terms memory t = financeTerms();
        t.guard = address(0);
        mandate = create(t);
        appointEverywhere(address(mandate));
        execute(call(address(steward), 0, incident()));
        uint256 underPpm = (oracle.marketRatio() - oracle.ratio()) * 1e6 / oracle.marketRatio();
        assertAtMost(underPpm, 29_000, "2.85 % under");
        assertAtMost(28_000, underPpm, "2.85 % under");
    }

    /// @notice The update that carries a ratio with its own time passes guard and steward, and caps above the market.
    function test_consistentUpdate() public {
        execute(call(address(steward), 0, consistent()));
        assertTrue(steward.value(RATIO) > SNAPSHOT && steward.value(TIMESTAMP) > BEGIN, "moved");
        assertEq(oracle.ratio(), oracle.marketRatio(), "at the market");
    }

    /// @notice The guard leaves the mandate's other calls alone.
    function test_guardLetsOthersPass() public {
        execute(_setFee(3_001));
        execute(_rebalance(700_000_000, 400_000, 0, 300_000));
        assertEq(vault.totalAssets(), 1_000_000_000, "total");
    }

    /// @notice Nothing that the targets have can be reached past the mandate: not by the agent, the owner or the principal.
    function test_onlyThroughTheMandate() public {
        address[3] memory targets = [address(pool), address(steward), address(vault)];
        bytes[3] memory calls =
            [abi.encodeCall(Pool.setFee, (3_001)), update(LTV, 940_000), rebalancing(FOREVER, 0, 0, 0)];
        address[3] memory callers = [agent.addr, OWNER, principal];
        for (uint256 i; i < 3; ++i) {
            for (uint256 j; j < 3; ++j) {
                vm.prank(callers[j]);
                (bool success, bytes memory returned) = targets[i].call(calls[i]);
                assertTrue(!success, "refused");
                assertEq(returned, abi.encodeWithSelector(Sworn.NotSworn.selector, callers[j], mandate), "reason");
            }
        }
    }

    /// @notice A mandate that is no longer appointed executes, and the target refuses.
    function test_dismissed() public {
        appointEverywhere(address(0));
        bytes memory reason = abi.encodeWithSelector(Sworn.NotSworn.selector, mandate, address(0));
        refuses(_setFee(3_001), abi.encodeWithSelector(Mandate.CallFailed.selector, reason));
    }

    /// @notice The mandate's bucket bounds the turnover that the agent may ask for in any three days, through `rebalance`'s
    /// first argument; what it does not ask for it does not get.
    function test_turnoverIsMetered() public {
        execute(_rebalance(600_000_000, 600_000, 0, 0));
        assertEq(mandate.level(0), 150_000_000, "level");
        refuses(
            _rebalance(700_000_001, 0, 0, 0),
            abi.encodeWithSelector(Mandate.AboveCap.selector, 700_000_001, TURNOVER_CAP)
        );
        refuses(
            _rebalance(150_000_001, 0, 0, 0),
            abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, 0, 150_000_001, 150_000_000)
        );
        vm.warp(vm.getBlockTimestamp() + 3 days);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.TurnoverTooLarge.selector, 600_000_000, 599_999_999);
        refuses(_rebalance(599_999_999, 0, 0, 0), abi.encodeWithSelector(Mandate.CallFailed.selector, reason));
        execute(_rebalance(600_000_000, 0, 0, 0));
    }

    /// @notice Whole transactions, proven by 6 levels, not the first of their kind: a fee; a snapshot under the guard, with
    /// 126 records to search; and weights moved between two of three funds cost at most this much gas.
    function test_gas() public {
        execute(_setFee(3_001));
        execute(call(address(steward), 0, consistent()));
        execute(_rebalance(600_000_000, 500_000, 0, 100_000));
        vm.warp(vm.getBlockTimestamp() + 3 days);
        record.record();
        assertEq(record.count(), 126, "records");
        assertAtMost(_gasOf(_setFee(3_002)), 88_000, "setFee");
        assertAtMost(_gasOf(call(address(steward), 0, consistent())), 150_000, "update");
        assertAtMost(_gasOf(_rebalance(600_000_000, 400_000, 0, 200_000)), 252_000, "rebalance");
    }

    function _gasOf(Action memory a) private returns (uint256) {
        // A tree of 64 leaves beside one of a multiple of 128, and the action is its last.
        log.fill((log.size() / 128 + 1) * 128);
        log.anchorAll();
        log.fill(log.size() + 63);
        assertEq(execute(a).path.length, 6, "levels");
        return vm.lastCallGas().gasTotalUsed;
    }
}
