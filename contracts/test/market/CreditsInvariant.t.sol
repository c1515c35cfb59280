// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PaymentToken} from "../../src/market/PaymentToken.sol";
import {Purse} from "../../src/market/Purse.sol";
import {Listing, ServiceCredits} from "../../src/market/ServiceCredits.sol";
import {Campaign, Handler} from "./Handler.sol";

/// @title Owners and buyers of services, each trying anything, and a ledger of what each should have
contract CreditsHandler is Handler {
    ServiceCredits public immutable credits;
    PaymentToken public immutable token;

    /// @dev Owners 0 and 1, buyers all.
    address[5] public people;
    uint256[] private _ids;
    mapping(uint256 id => bool) private _known;

    /// @dev The ledger: what came in, what went out for units given back, and what owners withdrew.
    uint256 public paidIn;
    uint256 public givenBack;
    uint256 public withdrawn;
    /// @dev What each owner should have earned, from the uses that succeeded.
    mapping(address owner => uint256) public earned;

    constructor(ServiceCredits credits_, PaymentToken token_) {
        (credits, token) = (credits_, token_);
        for (uint160 i; i < 5; ++i) {
            people[i] = address(0x2000 + i);
            vm.prank(people[i]);
            token.approve(address(credits), type(uint256).max);
        }
    }

    function list(uint256 seed) external action(seed) {
        uint256 price = _price();
        bytes memory data = abi.encodeCall(ServiceCredits.list, (keccak256(abi.encode(seed)), price, "u"));
        assertTrue(tries(people[pick(2)], address(credits), data), "listed");
    }

    function setPrice(uint256 seed) external action(seed) {
        uint256 listing = _listing();
        address who = people[pick(3)];
        bool may = _runs(listing) && credits.getListing(listing).owner == who;
        bool done = tries(who, address(credits), abi.encodeCall(ServiceCredits.setPrice, (listing, _price())));
        assertTrue(done == may, "price");
    }

    function end(uint256 seed) external action(seed) {
        if (!chance(15)) return;
        uint256 listing = _listing();
        address who = people[pick(3)];
        bool may = _runs(listing) && credits.getListing(listing).owner == who;
        assertTrue(tries(who, address(credits), abi.encodeCall(ServiceCredits.end, (listing))) == may, "end");
    }

    function buy(uint256 seed) external action(seed) {
        uint256 listing = _listing();
        (uint256 units, uint256 maxPrice) = (pick(20), _price());
        (address who, address to) = (people[pick(5)], people[pick(5)]);
        bool runs = _runs(listing);
        uint256 price = runs ? credits.getListing(listing).price : 0;
        uint256 before_ = token.balanceOf(address(credits));
        token.mint(who, units * price);
        bool done = tries(who, address(credits), abi.encodeCall(ServiceCredits.buy, (listing, units, maxPrice, to)));
        assertTrue(done == (runs && units != 0 && price <= maxPrice), "bought");
        assertEq(token.balanceOf(address(credits)), before_ + (done ? units * price : 0), "paid");
        if (!done) return;
        paidIn += units * price;
        uint256 id = credits.creditOf(listing, price);
        if (!_known[id]) {
            _known[id] = true;
            _ids.push(id);
        }
    }

    function use(uint256 seed) external action(seed) {
        uint256 id = _id();
        (address who, address by) = (_holder(id), people[pick(5)]);
        uint256 units = pick(8);
        uint256 balance = credits.balanceOf(who, id);
        bool own = chance(70);
        bytes memory data = own
            ? abi.encodeCall(ServiceCredits.use, (id, units, keccak256("r")))
            : abi.encodeCall(ServiceCredits.useFrom, (who, id, units, keccak256("r")));
        bool may = own || by == who || credits.isApprovedForAll(who, by);
        bool done = tries(own ? who : by, address(credits), data);
        assertTrue(done == (may && _runs(id >> 128) && units != 0 && units <= balance), "used");
        if (done) earned[credits.getListing(id >> 128).owner] += units * uint128(id);
    }

    function refund(uint256 seed) external action(seed) {
        uint256 id = _id();
        address who = _holder(id);
        uint256 units = pick(8);
        uint256 balance = credits.balanceOf(who, id);
        uint256 before_ = token.balanceOf(who);
        bool done = tries(who, address(credits), abi.encodeCall(ServiceCredits.refund, (id, units)));
        assertTrue(done == (units != 0 && units <= balance), "given back");
        if (!done) return;
        assertEq(token.balanceOf(who), before_ + units * uint128(id), "in full");
        givenBack += units * uint128(id);
    }

    function transfer(uint256 seed) external action(seed) {
        uint256 id = _id();
        address who = _holder(id);
        uint256 half = credits.balanceOf(who, id) / 2;
        vm.prank(who);
        credits.safeTransferFrom(who, people[pick(5)], id, half, "");
    }

    function approve(uint256 seed) external action(seed) {
        (address who, address operator, bool may) = (people[pick(5)], people[pick(5)], chance(50));
        vm.prank(who);
        credits.setApprovalForAll(operator, may);
    }

    function withdraw(uint256 seed) external action(seed) {
        (address who, address by, address to) = (people[pick(2)], people[pick(5)], people[pick(5)]);
        uint256 owed = credits.owed(who);
        bool done = tries(by, address(credits), abi.encodeCall(Purse.withdraw, (who, to)));
        assertTrue(done == (owed != 0 && (by == who || to == who)), "withdrawn");
        if (!done) return;
        withdrawn += owed;
        earned[who] -= owed;
    }

    /// @dev What the units are worth that somebody holds.
    function unused() public view returns (uint256 sum) {
        for (uint256 i; i < _ids.length; ++i) {
            for (uint256 j; j < 5; ++j) {
                sum += credits.balanceOf(people[j], _ids[i]) * uint128(_ids[i]);
            }
        }
    }

    /// @dev Everybody leaves: holders give all back, owners withdraw all.
    function sweep() external {
        for (uint256 i; i < _ids.length; ++i) {
            for (uint256 j; j < 5; ++j) {
                uint256 units = credits.balanceOf(people[j], _ids[i]);
                if (units == 0) continue;
                bytes memory data = abi.encodeCall(ServiceCredits.refund, (_ids[i], units));
                assertTrue(tries(people[j], address(credits), data), "given back");
            }
        }
        for (uint256 j; j < 2; ++j) {
            if (credits.owed(people[j]) == 0) continue;
            bytes memory data = abi.encodeCall(Purse.withdraw, (people[j], people[j]));
            assertTrue(tries(address(0x9999), address(credits), data), "withdrawn");
        }
        assertEq(token.balanceOf(address(credits)), 0, "left");
    }

    function _listing() private returns (uint256) {
        return 1 + pick(credits.listingCount() + 1);
    }

    function _runs(uint256 listing) private view returns (bool) {
        return listing != 0 && listing <= credits.listingCount() && !credits.getListing(listing).ended;
    }

    function _id() private returns (uint256) {
        return _ids.length == 0 ? 1 << 128 : _ids[pick(_ids.length)];
    }

    /// @dev Somebody who has units, if the first three asked do.
    function _holder(uint256 id) private returns (address who) {
        for (uint256 i; i < 3; ++i) {
            who = people[pick(5)];
            if (credits.balanceOf(who, id) != 0) return who;
        }
    }

    /// @dev Few prices, so that some listings come back to one.
    function _price() private returns (uint256) {
        return [0, 1, 7, 1_000, 1e12][pick(5)];
    }
}

