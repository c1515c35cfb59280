// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {PaymentToken} from "../../src/market/PaymentToken.sol";
import {Campaign, Handler} from "./Handler.sol";
import {Wallet} from "./MarketStage.sol";

/// @title Carriers of signatures, who carry each as often and in whichever form they like
/// @notice It says before each try from rules of its own whether it must succeed.
contract AuthorizationHandler is Handler {
    bytes32 private constant TRANSFER_TYPE = 0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267;
    bytes32 private constant RECEIVE_TYPE = 0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8;
    bytes32 private constant CANCEL_TYPE = 0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429;
    uint256 private constant NONCES = 200;

    PaymentToken public immutable token;
    Wallet public immutable wallet = new Wallet();

    /// @dev Two with keys, and the wallet.
    uint256[2] private _keys = [uint256(0xA11CE), 0xB0B];
    address[3] public payers;
    address[3] public receivers = [address(0x3001), address(0x3002), address(0x3003)];

    mapping(address payer => mapping(bytes32 nonce => uint256)) public times;
    mapping(address receiver => uint256) public received;

    struct Payment {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    constructor(PaymentToken token_) {
        token = token_;
        (payers[0], payers[1]) = (vm.createWallet(_keys[0]).addr, vm.createWallet(_keys[1]).addr);
        payers[2] = address(wallet);
    }

    function pay(uint256 seed) external action(seed) {
        _carry(TRANSFER_TYPE, 0xe3ee160e, 0xcf092995);
    }

    function receive_(uint256 seed) external action(seed) {
        _carry(RECEIVE_TYPE, 0xef55bec6, 0x88b7ab63);
    }

    function cancel(uint256 seed) external action(seed) {
        uint256 payer = pick(3);
        bytes32 nonce = bytes32(pick(NONCES));
        bytes32 digest = _digest(keccak256(abi.encode(CANCEL_TYPE, payers[payer], nonce)));
        bool right = chance(80);
        (bool split, uint8 v, bytes32 r, bytes32 s, bytes memory signature) = _sign(payer, digest, right);
        bytes memory data = split
            ? abi.encodeWithSelector(0x5a049a70, payers[payer], nonce, v, r, s)
            : abi.encodeWithSelector(0xb7b72899, payers[payer], nonce, signature);
        bool expected = right && times[payers[payer]][nonce] == 0 && !(split && payer == 2);
        assertTrue(tries(receivers[pick(3)], address(token), data) == expected, "cancelled");
        if (expected) ++times[payers[payer]][nonce];
    }

    function wait(uint256 seed) external action(seed) {
        time += pick(3);
    }

    /// @dev A signature of a payer's, right or not, in time or not, for a nonce that may have been used in either form.
    function _carry(bytes32 typehash, bytes4 splitForm, bytes4 bytesForm) private {
        uint256 payer = pick(3);
        Payment memory p = Payment(
            payers[payer],
            receivers[pick(3)],
            pick(1_000),
            time - pick(3),
            chance(20) ? time : time + 1 + pick(3),
            bytes32(pick(NONCES))
        );
        bool right = chance(80);
        (bool split, uint8 v, bytes32 r, bytes32 s, bytes memory signature) =
            _sign(payer, _digest(keccak256(abi.encode(typehash, p))), right);
        bytes memory fields = abi.encode(p);
        bytes memory data = split
            ? bytes.concat(abi.encodePacked(splitForm), fields, abi.encode(v, r, s))
            : bytes.concat(
                abi.encodePacked(bytesForm), fields, abi.encode(uint256(0xe0), signature.length), _padded(signature)
            );
        address by = chance(70) ? p.to : receivers[pick(3)];
        bool expected = right && times[p.from][p.nonce] == 0 && p.validAfter < time && time < p.validBefore
            && !(split && payer == 2) && (typehash == TRANSFER_TYPE || by == p.to);
        token.mint(p.from, p.value);
        assertTrue(tries(by, address(token), data) == expected, "carried");
        if (!expected) return;
        ++times[p.from][p.nonce];
        received[p.to] += p.value;
    }

    function _sign(uint256 payer, bytes32 digest, bool right)
        private
        returns (bool split, uint8 v, bytes32 r, bytes32 s, bytes memory signature)
    {
        split = chance(50);
        if (payer == 2) {
            wallet.agree(right ? digest : bytes32(0));
            return (split, 27, r, s, "so be it");
        }
        (v, r, s) = vm.sign(right ? _keys[payer] : _keys[1 - payer], digest);
        signature = abi.encodePacked(r, s, v);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), structHash));
    }

    function _padded(bytes memory data) private pure returns (bytes memory) {
        return bytes.concat(data, new bytes((32 - data.length % 32) % 32));
    }

    /// @dev No authorization was used or given up more than once, and the token says of each whether it was.
    function judge() external view {
        for (uint256 i; i < 3; ++i) {
            for (uint256 nonce; nonce < NONCES; ++nonce) {
                uint256 count = times[payers[i]][bytes32(nonce)];
                assertAtMost(count, 1, "used");
                assertTrue(token.authorizationState(payers[i], bytes32(nonce)) == (count == 1), "state");
            }
        }
    }
}

/// @title Authorizations under everybody's attempts
contract AuthorizationInvariantTest is Campaign {
    AuthorizationHandler private _handler;

    function setUp() public {
        PaymentToken token =
            PaymentToken(vm.deployCode("PaymentToken.sol:PaymentToken", abi.encode("Euro", "EUR", address(this))));
        _handler = new AuthorizationHandler(token);
        token.transferOwnership(address(_handler));
        bytes4[] memory selectors = new bytes4[](4);
        selectors[0] = AuthorizationHandler.pay.selector;
        selectors[1] = AuthorizationHandler.receive_.selector;
        selectors[2] = AuthorizationHandler.cancel.selector;
        selectors[3] = AuthorizationHandler.wait.selector;
        aim(address(_handler), selectors);
    }

    /// @notice The actions do what they are for: many payments succeed, of each payer, in either form.
    function test_actionsReach() public {
        for (uint256 i; i < 300; ++i) {
            _handler.pay(i);
            _handler.receive_(i);
            _handler.cancel(i);
            _handler.wait(i);
        }
        for (uint256 i; i < 3; ++i) {
            assertAtMost(5_000, _handler.received(_handler.receivers(i)), "received");
        }
        _handler.judge();
    }

    /// @notice An authorization is used or given up at most once, by whichever form; and exactly what was authorized moved.
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_usedAtMostOnce() public view {
        for (uint256 i; i < 3; ++i) {
            address receiver = _handler.receivers(i);
            assertEq(_handler.token().balanceOf(receiver), _handler.received(receiver), "received");
        }
    }

    /// @notice At the end, the token says of each authorization whether it was used.
    function afterInvariant() public view {
        _handler.judge();
    }
}
