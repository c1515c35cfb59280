// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

import {Action} from "../src/core/Action.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {Oath} from "../src/core/Oath.sol";
import {Suspension} from "../src/core/Suspension.sol";
import {House} from "./House.sol";

abstract contract MandateCustodyTests is House {
    address private constant STRANGER = address(0x57A);

    /// @notice A revoked mandate executes nothing, for ever; revoking twice changes nothing.
    function test_revoke() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        vm.expectEmit(address(mandate));
        emit Mandate.MandateRevoked(principal);
        vm.prank(principal);
        mandate.revoke();
        refuses(a, oath, abi.encodeWithSelector(Mandate.Revoked.selector, principal));
        vm.prank(principal);
        mandate.revoke();
        (bool revoked,,,) = mandate.state();
        assertTrue(revoked, "revoked");
    }

    /// @notice Nobody but the principal revokes: not the agent, not a stranger.
    function test_onlyThePrincipalRevokes() public {
        address[2] memory callers = [agent.addr, STRANGER];
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Mandate.NotPrincipal.selector, callers[i], principal));
            vm.prank(callers[i]);
            mandate.revoke();
        }
    }

    /// @notice A cancelled nonce is gone: the decision sworn for it is refused, the next one is not.
    function test_cancel() public {
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        vm.expectEmit(address(mandate));
        emit Mandate.Cancelled(0, 0, agent.addr);
        vm.prank(agent.addr);
        mandate.cancel(0);
        refuses(a, oath, abi.encodeWithSelector(Mandate.WrongNonce.selector, 0, 1));
        vm.prank(principal);
        mandate.cancel(1);
        assertEq(nonce(), 2, "nonce");
        execute(transfer(1));
        assertEq(mandate.level(0), 9_999, "nothing else was metered");
    }

    /// @notice Only the principal and the agent cancel, and only the current nonce.
    function test_cancelRefusals() public {
        vm.expectRevert(abi.encodeWithSelector(Mandate.NotPrincipalOrAgent.selector, STRANGER, principal, agent.addr));
        vm.prank(STRANGER);
        mandate.cancel(0);
        vm.expectRevert(abi.encodeWithSelector(Mandate.WrongNonce.selector, 1, 0));
        vm.prank(agent.addr);
        mandate.cancel(1);
    }

    /// @notice The principal takes tokens and native value back, also after revoking, and always to itself.
    function test_withdraw() public {
        vm.prank(principal);
        mandate.revoke();
        vm.expectEmit(address(mandate));
        emit Mandate.Withdrawn(address(token), 1_000_000);
        vm.prank(principal);
        mandate.withdraw(address(token), 1_000_000);
        assertEq(token.balanceOf(principal), 1_000_000, "tokens");
        vm.prank(principal);
        mandate.withdraw(address(0), 3 ether);
        assertEq(principal.balance, 3 ether, "native");
        assertEq(address(mandate).balance, 7 ether, "left");
    }

    /// @notice Nobody but the principal withdraws, and nobody more than there is.
    function test_withdrawRefusals() public {
        address[2] memory callers = [agent.addr, STRANGER];
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Mandate.NotPrincipal.selector, callers[i], principal));
            vm.prank(callers[i]);
            mandate.withdraw(address(token), 1);
        }
        vm.expectRevert(abi.encodeWithSelector(Errors.InsufficientBalance.selector, 10 ether, 11 ether));
        vm.prank(principal);
        mandate.withdraw(address(0), 11 ether);
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientBalance.selector, address(mandate), 1_000_000, 1_000_001
            )
        );
        vm.prank(principal);
        mandate.withdraw(address(token), 1_000_001);
    }

    /// @notice A mandate takes native value from anyone.
    function test_receives() public {
        vm.deal(STRANGER, 1 ether);
        vm.prank(STRANGER);
        (bool success,) = address(mandate).call{value: 1 ether}("");
        assertTrue(success && address(mandate).balance == 11 ether, "received");
    }

    /// @notice The bare implementation has no terms and refuses every call, also native value.
    function test_bareImplementation() public {
        address bare = factory.implementation();
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        Suspension memory s = stay(1);
        bytes[11] memory calls = [
            abi.encodeCall(Mandate.execute, (a, oath)),
            abi.encodeCall(Mandate.suspend, (s, oath)),
            abi.encodeCall(Mandate.resume, (0)),
            abi.encodeCall(Mandate.cancel, (0)),
            abi.encodeCall(Mandate.revoke, ()),
            abi.encodeCall(Mandate.withdraw, (address(0), 0)),
            abi.encodeCall(Mandate.terms, ()),
            abi.encodeCall(Mandate.state, ()),
            abi.encodeCall(Mandate.watch, ()),
            abi.encodeCall(Mandate.level, (0)),
            bytes("")
        ];
        for (uint256 i; i < calls.length; ++i) {
            (bool success, bytes memory returned) = bare.call(calls[i]);
            assertTrue(!success, "refused");
            assertEq(returned, abi.encodeWithSelector(Mandate.NotAMandate.selector, bare), "reason");
        }
    }
}
