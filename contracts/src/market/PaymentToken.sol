// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title A token in which requests are paid, also by a signature that somebody else carries
/// @notice Stands for claims on its owner, who alone issues it; six decimals. A holder may authorize a transfer with a
/// signature (EIP-3009), which is what x402 carries: the payer needs neither gas nor a transaction of its own.
/// @dev A signature comes as v, r, s, from an account that has a key; or as bytes, also from a contract that vouches for it
/// (ERC-1271). An authorization is used at most once, whichever way it comes.
contract PaymentToken is ERC20, ERC3009, Ownable {
    /// @param name the token's name, and its EIP-712 domain's
    /// @param symbol the token's symbol
    /// @param owner who may issue it
    constructor(string memory name, string memory symbol, address owner)
        ERC20(name, symbol)
        EIP712(name, "1")
        Ownable(owner)
    {}

    /// @notice Issues tokens; owner only.
    /// @param account who receives them
    /// @param amount how many, in millionths
    function mint(address account, uint256 amount) external onlyOwner {
        _mint(account, amount);
    }

    /// @notice Moves tokens as their holder has signed; anyone may carry the signature.
    /// @param from who pays and has signed
    /// @param to who receives
    /// @param value how much
    /// @param validAfter the last second in which it is not yet valid
    /// @param validBefore the first second in which it is no longer valid
    /// @param nonce tells the payer's authorizations apart; any value not used before
    /// @param signature 65 bytes of an account, or what the contract at `from` takes for its signature
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(TRANSFER_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _requireSigned(from, structHash, signature);
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice Moves tokens to the caller as their holder has signed. Nobody else can carry this signature, so a contract
    /// that does more than receive cannot be forestalled.
    /// @param from who pays and has signed
    /// @param to who receives: the caller
    /// @param value how much
    /// @param validAfter the last second in which it is not yet valid
    /// @param validBefore the first second in which it is no longer valid
    /// @param nonce tells the payer's authorizations apart; any value not used before
    /// @param signature 65 bytes of an account, or what the contract at `from` takes for its signature
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 structHash = keccak256(
            abi.encode(RECEIVE_WITH_AUTHORIZATION_TYPEHASH, from, to, value, validAfter, validBefore, nonce)
        );
        _requireSigned(from, structHash, signature);
        if (to != msg.sender) revert ERC20InvalidReceiver(to);
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice Gives up an authorization that was not used; anyone may carry the signature.
    /// @param authorizer whose it is, and who has signed that it be void
    /// @param nonce the authorization's
    /// @param signature 65 bytes of an account, or what the contract at `authorizer` takes for its signature
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
        _requireSigned(authorizer, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), signature);
        _cancelAuthorization(authorizer, nonce);
    }

    /// @notice The EIP-712 domain's version, which payers' software asks for by this name.
    function version() external pure returns (string memory) {
        return "1";
    }

    /// @notice The EIP-712 domain separator, under the name that EIP-3009 gives it.
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @notice Millionths.
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _requireSigned(address account, bytes32 structHash, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(structHash);
        if (!SignatureChecker.isValidSignatureNowCalldata(account, digest, signature)) revert ERC3009InvalidSignature();
    }

    /// @dev Times are seconds, as EIP-3009 has it. OpenZeppelin's also knows block numbers, which no payer here would mean.
    function _checkValidity(uint256 validAfter, uint256 validBefore) internal view override {
        if (block.timestamp <= validAfter || block.timestamp >= validBefore) {
            revert ERC3009InvalidAuthorizationTime(validAfter, validBefore);
        }
    }
}
