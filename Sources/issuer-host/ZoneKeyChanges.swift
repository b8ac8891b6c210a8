internal import AuditTrail
internal import Authorisation
internal import CardStateStore
internal import Foundation
internal import HSM
internal import HostServer
internal import IssuerConfiguration
internal import IssuerMessages
internal import Logging
internal import ServiceLifecycle

/// New zone keys over the wire: a request in, a response code out, evidence in the audit trail. The host goes over to
/// sessions that have the new key under its name, as for a new configuration: no request looks for versions.
extension HostAssembly {
    /// Takes the key in a request, or says why not. The answer leaves when the workers have the key.
    func changeKey(_ request: KeyChangeRequest, link: String) async -> ResponseCode {
        // Now, and not when its turn has come: what another host took in meanwhile was first.
        let (arrived, before) = (Int(time(nil)), zoneKeyLabels)
        return await inTurn { await self.takeKey(request, link: link, arrived: arrived, before: before) }
    }

    private func takeKey(
        _ request: KeyChangeRequest, link: String, arrived: Int, before: [KeyName: ZoneKeyLabels]
    ) async -> ResponseCode {
        let configuration = configuration
        guard let order = configuration.zoneKeyOrder(request, link: link) else {
            logger.warning(
                "key change refused", metadata: ["link": "\(link)", "reason": "no such key on this link"])
            return .unsupportedTransaction
        }
        let serving = before[order.name]?.current
        do {
            guard let keys = try configuration.zoneKeys(at: location) else { return .unsupportedTransaction }
            guard let held = try await changeLock.take(order.name.rawValue) else {
                throw WiringError("another host is changing it")
            }
            let change = try await holding(held) {
                let change = try await onTokenThread {
                    try keys.change(order, serving: serving, arrived: arrived)
                }
                do {
                    // A lock that ended meanwhile is another host's now, and so is the change.
                    guard try await self.changeLock.isHeld(held) else {
                        throw WiringError("the lock was lost meanwhile")
                    }
                    try await self.followZoneKeys()
                } catch {
                    try? await onTokenThread { try keys.takeBack(change) }
                    throw error
                }
                return change
            }
            let details = change.details.merging([
                "link": link, "kcv": change.checkValue, "under": order.zoneMasterKey.rawValue,
                "purpose": order.purpose.rawValue,
            ]) { $1 }
            logger.notice(
                change.isNew ? "zone key changed" : "zone key is in use already",
                metadata: ["link": "\(link)", "key": "\(change.label)", "kcv": "\(change.checkValue)"])
            if change.isNew {
                await note(AuditEvent(.zoneKeyChanged, key: change.label, details: details))
            }
            return .approved
        } catch {
            logger.error("key change refused", metadata: ["link": "\(link)", "reason": "\(error)"])
            await note(
                AuditEvent(
                    .zoneKeyRefused, key: order.name.rawValue,
                    details: ["link": link, "reason": "\(error)"]))
            switch error as? ZoneKeyRefusal {
            case .checkValueDiffers, .weak, .testKey, .usedBefore: return .securityViolation
            case .overtaken:
                // What won is served from now on.
                try? await followZoneKeys()
                return .systemMalfunction
            case .token, nil: return .systemMalfunction
            }
        }
    }

    private func holding<Result: Sendable>(
        _ held: KeyChangeLock.Held, _ body: () async throws -> Result
    ) async throws -> Result {
        do {
            let result = try await body()
            await changeLock.release(held)
            return result
        } catch {
            await changeLock.release(held)
            throw error
        }
    }

    /// Looks which versions are in force by now: an overlap has ended, another host or an operator has brought a key.
    func watchZoneKeys() async {
        await inTurn {
            do {
                try await self.retireZoneKeys()
                try await self.followZoneKeys()
            } catch {
                self.logger.error("zone keys cannot be looked up", metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Goes over to the versions in force, if these are others than before.
    private func followZoneKeys() async throws {
        let (configuration, before) = (configuration, zoneKeyLabels)
        let next = try await onTokenThread { try configuration.hsmConfiguration(at: self.location) }
        guard next.zoneKeyLabels != before else { return }
        let lines = try await onTokenThread {
            try HSMCheck.zoneKeys(next, at: self.location).filter { !$0.passed }
        }
        if let failed = lines.first { throw WiringError("\(failed.subject): \(failed.detail)") }
        try await replaceHSM(next)
    }

    /// Destroys what ended, once no session has it any more: those of before stay until their requests have ended.
    private func retireZoneKeys() async throws {
        let (configuration, labels) = (configuration, zoneKeyLabels)
        guard !labels.isEmpty, mayRetireZoneKeys else { return }
        let retired = try await onTokenThread {
            try configuration.zoneKeys(at: self.location)?.retire(except: labels) ?? []
        }
        for key in retired {
            logger.notice("zone key retired", metadata: ["key": "\(key.label)"])
            var details = ["reason": "the overlap has ended"]
            details["kcv"] = key.checkValue
            await note(AuditEvent(.keyRetired, key: key.label, details: details))
        }
    }

    private func note(_ event: AuditEvent) async {
        let (trail, logger) = (configuration.auditTrail(at: location), logger)
        await onTokenThread {
            do {
                if let warning = try trail?.append(event) { logger.warning("audit trail: \(warning)") }
            } catch {
                logger.error("audit trail: \(error)")
            }
        }
    }
}

/// Looks after zone keys while the host serves.
struct ZoneKeyWatch: Service {
    let assembly: HostAssembly
    private static let interval = Duration.seconds(5)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                if assembly.configuration.changesZoneKeys { await assembly.watchZoneKeys() }
                try? await Task.sleep(for: Self.interval)
            }
        }
    }
}

/// Calls of the token that take long: no event loop and no task waits in one.
func onTokenThread<Result: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Result
) async throws(Failure) -> Result {
    let outcome: Swift.Result<Result, Failure> = await withCheckedContinuation { continuation in
        DispatchQueue.global(qos: .utility).async {
            do throws(Failure) { continuation.resume(returning: .success(try body())) } catch {
                continuation.resume(returning: .failure(error))
            }
        }
    }
    return try outcome.get()
}
