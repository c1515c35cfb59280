// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title Who says which models may decide
interface IApprovals {
    /// @notice Whether a subject is approved now.
    /// @param subject a model's digest, or the digest of anything else that is approved by the same people
    /// @return whether it is
    function isApproved(bytes32 subject) external view returns (bool);
}
