// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {LeakyBucket} from "../src/core/Bucket.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Oath} from "../src/core/Oath.sol";
import {Terms} from "../src/core/Terms.sol";
import {House} from "./House.sol";

abstract contract MandateTermsTests is House {
    /// @notice A mandate begins and ends at the seconds its terms name, both included.
    function test_validity() public {
        vm.warp(1_789_000_000 - 1);
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        refuses(a, oath, abi.encodeWithSelector(Mandate.NotYetValid.selector, uint64(1_789_000_000), 1_788_999_999));
        vm.warp(1_789_000_000);
        mandate.execute(a, oath);

        vm.warp(1_800_000_000);
        a = transfer(1);
        oath = oathFor(a);
        vm.warp(1_800_000_001);
        refuses(a, oath, abi.encodeWithSelector(Mandate.Expired.selector, uint64(1_800_000_000), 1_800_000_001));
        vm.warp(1_800_000_000);
        mandate.execute(a, oath);
    }

    /// @notice An action sworn for another epoch is refused.
    function test_epoch() public {
        Action memory a = transfer(1);
        a.epoch = 1;
        refuses(a, abi.encodeWithSelector(Mandate.WrongEpoch.selector, uint32(1), uint32(0)));
    }

    /// @notice Replay and stale nonce: what was executed cannot be executed again, nor can a nonce be skipped.
    function test_replayAndStaleNonce() public {
        Action memory a = transfer(1);
        Oath memory oath = execute(a);
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongNonce.selector, 0, 1));
        a = transfer(2);
        a.nonce = 0;
        refuses(a, abi.encodeWithSelector(Mandate.WrongNonce.selector, 0, 1));
        a.nonce = 2;
        refuses(a, abi.encodeWithSelector(Mandate.WrongNonce.selector, 2, 1));
        a.nonce = (1 << 40) + 1;
        refuses(a, abi.encodeWithSelector(Mandate.WrongNonce.selector, (1 << 40) + 1, 1));
    }

    /// @notice A decision dies at its deadline, the last second in which it may be executed.
    function test_deadline() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        vm.warp(a.deadline + 1);
        refuses(a, oath, abi.encodeWithSelector(Mandate.DecisionExpired.selector, a.deadline, a.deadline + 1));
        vm.warp(a.deadline);
        mandate.execute(a, oath);
    }

    /// @notice A clock may be a minute ahead of the chain's, no more.
    function test_swornInFuture() public {
        uint256 time = vm.getBlockTimestamp();
        Action memory a = transfer(1);
        vm.warp(time + 61);
        Oath memory oath = sworn(a);
        vm.warp(time);
        oath = logged(log, a, oath);
        refuses(a, oath, abi.encodeWithSelector(Mandate.SwornInFuture.selector, uint32(time + 61), time));
        vm.warp(time + 1);
        mandate.execute(a, oath);
    }

    /// @notice Decisions cannot be hoarded: a deadline later after the oath than the terms allow is refused.
    function test_livesTooLong() public {
        Action memory a = transfer(1);
        uint64 latest = uint64(vm.getBlockTimestamp() + 1 days);
        a.deadline = latest + 1;
        refuses(a, abi.encodeWithSelector(Mandate.LivesTooLong.selector, latest + 1, latest));
        a.deadline = latest;
        execute(a);
    }

    /// @notice Call to itself: neither the mandate nor its anchor is a target, even where the terms have a rule for it.
    function test_callToItself() public {
        Terms memory t = terms();
        t.rules[0].target = address(anchor);
        t.rules[0].selector = anchor.headOf.selector;
        mandate = rawClone(t);
        refuses(
            call(address(anchor), 0, abi.encodeCall(anchor.headOf, (0))),
            abi.encodeWithSelector(Mandate.ForbiddenTarget.selector, address(anchor))
        );
        refuses(
            call(address(mandate), 0, abi.encodeCall(mandate.cancel, (0))),
            abi.encodeWithSelector(Mandate.ForbiddenTarget.selector, address(mandate))
        );
    }

    /// @notice Target without code: a call to nothing would succeed, so it is refused.
    function test_targetWithoutCode() public {
        Terms memory t = terms();
        t.rules[1].target = address(0xDEAD);
        mandate = create(t);
        Action memory a = transfer(1);
        a.target = address(0xDEAD);
        refuses(a, abi.encodeWithSelector(Mandate.NoCode.selector, address(0xDEAD)));
    }

    /// @notice A function without a rule, a target without a rule, and calldata without a selector are refused.
    function test_noRule() public {
        bytes memory data = abi.encodeCall(token.transferFrom, (supplier, supplier, 1));
        refuses(
            call(address(token), 0, data),
            abi.encodeWithSelector(Mandate.NoRule.selector, address(token), token.transferFrom.selector)
        );
        Action memory a = transfer(1);
        a.target = address(factory);
        refuses(a, abi.encodeWithSelector(Mandate.NoRule.selector, address(factory), token.transfer.selector));
        a = call(address(probe), 0, hex"000000");
        refuses(a, abi.encodeWithSelector(Mandate.NoRule.selector, address(probe), bytes4(0)));
    }

    /// @notice Calldata of less than four bytes matches no rule, not even one for the selector 0.
    function test_shortCalldataIsNoSelector() public {
        Terms memory t = terms();
        t.rules[3].selector = 0;
        mandate = create(t);
        refuses(
            call(address(probe), 0, hex"000000"),
            abi.encodeWithSelector(Mandate.NoRule.selector, address(probe), bytes4(0))
        );
    }

    /// @notice Pin mismatch: a recipient that the terms do not list is refused, also with dirty upper bytes.
    function test_pinMismatch() public {
        bytes32 stranger = bytes32(uint256(uint160(address(0xBAD))));
        Action memory a = call(address(token), 0, abi.encodeCall(token.transfer, (address(0xBAD), 1)));
        refuses(a, abi.encodeWithSelector(Mandate.PinMismatch.selector, uint8(0), stranger));
        bytes32 dirty = bytes32(uint256(uint160(supplier)) | 1 << 160);
        a = call(address(token), 0, abi.encodePacked(token.transfer.selector, dirty, uint256(1)));
        refuses(a, abi.encodeWithSelector(Mandate.PinMismatch.selector, uint8(0), dirty));
        a = call(address(token), 0, abi.encodeCall(token.transfer, (otherSupplier, 1)));
        execute(a);
        assertEq(token.balanceOf(otherSupplier), 1, "the first of two is listed too");
    }

    /// @notice Calldata shorter than the pinned or the metered word is refused, by even one byte.
    function test_calldataTooShort() public {
        Action memory a = call(address(token), 0, abi.encodePacked(token.transfer.selector, new bytes(31)));
        refuses(a, abi.encodeWithSelector(Mandate.CalldataTooShort.selector, 35, 36));
        a = call(address(token), 0, abi.encodePacked(token.transfer.selector, abi.encode(supplier), new bytes(31)));
        refuses(a, abi.encodeWithSelector(Mandate.CalldataTooShort.selector, 67, 68));
    }

    /// @notice One more than the cap is refused, whatever the bucket has left.
    function test_cap() public {
        refuses(transfer(6_001), abi.encodeWithSelector(Mandate.AboveCap.selector, 6_001, 6_000));
        refuses(
            transfer(type(uint256).max), abi.encodeWithSelector(Mandate.AboveCap.selector, type(uint256).max, 6_000)
        );
        execute(transfer(6_000));
    }

    /// @notice Native value goes only where the rule meters it.
    function test_valueNotAllowed() public {
        Action memory a = transfer(1);
        a.value = 1;
        refuses(a, abi.encodeWithSelector(Mandate.ValueNotAllowed.selector, 1));
        a = call(address(token), 2, abi.encodeCall(token.approve, (supplier, 0)));
        refuses(a, abi.encodeWithSelector(Mandate.ValueNotAllowed.selector, 2));
        refuses(look(10_001), abi.encodeWithSelector(Mandate.AboveCap.selector, 10_001, 10_000));
    }

    /// @notice Two window trap: a full bucket lets out half the limit, and what leaks in a window only the other half.
    function test_twoWindows() public {
        execute(transfer(6_000));
        execute(transfer(4_000));
        refuses(transfer(1), abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(0), 1, 0));
        vm.warp(vm.getBlockTimestamp() + 1 days);
        execute(transfer(6_000));
        refuses(transfer(4_001), abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(0), 4_001, 4_000));
        execute(transfer(4_000));
        assertEq(token.balanceOf(supplier), 20_000, "the limit is 20,001");
        refuses(transfer(1), abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(0), 1, 0));
    }

    /// @notice Small flow leak: a unit comes back after exactly its share of the window, however often one asks.
    function test_smallFlowLeak() public {
        Action memory a = call(address(token), 0, abi.encodeCall(token.approve, (supplier, 0)));
        uint256 time = vm.getBlockTimestamp();
        execute(a);
        vm.warp(time + 1_000);
        a.nonce = 1;
        execute(a);
        a.nonce = 2;
        // Two of two are out; the first unit is back 1,800 seconds after the first call.
        vm.warp(time + 1_799);
        refuses(a, abi.encodeWithSelector(LeakyBucket.AboveLimit.selector, uint8(1), 1, 0));
        vm.warp(time + 1_800);
        execute(a);
        assertEq(mandate.level(1), 0, "full");
    }

    /// @notice Asking for the level of a bucket that the terms lack is refused.
    function test_noBucket() public {
        vm.expectRevert(abi.encodeWithSelector(Mandate.NoBucket.selector, uint8(2)));
        mandate.level(2);
    }
}
