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
import {FundCalls, Holding} from "./FundCalls.sol";
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
/// @param maxCostPpm the most that it may cost the vault, in millionths of what it moves: fees and rounding; above 0
struct RebalanceBounds {
    uint32 delay;
    uint32 maxCostPpm;
}

/// @title A vault that an agent spreads over fixed funds
/// @notice Holders put one asset in; sworn decisions move it between the funds that were listed at construction, and
/// nowhere else. Holders leave at any time with what the funds can pay, a part from each, so that leaving moves no weight.
/// @dev A fund that does not answer counts as worth nothing and is left alone until it answers again: the others are not
/// locked by it, who leaves meanwhile forgoes it, and nobody may enter. What "not answering" is, and that nobody can feign
/// it, is in FundCalls. A fund that cannot pay its part of a withdrawal leaves it to the others, and its weight grows.
///
/// What a fund says of itself is believed, so list none
/// - that counts its own silent parts as worth nothing and says so to nobody, as a vault of this kind does: who enters here
///   meanwhile would buy too cheaply. Its `maxDeposit` of 0 is no sign, as a full fund says the same. A vault of this kind
///   is refused at construction, as it needs more gas to ask its funds than it gets;
/// - whose share's worth somebody can move and move back in one transaction, or can lower at will;
/// - that needs nearly all the gas that FundCalls grants.
///
/// While it moves assets, all that tells worth or limits reverts (ReentrancyGuardReentrantCall), as it would tell what is
/// true neither before nor after; and it reverts for too little gas. In both it departs from ERC-4626.
contract StrategyVault is ERC4626, Sworn, ReentrancyGuard {
    using SafeERC20 for IERC20;
    using FundCalls for IERC4626;
    using FundCalls for Holding;

    /// @notice The fund holds another asset.
    error WrongFund(address fund, address fundAsset);
    /// @notice A fund is listed twice and would be counted twice.
    error DuplicateFund(address fund);
    /// @notice More funds than can be asked in one call.
    error TooManyFunds(uint256 funds, uint256 most);
    /// @notice The fund does not say what its shares are worth.
    error SilentFund(address fund);
    /// @notice With a bound of 0, rounding alone would stop every rebalance.
    error NoCostAllowed();
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
    /// @notice The asset delivered less than it was asked to.
    error Undelivered(uint256 asked, uint256 received);

    /// @notice An agent moved assets.
    /// @param decision the decision's statement id
    /// @param model digest of the model that decided
    /// @param turnover what was withdrawn from funds and what was put into funds, together
    /// @param weights what was aimed at, in millionths, in the order of the funds
    event Rebalanced(bytes32 indexed decision, bytes32 indexed model, uint256 turnover, uint256[] weights);

    uint256 private constant MILLION = 1e6;

    /// @notice The most funds a vault may have: so many can all be hostile, and a holder still gets out in one block.
    uint256 public constant MOST_FUNDS = 8;

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
    /// @param anchor_ what knows the logs in which their decisions are
    constructor(
        IERC20 asset_,
        string memory name,
        string memory symbol,
        Place[] memory places_,
        RebalanceBounds memory bounds,
        address owner,
        MandateFactory factory_,
        address anchor_
    ) ERC20(name, symbol) ERC4626(asset_) Sworn(owner, factory_, anchor_) {
        if (places_.length > MOST_FUNDS) revert TooManyFunds(places_.length, MOST_FUNDS);
        for (uint256 i; i < places_.length; ++i) {
            IERC4626 fund = places_[i].fund;
            if (fund.asset() != address(asset_)) revert WrongFund(address(fund), fund.asset());
            for (uint256 j; j < i; ++j) {
                if (address(places_[j].fund) == address(fund)) revert DuplicateFund(address(fund));
            }
            if (places_[i].maxWeightPpm > MILLION) revert OverAMillion(places_[i].maxWeightPpm);
            if (!fund.look().answered) revert SilentFund(address(fund));
            _places.push(places_[i]);
        }
        if (bounds.maxCostPpm == 0) revert NoCostAllowed();
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

        (Holding[] memory held, uint256 total) = _lookAtOffers();
        uint256 turnover = _withdrawDownTo(weightsPpm, held, total) + _depositUpTo(weightsPpm, held, total);
        if (turnover > maxTurnover) revert TurnoverTooLarge(turnover, maxTurnover);
        (, uint256 left) = _look();
        uint256 cost = Math.saturatingSub(total, left);
        uint256 maxCost = Math.mulDiv(turnover, maxCostPpm, MILLION, Math.Rounding.Ceil);
        if (cost > maxCost) revert CostTooLarge(cost, maxCost);
        emit Rebalanced(decision, model, turnover, weightsPpm);
    }

    /// @notice The funds and their largest weights.
    /// @return in the order of the weights
    function places() external view returns (Place[] memory) {
        return _places;
    }

    /// @inheritdoc IERC4626
    function deposit(uint256 assets, address receiver) public override nonReentrant returns (uint256 shares) {
        (Holding[] memory held, uint256 total) = _look();
        uint256 most = _enterable(held);
        if (assets > most) revert ERC4626ExceededMaxDeposit(receiver, assets, most);
        shares = _toShares(assets, total, Math.Rounding.Floor);
        _deposit(msg.sender, receiver, assets, shares);
    }

    /// @inheritdoc IERC4626
    function mint(uint256 shares, address receiver) public override nonReentrant returns (uint256 assets) {
        (Holding[] memory held, uint256 total) = _look();
        uint256 most = _enterable(held);
        if (shares > most) revert ERC4626ExceededMaxMint(receiver, shares, most);
        assets = _toAssets(shares, total, Math.Rounding.Ceil);
        _deposit(msg.sender, receiver, assets, shares);
    }

    /// @inheritdoc IERC4626
    function withdraw(uint256 assets, address receiver, address owner)
        public
        override
        nonReentrant
        returns (uint256 shares)
    {
        (Holding[] memory held, uint256 total) = _lookAtOffers();
        uint256 most = _toAssets(_redeemable(owner, held, total), total, Math.Rounding.Floor);
        if (assets > most) revert ERC4626ExceededMaxWithdraw(owner, assets, most);
        shares = _toShares(assets, total, Math.Rounding.Ceil);
        _gather(held, assets, total);
        _withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @inheritdoc IERC4626
    function redeem(uint256 shares, address receiver, address owner)
        public
        override
        nonReentrant
        returns (uint256 assets)
    {
        (Holding[] memory held, uint256 total) = _lookAtOffers();
        uint256 most = _redeemable(owner, held, total);
        if (shares > most) revert ERC4626ExceededMaxRedeem(owner, shares, most);
        assets = _toAssets(shares, total, Math.Rounding.Floor);
        _gather(held, assets, total);
        _withdraw(msg.sender, receiver, owner, assets, shares);
    }

    /// @notice What the vault's shares of each fund would bring now.
    /// @return answered whether the fund could say; one that does not counts as worth nothing
    /// @return assets what it said, after its fees
    function holdings()
        external
        view
        nonReentrantView
        returns (bool[] memory answered, uint256[] memory assets)
    {
        (Holding[] memory held,) = _look();
        (answered, assets) = (new bool[](held.length), new uint256[](held.length));
        for (uint256 i; i < held.length; ++i) {
            (answered[i], assets[i]) = (held[i].answered, held[i].worth);
        }
    }

    /// @notice What lies idle, and what the vault's shares of the funds that answer would bring now, after fees.
    /// @dev All conversions and previews follow it, and revert when it does.
    /// @return total the sum
    function totalAssets() public view override nonReentrantView returns (uint256 total) {
        (, total) = _look();
    }

    /// @notice Nothing while a fund does not answer, since a share would be too cheap; anything otherwise.
    /// @return the most that may be put in
    function maxDeposit(address) public view override nonReentrantView returns (uint256) {
        (Holding[] memory held,) = _look();
        return _enterable(held);
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
    function maxRedeem(address owner) public view override nonReentrantView returns (uint256) {
        (Holding[] memory held, uint256 total) = _lookAtOffers();
        return _redeemable(owner, held, total);
    }

    /// @dev Asks every fund once. The functions that move assets reckon with one look from beginning to end.
    function _look() private view returns (Holding[] memory held, uint256 total) {
        held = new Holding[](_places.length);
        total = _idle();
        for (uint256 i; i < held.length; ++i) {
            held[i] = _places[i].fund.look();
            total += held[i].worth;
        }
    }

    function _lookAtOffers() private view returns (Holding[] memory held, uint256 total) {
        (held, total) = _look();
        for (uint256 i; i < held.length; ++i) {
            held[i].askOffer();
        }
    }

    function _enterable(Holding[] memory held) private pure returns (uint256) {
        for (uint256 i; i < held.length; ++i) {
            if (!held[i].answered) return 0;
        }
        return type(uint256).max;
    }

    function _redeemable(address owner, Holding[] memory held, uint256 total) private view returns (uint256) {
        uint256 payable_ = _idle();
        for (uint256 i; i < held.length; ++i) {
            payable_ += held[i].offered;
        }
        uint256 shares = balanceOf(owner);
        if (_toAssets(shares, total, Math.Rounding.Floor) <= payable_) return shares;
        return Math.min(shares, _toShares(payable_, total, Math.Rounding.Floor));
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

    function _withdrawDownTo(uint256[] calldata weightsPpm, Holding[] memory held, uint256 total)
        private
        returns (uint256 moved)
    {
        for (uint256 i; i < held.length; ++i) {
            uint256 excess = Math.saturatingSub(held[i].worth, Math.mulDiv(total, weightsPpm[i], MILLION));
            moved += _pull(held[i], Math.min(excess, held[i].offered));
        }
    }

    function _depositUpTo(uint256[] calldata weightsPpm, Holding[] memory held, uint256 total)
        private
        returns (uint256 moved)
    {
        for (uint256 i; i < held.length; ++i) {
            if (!held[i].answered) continue;
            uint256 missing = Math.saturatingSub(Math.mulDiv(total, weightsPpm[i], MILLION), held[i].worth);
            uint256 before = _idle();
            uint256 amount = Math.min(missing, before);
            if (amount == 0) continue;
            IERC20(asset()).forceApprove(address(held[i].fund), amount);
            held[i].fund.deposit(amount, address(this));
            // A fund that took less must not be able to take the rest later.
            IERC20(asset()).forceApprove(address(held[i].fund), 0);
            moved += Math.saturatingSub(before, _idle());
        }
    }

    /// @dev Makes `assets` lie idle, as far as can be; if they do not, the transfer fails. From idle assets and from each
    /// fund its part of the vault, so that weights stay as they are, each part rounded up and idle assets' down. What a fund
    /// does not offer of its part, idle assets pay and then other funds in their order.
    function _gather(Holding[] memory held, uint256 assets, uint256 total) private {
        if (assets == 0) return;
        uint256[] memory parts = new uint256[](held.length);
        uint256 missing = Math.saturatingSub(assets, _idle());
        for (uint256 i; i < held.length; ++i) {
            uint256 part = Math.mulDiv(held[i].worth, assets, total, Math.Rounding.Ceil);
            parts[i] = Math.min(part, held[i].offered);
            missing = Math.saturatingSub(missing, parts[i]);
        }
        for (uint256 i; i < held.length; ++i) {
            uint256 more = Math.min(missing, held[i].offered - parts[i]);
            missing -= more;
            _pull(held[i], parts[i] + more);
        }
        // For those who offered and did not pay.
        for (uint256 i; i < held.length; ++i) {
            _pull(held[i], Math.min(Math.saturatingSub(assets, _idle()), held[i].offered));
        }
    }

    /// @dev Takes what a fund offers, and returns what arrived; from one that does not keep its word nothing more is taken.
    function _pull(Holding memory held, uint256 assets) private returns (uint256 arrived) {
        if (assets == 0) return 0;
        uint256 before = _idle();
        held.take(assets);
        arrived = _idle() - before;
        held.offered = arrived < assets ? 0 : Math.saturatingSub(held.offered, arrived);
    }

    function _idle() private view returns (uint256) {
        return IERC20(asset()).balanceOf(address(this));
    }

    /// @dev Shares must never be given for what did not arrive.
    function _transferIn(address from, uint256 assets) internal override {
        uint256 before = _idle();
        super._transferIn(from, assets);
        uint256 received = _idle() - before;
        if (received < assets) revert Undelivered(assets, received);
    }

    /// @dev As ERC4626 converts, with the total known.
    function _toShares(uint256 assets, uint256 total, Math.Rounding rounding) private view returns (uint256) {
        return Math.mulDiv(assets, totalSupply() + 10 ** _decimalsOffset(), total + 1, rounding);
    }

    function _toAssets(uint256 shares, uint256 total, Math.Rounding rounding) private view returns (uint256) {
        return Math.mulDiv(shares, total + 1, totalSupply() + 10 ** _decimalsOffset(), rounding);
    }

    /// @dev A million shares' units for an asset's unit: who donates to make the first share dear loses nearly all of it.
    function _decimalsOffset() internal pure override returns (uint8) {
        return 6;
    }
}
