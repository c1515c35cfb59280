// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {FeeBounds, Pool} from "../../src/finance/Pool.sol";
import {Stage} from "./Stage.sol";

/// @title A token that keeps a part of what is sent, or calls somebody first
contract OddToken is ERC20("Odd", "ODD") {
    uint256 public kept;
    address public called;
    bytes public data;

    constructor(address holder) {
        _mint(holder, 1e30);
    }

    function plan(uint256 kept_, address called_, bytes calldata data_) external {
        (kept, called, data) = (kept_, called_, data_);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (called != address(0)) {
            (bool success, bytes memory returned) = called.call(data);
            if (!success) {
                assembly {
                    revert(add(returned, 32), mload(returned))
                }
            }
        }
        super._update(from, to, value);
        if (kept != 0) super._update(to, address(this), kept);
    }
}

/// @title Somebody who looks at a pool while it pays
contract Onlooker {
    uint256 public reserve0;
    uint256 public reserve1;
    uint256 public quoted;

    function look(Pool pool) external {
        (reserve0, reserve1) = (pool.reserve0(), pool.reserve1());
        (quoted,) = pool.quote(address(pool.token1()), 10_000);
    }
}

contract PoolTest is Stage {
    uint256 private constant FOREVER = type(uint256).max;
    address private constant NOBODY = address(0xdead);

    SettlementToken private _token0;
    SettlementToken private _token1;
    Pool private _pool;
    FeeBounds private _bounds = FeeBounds(500, 10_000, 1_000, 1 hours);

    function setUp() public {
        vm.warp(START);
        (_token0, _token1) = (newToken("Zero"), newToken("One"));
        _pool = newPool(_token0, _token1, _bounds, 3_000);
        _fund(ALICE);
        _fund(BOB);
    }

    function _fund(address who) private {
        _token0.mint(who, 1e30);
        _token1.mint(who, 1e30);
        vm.prank(who);
        _token0.approve(address(_pool), FOREVER);
        vm.prank(who);
        _token1.approve(address(_pool), FOREVER);
    }

    function _add(address who, uint256 amount0, uint256 amount1) private returns (uint256 shares) {
        vm.prank(who);
        (shares,,) = _pool.add(amount0, amount1, 0, who);
    }

    function _swap(address who, SettlementToken tokenIn, uint256 amount) private returns (uint256) {
        vm.prank(who);
        return _pool.swap(address(tokenIn), amount, 0, who, FOREVER);
    }

    function _setFee(uint24 fee) private pure returns (bytes memory) {
        return abi.encodeCall(Pool.setFee, (fee));
    }

    // ---------------------------------------------------------------- the fee

    /// @notice The bounds are fixed and readable, and the first fee is told as an event with no decision.
    function test_construction() public {
        assertEq(address(_pool.token0()), address(_token0), "token 0");
        assertEq(address(_pool.token1()), address(_token1), "token 1");
        assertEq(_pool.minFee(), 500, "least");
        assertEq(_pool.maxFee(), 10_000, "largest");
        assertEq(_pool.maxStep(), 1_000, "step");
        assertEq(_pool.delay(), 1 hours, "delay");
        assertEq(_pool.fee(), 3_000, "fee");
        assertEq(_pool.feeChangedAt(), 0, "never changed");
        more.expectEmit();
        emit Pool.FeeChanged(0, 0, 700, 0);
        newPool(_token0, _token1, _bounds, 700);
    }

    /// @notice A pool of one token, a first fee outside the bounds, and a fee of everything are refused.
    function test_constructionRefusals() public {
        _refusesPool(_token0, _bounds, 3_000, abi.encodeWithSelector(Pool.SameToken.selector, _token0));
        _refusesPool(_token1, _bounds, 499, abi.encodeWithSelector(Pool.InvalidBounds.selector, _bounds, 499));
        _refusesPool(_token1, _bounds, 10_001, abi.encodeWithSelector(Pool.InvalidBounds.selector, _bounds, 10_001));
        FeeBounds memory all = FeeBounds(0, 1_000_000, 1, 1);
        _refusesPool(_token1, all, 0, abi.encodeWithSelector(Pool.InvalidBounds.selector, all, 0));
    }

    function _refusesPool(SettlementToken token1, FeeBounds memory bounds, uint24 fee, bytes memory reason) private {
        refusesToDeploy("Pool.sol:Pool", abi.encode(_token0, token1, bounds, fee, OWNER, mandate, mandate), reason);
    }

    /// @notice The fee is set under a decision, which the event names with its model.
    function test_setFee() public {
        vm.expectEmit(address(_pool));
        emit Pool.FeeChanged(DECISION, MODEL, 3_999, 3_000);
        act(_pool, _setFee(3_999));
        assertEq(_pool.fee(), 3_999, "fee");
        assertEq(_pool.feeChangedAt(), START, "time");
    }

    /// @notice Nobody sets the fee without a decision, the owner neither.
    function test_onlySwornSetsTheFee() public {
        onlySworn(_pool, _setFee(3_001));
        assertEq(_pool.fee(), 3_000, "fee");
    }

    /// @notice The fee stays between the least and the largest, both included.
    function test_feeRange() public {
        _pool = newPool(_token0, _token1, FeeBounds(500, 10_000, 10_000, 0), 3_000);
        refuses(_pool, _setFee(499), abi.encodeWithSelector(Pool.FeeOutOfRange.selector, 499, 500, 10_000));
        refuses(_pool, _setFee(10_001), abi.encodeWithSelector(Pool.FeeOutOfRange.selector, 10_001, 500, 10_000));
        act(_pool, _setFee(500));
        act(_pool, _setFee(10_000));
        assertEq(_pool.fee(), 10_000, "fee");
    }

    /// @notice One change is at most a step, up or down.
    function test_feeStep() public {
        refuses(_pool, _setFee(4_001), abi.encodeWithSelector(Pool.StepTooLarge.selector, 4_001, 3_000, 1_000));
        refuses(_pool, _setFee(1_999), abi.encodeWithSelector(Pool.StepTooLarge.selector, 1_999, 3_000, 1_000));
        act(_pool, _setFee(4_000));
        vm.warp(START + 1 hours);
        act(_pool, _setFee(3_000));
        assertEq(_pool.fee(), 3_000, "fee");
    }

    /// @notice The first change is free; the next must wait, to the second. A change to the same fee is a change.
    function test_feeDelay() public {
        act(_pool, _setFee(3_000));
        vm.warp(START + 1 hours - 1);
        bytes memory reason = abi.encodeWithSelector(Pool.TooSoon.selector, START + 1 hours, START + 1 hours - 1);
        refuses(_pool, _setFee(3_001), reason);
        vm.warp(START + 1 hours);
        act(_pool, _setFee(3_001));
        assertEq(_pool.fee(), 3_001, "fee");
    }

    /// @notice Whatever an agent tries and whenever, the fee leaves no bound, and what is inside all of them is accepted.
    function testFuzz_feeBounds(uint256 seed) public {
        (uint24 fee, uint256 changed) = (3_000, 0);
        uint256 time = START;
        for (uint256 i; i < 32; ++i) {
            seed = next(seed);
            time += seed % 3 == 0 ? 1 hours : seed % 5_000;
            vm.warp(time);
            uint24 asked = uint24(within(seed >> 32, fee < 1_200 ? 0 : fee - 1_200, fee + 1_200));
            bool inside = asked >= 500 && asked <= 10_000 && distance(asked, fee) <= 1_000
                && (changed == 0 || time - changed >= 1 hours);
            try mandate.act(MODEL, DECISION, address(_pool), _setFee(asked)) {
                assertTrue(inside, "accepted outside");
                (fee, changed) = (asked, time);
            } catch {
                assertTrue(!inside, "refused inside");
            }
            assertEq(_pool.fee(), fee, "fee");
        }
    }

    // ---------------------------------------------------------------- liquidity

    /// @notice The first liquidity sets the price; its shares are the root of the product, of which a thousand are nobody's.
    function test_firstLiquidity() public {
        vm.expectEmit(address(_pool));
        emit Pool.Added(ALICE, BOB, 4_000_000, 1_000_000, 1_999_000, 4_000_000, 1_000_000);
        vm.prank(ALICE);
        (uint256 shares, uint256 amount0, uint256 amount1) = _pool.add(4_000_000, 1_000_000, 1_999_000, BOB);
        assertEq(shares, 1_999_000, "shares");
        assertEq(amount0, 4_000_000, "amount 0");
        assertEq(amount1, 1_000_000, "amount 1");
        assertEq(_pool.balanceOf(BOB), 1_999_000, "received");
        assertEq(_pool.balanceOf(NOBODY), 1_000, "locked");
        assertEq(_pool.reserve0(), 4_000_000, "reserve 0");
        assertEq(_pool.reserve1(), 1_000_000, "reserve 1");
    }

    /// @notice Liquidity worth no share, or fewer than asked for, is refused; also the first, if all of it would be locked.
    function test_tooFewShares() public {
        more.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooFewShares.selector, 0, 0));
        _pool.add(1_000, 1_000, 0, ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooFewShares.selector, 1, 2));
        _pool.add(1_001, 1_001, 2, ALICE);
        _pool.add(1_000_000, 1_000_000, 0, ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooFewShares.selector, 99, 100));
        _pool.add(100, 99, 100, ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooFewShares.selector, 0, 0));
        _pool.add(0, 100, 0, ALICE);
        more.stopPrank();
    }

    /// @notice Later liquidity is taken at the pool's price, no more of either token than offered, rounded up; one side
    /// may be left open.
    function test_laterLiquidity() public {
        _add(ALICE, 3_000_000, 1_000_000);
        // 1,732,050 shares; 3 of token 0 buy floor(3 * 1732050 / 3000000) = 1, which costs 2 and 1.
        vm.prank(BOB);
        (uint256 shares, uint256 amount0, uint256 amount1) = _pool.add(3, FOREVER, 0, BOB);
        assertEq(shares, 1, "shares");
        assertEq(amount0, 2, "amount 0");
        assertEq(amount1, 1, "amount 1");
    }

    /// @notice A provider takes its share of both reserves out, rounded down, and no less than it asked for.
    function test_remove() public {
        uint256 shares = _add(ALICE, 4_000_000, 1_000_000);
        more.startPrank(ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token0, 3_998_000, 3_998_001));
        _pool.remove(shares, 3_998_001, 0, ALICE);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token1, 999_500, 999_501));
        _pool.remove(shares, 0, 999_501, ALICE);
        vm.expectEmit(address(_pool));
        emit Pool.Removed(ALICE, BOB, 3_998_000, 999_500, shares, 2_000, 500);
        _pool.remove(shares, 3_998_000, 999_500, BOB);
        vm.expectRevert(abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, ALICE, 0, 1));
        _pool.remove(1, 0, 0, ALICE);
        more.stopPrank();
        assertEq(_token0.balanceOf(BOB), 1e30 + 3_998_000, "paid 0");
        assertEq(_token1.balanceOf(BOB), 1e30 + 999_500, "paid 1");
    }

    /// @notice Who makes the first shares and sends tokens after them cannot take from the next provider: what is sent
    /// without a call is nobody's.
    function testFuzz_inflationGainsNothing(uint256 first, uint256 sent, uint256 victim) public {
        first = within(first, 1_001, 1e12);
        sent = within(sent, 0, 1e18);
        victim = within(victim, 1_001, 1e18);
        _add(BOB, first, first);
        vm.prank(BOB);
        _token0.transfer(address(_pool), sent);
        vm.prank(BOB);
        _token1.transfer(address(_pool), sent);
        uint256 shares = _add(ALICE, victim, victim);
        vm.prank(ALICE);
        (uint256 amount0, uint256 amount1) = _pool.remove(shares, 0, 0, ALICE);
        assertAtMost(victim, amount0 + 1, "token 0 comes back");
        assertAtMost(victim, amount1 + 1, "token 1 comes back");
    }

    // ---------------------------------------------------------------- swaps

    /// @notice A swap pays what the curve gives after the fee, and its event tells all that a price series needs.
    function test_swap() public {
        _add(ALICE, 1_000_000, 2_000_000);
        // Fee: ceil(0.3 % of 10,001) = 31; out: floor(9,970 * 2,000,000 / 1,009,970) = 19,743.
        (uint256 amountOut, uint256 feePaid) = _pool.quote(address(_token0), 10_001);
        assertEq(amountOut, 19_743, "quoted");
        assertEq(feePaid, 31, "fee");
        vm.expectEmit(address(_pool));
        emit Pool.Swapped(BOB, ALICE, address(_token0), 10_001, 19_743, 31, 1_010_001, 1_980_257);
        vm.prank(BOB);
        amountOut = _pool.swap(address(_token0), 10_001, 19_743, ALICE, START);
        assertEq(amountOut, 19_743, "out");
        assertEq(_token0.balanceOf(BOB), 1e30 - 10_001, "paid");
        assertEq(_token1.balanceOf(ALICE), 1e30 - 2_000_000 + 19_743, "received");
    }

    /// @notice The other way round likewise.
    function test_swapOtherWay() public {
        _add(ALICE, 1_000_000, 2_000_000);
        // Fee: ceil(0.3 % of 10,001) = 31; out: floor(9,970 * 1,000,000 / 2,009,970) = 4,960.
        vm.expectEmit(address(_pool));
        emit Pool.Swapped(BOB, BOB, address(_token1), 10_001, 4_960, 31, 995_040, 2_010_001);
        assertEq(_swap(BOB, _token1, 10_001), 4_960, "out");
    }

    /// @notice A swap is refused after its deadline, below its minimum, for nothing, and for a token that is not the pool's.
    function test_swapRefusals() public {
        _add(ALICE, 1_000_000, 2_000_000);
        more.startPrank(BOB);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLate.selector, START - 1, START));
        _pool.swap(address(_token0), 10_001, 0, BOB, START - 1);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token1, 19_743, 19_744));
        _pool.swap(address(_token0), 10_001, 19_744, BOB, START);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token0, 0, 0));
        _pool.swap(address(_token1), 2, 0, BOB, START);
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token0, 0, 0));
        _pool.swap(address(_token1), 0, 0, BOB, START);
        vm.expectRevert(abi.encodeWithSelector(Pool.UnknownToken.selector, _pool));
        _pool.swap(address(_pool), 1, 0, BOB, START);
        more.stopPrank();
    }

    /// @notice An empty pool gives nothing for anything.
    function test_emptyPool() public {
        vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, _token1, 0, 0));
        _swap(BOB, _token0, 10_000);
    }

    /// @notice Tokens that keep a part of what is sent are refused, in liquidity and in swaps.
    function test_undelivered() public {
        OddToken odd = new OddToken(BOB);
        _pool = newPool(odd, _token1, _bounds, 3_000);
        more.startPrank(BOB);
        odd.approve(address(_pool), FOREVER);
        _token1.approve(address(_pool), FOREVER);
        _pool.add(1_000_000, 1_000_000, 0, BOB);
        odd.plan(1, address(0), "");
        bytes memory reason = abi.encodeWithSelector(Pool.Undelivered.selector, odd, 1_000, 999);
        vm.expectRevert(reason);
        _pool.add(1_000, 1_000, 0, BOB);
        vm.expectRevert(reason);
        _pool.swap(address(odd), 1_000, 0, BOB, FOREVER);
        more.stopPrank();
    }

    /// @notice A token that calls back while it is moved finds every function that moves tokens closed.
    function test_noReentry() public {
        OddToken odd = new OddToken(BOB);
        _pool = newPool(odd, _token1, _bounds, 3_000);
        more.startPrank(BOB);
        odd.approve(address(_pool), FOREVER);
        _token1.approve(address(_pool), FOREVER);
        _pool.add(1_000_000, 1_000_000, 0, BOB);
        bytes[3] memory calls = [
            abi.encodeCall(Pool.swap, (address(_token1), 1, 0, BOB, FOREVER)),
            abi.encodeCall(Pool.add, (1, 1, 0, BOB)),
            abi.encodeCall(Pool.remove, (1, 0, 0, BOB))
        ];
        for (uint256 i; i < 3; ++i) {
            odd.plan(0, address(_pool), calls[i]);
            vm.expectRevert(abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector));
            _pool.swap(address(odd), 1_000, 0, BOB, FOREVER);
            vm.expectRevert(abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector));
            _pool.remove(1_000, 0, 0, BOB);
        }
        more.stopPrank();
    }

    /// @notice Who looks at the pool while it pays a provider or a swap sees it as it is afterwards.
    function test_nothingToSeeHalfWay() public {
        (OddToken odd, Onlooker onlooker) = (new OddToken(BOB), new Onlooker());
        _pool = newPool(odd, _token1, _bounds, 3_000);
        more.startPrank(BOB);
        odd.approve(address(_pool), FOREVER);
        _token1.approve(address(_pool), FOREVER);
        _pool.add(1_000_000, 2_000_000, 0, BOB);
        odd.plan(0, address(onlooker), abi.encodeCall(Onlooker.look, (_pool)));
        _pool.remove(700_000, 0, 0, BOB);
        _sawWhatIs(onlooker);
        _pool.swap(address(_token1), 1_000, 0, BOB, FOREVER);
        _sawWhatIs(onlooker);
        more.stopPrank();
    }

    function _sawWhatIs(Onlooker onlooker) private view {
        assertEq(onlooker.reserve0(), _pool.reserve0(), "reserve 0");
        assertEq(onlooker.reserve1(), _pool.reserve1(), "reserve 1");
        (uint256 quoted,) = _pool.quote(address(_token1), 10_000);
        assertEq(onlooker.quoted(), quoted, "price");
    }

    // ---------------------------------------------------------------- whatever happens

    /// @notice Whoever does what in which order, and whatever the agent makes of the fee: the product per share never
    /// falls, the reserves are what was paid in and not out, and are there; and at the end every provider gets out.
    function testFuzz_pool(uint256 seed) public {
        address[2] memory people = [ALICE, BOB];
        _add(ALICE, within(seed, 1_001, 1e15), within(seed >> 64, 1_001, 1e15));
        (uint256 donated0, uint256 donated1) = (0, 0);
        for (uint256 i; i < 24; ++i) {
            seed = next(seed);
            (uint256 product, uint256 supply) = (_product(), _pool.totalSupply());
            address who = people[seed % 2];
            uint256 kind = (seed >> 8) % 6;
            (uint256 a, uint256 b) = (_amount(seed >> 16), _amount(seed >> 80));
            more.startPrank(who);
            if (kind == 0) {
                try _pool.add(a, b, 0, who) {} catch {}
            } else if (kind == 1) {
                _pool.remove(within(a, 0, _pool.balanceOf(who)), 0, 0, who);
            } else if (kind < 4) {
                SettlementToken tokenIn = kind == 2 ? _token0 : _token1;
                _swapIfItBrings(tokenIn, a, who);
            } else {
                _token0.transfer(address(_pool), a % 1_000);
                _token1.transfer(address(_pool), b % 1_000);
                (donated0, donated1) = (donated0 + a % 1_000, donated1 + b % 1_000);
            }
            more.stopPrank();
            if (kind == 5) {
                vm.warp(vm.getBlockTimestamp() + 1 hours);
                act(_pool, _setFee(uint24(within(a, _pool.fee() - 100, _pool.fee() + 100))));
            }
            // Both roots at once: product / supply² does not fall.
            assertAtMost(product * _pool.totalSupply() ** 2, _product() * supply ** 2, "product per share");
            assertEq(_token0.balanceOf(address(_pool)), _pool.reserve0() + donated0, "token 0 held");
            assertEq(_token1.balanceOf(address(_pool)), _pool.reserve1() + donated1, "token 1 held");
            assertEq(
                _token0.balanceOf(ALICE) + _token0.balanceOf(BOB) + _pool.reserve0() + donated0,
                2e30,
                "token 0 in = out"
            );
            assertEq(
                _token1.balanceOf(ALICE) + _token1.balanceOf(BOB) + _pool.reserve1() + donated1,
                2e30,
                "token 1 in = out"
            );
        }
        for (uint256 i; i < 2; ++i) {
            uint256 shares = _pool.balanceOf(people[i]);
            vm.prank(people[i]);
            _pool.remove(shares, 0, 0, people[i]);
        }
        assertEq(_pool.totalSupply(), 1_000, "all out but the locked");
    }

    /// @dev As `who`, who is playing. What is quoted is paid; refused is only what brings nothing.
    function _swapIfItBrings(SettlementToken tokenIn, uint256 amount, address who) private returns (uint256 out) {
        (uint256 quoted,) = _pool.quote(address(tokenIn), amount);
        if (quoted == 0) {
            address tokenOut = address(address(tokenIn) == address(_token0) ? _token1 : _token0);
            vm.expectRevert(abi.encodeWithSelector(Pool.TooLittleOut.selector, tokenOut, 0, 0));
            _pool.swap(address(tokenIn), amount, 0, who, FOREVER);
        } else {
            out = _pool.swap(address(tokenIn), amount, 0, who, FOREVER);
            assertEq(out, quoted, "as quoted");
        }
    }

    function _product() private view returns (uint256) {
        return uint256(_pool.reserve0()) * _pool.reserve1();
    }

    /// @dev Of any size, small ones as often as large.
    function _amount(uint256 seed) private pure returns (uint256) {
        return (seed >> 8) % 10 ** (1 + seed % 16);
    }

    /// @notice Swapping there and back, in any state and at any fee, brings no more than was paid.
    function testFuzz_noProfitFromSwappingBack(uint256 r0, uint256 r1, uint256 amount, uint24 fee) public {
        _pool = newPool(_token0, _token1, FeeBounds(0, 999_999, 0, 0), fee % 1_000_000);
        _fund(BOB);
        _add(BOB, within(r0, 1_001, 1e18), within(r1, 1_001, 1e18));
        amount = within(amount, 1, 1e20);
        more.startPrank(BOB);
        (uint256 back,) = _pool.quote(address(_token1), _swapIfItBrings(_token0, amount, BOB));
        assertAtMost(back, amount, "back");
        more.stopPrank();
    }

    /// @notice Swapping in two parts brings no more than swapping at once would, fee aside: the curve leaves no gap.
    function testFuzz_noProfitFromSplitting(uint256 r0, uint256 r1, uint256 a, uint256 b) public {
        _pool = newPool(_token0, _token1, FeeBounds(0, 1, 0, 0), 0);
        _fund(BOB);
        _add(BOB, within(r0, 1_001, 1e18), within(r1, 1_001, 1e18));
        (a, b) = (within(a, 1, 1e18), within(b, 1, 1e18));
        (uint256 once,) = _pool.quote(address(_token0), a + b);
        more.startPrank(BOB);
        uint256 out = _swapIfItBrings(_token0, a, BOB);
        (uint256 rest,) = _pool.quote(address(_token0), b);
        assertAtMost(out + rest, once, "in two parts");
        more.stopPrank();
    }

    /// @notice Adding liquidity and taking it out again, in any state, brings no more of either token than was paid.
    function testFuzz_noProfitFromAddingAndRemoving(uint256 r0, uint256 r1, uint256 swapped, uint256 a, uint256 b)
        public
    {
        _add(ALICE, within(r0, 1_001, 1e18), within(r1, 1_001, 1e18));
        more.startPrank(ALICE);
        _swapIfItBrings(_token0, within(swapped, 1, 1e18), ALICE);
        more.stopPrank();
        (a, b) = (within(a, 1, 1e18), within(b, 1, 1e18));
        uint256 supply = _pool.totalSupply();
        more.startPrank(BOB);
        if (Math.min(a * supply / _pool.reserve0(), b * supply / _pool.reserve1()) == 0) {
            vm.expectRevert(abi.encodeWithSelector(Pool.TooFewShares.selector, 0, 0));
            _pool.add(a, b, 0, BOB);
        } else {
            (uint256 shares, uint256 paid0, uint256 paid1) = _pool.add(a, b, 0, BOB);
            (uint256 back0, uint256 back1) = _pool.remove(shares, 0, 0, BOB);
            assertAtMost(back0, paid0, "token 0");
            assertAtMost(back1, paid1, "token 1");
        }
        more.stopPrank();
    }
}
