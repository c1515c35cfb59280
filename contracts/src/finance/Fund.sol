// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A fund that its manager says the gains and losses of
/// @notice An ERC-4626 vault for the stories: gains come from the manager, losses go to it, and so does a fee on what
/// leaves. Who holds its shares trusts the manager with everything in it.
contract Fund is ERC4626 {
    using SafeERC20 for IERC20;

    /// @notice The fee would be everything, or more.
    error FeeTooLarge(uint24 exitFee);
    /// @notice Only the manager may.
    error NotManager(address caller, address manager);

    /// @notice The manager booked a gain or a loss.
    /// @param change how much, below zero for a loss
    /// @param total what the fund holds now
    event Marked(int256 change, uint256 total);

    uint256 private constant MILLION = 1e6;

    /// @notice Who books gains and losses and receives the fee.
    address public immutable manager;
    /// @notice The fee on what leaves, in millionths of it.
    uint24 public immutable exitFee;

    /// @param asset_ what it holds
    /// @param name the share's name
    /// @param symbol the share's symbol
    /// @param exitFee_ the fee on what leaves, in millionths; below a million
    /// @param manager_ who books gains and losses and receives the fee
    constructor(IERC20 asset_, string memory name, string memory symbol, uint24 exitFee_, address manager_)
        ERC20(name, symbol)
        ERC4626(asset_)
    {
        if (exitFee_ >= MILLION) revert FeeTooLarge(exitFee_);
        (exitFee, manager) = (exitFee_, manager_);
    }

    /// @notice Books a gain, which the manager pays in, or a loss, which the manager takes; manager only.
    /// @param change how much, below zero for a loss
    function mark(int256 change) external {
        if (msg.sender != manager) revert NotManager(msg.sender, manager);
        IERC20 token = IERC20(asset());
        if (change >= 0) token.safeTransferFrom(manager, address(this), uint256(change));
        else token.safeTransfer(manager, uint256(-change));
        emit Marked(change, totalAssets());
    }

    /// @inheritdoc ERC4626
    function previewWithdraw(uint256 assets) public view override returns (uint256) {
        return super.previewWithdraw(_withFee(assets));
    }

    /// @inheritdoc ERC4626
    function previewRedeem(uint256 shares) public view override returns (uint256) {
        return Math.mulDiv(super.previewRedeem(shares), MILLION - exitFee, MILLION);
    }

    /// @dev Withdrawals and redemptions alike end here; `assets` is what is left after the fee.
    function _transferOut(address to, uint256 assets) internal override {
        super._transferOut(to, assets);
        super._transferOut(manager, _withFee(assets) - assets);
    }

    /// @dev The least from which `assets` are left after the fee.
    function _withFee(uint256 assets) private view returns (uint256) {
        return Math.mulDiv(assets, MILLION, MILLION - exitFee, Math.Rounding.Ceil);
    }
}
