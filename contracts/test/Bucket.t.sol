// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {LeakyBucket} from "../src/core/Bucket.sol";
import {Cheats} from "./Cheats.sol";

contract BucketHarness {
    uint256 public mark;

    function pour(uint256 limit, uint256 window, uint256 amount) external {
        mark = LeakyBucket.pour(mark, 7, limit, window, amount);
    }

    function remaining(uint256 limit, uint256 window) external view returns (uint256) {
        return LeakyBucket.remaining(mark, limit, window);
    }
}

contract BucketTest is Cheats {
    BucketHarness private _bucket = new BucketHarness();

    /// @notice However an agent spends, even all it can at every moment, no window ever sees more than the limit.
    function testFuzz_hardBoundInAnyWindow(uint256 seed, uint96 limitSeed, uint32 windowSeed) public {
        uint256 limit = within(limitSeed, 2, seed % 2 == 0 ? 50 : type(uint96).max);
        uint256 window = within(windowSeed, 1, seed % 3 == 0 ? 10 : type(uint32).max);
        uint256[] memory times = new uint256[](24);
        uint256[] memory amounts = new uint256[](24);
        uint256 time = 1_790_000_000;
        for (uint256 i; i < times.length; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            time += seed % 4 == 0 ? seed % (window + 2) : (seed >> 8) % (window / 8 + 2);
            vm.warp(time);
            uint256 room = _bucket.remaining(limit, window);
            uint256 amount = seed % 5 < 3 ? room : (seed >> 16) % (room + 1);
            _bucket.pour(limit, window, amount);
            (times[i], amounts[i]) = (time, amount);
            uint256 sum;
            for (uint256 j = i + 1; j != 0 && times[j - 1] + window >= time; --j) {
                sum += amounts[j - 1];
            }
            assertAtMost(sum, limit, "sum in a window");
        }
    }

    /// @notice One more than what remains is refused, and the refusal says how much remained.
    function testFuzz_refusesOneMore(uint256 first, uint256 wait) public {
        vm.warp(1_790_000_000);
        _bucket.pour(1_000_001, 3_600, first % 500_001);
        vm.warp(1_790_000_000 + wait % 4_000);
        uint256 room = _bucket.remaining(1_000_001, 3_600);
        vm.expectRevert(abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(7), room + 1, room));
        _bucket.pour(1_000_001, 3_600, room + 1);
        _bucket.pour(1_000_001, 3_600, room);
    }

    /// @notice A full bucket and a window's leak together reach the limit exactly: the bound is tight, not twice it.
    function test_twoWindowsTrap() public {
        vm.warp(1_790_000_000);
        _bucket.pour(1_000, 100, 500);
        assertEq(_bucket.remaining(1_000, 100), 0, "full");
        vm.warp(1_790_000_100);
        assertEq(_bucket.remaining(1_000, 100), 500, "leaked");
        _bucket.pour(1_000, 100, 500);
        assertEq(_bucket.remaining(1_000, 100), 0, "full again");
    }

    /// @notice One unit every second for an hour leaks exactly: rounding takes nothing and gives nothing.
    function test_smallFlowsLeakExactly() public {
        vm.warp(1_790_000_000);
        // Leaks one unit in 3,600 seconds: a level in whole units would never leak when it is touched every second.
        _bucket.pour(3, 3_600, 1);
        for (uint256 i = 1; i < 3_600; i += 240) {
            vm.warp(1_790_000_000 + i);
            _bucket.pour(3, 3_600, 0);
            assertEq(_bucket.remaining(3, 3_600), 0, "still full");
        }
        vm.warp(1_790_003_600);
        assertEq(_bucket.remaining(3, 3_600), 1, "empty");
    }

    /// @notice The mark of the largest bucket, full at the last second that 40 bits tell, fits into 136 bits.
    function test_largestMark() public {
        vm.warp((1 << 40) - 1);
        _bucket.pour(type(uint96).max, type(uint32).max, type(uint96).max / 2);
        assertEq(_bucket.mark(), ((1 << 95) - 1) * ((1 << 40) + (1 << 32) - 2), "mark");
        assertTrue(_bucket.mark() >> 135 != 0 && _bucket.mark() >> 136 == 0, "136 bits");
    }

    /// @notice Amounts near 2^256 do not wrap around the comparison.
    function testFuzz_hugeAmounts(uint256 amount) public {
        vm.warp(1_790_000_000);
        amount = within(amount, uint256(type(uint96).max) / 2 + 1, type(uint256).max);
        uint256 room = uint256(type(uint96).max) / 2;
        vm.expectRevert(abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(7), amount, room));
        _bucket.pour(type(uint96).max, type(uint32).max, amount);
    }

    /// @notice An amount that times the window is a multiple of 2^256 is refused.
    function test_amountTimesWindowWraps() public {
        vm.warp(1_790_000_000);
        vm.expectRevert(abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(7), 1 << 246, 500));
        _bucket.pour(1_000, 1 << 10, 1 << 246);
    }
}
