// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token in which supply orders are settled
/// @notice Stands for claims on its owner, who alone issues it; six decimals, like most settlement tokens.
contract SettlementToken is ERC20, Ownable {
    /// @param name the token's name
    /// @param symbol the token's symbol
    /// @param owner who may issue it
    constructor(string memory name, string memory symbol, address owner) ERC20(name, symbol) Ownable(owner) {}

    /// @notice Issues tokens; owner only.
    /// @param account who receives them
    /// @param amount how many, in millionths
    function mint(address account, uint256 amount) external onlyOwner {
        _mint(account, amount);
    }

    /// @notice Millionths.
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
