internal import EMV
internal import ISO8583
internal import VirtualCard

/// The keys of `purchase`, `cash` and `refund`.
enum TransactionStepReader {
    static func transaction(
        _ node: ScenarioNode, _ kind: PurchaseKind
    ) throws(ScenarioError) -> TransactionStep {
        var step = TransactionStep()
        step.kind = kind
        let keys = [
            "card", "chip", "link", "amount", "pin", "pin-format", "mti", "terminal", "fields", "fault",
            "wait", "entry", "service-code", "cvv", "cvv2", "iad",
            "3ds",
        ]
        for entry in try node.entries(keys) {
            let value = entry.value
            switch entry.key {
            case "card": step.card = try value.text()
            case "chip": step.conversation = try value.text()
            case "link": step.link = try value.text()
            case "amount": step.amount = try ScenarioStepReader.amount(value)
            case "pin": step.pin = try ScenarioStepReader.pin(value)
            case "pin-format":
                step.pinFormat = try value.choice(["0": .iso0, "1": .iso1, "3": .iso3, "4": .iso4])
            case "entry": step.presentation = try value.choice(presentations)
            case "service-code": step.stripe.serviceCode = try serviceCode(value)
            case "cvv": step.stripe.cvv = try value.choice(values)
            case "cvv2": step.stripe.cvv2 = try value.choice(values)
            case "3ds": step.authentication = try AuthenticationStepReader.settings(value)
            case "iad": step.fault.chip.issuerApplicationData = try ScenarioStepReader.hex(value)
            case "mti": step.mti = try mti(value)
            case "terminal": try terminal(value, &step.terminal)
            case "fields": step.fields = try ScenarioStepReader.fields(value)
            case "fault": try fault(value, &step)
            default: step.waits = try value.flag()
            }
        }
        return step
    }

    private static let presentations: KeyValuePairs<String, CardPresentation> = [
        "chip": .chip, "stripe": .stripe, "fallback": .fallback,
        "contactless-stripe": .contactlessStripe, "keyed": .keyed, "e-commerce": .eCommerce,
        "e-commerce 3-D Secure": .threeDSecure,
    ]
    private static let values: KeyValuePairs<String, StripeSettings.Value> = [
        "right": .right, "wrong": .wrong, "chip": .chip, "none": .none,
    ]

