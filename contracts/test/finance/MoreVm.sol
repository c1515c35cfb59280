// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Further commands of the test engine.
interface MoreVm {
    function envOr(string calldata name, uint256 fallback_) external view returns (uint256);
    function expectEmit() external;
    function getCode(string calldata artifact) external view returns (bytes memory);
    function pauseGasMetering() external;
    function revertToState(uint256 id) external returns (bool);
    function snapshotState() external returns (uint256 id);
    function startPrank(address sender) external;
    function stopPrank() external;
}
