// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title What a mandate is compared with: a wallet that executes one owner's signed calls, and checks nothing else
contract OneSignatureWallet {
    /// @notice The signature is not the owner's.
    error WrongSigner(address recovered, address owner);
    /// @notice The call failed with this data.
    error CallFailed(bytes returned);

    bytes32 private constant TYPE = keccak256("Call(uint256 nonce,address target,uint256 value,bytes data)");
    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice Whose signature counts.
    address public immutable owner;
    /// @notice The next call's nonce.
    uint256 public nonce;

    /// @param owner_ whose signature counts
    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Takes native value.
    receive() external payable {}

    /// @notice Executes a call that the owner signed for the current nonce.
    /// @param target the contract to call
    /// @param value native value to send
    /// @param data calldata
    /// @param signature 65 bytes over `digest`
    /// @return returned what the target returned
    function execute(address target, uint256 value, bytes calldata data, bytes calldata signature)
        external
        returns (bytes memory returned)
    {
        address recovered = ECDSA.recoverCalldata(digest(nonce, target, value, data), signature);
        if (recovered != owner) revert WrongSigner(recovered, owner);
        ++nonce;
        bool success;
        (success, returned) = target.call{value: value}(data);
        if (!success) revert CallFailed(returned);
    }

    /// @notice What the owner signs (EIP-712).
    /// @param nonce_ the wallet's nonce
    /// @param target the contract to call
    /// @param value native value to send
    /// @param data calldata
    /// @return the digest
    function digest(uint256 nonce_, address target, uint256 value, bytes calldata data) public view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("One Signature Wallet"), keccak256("1"), block.chainid, address(this))
        );
        bytes32 structHash = keccak256(abi.encode(TYPE, nonce_, target, value, keccak256(data)));
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }
}