    private static func serviceCode(_ node: ScenarioNode) throws(ScenarioError) -> String {
        let text = try node.text()
        guard text.utf8.count == 3, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw node.fault("three digits of a service code are expected here")
        }
        return text
    }

    private static func mti(_ node: ScenarioNode) throws(ScenarioError) -> MTI {
        let text = try node.text()
        guard text.utf8.count == 4, let value = UInt16(text, radix: 16), MTI(rawValue: value).isWellFormed
        else {
            throw node.fault("four digits of a message type are expected here")
        }
        return MTI(rawValue: value)
    }

    private static func terminal(
        _ node: ScenarioNode, _ settings: inout TerminalSettings
    ) throws(ScenarioError) {
        let keys = [
            "country", "currency", "type", "tvr", "capabilities", "cvm-results", "entry-mode", "amount-other",
            "id", "merchant", "acquirer", "merchant-type",
        ]
        for entry in try node.entries(keys) {
            let value = entry.value
            switch entry.key {
            case "country": settings.countryCode = UInt16(try value.integer(0...999))
            case "currency": settings.currencyCode = UInt16(try value.integer(0...999))
            case "type": settings.terminalType = UInt8(try number(value, bytes: 1))
            case "tvr": settings.verificationResults = try number(value, bytes: 5)
            case "capabilities": settings.capabilities = UInt32(try number(value, bytes: 3))
            case "cvm-results": settings.verificationMethodResults = UInt32(try number(value, bytes: 3))
            case "entry-mode": settings.entryMode = try value.text()
            case "amount-other":
                settings.amountOther = try ScenarioStepReader.amount(value).lowerBound
            case "id": settings.terminal = try value.text()
            case "merchant": settings.merchant = try value.text()
            case "acquirer": settings.acquirer = try value.text()
            default: settings.merchantType = try value.text()
            }
        }
    }

    private static func number(_ node: ScenarioNode, bytes count: Int) throws(ScenarioError) -> UInt64 {
        let bytes = try ScenarioStepReader.hex(node)
        guard bytes.count == count else { throw node.fault("\(count) bytes of hex are expected here") }
        return bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func fault(_ node: ScenarioNode, _ step: inout TransactionStep) throws(ScenarioError) {
        let keys = [
            "flip", "atc", "tags", "remove-tags", "chip-data", "cut-bytes", "twice", "cut-connection", "hold",
            "line-down", "wrong-pin-key", "mac", "lost", "flip-answer", "authentication",
        ]
        for entry in try node.entries(keys) {
            let value = entry.value
            switch entry.key {
            case "flip": step.fault.flips += try flips(value)
            case "atc": step.fault.counter = try counter(value)
            case "tags":
                for tag in try value.entries() {
                    step.fault.chip.changed.append(
                        (
                            try ScenarioStepReader.tag(tag.key, tag.place),
                            try ScenarioStepReader.hex(tag.value)
                        ))
                }
            case "remove-tags":
                for tag in try value.items() {
                    step.fault.chip.removed.append(try ScenarioStepReader.tag(tag.text(), tag.place))
                }
            case "chip-data": step.fault.chip.malformation = try malformation(value)
            case "cut-bytes": step.fault.bytesCut = try value.integer(1...1_000)
            case "twice": step.fault.sentTwice = try value.flag()
            case "cut-connection": step.fault.connectionCut = try value.flag()
            case "mac":
                step.fault.mac = try value.choice(["wrong": .wrong, "missing": .missing])
            case "line-down": step.fault.lineDown = try value.flag()
            case "lost": step.fault.isLost = try value.flag()
            case "flip-answer": step.fault.answerFlips += try flips(value)
            case "authentication": step.fault.authentication = try ChipFile.fault(value)
            case "hold": step.fault.held = try value.duration()
            default: step.fault.wrongPINKey = try value.flag()
            }
        }
        if step.fault.connectionCut { step.waits = false }
    }

    /// `{9F26: 0, 95: 7}`: tag and bit, 0 the lowest of the last byte.
    private static func flips(_ node: ScenarioNode) throws(ScenarioError) -> [(tag: Tag, bit: Int)] {
        var result: [(tag: Tag, bit: Int)] = []
        for entry in try node.entries() {
            result.append(
                (
                    try ScenarioStepReader.tag(entry.key, entry.place), try entry.value.integer(0...2_039)
                ))
        }
        return result
    }

    /// `replay`, `+5`, `-3` or a number.
    static func counter(_ node: ScenarioNode) throws(ScenarioError) -> CounterChoice {
        let text = try node.text()
        if text == "replay" { return .relative(0) }
        guard let number = Int(text), (-65_535...65_535).contains(number) else {
            throw node.fault("replay, +N, -N or an ATC of 0 to 65535 is expected here")
        }
        return text.hasPrefix("+") || text.hasPrefix("-")
            ? .relative(number) : .absolute(UInt16(clamping: number))
    }

    private static func malformation(_ node: ScenarioNode) throws(ScenarioError) -> Tampering.Malformation {
        let text = try node.text()
        switch text {
        case "length-beyond-end": return .lengthBeyondEnd
        case "indefinite-length": return .indefiniteLength
        case "duplicate-tag": return .duplicate
        case "trailing-zeros": return .trailingZeros(4)
        case "empty-tag": return .replaced([])
        default:
            guard let bytes = try? ScenarioStepReader.hex(node) else {
                throw node.fault(
                    "length-beyond-end, indefinite-length, duplicate-tag, trailing-zeros or hex is expected here"
                )
            }
            return .replaced(bytes)
        }
    }
}
