// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SettlementToken} from "../../src/core/SettlementToken.sol";
import {Fund} from "../../src/finance/Fund.sol";
import {Stage} from "./Stage.sol";

contract FundTest is Stage {
    SettlementToken private _asset;

    function setUp() public {
        _asset = newToken("Euro");
        _asset.mint(ALICE, 1e24);
        _asset.mint(MANAGER, 1e24);
    }

    function _fund(uint24 exitFee) private returns (Fund fund) {
        fund = newFund(_asset, exitFee);
        address[2] memory people = [ALICE, MANAGER];
        for (uint256 i; i < 2; ++i) {
            vm.prank(people[i]);
            _asset.approve(address(fund), type(uint256).max);
        }
    }

    /// @notice A gain comes from the manager and a loss goes to it; shares are worth more and less accordingly.
    function test_mark() public {
        Fund fund = _fund(0);
        vm.prank(ALICE);
        fund.deposit(1_000_000, ALICE);
        vm.expectEmit(address(fund));
        emit Fund.Marked(100_000, 1_100_000);
        vm.prank(MANAGER);
        fund.mark(100_000);
        assertEq(fund.previewRedeem(1_000_000), 1_099_999, "gained");
        vm.prank(MANAGER);
        fund.mark(-600_000);
        assertEq(fund.previewRedeem(1_000_000), 500_000, "lost");
        assertEq(_asset.balanceOf(MANAGER), 1e24 + 500_000, "to the manager");
    }

    /// @notice Nobody else marks, and no fund takes everything as its fee.
    function test_refusals() public {
        Fund fund = _fund(0);
        vm.expectRevert(abi.encodeWithSelector(Fund.NotManager.selector, ALICE, MANAGER));
        vm.prank(ALICE);
        fund.mark(0);
        bytes memory arguments = abi.encode(_asset, "Fund", "FUND", uint24(1_000_000), MANAGER);
        refusesToDeploy("Fund.sol:Fund", arguments, abi.encodeWithSelector(Fund.FeeTooLarge.selector, 1_000_000));
    }

    /// @notice What leaves pays the fee, to the manager, whether assets or shares are named; and the previews say so.
    function testFuzz_exitFee(uint24 fee, uint256 assets, uint256 gain, uint256 part) public {
        fee = fee % 1_000_000;
        Fund fund = _fund(fee);
        assets = within(assets, 1, 1e18);
        vm.prank(ALICE);
        uint256 shares = fund.deposit(assets, ALICE);
        vm.prank(MANAGER);
        fund.mark(int256(within(gain, 0, 1e18)));
        uint256 before = _asset.balanceOf(MANAGER);

        part = within(part, 0, fund.maxWithdraw(ALICE));
        uint256 expected = fund.previewWithdraw(part);
        vm.prank(ALICE);
        assertEq(fund.withdraw(part, ALICE, ALICE), expected, "shares burned");
        uint256 gross = _asset.balanceOf(MANAGER) - before + part;
        // The fee is its share of what left, rounded in its favour by less than one unit of what is left after it.
        assertAtMost(gross * (1_000_000 - fee), part * 1_000_000 + 999_999, "no more than the fee");
        assertAtMost(part * 1_000_000, gross * (1_000_000 - fee), "no less than the fee");

        uint256 rest = shares - expected;
        expected = fund.previewRedeem(rest);
        vm.prank(ALICE);
        assertEq(fund.redeem(rest, ALICE, ALICE), expected, "assets out");
        assertEq(fund.balanceOf(ALICE), 0, "nothing left");
    }

    /// @notice All that `maxWithdraw` names can be withdrawn, at any fee, gain or loss.
    function testFuzz_allCanLeave(uint24 fee, uint256 assets, uint256 change) public {
        Fund fund = _fund(fee % 1_000_000);
        assets = within(assets, 1, 1e18);
        vm.prank(ALICE);
        fund.deposit(assets, ALICE);
        vm.prank(MANAGER);
        fund.mark(int256(within(change, 0, 2 * assets)) - int256(assets));
        uint256 all = fund.maxWithdraw(ALICE);
        vm.prank(ALICE);
        fund.withdraw(all, ALICE, ALICE);
        assertEq(_asset.balanceOf(ALICE), 1e24 - assets + all, "received");
    }
}
