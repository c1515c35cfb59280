// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @notice Who speaks for a log. It hashes to the log's id, so a log cannot change it.
/// @param originHash SHA-256 of the log's origin line
/// @param signer the log's own ledger address
/// @param witnesses the addresses of its witnesses, strictly ascending
/// @param threshold how many witnesses must sign a checkpoint
struct Policy {
    bytes32 originHash;
    address signer;
    address[] witnesses;
    uint256 threshold;
}

/// @title Checkpoints signed for the ledger (EIP-712) and the quorum that must sign them
library Checkpoint {
    /// @notice The policy asks for more witnesses than it names.
    error ThresholdTooHigh(uint256 threshold, uint256 witnesses);
    /// @notice The policy's witnesses are not strictly ascending.
    error PolicyOutOfOrder(address previous, address next);
    /// @notice Fewer signatures than the log's own and `threshold` witnesses'.
    error TooFewSignatures(uint256 signatures, uint256 needed);
    /// @notice A signature is not 65 bytes, has a high s, or recovers no address.
    error BadSignature(uint256 position, ECDSA.RecoverError reason, bytes32 detail);
    /// @notice The first signature is not the log signer's.
    error WrongLogSigner(address recovered, address signer);
    /// @notice The witnesses' signatures are not strictly ascending by address (so none counts twice).
    error WitnessOutOfOrder(address previous, address next);
    /// @notice The policy does not name this witness.
    error UnknownWitness(address recovered);

    bytes32 private constant TYPE = keccak256("Checkpoint(bytes32 logId,uint64 size,bytes32 root)");
    /// @dev Name and version only: one signature serves every chain and every anchor.
    bytes32 private constant DOMAIN = keccak256(
        abi.encode(keccak256("EIP712Domain(string name,string version)"), keccak256("Affiant Log"), keccak256("1"))
    );

    /// @dev keccak256(abi.encode(originHash, signer, witnesses, threshold))
    function logIdOf(Policy calldata policy) internal pure returns (bytes32) {
        return keccak256(abi.encode(policy.originHash, policy.signer, policy.witnesses, policy.threshold));
    }

    /// @dev What the log and its witnesses sign.
    function digest(bytes32 logId, uint64 size, bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", DOMAIN, keccak256(abi.encode(TYPE, logId, size, root))));
    }

    /// @dev Refuses unless `signatures` are the log signer's and then those of at least `threshold` different witnesses.
    /// Both lists ascend strictly, so one walk over the policy finds every signer.
    function requireQuorum(Policy calldata policy, bytes32 hash, bytes[] calldata signatures) internal pure {
        address[] calldata witnesses = policy.witnesses;
        uint256 threshold = policy.threshold;
        if (threshold > witnesses.length) revert ThresholdTooHigh(threshold, witnesses.length);
        for (uint256 i = 1; i < witnesses.length; ++i) {
            if (witnesses[i] <= witnesses[i - 1]) revert PolicyOutOfOrder(witnesses[i - 1], witnesses[i]);
        }
        if (signatures.length < threshold + 1) revert TooFewSignatures(signatures.length, threshold + 1);

        address recovered = _recover(hash, signatures, 0);
        if (recovered != policy.signer) revert WrongLogSigner(recovered, policy.signer);

        address previous;
        uint256 next;
        for (uint256 i = 1; i < signatures.length; ++i) {
            recovered = _recover(hash, signatures, i);
            if (recovered <= previous) revert WitnessOutOfOrder(previous, recovered);
            while (next < witnesses.length && witnesses[next] < recovered) ++next;
            if (next == witnesses.length || witnesses[next] != recovered) revert UnknownWitness(recovered);
            previous = recovered;
        }
    }

    function _recover(bytes32 hash, bytes[] calldata signatures, uint256 position) private pure returns (address) {
        (address recovered, ECDSA.RecoverError reason, bytes32 detail) =
            ECDSA.tryRecoverCalldata(hash, signatures[position]);
        if (reason != ECDSA.RecoverError.NoError) revert BadSignature(position, reason, detail);
        return recovered;
    }
}
