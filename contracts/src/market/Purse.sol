// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// @title Holds one token for many accounts
/// @notice What is owed to an account lies here until it is withdrawn. Anyone may have it sent to the account itself, so
/// that an account which cannot ask, such as a mandate, gets its money too; only the account may name another receiver.
/// @dev For a token that moves what it is asked to move. One that keeps a part of what comes in is refused when it does;
/// one whose balances change by themselves must not be used.
abstract contract Purse is ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @notice There is no contract at the token.
    error NoToken(address token);
    /// @notice The token delivered another amount than it was asked to.
    error Undelivered(uint256 asked, uint256 received);
    /// @notice Nothing is owed to the account.
    error NothingOwed(address account);
    /// @notice Only the account itself may have its money sent elsewhere.
    error NotTheirs(address caller, address account);

    /// @notice An account may withdraw more than before.
    event Owed(address indexed account, uint256 amount);

    /// @notice What was owed to an account left.
    /// @param account to whom it was owed
    /// @param to who received it
    /// @param amount how much
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice The one token.
    IERC20 public immutable token;

    /// @notice What an account may withdraw.
    mapping(address account => uint256) public owed;

    /// @param token_ the one token
    constructor(IERC20 token_) {
        if (address(token_).code.length == 0) revert NoToken(address(token_));
        token = token_;
    }

    /// @notice Sends an account all that is owed to it.
    /// @param account to whom it is owed
    /// @param to who receives it: the account, or whom the account itself names
    /// @return amount how much
    function withdraw(address account, address to) external nonReentrant returns (uint256 amount) {
        if (to != account && msg.sender != account) revert NotTheirs(msg.sender, account);
        amount = owed[account];
        if (amount == 0) revert NothingOwed(account);
        owed[account] = 0;
        emit Withdrawn(account, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @dev Takes tokens from an account that has approved it: exactly as many as asked for, or it fails.
    function _take(address from, uint256 amount) internal {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(from, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received != amount) revert Undelivered(amount, received);
    }

    /// @dev Sends tokens, or owes them if the token will not move them there, such as to an account it has barred: nobody's
    /// refusal to receive holds up anybody else. A caller cannot feign that by sending little gas: a transfer that runs out
    /// of gas had 63 of 64 parts of it, and what is left does not pay for the entry.
    function _pay(address to, uint256 amount) internal {
        if (amount != 0 && !token.trySafeTransfer(to, amount)) _owe(to, amount);
    }

    /// @dev Lets an account withdraw more.
    function _owe(address account, uint256 amount) internal {
        owed[account] += amount;
        emit Owed(account, amount);
    }
}
