internal import ByteCoding
package import EMV
internal import Glibc
package import ISO8583
package import VirtualCard

/// Builds the messages of one link: a template for each product, into which a request's own values are put
/// without moving anything else.
package final class RequestBuilder {
    private struct Template {
        var withPIN: Message
        var withoutPIN: Message
    }

    package let link: LoadLink
    @exclusivity(unchecked) private var templates: [Template]
    private var pad: PINPad?
    private var aesPad: AESPINPad?
    private let pinElement: DataElement
    @exclusivity(unchecked) private var panDigits = [UInt8](repeating: 0x30, count: 19)
    @exclusivity(unchecked) private var track: [UInt8] = []
    private var trackTail: [[UInt8]]
    @exclusivity(unchecked) private var number = [UInt8](repeating: 0x30, count: 12)
    private let separator: UInt8
    /// Blocks of right PINs by card: format 0 has no chance in it, so they are the same in each request. 0 for one that
    /// was not made yet.
    @exclusivity(unchecked) private var blocks: [UInt64] = []

    /// - Parameters:
    ///   - products: what a request names by index.
    ///   - terminal: DE41, eight characters.
    package init(_ link: LoadLink, products: [LoadProduct], terminal: String = "LOAD0001") throws {
        self.link = link
        let separator = link.codec.dialect[.track2]?.separator ?? 0x3D
        self.separator = separator
        pinElement =
            link.aesPINKey == nil
            ? .pinData : link.codec.dialect.element(holding: .format4PINBlock) ?? .pinData
        templates = products.map {
            var (with, without) = (
                Message.template(link, $0, pin: true), Message.template(link, $0, pin: false)
            )
            with.set(.terminalIdentifier, text: terminal)
            without.set(.terminalIdentifier, text: terminal)
            return Template(withPIN: with, withoutPIN: without)
        }
        // Service code 201: international, chip, PIN where possible.
        trackTail = products.map { Array("\($0.definition.expiry)20100000000".utf8) }
        pad = nil
        aesPad = nil
        if let key = link.aesPINKey {
            aesPad = try AESPINPad(zonePINKey: key)
        } else if let key = link.zonePINKey {
            pad = try PINPad(zonePINKey: key)
        }
    }

    var sendsPINs: Bool { link.zonePINKey != nil || link.aesPINKey != nil }

    /// Writes date and time into the templates; once a second is enough.
    package func setClock(unixSeconds: Int) {
        var seconds = time_t(unixSeconds)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ value: Int32) -> String { digits(Int(value), count: 2) }
        let date = two(parts.tm_mon + 1) + two(parts.tm_mday)
        let time = two(parts.tm_hour) + two(parts.tm_min) + two(parts.tm_sec)
        for index in templates.indices {
            templates[index].withPIN.setClock(date, time)
            templates[index].withoutPIN.setClock(date, time)
        }
    }

    /// A request.
    /// - Parameters:
    ///   - sequence: DE37 whole, and DE11 in its last six digits.
    ///   - pin: nil for none.
    ///   - blockPlace: of the card, where the PIN is always the same one; nil makes the block anew.
    package func message(
        product: Int, identity: CardIdentity, amount: UInt64, chipData: [UInt8], pin: PIN?, sequence: UInt64,
        blockPlace: Int? = nil
    ) throws -> Message {
        var message = pin == nil ? templates[product].withoutPIN : templates[product].withPIN
        let pan = identity.pan
        for index in 0..<pan.digitCount { panDigits[index] = 0x30 + pan.digit(at: index) }
        message.set(.pan, bytes: panDigits[..<pan.digitCount])
        track.removeAll(keepingCapacity: true)
        track.append(contentsOf: panDigits[..<pan.digitCount])
        track.append(separator)
        track.append(contentsOf: trackTail[product])
        message.set(.track2, bytes: track)
        setNumber(amount)
        message.set(.transactionAmount, bytes: number)
        setNumber(sequence)
        message.set(.retrievalReferenceNumber, bytes: number)
        message.set(.stan, bytes: number[6...])
        message.set(.iccData, bytes: chipData)
        guard let pin else { return message }
        // Format 4 has chance in it: made anew for each.
        if let block = try aesPad?.block(pin, pan: pan, fill: .random(in: 0 ... .max)) {
            message.setPINBlock(block.bytes, pinElement, dialect: link.codec.dialect)
        } else {
            let block = try block(pin, pan, place: blockPlace)
            withUnsafeBytes(of: block.bigEndian) { message.set(.pinData, bytes: $0) }
        }
        return message
    }

    private func block(_ pin: PIN, _ pan: PAN, place: Int?) throws -> UInt64 {
        guard let place else { return try pad?.block(pin, pan: pan, fill: 0).rawValue ?? 0 }
        while blocks.count <= place { blocks.append(0) }
        if blocks[place] == 0 { blocks[place] = try pad?.block(pin, pan: pan, fill: 0).rawValue ?? 0 }
        return blocks[place]
    }

    private func setNumber(_ value: UInt64) {
        var rest = value
        for index in stride(from: 11, through: 0, by: -1) {
            number[index] = 0x30 + UInt8(rest % 10)
            rest /= 10
        }
    }
}

