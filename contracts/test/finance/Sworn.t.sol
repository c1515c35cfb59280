// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {RiskSteward} from "../../src/finance/RiskSteward.sol";
import {Sworn} from "../../src/finance/Sworn.sol";
import {PlayedMandate, Stage} from "./Stage.sol";

contract SwornTest is Stage {
    RiskSteward private _steward;
    bytes private _update = abi.encodeCall(RiskSteward.update, (new bytes32[](0), new uint256[](0)));

    function setUp() public {
        vm.warp(START);
        _steward = newSteward();
    }

    /// @notice The owner appoints, replaces and dismisses a mandate; without one nobody acts.
    function test_appoint() public {
        assertEq(_steward.mandate(), address(mandate), "appointed");
        assertEq(address(_steward.factory()), address(mandate), "factory");
        act(_steward, _update);
        vm.expectEmit(address(_steward));
        emit Sworn.Appointed(address(0), address(mandate));
        vm.prank(OWNER);
        _steward.appoint(address(0));
        refuses(_steward, _update, abi.encodeWithSelector(Sworn.NotSworn.selector, mandate, 0));
    }

    /// @notice What the factory did not make is not appointed, though it says that it is executing a decision: so the
    /// owner cannot act itself through a contract of its own.
    function test_onlyMandatesOfTheFactory() public {
        address[3] memory others = [address(new PlayedMandate()), OWNER, address(_steward)];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Sworn.NotAMandate.selector, others[i]));
            vm.prank(OWNER);
            _steward.appoint(others[i]);
        }
    }

    /// @notice A mandate of the factory whose proofs another anchor judges is not appointed: that anchor might agree to
    /// anything, and then the owner would act with nothing in any log.
    function test_onlyMandatesOnTheAnchor() public {
        address another = address(0xa2c);
        _steward = RiskSteward(
            vm.deployCode("RiskSteward.sol:RiskSteward", abi.encode(OWNER, mandate, another))
        );
        assertEq(_steward.anchor(), another, "anchor");
        vm.expectRevert(abi.encodeWithSelector(Sworn.OtherAnchor.selector, mandate, mandate));
        vm.prank(OWNER);
        _steward.appoint(address(mandate));
    }

    /// @notice The owner cannot leave an agent behind that nobody can dismiss.
    function test_notRenounced() public {
        vm.expectRevert(abi.encodeWithSelector(Sworn.NotRenounced.selector));
        vm.prank(OWNER);
        _steward.renounceOwnership();
        assertEq(_steward.owner(), OWNER, "owner");
    }

    /// @notice Nobody but the owner appoints: not the mandate while it executes, not a stranger.
    function test_onlyTheOwnerAppoints() public {
        bytes memory appointment = abi.encodeCall(Sworn.appoint, (address(mandate)));
        refuses(
            _steward, appointment, abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(mandate))
        );
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, ALICE));
        vm.prank(ALICE);
        _steward.appoint(address(mandate));
    }

    /// @notice A function of the agent's is closed to the owner, to strangers, and to the mandate when it executes nothing.
    function test_onlySworn() public {
        onlySworn(_steward, _update);
    }

    /// @notice Ownership passes only when the new owner accepts it.
    function test_ownershipInTwoSteps() public {
        vm.prank(OWNER);
        _steward.transferOwnership(ALICE);
        assertEq(_steward.owner(), OWNER, "not yet");
        vm.prank(ALICE);
        _steward.acceptOwnership();
        assertEq(_steward.owner(), ALICE, "accepted");
    }
}
