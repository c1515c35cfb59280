// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @title A sworn decision or alert, rebuilt byte for byte
/// @dev A statement is a COSE_Sign1 (RFC 9052). Its protected header is `header` and four bytes of time, its payload 96
/// bytes: kind ‖ subject ‖ body. The chain rebuilds both what was signed and what was logged, and trusts neither.
library Statement {
    // Kinds are constants: a refusal, signed with the same key about the same action, is not a decision.
    bytes32 internal constant DECISION = keccak256("affiant/decision/v1");
    bytes32 internal constant ALERT = keccak256("affiant/alert/v1");

    /// @dev `digest`: SHA-256 of the Sig_structure ["Signature1", protected, h'', payload], which the agent signs.
    /// `leaf`: SHA-256(0x00 ‖ entry), where entry = 18([protected, {}, payload, r ‖ s]).
    ///
    ///   Sig_structure     84 6a S i g n a t u r e 1   58 LL protected   40   58 60 payload
    ///   0x00 ‖ entry                       00 d2 84   58 LL protected   a0   58 60 payload   58 40 r s
    function rebuild(
        bytes memory header,
        uint32 iat,
        bytes32 kind,
        bytes32 subject,
        bytes32 body,
        bytes32 r,
        bytes32 s
    ) internal view returns (bytes32 digest, bytes32 leaf) {
        uint256 length = header.length + 4;
        bytes memory buffer = abi.encodePacked(
            hex"846a5369676e61747572653158",
            uint8(length),
            header,
            iat,
            hex"405860",
            kind,
            subject,
            body,
            hex"5840",
            r,
            s
        );
        // Assembly: the two share 217 bytes, so one buffer serves both, and `sha256` would copy it each time.
        assembly ("memory-safe") {
            let start := add(buffer, 0x20)
            let size := mload(buffer)
            if iszero(staticcall(gas(), 2, start, sub(size, 66), 0, 0x20)) { revert(0, 0) }
            digest := mload(0)

            let entry := add(start, 9)
            mstore8(entry, 0x00)
            mstore8(add(entry, 1), 0xd2)
            mstore8(add(entry, 2), 0x84)
            mstore8(add(add(start, 14), length), 0xa0)
            if iszero(staticcall(gas(), 2, entry, sub(size, 9), 0, 0x20)) { revert(0, 0) }
            leaf := mload(0)
        }
    }
}
