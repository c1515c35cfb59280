// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";

import {Purse} from "./Purse.sol";

/// @notice A service that somebody offers.
/// @param owner who offers it and earns
/// @param ended whether it is over, for ever
/// @param price of the next unit sold
/// @param terms digest of the sworn offer
/// @param uri where the offer can be read
struct Listing {
    address owner;
    bool ended;
    uint128 price;
    bytes32 terms;
    string uri;
}

/// @title Units of a service, paid before and earned by use
/// @notice What a buyer pays for a unit stays here until the unit is used: only then has the owner earned it. A unit that is
/// not used can be given back for what was paid, at any time, with or without the owner: who vanishes or serves badly
/// takes nothing with it but the units already used. The owner may end a listing at any time: then nothing more is sold or
/// used, and what was paid is given back. So neither side is held to units that are not used.
/// @dev A unit's token names its listing and the price that was paid for it (`creditOf`). All units of one token are alike,
/// and worth that price: units sold cheaply never dilute those sold dearly, and nothing is ever rounded.
///
/// A unit is as good as its price to whoever holds it. Who lets an agent buy, pins the receiver; a mandate cannot hold
/// units itself, as it does not accept ERC-1155 tokens, but can use a holder's who has approved it (`useFrom`).
contract ServiceCredits is ERC1155, Purse {
    /// @notice No such listing.
    error NoListing(uint256 listing);
    /// @notice Only the listing's owner may.
    error NotOwner(address caller, address owner);
    /// @notice Only the holder, or whom the holder has approved, may.
    error NotHolder(address caller, address holder);
    /// @notice The listing is over.
    error Ended(uint256 listing);
    /// @notice The price is not below 2^128.
    error PriceTooLarge(uint256 price);
    /// @notice The price is above what the buyer would pay.
    error AbovePrice(uint256 price, uint256 maxPrice);
    /// @notice At least one unit.
    error NoUnits();

    /// @notice A service was listed.
    event Listed(uint256 indexed listing, address indexed owner, bytes32 indexed terms, uint256 price, string uri);

    /// @notice The owner changed the price of units not yet sold.
    event PriceChanged(uint256 indexed listing, uint256 price, uint256 previous);

    /// @notice The owner ended a listing.
    event ListingEnded(uint256 indexed listing);

    /// @notice Units were bought.
    /// @param credit their token
    /// @param by who paid
    /// @param to who holds them
    /// @param units how many
    /// @param price paid for each
    event Bought(uint256 indexed credit, address indexed by, address indexed to, uint256 units, uint256 price);

    /// @notice Units were used, and the owner has earned them.
    /// @param id their token
    /// @param by whose they were
    /// @param units how many
    /// @param request digest of what was asked for
    /// @param terms digest of the sworn offer under which they were sold
    event Used(uint256 indexed id, address indexed by, uint256 units, bytes32 indexed request, bytes32 terms);

    /// @notice Units were given back for what was paid.
    event GivenBack(uint256 indexed credit, address indexed by, uint256 units, uint256 amount);

    /// @notice How many listings there are; the last one's id.
    uint256 public listingCount;

    mapping(uint256 listing => Listing) private _listings;

    /// @param token_ in which everything is paid
    constructor(IERC20 token_) ERC1155("") Purse(token_) {}

    // ---------------------------------------------------------------- the owner

    /// @notice Offers a service; the caller is its owner.
    /// @param terms digest of the sworn offer; it never changes
    /// @param price of a unit, in the token's smallest units
    /// @param uri_ where the offer can be read
    /// @return listing the listing
    function list(bytes32 terms, uint256 price, string calldata uri_) external returns (uint256 listing) {
        listing = ++listingCount;
        _listings[listing] = Listing(msg.sender, false, _price(price), terms, uri_);
        emit Listed(listing, msg.sender, terms, price, uri_);
        emit URI(uri_, creditOf(listing, price));
    }

    /// @notice Changes the price of units not yet sold; owner only. Units that were sold remain what they are.
    /// @param listing which listing
    /// @param price of a unit
    function setPrice(uint256 listing, uint256 price) external {
        Listing storage held = _owned(listing);
        emit PriceChanged(listing, price, held.price);
        held.price = _price(price);
        emit URI(held.uri, creditOf(listing, price));
    }

    /// @notice Ends a listing for ever; owner only. Units that were not used can only be given back.
    /// @param listing which listing
    function end(uint256 listing) external {
        _owned(listing).ended = true;
        emit ListingEnded(listing);
    }

    // ---------------------------------------------------------------- the buyer

    /// @notice Buys units at the present price.
    /// @param listing which listing
    /// @param units how many
    /// @param maxPrice a higher price for one is refused
    /// @param to who holds them
    /// @return credit their token
    function buy(uint256 listing, uint256 units, uint256 maxPrice, address to)
        external
        nonReentrant
        returns (uint256 credit)
    {
        uint256 price = _running(listing).price;
        if (units == 0) revert NoUnits();
        if (price > maxPrice) revert AbovePrice(price, maxPrice);
        credit = creditOf(listing, price);
        _take(msg.sender, units * price);
        emit Bought(credit, msg.sender, to, units, price);
        _mint(to, credit, units, "");
    }

    /// @notice Uses the caller's units: burns them, and the owner has earned them.
    /// @param id the units' token
    /// @param units how many
    /// @param request digest of what is asked for
    function use(uint256 id, uint256 units, bytes32 request) external nonReentrant {
        _use(msg.sender, id, units, request);
    }

    /// @notice Uses units of a holder who has approved the caller for all its tokens.
    /// @param holder whose units
    /// @param id the units' token
    /// @param units how many
    /// @param request digest of what is asked for
    function useFrom(address holder, uint256 id, uint256 units, bytes32 request) external nonReentrant {
        if (msg.sender != holder && !isApprovedForAll(holder, msg.sender)) revert NotHolder(msg.sender, holder);
        _use(holder, id, units, request);
    }

    /// @notice Gives the caller's units back for what was paid for them; at any time.
    /// @param id the units' token
    /// @param units how many
    /// @return amount what the caller gets
    function refund(uint256 id, uint256 units) external nonReentrant returns (uint256 amount) {
        if (units == 0) revert NoUnits();
        _burn(msg.sender, id, units);
        amount = units * priceOf(id);
        emit GivenBack(id, msg.sender, units, amount);
        _pay(msg.sender, amount);
    }

    // ---------------------------------------------------------------- reading

    /// @notice A listing.
    /// @param listing which
    /// @return the listing
    function getListing(uint256 listing) external view returns (Listing memory) {
        return _listing(listing);
    }

    /// @notice Where the offer can be read under which a token's units were sold.
    /// @param id the token
    /// @return the place
    function uri(uint256 id) public view override returns (string memory) {
        return _listing(listingOf(id)).uri;
    }

    /// @notice The token of units that are sold at a price: the listing above 2^128, the price below.
    /// @param listing which listing
    /// @param price for which they are sold; below 2^128
    /// @return the token's id
    function creditOf(uint256 listing, uint256 price) public pure returns (uint256) {
        return listing << 128 | _price(price);
    }

    /// @notice The listing of a token.
    /// @param id the token
    /// @return the listing's id
    function listingOf(uint256 id) public pure returns (uint256) {
        return id >> 128;
    }

    /// @notice What was paid for each unit of a token.
    /// @param id the token
    /// @return the price
    function priceOf(uint256 id) public pure returns (uint256) {
        return uint128(id);
    }

    // ---------------------------------------------------------------- inside

    function _use(address holder, uint256 id, uint256 units, bytes32 request) private {
        Listing storage held = _running(listingOf(id));
        if (units == 0) revert NoUnits();
        _burn(holder, id, units);
        emit Used(id, holder, units, request, held.terms);
        _owe(held.owner, units * priceOf(id));
    }

    function _listing(uint256 listing) private view returns (Listing storage held) {
        held = _listings[listing];
        if (held.owner == address(0)) revert NoListing(listing);
    }

    function _running(uint256 listing) private view returns (Listing storage held) {
        held = _listing(listing);
        if (held.ended) revert Ended(listing);
    }

    function _owned(uint256 listing) private view returns (Listing storage held) {
        held = _running(listing);
        if (msg.sender != held.owner) revert NotOwner(msg.sender, held.owner);
    }

    function _price(uint256 price) private pure returns (uint128) {
        if (price > type(uint128).max) revert PriceTooLarge(price);
        return uint128(price);
    }
}
