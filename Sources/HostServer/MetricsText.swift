internal import Authorisation
internal import IssuerMessages

/// What the event loops counted.
extension LoopMetrics {
    /// - Parameter names: of the links, by slot.
    func families(links names: [String]) -> [MetricFamily] {
        totals.map { .counter($0.name, help: $0.help, value: $0.value) } + [
            .gauge("issuer_connections", help: "Connections that are open.", value: Int64(connections)),
            .gauge(
                "issuer_requests_in_flight", help: "Requests that wait for their answer.",
                value: Int64(inFlight)),
            .labelled(
                "issuer_connections_abandoned_total", .counter,
                help: "Connections that the host ended, by reason.",
                values: AbandonReason.allCases.map {
                    ([("reason", $0.label)], "\(abandoned[$0, default: 0])")
                }),
        ] + linkFamilies(names) + [
            MetricFamily(
                "issuer_answer_seconds", .histogram, help: "From a message's arrival to its answer.",
                samples: answerTimes.samples(labels: [])),
            MetricFamily(
                "issuer_stage_seconds", .histogram, help: "Stages of an authorisation.",
                samples: Stage.allCases.flatMap { stage in
                    stageTimes[stage.rawValue].samples(labels: [("stage", stage.name)])
                }),
        ]
    }

    private var totals: [(name: String, help: String, value: UInt64)] {
        [
            ("issuer_undecodable_messages_total", "Messages with a fault of form.", undecodable),
            ("issuer_ignored_messages_total", "Messages that ask for nothing.", ignored),
            ("issuer_late_answers_total", "Decisions that came too late to be sent.", lateAnswers),
            ("issuer_expired_requests_total", "Requests answered with 91 at their deadline.", expired),
            ("issuer_shed_requests_total", "Requests answered with 91 on arrival.", shed),
            ("issuer_invalid_frames_total", "Lengths that no frame can have.", invalidFrames),
            ("issuer_peers_refused_total", "Connections from elsewhere or over the limit.", peersRefused),
            ("issuer_tls_refused_total", "TLS connections that came to nothing.", handshakesRefused),
            ("issuer_mac_failures_total", "Messages with a wrong MAC or none.", macFailures),
            (
                "issuer_untold_approvals_total",
                "Approvals in time whose answer did not reach the peer; the journal has a note of each.",
                untold
            ),
            (
                "issuer_sign_ons_refused_total", "Sign-ons of the host refused or not answered.",
                signOnsRefused
            ),
            (
                "issuer_connections_moved_total",
                "Connections that went from one event loop to another, as loops got busy or idle.",
                connectionsMoved
            ),
            ("issuer_network_requests_sent_total", "Echoes, sign-ons, sign-offs sent.", networkRequests),
        ]
    }

    private func linkFamilies(_ names: [String]) -> [MetricFamily] {
        var received: [MetricFamily.Sample] = []
        var answers: [MetricFamily.Sample] = []
        var times: [MetricFamily.Sample] = []
        let codes = MessageCounts.names + ["other"]
        for (name, counts) in zip(names, links) {
            for messageClass in 0..<MessageCounts.classes {
                let labels = [("link", name), ("class", "0\(messageClass)")]
                if counts.received[messageClass] > 0 {
                    received.append(.init(labels: labels, value: "\(counts.received[messageClass])"))
                }
                let answered = codes.indices.filter { counts.answers[messageClass * codes.count + $0] > 0 }
                for place in answered {
                    let count = counts.answers[messageClass * codes.count + place]
                    answers.append(.init(labels: labels + [("de39", codes[place])], value: "\(count)"))
                }
                if !answered.isEmpty { times += counts.answerTimes[messageClass].samples(labels: labels) }
            }
        }
        return [
            MetricFamily(
                "issuer_received_total", .counter, help: "Messages by link and class of message.",
                samples: received),
            MetricFamily(
                "issuer_answers_total", .counter, help: "Answers by link, class of message and DE39.",
                samples: answers),
            MetricFamily(
                "issuer_link_answer_seconds", .histogram,
                help: "From a message's arrival to its answer, by link and class of message.", samples: times),
        ]
    }
}
