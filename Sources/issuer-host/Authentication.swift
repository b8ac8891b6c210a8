internal import Authorisation
internal import EMV
internal import HSM
internal import ISO8583
internal import IssuerConfiguration
internal import IssuerMessages

extension AuthenticationPolicy {
    /// - Parameter place: where it stands, for errors.
    convenience init(_ file: IssuerConfiguration.AuthenticationValue, place: String) throws {
        guard let form = AuthenticationValueForm(rawValue: file.form) else {
            throw WiringError("\(place).form: \(file.form) is no form of authentication values")
        }
        guard file.key != nil || !file.keys.isEmpty else {
            throw WiringError("\(place).key: a key is needed, here or in `keys`")
        }
        var terms = Terms(form: form, key: file.key.map { KeyName($0) })
        for text in file.keys {
            let parts = text.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, let selector = UInt16(parts[0], radix: 16), selector <= 0xFFF else {
                throw WiringError(
                    "\(place).keys: a selector of two or three digits, a colon and a label, not \(text)")
            }
            terms.keys[selector] = KeyName(String(parts[1]))
        }
        for name in ([terms.key].compactMap { $0 } + terms.keys.values) {
            let purpose: KeyPurpose =
                form.isCardVerificationValue ? .authenticationVerificationKey : .authenticationHMACKey
            guard KeyPurpose.named(name.rawValue) == purpose else {
                throw WiringError(
                    "\(place).key: \(name) is no name of a \(purpose.rawValue) key, which form \(form.name) needs: "
                        + "\(purpose.rules.prefix)-…")
            }
        }
        terms.isRequired = file.required
        terms.acceptsAttempts = file.attempts
        terms.numberIsTime = file.numberIsTime
        terms.ageMaxSeconds = Int64(file.ageMaxMinutes) * 60
        terms.amountTolerancePercent = Int64(file.amountTolerancePercent)
        terms.seriesMax = UInt16(file.seriesMax)
        terms.authenticatedIndicators = try Self.indicators(
            file.eciAuthenticated, "\(place).eciAuthenticated")
        terms.attemptedIndicators = try Self.indicators(file.eciAttempted, "\(place).eciAttempted")
        let both = terms.authenticatedIndicators.intersection(terms.attemptedIndicators)
        guard both.isEmpty else {
            throw WiringError("\(place).eciAttempted: an indicator claims one thing only")
        }
        for text in file.answers { try terms.add(answer: text, "\(place).answers") }
        self.init(terms)
    }

    private static func indicators(_ texts: [String], _ place: String) throws -> Set<UInt8> {
        Set(
            try texts.map { text in
                guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let value = UInt8(text, radix: 16)
                else { throw WiringError("\(place): one or two digits each, not \(text)") }
                return value
            })
    }
}

extension AuthenticationPolicy.Terms {
    /// `OUTCOME:DE39` or `OUTCOME:DE39:DE44`; DE39 is empty for what is no decline.
    fileprivate mutating func add(answer text: String, _ place: String) throws {
        let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(
            String.init)
        guard let outcome = AuthenticationOutcome(rawValue: parts[0]), parts.count > 1 else {
            let known = AuthenticationOutcome.allCases.map(\.rawValue).joined(separator: ", ")
            throw WiringError("\(place): \(text) begins with none of \(known), or has no DE39 behind it")
        }
        let code = parts[1]
        let isCode =
            code.utf8.count == 2
            && code.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) }
        guard code.isEmpty || isCode && !["00", "10", "08", "11"].contains(code) else {
            throw WiringError("\(place): \(text): DE39 of a decline has two digits or capital letters")
        }
        guard outcome != .right || code.isEmpty else {
            throw WiringError("\(place): \(text): right is no decline; write right::DE44")
        }
        let data = parts.count > 2 ? parts[2] : ""
        guard data.utf8.count <= 25, data.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw WiringError("\(place): \(text): DE44 has at most 25 printable characters")
        }
        guard answers[outcome] == nil else {
            throw WiringError("\(place): \(outcome.rawValue) stands there twice")
        }
        answers[outcome] = ConfiguredAnswer(
            responseCode: code.isEmpty ? nil : code, additionalData: data.isEmpty ? nil : data)
    }
}

extension AuthenticationPlace {
    /// - Parameter place: where it stands, for errors.
    init(_ file: IssuerConfiguration.LinkAuthentication, _ dialect: Dialect, place: String) throws {
        func element(_ number: Int, _ key: String) throws -> DataElement {
            guard let element = UInt8(exactly: number).flatMap(DataElement.init(rawValue:)), number > 1,
                dialect[element] != nil
            else { throw WiringError("\(place).\(key): the dialect has no DE\(number)") }
            return element
        }
        self.init(element: try element(file.element, "element"))
        offset = file.offset
        encoding = Encoding(rawValue: file.encoding) ?? .base64
        indicatorElement = try file.eciElement.map { try element($0, "eciElement") }
        indicatorOffset = file.eciOffset
        indicatorLength = file.eciLength
        recurring = try file.recurring.map { text in
            guard let mark = Mark(text) else {
                throw WiringError("\(place).recurring: ELEMENT:OFFSET:TEXT, not \(text)")
            }
            return mark
        }
        merchantNameLength = file.merchantNameLength
        let isBinary = dialect[self.element]?.encoding == .binary
        guard encoding != .raw || isBinary else {
            throw WiringError(
                "\(place).encoding: raw needs bytes, and DE\(file.element) of the dialect holds text")
        }
    }
}

extension IssuerConfiguration {
    /// The keys of authentication values, by their use.
    func addAuthentication(to configuration: inout HSMConfiguration) {
        for value in issuers.compactMap(\.authenticationValue) {
            let labels = Set(value.keyLabels.map { KeyName($0) })
            if value.form == AuthenticationValueForm.cvvWithTrackingNumber.rawValue {
                configuration.authenticationVerificationKeys.formUnion(labels)
            } else {
                configuration.authenticationHMACKeys.formUnion(labels)
            }
        }
    }
}