/// @title Credits under everybody's attempts
contract CreditsInvariantTest is Campaign {
    CreditsHandler private _handler;

    function setUp() public {
        PaymentToken token =
            PaymentToken(vm.deployCode("PaymentToken.sol:PaymentToken", abi.encode("Euro", "EUR", address(this))));
        ServiceCredits credits =
            ServiceCredits(vm.deployCode("ServiceCredits.sol:ServiceCredits", abi.encode(token)));
        _handler = new CreditsHandler(credits, token);
        token.transferOwnership(address(_handler));
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = CreditsHandler.list.selector;
        selectors[1] = CreditsHandler.setPrice.selector;
        selectors[2] = CreditsHandler.end.selector;
        selectors[3] = CreditsHandler.buy.selector;
        selectors[4] = CreditsHandler.use.selector;
        selectors[5] = CreditsHandler.refund.selector;
        selectors[6] = CreditsHandler.transfer.selector;
        selectors[7] = CreditsHandler.approve.selector;
        selectors[8] = CreditsHandler.withdraw.selector;
        aim(address(_handler), selectors);
    }

    /// @notice The actions do what they are for: units are bought, used, given back, and earnings withdrawn.
    function test_actionsReach() public {
        for (uint256 i; i < 200; ++i) {
            if (i % 10 == 0) _handler.list(i);
            _handler.buy(i);
            _handler.use(i);
            _handler.transfer(i);
            _handler.refund(i);
            _handler.withdraw(i);
        }
        assertTrue(_handler.paidIn() != 0 && _handler.givenBack() != 0 && _handler.withdrawn() != 0, "moved");
        assertTrue(_handler.unused() != 0, "unused");
        _handler.sweep();
    }

    /// @notice What is held is what unused units cost and what owners have earned; and all that came in is held, was given
    /// back or was withdrawn.
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_creditsConserve() public view {
        (ServiceCredits credits, uint256 earned) = (_handler.credits(), 0);
        for (uint256 i; i < 2; ++i) {
            address owner = _handler.people(i);
            assertEq(credits.owed(owner), _handler.earned(owner), "earned");
            earned += _handler.earned(owner);
        }
        uint256 held = _handler.token().balanceOf(address(credits));
        assertEq(held, _handler.unused() + earned, "held");
        assertEq(_handler.paidIn(), held + _handler.givenBack() + _handler.withdrawn(), "came in");
    }

    /// @notice At the end everybody can leave, and nothing is left.
    function afterInvariant() public {
        _handler.sweep();
    }
}
