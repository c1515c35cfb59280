// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {Place, RebalanceBounds, StrategyVault} from "../../src/finance/StrategyVault.sol";
import {Stage} from "./Stage.sol";
import {OddFund} from "./VaultOddFund.sol";

contract StrategyVaultTest is Stage {
    uint256 private constant FOREVER = type(uint256).max;
    uint24 private constant EXIT_FEE = 2_000;

    SettlementToken private _asset;
    StrategyVault private _vault;
    /// @dev Without a fee, with one, and odd; at most 60, 40 and 30 %.
    Fund private _plain;
    Fund private _costly;
    OddFund private _odd;

    function setUp() public {
        vm.warp(START);
        _asset = newToken("Euro");
        _plain = newFund(_asset, 0);
        _costly = newFund(_asset, EXIT_FEE);
        _odd = new OddFund(_asset, MANAGER);
        _vault = newVault(_asset, _places(), RebalanceBounds(1 days, 3_000));
        address[3] memory people = [ALICE, BOB, MANAGER];
        address[4] memory places = [address(_vault), address(_plain), address(_costly), address(_odd)];
        for (uint256 i; i < 3; ++i) {
            _asset.mint(people[i], 1e30);
            for (uint256 j; j < 4; ++j) {
                vm.prank(people[i]);
                _asset.approve(places[j], FOREVER);
            }
        }
    }

    function _places() private view returns (Place[] memory places) {
        places = new Place[](3);
        places[0] = Place(_plain, 600_000);
        places[1] = Place(_costly, 400_000);
        places[2] = Place(_odd, 300_000);
    }

    function _deposit(address who, uint256 assets) private returns (uint256) {
        vm.prank(who);
        return _vault.deposit(assets, who);
    }

    function _mark(Fund fund, int256 change) private {
        vm.prank(MANAGER);
        fund.mark(change);
    }

    function _weights(uint256 a, uint256 b, uint256 c) private pure returns (uint256[] memory weights) {
        weights = new uint256[](3);
        (weights[0], weights[1], weights[2]) = (a, b, c);
    }

    function _rebalance(uint256 maxTurnover, uint256 a, uint256 b, uint256 c) private pure returns (bytes memory) {
        return abi.encodeCall(StrategyVault.rebalance, (maxTurnover, _weights(a, b, c)));
    }

    function _held(uint256 i) private view returns (uint256) {
        (, uint256[] memory assets) = _vault.holdings();
        return assets[i];
    }

    function _idle() private view returns (uint256) {
        return _asset.balanceOf(address(_vault));
    }

    // ---------------------------------------------------------------- construction

    /// @notice The funds and bounds are fixed and readable; shares have six decimals more than the asset.
    function test_construction() public view {
        assertEq(abi.encode(_vault.places()), abi.encode(_places()), "places");
        assertEq(_vault.delay(), 1 days, "delay");
        assertEq(_vault.maxCostPpm(), 3_000, "cost");
        assertEq(_vault.decimals(), 12, "decimals");
        assertEq(_vault.rebalancedAt(), 0, "never");
    }

    /// @notice A fund of another asset, one listed twice, one that does not answer, too many, and bounds of more than all or
    /// of nothing are refused.
    function test_constructionRefusals() public {
        Place[] memory places = _places();
        SettlementToken other = newToken("Other");
        Fund foreign = newFund(other, 0);
        places[2].fund = foreign;
        _refusesVault(places, 1, abi.encodeWithSelector(StrategyVault.WrongFund.selector, foreign, other));
        places[2].fund = _plain;
        _refusesVault(places, 1, abi.encodeWithSelector(StrategyVault.DuplicateFund.selector, _plain));
        places[2] = Place(_odd, 1_000_001);
        _refusesVault(places, 1, abi.encodeWithSelector(StrategyVault.OverAMillion.selector, 1_000_001));
        bytes memory reason = abi.encodeWithSelector(StrategyVault.OverAMillion.selector, 1_000_002);
        _refusesVault(_places(), 1_000_002, reason);
        _refusesVault(_places(), 0, abi.encodeWithSelector(StrategyVault.NoCostAllowed.selector));
        _refusesVault(new Place[](9), 1, abi.encodeWithSelector(StrategyVault.TooManyFunds.selector, 9, 8));
        _odd.set(OddFund.Mood.Silent);
        _refusesVault(_places(), 1, abi.encodeWithSelector(StrategyVault.SilentFund.selector, _odd));
    }

    function _refusesVault(Place[] memory places, uint32 maxCostPpm, bytes memory reason) private {
        RebalanceBounds memory bounds = RebalanceBounds(0, maxCostPpm);
        bytes memory arguments = abi.encode(_asset, "Vault", "VAULT", places, bounds, OWNER, mandate, mandate);
        refusesToDeploy("StrategyVault.sol:StrategyVault", arguments, reason);
    }

    // ---------------------------------------------------------------- rebalancing

    /// @notice Assets go to the funds by their weights, the rest lies idle; the event tells the decision and the turnover.
    function test_rebalance() public {
        _deposit(ALICE, 1_000_000);
        vm.expectEmit(address(_vault));
        emit StrategyVault.Rebalanced(DECISION, MODEL, 700_000, _weights(500_000, 0, 200_000));
        act(_vault, _rebalance(700_000, 500_000, 0, 200_000));
        assertEq(_held(0), 500_000, "plain");
        assertEq(_held(2), 200_000, "odd");
        assertEq(_idle(), 300_000, "idle");
        assertEq(_vault.totalAssets(), 1_000_000, "total");
        assertEq(_vault.rebalancedAt(), START, "time");

        // A gain of 100,000, of which rounding leaves one unit in the fund: of 1,099,999 a tenth is 109,999, and three are
        // 329,999. Out 599,999 - 109,999, in 329,999 - 200,000.
        _mark(_plain, 100_000);
        vm.warp(START + 1 days);
        vm.expectEmit(address(_vault));
        emit StrategyVault.Rebalanced(DECISION, MODEL, 490_000 + 129_999, _weights(100_000, 0, 300_000));
        act(_vault, _rebalance(FOREVER, 100_000, 0, 300_000));
        assertEq(_vault.totalAssets(), 1_099_999, "total");
    }

    /// @notice Nobody rebalances without a decision, the owner neither.
    function test_onlySwornRebalances() public {
        onlySworn(_vault, _rebalance(FOREVER, 0, 0, 0));
    }

    /// @notice One weight for each fund, none over its largest, all together at most all.
    function test_weights() public {
        uint256[] memory two = new uint256[](2);
        bytes memory data = abi.encodeCall(StrategyVault.rebalance, (FOREVER, two));
        refuses(_vault, data, abi.encodeWithSelector(StrategyVault.WrongCount.selector, 2, 3));
        bytes memory reason = abi.encodeWithSelector(StrategyVault.WeightTooLarge.selector, _costly, 400_001, 400_000);
        refuses(_vault, _rebalance(FOREVER, 0, 400_001, 0), reason);
        reason = abi.encodeWithSelector(StrategyVault.WeightTooLarge.selector, _plain, FOREVER, 600_000);
        refuses(_vault, _rebalance(FOREVER, FOREVER, 0, 0), reason);
        reason = abi.encodeWithSelector(StrategyVault.OverAMillion.selector, 1_000_001);
        refuses(_vault, _rebalance(FOREVER, 600_000, 400_000, 1), reason);
        act(_vault, _rebalance(FOREVER, 600_000, 400_000, 0));
    }

    /// @notice The first rebalance is free; the next must wait, to the second.
    function test_delay() public {
        act(_vault, _rebalance(0, 0, 0, 0));
        vm.warp(START + 1 days - 1);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.TooSoon.selector, START + 1 days, START + 1 days - 1);
        refuses(_vault, _rebalance(0, 0, 0, 0), reason);
        vm.warp(START + 1 days);
        act(_vault, _rebalance(0, 0, 0, 0));
    }

    /// @notice No more is moved than the decision says; what goes from one fund to another counts both ways.
    function test_turnover() public {
        _deposit(ALICE, 1_000_000);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.TurnoverTooLarge.selector, 500_000, 499_999);
        refuses(_vault, _rebalance(499_999, 500_000, 0, 0), reason);
        act(_vault, _rebalance(500_000, 500_000, 0, 0));
        vm.warp(START + 1 days);
        reason = abi.encodeWithSelector(StrategyVault.TurnoverTooLarge.selector, 600_000, 599_999);
        refuses(_vault, _rebalance(599_999, 200_000, 0, 300_000), reason);
        act(_vault, _rebalance(600_000, 200_000, 0, 300_000));
    }

    /// @notice A rebalance that costs more than the vault allows is refused: here by a fee on leaving, which counts as
    /// soon as assets are in such a fund.
    function test_cost() public {
        _vault = newVault(_asset, _places(), RebalanceBounds(0, EXIT_FEE - 1));
        vm.prank(ALICE);
        _asset.approve(address(_vault), FOREVER);
        _deposit(ALICE, 100_000_000);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.CostTooLarge.selector, 80_000, 79_960);
        refuses(_vault, _rebalance(FOREVER, 0, 400_000, 0), reason);
        _vault = newVault(_asset, _places(), RebalanceBounds(0, EXIT_FEE));
        vm.prank(ALICE);
        _asset.approve(address(_vault), FOREVER);
        _deposit(ALICE, 100_000_000);
        act(_vault, _rebalance(FOREVER, 0, 400_000, 0));
        assertEq(_vault.totalAssets(), 100_000_000 - 80_000, "after the fee");
    }

    /// @notice What a rebalance may cost is rounded up.
    function test_costIsRoundedUp() public {
        _vault = newVault(_asset, _places(), RebalanceBounds(0, EXIT_FEE - 1));
        vm.prank(ALICE);
        _asset.approve(address(_vault), FOREVER);
        _deposit(ALICE, 8_750_000);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.CostTooLarge.selector, 7_000, 6_997);
        refuses(_vault, _rebalance(FOREVER, 0, 400_000, 0), reason);
        // Of 1,006 the fee is 3, and 2.01 rounded up are allowed.
        act(_vault, _rebalance(FOREVER, 0, 115, 0));
        assertEq(_vault.totalAssets(), 8_750_000 - 3, "after the fee");
    }

    /// @notice An accomplice who has made a fund's share dear, so that a deposit buys too few, does not get the vault's
    /// assets: the cost is over what the vault allows.
    function test_inflatedFund() public {
        _deposit(ALICE, 1_000_000);
        vm.prank(BOB);
        _odd.deposit(1, BOB);
        vm.prank(BOB);
        _asset.transfer(address(_odd), 2_000_000);
        bytes memory reason = abi.encodeWithSelector(StrategyVault.CostTooLarge.selector, 300_000, 900);
        refuses(_vault, _rebalance(FOREVER, 0, 0, 300_000), reason);
    }

    // ---------------------------------------------------------------- leaving

    /// @notice Who leaves takes its part from idle assets and from each fund, so that weights stay.
    function test_withdraw() public {
        _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(FOREVER, 500_000, 0, 200_000));
        vm.prank(ALICE);
        _vault.withdraw(250_000, BOB, ALICE);
        assertEq(_idle(), 225_000, "idle");
        assertEq(_held(0), 375_000, "plain");
        assertEq(_held(2), 150_000, "odd");
        vm.prank(ALICE);
        _vault.withdraw(1, BOB, ALICE);
        assertEq(_idle(), 225_001, "rounding is put aside");
        assertEq(_held(0), 374_999, "a unit of plain");
        assertEq(_held(2), 149_999, "a unit of odd");
        vm.prank(ALICE);
        _vault.withdraw(749_999, BOB, ALICE);
        assertEq(_vault.totalAssets(), 0, "all out");
        assertEq(_asset.balanceOf(BOB), 1e30 + 1_000_000, "received");
    }

    /// @notice What a fund cannot pay of its part, idle assets pay, and then the other funds in their order.
    function test_othersPayForAFund() public {
        _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(FOREVER, 500_000, 0, 300_000));
        _odd.limit(50_000);
        vm.prank(ALICE);
        _vault.withdraw(300_000, ALICE, ALICE);
        assertEq(_held(2), 250_000, "as much as it can");
        assertEq(_held(0), 350_000, "its part");
        assertEq(_idle(), 100_000, "the rest");
        vm.prank(ALICE);
        _vault.withdraw(400_000, ALICE, ALICE);
        assertEq(_held(2), 250_000, "nothing");
        assertEq(_held(0), 50_000, "after idle assets");
        assertEq(_idle(), 0, "first");
    }

    /// @notice A fund's fee on leaving is part of what a share is worth: who leaves later gets as much.
    function test_feeIsShared() public {
        uint256 a = _deposit(ALICE, 1_000_000_000);
        uint256 b = _deposit(BOB, 1_000_000_000);
        act(_vault, _rebalance(FOREVER, 0, 400_000, 0));
        // 2,000,000,000 less 0.2 % of 800,000,000: each has 999,200,000.
        vm.prank(ALICE);
        assertEq(_vault.redeem(a, ALICE, ALICE), 999_200_000, "first");
        vm.prank(BOB);
        assertEq(_vault.redeem(b, BOB, BOB), 999_200_000, "second");
        assertEq(_asset.balanceOf(MANAGER), 1e30 + 1_600_000, "the fee");
    }

    /// @notice A loss in a fund is shared by all who hold, and keeps nobody in.
    function test_lossIsShared() public {
        uint256 a = _deposit(ALICE, 1_000_000);
        uint256 b = _deposit(BOB, 1_000_000);
        act(_vault, _rebalance(FOREVER, 500_000, 0, 0));
        _mark(_plain, -500_000);
        vm.prank(ALICE);
        assertEq(_vault.redeem(a, ALICE, ALICE), 750_000, "first");
        vm.prank(BOB);
        assertEq(_vault.redeem(b, BOB, BOB), 750_000, "second");
    }

    /// @notice A fund that is closed still counts, but is not promised: the most one may take is what the others can pay.
    function test_closedFund() public {
        _deposit(ALICE, 1_000_000);
        act(_vault, _rebalance(FOREVER, 400_000, 0, 300_000));
        _odd.set(OddFund.Mood.Closed);
        assertEq(_vault.totalAssets(), 1_000_000, "counted");
        assertEq(_vault.maxWithdraw(ALICE), 700_000, "not promised");
        vm.prank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxWithdraw.selector, ALICE, 700_001, 700_000));
        _vault.withdraw(700_001, ALICE, ALICE);
        vm.prank(ALICE);
        _vault.withdraw(700_000, ALICE, ALICE);
        assertEq(_vault.maxWithdraw(ALICE), 0, "the rest later");
        _odd.set(OddFund.Mood.Well);
        uint256 rest = _vault.maxRedeem(ALICE);
        vm.prank(ALICE);
        assertEq(_vault.redeem(rest, ALICE, ALICE), 300_000, "later");
        assertEq(_vault.balanceOf(ALICE), 0, "all out");
    }

    /// @notice A fund that promises and then fails is passed over, if the others can pay; so is one that boasts.
    function test_breakingFund() public {
        _vault = newVault(_asset, _oddFirst(), RebalanceBounds(0, 1));
        vm.prank(ALICE);
        _asset.approve(address(_vault), FOREVER);
        _deposit(ALICE, 1_000_000);
        uint256[] memory weights = new uint256[](2);
        (weights[0], weights[1]) = (500_000, 500_000);
        act(_vault, abi.encodeCall(StrategyVault.rebalance, (FOREVER, weights)));
        _odd.set(OddFund.Mood.Breaking);
        vm.prank(ALICE);
        _vault.withdraw(400_000, ALICE, ALICE);
        vm.prank(ALICE);
        vm.expectRevert(
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, _vault, 100_000, 100_001)
        );
        _vault.withdraw(100_001, ALICE, ALICE);
        _odd.set(OddFund.Mood.Boasting);
        vm.prank(ALICE);
        _vault.withdraw(600_000, ALICE, ALICE);
        assertEq(_vault.totalAssets(), 0, "all out");
    }

    function _oddFirst() private view returns (Place[] memory places) {
        places = new Place[](2);
        (places[0], places[1]) = (Place(_odd, 500_000), Place(_plain, 500_000));
    }

    /// @notice A fund that does not answer counts as nothing and locks nobody in: holders may leave without it, nobody may
    /// enter, the agent moves the others; when it answers again, it belongs to those who stayed.
    function test_silentFund() public {
        uint256 a = _deposit(ALICE, 1_000_000);
        _deposit(BOB, 1_000_000);
        act(_vault, _rebalance(FOREVER, 400_000, 0, 300_000));
        _odd.set(OddFund.Mood.Silent);
        assertEq(_vault.totalAssets(), 1_400_000, "counted as nothing");
        assertEq(_vault.maxDeposit(ALICE), 0, "closed to deposits");
        assertEq(_vault.maxMint(ALICE), 0, "closed to mints");
        vm.expectRevert(abi.encodeWithSelector(ERC4626.ERC4626ExceededMaxDeposit.selector, ALICE, 1, 0));
        _deposit(ALICE, 1);
        vm.prank(ALICE);
        assertEq(_vault.redeem(a, ALICE, ALICE), 700_000, "leaves without it");
        vm.warp(START + 1 days);
        act(_vault, _rebalance(FOREVER, 600_000, 0, 300_000));
        assertEq(_held(0), 420_000, "the others are moved");
        _odd.set(OddFund.Mood.Well);
        assertEq(_vault.totalAssets(), 1_300_000, "theirs who stayed");
        assertEq(_vault.maxDeposit(ALICE), FOREVER, "open");
    }

    /// @notice Who deposits first and donates, to make a share dear, loses more than the next depositor does: a million
    /// virtual shares take nearly all of the donation.
    function testFuzz_inflationLoses(uint256 first, uint256 donated, uint256 victim) public {
        first = within(first, 1, 1e6);
        donated = within(donated, 0, 1e18);
        victim = within(victim, 1, 1e18);
        uint256 shares = _deposit(BOB, first);
        vm.prank(BOB);
        _asset.transfer(address(_vault), donated);
        uint256 bought = _deposit(ALICE, victim);
        uint256 lost = victim - Math.min(victim, _vault.previewRedeem(bought));
        vm.prank(BOB);
        uint256 back = _vault.redeem(shares, BOB, BOB);
        assertAtMost(back, first + donated, "no gain");
        // Each share bought is at most one short.
        assertAtMost(lost, 1 + (first + donated + victim) / (first * 1e6), "the victim's loss");
    }

    // ---------------------------------------------------------------- whatever happens

    struct Story {
        uint256 seed;
        uint256 time;
        uint256 rebalanced;
    }

    /// @notice Whoever does what in which order: nothing goes anywhere but to holders, funds and the fee; the total is what
    /// lies idle and what the funds owe; who enters or leaves takes nothing from those who stay; entering and leaving at
    /// once brings no gain; what one may take can be taken, unless a fund breaks its word; no weight is over its largest
    /// after a rebalance, nor grows when somebody leaves and all can pay; and at the end all get out.
    function testFuzz_vault(uint256 seed) public {
        Story memory story = Story(seed, START, 0);
        address[2] memory people = [ALICE, BOB];
        _deposit(ALICE, within(seed, 1, 1e15));
        for (uint256 i; i < 24; ++i) {
            story.seed = next(story.seed);
            _step(story, people[story.seed % 2], (story.seed >> 8) % 8);
            assertEq(_everything(), 3e30, "nothing goes elsewhere");
            assertEq(_vault.totalAssets(), _expectedTotal(), "total");
            if (_odd.mood() != OddFund.Mood.Breaking) _tryToTakeAll(people[story.seed % 2]);
        }
        _odd.set(OddFund.Mood.Well);
        _odd.limit(FOREVER);
        for (uint256 i; i < 2; ++i) {
            uint256 shares = _vault.balanceOf(people[i]);
            assertEq(_vault.maxRedeem(people[i]), shares, "all may leave");
            vm.prank(people[i]);
            _vault.redeem(shares, people[i], people[i]);
        }
        assertEq(_vault.totalSupply(), 0, "all out");
    }

    function _step(Story memory story, address who, uint256 kind) private {
        uint256 amount = (story.seed >> 16) % 10 ** (1 + (story.seed >> 12) % 15);
        (uint256 total, uint256 supply) = (_vault.totalAssets(), _vault.totalSupply());
        if (kind < 2) {
            uint256 all = Math.min(amount, _vault.maxDeposit(who));
            uint256 shares = _vault.previewDeposit(all);
            assertEq(_deposit(who, all), shares, "as previewed");
            assertAtMost(_vault.previewRedeem(shares), all, "in and out at once");
            _stayersKeep(total, supply);
        } else if (kind < 4) {
            (, uint256[] memory held) = _vault.holdings();
            _leave(who, amount, kind == 2);
            _stayersKeep(total, supply);
            if (_odd.mood() == OddFund.Mood.Well && _odd.liquidity() == FOREVER) _weightsStay(held, total);
        } else if (kind == 4) {
            Fund fund = _anyFund(story.seed >> 80);
            _mark(fund, story.seed % 3 == 0 ? -int256(_at(fund) / 3) : int256(amount % 1e12));
        } else if (kind == 5) {
            // Half the time well; silence is rarest, as nobody enters meanwhile.
            uint256 mood = (story.seed >> 80) % 16;
            OddFund.Mood[8] memory moods = [
                OddFund.Mood.Closed,
                OddFund.Mood.Closed,
                OddFund.Mood.Breaking,
                OddFund.Mood.Breaking,
                OddFund.Mood.Boasting,
                OddFund.Mood.Boasting,
                OddFund.Mood.Silent,
                OddFund.Mood.Burning
            ];
            _odd.set(mood < 8 ? moods[mood] : OddFund.Mood.Well);
            // One that boasts would break its word, too, if it could not pay what there is.
            bool limited = (story.seed >> 100) % 3 == 0 && _odd.mood() != OddFund.Mood.Boasting;
            _odd.limit(limited ? amount : FOREVER);
        } else {
            _tryToRebalance(story);
        }
    }

    /// @dev As many assets or shares as may be taken, at most. Fails only where the odd fund breaks its word.
    function _leave(address who, uint256 amount, bool inAssets) private {
        uint256 most = inAssets ? _vault.maxWithdraw(who) : _vault.maxRedeem(who);
        amount = within(amount, 0, most);
        uint256 told = inAssets ? _vault.previewWithdraw(amount) : _vault.previewRedeem(amount);
        bytes memory data = inAssets
            ? abi.encodeCall(IERC4626.withdraw, (amount, who, who))
            : abi.encodeCall(IERC4626.redeem, (amount, who, who));
        vm.prank(who);
        (bool success, bytes memory returned) = address(_vault).call(data);
        if (success) {
            assertEq(returned, abi.encode(told), "as previewed");
        } else {
            assertTrue(_odd.mood() == OddFund.Mood.Breaking, "promised");
            assertTrue(bytes4(returned) == IERC20Errors.ERC20InsufficientBalance.selector, "reason");
        }
    }

    /// @dev No fund's part of the total is larger than before, but for a few units.
    function _weightsStay(uint256[] memory held, uint256 total) private view {
        (, uint256[] memory left) = _vault.holdings();
        for (uint256 i; i < held.length; ++i) {
            assertAtMost(left[i] * total, held[i] * _vault.totalAssets() + 8 * total, "weights stay");
        }
    }

    function _tryToRebalance(Story memory story) private {
        story.time += 12 hours + story.seed % 1 days;
        vm.warp(story.time);
        uint256 a = (story.seed >> 80) % 620_000;
        uint256 b = (story.seed >> 110) % 410_000;
        uint256 c = (story.seed >> 140) % 310_000;
        bool inside = a <= 600_000 && b <= 400_000 && c <= 300_000 && a + b + c <= 1e6
            && (story.rebalanced == 0 || story.time >= story.rebalanced + 1 days);
        uint256[4] memory before = [_idle(), _at(_plain), _at(_costly), _at(Fund(address(_odd)))];
        uint256 total = _vault.totalAssets();
        uint256 maxTurnover = story.seed % 4 == 0 ? (story.seed >> 170) % (2 * total + 1) : FOREVER;
        try mandate.act(MODEL, DECISION, address(_vault), _rebalance(maxTurnover, a, b, c)) {
            assertTrue(inside, "accepted outside");
            story.rebalanced = story.time;
            // What each fund gave or took is the turnover, fees aside; what was moved is within what was allowed.
            uint256 moved = distance(before[1], _at(_plain)) + distance(before[3], _at(Fund(address(_odd))));
            uint256 costly = distance(before[2], _at(_costly));
            assertAtMost(moved + costly - costly * EXIT_FEE / 1e6 - (costly == 0 ? 0 : 1), maxTurnover, "turnover");
            assertAtMost(total, _vault.totalAssets() + (moved + costly) * 3_000 / 1e6 + 1, "cost");
            assertAtMost(_held(0), total * a / 1e6 + 1, "weight of plain");
            assertAtMost(_held(1), total * b / 1e6 + 1, "weight of costly");
        } catch (bytes memory reason) {
            bool bounded = inside && maxTurnover == FOREVER;
            assertTrue(!bounded || bytes4(reason) == StrategyVault.CostTooLarge.selector, "refused inside");
        }
    }

    /// @dev In the vault's funds nobody else has shares.
    function _at(Fund fund) private view returns (uint256) {
        return _asset.balanceOf(address(fund));
    }

    function _anyFund(uint256 seed) private view returns (Fund) {
        return seed % 3 == 0 ? _plain : seed % 3 == 1 ? _costly : Fund(address(_odd));
    }

    /// @dev A share is worth no less than before, but for one unit of rounding in each fund and its fee.
    function _stayersKeep(uint256 total, uint256 supply) private view {
        uint256 left = _vault.totalAssets() + 1 + 6;
        assertAtMost((total + 1) * (_vault.totalSupply() + 1e6), left * (supply + 1e6), "stayers keep");
    }

    function _everything() private view returns (uint256) {
        return _asset.balanceOf(ALICE) + _asset.balanceOf(BOB) + _asset.balanceOf(MANAGER) + _idle() + _at(_plain)
            + _at(_costly) + _at(Fund(address(_odd)));
    }

    /// @dev From the balances of the funds, not from what they say.
    function _expectedTotal() private view returns (uint256 total) {
        (bool[] memory answered,) = _vault.holdings();
        total = _idle() + _owed(_plain) + _owed(_costly) * (1e6 - EXIT_FEE) / 1e6;
        if (answered[2]) total += _owed(Fund(address(_odd)));
    }

    function _owed(Fund fund) private view returns (uint256) {
        return (_at(fund) + 1) * fund.balanceOf(address(_vault)) / (fund.totalSupply() + 1);
    }

    /// @dev What may be taken can be: in a call that is undone.
    function _tryToTakeAll(address who) private {
        (bool success, bytes memory returned) = address(this).call(abi.encodeCall(this.takeAllAndFail, (who)));
        assertTrue(!success, "undone");
        assertEq(returned, abi.encodeWithSelector(Taken.selector), "taken");
    }

    error Taken();

    function takeAllAndFail(address who) external {
        uint256 assets = _vault.maxWithdraw(who);
        vm.prank(who);
        _vault.withdraw(assets, who, who);
        uint256 shares = _vault.maxRedeem(who);
        vm.prank(who);
        _vault.redeem(shares, who, who);
        revert Taken();
    }
}
