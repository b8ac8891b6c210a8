internal import Authorisation
internal import Foundation
internal import HSM
internal import HostServer
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

/// Zone keys that change over the wire: from configuration to parts.
extension IssuerConfiguration {
    /// Nil where no link changes keys.
    func zoneKeys(at location: TokenLocation) throws -> ZoneKeys? {
        var overlaps: [KeyName: Int] = [:]
        for link in links {
            guard let change = link.keyChange else { continue }
            // Links that share a key change it together; the longest overlap holds.
            for name in [link.zonePINKey, link.mac?.key].compactMap({ $0 }) {
                overlaps[KeyName(name)] = max(overlaps[KeyName(name)] ?? 0, change.overlapSeconds)
            }
        }
        guard !overlaps.isEmpty else { return nil }
        return ZoneKeys(
            overlaps, at: location, refusesTestKeys: profile == .production, now: { Int(time(nil)) })
    }

    var changesZoneKeys: Bool { links.contains { $0.keyChange != nil } }

    func keyChange(
        _ change: Link.KeyChange, _ link: Link, dialect: Dialect
    ) throws -> KeyChangeArrangement {
        let place = "links.\(link.name).keyChange"
        guard token.otherURIs.isEmpty else {
            throw WiringError(
                "\(place): a key that comes over the wire is made in one token, and token.uris names several")
        }
        guard let form = KeyChangeArrangement.Form(rawValue: change.form) else {
            let known = KeyChangeArrangement.Form.allCases.map(\.rawValue).joined(separator: " or ")
            throw WiringError("\(place).form: \(known), not \(change.form)")
        }
        guard let element = DataElement(rawValue: UInt8(change.element)) else {
            throw WiringError("\(place).element: there is no data element \(change.element)")
        }
        guard link.zonePINKey != nil || link.mac != nil else {
            throw WiringError("\(place): the link has neither zonePINKey nor mac.key to be changed")
        }
        if link.mac?.algorithm == MACAlgorithm.aesCMAC.rawValue, link.zonePINKey == nil {
            throw WiringError(
                "\(place): AES keys do not come over the wire: only triple DES in ECB mode does")
        }
        let (named, usual) = (Set(change.codes), KeyChangeArrangement.usualCodes)
        let codes =
            dialect.messageType.version == 1 && named == usual ? KeyChangeArrangement.usualCodes1993 : named
        return KeyChangeArrangement(codes: codes, element: element, form: form)
    }

    /// What a new key of a link is for; nil where the link has no such key that may change.
    func zoneKeyOrder(_ request: KeyChangeRequest, link name: String) -> ZoneKeyOrder? {
        guard let link = links.first(where: { $0.name == name }), let change = link.keyChange else {
            return nil
        }
        let (key, purpose): (String?, KeyPurpose) =
            switch request.kind {
            case .pinKey: (link.zonePINKey, .zonePINKey)
            case .macKey:
                (
                    link.mac.flatMap { $0.algorithm == MACAlgorithm.aesCMAC.rawValue ? nil : $0.key },
                    .zoneAuthenticationKey
                )
            }
        return key.map {
            ZoneKeyOrder(
                purpose: purpose, name: KeyName($0), zoneMasterKey: KeyName(change.zoneMasterKey),
                wrapped: request.wrapped, checkValue: request.checkValue)
        }
    }
}

extension ZoneKeysInForce {
    init(_ labels: [KeyName: ZoneKeyLabels]) {
        self.init()
        current = labels.mapValues(\.currentKey)
        previous = labels.compactMapValues(\.previousKey)
    }
}
