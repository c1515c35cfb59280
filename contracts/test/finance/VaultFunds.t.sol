// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {FundCalls} from "../../src/finance/FundCalls.sol";
import {RatioRecord} from "../../src/finance/RatioRecord.sol";
import {Place, RebalanceBounds, StrategyVault} from "../../src/finance/StrategyVault.sol";
import {PlayedMandate, Stage} from "./Stage.sol";
import {KeepingToken, Miser, OddFund, ProxiedFund} from "./VaultOddFund.sol";

/// @title A vault whose funds, callers and asset are up to no good
contract VaultFundsTest is Stage {
    uint256 private constant FOREVER = type(uint256).max;
    /// @dev The most gas that one transaction may have on today's chain.
    uint256 private constant TRANSACTION_GAS = 16_777_216;

    SettlementToken private _asset;
    StrategyVault private _vault;
    /// @dev At most 60 and 30 %.
    Fund private _plain;
    OddFund private _odd;

    function setUp() public {
        vm.warp(START);
        _asset = newToken("Euro");
        _plain = newFund(_asset, 0);
        _odd = new OddFund(_asset, MANAGER);
        _open(_places(IERC4626(_plain), IERC4626(_odd)));
    }

    function _places(IERC4626 first, IERC4626 second) private pure returns (Place[] memory places) {
        places = new Place[](2);
        (places[0], places[1]) = (Place(first, 600_000), Place(second, 300_000));
    }

    function _open(Place[] memory places) private {
        _vault = newVault(_asset, places, RebalanceBounds(0, 3_000));
        address[3] memory people = [ALICE, BOB, MANAGER];
        for (uint256 i; i < 3; ++i) {
            _asset.mint(people[i], 1e30);
            more.startPrank(people[i]);
            _asset.approve(address(_vault), FOREVER);
            _asset.approve(address(_plain), FOREVER);
            _asset.approve(address(_odd), FOREVER);
            more.stopPrank();
        }
    }

    function _deposit(address who, uint256 assets) private returns (uint256) {
        vm.prank(who);
        return _vault.deposit(assets, who);
    }

    function _rebalance(uint256 a, uint256 b) private pure returns (bytes memory) {
        return _rebalanceAtMost(FOREVER, a, b);
    }

    function _rebalanceAtMost(uint256 maxTurnover, uint256 a, uint256 b) private pure returns (bytes memory) {
        uint256[] memory weights = new uint256[](2);
        (weights[0], weights[1]) = (a, b);
        return abi.encodeCall(StrategyVault.rebalance, (maxTurnover, weights));
    }

    function _held(uint256 i) private view returns (uint256) {
        (, uint256[] memory assets) = _vault.holdings();
        return assets[i];
    }

    // ---------------------------------------------------------------- funds that do not answer

    /// @notice However a fund does not answer, it counts as nothing and locks nobody in: holders leave without it, nobody
    /// enters, and the agent moves the others.
    function test_everySilence() public {
        OddFund.Mood[5] memory silences = [
            OddFund.Mood.Silent,
            OddFund.Mood.Short,
            OddFund.Mood.Absurd,
            OddFund.Mood.Burning,
            OddFund.Mood.Bombing
        ];
        uint256 shares = _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(300_000, 10_000));
        uint256 start = more.snapshotState();
        for (uint256 i; i < silences.length; ++i) {
            _odd.set(silences[i]);
            _findsItSilent(shares);
            more.revertToState(start);
            start = more.snapshotState();
        }
    }

    /// @notice A fund behind a proxy that points at nothing is one that does not answer; it succeeds with nothing, which is
    /// less than a word.
    function test_fundWithoutCode() public {
        ProxiedFund proxied = new ProxiedFund(address(new OddFund(_asset, MANAGER)));
        _open(_places(IERC4626(_plain), IERC4626(address(proxied))));
        uint256 shares = _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(300_000, 10_000));
        proxied.point(address(0xdead));
        _findsItSilent(shares);
    }

    /// @dev 10,000 of 1,000,000 are in the second fund, 300,000 in the first.
    function _findsItSilent(uint256 shares) private {
        (bool[] memory answered,) = _vault.holdings();
        assertTrue(answered[0] && !answered[1], "the second");
        assertEq(_vault.totalAssets(), 990_000, "counted as nothing");
        assertEq(_vault.maxDeposit(ALICE), 0, "closed");
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, BOB, 1, 0));
        _deposit(BOB, 1);
        vm.prank(ALICE);
        assertEq(_vault.redeem(shares / 2, ALICE, ALICE), 495_000, "a half");
        act(_vault, _rebalance(600_000, 0));
        assertEq(_held(0), 297_000, "moved");
        assertEq(_vault.maxWithdraw(ALICE), 495_000, "promised");
        vm.prank(ALICE);
        assertEq(_vault.redeem(shares - shares / 2, ALICE, ALICE), 495_000, "the rest");
    }

    /// @notice A fund that does not say how many shares a part of it is gives all that it has, or is passed over.
    function test_mumblingFund() public {
        uint256 shares = _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(600_000, 300_000));
        _odd.set(OddFund.Mood.Mumbling);
        vm.prank(ALICE);
        assertEq(_vault.redeem(shares / 2, ALICE, ALICE), 500_000, "a half");
        assertEq(_held(1), 300_000, "passed over");
        vm.prank(ALICE);
        assertEq(_vault.redeem(shares - shares / 2, ALICE, ALICE), 500_000, "the rest");
    }

    /// @notice A vault of this kind cannot be a fund of another: it would count a fund of its own that is silent as nothing,
    /// and who enters the outer one meanwhile would buy too cheaply.
    function test_noVaultInAVault() public {
        StrategyVault inner = _vault;
        bytes memory arguments = abi.encode(
            _asset,
            "Vault",
            "VAULT",
            _places(_plain, inner),
            RebalanceBounds(0, 1),
            OWNER,
            mandate,
            mandate
        );
        bytes memory reason = abi.encodeWithSelector(StrategyVault.SilentFund.selector, inner);
        refusesToDeploy("StrategyVault.sol:StrategyVault", arguments, reason);
    }

    // ---------------------------------------------------------------- gas

    /// @notice Funds that burn all gas they get, for every question and every payment, do not keep a holder in: with seven
    /// of eight of them he gets out with the gas of one transaction, as one that did not pay is not asked again.
    function test_gasOfHostileFunds() public {
        Place[] memory places = new Place[](8);
        OddFund[] memory odd = new OddFund[](8);
        uint256[] memory weights = new uint256[](8);
        for (uint256 i; i < 8; ++i) {
            odd[i] = new OddFund(_asset, MANAGER);
            (places[i], weights[i]) = (Place(odd[i], 125_000), 125_000);
        }
        _open(places);
        _deposit(ALICE, 8_000_000);
        act(_vault, abi.encodeCall(StrategyVault.rebalance, (FOREVER, weights)));
        for (uint256 i; i < 7; ++i) {
            odd[i].set(OddFund.Mood.Greedy);
        }
        assertEq(_vault.totalAssets(), 8_000_000, "all answer");
        vm.prank(ALICE);
        _vault.withdraw(1_000_000, ALICE, ALICE);
        assertAtMost(vm.lastCallGas().gasTotalUsed, TRANSACTION_GAS, "gas");
        assertEq(_vault.totalAssets(), 7_000_000, "left");
    }

    /// @notice Who sends too little gas does not make a fund look silent, and so shares cheap: whatever the gas, he gets
    /// no more shares than he pays for. Here the fund takes so much gas that what is left of it would do for the rest.
    function test_littleGasMakesNothingCheap() public {
        _deposit(ALICE, 1_000_000_000);
        act(_vault, _rebalance(0, 300_000));
        uint256 fair = _vault.previewDeposit(1_000_000_000);
        Miser miser = new Miser(_asset, address(_vault));
        _asset.mint(address(miser), 1_000_000_000);
        uint256[2] memory thinking = [uint256(200_000), 9_000_000];
        bytes memory data = abi.encodeCall(IERC4626.deposit, (1_000_000_000, address(miser)));
        uint256 entered;
        for (uint256 k; k < 2; ++k) {
            _odd.think(thinking[k]);
            for (uint256 i; i < 60; ++i) {
                uint256 start = more.snapshotState();
                uint256 gas_ = k == 0 ? 100_000 + i * 20_000 : 2 * thinking[k] - 100_000 + i * 10_000;
                (bool success, bytes memory returned) = miser.call(address(_vault), data, gas_);
                if (success) {
                    assertEq(abi.decode(returned, (uint256)), fair, "no cheaper");
                    ++entered;
                }
                more.revertToState(start);
            }
        }
        assertTrue(entered > 0, "with enough gas he enters");
    }

    /// @notice Nor does he make the vault tell a smaller worth, though a fund gives up at once when it gets less gas than it
    /// may have, and so leaves enough for the rest.
    function test_littleGasHidesNothing() public {
        Miser miser = new Miser(_asset, address(_vault));
        _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(300_000, 300_000));
        _odd.demand(200_000, 0);
        uint256 told;
        for (uint256 gas_ = 50_000; gas_ < 600_000; gas_ += 5_000) {
            bytes memory data = abi.encodeCall(IERC4626.totalAssets, ());
            (bool success, bytes memory returned) = miser.call(address(_vault), data, gas_);
            if (!success) continue;
            assertEq(returned, abi.encode(1_000_000), "all of it");
            ++told;
        }
        assertTrue(told > 0, "with enough gas");
    }

    /// @notice Who sends too little gas when he leaves does not make a fund look as if it did not pay, though it gives up at
    /// once when it gets too little: he gets what he is due from every fund, or nothing, and is told the reason.
    function test_littleGasMovesNoWeight() public {
        Miser miser = new Miser(_asset, address(_vault));
        _asset.mint(address(miser), 1_000_000);
        _deposit(ALICE, 1_000_000);
        bytes memory data = abi.encodeCall(IERC4626.deposit, (1_000_000, address(miser)));
        miser.call(address(_vault), data, 10_000_000);
        act(_vault, _rebalance(300_000, 300_000));
        _odd.demand(0, 700_000);
        data = abi.encodeCall(IERC4626.withdraw, (1_000_000, address(miser), address(miser)));
        (uint256 left, uint256 refused) = (0, 0);
        for (uint256 gas_ = 100_000; gas_ < 1_500_000; gas_ += 10_000) {
            uint256 start = more.snapshotState();
            (bool success, bytes memory returned) = miser.call(address(_vault), data, gas_);
            if (success) {
                assertEq(_held(0), 300_000, "plain");
                assertEq(_held(1), 300_000, "odd");
                ++left;
            } else if (returned.length != 0) {
                assertTrue(bytes4(returned) == FundCalls.TooLittleGas.selector, "reason");
                ++refused;
            }
            more.revertToState(start);
        }
        assertTrue(left > 0 && refused > 0, "both");
    }

    // ---------------------------------------------------------------- weights

    /// @notice Who enters, lets the agent move, and leaves at once, does not bring a fund over its largest weight.
    function test_noWayAroundLargestWeights() public {
        uint256[2] memory flash = [uint256(1_000_000_000), 2_400_000_000];
        for (uint256 i; i < 2; ++i) {
            uint256 start = more.snapshotState();
            _deposit(ALICE, 1_000_000_000);
            uint256 shares = _deposit(BOB, flash[i]);
            act(_vault, _rebalance(0, 300_000));
            vm.prank(BOB);
            assertEq(_vault.redeem(shares, BOB, BOB), flash[i], "free");
            assertEq(_held(1), 300_000_000, "odd");
            assertEq(_vault.totalAssets(), 1_000_000_000, "total");
            more.revertToState(start);
        }
    }

    /// @notice Whatever the weights, the amounts and the price of a fund's share: leaving moves no weight up, and who leaves
    /// gets what was previewed.
    function testFuzz_leavingMovesNoWeight(uint256 seed, uint256 stays, uint256 leaves, uint256 gain) public {
        stays = within(stays, 1_000_000, 1e15);
        leaves = within(leaves, 1, 1e15);
        _deposit(ALICE, stays);
        uint256 shares = _deposit(BOB, leaves);
        act(_vault, _rebalance(within(seed, 0, 600_000), within(seed >> 64, 0, 300_000)));
        gain = within(gain, 0, _held(1));
        vm.prank(MANAGER);
        _asset.transfer(address(_odd), gain);
        (uint256[2] memory held, uint256 total) = ([_held(0), _held(1)], _vault.totalAssets());
        uint256 told = _vault.previewRedeem(shares);
        vm.prank(BOB);
        assertEq(_vault.redeem(shares, BOB, BOB), told, "as previewed");
        for (uint256 i; i < 2; ++i) {
            assertAtMost(_held(i) * total, held[i] * _vault.totalAssets() + 4 * total, "weight");
        }
    }

    // ---------------------------------------------------------------- funds that pay little

    /// @notice What one may take can be taken to the last unit, in assets and in shares, though a fund can pay little and its
    /// share is worth three units.
    function test_limitedFund() public {
        _makeDear(1_000_000, 2_000_000);
        _deposit(ALICE, 10_000_000);
        act(_vault, _rebalance(600_000, 300_000));
        _odd.limit(1_000);
        _canTakeAll(ALICE);
    }

    /// @notice The same for any price of a share and any limit, with two holders.
    function testFuzz_limitedFund(uint256 first, uint256 sent, uint256 assets, uint256 liquidity) public {
        _makeDear(within(first, 1, 1e6), within(sent, 0, 1e7));
        _deposit(ALICE, within(assets, 1, 1e12));
        _deposit(BOB, within(assets >> 64, 1, 1e12));
        // Where a share is too dear for what is put in, that is refused.
        try mandate.act(MODEL, DECISION, address(_vault), _rebalance(600_000, within(assets >> 128, 0, 300_000))) {}
        catch (bytes memory reason) {
            assertTrue(bytes4(reason) == StrategyVault.CostTooLarge.selector, "cost");
        }
        _odd.limit(within(liquidity, 0, _held(1) + 1));
        _canTakeAll(ALICE);
        _canTakeAll(BOB);
    }

    /// @dev Somebody else has shares of the odd fund, and it has a gain.
    function _makeDear(uint256 first, uint256 sent) private {
        vm.prank(BOB);
        _odd.deposit(first, BOB);
        vm.prank(BOB);
        _asset.transfer(address(_odd), sent);
    }

    function _canTakeAll(address who) private {
        uint256 start = more.snapshotState();
        uint256 assets = _vault.maxWithdraw(who);
        vm.prank(who);
        _vault.withdraw(assets, who, who);
        more.revertToState(start);
        uint256 shares = _vault.maxRedeem(who);
        assertEq(_vault.previewRedeem(shares), assets, "the same");
        vm.prank(who);
        assertEq(_vault.redeem(shares, who, who), assets, "in shares");
    }

    // ---------------------------------------------------------------- funds that call back

    /// @notice What a fund calls while it pays, for a holder or for the agent, finds all that moves assets closed.
    function test_noReentry() public {
        _deposit(ALICE, 1_000_000);
        vm.prank(ALICE);
        _vault.approve(address(_odd), FOREVER);
        bytes[5] memory calls = [
            abi.encodeCall(IERC4626.deposit, (0, BOB)),
            abi.encodeCall(IERC4626.mint, (0, BOB)),
            abi.encodeCall(IERC4626.withdraw, (1, BOB, ALICE)),
            abi.encodeCall(IERC4626.redeem, (1, BOB, ALICE)),
            _rebalance(0, 0)
        ];
        for (uint256 i; i < calls.length; ++i) {
            if (i < 4) _odd.plan(address(_vault), calls[i]);
            // The agent's own call, by way of its mandate.
            else _odd.plan(address(mandate), abi.encodeCall(PlayedMandate.act, (MODEL, DECISION, address(_vault), calls[i])));
            _findsItClosed();
        }
    }

    /// @notice Nor does it, or anybody, read there what the vault is worth: half way that is true neither before nor after.
    function test_noReadingHalfWay() public {
        _deposit(ALICE, 1_000_000);
        bytes[12] memory calls = [
            abi.encodeCall(IERC4626.totalAssets, ()),
            abi.encodeCall(StrategyVault.holdings, ()),
            abi.encodeCall(IERC4626.convertToAssets, (1)),
            abi.encodeCall(IERC4626.convertToShares, (1)),
            abi.encodeCall(IERC4626.maxDeposit, (BOB)),
            abi.encodeCall(IERC4626.maxMint, (BOB)),
            abi.encodeCall(IERC4626.maxWithdraw, (BOB)),
            abi.encodeCall(IERC4626.maxRedeem, (BOB)),
            abi.encodeCall(IERC4626.previewDeposit, (1)),
            abi.encodeCall(IERC4626.previewMint, (1)),
            abi.encodeCall(IERC4626.previewWithdraw, (1)),
            abi.encodeCall(IERC4626.previewRedeem, (1))
        ];
        for (uint256 i; i < calls.length; ++i) {
            _odd.plan(address(_vault), calls[i]);
            _findsItClosed();
        }
    }

    /// @notice A record of the vault's ratio is not written half way.
    function test_noRecordHalfWay() public {
        RatioRecord ratios = RatioRecord(vm.deployCode("RatioRecord.sol:RatioRecord", abi.encode(_vault, uint32(0))));
        _deposit(ALICE, 1_000_000);
        _odd.plan(address(ratios), abi.encodeCall(RatioRecord.record, ()));
        _findsItClosed();
    }

    /// @dev Lets the fund pay for a holder and for the agent; what it planned is refused both times.
    function _findsItClosed() private {
        bytes memory closed = abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector);
        act(_vault, _rebalance(0, 300_000));
        vm.prank(ALICE);
        _vault.withdraw(10_000, ALICE, ALICE);
        assertEq(_odd.answer(), closed, "for a holder");
        _odd.forget();
        act(_vault, _rebalance(0, 0));
        assertEq(_odd.answer(), closed, "for the agent");
        _odd.forget();
    }

    // ---------------------------------------------------------------- what does not arrive

    /// @notice A fund that takes less than it is given cannot take the rest later, and what it took is what was moved.
    function test_sparingFund() public {
        _deposit(ALICE, 1_000_000);
        _odd.set(OddFund.Mood.Sparing);
        // It gives shares for all, so that they are worth what is in it.
        bytes memory reason = abi.encodeWithSelector(StrategyVault.TurnoverTooLarge.selector, 150_000, 149_999);
        refuses(_vault, _rebalanceAtMost(149_999, 0, 300_000), reason);
        act(_vault, _rebalanceAtMost(150_000, 0, 300_000));
        assertEq(_asset.allowance(address(_vault), address(_odd)), 0, "allowed");
        assertAtMost(distance(_vault.totalAssets(), 1_000_000), 1, "total");
    }

    /// @notice An asset that keeps a part of what is sent is refused: shares are not given for what did not arrive.
    function test_undelivered() public {
        KeepingToken keeping = new KeepingToken(BOB);
        _vault = newVault(keeping, new Place[](0), RebalanceBounds(0, 1));
        more.startPrank(BOB);
        keeping.approve(address(_vault), FOREVER);
        vm.expectRevert(abi.encodeWithSelector(StrategyVault.Undelivered.selector, 1_000, 999));
        _vault.deposit(1_000, BOB);
        vm.expectRevert(abi.encodeWithSelector(StrategyVault.Undelivered.selector, 1, 0));
        _vault.mint(1e6, BOB);
        more.stopPrank();
    }
}
