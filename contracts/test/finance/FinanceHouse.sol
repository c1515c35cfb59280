// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Bucket} from "../../src/core/Bucket.sol";
import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {PER_CALL, Pin, Rule, Terms} from "../../src/core/Terms.sol";
import {FeeBounds, Pool} from "../../src/finance/Pool.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {RiskSteward} from "../../src/finance/RiskSteward.sol";
import {SnapshotGuard} from "../../src/finance/SnapshotGuard.sol";
import {Place, RebalanceBounds, StrategyVault} from "../../src/finance/StrategyVault.sol";
import {Sworn} from "../../src/finance/Sworn.sol";
import {House} from "../House.sol";
import {Incident} from "./Incident.sol";

/// @title A pool, a steward and a vault under one real mandate, with the guard
abstract contract FinanceHouse is House, Incident {
    address internal constant OWNER = address(0x0137);
    address internal constant ALICE = address(0xA11);
    address internal constant BOB = address(0xB0B);
    address internal constant MANAGER = address(0x3A7);
    uint256 internal constant FOREVER = type(uint256).max;

    /// @dev Three days see at most this much turnover, and a day this many other calls.
    uint96 internal constant TURNOVER_LIMIT = 1_500_000_000;
    uint96 internal constant CALLS_LIMIT = 12;
    uint128 internal constant TURNOVER_CAP = 700_000_000;

    SettlementToken internal token0;
    SettlementToken internal token1;
    SettlementToken internal staked;
    Pool internal pool;
    RiskSteward internal steward;
    SnapshotGuard internal guard;
    Fund[3] internal funds;
    StrategyVault internal vault;

    function setUp() public virtual override {
        super.setUp();
        (token0, token1, staked) = (newToken("Zero"), newToken("One"), newToken("Staked"));
        FeeBounds memory fees = FeeBounds(500, 10_000, 1_000, 1 hours);
        pool = Pool(vm.deployCode("Pool.sol:Pool", abi.encode(token0, token1, fees, uint24(3_000), OWNER, factory, anchor)));

        steward = RiskSteward(vm.deployCode("RiskSteward.sol:RiskSteward", abi.encode(OWNER, factory, anchor)));
        staked.mint(MANAGER, 1e30);
        guard = stageIncident(steward, OWNER, newFund(staked, 0), MANAGER);

        (funds[0], funds[1], funds[2]) = (newFund(token, 0), newFund(token, 2_000), newFund(token, 0));
        Place[] memory places = new Place[](3);
        (places[0], places[1], places[2]) =
        (Place(funds[0], 600_000), Place(funds[1], 400_000), Place(funds[2], 300_000));
        vault = StrategyVault(
            vm.deployCode(
                "StrategyVault.sol:StrategyVault",
                abi.encode(token, "Vault", "VAULT", places, RebalanceBounds(1 days, 1_500), OWNER, factory, anchor)
            )
        );

        mandate = create(financeTerms());
        token.mint(address(mandate), 1_000_000);
        appointEverywhere(address(mandate));
        fundPeople();
    }

    // Rules: 0 `setFee` and 1 `update`, counted in the second bucket; 2 `rebalance`, metered by its first argument.
    function financeTerms() internal virtual returns (Terms memory t) {
        t = terms();
        t.validUntil = 4_000_000_000;
        t.guard = address(guard);
        t.buckets[0] = Bucket(TURNOVER_LIMIT, 3 days);
        t.buckets[1] = Bucket(CALLS_LIMIT, 1 days);
        t.rules = new Rule[](3);
        t.rules[0] = Rule(address(pool), Pool.setFee.selector, PER_CALL, 1, 1, new Pin[](0));
        t.rules[1] = Rule(address(steward), RiskSteward.update.selector, PER_CALL, 1, 1, new Pin[](0));
        t.rules[2] = Rule(address(vault), StrategyVault.rebalance.selector, 0, 0, TURNOVER_CAP, new Pin[](0));
    }

    function appointEverywhere(address mandate_) internal {
        address[3] memory targets = [address(pool), address(steward), address(vault)];
        for (uint256 i; i < 3; ++i) {
            vm.prank(OWNER);
            Sworn(targets[i]).appoint(mandate_);
        }
    }

    /// @dev People with tokens, liquidity and shares.
    function fundPeople() private {
        address[3] memory people = [ALICE, BOB, MANAGER];
        for (uint256 i; i < 3; ++i) {
            address who = people[i];
            approve(token0, who, address(pool));
            approve(token1, who, address(pool));
            approve(token, who, address(vault));
            for (uint256 j; j < 3; ++j) {
                approve(token, who, address(funds[j]));
            }
            token0.mint(who, 1e24);
            token1.mint(who, 1e24);
            token.mint(who, 1e24);
        }
        vm.prank(ALICE);
        pool.add(1_000_000_000_000, 2_000_000_000_000, 0, ALICE);
        vm.prank(ALICE);
        vault.deposit(700_000_000, ALICE);
        vm.prank(BOB);
        vault.deposit(300_000_000, BOB);
    }

    function approve(SettlementToken token_, address who, address spender) private {
        vm.prank(who);
        token_.approve(spender, FOREVER);
    }

    function newToken(string memory name) private returns (SettlementToken) {
        return
            SettlementToken(vm.deployCode("SettlementToken.sol:SettlementToken", abi.encode(name, name, address(this))));
    }

    function newFund(SettlementToken asset, uint24 exitFee) private returns (Fund) {
        return Fund(vm.deployCode("Fund.sol:Fund", abi.encode(asset, "Fund", "FUND", exitFee, MANAGER)));
    }

    function rebalancing(uint256 maxTurnover, uint256 a, uint256 b, uint256 c) internal pure returns (bytes memory) {
        uint256[] memory weights = new uint256[](3);
        (weights[0], weights[1], weights[2]) = (a, b, c);
        return abi.encodeCall(StrategyVault.rebalance, (maxTurnover, weights));
    }
}
