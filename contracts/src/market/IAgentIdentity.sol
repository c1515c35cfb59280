// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title What the reputation registries need of the identity registry (ERC-8004)
interface IAgentIdentity {
    /// @notice Who owns an agent; fails if there is none.
    /// @param agentId which agent
    /// @return the owner
    function ownerOf(uint256 agentId) external view returns (address);

    /// @notice Where an agent is paid; 0 for nowhere.
    /// @param agentId which agent
    /// @return the wallet
    function getAgentWallet(uint256 agentId) external view returns (address);

    /// @notice Whether somebody owns an agent or acts for its owner; fails if there is no such agent.
    /// @param spender who
    /// @param agentId which agent
    /// @return whether it is so
    function isAuthorizedOrOwner(address spender, uint256 agentId) external view returns (bool);
}
