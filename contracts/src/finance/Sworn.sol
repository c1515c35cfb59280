// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {Mandate} from "../core/Mandate.sol";
import {MandateFactory} from "../core/MandateFactory.sol";

/// @title A contract with functions that only a sworn decision reaches
/// @notice Its owner appoints one mandate, and cannot do itself what the mandate may. A mandate's terms name this
/// contract, so this contract learns of the mandate later.
/// @dev What makes "sworn" true is that the mandate is of a known factory and rests on a known anchor: an account, a contract
/// that only claims to be executing something, or a mandate whose anchor agrees to anything cannot be appointed. Whose
/// mandate it is, and which of the logs that this anchor knows it names, the owner decides; everyone can read it in the
/// mandate's terms.
abstract contract Sworn is Ownable2Step {
    /// @notice Only the appointed mandate may, and only while it executes a sworn decision.
    error NotSworn(address caller, address mandate);
    /// @notice The factory did not make it.
    error NotAMandate(address mandate);
    /// @notice Its proofs are judged by another anchor.
    error OtherAnchor(address mandate, address anchor);
    /// @notice Nobody could dismiss the agent any more; dismiss it, or hand ownership over.
    error NotRenounced();

    /// @notice The owner appointed a mandate; 0 for none.
    event Appointed(address indexed mandate, address indexed previous);

    /// @notice Who made every mandate that can be appointed.
    MandateFactory public immutable factory;
    /// @notice What knows the logs in which their decisions are.
    address public immutable anchor;

    /// @notice The one mandate under which an agent may act here; 0 for none.
    address public mandate;

    /// @param owner who may appoint
    /// @param factory_ who made every mandate that can be appointed
    /// @param anchor_ what knows the logs in which their decisions are
    constructor(address owner, MandateFactory factory_, address anchor_) Ownable(owner) {
        (factory, anchor) = (factory_, anchor_);
    }

    /// @notice Appoints a mandate in place of the present one; owner only.
    /// @param mandate_ one that the factory made, or 0 so that nobody may act
    function appoint(address mandate_) external onlyOwner {
        if (mandate_ != address(0)) {
            if (!factory.isMandate(mandate_)) revert NotAMandate(mandate_);
            address other = Mandate(payable(mandate_)).terms().anchor;
            if (other != anchor) revert OtherAnchor(mandate_, other);
        }
        emit Appointed(mandate_, mandate);
        mandate = mandate_;
    }

    /// @notice Refused: an agent that nobody can dismiss would be left.
    function renounceOwnership() public view override onlyOwner {
        revert NotRenounced();
    }

    /// @dev The first line of every function that is the agent's.
    /// @return model digest of the model that decided
    /// @return decision the decision's statement id
    function _requireSworn() internal view returns (bytes32 model, bytes32 decision) {
        if (msg.sender != mandate) revert NotSworn(msg.sender, mandate);
        (model, decision) = Mandate(payable(msg.sender)).executing();
        // A mandate also calls when its principal withdraws a token.
        if (decision == 0) revert NotSworn(msg.sender, mandate);
    }
}
