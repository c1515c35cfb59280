// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Base58} from "@openzeppelin/contracts/utils/Base58.sol";

/// @title The COSE protected header of what a ledger key swears, from the key
library Header {
    /// @notice The point is not on secp256k1.
    error NotOnCurve(bytes32 x, bytes32 y);
    /// @notice The did:key is not 57 characters long.
    error WrongIssuerLength(uint256 length);

    uint256 private constant P = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;

    /// @dev The ledger address of a key; refuses what is no key.
    function addressOf(bytes32 x, bytes32 y) internal pure returns (address) {
        uint256 a = uint256(x);
        uint256 b = uint256(y);
        if (a >= P || b >= P || mulmod(b, b, P) != addmod(mulmod(mulmod(a, a, P), a, P), 7, P)) {
            revert NotOnCurve(x, y);
        }
        return address(uint160(uint256(keccak256(abi.encodePacked(x, y)))));
    }

    /// @dev A decision's header, up to and without the four bytes of iat.
    function decisionPrefix(bytes32 x, bytes32 y) internal pure returns (bytes memory) {
        return _prefix(x, y, hex"73", "affiant/decision/v1");
    }

    /// @dev An alert's header, up to and without the four bytes of iat.
    function alertPrefix(bytes32 x, bytes32 y) internal pure returns (bytes memory) {
        return _prefix(x, y, hex"70", "affiant/alert/v1");
    }

    /// @dev {1: -47, 3: 42, 4: address, 15: {1: did:key, 2: kind, 6: iat}} in deterministic CBOR; `head` is the CBOR head
    /// of the kind's name.
    function _prefix(bytes32 x, bytes32 y, bytes1 head, string memory kind) private pure returns (bytes memory) {
        bytes memory issuer = bytes(didKey(x, y));
        if (issuer.length != 57) revert WrongIssuerLength(issuer.length);
        return abi.encodePacked(
            hex"a401382e03182a0454",
            addressOf(x, y),
            hex"0fa3017839",
            issuer,
            hex"02",
            head,
            kind,
            hex"061a"
        );
    }

    /// @dev did:key of the compressed secp256k1 key (multicodec 0xe7 0x01, multibase base58btc).
    function didKey(bytes32 x, bytes32 y) internal pure returns (string memory) {
        bytes1 parity = uint256(y) & 1 == 1 ? bytes1(0x03) : bytes1(0x02);
        return string.concat("did:key:z", Base58.encode(abi.encodePacked(hex"e701", parity, x)));
    }
}
