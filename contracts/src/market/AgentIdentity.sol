// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {ERC721URIStorage} from "@openzeppelin/contracts/token/ERC721/extensions/ERC721URIStorage.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @notice What an agent says of itself on chain.
/// @param metadataKey under which name
/// @param metadataValue what
struct MetadataEntry {
    string metadataKey;
    bytes metadataValue;
}

/// @title The agents' identity registry (ERC-8004)
/// @notice An agent is an ERC-721 token: its id is its handle, its URI leads to its registration file. Its wallet, where it
/// is paid, is the owner's at first, changes only with the new wallet's consent, and is forgotten when the agent is sold.
/// @dev Registering does not ask whether the caller takes ERC-721 tokens: it is the caller's own doing, and a mandate, which
/// does not answer that question, may register its agent. The consent's EIP-712 domain and type are those of the registries
/// that the standard's authors run.
contract AgentIdentity is ERC721URIStorage, EIP712 {
    /// @notice Only the agent's owner, or who acts for it, may.
    error NotAuthorized(address caller, uint256 agentId);
    /// @notice The wallet has functions of its own and is no metadata.
    error ReservedKey(string key);
    /// @notice The wallet is the zero address; there is `unsetAgentWallet`.
    error NoWallet();
    /// @notice The wallet's consent is no longer valid.
    error ConsentExpired(uint256 deadline, uint256 time);
    /// @notice The wallet's consent is valid for too long from now.
    error ConsentTooLong(uint256 deadline, uint256 latest);
    /// @notice The wallet has not signed this.
    error NoConsent(address wallet);

    /// @notice An agent was registered.
    event Registered(uint256 indexed agentId, string agentURI, address indexed owner);

    /// @notice Metadata was set; also the wallet, as its 20 bytes, or as nothing when it was unset.
    event MetadataSet(
        uint256 indexed agentId,
        string indexed indexedMetadataKey,
        string metadataKey,
        bytes metadataValue
    );

    /// @notice The registration file's place changed.
    event URIUpdated(uint256 indexed agentId, string newURI, address indexed updatedBy);

    /// @notice The longest from now that a wallet's consent may be valid.
    uint256 public constant MAX_CONSENT = 5 minutes;

    bytes32 private constant CONSENT_TYPEHASH =
        keccak256("AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)");
    string private constant WALLET_KEY = "agentWallet";
    bytes32 private constant WALLET_KEY_HASH = keccak256(bytes(WALLET_KEY));

    /// @notice How many agents there are; the last one's id. There is no agent 0.
    uint256 public agentCount;

    mapping(uint256 agentId => mapping(string key => bytes)) private _metadata;

    constructor() ERC721("AgentIdentity", "AGENT") EIP712("ERC8004IdentityRegistry", "1") {}

    /// @notice Registers an agent of the caller's.
    /// @param agentURI where its registration file is
    /// @param metadata what it says of itself on chain; not its wallet
    /// @return agentId the agent
    function register(string calldata agentURI, MetadataEntry[] calldata metadata) external returns (uint256 agentId) {
        agentId = _register(agentURI);
        for (uint256 i; i < metadata.length; ++i) {
            _setMetadata(agentId, metadata[i].metadataKey, metadata[i].metadataValue);
        }
    }

    /// @notice Registers an agent of the caller's.
    /// @param agentURI where its registration file is
    /// @return agentId the agent
    function register(string calldata agentURI) external returns (uint256 agentId) {
        return _register(agentURI);
    }

    /// @notice Registers an agent of the caller's, whose registration file is named later.
    /// @return agentId the agent
    function register() external returns (uint256 agentId) {
        return _register("");
    }

    /// @notice Says where an agent's registration file is; its owner, or who acts for it.
    /// @param agentId which agent
    /// @param newURI where
    function setAgentURI(uint256 agentId, string calldata newURI) external {
        _requireAuthorized(agentId);
        _setTokenURI(agentId, newURI);
        emit URIUpdated(agentId, newURI, msg.sender);
    }

    /// @notice Sets metadata of an agent; its owner, or who acts for it.
    /// @param agentId which agent
    /// @param metadataKey under which name; not "agentWallet"
    /// @param metadataValue what
    function setMetadata(uint256 agentId, string calldata metadataKey, bytes calldata metadataValue) external {
        _requireAuthorized(agentId);
        _setMetadata(agentId, metadataKey, metadataValue);
    }

    /// @notice Sets where an agent is paid; its owner, or who acts for it, with the new wallet's consent.
    /// @param agentId which agent
    /// @param newWallet where
    /// @param deadline the last second in which the consent is valid; at most MAX_CONSENT from now
    /// @param signature the wallet's, of an account or by ERC-1271, of the EIP-712
    /// AgentWalletSet(uint256 agentId,address newWallet,address owner,uint256 deadline)
    function setAgentWallet(uint256 agentId, address newWallet, uint256 deadline, bytes calldata signature) external {
        _requireAuthorized(agentId);
        if (newWallet == address(0)) revert NoWallet();
        if (block.timestamp > deadline) revert ConsentExpired(deadline, block.timestamp);
        uint256 latest = block.timestamp + MAX_CONSENT;
        if (deadline > latest) revert ConsentTooLong(deadline, latest);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(CONSENT_TYPEHASH, agentId, newWallet, ownerOf(agentId), deadline)));
        if (!SignatureChecker.isValidSignatureNowCalldata(newWallet, digest, signature)) revert NoConsent(newWallet);
        _setWallet(agentId, abi.encodePacked(newWallet));
    }

    /// @notice Lets an agent be paid nowhere; its owner, or who acts for it.
    /// @param agentId which agent
    function unsetAgentWallet(uint256 agentId) external {
        _requireAuthorized(agentId);
        _setWallet(agentId, "");
    }

    /// @notice Where an agent is paid; 0 for nowhere.
    /// @param agentId which agent
    /// @return the wallet
    function getAgentWallet(uint256 agentId) external view returns (address) {
        _requireOwned(agentId);
        // Nothing reads as 0.
        return address(bytes20(_metadata[agentId][WALLET_KEY]));
    }

    /// @notice Metadata of an agent; nothing if it was not set.
    /// @param agentId which agent
    /// @param metadataKey under which name
    /// @return what
    function getMetadata(uint256 agentId, string calldata metadataKey) external view returns (bytes memory) {
        return _metadata[agentId][metadataKey];
    }

    /// @notice Whether somebody owns an agent or acts for its owner; fails if there is no such agent.
    /// @param spender who
    /// @param agentId which agent
    /// @return whether it is so
    function isAuthorizedOrOwner(address spender, uint256 agentId) public view returns (bool) {
        return _isAuthorized(_requireOwned(agentId), spender, agentId);
    }

    function _register(string memory agentURI) private returns (uint256 agentId) {
        agentId = ++agentCount;
        _mint(msg.sender, agentId);
        if (bytes(agentURI).length != 0) _setTokenURI(agentId, agentURI);
        emit Registered(agentId, agentURI, msg.sender);
        _setWallet(agentId, abi.encodePacked(msg.sender));
    }

    function _setMetadata(uint256 agentId, string calldata key, bytes calldata value) private {
        if (keccak256(bytes(key)) == WALLET_KEY_HASH) revert ReservedKey(key);
        _metadata[agentId][key] = value;
        emit MetadataSet(agentId, key, key, value);
    }

    function _setWallet(uint256 agentId, bytes memory wallet) private {
        _metadata[agentId][WALLET_KEY] = wallet;
        emit MetadataSet(agentId, WALLET_KEY, WALLET_KEY, wallet);
    }

    function _requireAuthorized(uint256 agentId) private view {
        if (!isAuthorizedOrOwner(msg.sender, agentId)) revert NotAuthorized(msg.sender, agentId);
    }

    /// @dev Who buys an agent has not consented to its wallet, nor the wallet to the buyer.
    function _update(address to, uint256 agentId, address auth) internal override(ERC721) returns (address from) {
        from = super._update(to, agentId, auth);
        if (from != address(0)) _setWallet(agentId, "");
    }
}
