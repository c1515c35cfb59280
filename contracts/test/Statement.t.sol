// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Header} from "../src/core/Header.sol";
import {Statement} from "../src/core/Statement.sol";
import {Cheats} from "./Cheats.sol";

contract StatementHarness {
    function decisionPrefix(bytes32 x, bytes32 y) external pure returns (bytes memory) {
        return Header.decisionPrefix(x, y);
    }

    function alertPrefix(bytes32 x, bytes32 y) external pure returns (bytes memory) {
        return Header.alertPrefix(x, y);
    }

    function didKey(bytes32 x, bytes32 y) external pure returns (string memory) {
        return Header.didKey(x, y);
    }
}

/// @dev The expected values were computed with cbor2, coincurve and hashlib.
contract StatementTest is Cheats {
    bytes32 private constant X = 0xa64db41e2968c849c2a5615ba0d6e816734a6d3e6ea6ecd6f3acb7d59daa9102;
    bytes32 private constant Y = 0xe7af12d6e07238e7d5f5f6e9d6a529833a30f7385075fd74029db8009a5ace9a;
    bytes private constant PREFIX =
        hex"a401382e03182a0454e05fcc23807536bee418f142d19fa0d21bb0cff70fa30178396469643a6b65793a7a51337368596279397a737763314a666235426e5037374445566267757939344b4c776661667a73443566544475516379027361666669616e742f6465636973696f6e2f7631061a";

    // Another key's, for alerts.
    bytes32 private constant X2 = 0x4e2b4fd11c99ef9a2172660736ee92506cf0f2a7365286100525e4e1d6cead21;
    bytes32 private constant Y2 = 0x7b484c9a3c58c9feb0ae16d708f76a2b7ed48a01a4eb9a374a81266892c8f19e;
    bytes private constant ALERT_PREFIX =
        hex"a401382e03182a0454a9038f0de6e7776ab463c63c14f38956eba31e670fa30178396469643a6b65793a7a513373685366767278764a67644870387a784452374c6161784e4e43554637376d55417a446247337468447664516338027061666669616e742f616c6572742f7631061a";

    StatementHarness private _harness = new StatementHarness();

    /// @notice The header rebuilt from a key is the one that a CBOR library writes.
    function test_headerIsDeterministicCbor() public view {
        assertEq(_harness.decisionPrefix(X, Y), PREFIX, "header");
        assertEq(PREFIX.length, 114, "length");
        assertEq(_harness.alertPrefix(X2, Y2), ALERT_PREFIX, "alert's header");
        assertEq(ALERT_PREFIX.length, 111, "alert's length");
    }

    /// @notice The did:key of keys with even and with odd y is the one other implementations give.
    function test_didKeyVectors() public {
        uint256[3] memory keys = [uint256(1), 2, 6];
        string[3] memory expected = [
            "did:key:zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9",
            "did:key:zQ3shajmTb29MxR6htjD79Hdo6vneJLvyKCzZSRcawNWks9JC",
            "did:key:zQ3shwsKjaUybhiRNQxfVhgov8p2azuk11Sw1QRNTUx2FmRZP"
        ];
        for (uint256 i; i < keys.length; ++i) {
            (bytes32 x, bytes32 y) = _pointOf(keys[i]);
            assertEq(bytes(_harness.didKey(x, y)), bytes(expected[i]), "did:key");
        }
    }

    /// @notice What was signed and what was logged are rebuilt byte for byte.
    function test_digestAndLeaf() public view {
        (bytes32 digest, bytes32 leaf) = Statement.rebuild(
            PREFIX,
            1_790_000_000,
            Statement.DECISION,
            keccak256("subject"),
            sha256("body"),
            0xe0f86205839434991e64ad5fea591e9859ebf64452aaaf0f1aae822c37aed410,
            0x62363bc79b5b30e7733e9f5a55fcf64bae8be1631dd69e60f23880f461ba7c22
        );
        assertEq(digest, 0x7f0e0059711c400526199165fb4e060ff1010256a90102b65dc672bf0226f39d, "digest");
        assertEq(leaf, 0x2d06b7dc11535c5252f1dd1fa80c866ab219b3fa74987bc70068ea223b402dbc, "leaf");
    }

    /// @notice So is an alert, whose header is shorter.
    function test_digestAndLeafOfAlert() public view {
        (bytes32 digest, bytes32 leaf) = Statement.rebuild(
            ALERT_PREFIX,
            1_790_000_000,
            Statement.ALERT,
            keccak256("subject"),
            sha256("body"),
            0x3a2630edbc1be11b575c545388c7a14cfc592a406059250e886cee3df6b1605d,
            0x5ec7f0ceb816607344fe81cfee331f6164d1b43dc68ea490342184f61975c88e
        );
        assertEq(digest, 0x612e2f3f39d33b17823c64ea56bb641e73a520f82abc860510ff7e12ea37cdd5, "digest");
        assertEq(leaf, 0x183dd2a1097a4ae6e19b4103cefecc6182f6a10a0e6c923dd844c1b9e1527d44, "leaf");
    }

    /// @notice Two coordinates that are no point of secp256k1 are refused, also when one is not reduced.
    function test_refusesWhatIsNoKey() public {
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, X, X));
        _harness.decisionPrefix(X, X);
        uint256 p = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFC2F;
        // The point (1, …): its x plus p is the same number in the field and another key in bytes.
        bytes32 y = 0x4218F20AE6C646B363DB68605822FB14264CA8D2587FDD6FBC750D587E76A7EE;
        _harness.decisionPrefix(bytes32(uint256(1)), y);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, bytes32(p + 1), y));
        _harness.decisionPrefix(bytes32(p + 1), y);
        vm.expectRevert(abi.encodeWithSelector(Header.NotOnCurve.selector, bytes32(0), bytes32(0)));
        _harness.decisionPrefix(0, 0);
    }

    function _pointOf(uint256 key) private returns (bytes32 x, bytes32 y) {
        return (bytes32(vm.createWallet(key).publicKeyX), bytes32(vm.createWallet(key).publicKeyY));
    }
}
