// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice What a vault has in a fund, as far as the fund tells.
/// @param fund the fund
/// @param answered whether it could say what the shares are worth; one that could not counts as worth nothing
/// @param shares the vault's shares of it
/// @param worth what they would bring now, after the fund's fees
/// @param offeredShares how many of them it would redeem now
/// @param offered what these would bring
struct Holding {
    IERC4626 fund;
    bool answered;
    uint256 shares;
    uint256 worth;
    uint256 offeredShares;
    uint256 offered;
}

/// @title Calls to funds that may do anything
/// @notice Whatever a fund does when it is called here, the caller goes on: it may revert, burn its gas, have no code,
/// answer nothing, an absurd number, or a megabyte.
/// @dev Each call has a fixed limit of gas, and all of it must really be there: who sends too little is refused, so that
/// nobody can make a fund look silent. Of what it returns no more than a word is copied.
library FundCalls {
    /// @notice The caller sent too little gas for a fund to have all that it may use.
    error TooLittleGas(uint256 left, uint256 needed);

    /// @dev A plain ERC-4626 fund answers with 15,000, one that adds up some twenty markets with 250,000. A fund is asked at
    /// most six times in a call and moved twice, so one that burns all it gets costs 3.4 million, and one that merely does
    /// not answer 300,000: of eight, four hostile ones leave a holder below the 16.8 million of a transaction, and all
    /// eight below the 30 million of a block.
    uint256 private constant VIEW_GAS = 300_000;
    /// @dev A plain fund pays with 60,000, one that collects from several markets with 600,000.
    uint256 private constant MOVE_GAS = 800_000;
    /// @dev What a call itself costs, at most 2,600 to reach the account, and the few instructions before it.
    uint256 private constant CALL_GAS = 5_000;

    /// @notice Asks a fund what the vault has in it.
    /// @param fund the fund
    /// @return held what it told, without what it offers
    function look(IERC4626 fund) internal view returns (Holding memory held) {
        held.fund = fund;
        (bool told, uint256 shares) = _ask(fund, abi.encodeCall(IERC20.balanceOf, (address(this))));
        if (!told || !_isAmount(shares)) return held;
        uint256 worth;
        (told, worth) = _ask(fund, abi.encodeCall(IERC4626.previewRedeem, (shares)));
        if (told && _isAmount(worth)) (held.answered, held.shares, held.worth) = (true, shares, worth);
    }

    /// @notice Asks a fund what it would pay now, and notes it.
    /// @dev In shares, as only they can be taken to the last unit: a fund that can pay 1,000 and whose share is worth 3
    /// redeems 333 of them, and keeps to that.
    /// @param held what the vault has in it; a fund that does not say offers nothing
    function askOffer(Holding memory held) internal view {
        if (held.worth == 0) return;
        (bool told, uint256 most) = _ask(held.fund, abi.encodeCall(IERC4626.maxRedeem, (address(this))));
        if (!told) return;
        if (most >= held.shares) {
            (held.offeredShares, held.offered) = (held.shares, held.worth);
            return;
        }
        uint256 assets;
        (told, assets) = _ask(held.fund, abi.encodeCall(IERC4626.previewRedeem, (most)));
        if (told) (held.offeredShares, held.offered) = (most, Math.min(assets, held.worth));
    }

    /// @notice Takes assets out of a fund, or tries to. A little more than `assets` arrives where a share is worth more than
    /// a unit, as a withdrawal would forgo the difference.
    /// @param held what the vault has in it; the shares given are no longer offered
    /// @param assets how much, at most what is offered
    function take(Holding memory held, uint256 assets) internal {
        uint256 shares = held.offeredShares;
        if (assets < held.offered) {
            (bool told, uint256 fewest) = _ask(held.fund, abi.encodeCall(IERC4626.previewWithdraw, (assets)));
            shares = told ? Math.min(fewest, shares) : 0;
        }
        if (shares == 0) return;
        held.offeredShares -= shares;
        address fund = address(held.fund);
        bytes memory order = abi.encodeCall(IERC4626.redeem, (shares, address(this), address(this)));
        _requireGas(MOVE_GAS);
        // Whether it worked is seen by what arrives.
        assembly ("memory-safe") {
            pop(call(MOVE_GAS, fund, 0, add(order, 32), mload(order), 0, 0))
        }
    }

    function _ask(IERC4626 fund, bytes memory question) private view returns (bool told, uint256 answer) {
        _requireGas(VIEW_GAS);
        assembly ("memory-safe") {
            told := staticcall(VIEW_GAS, fund, add(question, 32), mload(question), 0, 32)
            told := and(told, gt(returndatasize(), 31))
            if told { answer := mload(0) }
        }
    }

    /// @dev No more than any token's supply, so that sums and products of amounts cannot overflow.
    function _isAmount(uint256 answer) private pure returns (bool) {
        return answer <= type(uint128).max;
    }

    /// @dev A call gets at most 63 of 64 parts of what is left, whatever it is said to get.
    function _requireGas(uint256 limit) private view {
        uint256 needed = limit + limit / 63 + CALL_GAS;
        if (gasleft() < needed) revert TooLittleGas(gasleft(), needed);
    }
}
