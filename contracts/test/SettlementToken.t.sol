// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {SettlementToken} from "../src/core/SettlementToken.sol";
import {Cheats} from "./Cheats.sol";

contract SettlementTokenTest is Cheats {
    SettlementToken private _token = new SettlementToken("Euro", "EUR", address(this));

    /// @notice The token has six decimals, its owner's name and symbol, and no supply until it is issued.
    function test_issues() public {
        assertEq(_token.decimals(), 6, "decimals");
        assertEq(bytes(_token.name()), bytes("Euro"), "name");
        assertEq(bytes(_token.symbol()), bytes("EUR"), "symbol");
        assertEq(_token.totalSupply(), 0, "none yet");
        _token.mint(address(1), 7);
        assertEq(_token.balanceOf(address(1)), 7, "issued");
    }

    /// @notice Nobody but the owner issues.
    function test_onlyOwnerIssues() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(2)));
        vm.prank(address(2));
        _token.mint(address(2), 7);
    }
}
