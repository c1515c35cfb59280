// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Action} from "./Action.sol";

/// @title What a principal lets judge an action as a whole
/// @notice Rules bound single arguments; a guard knows what must hold between them, or between them and the chain.
interface IGuard {
    /// @notice Reverts, with an error that names what would not hold, if the action must not be executed.
    /// @dev Asked by the mandate, in a static call, when everything else has been found in order, and before the call.
    /// @param action what is about to be executed
    /// @param statement the decision's statement id
    /// @return `IGuard.check.selector`: any other answer, such as that of code which is no guard, is a refusal too
    function check(Action calldata action, bytes32 statement) external view returns (bytes4);
}
