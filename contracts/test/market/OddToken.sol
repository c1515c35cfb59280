// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that keeps a part of what is sent, pays somebody nothing, or calls somebody first
contract OddToken is ERC20("Odd", "ODD") {
    uint256 public kept;
    address public barred;
    address public called;
    bytes public data;
    bytes public answer;

    constructor(address holder) {
        _mint(holder, 1e30);
    }

    function keep(uint256 kept_) external {
        kept = kept_;
    }

    function bar(address barred_) external {
        barred = barred_;
    }

    function plan(address called_, bytes calldata data_) external {
        (called, data) = (called_, data_);
    }

    function _update(address from, address to, uint256 value) internal override {
        require(to == address(0) || to != barred, "barred");
        if (called != address(0)) {
            (bool success, bytes memory returned) = called.call(data);
            answer = success ? bytes("") : returned;
        }
        super._update(from, to, value);
        if (kept != 0) super._update(to, address(this), kept);
    }
}
