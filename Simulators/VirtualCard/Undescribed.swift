internal import EMV

// What holds a card's number, track or keys describes itself without them: a dump, an interpolation or a failed
// expectation of a test prints whatever a value shows of itself, and of its parts.

extension VirtualCard: CustomStringConvertible, CustomReflectable {
    /// The name in the file of cards.
    package var description: String { "virtual card \(definition.name)" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardConversation: CustomStringConvertible, CustomReflectable {
    /// How many commands it took so far, with which card.
    package var description: String { "conversation of \(commands.count) commands with \(card)" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardCommand: CustomStringConvertible, CustomReflectable {
    /// Its name and the status word.
    package var description: String { "\(name): \(String(status, radix: 16, uppercase: true))" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardAnswer: CustomStringConvertible, CustomReflectable {
    /// The counter and how much there is of DE55.
    package var description: String { "\(chipData.count) bytes of chip data, ATC \(atc.rawValue)" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension ChipApplication: CustomStringConvertible, CustomReflectable {
    /// Its label.
    package var description: String { "application \(label)" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardAuthentication: CustomStringConvertible, CustomReflectable {
    /// How many records of certificates there are.
    package var description: String { "\(certificateRecords.count) records of certificates" }
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension RemoteChip: CustomReflectable {
    /// Empty.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension ChipApplet: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension CardObjects: CustomReflectable {
    var customMirror: Mirror { Mirror(self, children: []) }
}
