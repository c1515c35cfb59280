// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {Place, RebalanceBounds, StrategyVault} from "../../src/finance/StrategyVault.sol";
import {Stage} from "./Stage.sol";

/// @title A fund that can fail in every way, and call somebody while it pays
contract OddFund is Fund {
    enum Mood {
        Well,
        Closed,
        Lying,
        Silent,
        Boundless
    }

    Mood public mood;
    address public called;
    bytes public data;

    constructor(IERC20 asset_, uint24 exitFee_, address manager_) Fund(asset_, "Odd", "ODD", exitFee_, manager_) {}

    function set(Mood mood_) external {
        mood = mood_;
    }

    function plan(address called_, bytes calldata data_) external {
        (called, data) = (called_, data_);
    }

    function balanceOf(address account) public view override(IERC20, ERC20Base) returns (uint256) {
        require(mood != Mood.Silent, "silent");
        return super.balanceOf(account);
    }
}
