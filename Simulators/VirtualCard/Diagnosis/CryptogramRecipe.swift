internal import EMV
internal import LibCrypto

/// How a cryptogram is made, every choice that people get wrong as a value of its own. Keys stand by name.
struct CryptogramRecipe: Hashable {
    /// From issuer master key to ICC master key.
    enum Derivation: Hashable {
        case option(MasterKeyOption)
        /// The issuer master key signs as if it were the card's.
        case none
    }

    /// From ICC master key to session key.
    enum SessionKey: Hashable {
        case method(SessionKeyMethod)
        /// The EMV2000 tree with this branch factor.
        case tree(branchFactor: Int, height: Int)
    }

    enum Algorithm: Hashable {
        /// ISO/IEC 9797-1 algorithm 3.
        case retail
        /// Algorithm 1: triple DES in every block.
        case tripleThroughout
    }

    struct Object: Hashable {
        var tag: Tag
        var value: [UInt8]
    }

    var keyName: String
    var derivation: Derivation
    var pan: PAN
    var sequenceNumber: UInt8
    var sessionKey: SessionKey
    var atc: UInt16
    var unpredictableNumber: UInt32
    var objects: [Object]
    var iad: [UInt8]
    /// Nil leaves the IAD out.
    var tail: CryptogramTail?
    var padding: CryptogramPadding
    var algorithm = Algorithm.retail
    /// Tags and lengths are signed along with the values.
    var withTags = false

    /// The data before padding; nil where the tail lies beyond the IAD.
    var data: [UInt8]? {
        var data: [UInt8] = []
        for object in objects {
            if withTags {
                var writer = TLVWriter()
                writer.append(object.tag, object.value)
                data += writer.bytes
            } else {
                data += object.value
            }
        }
        switch tail {
        case nil: break
        case .wholeIAD: data += iad
        case .iadBytes(let first, let second):
            guard max(first.upperBound, second.upperBound) <= iad.count else { return nil }
            data += iad[first] + iad[second]
        }
        return data.isEmpty ? nil : data
    }

    /// The cryptogram that comes of it; nil where nothing can.
    func cryptogram(
        keys: [String: DoubleLengthKey], with chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt64? {
        guard let issuerMasterKey = keys[keyName], let data else { return nil }
        let identity = CardIdentity(
            pan: pan, panSequenceNumber: PANSequenceNumber(rawValue: sequenceNumber))
        let iccMasterKey: DoubleLengthKey =
            switch derivation {
            case .none: issuerMasterKey
            case .option(let option):
                try chip.iccMasterKey(issuerMasterKey: issuerMasterKey, option: option, card: identity)
            }
        let counter = ApplicationTransactionCounter(rawValue: atc)
        let key: DoubleLengthKey
        switch sessionKey {
        case .method(let method):
            key = try chip.sessionKey(
                method, iccMasterKey: iccMasterKey, atc: counter,
                unpredictableNumber: UnpredictableNumber(rawValue: unpredictableNumber))
        case .tree(let branchFactor, let height):
            guard
                let tree = SessionKeyTree(
                    height: height, branchFactor: branchFactor, initialVector: Diversifier(left: 0, right: 0))
            else { return nil }
            key = try chip.sessionKey(tree, iccMasterKey: iccMasterKey, atc: counter)
        }
        return try mac(data, key, with: &chip)
    }

    private func mac(
        _ data: [UInt8], _ key: DoubleLengthKey, with chip: inout ChipCryptography
    ) throws(LibCryptoError) -> UInt64 {
        let method: MACPadding = padding == .method1 ? .method1 : .method2
        switch algorithm {
        case .retail:
            guard let input = CryptogramInput(data, padding: padding) else {
                return try MAC.algorithm3(key: key, data, padding: method)
            }
            return try chip.mac(input, key: key)
        case .tripleThroughout:
            let bytes = [key.left, key.right].flatMap { half in
                (0..<8).map { UInt8(truncatingIfNeeded: half >> UInt64(56 - 8 * $0)) }
            }
            return try MAC.algorithm1(key: bytes, data, padding: method).reduce(0) { $0 << 8 | UInt64($1) }
        }
    }
}

extension CryptogramRecipe {
    /// The profiles whose cryptograms a recipe makes: those of triple DES.
    static let profiles = CryptogramProfile.all.filter { $0.cipher == .tripleDES }
}
