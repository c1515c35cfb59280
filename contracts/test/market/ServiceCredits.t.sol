// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC1155Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

import {Purse} from "../../src/market/Purse.sol";
import {Listing, ServiceCredits} from "../../src/market/ServiceCredits.sol";
import {MarketStage} from "./MarketStage.sol";
import {OddToken} from "./OddToken.sol";

/// @title A holder that calls back when it receives
contract Greedy {
    address public called;
    bytes public data;
    bytes public answer;

    function plan(address called_, bytes calldata data_) external {
        (called, data) = (called_, data_);
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata) external returns (bytes4) {
        (, answer) = called.call(data);
        return this.onERC1155Received.selector;
    }
}

contract ServiceCreditsTest is MarketStage {
    bytes32 private constant REQUEST = keccak256("request");
    uint256 private constant PRICE = 250;

    ServiceCredits private _credits;
    uint256 private _listing;

    function setUp() public override {
        super.setUp();
        _credits = newCredits(address(token));
        vm.prank(OWNER);
        _listing = _credits.list(TERMS, PRICE, "https://offer");
        address[2] memory buyers = [ALICE, BOB];
        for (uint256 i; i < 2; ++i) {
            token.mint(buyers[i], 1e9);
            vm.prank(buyers[i]);
            token.approve(address(_credits), FOREVER);
        }
    }

    function _buys(address who, uint256 units, address to) private returns (uint256) {
        return abi.decode(does(who, address(_credits), _buy(units, FOREVER, to)), (uint256));
    }

    function _buy(uint256 units, uint256 maxPrice, address to) private view returns (bytes memory) {
        return abi.encodeCall(ServiceCredits.buy, (_listing, units, maxPrice, to));
    }

    function _use(uint256 id, uint256 units) private pure returns (bytes memory) {
        return abi.encodeCall(ServiceCredits.use, (id, units, REQUEST));
    }

    function _refund(uint256 id, uint256 units) private pure returns (bytes memory) {
        return abi.encodeCall(ServiceCredits.refund, (id, units));
    }

    function _refuses(address who, bytes memory data, bytes memory reason) private {
        refuses(who, address(_credits), data, reason);
    }

    function _poor(address who, uint256 balance, uint256 units, uint256 id) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IERC1155Errors.ERC1155InsufficientBalance.selector, who, balance, units, id);
    }

    // ---------------------------------------------------------------- listings

    /// @notice A listing is the caller's, keeps what it said, and is told; ids count from 1.
    function test_list() public {
        vm.expectEmit(address(_credits));
        emit ServiceCredits.Listed(2, BOB, WORK, 7, "ipfs://x");
        vm.expectEmit(address(_credits));
        emit IERC1155.URI("ipfs://x", 2 << 128 | 7);
        vm.prank(BOB);
        assertEq(_credits.list(WORK, 7, "ipfs://x"), 2, "id");
        Listing memory listing = _credits.getListing(2);
        assertEq(listing.owner, BOB, "owner");
        assertEq(listing.terms, WORK, "terms");
        assertEq(listing.price, 7, "price");
        assertEq(bytes(listing.uri), "ipfs://x", "uri");
        assertTrue(!listing.ended, "ended");
        assertEq(_credits.listingCount(), 2, "count");
    }

    /// @notice A token's id is its listing and its price, and leads to both and to the offer.
    function test_ids() public {
        uint256 id = _credits.creditOf(_listing, PRICE);
        assertEq(id, 1 << 128 | 250, "id");
        assertEq(_credits.listingOf(id), _listing, "listing");
        assertEq(_credits.priceOf(id), PRICE, "price");
        assertEq(bytes(_credits.uri(id)), "https://offer", "uri");
        bytes memory none = abi.encodeWithSelector(ServiceCredits.NoListing.selector, 2);
        _refuses(BOB, abi.encodeCall(ServiceCredits.uri, (2 << 128)), none);
        _refuses(BOB, abi.encodeCall(ServiceCredits.getListing, (2)), none);
        _refuses(BOB, abi.encodeCall(ServiceCredits.buy, (2, 1, 1, BOB)), none);
        _refuses(BOB, _use(2 << 128, 1), none);
    }

    /// @notice A price of 2^128 or more would change the listing that an id names, and is refused everywhere.
    function test_priceTooLarge() public {
        bytes memory reason = abi.encodeWithSelector(ServiceCredits.PriceTooLarge.selector, 2 ** 128);
        _refuses(OWNER, abi.encodeCall(ServiceCredits.list, (TERMS, 2 ** 128, "")), reason);
        _refuses(OWNER, abi.encodeCall(ServiceCredits.setPrice, (_listing, 2 ** 128)), reason);
        _refuses(OWNER, abi.encodeCall(ServiceCredits.creditOf, (_listing, 2 ** 128)), reason);
        does(OWNER, address(_credits), abi.encodeCall(ServiceCredits.setPrice, (_listing, 2 ** 128 - 1)));
    }

    /// @notice Only the owner changes the price and ends the listing.
    function test_onlyOwner() public {
        bytes memory reason = abi.encodeWithSelector(ServiceCredits.NotOwner.selector, BOB, OWNER);
        _refuses(BOB, abi.encodeCall(ServiceCredits.setPrice, (_listing, 1)), reason);
        _refuses(BOB, abi.encodeCall(ServiceCredits.end, (_listing)), reason);
    }

    // ---------------------------------------------------------------- buying

    /// @notice A buyer pays the price of each unit, into the contract: the owner has earned nothing yet.
    function test_buy() public {
        vm.expectEmit(address(_credits));
        emit ServiceCredits.Bought(1 << 128 | 250, ALICE, BOB, 4, PRICE);
        uint256 id = _buys(ALICE, 4, BOB);
        assertEq(id, 1 << 128 | 250, "id");
        assertEq(_credits.balanceOf(BOB, id), 4, "units");
        assertEq(token.balanceOf(ALICE), 1e9 - 4 * PRICE, "paid");
        assertEq(token.balanceOf(address(_credits)), 4 * PRICE, "kept");
        assertEq(_credits.owed(OWNER), 0, "earned");
    }

    /// @notice No units, and a price above what the buyer would pay, are refused: an owner who raises it gains nothing.
    function test_buyRefusals() public {
        _refuses(ALICE, _buy(0, FOREVER, ALICE), abi.encodeWithSelector(ServiceCredits.NoUnits.selector));
        vm.prank(OWNER);
        _credits.setPrice(_listing, PRICE + 1);
        bytes memory above = abi.encodeWithSelector(ServiceCredits.AbovePrice.selector, PRICE + 1, PRICE);
        _refuses(ALICE, _buy(1, PRICE, ALICE), above);
        does(ALICE, address(_credits), _buy(1, PRICE + 1, ALICE));
    }

    /// @notice A token that keeps a part of what is paid is refused when it does.
    function test_feeOnTransfer() public {
        OddToken odd = new OddToken(ALICE);
        _credits = newCredits(address(odd));
        vm.prank(OWNER);
        _credits.list(TERMS, PRICE, "");
        vm.prank(ALICE);
        odd.approve(address(_credits), FOREVER);
        odd.keep(1);
        _refuses(ALICE, _buy(1, PRICE, ALICE), abi.encodeWithSelector(Purse.Undelivered.selector, PRICE, PRICE - 1));
    }

    /// @notice A new price is for units not yet sold: those that were sold stay worth what was paid, side by side.
    function test_setPrice() public {
        uint256 dear = _buys(ALICE, 3, ALICE);
        vm.expectEmit(address(_credits));
        emit ServiceCredits.PriceChanged(_listing, 1, PRICE);
        does(OWNER, address(_credits), abi.encodeCall(ServiceCredits.setPrice, (_listing, 1)));
        uint256 cheap = _buys(BOB, 1_000, BOB);
        does(BOB, address(_credits), _use(cheap, 1_000));
        assertEq(_credits.owed(OWNER), 1_000, "earned of the cheap");
        does(ALICE, address(_credits), _refund(dear, 1));
        assertEq(token.balanceOf(ALICE), 1e9 - 2 * PRICE, "back in full");
        does(ALICE, address(_credits), _use(dear, 2));
        assertEq(_credits.owed(OWNER), 1_000 + 2 * PRICE, "earned of the dear");
    }

    /// @notice Units can be given away for nothing, and are worth that.
    function test_free() public {
        does(OWNER, address(_credits), abi.encodeCall(ServiceCredits.setPrice, (_listing, 0)));
        uint256 id = _buys(ALICE, 5, ALICE);
        does(ALICE, address(_credits), _use(id, 2));
        does(ALICE, address(_credits), _refund(id, 3));
        assertEq(token.balanceOf(ALICE), 1e9, "nothing");
        assertEq(_credits.owed(OWNER), 0, "earned");
    }

    // ---------------------------------------------------------------- using

    /// @notice A use burns the units, tells the request under which terms, and lets the owner withdraw their price.
    function test_use() public {
        uint256 id = _buys(ALICE, 4, ALICE);
        vm.expectEmit(address(_credits));
        emit ServiceCredits.Used(id, ALICE, 3, REQUEST, TERMS);
        does(ALICE, address(_credits), _use(id, 3));
        assertEq(_credits.balanceOf(ALICE, id), 1, "left");
        assertEq(_credits.owed(OWNER), 3 * PRICE, "earned");
        does(OWNER, address(_credits), abi.encodeCall(Purse.withdraw, (OWNER, BOB)));
        assertEq(token.balanceOf(BOB), 1e9 + 3 * PRICE, "withdrawn");
        assertEq(token.balanceOf(address(_credits)), PRICE, "the buyer's");
    }

    /// @notice Nobody uses more than it has, no units, or a unit twice.
    function test_useRefusals() public {
        uint256 id = _buys(ALICE, 1, ALICE);
        _refuses(BOB, _use(id, 1), _poor(BOB, 0, 1, id));
        _refuses(ALICE, _use(id, 0), abi.encodeWithSelector(ServiceCredits.NoUnits.selector));
        does(ALICE, address(_credits), _use(id, 1));
        _refuses(ALICE, _use(id, 1), _poor(ALICE, 0, 1, id));
        _refuses(ALICE, _refund(id, 1), _poor(ALICE, 0, 1, id));
    }

    /// @notice Units are transferable; their receiver uses them or gives them back.
    function test_transfer() public {
        uint256 id = _buys(ALICE, 2, ALICE);
        vm.prank(ALICE);
        _credits.safeTransferFrom(ALICE, BOB, id, 2, "");
        _refuses(ALICE, _use(id, 1), _poor(ALICE, 0, 1, id));
        does(BOB, address(_credits), _use(id, 1));
        does(BOB, address(_credits), _refund(id, 1));
        assertEq(token.balanceOf(BOB), 1e9 + PRICE, "back");
    }

    /// @notice Whom the holder has approved uses its units for it, and nobody else does.
    function test_useFrom() public {
        uint256 id = _buys(ALICE, 2, ALICE);
        bytes memory data = abi.encodeCall(ServiceCredits.useFrom, (ALICE, id, 1, REQUEST));
        _refuses(BOB, data, abi.encodeWithSelector(ServiceCredits.NotHolder.selector, BOB, ALICE));
        does(ALICE, address(_credits), data);
        vm.prank(ALICE);
        _credits.setApprovalForAll(BOB, true);
        vm.expectEmit(address(_credits));
        emit ServiceCredits.Used(id, ALICE, 1, REQUEST, TERMS);
        does(BOB, address(_credits), data);
        assertEq(_credits.owed(OWNER), 2 * PRICE, "earned");
    }

    // ---------------------------------------------------------------- giving back

    /// @notice What was not used is given back for what was paid, at any time, without the owner.
    function test_refund() public {
        uint256 id = _buys(ALICE, 4, ALICE);
        does(ALICE, address(_credits), _use(id, 1));
        vm.expectEmit(address(_credits));
        emit ServiceCredits.GivenBack(id, ALICE, 3, 3 * PRICE);
        does(ALICE, address(_credits), _refund(id, 3));
        assertEq(token.balanceOf(ALICE), 1e9 - PRICE, "back");
        assertEq(token.balanceOf(address(_credits)), PRICE, "the owner's");
        _refuses(ALICE, _refund(id, 1), _poor(ALICE, 0, 1, id));
        _refuses(ALICE, _refund(id, 0), abi.encodeWithSelector(ServiceCredits.NoUnits.selector));
    }

    /// @notice A listing that ended sells nothing, serves nothing and takes no new price; its units are given back.
    function test_end() public {
        uint256 id = _buys(ALICE, 2, ALICE);
        vm.expectEmit(address(_credits));
        emit ServiceCredits.ListingEnded(_listing);
        does(OWNER, address(_credits), abi.encodeCall(ServiceCredits.end, (_listing)));
        bytes memory ended = abi.encodeWithSelector(ServiceCredits.Ended.selector, _listing);
        _refuses(BOB, _buy(1, FOREVER, BOB), ended);
        _refuses(ALICE, _use(id, 1), ended);
        _refuses(OWNER, abi.encodeCall(ServiceCredits.setPrice, (_listing, 1)), ended);
        _refuses(OWNER, abi.encodeCall(ServiceCredits.end, (_listing)), ended);
        does(ALICE, address(_credits), _refund(id, 2));
        assertEq(token.balanceOf(ALICE), 1e9, "back");
    }

    /// @notice A holder whom the token will not pay is owed what it gave back.
    function test_barredHolder() public {
        OddToken odd = new OddToken(ALICE);
        _credits = newCredits(address(odd));
        vm.prank(OWNER);
        _credits.list(TERMS, PRICE, "");
        vm.prank(ALICE);
        odd.approve(address(_credits), FOREVER);
        uint256 id = _buys(ALICE, 1, ALICE);
        odd.bar(ALICE);
        does(ALICE, address(_credits), _refund(id, 1));
        assertEq(_credits.owed(ALICE), PRICE, "owed");
    }

    /// @notice A receiver that calls back while it receives can neither use, give back nor buy meanwhile.
    function test_reentrancy() public {
        Greedy greedy = new Greedy();
        uint256 id = _credits.creditOf(_listing, PRICE);
        bytes[4] memory calls = [
            _refund(id, 1), _use(id, 1), _buy(1, FOREVER, BOB), abi.encodeCall(Purse.withdraw, (OWNER, OWNER))
        ];
        for (uint256 i; i < 4; ++i) {
            greedy.plan(address(_credits), calls[i]);
            _buys(ALICE, 1, address(greedy));
            assertEq(
                greedy.answer(), abi.encodeWithSelector(ReentrancyGuard.ReentrancyGuardReentrantCall.selector), "answer"
            );
        }
        assertEq(_credits.balanceOf(address(greedy), id), 4, "units");
    }
}
