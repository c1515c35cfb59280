// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Approvals, Stance} from "../../src/market/Approvals.sol";
import {MarketStage} from "./MarketStage.sol";

/// @title Two of three approve, with a day to object
contract ApprovalsTest is MarketStage {
    bytes32 private constant SUBJECT = keccak256("model");
    uint32 private constant DELAY = 1 days;
    address private constant M1 = address(0x101);
    address private constant M2 = address(0x102);
    address private constant M3 = address(0x103);

    Approvals private _approvals;

    function setUp() public override {
        super.setUp();
        _approvals = _deploy(2, DELAY);
    }

    function _members() private pure returns (address[] memory members) {
        members = new address[](3);
        (members[0], members[1], members[2]) = (M1, M2, M3);
    }

    function _deploy(uint256 threshold, uint32 delay) private returns (Approvals) {
        return Approvals(vm.deployCode("Approvals.sol:Approvals", abi.encode(_members(), threshold, delay)));
    }

    function _approve(address who) private {
        does(who, address(_approvals), abi.encodeCall(Approvals.approve, (SUBJECT)));
    }

    function _object(address who) private {
        does(who, address(_approvals), abi.encodeCall(Approvals.object, (SUBJECT)));
    }

    function _withdraw(address who) private {
        does(who, address(_approvals), abi.encodeCall(Approvals.withdraw, (SUBJECT)));
    }

    function _refusesAll(address who, bytes memory reason) private {
        refuses(who, address(_approvals), abi.encodeCall(Approvals.approve, (SUBJECT)), reason);
        refuses(who, address(_approvals), abi.encodeCall(Approvals.object, (SUBJECT)), reason);
        refuses(who, address(_approvals), abi.encodeCall(Approvals.withdraw, (SUBJECT)), reason);
    }

    function _usable() private view returns (bool) {
        return _approvals.isApproved(SUBJECT);
    }

    function _makeUsable() private {
        _approve(M1);
        _approve(M2);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        assertTrue(_usable(), "usable");
    }

    /// @notice The members, the threshold and the delay are fixed and readable, and must make sense.
    function test_construction() public {
        assertEq(keccak256(abi.encode(_approvals.members())), keccak256(abi.encode(_members())), "members");
        assertEq(_approvals.threshold(), 2, "threshold");
        assertEq(_approvals.delay(), DELAY, "delay");
        assertTrue(_approvals.isMember(M3) && !_approvals.isMember(BOB), "membership");
        address[] memory members = _members();
        uint256[2] memory thresholds = [uint256(0), 4];
        for (uint256 i; i < 2; ++i) {
            bytes memory invalid = abi.encodeWithSelector(Approvals.InvalidThreshold.selector, thresholds[i], 3);
            refusesToDeploy("Approvals.sol:Approvals", abi.encode(members, thresholds[i], DELAY), invalid);
        }
        members[1] = M1;
        bytes memory order = abi.encodeWithSelector(Approvals.OutOfOrder.selector, M1, M1);
        refusesToDeploy("Approvals.sol:Approvals", abi.encode(members, 2, DELAY), order);
        members[0] = address(0);
        order = abi.encodeWithSelector(Approvals.OutOfOrder.selector, address(0), address(0));
        refusesToDeploy("Approvals.sol:Approvals", abi.encode(members, 2, DELAY), order);
    }

    /// @notice Only members have a stance, and not on nothing.
    function test_refusals() public {
        _refusesAll(BOB, abi.encodeWithSelector(Approvals.NotMember.selector, BOB));
        bytes memory none = abi.encodeWithSelector(Approvals.NoSubject.selector);
        refuses(M1, address(_approvals), abi.encodeCall(Approvals.approve, (0)), none);
    }

    /// @notice The threshold's approval begins the delay; from its end on, to the second, the subject may be used.
    function test_approve() public {
        vm.expectEmit(address(_approvals));
        emit Approvals.StanceTaken(SUBJECT, M1, Stance.Approves, 1, 0);
        _approve(M1);
        vm.warp(START + 10 * DELAY);
        assertTrue(!_usable(), "one is not enough");
        uint256 from = START + 11 * DELAY;
        vm.expectEmit(address(_approvals));
        emit Approvals.UsableFrom(SUBJECT, from);
        _approve(M3);
        assertEq(_approvals.standingOf(SUBJECT).usableFrom, from, "from");
        vm.warp(from - 1);
        assertTrue(!_usable(), "too early");
        vm.warp(from);
        assertTrue(_usable(), "usable");
        assertTrue(!_approvals.isApproved(WORK), "another subject");
    }

    /// @notice A member counts once, however often it approves; and a further approval does not begin the delay anew.
    function test_once() public {
        _approve(M1);
        bytes memory reason =
            abi.encodeWithSelector(Approvals.NoChange.selector, SUBJECT, M1, Stance.Approves);
        refuses(M1, address(_approvals), abi.encodeCall(Approvals.approve, (SUBJECT)), reason);
        _approve(M2);
        vm.warp(START + DELAY - 1);
        _approve(M3);
        vm.warp(START + DELAY);
        assertTrue(_usable(), "usable");
    }

    /// @notice An approval taken back in time stops the subject; when it comes back, the delay begins anew.
    function test_withdraw() public {
        _approve(M1);
        _approve(M2);
        vm.warp(START + DELAY - 1);
        vm.expectEmit(address(_approvals));
        emit Approvals.Stopped(SUBJECT, M1);
        _withdraw(M1);
        vm.warp(START + 2 * DELAY);
        assertTrue(!_usable(), "stopped");
        _approve(M1);
        vm.warp(START + 3 * DELAY - 1);
        assertTrue(!_usable(), "anew");
        vm.warp(START + 3 * DELAY);
        assertTrue(_usable(), "usable");
    }

    /// @notice Two stolen keys do not suffice: one member that objects in time stops the subject, for as long as it objects.
    function test_oneMemberStops() public {
        _approve(M1);
        _approve(M2);
        vm.warp(START + DELAY - 1);
        vm.expectEmit(address(_approvals));
        emit Approvals.Stopped(SUBJECT, M3);
        _object(M3);
        _withdraw(M1);
        _approve(M1);
        vm.warp(START + 100 * DELAY);
        assertTrue(!_usable(), "stopped");
        _withdraw(M3);
        assertTrue(!_usable(), "the delay begins anew");
        vm.warp(START + 101 * DELAY);
        assertTrue(_usable(), "usable");
    }

    /// @notice An objection that was there before the approvals stands against them too; its member may come round.
    function test_objectionFirst() public {
        _object(M1);
        _approve(M2);
        _approve(M3);
        vm.warp(START + DELAY);
        assertTrue(!_usable(), "stopped");
        _approve(M1);
        vm.warp(START + 2 * DELAY);
        assertTrue(_usable(), "usable");
    }

    /// @notice What may be used stays so: approvals cannot be given or taken back, and one objection is not enough.
    function test_usableStays() public {
        _makeUsable();
        bytes memory reason =
            abi.encodeWithSelector(Approvals.AlreadyUsable.selector, SUBJECT, START + DELAY);
        refuses(M1, address(_approvals), abi.encodeCall(Approvals.withdraw, (SUBJECT)), reason);
        refuses(M3, address(_approvals), abi.encodeCall(Approvals.approve, (SUBJECT)), reason);
        _object(M3);
        assertTrue(_usable(), "one objection");
        _withdraw(M3);
        _object(M1);
        assertTrue(_usable(), "still one");
    }

    /// @notice A threshold of objections revokes what may be used, for ever.
    function test_revoke() public {
        _makeUsable();
        _object(M3);
        vm.expectEmit(address(_approvals));
        emit Approvals.Revoked(SUBJECT);
        _object(M1);
        assertTrue(!_usable(), "revoked");
        for (uint160 member = 0x101; member <= 0x103; ++member) {
            _refusesAll(address(member), abi.encodeWithSelector(Approvals.SubjectRevoked.selector, SUBJECT));
        }
    }

    /// @notice Without a delay, the threshold's approval makes the subject usable at once.
    function test_noDelay() public {
        _approvals = _deploy(1, 0);
        _approve(M2);
        assertTrue(_usable(), "usable");
    }

    /// @notice Whatever members do and when, the subject may be used exactly if a threshold approved, nobody objected, and that
    /// held for the delay; and, later, fewer than a threshold objected.
    function testFuzz_stances(uint256 seed) public {
        uint8[3] memory stances;
        (uint256 since, bool usable, bool revoked, uint256 time) = (0, false, false, START);
        for (uint256 i; i < 24; ++i) {
            seed = next(seed);
            time += seed % 3 == 0 ? DELAY : seed % 7_000;
            vm.warp(time);
            usable = usable || (since != 0 && time >= since + DELAY);
            assertTrue(_usable() == (usable && !revoked), "before");
            (uint256 who, uint8 stance) = ((seed >> 32) % 3, uint8((seed >> 64) % 3));
            bool allowed = !revoked && stances[who] != stance
                && !(usable && (stance == 1 || (stance == 0 && stances[who] == 1)));
            bytes4 selector = stance == 0
                ? Approvals.withdraw.selector
                : stance == 1 ? Approvals.approve.selector : Approvals.object.selector;
            vm.prank(address(uint160(0x101 + who)));
            (bool success,) = address(_approvals).call(abi.encodeWithSelector(selector, SUBJECT));
            assertTrue(success == allowed, "allowed");
            if (success) stances[who] = stance;
            (uint256 approvals, uint256 objections) = _countOf(stances);
            if (usable) revoked = revoked || objections >= 2;
            else if (approvals < 2 || objections != 0) since = 0;
            else if (since == 0) since = time;
        }
    }

    function _countOf(uint8[3] memory stances) private pure returns (uint256 approvals, uint256 objections) {
        for (uint256 i; i < 3; ++i) {
            if (stances[i] == 1) ++approvals;
            if (stances[i] == 2) ++objections;
        }
    }
}
