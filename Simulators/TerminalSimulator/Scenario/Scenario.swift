internal import EMV
internal import ISO8583
internal import VirtualCard

/// A scenario after its variables are filled in and its `for` is unrolled: one test case.
package struct Scenario: Sendable {
    /// Unique in a run, as the report shows it.
    package let name: String
    /// Words to choose by, with `--only`.
    package let labels: [String]
    /// Names of the host's rules and reasons that it proves.
    package let covers: [String]
    /// Of its definition.
    package let place: ScenarioPlace
    let steps: [ScenarioStep]

    /// Steps of it change cards with the issuer's program.
    package var needsIssuer: Bool {
        steps.contains { if case .issuer = $0.action { true } else { false } }
    }

    /// Name, a label or a covered rule contains this.
    package func isNamed(_ text: String) -> Bool {
        name.contains(text) || (labels + covers).contains { $0.contains(text) }
    }
}

/// One thing that is done and what has to come of it.
struct ScenarioStep: Sendable {
    /// In words.
    let name: String
    let place: ScenarioPlace
    let action: ScenarioAction
    let expectation: ScenarioExpectation
    /// Of what its keys say.
    var places: [String: ScenarioPlace] = [:]
}

/// What a step does.
enum ScenarioAction: Sendable {
    /// Purchase, cash or refund.
    case transaction(TransactionStep)
    /// The last request of the link once more.
    case again(RepeatStep)
    /// Takes the last transaction back.
    case reversal(ReversalStep)
    /// Waits for an answer that an earlier step did not wait for.
    case lateAnswer(link: String?)
    /// What the cardholder types from now on.
    case pinEntry(PINEntry)
    /// Hands the last answer's issuer scripts to the card.
    case script(count: Int?)
    /// 0800 with this DE70.
    case network(code: String, link: String?)
    /// Bytes as they are.
    case raw(RawStep)
    case card(CardStep)
    /// The issuer does something with a card.
    case issuer(IssuerStep)
    /// From now on the terminal shows another certificate.
    case tls(TLSStep)
    /// Closes the connection; the next step opens another one.
    case disconnect(link: String?)
    case wait(Duration)
}

/// An ATC in relation to the card's own.
enum CounterChoice: Sendable {
    case absolute(UInt16)
    case relative(Int)

    func value(from current: UInt16) -> UInt16 {
        switch self {
        case .absolute(let value): value
        case .relative(let step): UInt16(clamping: Int(current) + step)
        }
    }
}

/// What is done to a card itself.
struct CardStep: Sendable {
    var card: String?
    /// Forwards or to a value.
    var counter: CounterChoice?
    /// The bureau's again: PIN and blocks as personalised, the counter goes on.
    var isNew = false
}

/// Another certificate than the terminal's own; all nil gives that back. Files count from the configuration's folder.
struct TLSStep: Sendable {
    var link: String?
    /// `none` for none.
    var certificateFile: String?
    var privateKeyFile: String?
    var trustedFile: String?
    var serverName: String?
}

/// A purchase, a cash withdrawal or a refund.
struct TransactionStep: Sendable {
    var kind = PurchaseKind.purchase
    var card: String?
    /// A file of personalised chips: the card goes through a whole conversation.
    var conversation: String?
    var link: String?
    /// Minor units; drawn anew for each run where it is a range.
    var amount: ClosedRange<UInt64> = 1_000...1_000
    /// Nil for the last `pin` step's.
    var pin: PINEntry?
    /// Nil for the link's.
    var pinFormat: PINBlockFormat?
    var presentation = CardPresentation.chip
    var stripe = StripeSettings()
    var authentication = AuthenticationSettings()
    var mti = MTI.authorisationRequest
    var terminal = TerminalSettings()
    /// Other contents for data elements, nil to leave them out.
    var fields: [(element: DataElement, text: String?)] = []
    var fault = StepFault()
    /// False sends and goes on; a late answer step takes the answer.
    var waits = true
}

/// What goes wrong on the way.
struct StepFault: Sendable {
    var chip = Tampering.none
    var counter: CounterChoice?
    /// Tag and bit to flip after signing, 0 the lowest.
    var flips: [(tag: Tag, bit: Int)] = []
    var bytesCut = 0
    var sentTwice = false
    /// With a conversation: the terminal has no line, the request never leaves.
    var lineDown = false
    /// The request never reaches the host; a later step can repeat or reverse it.
    var isLost = false
    /// Tag and bit of the answer's DE55 to flip before the card sees it.
    var answerFlips: [(tag: Tag, bit: Int)] = []
    /// With a conversation: what is wrong with the card's certificates or signatures.
    var authentication: AuthenticationFault?
    /// The connection is cut after sending.
    var connectionCut = false
    /// So long nobody reads the answer.
    var held: Duration?
    /// The PIN block is enciphered under a key that the link does not have.
    var wrongPINKey = false
    /// On a link with MACs.
    var mac = LinkMAC.Deed.right
}

/// The same message again.
struct RepeatStep: Sendable {
    var link: String?
    /// With the repeat's message type (0101).
    var marked = false
    /// Other contents, nil to leave an element out.
    var fields: [(element: DataElement, text: String?)] = []
}

/// A reversal of the last transaction.
struct ReversalStep: Sendable {
    var link: String?
    /// 0420 instead of 0400.
    var advice = false
    /// 0401 or 0421.
    var marked = false
    /// What was really paid out, in minor units; nil takes all of it back.
    var completed: UInt64?
}

/// Bytes that need not be a message.
struct RawStep: Sendable {
    var link: String?
    var bytes: [UInt8] = []
    /// A right length goes before them.
    var framed = true
    /// The MTI of the request that the answer belongs to; the answer's is taken as it comes.
    var waits = true
}

/// What has to come of a step. What is not said may be anything; an answer has to come, though, unless it is
/// said that none may.
struct ScenarioExpectation: Sendable {
    enum Coming: Sendable {
        case answer
        /// Nothing within the time.
        case nothing
        /// The host closes the connection.
        case closed
    }

    enum Content: Sendable {
        case present
        case absent
        case text(String)
    }

    var coming = Coming.answer
    /// Any of these; empty for any at all.
    var responseCodes: [String] = []
    var verdict: ExpectedVerdict?
    var fields: [(element: DataElement, content: Content)] = []
    var tags: [(tag: Tag, content: Content)] = []
    var within: Duration?
    /// By how much the card's counter has moved.
    var counterMoved: Int?
    /// TC or AAC at the end of the conversation, or `other-interface`.
    var finalCryptogram: String?
    /// DE38 and DE39 as in the answer before.
    var sameAnswer: Bool?
    /// With a request sent twice: how many answers come.
    var answers: Int?
    /// `none`, `application` or `card`: what issuer scripts have blocked.
    var blocked: String?
    /// Tries that the card has left for a PIN that it checks itself.
    var offlineTries: Int?
    /// To be found in what the issuer's program says, or in the card's conversation.
    var words: [String] = []
    var place: ScenarioPlace?
}