extension Message {
    /// All that is the same in every request of a product; the rest has its place and length already.
    fileprivate static func template(_ link: LoadLink, _ product: LoadProduct, pin: Bool) -> Message {
        let header = [0x60, 0x00, 0x01, 0x00, 0x02] + [UInt8](repeating: 0, count: 16)
        let headerCount = link.codec.dialect.header.bytes
        var message = Message(mti: .authorisationRequest, header: Array(header.prefix(headerCount)))
        let count = product.definition.identity.pan.digitCount
        message.set(.pan, text: String(repeating: "0", count: count))
        message.set(.processingCode, text: "000000")
        message.set(.transactionAmount, text: String(repeating: "0", count: 12))
        message.setClock("0101", "000000")
        message.set(.stan, text: "000000")
        message.set(.expirationDate, text: product.definition.expiry.description)
        message.set(.merchantType, text: "5411")
        // Chip read, PIN entry possible; a normal transaction.
        message.set(.pointOfServiceEntryMode, text: "051")
        if let number = product.definition.identity.panSequenceNumber {
            message.set(.panSequenceNumber, text: "0\(number)")
        }
        message.set(.pointOfServiceConditionCode, text: "00")
        message.set(.acquirerIdentifier, text: "123456")
        message.set(.track2, text: String(repeating: "0", count: count + 16))
        message.set(.retrievalReferenceNumber, text: String(repeating: "0", count: 12))
        message.set(.terminalIdentifier, text: "LOAD0001")
        message.set(.merchantIdentifier, text: "MERCHANT0000001")
        message.set(.currency, text: "752")
        if pin, link.aesPINKey == nil {
            message.set(.pinData, bytes: [UInt8](repeating: 0, count: 8))
        } else if pin {
            let element = link.codec.dialect.element(holding: .format4PINBlock) ?? .pinData
            message.setPINBlock([UInt8](repeating: 0, count: 16), element, dialect: link.codec.dialect)
        }
        message.set(.iccData, bytes: [UInt8](repeating: 0, count: 160))
        return message
    }

    /// Sixteen bytes, or their hexadecimal digits where the element is text.
    fileprivate mutating func setPINBlock(_ block: [UInt8], _ element: DataElement, dialect: Dialect) {
        if dialect[element]?.encoding == .binary || element == .pinData {
            set(element, bytes: block)
        } else {
            set(element, text: Hex.encode(block))
        }
    }

    fileprivate mutating func setClock(_ date: String, _ time: String) {
        set(.transmissionTime, text: date + time)
        set(.localTime, text: time)
        set(.localDate, text: date)
    }
}
