// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Oath} from "../src/core/Oath.sol";
import {House} from "./House.sol";
import {Probe} from "./Probe.sol";

abstract contract MandateExecutionTests is House {
    /// @notice A sworn, logged and anchored action inside the terms is executed, and moves exactly what it says.
    function test_executes() public {
        log.fill(37);
        Action memory a = transfer(6_000);
        Oath memory oath = oathFor(a);
        vm.expectEmit(address(mandate));
        emit Mandate.Executed(leafOf(a, oath), subjectOf(block.chainid, address(mandate), a), 0, 0);
        bytes memory returned = mandate.execute(a, oath);
        assertEq(returned, abi.encode(true), "returned");
        assertEq(token.balanceOf(supplier), 6_000, "received");
        assertEq(token.balanceOf(address(mandate)), 994_000, "left");
        assertEq(nonce(), 1, "nonce");
        assertEq(mandate.level(0), 4_000, "capacity left");
    }

    /// @notice Whatever its place in a log of any size, a leaf in the newest seat proves.
    function testFuzz_anyPlaceInTheLog(uint256 before, uint256 beside, uint256 after_) public {
        log.fill(before % 20);
        if (log.size() != 0) log.anchorAll();
        log.fill(log.size() + beside % 9);
        Action memory a = transfer(1);
        Oath memory oath = sworn(a);
        oath.index = log.append(leafOf(a, oath));
        log.fill(log.size() + after_ % 9);
        log.anchorAll();
        (oath.seat, oath.path) = log.prove(oath.index);
        mandate.execute(a, oath);
        assertEq(token.balanceOf(supplier), 1, "received");
    }

    /// @notice While it calls, the mandate tells its target which model decided and under which statement; never after.
    function test_executing() public {
        Action memory a = look(5);
        Oath memory oath = execute(a);
        assertEq(probe.model(), MODEL, "model");
        assertEq(probe.statement(), leafOf(a, oath), "statement");
        (bytes32 model, bytes32 statement) = mandate.executing();
        assertEq(model | statement, 0, "nothing now");
    }

    /// @notice Native value comes from the mandate's own balance and is metered where the rule says so.
    function test_nativeValue() public {
        execute(look(5));
        assertEq(probe.received(), 5, "received");
        assertEq(address(mandate).balance, 10 ether - 5, "left");
        assertEq(mandate.level(0), 9_995, "metered");
    }

    /// @notice A rule that counts calls draws one for each, on its own bucket.
    function test_countsCalls() public {
        Action memory a = call(address(token), 0, abi.encodeCall(token.approve, (supplier, 0)));
        execute(a);
        assertEq(mandate.level(1), 1, "one left");
        assertEq(mandate.level(0), 10_000, "other bucket");
    }

    /// @notice Anyone may carry an action that names no relayer; one that names a relayer only that one.
    function test_relayer() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        vm.prank(address(0xCAFE));
        mandate.execute(a, oath);

        a = transfer(2);
        a.relayer = address(0xBEEF);
        oath = oathFor(a);
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongRelayer.selector, address(this), address(0xBEEF)));
        vm.prank(address(0xBEEF));
        mandate.execute(a, oath);
        assertEq(token.balanceOf(supplier), 3, "received");
    }

    /// @notice A failed call undoes everything and is wrapped, so that it cannot pass for a refusal; the nonce stays.
    function test_failedCall() public {
        Action memory a = call(address(probe), 0, abi.encodeCall(probe.fail, (7)));
        Oath memory oath = oathFor(a);
        bytes memory inner = abi.encodeWithSelector(Probe.Deliberate.selector, 7);
        refuses(a, oath, abi.encodeWithSelector(Mandate.CallFailed.selector, inner));
        assertEq(nonce(), 0, "nonce");
        assertEq(mandate.level(0), 10_000, "bucket");
        execute(transfer(1));
    }

    /// @notice Reentrancy: a target that calls back is refused, even with a decision for the next nonce.
    function test_reentrancyThroughTheTarget() public {
        (Action memory first, Oath memory one, Action memory second, Oath memory two) = _two();
        probe.plan(abi.encodeCall(mandate.execute, (second, two)));
        bytes memory inner = abi.encodeWithSelector(Mandate.AlreadyExecuting.selector, leafOf(first, one));
        refuses(first, one, abi.encodeWithSelector(Mandate.CallFailed.selector, inner));
        probe.plan("");
        mandate.execute(first, one);
        mandate.execute(second, two);
    }

    /// @notice Two actions in one transaction are executed one after the other, each under its own statement.
    function test_twoActionsInOneTransaction() public {
        (Action memory first, Oath memory one, Action memory second, Oath memory two) = _two();
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(mandate.execute, (first, one));
        calls[1] = abi.encodeCall(mandate.execute, (second, two));
        probe.carry(address(mandate), calls);
        assertEq(nonce(), 2, "nonce");
        assertEq(token.balanceOf(supplier), 5, "received");
    }

    /// @dev Two actions for two nonces, both logged.
    function _two() private returns (Action memory first, Oath memory one, Action memory second, Oath memory two) {
        first = look(1);
        second = transfer(5);
        second.nonce = 1;
        one = sworn(first);
        two = sworn(second);
        one.index = log.append(leafOf(first, one));
        two.index = log.append(leafOf(second, two));
        log.anchorAll();
        (one.seat, one.path) = log.prove(one.index);
        (two.seat, two.path) = log.prove(two.index);
    }
}
