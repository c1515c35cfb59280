// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What a job's client may let look on, and object (ERC-8183)
/// @notice Told before and after a function of the escrow changes its job.
interface IACPHook {
    /// @notice Before the change. An error keeps it from happening, except where money goes back to the client.
    /// @param jobId which job
    /// @param selector the escrow's function
    /// @param data what the function was called with, as ERC-8183 encodes it
    function beforeAction(uint256 jobId, bytes4 selector, bytes calldata data) external;

    /// @notice After the change. An error undoes it, except where money goes back to the client.
    /// @param jobId which job
    /// @param selector the escrow's function
    /// @param data what the function was called with, as ERC-8183 encodes it
    function afterAction(uint256 jobId, bytes4 selector, bytes calldata data) external;
}
