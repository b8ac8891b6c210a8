package import Authorisation
internal import EMV
package import ISO8583

/// A message that decodes but cannot be what it says it is.
package struct MappingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The element at fault.
    package let element: DataElement
    /// Why; holds no data of the element.
    package let reason: String

    init(_ element: DataElement, _ reason: String) {
        self.element = element
        self.reason = reason
    }

    /// One line for logs: `DE55: tag 9F02 …`.
    package var description: String { "\(element): \(reason)" }
}

/// What a message comes to.
package enum IncomingMessage: Sendable {
    /// A request that has to be decided.
    case authorise(AuthorisationRequest)
    /// It has its answer already: network management, or a class that this issuer does not serve.
    case answer(Message)
    /// Not a request: nothing is sent back.
    case ignore(String)
}

extension RequestMapping {
    func unsupported(_ message: Message) -> IncomingMessage {
        link.responses.answer(message, .unsupportedTransaction).map(IncomingMessage.answer)
            ?? .ignore("\(message.mti) is no request")
    }
}
