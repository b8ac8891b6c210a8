internal import Logging
internal import NIOCore
internal import NIOSSL
internal import X509

/// Who may be connected: judged at the handshake, and again by every reload.
extension AcquirerConnection {
    /// Judges what the peer shows in the handshake.
    ///
    /// - Parameters:
    ///   - certificates: its own first.
    ///   - promise: told the outcome on the loop.
    func examine(_ certificates: [NIOSSLCertificate], promise: EventLoopPromise<NIOSSLVerificationResult>) {
        let presented: [Certificate]
        do throws(PeerTrust.Refused) { presented = try Certificate.all(certificates) } catch {
            notLetIn("what the peer showed: \(error)")
            promise.succeed(.failed)
            return
        }
        shown = presented
        judge(presented, isConnected: false) { [self] refusal in
            if let refusal { notLetIn(refusal) }
            promise.succeed(refusal == nil ? .certificateVerified : .failed)
        }
    }

    /// Whether the certificate bears the names that the link asks for.
    var bearsNames: Bool {
        guard let tls else { return true }
        let handler = try? context?.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
        return tls.accepts(handler?.peerCertificate)
    }

    /// Holds the peer against the settings of a reload, and ends the connection where it would not be let in now. What is
    /// under way is still answered: it was asked while the peer was allowed.
    func judgeAgain(_ settings: ServedLink.Settings) {
        // One without an address is gone, and will hear of it.
        guard state.acceptsRequests, let peer = context?.remoteAddress else { return }
        guard settings.configuration.allows(peer) else {
            return end("the peer is none of allowedPeers any more")
        }
        guard let new = settings.tls else { return }
        guard isTLS else { return end("the link asks for TLS now") }
        tls = new
        // A handshake that is under way began under the rules before.
        guard state.isEstablished else { return end("a handshake was under way at a reload") }
        guard bearsNames else { return end("the certificate bears none of the names of this link any more") }
        judge(shown, isConnected: true) { [self] refusal in if let refusal { end(refusal) } }
    }

    private func judge(_ presented: [Certificate], isConnected: Bool, answer: @escaping (String?) -> Void) {
        guard let trust = tls?.trust else { return answer("the link has no TLS") }
        // On the loop from its first line to its last.
        let answer = OnLoop(call: answer)
        Task(executorPreference: loop.executor) {
            do throws(PeerTrust.Refused) {
                try await trust.examine(presented, isConnected: isConnected)
                answer.call(nil)
            } catch { answer.call(error.description) }
        }
    }

    private func notLetIn(_ reason: String) {
        refusedHandshake()
        loop.refusals.log(logger, .warning, message: "certificate refused", metadata: ["reason": "\(reason)"])
    }

    private func end(_ reason: String) {
        loop.metrics.abandoned[.peerNoLongerAllowed, default: 0] += 1
        logger.warning(
            "connection closed",
            metadata: ["reason": "\(AbandonReason.peerNoLongerAllowed.rawValue): \(reason)"])
        state.isEstablished ? drain() : close()
    }
}

/// Sendable because it is made and called on one event loop.
private struct OnLoop: @unchecked Sendable {
    let call: (String?) -> Void
}
