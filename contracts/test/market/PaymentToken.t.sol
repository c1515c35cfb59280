// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {IERC20Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC3009, IERC3009Cancel} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {MarketStage, Wallet} from "./MarketStage.sol";

/// @title Payments by signature
/// @dev Digests are built here from EIP-3009 and EIP-712, with the standards' numbers, not with the code under test.
contract PaymentTokenTest is MarketStage {
    bytes4 private constant TRANSFER = 0xe3ee160e;
    bytes4 private constant TRANSFER_BYTES = 0xcf092995;
    bytes4 private constant RECEIVE = 0xef55bec6;
    bytes4 private constant RECEIVE_BYTES = 0x88b7ab63;
    bytes4 private constant CANCEL = 0x5a049a70;
    bytes4 private constant CANCEL_BYTES = 0xb7b72899;
    bytes32 private constant TRANSFER_TYPE = 0x7c7c6cdb67a18743f49ec6fa9b35f50d52ed05cbed4cc592e13b44501c1a2267;
    bytes32 private constant RECEIVE_TYPE = 0xd099cc98ef71107a616c4f0f941f04c322d8e254fe26b3c6668db87aae413de8;
    bytes32 private constant CANCEL_TYPE = 0x158b0a9edf7a828aad02f63cd515c68ef2f50ba807396f6d12842833a1597429;
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    uint256 private constant KEY = 0xA11CE;
    uint256 private constant OTHER_KEY = 0xB0B;
    bytes32 private constant NONCE = keccak256("nonce");

    address private _payer;

    struct Payment {
        address from;
        address to;
        uint256 value;
        uint256 validAfter;
        uint256 validBefore;
        bytes32 nonce;
    }

    function setUp() public override {
        super.setUp();
        _payer = vm.createWallet(KEY).addr;
        token.mint(_payer, 1_000);
    }

    function _payment() private view returns (Payment memory) {
        return Payment(_payer, BOB, 300, START - 1, START + 1, NONCE);
    }

    function _digest(bytes32 structHash) private view returns (bytes32) {
        bytes32 domainType = 0x8b73c3c69bb8fe3d512ecc4cf759cc79239f7b179b0ffacaa9a75d522b39400f;
        bytes32 domain =
            keccak256(abi.encode(domainType, keccak256("Euro"), keccak256("1"), block.chainid, address(token)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function _digest(bytes32 typehash, Payment memory p) private view returns (bytes32) {
        return _digest(keccak256(abi.encode(typehash, p)));
    }

    /// @dev The call in either form.
    function _call(bytes4 selector, bytes32 typehash, uint256 key, Payment memory p) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(typehash, p));
        if (selector == TRANSFER || selector == RECEIVE) {
            return bytes.concat(abi.encodePacked(selector), abi.encode(p), abi.encode(v, r, s));
        }
        return _call(selector, p, abi.encodePacked(r, s, v));
    }

    function _call(bytes4 selector, Payment memory p, bytes memory signature) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            selector, p.from, p.to, p.value, p.validAfter, p.validBefore, p.nonce, signature
        );
    }

    function _invalid() private pure returns (bytes memory) {
        return abi.encodeWithSelector(ERC3009.ERC3009InvalidSignature.selector);
    }

    function _used(Payment memory p) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, p.from, p.nonce);
    }

    // ---------------------------------------------------------------- the token

    /// @notice Six decimals, the domain that payers sign in, and nobody but the owner issues.
    function test_token() public {
        assertEq(token.decimals(), 6, "decimals");
        assertEq(bytes(token.name()), "Euro", "name");
        assertEq(bytes(token.version()), "1", "version");
        (, string memory name, string memory version, uint256 chain, address where,,) = token.eip712Domain();
        assertEq(bytes(name), "Euro", "domain's name");
        assertEq(bytes(version), "1", "domain's version");
        assertEq(chain, block.chainid, "domain's chain");
        assertEq(where, address(token), "domain's contract");
        bytes32 typed = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), NONCE));
        assertEq(typed, _digest(NONCE), "separator");
        refuses(
            BOB,
            address(token),
            abi.encodeCall(token.mint, (BOB, 1)),
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, BOB)
        );
    }

    // ---------------------------------------------------------------- transfers

    /// @notice Anyone carries a payment in either form: it moves the tokens, and is told.
    function test_transfer() public {
        bytes4[2] memory forms = [TRANSFER, TRANSFER_BYTES];
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            p.nonce = bytes32(i);
            assertTrue(!token.authorizationState(_payer, p.nonce), "unused");
            vm.expectEmit(address(token));
            emit IERC3009.AuthorizationUsed(_payer, p.nonce);
            does(ALICE, address(token), _call(forms[i], TRANSFER_TYPE, KEY, p));
            assertEq(token.balanceOf(BOB), 300 * (i + 1), "paid");
            assertTrue(token.authorizationState(_payer, p.nonce), "used");
        }
    }

    /// @notice Once used, an authorization is used, in whichever form it comes again.
    function test_usedOnce() public {
        bytes4[2] memory forms = [TRANSFER, TRANSFER_BYTES];
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            p.nonce = bytes32(i);
            does(ALICE, address(token), _call(forms[i], TRANSFER_TYPE, KEY, p));
            refuses(ALICE, address(token), _call(forms[0], TRANSFER_TYPE, KEY, p), _used(p));
            refuses(ALICE, address(token), _call(forms[1], TRANSFER_TYPE, KEY, p), _used(p));
        }
        assertEq(token.balanceOf(BOB), 600, "paid twice");
    }

    /// @notice A payment is valid after its first time and before its last, both excluded, in seconds.
    function test_times() public {
        bytes4[2] memory forms = [TRANSFER, TRANSFER_BYTES];
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            (p.validAfter, p.validBefore) = (START, START + 2);
            _refusesTime(forms[i], p);
            (p.validAfter, p.validBefore) = (START - 2, START);
            _refusesTime(forms[i], p);
            // Bit 47 in both, which OpenZeppelin's code alone would read as block numbers: far in the future.
            (p.validAfter, p.validBefore) = (1 << 47, 1 << 47 | 1 << 46);
            _refusesTime(forms[i], p);
        }
        Payment memory always = _payment();
        (always.validAfter, always.validBefore) = (0, FOREVER);
        does(ALICE, address(token), _call(TRANSFER, TRANSFER_TYPE, KEY, always));
    }

    function _refusesTime(bytes4 form, Payment memory p) private {
        bytes memory reason = abi.encodeWithSelector(
            ERC3009.ERC3009InvalidAuthorizationTime.selector, p.validAfter, p.validBefore
        );
        refuses(ALICE, address(token), _call(form, TRANSFER_TYPE, KEY, p), reason);
    }

    /// @notice Another's signature, one of another type, and one of anything but exactly this payment are refused.
    function test_wrongSignature() public {
        bytes4[2] memory forms = [TRANSFER, TRANSFER_BYTES];
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            refuses(ALICE, address(token), _call(forms[i], TRANSFER_TYPE, OTHER_KEY, p), _invalid());
            refuses(ALICE, address(token), _call(forms[i], RECEIVE_TYPE, KEY, p), _invalid());
            for (uint256 word; word < 6; ++word) {
                bytes memory data = _call(forms[i], TRANSFER_TYPE, KEY, p);
                // The lowest byte of the word.
                data[4 + 32 * word + 31] ^= 0x01;
                refuses(ALICE, address(token), data, _invalid());
            }
        }
        assertEq(token.balanceOf(BOB), 0, "nothing");
    }

    /// @notice A signature for another chain is refused.
    function test_otherChain() public {
        bytes memory data = _call(TRANSFER, TRANSFER_TYPE, KEY, _payment());
        vm.chainId(2);
        refuses(ALICE, address(token), data, _invalid());
    }

    /// @notice The other form of a signature, with s in the upper half, is refused: a payment has one.
    function test_highS() public {
        Payment memory p = _payment();
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, _digest(TRANSFER_TYPE, p));
        (v, s) = (v ^ 7, bytes32(ORDER - uint256(s)));
        assertEq(ecrecover(_digest(TRANSFER_TYPE, p), v, r, s), _payer, "it would recover");
        refuses(
            ALICE,
            address(token),
            bytes.concat(abi.encodePacked(TRANSFER), abi.encode(p), abi.encode(v, r, s)),
            abi.encodeWithSelector(ECDSA.ECDSAInvalidSignatureS.selector, s)
        );
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, abi.encodePacked(r, s, v)), _invalid());
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, ""), _invalid());
    }

    /// @notice Nobody has signed for the zero address: an invalid signature recovers nothing.
    function test_zeroAddress() public {
        Payment memory p = _payment();
        p.from = address(0);
        refuses(
            ALICE,
            address(token),
            bytes.concat(abi.encodePacked(TRANSFER), abi.encode(p), abi.encode(27, bytes32(0), bytes32(0))),
            abi.encodeWithSelector(ECDSA.ECDSAInvalidSignature.selector)
        );
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, new bytes(65)), _invalid());
    }

    /// @notice A payment of more than the payer has fails, and stays usable.
    function test_tooMuch() public {
        Payment memory p = _payment();
        p.value = 1_001;
        bytes memory reason =
            abi.encodeWithSelector(IERC20Errors.ERC20InsufficientBalance.selector, _payer, 1_000, 1_001);
        bytes memory data = _call(TRANSFER, TRANSFER_TYPE, KEY, p);
        refuses(ALICE, address(token), data, reason);
        assertTrue(!token.authorizationState(_payer, NONCE), "unused");
        token.mint(_payer, 1);
        does(ALICE, address(token), data);
    }

    /// @notice A contract pays with what it vouches for, in the bytes form only.
    function test_contractPays() public {
        Wallet wallet = new Wallet();
        token.mint(address(wallet), 1_000);
        Payment memory p = _payment();
        p.from = address(wallet);
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, "so be it"), _invalid());
        wallet.agree(_digest(TRANSFER_TYPE, p));
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, "so be that"), _invalid());
        refuses(ALICE, address(token), _call(TRANSFER, TRANSFER_TYPE, KEY, p), _invalid());
        does(ALICE, address(token), _call(TRANSFER_BYTES, p, "so be it"));
        assertEq(token.balanceOf(BOB), 300, "paid");
        refuses(ALICE, address(token), _call(TRANSFER_BYTES, p, "so be it"), _used(p));
    }

    // ---------------------------------------------------------------- receipts

    /// @notice What was signed to be received, only its receiver carries, and it is no transfer's signature.
    function test_receive() public {
        bytes4[2] memory forms = [RECEIVE, RECEIVE_BYTES];
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            p.nonce = bytes32(i);
            bytes memory data = _call(forms[i], RECEIVE_TYPE, KEY, p);
            bytes memory reason = abi.encodeWithSelector(IERC20Errors.ERC20InvalidReceiver.selector, BOB);
            refuses(ALICE, address(token), data, reason);
            refuses(BOB, address(token), _call(forms[i], TRANSFER_TYPE, KEY, p), _invalid());
            does(BOB, address(token), data);
            refuses(BOB, address(token), _call(forms[1 - i], RECEIVE_TYPE, KEY, p), _used(p));
        }
        assertEq(token.balanceOf(BOB), 600, "paid");
    }

    // ---------------------------------------------------------------- giving up

    /// @notice Who gives an authorization up, in either form, cannot have it used; anyone carries that.
    function test_cancel() public {
        for (uint256 i; i < 2; ++i) {
            Payment memory p = _payment();
            p.nonce = bytes32(i);
            bytes memory cancel = _cancel(i == 0, KEY, p.nonce);
            refuses(ALICE, address(token), _cancel(i == 0, OTHER_KEY, p.nonce), _invalid());
            vm.expectEmit(address(token));
            emit IERC3009Cancel.AuthorizationCanceled(_payer, p.nonce);
            does(ALICE, address(token), cancel);
            assertTrue(token.authorizationState(_payer, p.nonce), "state");
            refuses(ALICE, address(token), _call(TRANSFER, TRANSFER_TYPE, KEY, p), _used(p));
            refuses(ALICE, address(token), _call(TRANSFER_BYTES, TRANSFER_TYPE, KEY, p), _used(p));
            refuses(ALICE, address(token), cancel, _used(p));
        }
    }

    /// @notice What was used cannot be given up.
    function test_cancelUsed() public {
        Payment memory p = _payment();
        does(ALICE, address(token), _call(TRANSFER, TRANSFER_TYPE, KEY, p));
        refuses(ALICE, address(token), _cancel(true, KEY, NONCE), _used(p));
        refuses(ALICE, address(token), _cancel(false, KEY, NONCE), _used(p));
    }

    function _cancel(bool split, uint256 key, bytes32 nonce) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, _digest(keccak256(abi.encode(CANCEL_TYPE, _payer, nonce))));
        if (split) return abi.encodeWithSelector(CANCEL, _payer, nonce, v, r, s);
        return abi.encodeWithSelector(CANCEL_BYTES, _payer, nonce, abi.encodePacked(r, s, v));
    }
}
