// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "../src/core/Action.sol";
import {IApprovals} from "../src/core/IApprovals.sol";
import {Mandate} from "../src/core/Mandate.sol";
import {MandateFactory} from "../src/core/MandateFactory.sol";
import {Oath} from "../src/core/Oath.sol";
import {Terms} from "../src/core/Terms.sol";
import {House} from "./House.sol";

/// @title Approves what it is told to
contract OneMind is IApprovals {
    /// @inheritdoc IApprovals
    mapping(bytes32 subject => bool) public isApproved;

    /// @notice Changes its mind.
    function set(bytes32 subject, bool approved) external {
        isApproved[subject] = approved;
    }
}

abstract contract MandateApprovalsTests is House {
    function _approvedBy(address approvals) private {
        Terms memory t = terms();
        t.approvals = approvals;
        mandate = create(t);
        token.mint(address(mandate), 1_000_000);
    }

    /// @notice Only the model that is approved acts, from its approval on and no longer than it lasts; a refusal changes
    /// nothing.
    function test_onlyAnApprovedModelActs() public {
        OneMind approvals = new OneMind();
        _approvedBy(address(approvals));
        bytes memory reason = abi.encodeWithSelector(Mandate.ModelNotApproved.selector, MODEL, address(approvals));
        refuses(transfer(1), reason);
        approvals.set(keccak256("another model"), true);
        refuses(transfer(1), reason);
        approvals.set(MODEL, true);
        execute(transfer(1));
        approvals.set(MODEL, false);
        refuses(transfer(1), reason);
        assertEq(nonce(), 1, "nonce");
    }

    /// @notice An agent cannot claim another model than the one it swore to.
    function test_theModelIsSworn() public {
        OneMind approvals = new OneMind();
        _approvedBy(address(approvals));
        approvals.set(keccak256("approved"), true);
        Action memory a = transfer(1);
        Oath memory oath = oathFor(a);
        a.model = keccak256("approved");
        (bool success, bytes memory reason) = address(mandate).call(abi.encodeCall(mandate.execute, (a, oath)));
        assertTrue(!success && bytes4(reason) == Mandate.WrongSigner.selector, "not its oath");
    }

    /// @notice Terms whose approvals are not there cannot be granted; code that answers nothing approves nothing.
    function test_approvalsWithoutCode() public {
        Terms memory t = terms();
        t.approvals = address(0xdead);
        vm.expectRevert(abi.encodeWithSelector(MandateFactory.ApprovalsWithoutCode.selector, address(0xdead)));
        create(t);
        mandate = rawClone(t);
        refuses(transfer(1), "");
    }
}
