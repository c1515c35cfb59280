// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC4626} from "@openzeppelin/contracts/interfaces/IERC4626.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {MandateFactory} from "../core/MandateFactory.sol";
import {Sworn} from "./Sworn.sol";

/// @notice A fund into which the vault may put assets.
/// @param fund an ERC-4626 vault of the same asset
/// @param maxWeightPpm the most of the vault's assets that may go into it, in millionths
struct Place {
    IERC4626 fund;
    uint32 maxWeightPpm;
}

/// @notice What bounds every rebalance.
/// @param delay least seconds from one to the next
/// @param maxCostPpm the most that it may cost the vault, in millionths of what it moves: fees and rounding
struct RebalanceBounds {
    uint32 delay;
    uint32 maxCostPpm;
}

/// @title A vault that an agent spreads over fixed funds
/// @notice Holders put one asset in; sworn decisions move it between the funds that were listed at construction, and
/// nowhere else. Holders leave at any time with what the funds can pay.
/// @dev A fund that does not answer counts as worth nothing and is left alone until it answers again: the others are not
/// locked by it, who leaves meanwhile forgoes it, and nobody may enter. A caller cannot feign that by sending little gas:
/// a fund that runs out of gas had 63 of 64 parts of it, and what is left does not carry the rest of the call.
contract StrategyVault is ERC4626, Sworn, ReentrancyGuard {
    using SafeERC20 for IERC20;

    /// @notice The fund holds another asset.
    error WrongFund(address fund, address fundAsset);
    /// @notice A fund is listed twice and would be counted twice.
    error DuplicateFund(address fund);
    /// @notice More than a million millionths.
    error OverAMillion(uint256 ppm);
    /// @notice One weight for each fund.
    error WrongCount(uint256 weights, uint256 funds);
    /// @notice A fund's weight is over its largest.
    error WeightTooLarge(address fund, uint256 weightPpm, uint32 maxWeightPpm);
    /// @notice The last rebalance is too recent.
    error TooSoon(uint256 earliest, uint256 time);
    /// @notice More would be moved than the decision allows.
    error TurnoverTooLarge(uint256 turnover, uint256 maxTurnover);
    /// @notice Moving costs more than the vault allows.
    error CostTooLarge(uint256 cost, uint256 maxCost);

    /// @notice An agent moved assets.
    /// @param decision the decision's statement id
    /// @param model digest of the model that decided
    /// @param turnover what was withdrawn from funds and what was put into funds, together
    /// @param weights what was aimed at, in millionths, in the order of the funds
    event Rebalanced(bytes32 indexed decision, bytes32 indexed model, uint256 turnover, uint256[] weights);

    uint256 private constant MILLION = 1e6;

    /// @notice Least seconds from one rebalance to the next.
    uint32 public immutable delay;
    /// @notice The most that a rebalance may cost the vault, in millionths of what it moves.
    uint32 public immutable maxCostPpm;

    /// @notice When the agent last rebalanced; 0 for never.
    uint40 public rebalancedAt;

    Place[] private _places;

    /// @param asset_ what holders put in
    /// @param name the share's name
    /// @param symbol the share's symbol
    /// @param places_ the funds, for ever
    /// @param bounds what bounds every rebalance
    /// @param owner who may appoint a mandate
    /// @param factory_ who made every mandate that can be appointed
    constructor(
        IERC20 asset_,
        string memory name,
        string memory symbol,
        Place[] memory places_,
        RebalanceBounds memory bounds,
        address owner,
        MandateFactory factory_
    ) ERC20(name, symbol) ERC4626(asset_) Sworn(owner, factory_) {
        for (uint256 i; i < places_.length; ++i) {
            IERC4626 fund = places_[i].fund;
            if (fund.asset() != address(asset_)) revert WrongFund(address(fund), fund.asset());
            for (uint256 j; j < i; ++j) {
                if (address(places_[j].fund) == address(fund)) revert DuplicateFund(address(fund));
            }
            if (places_[i].maxWeightPpm > MILLION) revert OverAMillion(places_[i].maxWeightPpm);
            _places.push(places_[i]);
        }
        if (bounds.maxCostPpm > MILLION) revert OverAMillion(bounds.maxCostPpm);
        (delay, maxCostPpm) = (bounds.delay, bounds.maxCostPpm);
    }

    /// @notice Moves assets so that each fund holds its weight of what the vault is worth now; the appointed mandate only.
    /// Withdraws first, as far as funds can pay, and puts in after; the rest lies idle.
    /// @dev A fund with a fee on what leaves is worth less than was put in, so it ends a little under its weight.
    /// @param maxTurnover the most to move, both ways together; the mandate's rule meters this word
    /// @param weightsPpm millionths, in the order of the funds
    function rebalance(uint256 maxTurnover, uint256[] calldata weightsPpm) external nonReentrant {
        (bytes32 model, bytes32 decision) = _requireSworn();
        uint256 earliest = uint256(rebalancedAt) + delay;
        if (block.timestamp < earliest) revert TooSoon(earliest, block.timestamp);
        rebalancedAt = uint40(block.timestamp);
        _requireWeights(weightsPpm);

        uint256 total = totalAssets();
        uint256 turnover = _withdrawDownTo(weightsPpm, total) + _depositUpTo(weightsPpm, total);
        if (turnover > maxTurnover) revert TurnoverTooLarge(turnover, maxTurnover);
        uint256 cost = Math.saturatingSub(total, totalAssets());
        uint256 maxCost = Math.mulDiv(turnover, maxCostPpm, MILLION, Math.Rounding.Ceil);
        if (cost > maxCost) revert CostTooLarge(cost, maxCost);
        emit Rebalanced(decision, model, turnover, weightsPpm);
    }

    /// @notice The funds and their largest weights.
    /// @return in the order of the weights
    function places() external view returns (Place[] memory) {
        return _places;
    }

    /// @notice What the vault's shares of each fund would bring now.
    /// @return answered whether the fund could say; one that does not counts as worth nothing
    /// @return assets what it said, after its fees
    function holdings() public view returns (bool[] memory answered, uint256[] memory assets) {
        uint256 length = _places.length;
        (answered, assets) = (new bool[](length), new uint256[](length));
        for (uint256 i; i < length; ++i) {
            (answered[i], assets[i]) = _worth(_places[i].fund);
        }
    }

    /// @notice What lies idle, and what the vault's shares of the funds that answer would bring now, after fees.
    /// @return total the sum
    function totalAssets() public view override returns (uint256 total) {
        total = _idle();
        (, uint256[] memory assets) = holdings();
        for (uint256 i; i < assets.length; ++i) {
            total += assets[i];
        }
    }

    /// @notice Nothing while a fund does not answer, since a share would be too cheap; anything otherwise.
    /// @return the most that may be put in
    function maxDeposit(address) public view override returns (uint256) {
        (bool[] memory answered,) = holdings();
        for (uint256 i; i < answered.length; ++i) {
            if (!answered[i]) return 0;
        }
        return type(uint256).max;
    }

    /// @notice Nothing while a fund does not answer, since a share would be too cheap; anything otherwise.
    /// @param receiver makes no difference
    /// @return the most shares that may be bought
    function maxMint(address receiver) public view override returns (uint256) {
        return maxDeposit(receiver);
    }

    /// @notice What an account holds, but no more than idle assets and the funds can pay now. `maxWithdraw` follows it.
    /// @param owner the account
    /// @return the most shares that it may redeem
    function maxRedeem(address owner) public view override returns (uint256) {
        uint256 payable_ = _idle();
        for (uint256 i; i < _places.length; ++i) {
            payable_ += _payable(_places[i].fund);
        }
        uint256 shares = balanceOf(owner);
        return previewRedeem(shares) <= payable_ ? shares : Math.min(shares, convertToShares(payable_));
    }

    function _requireWeights(uint256[] calldata weightsPpm) private view {
        if (weightsPpm.length != _places.length) revert WrongCount(weightsPpm.length, _places.length);
        uint256 sum;
        for (uint256 i; i < weightsPpm.length; ++i) {
            Place memory place = _places[i];
            if (weightsPpm[i] > place.maxWeightPpm) {
                revert WeightTooLarge(address(place.fund), weightsPpm[i], place.maxWeightPpm);
            }
            sum += weightsPpm[i];
        }
        if (sum > MILLION) revert OverAMillion(sum);
    }

    function _withdrawDownTo(uint256[] calldata weightsPpm, uint256 total) private returns (uint256 moved) {
        for (uint256 i; i < weightsPpm.length; ++i) {
            IERC4626 fund = _places[i].fund;
            (, uint256 held) = _worth(fund);
            moved += _pull(fund, Math.saturatingSub(held, Math.mulDiv(total, weightsPpm[i], MILLION)));
        }
    }

    function _depositUpTo(uint256[] calldata weightsPpm, uint256 total) private returns (uint256 moved) {
        for (uint256 i; i < weightsPpm.length; ++i) {
            IERC4626 fund = _places[i].fund;
            (bool answered, uint256 held) = _worth(fund);
            if (!answered) continue;
            uint256 missing = Math.saturatingSub(Math.mulDiv(total, weightsPpm[i], MILLION), held);
            uint256 amount = Math.min(missing, _idle());
            if (amount == 0) continue;
            IERC20(asset()).forceApprove(address(fund), amount);
            fund.deposit(amount, address(this));
            moved += amount;
        }
    }

    /// @dev Idle assets first, then from the funds in their order. If they do not bring it, the transfer fails.
    function _transferOut(address to, uint256 assets) internal override {
        for (uint256 i; i < _places.length; ++i) {
            _pull(_places[i].fund, Math.saturatingSub(assets, _idle()));
        }
        super._transferOut(to, assets);
    }

    /// @dev Takes from the fund as much as it can pay of `assets`, and nothing from one that fails. Returns what arrived:
    /// a little more than `assets` where a share is worth more than a unit, as a withdrawal would forgo the difference.
    function _pull(IERC4626 fund, uint256 assets) private returns (uint256) {
        uint256 amount = assets == 0 ? 0 : Math.min(assets, _payable(fund));
        if (amount == 0) return 0;
        uint256 before = _idle();
        try fund.previewWithdraw(amount) returns (uint256 shares) {
            try fund.redeem(shares, address(this), address(this)) {} catch {}
        } catch {}
        return _idle() - before;
    }

    function _worth(IERC4626 fund) private view returns (bool answered, uint256 assets) {
        try fund.balanceOf(address(this)) returns (uint256 shares) {
            try fund.previewRedeem(shares) returns (uint256 worth) {
                return (true, worth);
            } catch {}
        } catch {}
    }

    /// @dev What the fund says that it can pay now, but no more than the vault's shares are worth.
    function _payable(IERC4626 fund) private view returns (uint256) {
        (, uint256 worth) = _worth(fund);
        try fund.maxWithdraw(address(this)) returns (uint256 most) {
            return Math.min(worth, most);
        } catch {
            return 0;
        }
    }

    function _idle() private view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this));
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override nonReentrant {
        super._deposit(caller, receiver, assets, shares);
    }

    function _withdraw(address caller, address receiver, address owner, uint256 assets, uint256 shares)
        internal
        override
        nonReentrant
    {
        super._withdraw(caller, receiver, owner, assets, shares);
    }

    /// @dev A million shares' units for an asset's unit: who donates to make the first share dear loses nearly all of it.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }
}
