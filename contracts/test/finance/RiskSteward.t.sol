// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {ANY_STEP, Bounds, RiskSteward} from "../../src/finance/RiskSteward.sol";
import {Stage} from "./Stage.sol";

contract RiskStewardTest is Stage {
    bytes32 private constant A = "a";
    bytes32 private constant B = "b";
    bytes32 private constant C = "c";

    RiskSteward private _steward;

    function setUp() public {
        vm.warp(START);
        _steward = newSteward();
        _define(A, Bounds(500, 2_000, 30_000, 3 days), 1_000);
        _define(B, Bounds(0, type(uint96).max, ANY_STEP, 1 days), 0);
        _define(C, Bounds(1, 1e18, 2_000_000, 0), 1e9);
    }

    function _define(bytes32 id, Bounds memory bounds, uint96 value) private {
        vm.prank(OWNER);
        _steward.defineParameter(id, bounds, value);
    }

    function _update(bytes32 id, uint256 value) private pure returns (bytes memory) {
        (bytes32[] memory ids, uint256[] memory values) = (new bytes32[](1), new uint256[](1));
        (ids[0], values[0]) = (id, value);
        return abi.encodeCall(RiskSteward.update, (ids, values));
    }

    function _update(bytes32 id, uint256 value, bytes32 otherId, uint256 otherValue)
        private
        pure
        returns (bytes memory)
    {
        (bytes32[] memory ids, uint256[] memory values) = (new bytes32[](2), new uint256[](2));
        (ids[0], values[0], ids[1], values[1]) = (id, value, otherId, otherValue);
        return abi.encodeCall(RiskSteward.update, (ids, values));
    }

    /// @notice A defined parameter has its first value and its bounds, and was never changed.
    function test_define() public {
        Bounds memory bounds = Bounds(1, 2, 1_000_000, 4);
        vm.expectEmit(address(_steward));
        emit RiskSteward.Defined("d", bounds, 2);
        _define("d", bounds, 2);
        assertEq(_steward.value("d"), 2, "value");
        RiskSteward.Parameter memory p = _steward.parameter("d");
        assertEq(abi.encode(p), abi.encode(RiskSteward.Parameter(2, 0, bounds)), "parameter");
    }

    /// @notice A parameter is defined once: its owner can neither set its value nor loosen its bounds later.
    function test_definedForEver() public {
        vm.expectRevert(abi.encodeWithSelector(RiskSteward.AlreadyDefined.selector, A));
        _define(A, Bounds(500, 2_000, 30_000, 3 days), 1_000);
    }

    /// @notice Only the owner defines.
    function test_onlyTheOwnerDefines() public {
        bytes memory data = abi.encodeCall(RiskSteward.defineParameter, ("d", Bounds(1, 2, 3, 4), 1));
        refuses(_steward, data, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(mandate)));
    }

    /// @notice A parameter cannot be walked down to where it sticks: bounds that hold a value of which a step is less than 1
    /// are refused.
    function test_noValueSticks() public {
        Bounds memory sticky = Bounds(33, 1_000, 30_000, 0);
        vm.expectRevert(abi.encodeWithSelector(RiskSteward.InvalidBounds.selector, bytes32("sticky"), sticky, 500));
        _define("sticky", sticky, 500);
        _define("sticky", Bounds(34, 1_000, 30_000, 0), 34);
        act(_steward, _update("sticky", 35));
        assertEq(_steward.value("sticky"), 35, "led away");
    }

    /// @notice Bounds without a value in them, a first value outside, and a zero from which no step leads away are refused.
    function test_invalidBounds() public {
        Bounds[4] memory bounds =
            [Bounds(0, 0, ANY_STEP, 0), Bounds(3, 2, 1, 0), Bounds(3, 5, 1, 0), Bounds(0, 5, 1, 0)];
        for (uint256 i; i < 4; ++i) {
            uint96 value = i == 2 ? 6 : 0;
            vm.expectRevert(abi.encodeWithSelector(RiskSteward.InvalidBounds.selector, C, bounds[i], value));
            // Of a fresh steward.
            if (i == 0) {
                _steward = RiskSteward(vm.deployCode("RiskSteward.sol:RiskSteward", abi.encode(OWNER, mandate, mandate)));
            }
            _define(C, bounds[i], value);
        }
    }

    /// @notice What was never defined has no value and takes none.
    function test_undefined() public {
        bytes memory reason = abi.encodeWithSelector(RiskSteward.Undefined.selector, bytes32("z"));
        vm.expectRevert(reason);
        _steward.value("z");
        vm.expectRevert(reason);
        _steward.parameter("z");
        refuses(_steward, _update("z", 1), reason);
    }

    /// @notice An update changes all its parameters; each change is an event with decision and model.
    function test_update() public {
        vm.expectEmit(address(_steward));
        emit RiskSteward.Updated(DECISION, MODEL, A, 1_030, 1_000);
        vm.expectEmit(address(_steward));
        emit RiskSteward.Updated(DECISION, MODEL, B, START, 0);
        act(_steward, _update(A, 1_030, B, START));
        assertEq(_steward.value(A), 1_030, "a");
        assertEq(_steward.value(B), START, "b");
        assertEq(_steward.parameter(A).changedAt, START, "time");
    }

    /// @notice Nobody updates without a decision, the owner neither.
    function test_onlySwornUpdates() public {
        onlySworn(_steward, _update(A, 1_001));
    }

    /// @notice If one of the parameters is outside its bounds, none is changed.
    function test_allOrNothing() public {
        bytes memory reason = abi.encodeWithSelector(RiskSteward.OutOfRange.selector, C, 0, 1, 1e18);
        refuses(_steward, _update(A, 1_001, C, 0), reason);
        assertEq(_steward.value(A), 1_000, "unchanged");
        assertEq(_steward.parameter(A).changedAt, 0, "not counted");
    }

    /// @notice A value stays between the least and the largest, both included, also one near 2^256.
    function test_range() public {
        _define("r", Bounds(500, 2_000, 4_000_000, 0), 1_000);
        uint256[3] memory outside = [uint256(499), 2_001, type(uint256).max];
        for (uint256 i; i < 3; ++i) {
            refuses(
                _steward,
                _update("r", outside[i]),
                abi.encodeWithSelector(RiskSteward.OutOfRange.selector, bytes32("r"), outside[i], 500, 2_000)
            );
        }
        act(_steward, _update("r", 500));
        act(_steward, _update("r", 2_000));
    }

    /// @notice A step is a share of the present value, up or down, rounded down; with ANY_STEP any value follows any.
    function test_step() public {
        _define("s", Bounds(500, 2_000, 30_000, 0), 1_033);
        refuses(
            _steward,
            _update("s", 1_064),
            abi.encodeWithSelector(RiskSteward.StepTooLarge.selector, bytes32("s"), 1_064, 1_033, 30_000)
        );
        refuses(
            _steward,
            _update("s", 1_002),
            abi.encodeWithSelector(RiskSteward.StepTooLarge.selector, bytes32("s"), 1_002, 1_033, 30_000)
        );
        // 3 % of 1,033 is 30.99; then 3 % of 1,063 is 31.89.
        act(_steward, _update("s", 1_063));
        act(_steward, _update("s", 1_032));
        act(_steward, _update(B, type(uint96).max));
    }

    /// @notice The first change is free; the next of the same parameter must wait, to the second.
    function test_delay() public {
        act(_steward, _update(A, 1_001));
        vm.warp(START + 3 days - 1);
        bytes memory reason =
            abi.encodeWithSelector(RiskSteward.TooSoon.selector, A, START + 3 days, START + 3 days - 1);
        refuses(_steward, _update(A, 1_002), reason);
        act(_steward, _update(C, 1e9));
        vm.warp(START + 3 days);
        act(_steward, _update(A, 1_002, C, 1e9));
    }

    /// @notice No parameter is in an update twice, which would be two steps at once; and each has a value.
    function test_order() public {
        refuses(_steward, _update(A, 1_001, A, 1_002), abi.encodeWithSelector(RiskSteward.OutOfOrder.selector, A, A));
        refuses(_steward, _update(C, 1, A, 1_002), abi.encodeWithSelector(RiskSteward.OutOfOrder.selector, C, A));
        (bytes32[] memory ids, uint256[] memory values) = (new bytes32[](1), new uint256[](2));
        ids[0] = A;
        bytes memory data = abi.encodeCall(RiskSteward.update, (ids, values));
        refuses(_steward, data, abi.encodeWithSelector(RiskSteward.WrongCount.selector, 1, 2));
    }

    /// @notice Whatever is tried and whenever, no parameter leaves any of its bounds, and what is inside all is accepted.
    function testFuzz_bounds(uint256 seed) public {
        uint256[3] memory values = [uint256(1_000), 0, 1e9];
        uint256[3] memory changed;
        bytes32[3] memory ids = [A, B, C];
        uint256 time = START;
        for (uint256 i; i < 32; ++i) {
            seed = next(seed);
            time += seed % 3 == 0 ? 1 days : seed % 3 == 1 ? 3 days : seed % 5 days;
            vm.warp(time);
            uint256 first = (seed >> 32) % 2;
            uint256 second = 1 + first;
            (uint256 a, uint256 b) = (_near(seed >> 64, values[first]), _near(seed >> 128, values[second]));
            bool inside = _isInside(first, a, values[first], time, changed[first])
                && _isInside(second, b, values[second], time, changed[second]);
            bytes memory data = _update(ids[first], a, ids[second], b);
            try mandate.act(MODEL, DECISION, address(_steward), data) {
                assertTrue(inside, "accepted outside");
                (values[first], values[second], changed[first], changed[second]) = (a, b, time, time);
            } catch {
                assertTrue(!inside, "refused inside");
            }
            for (uint256 j; j < 3; ++j) {
                assertEq(_steward.value(ids[j]), values[j], "value");
            }
        }
    }

    /// @dev The bounds of `setUp`, told once more.
    function _isInside(uint256 i, uint256 value, uint256 previous, uint256 time, uint256 changed)
        private
        pure
        returns (bool)
    {
        if (i == 0) {
            return value >= 500 && value <= 2_000 && distance(value, previous) * 100 <= previous * 3
                && (changed == 0 || time >= changed + 3 days);
        }
        if (i == 1) return value < 1 << 96 && (changed == 0 || time >= changed + 1 days);
        return value >= 1 && value <= 1e18 && distance(value, previous) <= previous * 2;
    }

    function _near(uint256 seed, uint256 value) private pure returns (uint256) {
        if (seed % 16 == 0) return seed >> (seed % 200);
        uint256 most = value * 31 / 1_000;
        return within(seed >> 8, value - most, value + most);
    }
}
