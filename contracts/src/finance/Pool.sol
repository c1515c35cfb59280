// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {MandateFactory} from "../core/MandateFactory.sol";
import {Sworn} from "./Sworn.sol";

/// @notice What an agent may make of a pool's fee.
/// @param minFee least fee, in millionths of what is swapped
/// @param maxFee largest fee; below a million
/// @param maxStep largest change at once, up or down
/// @param delay least seconds from one change to the next
struct FeeBounds {
    uint24 minFee;
    uint24 maxFee;
    uint24 maxStep;
    uint32 delay;
}

/// @title A pool of two tokens, with a fee that an agent sets inside fixed bounds
/// @notice Constant product: a swap never makes reserve0 * reserve1 smaller. The fee stays in the pool and is the
/// liquidity providers', whose shares are this token. Every rounding is in favour of the pool.
/// @dev Reserves are kept, not read from balances: tokens sent here without a call are nobody's and move no price.
contract Pool is ERC20, Sworn, ReentrancyGuard {
    using SafeERC20 for IERC20;
    using SafeCast for uint256;

    /// @notice A pool needs two different tokens.
    error SameToken(address token);
    /// @notice The bounds allow no fee, or the first fee is not inside them.
    error InvalidBounds(FeeBounds bounds, uint24 fee);
    /// @notice Not one of the pool's two tokens.
    error UnknownToken(address token);
    /// @notice The deadline has passed.
    error TooLate(uint256 deadline, uint256 time);
    /// @notice The liquidity is worth fewer shares than asked for, or none.
    error TooFewShares(uint256 shares, uint256 minimum);
    /// @notice Less would come out than asked for, or nothing.
    error TooLittleOut(address token, uint256 amount, uint256 minimum);
    /// @notice The token delivered less than it was asked to.
    error Undelivered(address token, uint256 asked, uint256 received);
    /// @notice The fee is not between the least and the largest.
    error FeeOutOfRange(uint24 fee, uint24 minFee, uint24 maxFee);
    /// @notice The fee would change by more than a step.
    error StepTooLarge(uint24 fee, uint24 previous, uint24 maxStep);
    /// @notice The fee changed too recently.
    error TooSoon(uint256 earliest, uint256 time);

    /// @notice The fee changed.
    /// @param decision the decision's statement id; 0 for the fee at construction
    /// @param model digest of the model that decided
    /// @param fee in millionths
    /// @param previous the fee before
    event FeeChanged(bytes32 indexed decision, bytes32 indexed model, uint24 fee, uint24 previous);

    /// @notice A swap. Reserve1 over reserve0 is the price of token 0 after it.
    /// @param by who paid
    /// @param to who received
    /// @param tokenIn the token paid
    /// @param amountIn how much, with the fee
    /// @param amountOut how much of the other token came out
    /// @param feePaid the fee, in the token paid
    /// @param reserve0 reserve of token 0 after the swap
    /// @param reserve1 reserve of token 1 after the swap
    event Swapped(
        address indexed by,
        address indexed to,
        address indexed tokenIn,
        uint256 amountIn,
        uint256 amountOut,
        uint256 feePaid,
        uint128 reserve0,
        uint128 reserve1
    );

    /// @notice Liquidity was added.
    event Added(
        address indexed by,
        address indexed to,
        uint256 amount0,
        uint256 amount1,
        uint256 shares,
        uint128 reserve0,
        uint128 reserve1
    );

    /// @notice Liquidity was removed.
    event Removed(
        address indexed by,
        address indexed to,
        uint256 amount0,
        uint256 amount1,
        uint256 shares,
        uint128 reserve0,
        uint128 reserve1
    );

    /// @dev A fee of this would be all of it.
    uint256 private constant MILLION = 1e6;

    /// @notice Shares of the first liquidity that nobody ever holds, so that a share cannot be made dear.
    uint256 public constant LOCKED_SHARES = 1_000;

    /// @dev Who "holds" the locked shares; the token refuses the zero address.
    address private constant NOBODY = address(0xdead);

    /// @notice The first token.
    IERC20 public immutable token0;
    /// @notice The second token.
    IERC20 public immutable token1;
    /// @notice The least fee, in millionths.
    uint24 public immutable minFee;
    /// @notice The largest fee, in millionths.
    uint24 public immutable maxFee;
    /// @notice The largest change of the fee at once, in millionths.
    uint24 public immutable maxStep;
    /// @notice The least seconds from one change of the fee to the next.
    uint32 public immutable delay;

    /// @notice The fee, in millionths of what is paid in.
    uint24 public fee;
    /// @notice When the fee last changed; 0 for never.
    uint40 public feeChangedAt;
    /// @notice How much of token 0 is the liquidity providers'.
    uint128 public reserve0;
    /// @notice How much of token 1 is the liquidity providers'.
    uint128 public reserve1;

    /// @param token0_ the first token
    /// @param token1_ the second token
    /// @param bounds what an agent may make of the fee
    /// @param fee_ the first fee, in millionths
    /// @param owner who may appoint a mandate
    /// @param factory_ who made every mandate that can be appointed
    /// @param anchor_ what knows the logs in which their decisions are
    constructor(
        IERC20 token0_,
        IERC20 token1_,
        FeeBounds memory bounds,
        uint24 fee_,
        address owner,
        MandateFactory factory_,
        address anchor_
    ) ERC20("Pool share", "POOL") Sworn(owner, factory_, anchor_) {
        if (address(token0_) == address(token1_)) revert SameToken(address(token0_));
        if (fee_ < bounds.minFee || fee_ > bounds.maxFee || bounds.maxFee >= MILLION) {
            revert InvalidBounds(bounds, fee_);
        }
        (token0, token1) = (token0_, token1_);
        (minFee, maxFee, maxStep, delay) = (bounds.minFee, bounds.maxFee, bounds.maxStep, bounds.delay);
        fee = fee_;
        emit FeeChanged(0, 0, fee_, 0);
    }

    /// @notice Sets the fee; the appointed mandate only.
    /// @param fee_ in millionths
    function setFee(uint24 fee_) external {
        (bytes32 model, bytes32 decision) = _requireSworn();
        uint24 previous = fee;
        if (fee_ < minFee || fee_ > maxFee) revert FeeOutOfRange(fee_, minFee, maxFee);
        uint24 step = fee_ > previous ? fee_ - previous : previous - fee_;
        if (step > maxStep) revert StepTooLarge(fee_, previous, maxStep);
        uint256 earliest = uint256(feeChangedAt) + delay;
        if (block.timestamp < earliest) revert TooSoon(earliest, block.timestamp);
        (fee, feeChangedAt) = (fee_, uint40(block.timestamp));
        emit FeeChanged(decision, model, fee_, previous);
    }

    /// @notice Adds liquidity at the present price, or at any price to an empty pool.
    /// @param amount0Max the most to pay of token 0
    /// @param amount1Max the most to pay of token 1
    /// @param minShares fewer shares are refused
    /// @param to who receives the shares
    /// @return shares how many
    /// @return amount0 what was paid of token 0
    /// @return amount1 what was paid of token 1
    function add(uint256 amount0Max, uint256 amount1Max, uint256 minShares, address to)
        external
        nonReentrant
        returns (uint256 shares, uint256 amount0, uint256 amount1)
    {
        uint256 supply = totalSupply();
        // "Whatever it takes" of one token must not overflow.
        (amount0Max, amount1Max) = (Math.min(amount0Max, type(uint128).max), Math.min(amount1Max, type(uint128).max));
        if (supply == 0) {
            (amount0, amount1) = (amount0Max, amount1Max);
            shares = Math.saturatingSub(Math.sqrt(amount0 * amount1), LOCKED_SHARES);
        } else {
            (uint256 held0, uint256 held1) = (reserve0, reserve1);
            shares = Math.min(Math.mulDiv(amount0Max, supply, held0), Math.mulDiv(amount1Max, supply, held1));
            amount0 = Math.mulDiv(shares, held0, supply, Math.Rounding.Ceil);
            amount1 = Math.mulDiv(shares, held1, supply, Math.Rounding.Ceil);
        }
        if (shares == 0 || shares < minShares) revert TooFewShares(shares, minShares);
        _receive(token0, amount0);
        _receive(token1, amount1);
        _keep(reserve0 + amount0, reserve1 + amount1);
        if (supply == 0) _mint(NOBODY, LOCKED_SHARES);
        _mint(to, shares);
        emit Added(msg.sender, to, amount0, amount1, shares, reserve0, reserve1);
    }

    /// @notice Removes liquidity. Neither owner nor agent can keep a provider from it; a token that stops can.
    /// @param shares how many of the caller's shares to give up
    /// @param min0 less of token 0 is refused
    /// @param min1 less of token 1 is refused
    /// @param to who receives the tokens
    /// @return amount0 what came out of token 0
    /// @return amount1 what came out of token 1
    function remove(uint256 shares, uint256 min0, uint256 min1, address to)
        external
        nonReentrant
        returns (uint256 amount0, uint256 amount1)
    {
        uint256 supply = totalSupply();
        _burn(msg.sender, shares);
        amount0 = Math.mulDiv(shares, reserve0, supply);
        amount1 = Math.mulDiv(shares, reserve1, supply);
        if (amount0 < min0) revert TooLittleOut(address(token0), amount0, min0);
        if (amount1 < min1) revert TooLittleOut(address(token1), amount1, min1);
        _keep(reserve0 - amount0, reserve1 - amount1);
        token0.safeTransfer(to, amount0);
        token1.safeTransfer(to, amount1);
        emit Removed(msg.sender, to, amount0, amount1, shares, reserve0, reserve1);
    }

    /// @notice Swaps one token for the other.
    /// @param tokenIn the token to pay
    /// @param amountIn how much, with the fee
    /// @param minOut less of the other token is refused
    /// @param to who receives it
    /// @param deadline last second in which to swap
    /// @return amountOut how much came out
    function swap(address tokenIn, uint256 amountIn, uint256 minOut, address to, uint256 deadline)
        external
        nonReentrant
        returns (uint256 amountOut)
    {
        if (block.timestamp > deadline) revert TooLate(deadline, block.timestamp);
        uint256 feePaid;
        (amountOut, feePaid) = quote(tokenIn, amountIn);
        bool zeroIn = tokenIn == address(token0);
        IERC20 tokenOut = zeroIn ? token1 : token0;
        if (amountOut == 0 || amountOut < minOut) revert TooLittleOut(address(tokenOut), amountOut, minOut);
        _receive(IERC20(tokenIn), amountIn);
        if (zeroIn) _keep(reserve0 + amountIn, reserve1 - amountOut);
        else _keep(reserve0 - amountOut, reserve1 + amountIn);
        tokenOut.safeTransfer(to, amountOut);
        emit Swapped(msg.sender, to, tokenIn, amountIn, amountOut, feePaid, reserve0, reserve1);
    }

    /// @notice What a swap would bring now.
    /// @param tokenIn the token to pay
    /// @param amountIn how much, with the fee; below 2^128
    /// @return amountOut how much of the other token would come out
    /// @return feePaid the fee, in the token to pay
    function quote(address tokenIn, uint256 amountIn) public view returns (uint256 amountOut, uint256 feePaid) {
        if (tokenIn != address(token0) && tokenIn != address(token1)) revert UnknownToken(tokenIn);
        (uint256 heldIn, uint256 heldOut) = tokenIn == address(token0) ? (reserve0, reserve1) : (reserve1, reserve0);
        if (heldIn == 0) return (0, 0);
        uint256 swapped = uint256(amountIn.toUint128()) * (MILLION - fee) / MILLION;
        feePaid = amountIn - swapped;
        // out / swapped = heldOut / (heldIn + swapped), so that (heldIn + swapped) * (heldOut - out) is no smaller.
        amountOut = swapped * heldOut / (heldIn + swapped);
    }

    function _keep(uint256 held0, uint256 held1) private {
        (reserve0, reserve1) = (held0.toUint128(), held1.toUint128());
    }

    /// @dev Takes tokens from the caller; reserves must never count what did not arrive.
    function _receive(IERC20 token, uint256 amount) private {
        uint256 before = token.balanceOf(address(this));
        token.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = token.balanceOf(address(this)) - before;
        if (received < amount) revert Undelivered(address(token), amount, received);
    }
}
