internal import CardStateStore
internal import HSM
internal import HostServer

/// What `/ready` depends on: somebody who can call the token, and the state store of every loop. A loop that hangs in a
/// call is not asked: it would not answer.
func health(_ hsm: HSM, _ stores: StoreSide) async -> [HealthLine] {
    let token = hsm.health
    // Who is held up has a session; a worker without one waits for the token as well.
    let isServed = token.workersReady > token.workersHeldUp
    var lines = [
        HealthLine(
            "token", passed: isServed && token.loopsHeldUp.isEmpty,
            detail: "\(token.workersReady) of \(token.workers) workers have a session"
                + (token.loops > 0 ? ", \(token.loopsServing) of \(token.loops) loops serve" : "")
                + (token.workersHeldUp > 0 ? ", \(token.workersHeldUp) workers in a call that hangs" : "")
                + (token.lastFailure.map { "; \($0)" } ?? ""))
    ]
    for index in token.loopsHeldUp {
        lines.append(HealthLine("loop \(index)", passed: false, detail: "in a call of the token that hangs"))
    }
    return lines + (await stores.health(without: Set(token.loopsHeldUp)))
}
