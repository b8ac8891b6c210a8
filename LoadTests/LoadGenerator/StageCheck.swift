/// What a stage may be: nothing that would run for its time and send nothing, or never end.
extension LoadProfile {
    /// Requests a second that a stage may ask for.
    static let rateMax = 1_000_000.0
    /// Seconds of a stage: a month.
    private static let secondsMax = 2_678_400.0

    /// - Throws: the first stage and key at fault.
    func checkStages(_ path: String) throws(LoadSetupError) {
        var hasSaturation = false
        for stage in stages {
            if let reason = LoadProfile.fault(of: stage, hasSaturation: hasSaturation) {
                throw LoadSetupError("\(path): stage \(stage.name): \(reason)")
            }
            hasSaturation = hasSaturation || stage.role == .saturation
        }
        for threshold in thresholds { try threshold.expectStage(of: self, path: path) }
    }

    private static func fault(of stage: Stage, hasSaturation: Bool) -> String? {
        guard stage.seconds > 0, stage.seconds <= secondsMax else {
            return "seconds has to be above 0 and at most a month"
        }
        func isRate(_ rate: Double, above least: Double = 0) -> Bool { rate >= least && rate <= rateMax }
        switch stage.load {
        case .closed(let outstanding):
            return (1...10_000).contains(outstanding) ? nil : "outstanding has to be 1 to 10,000"
        case .open(.constant(let rate), _):
            return rate > 0 && isRate(rate) ? nil : "rate has to be above 0 and at most 1,000,000"
        case .open(.ramp(let from, let to), _):
            return isRate(from) && isRate(to) && from + to > 0
                ? nil : "ramp goes from one rate to another, of 0 to 1,000,000 and not both 0"
        case .open(.spike(let base, let peak, let from, let until), _):
            guard isRate(base), isRate(peak), base + peak > 0 else {
                return "spike has base and peak of 0 to 1,000,000, not both 0"
            }
            return from >= 0 && until > from && from < stage.seconds
                ? nil : "spike has from before until, both within the stage's seconds"
        case .fraction(let part, _):
            guard part > 0, part <= 100 else { return "ofSaturation has to be above 0, such as 0.5" }
            return hasSaturation ? nil : "ofSaturation needs a stage with the role saturation before it"
        }
    }
}
