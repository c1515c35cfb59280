// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title A fund in every mood, which may call somebody while it pays
contract OddFund is ERC4626 {
    enum Mood {
        // Tells the truth and pays.
        Well,
        // Pays nothing, and says so.
        Closed,
        // Promises and does not pay.
        Breaking,
        // Does not say what a share is worth: reverts, answers with less than a word, with an absurd number, with an
        // exception that takes all gas, with a failure as large as the gas allows.
        Silent,
        Short,
        Absurd,
        Burning,
        Bombing,
        // Promises more than there is.
        Boasting,
        // Answers everything as late as it can, and burns all gas instead of paying.
        Greedy,
        // Pays, but does not say for how many shares.
        Mumbling,
        // Takes half of what is put in.
        Sparing
    }

    error Moody();

    /// @notice The most that it can pay now.
    uint256 public liquidity = type(uint256).max;
    /// @notice Gas that it takes to say what a share is worth.
    uint256 public thinking;
    /// @notice With less gas it fails at once: when asked what a share is worth, and when it pays.
    uint256 public leastToTell;
    uint256 public leastToPay;
    bytes public answer;

    Mood public mood;
    address private _called;
    bytes private _data;

    address private immutable MANAGER;

    constructor(IERC20 asset_, address manager) ERC20("Odd", "ODD") ERC4626(asset_) {
        MANAGER = manager;
    }

    /// @dev As a fund's.
    function mark(int256 change) external {
        if (change >= 0) IERC20(asset()).transferFrom(MANAGER, address(this), uint256(change));
        else IERC20(asset()).transfer(MANAGER, uint256(-change));
    }

    function set(Mood mood_) external {
        mood = mood_;
    }

    function limit(uint256 liquidity_) external {
        liquidity = liquidity_;
    }

    function think(uint256 gas_) external {
        thinking = gas_;
    }

    function demand(uint256 leastToTell_, uint256 leastToPay_) external {
        (leastToTell, leastToPay) = (leastToTell_, leastToPay_);
    }

    function plan(address called, bytes calldata data) external {
        (_called, _data) = (called, data);
    }

    function forget() external {
        delete answer;
    }

    function balanceOf(address owner) public view override(ERC20, IERC20) returns (uint256) {
        _dawdle();
        return super.balanceOf(owner);
    }

    function previewRedeem(uint256 shares) public view override returns (uint256) {
        _dawdle();
        uint256 start = gasleft();
        while (start - gasleft() < thinking) {}
        if (mood == Mood.Silent || gasleft() < leastToTell) revert Moody();
        if (mood == Mood.Absurd) return type(uint256).max;
        if (mood == Mood.Short) _return(31);
        if (mood == Mood.Burning) _burnGas();
        if (mood == Mood.Bombing) _revert();
        return super.previewRedeem(shares);
    }

    function previewWithdraw(uint256 assets) public view override returns (uint256) {
        _dawdle();
        if (mood == Mood.Mumbling) revert Moody();
        return super.previewWithdraw(assets);
    }

    function maxRedeem(address owner) public view override returns (uint256) {
        _dawdle();
        if (mood == Mood.Silent) revert Moody();
        if (mood == Mood.Closed) return 0;
        if (mood == Mood.Boasting) return type(uint256).max;
        uint256 all = super.maxRedeem(owner);
        return liquidity == type(uint256).max ? all : Math.min(all, convertToShares(liquidity));
    }

    function maxWithdraw(address owner) public view override returns (uint256) {
        if (mood == Mood.Closed) return 0;
        if (mood == Mood.Boasting) return type(uint256).max;
        return Math.min(liquidity, previewRedeem(balanceOf(owner)));
    }

    function _transferIn(address from, uint256 assets) internal override {
        super._transferIn(from, mood == Mood.Sparing ? assets / 2 : assets);
    }

    function _transferOut(address to, uint256 assets) internal override {
        if (mood == Mood.Breaking || gasleft() < leastToPay) revert Moody();
        if (mood == Mood.Greedy) _burnGas();
        if (_called != address(0)) (, answer) = _called.call(_data);
        super._transferOut(to, assets);
        if (liquidity != type(uint256).max) liquidity -= assets;
    }

    /// @dev Leaves of its gas what it takes to answer.
    function _dawdle() private view {
        if (mood != Mood.Greedy) return;
        while (gasleft() > 30_000) {}
    }

    function _return(uint256 length) private pure {
        assembly {
            return(0, length)
        }
    }

    function _burnGas() private pure {
        assembly {
            invalid()
        }
    }

    function _revert() private pure {
        assembly {
            revert(0, 250000)
        }
    }
}

/// @title A fund behind a proxy, whose admin may point it at nothing
contract ProxiedFund {
    address private _code;

    constructor(address code) {
        _code = code;
    }

    function point(address code) external {
        _code = code;
    }

    fallback() external {
        address code = _code;
        assembly {
            calldatacopy(0, 0, calldatasize())
            let success := delegatecall(gas(), code, 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            if iszero(success) { revert(0, returndatasize()) }
            return(0, returndatasize())
        }
    }
}

/// @title Somebody who sends as much gas as he likes
contract Miser {
    constructor(IERC20 asset, address vault) {
        asset.approve(vault, type(uint256).max);
    }

    function call(address vault, bytes calldata data, uint256 gas_)
        external
        returns (bool success, bytes memory returned)
    {
        return vault.call{gas: gas_}(data);
    }
}

/// @title An asset that keeps one unit of what is sent
contract KeepingToken is ERC20("Keeping", "KEEP") {
    constructor(address holder) {
        _mint(holder, 1e30);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0)) super._update(to, address(this), 1);
    }
}
